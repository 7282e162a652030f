/*
 * Pools: beginning, memory, and the one that the process shares; pool.h has the model.
 *
 * The shared pool is made by whoever asks for it first, and ends with the last runner: when a
 * runner ends and no other loop uses the pool, it is drained and closed, and whoever asks later
 * gets a new one. Lock order: shared_lock, then the pool's.
 */
#include "executor/pool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "executor/lane.h"
#include "task/runner.h"

enum {
	DEFAULT_MIN = 4,
	DEFAULT_QUEUE = 1024,
	DEFAULT_IDLE_S = 10,
	BITS = 64, /* of a word of pool->idle */
};

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static weft_executor *shared; /* under shared_lock, with a reference */

/* ---- Memory ---- */

void weft__pool_ref(weft_executor *pool)
{
	/* Relaxed: the caller holds a reference already. */
	atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
}

void weft__pool_unref(weft_executor *pool)
{
	/* K2: releases this thread's use of the pool to whoever frees it, and acquires theirs. */
	if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) > 1)
		return;
	/* All relaxed from here: there is nobody else. */
	for (int i = 0; i < atomic_load_explicit(&pool->n_lanes, memory_order_relaxed);
	     i++)
		free(atomic_load_explicit(&pool->lanes[i], memory_order_relaxed));
	for (int i = 0; i < pool->n_slots; i++) {
		struct worker *worker =
			atomic_load_explicit(&pool->workers[i], memory_order_relaxed);

		if (worker)
			free(worker->streak.batches);
		free(worker);
	}
	free(pool->workers);
	free(pool->idle);
	(void)pthread_attr_destroy(&pool->attributes);
	pthread_mutex_destroy(&pool->lock);
	pthread_mutex_destroy(&pool->queue_lock);
	pthread_mutex_destroy(&pool->keeper_lock);
	free(pool);
}

/* ---- Beginning ---- */

/* What threads get does not depend on which thread happens to start them. */
static int init_attributes(weft_executor *pool)
{
	sigset_t mask;
	int r = -pthread_attr_init(&pool->attributes);

	if (r < 0)
		return r;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	sigaddset(&mask, SIGPIPE);
	r = -pthread_attr_setsigmask_np(&pool->attributes, &mask);
	/* A machine with more CPUs than the set can hold keeps what it inherits. */
	if (r == 0 && sched_getaffinity(0, sizeof(pool->cpus), &pool->cpus) == 0)
		r = -pthread_attr_setaffinity_np(&pool->attributes, sizeof(pool->cpus),
						 &pool->cpus);
	if (r < 0)
		(void)pthread_attr_destroy(&pool->attributes);
	return r;
}

static void apply_options(weft_executor *pool,
			  const struct weft_thread_pool_options *options)
{
	int min = options->min_threads, max = options->max_threads;

	snprintf(pool->name, sizeof(pool->name), "%s",
		 options->name ? options->name : "exec");
	if (!max)
		max = MAX(DEFAULT_MAX_THREADS, min);
	pool->max_threads = max;
	pool->min_threads = min ? min : MIN(DEFAULT_MIN, max);
	pool->queue_limit = options->queue_limit ? options->queue_limit : DEFAULT_QUEUE;
	pool->idle_ns = options->idle_ns ? options->idle_ns : DEFAULT_IDLE_S * WEFT_SEC;
	pool->refuses = options->when_full == WEFT_REFUSE_WHEN_FULL;
	pool->n_cpus = weft__cpus();
	/* Twice, for threads that are lost to jobs nobody waits for. */
	pool->n_slots = (2 * max + BITS - 1) / BITS * BITS;
}

static int check_options(const struct weft_thread_pool_options *options)
{
	int min = options->min_threads, max = options->max_threads;

	if (min < 0 || max < 0 || min > MAX_THREADS || max > MAX_THREADS ||
	    (max && min > max))
		return weft_error_set(
			-EINVAL,
			"weft_thread_pool_new(): a pool has between 1 and %d "
			"threads, and .min_threads is not above .max_threads",
			MAX_THREADS);
	if (options->queue_limit < 0 || options->queue_limit > MAX_QUEUE ||
	    options->idle_ns < 0 || options->when_full > WEFT_REFUSE_WHEN_FULL ||
	    weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)))
		return weft_error_set(
			-EINVAL,
			"weft_thread_pool_new(): .queue_limit is at most %d, times are not "
			"negative, and fields that you do not use are zero",
			MAX_QUEUE);
	return 0;
}

