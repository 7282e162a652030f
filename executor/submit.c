/*
 * Submitting a job without waiting for it: from any thread.
 */
#include "executor/interrupt.h"
#include "executor/lane.h"

static const struct weft_submit_options defaults;

static void put(weft_executor *pool, struct lane *lane, struct kept_job *kept)
{
	if (!lane) {
		weft__queue_put(pool, &kept->job);
		return;
	}
	if (unlikely(lane->loop->is_virtual)) {
		kept->outside = weft_loop_ref(lane->loop);
		loop_expect_outside(lane->loop);
	}
	weft__lane_put(lane, &kept->job);
}

/* Queues it, from a loop or from a plain thread. It has a place. */
static int enqueue(weft_executor *pool, struct lane *lane, struct kept_job *kept)
{
	int r = 0;

	/* Relaxed: from now on somebody may run it, and give up all other references. */
	atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
	if (unlikely(kept->deadline != WEFT_FOREVER))
		weft__kept_watch(kept);
	put(pool, lane, kept);
	if (unlikely(kept->deadline != WEFT_FOREVER)) /* K1. */
		atomic_fetch_or_explicit(&kept->state, KEPT_QUEUED, memory_order_acq_rel);
	if (!lane)
		r = weft__spread(pool, 0, 1);
	if (unlikely(r < 0)) {
		if (weft__job_withdraw(pool, &kept->job))
			weft__kept_unwatch(kept);
		else
			r = 0; /* somebody else has had a thread, which has the job */
	}
	weft__kept_unref(kept);
	return r;
}

/* Undoes weft__kept_new() and weft__kept_future(); the argument stays the caller's. */
static void forget(struct kept_job *kept, weft_future *future)
{
	weft_future_unref(kept->future);
	if (future)
		weft_future_unref(future); /* and the waiter's reference */
	else
		weft__kept_unref(kept);
	weft__kept_unref(kept);
}

static int submit(weft_executor *pool, struct lane *lane, struct kept_job *kept,
		  weft_future **out)
{
	weft_future *future = NULL;
	int r;

	if (out) {
		future = weft__kept_future(kept);
		if (!future) {
			forget(kept, NULL);
			return -ENOMEM;
		}
	}
	r = weft__place_take(pool);
	if (r < 0) {
		forget(kept, future);
		return r;
	}
	r = enqueue(pool, lane, kept);
	if (r < 0) {
		forget(kept, future);
		return r;
	}
	if (!future)
		weft__kept_unref(kept);
	if (out)
		*out = future;
	return 0;
}

static void set_deadline(struct kept_job *kept, const struct lane *lane,
			 weft_time deadline)
{
	kept->deadline = deadline;
	/* On a test clock no time passes while a job is under way: now, or never. */
	if (lane && lane->loop->is_virtual)
		kept->deadline = deadline <= loop_now(lane->loop) ? 0 : WEFT_FOREVER;
}

/* What the options ask for beyond the job itself. Return: 0 or a negative errno. */
static int prepare(struct kept_job *kept, const struct lane *lane,
		   const struct weft_submit_options *options)
{
	int r = 0;

	kept->name = options->name;
	kept->is_interruptible = options->flags & WEFT_INTERRUPTIBLE;
	if (unlikely(options->deadline))
		set_deadline(kept, lane, options->deadline);
	if (kept->is_interruptible)
		r = weft__interrupt_prepare();
	if (r == 0 && (kept->is_interruptible || kept->deadline != WEFT_FOREVER))
		r = weft__keeper_start(kept->pool);
	return r;
}

static int submit_to(weft_executor *executor, weft_fn *fn, void *arg,
		     const struct weft_submit_options *options, weft_future **out,
		     const void *place)
{
	struct lane *lane = NULL;
	struct kept_job *kept;
	weft_executor *pool;
	int r;

	if (weft__thread.loop)
		r = weft__lane_get(weft__thread.loop, executor, &lane);
	else
		r = weft__pool_get(executor, false, &pool);
	if (r < 0)
		return r;
	if (lane)
		pool = lane->pool;
	kept = weft__kept_new(pool, fn, arg, options->copy_arg_bytes,
			      options->destroy_arg);
	if (kept) {
		kept->place = place;
		r = prepare(kept, lane, options);
		if (r == 0)
			r = submit(pool, lane, kept, out);
		else
			forget(kept, NULL);
	} else {
		r = -ENOMEM;
	}
	if (!lane)
		weft__pool_unref(pool);
	return r;
}

__attribute__((noinline)) int
weft_executor_submit(weft_executor *executor, weft_fn *fn, void *arg,
		     const struct weft_submit_options *options, weft_future **out)
{
	const void *place = __builtin_return_address(0);
	int r;

	(void)thread_id(); /* from now on a fork() is noticed */
	if (unlikely(weft__thread_is_stale()))
		return weft__loop_none(__func__);
	if (!options)
		options = &defaults;
	if (weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)) ||
	    (options->flags & ~(unsigned)WEFT_INTERRUPTIBLE))
		return weft_error_set(-EINVAL,
				      "weft_executor_submit(): set fields and flags "
				      "that you do not know to zero");
	do /* The shared pool may end with a runner elsewhere; then there is a new one. */
		r = submit_to(executor, fn, arg, options, out, place);
	while (unlikely(r == -ESHUTDOWN && !executor && !weft__thread.loop));
	return r;
}
