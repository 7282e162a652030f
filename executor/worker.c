/*
 * What a thread of a pool does: finds a job, runs it, sends back what came of it.
 *
 * A worker is ready while it looks for a job. Before it begins one it leaves that count and sees
 * to it that somebody else looks after the jobs that wait. Worker thread.
 */
#include <limits.h>
#include <stdio.h>

#include "executor/lane.h"

static _Thread_local struct worker *current;

struct worker *weft__worker_current(void)
{
	return current;
}

/* ---- Finding ---- */

static bool claim_in_queue(weft_executor *pool, struct claim *claim)
{
	*claim = (struct claim){ .job = weft__queue_claim(pool) };
	return claim->job;
}

/* Each source in turn, beginning where the last job did not come from. */
static bool find(struct worker *worker, struct claim *claim)
{
	weft_executor *pool = worker->pool;
	/* Acquire: L3. */
	unsigned n_lanes =
		(unsigned)atomic_load_explicit(&pool->n_lanes, memory_order_acquire);
	bool streaks = atomic_load_explicit(&pool->has_keeper, memory_order_acquire);
	unsigned source = worker->next_source;

	for (unsigned i = 0; i <= n_lanes; i++, source++) {
		if (source > n_lanes)
			source = 0;
		worker->next_source = source + 1;
		if (source == n_lanes) {
			if (claim_in_queue(pool, claim))
				return true;
			/* The lane pointer is relaxed: ordered by n_lanes. */
		} else if (weft__lane_claim(atomic_load_explicit(&pool->lanes[source],
								 memory_order_relaxed),
					    streaks, claim)) {
			return true;
		}
	}
	/* Relaxed: the last look before sleeping is seq_cst. */
	if (likely(!atomic_load_explicit(&pool->n_stuck, memory_order_relaxed)))
		return false;
	*claim = (struct claim){ .job = weft__streak_steal(pool) };
	return claim->job;
}

/* ---- Running ---- */

/* weft_return() in a job. */
static int set_value(void *value, weft_destroy *destroy)
{
	struct worker *worker = current;
	struct job *job = worker->job;
	void **place = &worker->value;
	weft_destroy **place_destroy = &worker->destroy_value;

	if (!job)
		return weft__task_none("weft_return"); /* in a destructor */
	if (job->is_kept) {
		place = &kept_of(job)->value;
		place_destroy = &kept_of(job)->destroy_value;
	}
	if (*place && *place_destroy)
		(*place_destroy)(*place);
	*place = value;
	*place_destroy = destroy;
	return 0;
}

/* A plain job has no future that could hold a value. */
static void drop_value(struct worker *worker)
{
	void *value = worker->value;

	worker->value = NULL;
	if (value && worker->destroy_value)
		worker->destroy_value(value);
}

static void show(struct worker *worker, weft_fn *fn, const char *name)
{
	atomic_store_explicit(&worker->name, name, memory_order_relaxed);
	atomic_store_explicit(&worker->fn, fn, memory_order_relaxed);
}

static void call(struct worker *worker, struct job *job)
{
	worker->job = job;
	weft__thread.context = weft__context_ref(job->context);
	weft__thread.in_job = true;
	job->result = job->fn(job->arg);
	weft__thread.in_job = false;
	context_drop(&weft__thread.context);
	worker->job = NULL;
	job->error = unlikely(job->result < 0) ? weft__error_take(job->result) : NULL;
	weft__error_forget(); /* what the job was told is nothing to the next one */
}

struct job *weft__worker_run(struct worker *worker, struct job *job)
{
	if (likely(!job->is_kept)) {
		show(worker, job->fn, NULL);
		call(worker, job);
		show(worker, NULL, NULL);
		if (unlikely(worker->value))
			drop_value(worker);
		return job;
	}
	if (!weft__kept_begin(kept_of(job)))
		return NULL;
	show(worker, job->fn, kept_of(job)->name);
	call(worker, job);
	show(worker, NULL, NULL);
	weft__kept_end(kept_of(job));
	return NULL;
}

/* One job, of which nobody knows how long it takes, or which is alone. */
static void run_single(struct worker *worker, struct job *job)
{
	weft_executor *pool = worker->pool;
	weft_fn *fn = job->fn;
	weft_time start, span;

	place_give_of(pool, job);
	/* D1. */
	atomic_fetch_sub_explicit(&pool->n_ready, 1, memory_order_seq_cst);
	(void)weft__spread(pool, 0, INT_MAX); /* there is a thread: this one */
	start = weft__clock();
	job = weft__worker_run(worker, job);
	span = weft__clock() - start;
	atomic_fetch_add_explicit(&pool->n_ready, 1, memory_order_seq_cst);
	if (job)
		weft__job_deliver(job);
	weft__habit_note(&pool->habits, fn, 1, span);
	if (weft__habit_streak(&pool->habits, fn) > 1)
		(void)weft__keeper_start(pool); /* without it jobs are taken singly */
}

/* ---- The thread ---- */

static void begin(struct worker *worker)
{
	char name[16];

	snprintf(name, sizeof(name), "%.10s-%u", worker->pool->name,
		 ((unsigned)worker->index + 1) % 10000);
	(void)pthread_setname_np(pthread_self(), name);
	current = worker;
	weft__thread.runs_job = true;
	weft__thread.return_value = set_value;
}

void *weft__worker_main(void *arg)
{
	struct worker *worker = arg;
	weft_executor *pool = worker->pool;
	bool timed_out = false;

	begin(worker);
	for (;;) {
		struct claim claim;

		if (find(worker, &claim)) {
			if (claim.n > 0)
				weft__streak_run(worker, &claim);
			else
				run_single(worker, claim.job);
			timed_out = false;
			continue;
		}
		if (weft__thread_retire(worker, timed_out))
			break;
		/* One that was not superfluous then stays until it had something to do. */
		timed_out = weft__idle(worker, timed_out ? WEFT_FOREVER
							 : pool->idle_ns) == IDLE_TIMEOUT;
	}
	weft__pool_check_end(pool);
	weft__pool_let_go(pool);
	return NULL;
}