static int new_pool(const struct weft_thread_pool_options *options, bool is_shared,
		    weft_executor **out)
{
	weft_executor *pool = weft__aligned_alloc(CACHE_LINE, sizeof(*pool));
	int r = -ENOMEM;

	if (!pool)
		return r;
	memset(pool, 0, sizeof(*pool));
	apply_options(pool, options);
	pool->is_shared = is_shared;
	pool->workers = weft__alloc_array((size_t)pool->n_slots, sizeof(*pool->workers));
	if (!pool->workers)
		goto free_pool;
	pool->idle = weft__alloc_array((size_t)pool->n_slots / BITS, sizeof(*pool->idle));
	if (!pool->idle)
		goto free_workers;
	r = init_attributes(pool);
	if (r < 0)
		goto free_idle;
	atomic_init(&pool->references, 1);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_mutex_init(&pool->queue_lock, NULL);
	pthread_mutex_init(&pool->keeper_lock, NULL);
	list_init(&pool->queue);
	list_init(&pool->line);
	list_init(&pool->running);
	list_init(&pool->timed);
	list_init(&pool->keeper.link);
	*out = pool;
	return 0;
free_idle:
	free(pool->idle);
free_workers:
	free(pool->workers);
free_pool:
	free(pool);
	return r;
}

int weft_thread_pool_new(const struct weft_thread_pool_options *options,
			 weft_executor **out)
{
	static const struct weft_thread_pool_options defaults;
	int r;

	(void)thread_id(); /* from now on a fork() is noticed */
	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	r = options ? check_options(options) : 0;
	if (r < 0)
		return r;
	return new_pool(options ? options : &defaults, false, out);
}

/* ---- Which one is meant ---- */

static int shared_max_threads; /* under shared_lock; 0: the default */

void weft__pool_limit_shared(int max_threads)
{
	pthread_mutex_lock(&shared_lock);
	shared_max_threads = max_threads;
	pthread_mutex_unlock(&shared_lock);
}

/* With shared_lock held. */
static int make_shared(void)
{
	struct weft_thread_pool_options options = { .max_threads = shared_max_threads };

	return new_pool(&options, true, &shared);
}

int weft__pool_get(weft_executor *executor, bool for_loop, weft_executor **out)
{
	int r = 0;

	if (executor) {
		weft__pool_ref(executor);
		*out = executor;
		return 0;
	}
	pthread_mutex_lock(&shared_lock);
	if (!shared)
		r = make_shared();
	if (r == 0) {
		shared->n_loops += for_loop;
		weft__pool_ref(shared);
		*out = shared;
	}
	pthread_mutex_unlock(&shared_lock);
	return r;
}

void weft__pool_loop_left(weft_executor *pool)
{
	if (!pool->is_shared)
		return;
	pthread_mutex_lock(&shared_lock);
	pool->n_loops--;
	pthread_mutex_unlock(&shared_lock);
}

int weft__pool_close_shared(weft_time grace_ns)
{
	const struct worker *self = weft__worker_current();
	weft_executor *pool;

	pthread_mutex_lock(&shared_lock);
	pool = shared;
	/* Others go on, and the last of them drains it. A runner in a job would await itself. */
	if (pool && (pool->n_loops > 0 || (self && self->pool == pool)))
		pool = NULL;
	if (pool)
		shared = NULL;
	pthread_mutex_unlock(&shared_lock);
	return pool ? weft__pool_close(pool, grace_ns) : 0;
}

/* A runner has ended. */
static void drain(weft_time grace_ns)
{
	(void)weft__pool_close_shared(grace_ns); /* what was cut off is reported */
}

__attribute__((constructor)) static void hook_into_runners(void)
{
	weft__runner_set_drain(drain);
}

int weft__pool_refuse(const weft_executor *pool)
{
	return weft_error_set(-ESHUTDOWN,
			      "executor \"%s\" is closed and takes no more jobs",
			      pool->name);
}

/* ---- Looking ---- */

void weft__pool_count(weft_executor *pool, struct pool_counts *counts)
{
	uint64_t waiting;

	*counts = (struct pool_counts){ 0 };
	pthread_mutex_lock(&pool->lock);
	counts->n_threads = pool->n_threads;
	counts->n_abandoned = pool->n_abandoned;
	pthread_mutex_unlock(&pool->lock);
	/* Relaxed: old by the time they are looked at. */
	waiting = atomic_load_explicit(&pool->waiting, memory_order_relaxed);
	counts->n_queued = waiting_places(waiting);
	counts->n_queued_long = waiting_long(waiting);
	for (int i = 0; i < pool->n_slots / BITS; i++)
		counts->n_idle += __builtin_popcountll(
			atomic_load_explicit(&pool->idle[i], memory_order_relaxed));
}
