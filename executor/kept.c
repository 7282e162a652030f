/*
 * Kept jobs: those that can outlive whoever asked for them; job.h has the model.
 *
 * What can happen to one, and who tells the waiter:
 *
 *   it ends                              the worker
 *   it is dropped from its queue         whoever took it out
 *   its deadline passes while queued     the keeper, which leaves the rest to a worker
 *   it runs and is abandoned             whoever gave it up; the worker only cleans up
 */
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "base/report.h"
#include "executor/interrupt.h"
#include "executor/pool.h"

/* ---- Memory ---- */

struct kept_job *weft__kept_new(weft_executor *pool, weft_fn *fn, void *arg,
				size_t copy_bytes, weft_destroy *destroy)
{
	struct kept_job *kept = weft__alloc(sizeof(*kept));

	if (!kept)
		return NULL;
	*kept = (struct kept_job){
		.job = { .fn = fn,
			 .arg = arg,
			 .is_kept = true,
			 .context = context_capture() },
		.pool = pool,
		.destroy = destroy,
		.owns_arg = destroy || copy_bytes,
		.deadline = WEFT_FOREVER,
	};
	if (copy_bytes) {
		kept->copy = weft__alloc(copy_bytes);
		if (!kept->copy) {
			weft__context_unref(kept->job.context);
			free(kept);
			return NULL;
		}
		kept->job.arg = memcpy(kept->copy, arg, copy_bytes);
	}
	atomic_init(&kept->references, 2);
	list_init(&kept->running_link);
	list_init(&kept->timed_link);
	weft__pool_ref(pool);
	return kept;
}

void weft__kept_unref(struct kept_job *kept)
{
	/* K2: releases this side's use of the job to whoever frees it, and acquires theirs. */
	if (atomic_fetch_sub_explicit(&kept->references, 1, memory_order_acq_rel) > 1)
		return;
	weft__context_unref(kept->job.context);
	weft__pool_unref(kept->pool);
	free(kept->copy);
	free(kept);
}

/* ---- Their end ---- */

/* An interruptible job is asked to end instead. */
static bool can_be_abandoned(const struct kept_job *kept)
{
	return kept->owns_arg && !kept->is_interruptible;
}

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

/* Nobody waits for it by a message: tells the future, if there is one. */
static void settle(struct kept_job *kept)
{
	struct job *job = &kept->job;

	bool is_told = kept->future &&
		       weft__future_settle(kept->future, job->result, kept->value,
					   kept->destroy_value, job->error);

	if (!is_told) { /* there is none, or its deadline has passed before */
		if (!kept->future && job->result < 0 && job->result != -ECANCELED)
			report_failure(kept);
		weft_error_unref(job->error);
		destroy_value(kept);
	}
	weft_future_unref(kept->future);
	tell_outside(kept);
}

