/*
 * Locks, inside the library: what a condition does with the lock of its waiters.
 */
#ifndef WEFT_TASK_LOCK_H
#define WEFT_TASK_LOCK_H

#include <weft/sync.h>

#include "task/wait_list.h"

struct lock {
	struct wait_list line;
	weft_loop *loop;
	weft_task *
		holder; /* NULL: free. It may have ended: then somebody else releases it */
	uint64_t
		given_at; /* holder->n_resumed then, to tell it from later tasks in its place */
};

static inline struct lock *lock_of(struct weft_lock *shown)
{
	return (struct lock *)(void *)shown;
}

/* Does this task hold it, and not one before it in the same place? */
static inline bool lock_is_of(const struct lock *lock, const weft_task *task)
{
	return lock->holder == task && lock->given_at > task->began_at;
}

/* Who is going to release it; NULL: it is free, or nobody can tell. */
static inline weft_task *lock_holder(const struct lock *lock)
{
	weft_task *holder = lock->holder;

	return holder && holder->state != TASK_DONE && holder->state != TASK_FREE &&
			       lock_is_of(lock, holder)
		       ? holder
		       : NULL;
}

/* To a task that runs, or has. */
static inline void lock_give(struct lock *lock, weft_task *task)
{
	lock->holder = task;
	lock->given_at = task->n_resumed;
	task->n_locks++;
}

/*
 * For a task that is parked already: takes the lock for it if it is free, and returns true; else
 * puts it in line, where weft_lock_release() finds it.
 */
bool weft__lock_take_or_queue(struct lock *lock, struct waiter *waiter);

#endif
