/*
 * The common queue: jobs of plain threads, and of loops that have no lane. One lock.
 */
#include "executor/pool.h"

static void count(weft_executor *pool, int change)
{
	/* Relaxed to read: written under the lock alone. D2 to write: see pool.h. */
	int n = atomic_load_explicit(&pool->n_in_queue, memory_order_relaxed);

	atomic_store_explicit(&pool->n_in_queue, n + change, memory_order_seq_cst);
}

void weft__queue_put(weft_executor *pool, struct job *job)
{
	job->lane = NULL;
	count_as_long(pool, job);
	pthread_mutex_lock(&pool->queue_lock);
	list_push_back(&pool->queue, &job->done.link);
	count(pool, 1);
	pthread_mutex_unlock(&pool->queue_lock);
}

struct job *weft__queue_claim(weft_executor *pool)
{
	struct list *link;

	if (!queue_has_work(pool))
		return NULL;
	pthread_mutex_lock(&pool->queue_lock);
	link = list_pop_front(&pool->queue);
	if (link)
		count(pool, -1);
	pthread_mutex_unlock(&pool->queue_lock);
	return link ? container_of(link, struct job, done.link) : NULL;
}

int weft__queue_fail(weft_executor *pool, int code, const struct weft_error *error)
{
	int n_failed = 0;

	for (struct job *job = weft__queue_claim(pool); job;
	     job = weft__queue_claim(pool)) {
		weft__job_fail(pool, job, code, error);
		n_failed++;
	}
	return n_failed;
}

bool weft__queue_withdraw(weft_executor *pool, struct job *job)
{
	bool found = false;

	pthread_mutex_lock(&pool->queue_lock);
	list_for_each (link, &pool->queue) {
		if (link == &job->done.link) {
			list_unlink(link);
			count(pool, -1);
			found = true;
			break;
		}
	}
	pthread_mutex_unlock(&pool->queue_lock);
	return found;
}
