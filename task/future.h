/*
 * Futures, inside the library; <weft/task.h> has the model for callers.
 *
 * A local future belongs to its loop's thread and has no atomics in use. A shared one has
 * a lock around its list of waiters and the step from pending to settled: waiters lie on
 * stacks and leave in any order. Once it is settled, result, value and error never change
 * (but for the value being taken, under the lock), so readers that saw `settled` need no
 * lock.
 *
 *   F1  settle, release: result, value, error; pairs with F2.
 *   F2  is it settled? acquire.
 *
 * A waiter is notified once, either because the future settled or not at all: who leaves
 * first takes it off the list. Whoever was taken off by settling will be told, by a
 * message to its loop or a signal to its thread, and must wait for that. A model of it for
 * spin is tests/model/future.pml.
 */
#ifndef WEFT_TASK_FUTURE_H
#define WEFT_TASK_FUTURE_H

#include <pthread.h>

#include "task/task.h"

/* Who works for a future, for passing on its cancellation; NULL for a plain one. */
struct future_work {
	/* Thread: any. Asks the work to end. The future is unsettled and referenced
	 * meanwhile. */
	void (*cancel)(weft_future *future);
	/* Thread: any. The future goes, or is settled: `owner` is no longer used by it.
	 */
	void (*release)(weft_future *future);
};

struct future_waiter {
	struct list link; /* in future->waiters, under its lock */
	bool taken; /* the settler has it; under the lock */
	/* Thread: the settler's. The future is settled; after this call the waiter may be
	 * gone. */
	void (*notify)(struct future_waiter *waiter);
};

struct weft_future {
	atomic_int references; /* a local one uses plain loads and stores */
	bool is_shared;
	bool was_task; /* of a task that is gone */
	atomic_bool was_seen; /* somebody looked at the outcome; relaxed: the last
				 reference orders */
	atomic_bool settled;
	int result;
	void *value;
	weft_destroy *destroy;
	const struct weft_error *error;
	weft_loop *loop; /* local: its loop; task's: that of the task */
	weft_task *task; /* whose end settles it; loop thread */
	const struct future_work *work;
	void *owner; /* the work's */
	const void *place; /* who made it */
	pthread_mutex_t lock; /* shared */
	struct list waiters; /* struct future_waiter, by link */
	/* ---- future_callback.c ---- */
	struct list callbacks; /* struct handle, by link; each has a reference to us */
	struct list called_link; /* where the end of a loop finds us */
	bool was_called; /* it is linked */
};

/* The future of a task that has one asked for; NULL without memory. Settled if the task
 * ended. */
weft_future *weft__future_of_task(weft_task *task);
/* A shared one, for work of a kind; `place` is who asked for it. NULL without memory. */
weft_future *weft__future_new_work(const struct future_work *work, void *owner,
				   const void *place);
/* The task whose end settles it, if it is one of this thread's loop; else NULL. */
weft_task *weft__future_task_here(const weft_future *future);
void weft__future_settle_task(weft_future *future, weft_task *task);
void weft__future_forget_task(weft_future *future);
/* Somebody got its outcome by another way. */
void weft__future_seen(weft_future *future);

/*
 * Settles by the work itself. `error` is the future's afterwards; may be NULL. Return:
 * false if it was settled already: then value and error are the caller's still.
 */
bool weft__future_settle(weft_future *future, int result, void *value,
			 weft_destroy *destroy, const struct weft_error *error);

/* Any thread. Adds a waiter unless the future is settled: then false. */
bool weft__future_add_waiter(weft_future *future, struct future_waiter *waiter);
/* Any thread. False if it is being notified, or was: then the notification is to be
 * waited for. */
bool weft__future_remove_waiter(weft_future *future, struct future_waiter *waiter);

/* 0, or why this thread may not touch the future. */
int weft__future_check(const weft_future *future, const char *function);
void weft__future_lock(weft_future *future);
void weft__future_unlock(weft_future *future);

/* ---- Done-callbacks: future_callback.c ---- */

/* The future has settled, under its lock: their callbacks are on their way. */
void weft__future_call(weft_future *future);
/* The last reference goes. */
void weft__future_forget_calls(weft_future *future);
/* The loop ends: what it still waits for will not be told to it. */
void weft__future_drop_callbacks(weft_loop *loop);
/* For the loop, see struct loop_hooks. */
bool weft__future_leave(struct handle *handle);
void weft__future_callback_arrived(struct handle *handle);

static inline bool future_is_settled(const weft_future *future)
{
	/* F2. */
	return atomic_load_explicit(&future->settled, memory_order_acquire);
}

#endif