/* Tells whoever waits, and gives the pool's reference back. */
static void conclude(struct kept_job *kept)
{
	weft__kept_unwatch(kept);
	if (kept->has_waiter) {
		destroy_value(kept);
		weft__job_deliver(&kept->job);
	} else {
		settle(kept);
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

/* ---- Running ---- */

static bool is_listed(const struct kept_job *kept)
{
	return kept->owns_arg || kept->is_interruptible;
}

/* Somebody is to be asked to end, again and again. */
static void want_interrupts(weft_executor *pool)
{
	/* Relaxed: the wish for a tick orders it. */
	atomic_store_explicit(&pool->interrupts, true, memory_order_relaxed);
	weft__control_want_tick(&pool->keeper);
}

static void begin_running(struct kept_job *kept)
{
	weft_executor *pool = kept->pool;
	bool is_late;

	weft__kept_unwatch(kept);
	if (!is_listed(kept))
		return;
	if (kept->is_interruptible)
		weft__interrupt_allow();
	pthread_mutex_lock(&pool->lock);
	kept->tid = kept->is_interruptible ? gettid() : 0;
	list_push_back(&pool->running, &kept->running_link);
	/* K1: a request between its start and this found nothing to interrupt. */
	is_late =
		kept->is_interruptible &&
		atomic_load_explicit(&kept->state, memory_order_acquire) & KEPT_CANCELLED;
	kept->is_interrupted |= is_late;
	pthread_mutex_unlock(&pool->lock);
	if (is_late)
		want_interrupts(pool);
}

static void end_running(struct kept_job *kept)
{
	weft_executor *pool = kept->pool;

	if (!is_listed(kept))
		return;
	pthread_mutex_lock(&pool->lock);
	list_unlink(&kept->running_link);
	pthread_mutex_unlock(&pool->lock);
	if (kept->is_interruptible) /* from now on nobody sends another one */
		weft__interrupt_forbid(kept->is_interrupted);
}

/* What the keeper has left to do of a job whose time was over. */
static void bury(struct kept_job *kept)
{
	destroy_arg(kept);
	weft_future_unref(kept->future);
	if (!kept->future)
		report_failure(kept);
	tell_outside(kept);
	weft__kept_unref(kept);
}

bool weft__kept_begin(struct kept_job *kept)
{
	/* K1. */
	unsigned before = atomic_fetch_or_explicit(&kept->state, KEPT_STARTED,
						   memory_order_acq_rel);

	before &= KEPT_CANCELLED | KEPT_EXPIRED;
	if (likely(!before &&
		   (kept->deadline == WEFT_FOREVER || kept->deadline > weft__clock()))) {
		begin_running(kept);
		return true;
	}
	if (before & KEPT_EXPIRED)
		bury(kept);
	else
		weft__kept_drop(kept, before ? -ECANCELED : -ETIMEDOUT, NULL);
	return false;
}

void weft__kept_end(struct kept_job *kept)
{
	unsigned before;

	end_running(kept);
	destroy_arg(kept);
	/* K1. */
	before = atomic_fetch_or_explicit(&kept->state, KEPT_ENDED, memory_order_acq_rel);
	if (likely(!(before & KEPT_CANCELLED) || !can_be_abandoned(kept))) {
		conclude(kept);
		return;
	}
	weft_error_unref(kept->job.error);
	destroy_value(kept);
	weft__thread_found(weft__worker_current());
	weft__kept_unref(kept);
}

/* ---- Giving up ---- */

/* It runs on, and nobody waits for it any more. */
static void abandon(struct kept_job *kept)
{
	weft__thread_lost(kept->pool);
	if (kept->has_waiter)
		return;
	if (kept->future) {
		weft__future_settle(kept->future, -ECANCELED, NULL, NULL, NULL);
		weft_future_unref(kept->future);
	}
	tell_outside(kept);
}

/* It is asked to end until it does. */
static void interrupt(struct kept_job *kept)
{
	weft_executor *pool = kept->pool;
	bool runs;

	pthread_mutex_lock(&pool->lock);
	runs = list_is_linked(&kept->running_link);
	if (runs) {
		kept->is_interrupted = true;
		weft__interrupt_send(kept->tid);
	}
	pthread_mutex_unlock(&pool->lock);
	if (runs)
		want_interrupts(pool);
}

/* Return: true if it is abandoned. */
static bool give_up(struct kept_job *kept)
{
	/* K1. */
	unsigned before = atomic_fetch_or_explicit(&kept->state, KEPT_CANCELLED,
						   memory_order_acq_rel);

	if (before & KEPT_ENDED)
		return false;
	if (kept->is_interruptible)
		interrupt(kept);
	/* Not begun: it never will. Given up before: whoever did that tells the waiter. */
	if ((before & (KEPT_STARTED | KEPT_CANCELLED)) != KEPT_STARTED ||
	    !can_be_abandoned(kept))
		return false;
	abandon(kept);
	return true;
}

bool weft__kept_cancel(struct kept_job *kept)
{
	if (!weft__job_withdraw(kept->pool, &kept->job))
		return give_up(kept);
	if (kept->has_waiter) {
		destroy_arg(kept);
		weft__kept_unref(kept); /* the pool's; the waiter has another */
	} else {
		weft__kept_drop(kept, -ECANCELED, NULL);
	}
	return true;
}

void weft__kept_shut(struct kept_job *kept)
{
	if (!give_up(kept) || !kept->has_waiter)
		return;
	kept->was_abandoned = true;
	weft__job_deliver(&kept->job);
}

bool weft__kept_interrupt(weft_executor *pool)
{
	bool any = false;

	pthread_mutex_lock(&pool->lock);
	list_for_each (link, &pool->running) {
		struct kept_job *kept = list_entry(link, struct kept_job, running_link);

		if (!kept->is_interrupted)
			continue;
		weft__interrupt_send(kept->tid);
		any = true;
	}
	/* Relaxed: see interrupt(), whose wish for a tick is still to come. */
	atomic_store_explicit(&pool->interrupts, any, memory_order_relaxed);
	pthread_mutex_unlock(&pool->lock);
	return any;
}

/* ---- Deadlines ---- */

void weft__kept_watch(struct kept_job *kept)
{
	weft_executor *pool = kept->pool;
	struct list *before;

	pthread_mutex_lock(&pool->lock);
	for (before = pool->timed.prev; before != &pool->timed; before = before->prev) {
		if (list_entry(before, struct kept_job, timed_link)->deadline <=
		    kept->deadline)
			break;
	}
	list_insert_between(&kept->timed_link, before, before->next);
	pthread_mutex_unlock(&pool->lock);
	if (before == &pool->timed)
		weft__control_want_tick(&pool->keeper);
}

void weft__kept_unwatch(struct kept_job *kept)
{
	weft_executor *pool = kept->pool;

	if (likely(kept->deadline == WEFT_FOREVER))
		return;
	pthread_mutex_lock(&pool->lock);
	list_unlink(&kept->timed_link);
	pthread_mutex_unlock(&pool->lock);
}

/* The first one whose time is over, with a reference; NULL, and when to look again. */
static struct kept_job *pop_timed(weft_executor *pool, weft_time now, weft_time *next)
{
	struct kept_job *kept = NULL;

	pthread_mutex_lock(&pool->lock);
	*next = WEFT_FOREVER;
	if (!list_is_empty(&pool->timed)) {
		kept = list_entry(pool->timed.next, struct kept_job, timed_link);
		*next = kept->deadline;
		/* K1: one that is just being queued cannot be found there yet. */
		if (*next <= now &&
		    !(atomic_load_explicit(&kept->state, memory_order_acquire) &
		      KEPT_QUEUED))
			*next = now + WEFT_MSEC;
		if (*next > now)
			kept = NULL;
	}
	if (kept) {
		list_unlink(&kept->timed_link);
		/* Relaxed: it is listed, so the pool's reference is there. */
		atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&pool->lock);
	return kept;
}

/*
 * Tells the future, and queues the job again, for a worker to destroy its argument: here nobody's
 * code is run. It gets a place in the queue before it loses the one that it had, so that the pool
 * does not end in between.
 */
static void expire(weft_executor *pool, struct kept_job *kept)
{
	weft__place_force(pool);
	if (!weft__job_withdraw(pool, &kept->job)) {
		weft__place_give(pool, 1, 0);
		return;
	}
	kept->job.result = -ETIMEDOUT;
	if (kept->future)
		weft__future_settle(kept->future, -ETIMEDOUT, NULL, NULL, NULL);
	/* K1. */
	atomic_fetch_or_explicit(&kept->state, KEPT_EXPIRED, memory_order_acq_rel);
	weft__queue_put(pool, &kept->job);
	(void)weft__spread(pool, 0, 1); /* a job was queued, so there is a thread */
}

weft_time weft__kept_expire(weft_executor *pool, weft_time now)
{
	weft_time next;

	for (struct kept_job *kept = pop_timed(pool, now, &next); kept;
	     kept = pop_timed(pool, now, &next)) {
		expire(pool, kept);
		weft__kept_unref(kept);
	}
	return next;
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
