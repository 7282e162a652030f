/*
 * Waiting for time. Loop thread.
 */
#include "task/task.h"

struct nap {
	struct park park;
	struct handle timer;
};

static void wake_up(void *arg)
{
	struct nap *nap = arg;

	weft__unpark(&nap->park, 0);
}

static enum cancel_answer stop_timer(struct park *park)
{
	struct nap *nap = container_of(park, struct nap, park);

	loop_remove_timer(&nap->timer);
	return CANCEL_ENDS;
}

static int sleep_until(weft_task *me, weft_time deadline)
{
	struct nap nap = { .park = { .what = "sleep", .cancel = stop_timer } };
	int r = weft__cancel_point(me);

	if (r < 0)
		return r;
	set_timeouts(
		me); /* first: of a limit and a sleep that end together, the limit counts */
	handle_init(&nap.timer, HANDLE_DIRECT, wake_up, &nap);
	loop_add_timer(me->loop, &nap.timer, deadline);
	return weft__park(&nap.park);
}

int weft_sleep_until(weft_time deadline)
{
	weft_task *me = task_current();

	return me ? sleep_until(me, deadline) : weft__task_none(__func__);
}

int weft_sleep(weft_time delay_ns)
{
	weft_task *me = task_current();

	if (!me)
		return weft__task_none(__func__);
	if (delay_ns <= 0)
		return weft_yield();
	return sleep_until(me, weft__time_add(loop_now(me->loop), delay_ns));
}
