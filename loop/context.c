/*
 * Sharing contexts, and entering them; context.h has the model. Any thread.
 */
#include "loop/context.h"

struct context *weft__context_ref(struct context *context)
{
	/* Relaxed: the caller holds a reference already. */
	if (context)
		atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
	return context;
}

void weft__context_unref(struct context *context)
{
	/* V1. */
	if (!context ||
	    atomic_fetch_sub_explicit(&context->references, 1, memory_order_release) > 1)
		return;
	/* V2. Not a fence: ThreadSanitizer does not know those. */
	(void)atomic_load_explicit(&context->references, memory_order_acquire);
	context->free(context);
}

void weft__context_call(struct context *context, weft_callback *fn, void *arg)
{
	weft__thread.context = context;
	fn(arg); /* may set others */
	context_drop(&weft__thread.context);
}
