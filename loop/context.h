/*
 * Contexts: what a task, a callback or a job carries of the variables of <weft/task.h>.
 *
 * A context is an immutable map, shared by reference count, so inheriting one costs a count and
 * none at all where no variable was ever set: then it is NULL everywhere. What lies in the map is
 * task/context.c's; here is only who carries it.
 *
 * Whatever runs has one current context. A task's lies in the task, so switching has nothing to
 * do with it. On a loop's own stack, and in a job, it is the thread's: a callback is entered with
 * the context of its handle, which is given back when it returns. A callback that came without
 * one and set a variable asks for a look, which gives the context back before anything else
 * runs (loop_want_look(), loop/turn.c): so callbacks that know of no context pay nothing.
 *
 *   V1  unref, release: this thread's use of the map, and of its values; pairs with V2.
 *   V2  the last unref, acquire: whoever frees it.
 */
#ifndef WEFT_LOOP_CONTEXT_H
#define WEFT_LOOP_CONTEXT_H

#include "loop/thread.h"

/* What a map begins with. */
struct context {
	atomic_int references;
	void (*free)(struct context *context);
};

/* What a task begins with, for the layers below. */
struct carrier {
	struct context *context; /* with a reference; NULL: nothing was ever set */
};

/* Either may be given NULL. */
struct context *weft__context_ref(struct context *context);
void weft__context_unref(struct context *context);

/* Calls fn in a context, whose reference is given back afterwards; on a loop's own stack. */
void weft__context_call(struct context *context, weft_callback *fn, void *arg);

/* Where that of the running task, callback or job lies. */
static inline struct context **context_place(void)
{
	struct carrier *task = weft__thread.task;

	return task ? &task->context : &weft__thread.context;
}

/* Borrowed. */
static inline struct context *context_current(void)
{
	return *context_place();
}

/* With a reference, for whatever is begun now. */
static inline struct context *context_capture(void)
{
	struct context *context = context_current();

	return unlikely(context) ? weft__context_ref(context) : NULL;
}

/* Gives back the one at `place`, which is NULL afterwards. */
static inline void context_drop(struct context **place)
{
	struct context *context = *place;

	if (unlikely(context)) {
		*place = NULL;
		weft__context_unref(context);
	}
}

#endif
