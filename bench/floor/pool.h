/*
 * The bare thread pool: a ring that one loop fills and workers empty.
 *
 * The loop publishes a turn's jobs at once and wakes only workers that sleep; a worker
 * takes a run of jobs with one compare-exchange and returns them, done, in one chain to
 * the loop's inbox.
 */
#ifndef WEFT_BENCH_FLOOR_POOL_H
#define WEFT_BENCH_FLOOR_POOL_H

#include "bench/floor/inbox.h"

struct floor_job {
	struct floor_node node; /* in the inbox, when done; the first member */
	void (*run)(struct floor_job *job);
};

struct floor_pool_options {
	int n_workers; /* at most 64 */
	int place; /* of all of them */
	int max_run; /* jobs that a worker takes at once, at most 32 */
	weft_time spin_ns; /* before a worker, or the loop, sleeps */
};

int floor_pool_start(const struct floor_pool_options *options);
void floor_pool_stop(void);

/* Queues a job; floor_pool_publish() hands over all that were queued since. At most 4096.
 */
void floor_pool_submit(struct floor_job *job);
void floor_pool_publish(void);

/* Waits for jobs that are done: a chain by node.next. */
struct floor_node *floor_pool_wait(void);

#endif
