/*
 * Running a function on a pool thread, and waiting for it: in a task, on its loop.
 *
 * Of a plain job everything lies on the caller's stack. The caller stays until the job came back
 * or was taken out of its queue, so nobody touches the stack frame afterwards.
 */
#include "executor/lane.h"

struct run {
	struct park park;
	struct lane *lane;
	struct job *job;
};

/* The job is under way; it comes back by a message, or is taken back. */
static void expect(struct run *run)
{
	run->lane->n_in_flight++;
	loop_expect_outside(run->lane->loop);
}

static void came(struct run *run)
{
	run->lane->n_in_flight--;
	loop_outside_came(run->lane->loop);
}

static void on_done(void *arg)
{
	struct run *run = arg;

	came(run);
	weft__unpark(&run->park, 0);
}

/* The caller receives the outcome, and the details of this failure, not of an older one. */
static int receive(const struct job *job)
{
	if (unlikely(job->result < 0)) {
		weft__error_forget();
		weft__error_give(job->error);
	}
	return job->result;
}

/* What every call begins with: a lane, and a place in its pool's queue. */
static int enter(weft_executor *executor, weft_task *me, struct lane **out)
{
	struct lane *lane;
	int r = weft__lane_get(me->loop, executor, &lane);

	if (r < 0)
		return r;
	r = weft__place_take(lane->pool);
	if (r < 0)
		return r;
	r = weft__cancel_point(me);
	if (unlikely(r < 0)) {
		weft__place_give(lane->pool, 1, 0);
		return r;
	}
	*out = lane;
	return 0;
}

/* Queues the job, waits for its message. Return: 0, or -ECANCELED if it was taken back. */
static int submit_and_wait(struct run *run)
{
	handle_init(&run->job->done, HANDLE_DIRECT, on_done, run);
	run->job->done.loop = run->lane->loop;
	expect(run);
	weft__lane_put(run->lane, run->job);
	return weft__park(&run->park);
}

/* ---- An argument that is borrowed ---- */

static enum cancel_answer withdraw(struct park *park)
{
	struct run *run = container_of(park, struct run, park);

	if (!weft__job_withdraw(run->lane->pool, run->job))
		return CANCEL_LATER; /* it runs, and may use our stack */
	came(run);
	return CANCEL_ENDS;
}

int weft_run_in_executor(weft_executor *executor, weft_fn *fn, void *arg)
{
	weft_task *me = task_current();
	/* The context is ours, and stays so while we wait. */
	alignas(CACHE_LINE) struct job job = { .fn = fn,
					       .arg = arg,
					       .context = context_current() };
	struct run run = { .park = { .what = "executor", .cancel = withdraw },
			   .job = &job };
	int r;

	if (!me)
		return weft__task_none(__func__);
	r = enter(executor, me, &run.lane);
	if (r < 0)
		return r;
	r = submit_and_wait(&run);
	if (r < 0)
		return r;
	return receive(&job);
}

/* ---- An argument that the job owns ---- */

static enum cancel_answer give_up(struct park *park)
{
	struct run *run = container_of(park, struct run, park);

	if (!weft__kept_cancel(kept_of(run->job)))
		return CANCEL_LATER; /* it has ended, and its message is on the way */
	came(run);
	return CANCEL_ENDS;
}

static int receive_kept(weft_task *me, const struct kept_job *kept)
{
	/* K1. */
	unsigned state = atomic_load_explicit(&kept->state, memory_order_acquire);
	int r = receive(&kept->job);

	/* Given up in the moment of its start: then our request has had its effect. */
	if (r == -ECANCELED && !(state & KEPT_ENDED))
		(void)weft__deliver(me);
	return r;
}

static int run_owned(weft_task *me, struct lane *lane, struct kept_job *kept)
{
	struct run run = {
		.park = { .what = "executor", .cancel = give_up },
		.lane = lane,
		.job = &kept->job,
	};
	int r;

	kept->has_waiter = true;
	kept->owns_arg = true;
	r = submit_and_wait(&run);
	if (r == 0 && kept->was_abandoned)
		r = weft_error_set(
			-ESHUTDOWN,
			"executor \"%s\" was closed while the job ran, and has "
			"abandoned it",
			lane->pool->name);
	else if (r == 0)
		r = receive_kept(me, kept);
	weft__kept_unref(kept);
	return r;
}

int weft_run_in_executor_owned(weft_executor *executor, weft_fn *fn, void *arg,
			       weft_destroy *destroy)
{
	weft_task *me = task_current();
	struct kept_job *kept;
	struct lane *lane;
	int r;

	if (!me) {
		r = weft__task_none(__func__);
		goto destroy_arg;
	}
	r = enter(executor, me, &lane);
	if (r < 0)
		goto destroy_arg;
	kept = weft__kept_new(lane->pool, fn, arg, 0, destroy);
	if (!kept) {
		weft__place_give(lane->pool, 1, 0);
		r = -ENOMEM;
		goto destroy_arg;
	}
	return run_owned(me, lane, kept);
destroy_arg:
	if (destroy)
		destroy(arg);
	return r;
}
