/*
 * Timing steps; step.h has the model.
 */
#include "loop/step.h"

#include "base/place.h"
#include "base/report.h"

#define DEFAULT_SLOW (100 * WEFT_MSEC)

/* Set to something else than nothing or 0. */
static bool environment_asks(void)
{
	const char *value = getenv("WEFT_DEBUG");

	return value && value[0] && !(value[0] == '0' && !value[1]);
}

void weft__step_init(weft_loop *loop, const struct weft_loop_options *options)
{
	loop->is_debug = options->debug || environment_asks();
	loop->slow_step_ns = options->slow_step_ns ? options->slow_step_ns : DEFAULT_SLOW;
}

/* A callback that began then has ended: if it was slow it is told to be `name_of`. */
static void step_ended(weft_loop *loop, weft_time began, const void *name_of)
{
	weft_time took = weft__clock() - began;
	struct weft_report like = { .loop = loop };
	char name[128];

	if (!step_is_slow(loop, took))
		return;
	weft__symbol_name(name_of, name, sizeof(name));
	weft__report(WEFT_WARNING, &like,
		     "callback %s() held loop \"%s\" up for %.3f s: give long work to an "
		     "executor, or do it in parts",
		     name, loop->name, (double)took / (double)WEFT_SEC);
}

/* What a user would call it. */
static const void *name_of_handle(const struct handle *handle)
{
	const void *of_watcher = weft__watcher_callback(handle);

	return of_watcher ? of_watcher : (const void *)(uintptr_t)handle->fn;
}

/* NULL: not to be timed here; tasks are timed one by one. */
static const void *name_of_slot(const struct ready_slot *slot)
{
	weft_callback *resume = weft__loop_hooks() ? weft__loop_hooks()->resume : NULL;
	const struct handle *handle = slot->arg;

	if (slot->fn != weft__ready_run_handle)
		return slot->fn == resume ? NULL : (const void *)(uintptr_t)slot->fn;
	return handle->fn == resume ? NULL : name_of_handle(handle);
}

void weft__step_call_slot(weft_loop *loop, const struct ready_slot *slot)
{
	const void *name_of = name_of_slot(slot); /* the call may free the handle */
	weft_time began = weft__clock();

	slot->fn(slot->arg);
	if (name_of)
		step_ended(loop, began, name_of);
}

void weft__step_call_post(weft_loop *loop, struct context *context, weft_callback *fn,
			  void *arg)
{
	weft_time began = weft__clock();

	if (context)
		weft__context_call(context, fn, arg);
	else
		fn(arg);
	step_ended(loop, began, (const void *)(uintptr_t)fn);
}

void weft__step_report_dropped(weft_loop *loop, const struct handle *handle,
			       weft_callback *fn)
{
	struct weft_report like = { .loop = loop };
	char name[128];

	if (!loop->is_debug || fn == weft__ready_nothing ||
	    (fn && weft__loop_hooks() && fn == weft__loop_hooks()->resume) ||
	    (handle && handle->kind == HANDLE_DIRECT))
		return;
	weft__symbol_name(handle ? name_of_handle(handle) : (const void *)(uintptr_t)fn,
			  name, sizeof(name));
	weft__report(WEFT_NOTE, &like,
		     "loop \"%s\" was closed before it called %s(), which was scheduled",
		     loop->name, name);
}
