/*
 * The bare scheduler: a ring of ready tasks, pooled stacks, and switches straight from a
 * task to the next one within a turn. No errors, no cancellation, no loop around it. One
 * thread.
 */
#ifndef WEFT_BENCH_FLOOR_SCHED_H
#define WEFT_BENCH_FLOOR_SCHED_H

#include "base/base.h"

typedef void floor_fn(void *arg);

/* Room for so many tasks in the ring; before anything else. */
void floor_sched_init(size_t n_tasks);

/* Return: 0, or -ENOTSUP: no memory, or a kernel without guard markers. */
int floor_spawn(floor_fn *fn, void *arg);

void floor_yield(void); /* in a task */
void floor_park(void); /* in a task: sleeps for good */

/* Runs until nothing is ready. */
void floor_run(void);

#endif
