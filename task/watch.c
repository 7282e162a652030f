/*
 * Watching tasks in debug mode; watch.h has the model.
 */
#include "task/watch.h"

#include <stdio.h>
#include <string.h>

#include "base/report.h"
#include "loop/step.h"

/* The C++ runtime's, of this thread; it is there if the program has one (Itanium C++ ABI). */
struct cxa_globals {
	void *caught; /* the exception of the innermost catch */
	unsigned n_uncaught;
};

__attribute__((weak)) struct cxa_globals *__cxa_get_globals_fast(void);

static struct cxa_globals exceptions_now(void)
{
	const struct cxa_globals *now =
		__cxa_get_globals_fast ? __cxa_get_globals_fast() : NULL;

	return now ? *now : (struct cxa_globals){ 0 };
}

/* As it was before: the task may have ended, and be gone, when it is judged. */
struct stretch {
	weft_loop *loop;
	weft_task *task;
	struct cxa_globals exceptions;
	weft_time began;
	const void *place;
	char name[128];
};

static bool has_ended(const weft_task *task)
{
	return task->state == TASK_DONE || task->state == TASK_FREE;
}

/* With the task itself, unless it is gone: its name and place are in the message anyhow. */
static struct weft_report about(const struct stretch *stretch)
{
	return (struct weft_report){
		.loop = stretch->loop,
		.task = stretch->task->state == TASK_FREE ? NULL : stretch->task,
		.place = stretch->place,
	};
}

static void judge_time(const struct stretch *stretch, weft_time took)
{
	struct weft_report like = about(stretch);

	if (step_is_slow(stretch->loop, took))
		weft__report(WEFT_WARNING, &like,
			     "task \"%s\" held loop \"%s\" up for %.3f s: give long work "
			     "to an executor, or let others run by weft_yield()",
			     stretch->name, stretch->loop->name,
			     (double)took / (double)WEFT_SEC);
}

/* Did it come into a catch, or begin to unwind, and wait there? */
static void judge_exceptions(const struct stretch *stretch)
{
	struct cxa_globals now = exceptions_now();
	struct weft_report like = about(stretch);
	bool is_in_catch = now.caught && now.caught != stretch->exceptions.caught;

	if (has_ended(stretch->task) ||
	    (!is_in_catch && now.n_uncaught <= stretch->exceptions.n_uncaught))
		return;
	weft__report(
		WEFT_WARNING, &like,
		"task \"%s\" waits %s, where other tasks' exceptions get mixed up with "
		"it: leave that first, then wait",
		stretch->name,
		is_in_catch ? "inside a catch" : "while an exception is on its way");
}

/* The block of a task that has ended is as it was until another one begins there. */
static void judge_cancellation(const struct stretch *stretch)
{
	const weft_task *task = stretch->task;
	struct weft_report like = about(stretch);

	if (!has_ended(task) || task->result < 0 || !task->told_at ||
	    task->cancel_pending || task->cancelling <= 0)
		return;
	weft__report(WEFT_WARNING, &like,
		     "task \"%s\" was told of its cancellation and ended with %d all the "
		     "same: hand -ECANCELED on, or take the request back with "
		     "weft_task_uncancel()",
		     stretch->name, task->result);
}

void weft__watch_stretch(weft_task *task, void (*resume)(weft_task *task))
{
	weft_loop *loop = task->loop;
	struct stretch stretch = {
		.loop = loop,
		.task = task,
		.exceptions = exceptions_now(),
		.began = weft__clock(),
		.place = task->place,
	};
	/* Relaxed, here and below: see the field. */
	uint64_t look_at = atomic_load_explicit(&loop->look_at, memory_order_relaxed);
	weft_time took;

	weft__task_describe(task, stretch.name, sizeof(stretch.name));
	loop_want_look(
		loop); /* so that the task comes back to us, and not to the next one */
	resume(task);
	took = weft__clock() - stretch.began;
	/* If the control thread asked for a look meanwhile, that was a slow one. */
	if (took < WEFT_MSEC)
		atomic_store_explicit(&loop->look_at, look_at, memory_order_relaxed);
	judge_time(&stretch, took);
	judge_exceptions(&stretch);
	judge_cancellation(&stretch);
}
