/*
 * Submitting a job without waiting for it: from any thread.
 */
#include "executor/lane.h"

static const struct weft_submit_options defaults;

/* Queues it from a loop, or from a plain thread. */
static int enqueue(weft_executor *pool, struct lane *lane, struct kept_job *kept)
{
	int r;

	if (lane) {
		if (unlikely(lane->loop->is_virtual)) {
			kept->outside = weft_loop_ref(lane->loop);
			loop_expect_outside(lane->loop);
		}
		weft__lane_put(lane, &kept->job);
		return 0;
	}
	/* Relaxed: ours as long as it is queued, and somebody may run and free it at once. */
	atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
	weft__queue_put(pool, &kept->job);
	r = weft__spread(pool, 1);
	if (r < 0 && !weft__job_withdraw(pool, &kept->job))
		r = 0; /* somebody else has had a thread, which has the job */
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
	if (!future)
		weft__kept_unref(kept); /* nobody waits */
	r = enqueue(pool, lane, kept);
	if (r < 0) {
		if (!future) /* Relaxed: it is the caller's alone again. */
			atomic_fetch_add_explicit(&kept->references, 1,
						  memory_order_relaxed);
		forget(kept, future);
		return r;
	}
	if (out)
		*out = future;
	return 0;
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
		kept->name = options->name;
		kept->place = place;
		r = submit(pool, lane, kept, out);
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
	if (weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)))
		return weft_error_set(-EINVAL, "weft_executor_submit(): set the reserved "
					       "options to zero");
	do /* The shared pool may end with a runner elsewhere; then there is a new one. */
		r = submit_to(executor, fn, arg, options, out, place);
	while (unlikely(r == -ESHUTDOWN && !executor && !weft__thread.loop));
	return r;
}
