/*
 * Lock, event, semaphore: between the tasks of one loop.
 *
 * They live in storage of the caller's, start from an initialiser (for lock and event that is all
 * zero, so calloc() will do), need no clean-up, and cost no atomic operation. Each
 * belongs to the loop that first uses it; another answers -EPERM. Waiters are served in order and
 * nobody overtakes. Free the storage only when nobody waits.
 *
 * Result first: a waiter that was already given the lock or a permit when its
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
	uintptr_t opaque[4];
};
#define WEFT_LOCK_INIT { { 0, 0, 0, 0 } }

/**
 * weft_lock_acquire() - wait for the lock and take it
 * @lock: initialised
 *
 * Return: 0; -ECANCELED, then the caller does not hold it; -EDEADLK if the caller holds it
 * already, or if the holder waits for the caller.
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

WEFT_END_DECLS

#endif
