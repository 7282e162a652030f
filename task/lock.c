/*
 * Lock: one holder at a time. <weft/sync.h> has the model. Loop thread.
 *
 * Releasing hands the lock to the first in line, which holds it from then on, before it
 * runs: so nobody overtakes.
 */
#include "task/lock.h"

#include "task/cycle.h"

static_assert(sizeof(struct lock) <= sizeof(struct weft_lock), "the public size");

static int wait_for_lock(struct lock *lock, weft_task *me)
{
	struct waiter waiter = {
		.park = { .what = "lock", .awaited_lock = lock },
	};
	int r;

	if (lock_is_of(lock, me))
		return weft_error_set(-EDEADLK, "the task holds this lock already: it is "
						"not recursive");
	r = weft__cycle_find(&waiter.park);
	return r < 0 ? r : weft__wait_in_line(&lock->line, &waiter);
}

int weft_lock_acquire(struct weft_lock *shown)
{
	struct lock *lock = lock_of(shown);
	weft_task *me = task_current();
	int r;

	if (unlikely(!me))
		return weft__task_none(__func__);
	r = weft__belongs_here(&lock->loop, __func__);
	if (unlikely(r < 0))
		return r;
	if (likely(!lock->holder)) {
		lock_give(lock, me);
		return 0;
	}
	return wait_for_lock(lock, me);
}

bool weft__lock_take_or_queue(struct lock *lock, struct waiter *waiter)
{
	if (!lock->holder) {
		lock_give(lock, waiter->park.task);
		return true;
	}
	weft__wait_list_push(&lock->line, waiter);
	return false;
}

void weft_lock_release(struct weft_lock *shown)
{
	struct lock *lock = lock_of(shown);
	struct waiter *next;

	weft_assert(lock->holder, "weft_lock_release() of a lock that nobody holds");
	weft_assert(
		loop_is_mine(lock->loop),
		"weft_lock_release() was called on a thread that is not that of the lock's loop");
	if (likely(lock_holder(lock)))
		lock->holder->n_locks--;
	next = weft__wait_list_pop(&lock->line);
	lock->holder = NULL;
	if (!next)
		return;
	lock_give(lock, next->park.task);
	weft__unpark(&next->park, 0);
}

bool weft_lock_is_locked(const struct weft_lock *shown)
{
	const struct lock *lock = (const struct lock *)(const void *)shown;

	return lock->loop && loop_must_be_mine(lock->loop, __func__) && lock->holder;
}
