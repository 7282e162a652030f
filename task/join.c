/*
 * Waiting for the end of a task, which its owner does. Loop thread.
 *
 * A request to cancel the joiner is passed on to the task, and the wait goes on: it ends
 * when the task has. If the task ended with another result, it has not taken the request,
 * which the joiner's next wait then delivers.
 */
#include "task/cycle.h"
#include "task/future.h"
#include "task/task.h"

struct join {
	struct park park;
	bool passed; /* a request was passed on to the task */
};

static enum cancel_answer pass_to_task(struct park *park)
{
	struct join *join = container_of(park, struct join, park);

	join->passed = true;
	(void)weft_task_cancel(park->awaited, NULL);
	return CANCEL_PASSED;
}

static int await_end(weft_task *me, weft_task *task)
{
	struct join join = {
		.park = { .what = "join", .cancel = pass_to_task, .awaited = task },
	};
	unsigned told_before = me->n_told;
	char name[128];
	int r = cycle_check_task(&join.park);

	if (r < 0)
		return r;
	weft_assert(!task->joiner,
		    "task \"%s\" is joined twice: only its owner joins a task, others "
		    "await weft_task_future()",
		    weft__task_describe(task, name, sizeof(name)));
	/* A request that is pending already goes to the task, as one that comes while we
	 * wait. */
	if (weft__deliver(me)) {
		join.passed = true;
		(void)weft_task_cancel(task, NULL);
	}
	task->joiner = &join.park;
	(void)weft__park(&join.park);
	task->joiner = NULL;
	if (join.passed && task->result == -ECANCELED)
		(void)weft__deliver(me); /* with what was asked for since */
	else if (join.passed) /* it finished all the same: the request is still to come */
		weft__put_back(me, told_before);
	return 0;
}

int weft_task_join(weft_task *task)
{
	weft_task *me = task_current();
	int r;

	if (!me)
		return weft__task_none(__func__);
	if (!loop_is_mine(task->loop))
		return weft__loop_refuse(task->loop, __func__);
	if (task->state != TASK_DONE) {
		r = await_end(me, task);
		if (r < 0) {
			weft__task_unref(task);
			return r;
		}
	}
	r = task->result;
	task->was_seen = true;
	if (task->future)
		weft__future_seen(task->future);
	if (r < 0 && task->error && task->error->code == r) {
		weft__error_give(task->error);
		task->error = NULL;
	}
	weft__task_unref(task);
	return r;
}

void weft_task_detach(weft_task *task)
{
	if (task && loop_check(task->loop, __func__) == 0)
		weft__task_unref(task);
}

weft_future *weft_task_future(weft_task *task)
{
	if (!task || loop_check(task->loop, __func__) < 0)
		return NULL;
	if (!task->future)
		task->future = weft__future_of_task(task);
	return task->future;
}
