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
	weft_task *holder; /* NULL: free */
};

static inline struct lock *lock_of(struct weft_lock *shown)
{
	return (struct lock *)(void *)shown;
}

/*
 * For a task that is parked already: takes the lock for it if it is free, and returns true; else
 * puts it in line, where weft_lock_release() finds it.
 */
bool weft__lock_take_or_queue(struct lock *lock, struct waiter *waiter);

#endif
