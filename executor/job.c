/*
 * The life of a job, apart from its function: delivering, dropping, and the kept ones; job.h has
 * the model.
 */
#include "executor/job.h"

#include <string.h>

#include "base/place.h"
#include "base/report.h"
#include "executor/pool.h"

/* ---- Any job ---- */

void weft__job_deliver(struct job *job)
{
	/* A closed loop had abandoned the task, whose stack is kept: nobody misses it. */
	if (weft__loop_post(job->done.loop, &job->done) < 0)
		weft__error_forget();
}

void weft__job_drop(struct job *job, int code, const struct weft_error *error)
{
	if (job->is_kept) {
		weft__kept_drop(kept_of(job), code, error);
		return;
	}
	job->result = code;
	job->error = error;
	weft__job_deliver(job);
}

/* ---- Kept jobs: memory ---- */

struct kept_job *weft__kept_new(weft_executor *pool, weft_fn *fn, void *arg,
				size_t copy_bytes, weft_destroy *destroy)
{
	struct kept_job *kept = weft__alloc(sizeof(*kept));

	if (!kept)
		return NULL;
	*kept = (struct kept_job){
		.job = { .fn = fn, .arg = arg, .is_kept = true },
		.pool = pool,
		.destroy = destroy,
		.owns_arg = destroy || copy_bytes,
	};
	if (copy_bytes) {
		kept->copy = weft__alloc(copy_bytes);
		if (!kept->copy) {
			free(kept);
			return NULL;
		}
		kept->job.arg = memcpy(kept->copy, arg, copy_bytes);
	}
	atomic_init(&kept->references, 2);
	list_init(&kept->running_link);
	weft__pool_ref(pool);
	return kept;
}

void weft__kept_unref(struct kept_job *kept)
{
	/* K2: releases this side's use of the job to whoever frees it, and acquires theirs. */
	if (atomic_fetch_sub_explicit(&kept->references, 1, memory_order_acq_rel) > 1)
		return;
	weft__pool_unref(kept->pool);
	free(kept->copy);
	free(kept);
}

/* ---- Their end ---- */

static void destroy_value(struct kept_job *kept)
{
	if (kept->value && kept->destroy_value)
		kept->destroy_value(kept->value);
	kept->value = NULL;
}

static void destroy_arg(struct kept_job *kept)
{
	if (kept->destroy)
		kept->destroy(kept->job.arg);
}

static void on_came(void *arg)
{
	struct kept_job *kept = arg;

	loop_outside_came(kept->outside);
	weft_loop_unref(kept->outside);
	weft__kept_unref(kept);
}

/* A test clock may go on. */
static void tell_outside(struct kept_job *kept)
{
	if (likely(!kept->outside))
		return;
	/* Relaxed: the caller holds a reference. */
	atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
	handle_init(&kept->job.done, HANDLE_DIRECT, on_came, kept);
	if (weft__loop_post(kept->outside, &kept->job.done) < 0) {
		weft__error_forget();
		weft_loop_unref(kept->outside); /* closed: its clock has stopped */
		weft__kept_unref(kept);
	}
}

static void report_failure(const struct kept_job *kept)
{
	const struct job *job = &kept->job;
	struct weft_report like = {
		.error = job->error ? job->error : weft_error_of(job->result),
		.place = kept->place,
	};
	char symbol[128];

	if (!kept->name)
		weft__symbol_name((const void *)(uintptr_t)job->fn, symbol,
				  sizeof(symbol));
	weft__report(WEFT_FAILURE, &like,
		     "job \"%s\" failed and nobody was waiting for it",
		     kept->name ? kept->name : symbol);
}

/* Tells whoever waits, and gives the pool's reference back. */
static void conclude(struct kept_job *kept)
{
	struct job *job = &kept->job;

	if (kept->has_waiter) {
		destroy_value(kept);
		weft__job_deliver(job);
	} else if (kept->future) {
		weft__future_settle(kept->future, job->result, kept->value,
				    kept->destroy_value, job->error);
		weft_future_unref(kept->future);
		tell_outside(kept);
	} else {
		if (job->result < 0 && job->result != -ECANCELED)
			report_failure(kept);
		weft_error_unref(job->error);
		destroy_value(kept);
		tell_outside(kept);
	}
	weft__kept_unref(kept);
}

void weft__kept_drop(struct kept_job *kept, int code, const struct weft_error *error)
{
	destroy_arg(kept);
	kept->job.result = code;
	kept->job.error = error;
	conclude(kept);
}

/* ---- Running and giving up ---- */

static void list_running(struct kept_job *kept, bool begins)
{
	weft_executor *pool = kept->pool;

	pthread_mutex_lock(&pool->lock);
	if (begins)
		list_push_back(&pool->running, &kept->running_link);
	else
		list_unlink(&kept->running_link);
	pthread_mutex_unlock(&pool->lock);
}

bool weft__kept_begin(struct kept_job *kept)
{
	/* K1. */
	if (atomic_fetch_or_explicit(&kept->state, KEPT_STARTED, memory_order_acq_rel) &
	    KEPT_CANCELLED) {
		weft__kept_drop(kept, -ECANCELED, NULL);
		return false;
	}
	if (kept->owns_arg)
		list_running(kept, true);
	return true;
}

void weft__kept_end(struct kept_job *kept)
{
	unsigned before;

	if (kept->owns_arg)
		list_running(kept, false);
	destroy_arg(kept);
	/* K1. */
	before = atomic_fetch_or_explicit(&kept->state, KEPT_ENDED, memory_order_acq_rel);
	if (likely(!(before & KEPT_CANCELLED) || !kept->owns_arg)) {
		conclude(kept);
		return;
	}
	weft_error_unref(kept->job.error);
	destroy_value(kept);
	weft__thread_found(weft__worker_current());
	weft__kept_unref(kept);
}

/* It runs on, and nobody waits for it any more. */
static void abandon(struct kept_job *kept)
{
	weft__thread_lost(kept->pool);
	if (kept->future) {
		weft__future_settle(kept->future, -ECANCELED, NULL, NULL, NULL);
		weft_future_unref(kept->future);
	}
	if (!kept->has_waiter)
		tell_outside(kept);
}

bool weft__kept_cancel(struct kept_job *kept)
{
	unsigned before;

	if (weft__job_withdraw(kept->pool, &kept->job)) {
		if (!kept->has_waiter) {
			weft__kept_drop(kept, -ECANCELED, NULL);
		} else {
			destroy_arg(kept);
			weft__kept_unref(kept); /* the pool's; the waiter has another */
		}
		return true;
	}
	/* K1. */
	before = atomic_fetch_or_explicit(&kept->state, KEPT_CANCELLED,
					  memory_order_acq_rel);
	if (before != KEPT_STARTED || !kept->owns_arg)
		return false; /* it ends soon, or cannot be cut short */
	abandon(kept);
	return true;
}

/* ---- Their futures ---- */

static void cancel_future(weft_future *future)
{
	(void)weft__kept_cancel(future->owner);
}

static void release_future(weft_future *future)
{
	weft__kept_unref(future->owner);
}

weft_future *weft__kept_future(struct kept_job *kept)
{
	static const struct future_work work = { .cancel = cancel_future,
						 .release = release_future };
	weft_future *future = weft__future_new_work(&work, kept, kept->place);

	if (!future)
		return NULL;
	kept->future = weft_future_ref(future);
	return future;
}
