/*
 * Lock, event, condition, semaphore, barrier: between the tasks of one loop.
 *
 * They live in storage of the caller's, start from an initialiser (for lock, event and condition
 * that is all zero, so calloc() will do), need no clean-up, and cost no atomic operation. Each
 * belongs to the loop that first uses it; another answers -EPERM. Waiters are served in order and
 * nobody overtakes. Free the storage only when nobody waits.
 *
 * Result first: a waiter that was already given the lock, a permit or a notification when its
 * cancellation arrives returns success, and -ECANCELED comes at its next wait. One that is
 * cancelled before it was given anything leaves the queue, and what comes goes to the next.
 *
 * An initialiser returns nothing, so a bad number in it is an assertion at the first call that
 * uses the object.
 *
 * Between loops and threads use weft_spawn_on() and shared futures.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/task.h>

WEFT_BEGIN_DECLS

/** struct weft_lock - one holder at a time; not recursive */
struct weft_lock {
	uintptr_t opaque[6];
};
#define WEFT_LOCK_INIT { { 0, 0, 0, 0, 0, 0 } }

/**
 * weft_lock_acquire() - wait for the lock and take it
 * @lock: initialised
 *
 * Return: 0; -ECANCELED, then the caller does not hold it; -EDEADLK if the caller holds it
 * already, or if the holder waits for the caller, see <weft/task.h>. The holder is the task that
 * took it or was handed it, also if another one is going to release it.
 *
 * Thread: task.
 * Cancellation point: yes, unless the lock is free.
 */
WEFT_API WEFT_MUST_CHECK int weft_lock_acquire(struct weft_lock *lock);

/**
 * weft_lock_release() - hand the lock to the next
 * @lock: held, by which task does not matter; a free one is an assertion
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_lock_release(struct weft_lock *lock);

/**
 * weft_lock_is_locked() - does somebody hold it?
 * @lock: initialised
 *
 * Return: true if so.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_lock_is_locked(const struct weft_lock *lock);

/** struct weft_event - a flag to wait for */
struct weft_event {
	uintptr_t opaque[4];
};
#define WEFT_EVENT_INIT { { 0, 0, 0, 0 } }

/**
 * weft_event_set() - raise the flag and wake all who wait
 * @event: initialised
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_event_set(struct weft_event *event);

/**
 * weft_event_clear() - lower the flag
 * @event: initialised
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_event_clear(struct weft_event *event);

/**
 * weft_event_is_set() - is the flag up?
 * @event: initialised
 *
 * Return: true if so.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_event_is_set(const struct weft_event *event);

/**
 * weft_event_wait() - wait for the flag
 * @event: initialised
 *
 * Return: 0, once the flag was raised, even if it has been lowered since; -ECANCELED if the
 * caller was cancelled before that.
 *
 * Thread: task.
 * Cancellation point: yes, unless the flag is up.
 */
WEFT_API WEFT_MUST_CHECK int weft_event_wait(struct weft_event *event);

/** struct weft_condition - wait until what a lock protects has changed */
struct weft_condition {
	uintptr_t opaque[4];
};
#define WEFT_CONDITION_INIT { { 0, 0, 0, 0 } }

/**
 * weft_condition_wait() - release the lock, wait for a notification, take the lock again
 * @condition: initialised
 * @lock:      held by the caller; the same for every wait, and as long as @condition is used
 *
 * The lock is taken again before this returns, also when cancelled. A notification is never used
 * up by a wait that returns -ECANCELED: it goes to the next waiter.
 *
 * Return: 0; -ECANCELED if the caller was cancelled before it was notified. Ask your predicate
 * again either way: "while (!ready)". At once, with nothing released: -EPERM if the caller does
 * not hold @lock, -EINVAL if @condition was used with another lock before.
 *
 * Thread: task.
 * Cancellation point: yes; taking the lock again is none.
 */
WEFT_API WEFT_MUST_CHECK int weft_condition_wait(struct weft_condition *condition,
						 struct weft_lock *lock);

/**
 * weft_condition_notify() - wake some who wait now
 * @condition: initialised; the caller holds its lock, else this is an assertion
 * @n:         how many at most, those first who wait longest
 *
 * It is not remembered: with nobody waiting, nothing happens. Who is woken runs when the lock is
 * released to it.
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API void weft_condition_notify(struct weft_condition *condition, int n);

/**
 * weft_condition_notify_all() - wake all who wait now
 * @condition: initialised; the caller holds its lock, else this is an assertion
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API void weft_condition_notify_all(struct weft_condition *condition);

/** struct weft_semaphore - a number of permits */
struct weft_semaphore {
	uintptr_t opaque[6];
};
/** n permits to begin with, no limit on releases; n < 0 is an assertion at the first use */
#define WEFT_SEMAPHORE_INIT(n) { { (uintptr_t)(n), 0, 0, 0, 0, 0 } }
/** n permits, and never more: one release too many is -EOVERFLOW; n < 0 as above */
#define WEFT_BOUNDED_SEMAPHORE_INIT(n) { { (uintptr_t)(n), (uintptr_t)(n) + 1, 0, 0, 0, 0 } }

/**
 * weft_semaphore_acquire() - wait for a permit and take it
 * @semaphore: initialised
 *
 * Return: 0; -ECANCELED, then no permit was taken.
 *
 * Thread: task.
 * Cancellation point: yes, unless a permit is free and nobody waits.
 */
WEFT_API WEFT_MUST_CHECK int weft_semaphore_acquire(struct weft_semaphore *semaphore);

/**
 * weft_semaphore_release() - give a permit, to the first who waits
 * @semaphore: initialised
 *
 * Return: 0; -EOVERFLOW for a bounded one that is full.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_semaphore_release(struct weft_semaphore *semaphore);

/**
 * weft_semaphore_is_locked() - would an acquire wait?
 * @semaphore: initialised
 *
 * Return: true if no permit is free; one that was handed to a waiter is not.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_semaphore_is_locked(const struct weft_semaphore *semaphore);

/** struct weft_barrier - wait until a number of tasks have come */
struct weft_barrier {
	uintptr_t opaque[6];
};
/** for n_parties tasks; less than 1 is an assertion at the first use */
#define WEFT_BARRIER_INIT(n_parties) { { (uintptr_t)(n_parties), 0, 0, 0, 0, 0 } }

/**
 * weft_barrier_wait() - come to the barrier and wait for the others
 * @barrier: initialised
 *
 * The last to come lets all go and opens the next round.
 *
 * Return: a number from 0, different for each, in the order in which they came; -ECANCELED if
 * the caller was cancelled before all had come, then it has left again and the others wait for
 * another one; -EPIPE if the barrier was reset or aborted.
 *
 * Thread: task.
 * Cancellation point: yes, but for the last to come.
 */
WEFT_API WEFT_MUST_CHECK int weft_barrier_wait(struct weft_barrier *barrier);

/**
 * weft_barrier_reset() - send those who wait away with -EPIPE and start anew
 * @barrier: initialised
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_barrier_reset(struct weft_barrier *barrier);

/**
 * weft_barrier_abort() - send everybody away with -EPIPE until the next reset
 * @barrier: initialised
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_barrier_abort(struct weft_barrier *barrier);

/**
 * weft_barrier_waiting() - how many have come and wait for the others
 * @barrier: initialised
 *
 * Return: the number.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API size_t weft_barrier_waiting(const struct weft_barrier *barrier);

/**
 * weft_barrier_is_broken() - was it aborted and not reset since?
 * @barrier: initialised
 *
 * Return: true if so.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_barrier_is_broken(const struct weft_barrier *barrier);

WEFT_END_DECLS

#endif
