/*
 * The threads of a pool: one more, and one less.
 *
 * A thread is started when jobs wait and nobody is ready or asleep; it counts as ready from then
 * on. One that ends joins the one that ended before it, so that at most one is ever left to be
 * joined, by the pool's end. All under the pool's lock.
 */
#include <stdio.h>

#include "base/report.h"
#include "executor/pool.h"

/* Relaxed: written by a test before it needs it. */
static atomic_int refuse_code;

void weft__refuse_threads(int code)
{
	atomic_store_explicit(&refuse_code, code, memory_order_relaxed);
}

/* ---- Starting ---- */

/* A place for a worker; NULL without memory or place. */
static struct worker *take_slot(weft_executor *pool)
{
	for (int i = 0; i < pool->n_slots; i++) {
		/* Relaxed: written under the lock. */
		struct worker *worker =
			atomic_load_explicit(&pool->workers[i], memory_order_relaxed);

		if (worker && worker->in_use)
			continue;
		if (!worker) {
			worker = weft__aligned_alloc(CACHE_LINE, sizeof(*worker));
			if (!worker)
				return NULL;
			*worker = (struct worker){ .pool = pool, .index = i };
			/* T1, release: for those who look at all workers without the lock;
			 * they acquire. */
			atomic_store_explicit(&pool->workers[i], worker,
					      memory_order_release);
		}
		return worker;
	}
	return NULL;
}

static int create(struct worker *worker)
{
	int code = atomic_load_explicit(&refuse_code, memory_order_relaxed);

	if (code)
		return code;
	return -pthread_create(&worker->thread, &worker->pool->attributes,
			       weft__worker_main, worker);
}

static int start_thread(weft_executor *pool)
{
	struct worker *worker = take_slot(pool);
	int r;

	if (!worker)
		return -ENOMEM;
	worker->in_use = true;
	weft__pool_ref(pool); /* the thread's */
	atomic_fetch_add_explicit(&pool->n_ready, 1, memory_order_seq_cst);
	r = create(worker);
	if (r < 0) {
		atomic_fetch_sub_explicit(&pool->n_ready, 1, memory_order_seq_cst);
		weft__pool_unref(pool); /* not the last: the caller has one */
		worker->in_use = false;
		return r;
	}
	pool->n_threads++;
	return 1;
}

/* A job that was abandoned keeps its thread, for which there is another one. */
int weft__thread_limit(const weft_executor *pool)
{
	return pool->max_threads + MIN(pool->n_abandoned, pool->max_threads);
}

/* Is another one allowed, and worth asking for? */
static bool may_grow(const weft_executor *pool)
{
	if (pool->n_threads >= weft__thread_limit(pool))
		return false;
	return !pool->n_threads || !pool->refused_at ||
	       weft__clock() - pool->refused_at >= THREAD_RETRY_NS;
}

static void report_refusal(const weft_executor *pool, int n_threads, int code)
{
	weft__report(WEFT_WARNING, NULL,
		     "pool \"%s\" goes on with %d thread%s, since the system refuses "
		     "another one: %s",
		     pool->name, n_threads, n_threads == 1 ? "" : "s",
		     strerrordesc_np(-code));
}

int weft__thread_add(weft_executor *pool)
{
	bool is_news = false, is_smaller;
	int n_threads, r = 0;

	pthread_mutex_lock(&pool->lock);
	if (may_grow(pool)) {
		r = start_thread(pool);
		pool->refused_at = r < 0 ? weft__clock() : 0;
		/* The control thread calls no hooks: then the next one who asks reports. */
		is_news = r < 0 && !pool->refusal_told && pool->n_threads &&
			  !weft__thread.is_control;
		pool->refusal_told = r < 0 && (pool->refusal_told || is_news);
	}
	n_threads = pool->n_threads;
	is_smaller =
		pool->refused_at && n_threads && n_threads < weft__thread_limit(pool);
	pthread_mutex_unlock(&pool->lock);
	if (is_news)
		report_refusal(pool, n_threads, r);
	if (is_smaller) {
		weft__keeper_retry(pool);
		return MAX(r, 0); /* it goes on with those, and tries later */
	}
	if (r < 0)
		return weft_error_set(r,
				      "pool \"%s\" has no thread, and the system refuses "
				      "to give it one: %s",
				      pool->name, strerrordesc_np(-r));
	return r;
}

/* ---- Ending ---- */

/* Under the lock. Return: true if this thread has to join `before`. */
static bool leave(struct worker *worker, pthread_t *before)
{
	weft_executor *pool = worker->pool;
	bool must_join = pool->has_ended_thread;

	*before = pool->ended_thread;
	pool->has_ended_thread = !pool->released;
	pool->ended_thread = worker->thread;
	if (pool->released)
		(void)pthread_detach(worker->thread); /* it is this one, and runs */
	worker->in_use = false;
	pool->n_threads--;
	atomic_fetch_sub_explicit(&pool->n_ready, 1, memory_order_seq_cst);
	return must_join;
}

/* More threads than are wanted, for good or for now? */
static bool is_superfluous(weft_executor *pool, bool timed_out)
{
	if (atomic_load_explicit(&pool->closing, memory_order_seq_cst) &&
	    !waiting_places(load_waiting(pool)))
		return true;
	return pool->n_threads > weft__thread_limit(pool) ||
	       (timed_out && pool->n_threads - pool->n_abandoned > pool->min_threads);
}

bool weft__thread_retire(struct worker *worker, bool timed_out)
{
	weft_executor *pool = worker->pool;
	bool must_join = false, ends;
	pthread_t before;

	/* Relaxed: a worker that does not see it yet goes to sleep, and looks again there. */
	if (likely(!timed_out && !worker->is_surplus &&
		   !atomic_load_explicit(&pool->closing, memory_order_relaxed)))
		return false;
	worker->is_surplus = false;
	pthread_mutex_lock(&pool->lock);
	ends = is_superfluous(pool, timed_out);
	if (ends)
		must_join = leave(worker, &before);
	pthread_mutex_unlock(&pool->lock);
	if (must_join)
		pthread_join(before, NULL);
	return ends;
}

/* ---- Lost and found ---- */

void weft__thread_lost(weft_executor *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->n_abandoned++;
	pthread_mutex_unlock(&pool->lock);
	(void)weft__spread(pool, 0, 1); /* there is a thread, if a lost one */
}

void weft__thread_found(struct worker *worker)
{
	weft_executor *pool = worker->pool;

	pthread_mutex_lock(&pool->lock);
	pool->n_abandoned--;
	worker->is_surplus = pool->n_threads > weft__thread_limit(pool);
	pthread_mutex_unlock(&pool->lock);
}
