/*
 * A lock for what is done in well under a microsecond.
 *
 * A word (U. Drepper, "Futexes Are Tricky", 2011, the third mutex): FREE, HELD, or WANTED, which
 * is held while somebody may sleep for it. Taking and releasing it without contention is one
 * exchange each. Who finds it held watches it for a moment, longer each time, so that whoever has
 * the cache line does a few steps in a row; then it sleeps, in case the holder was taken off its
 * CPU.
 *
 * After the exchange that releases it the lock's memory is not touched: whoever takes it next may
 * free it. Not fair, not recursive. A zeroed lock is free. Any thread. A model of it for spin is
 * tests/model/short_lock.pml.
 *
 *   K1  take, acquire; pairs with K2.
 *   K2  release, release: all that the last holder did.
 */
#ifndef WEFT_BASE_SHORT_LOCK_H
#define WEFT_BASE_SHORT_LOCK_H

#include "base/base.h"

enum { SHORT_LOCK_FREE = 0, SHORT_LOCK_HELD, SHORT_LOCK_WANTED };

struct short_lock {
	_Atomic uint32_t word; /* a futex */
};

/* When it was held at the first try; K1. */
void weft__short_lock_wait(struct short_lock *lock);
/* When it was WANTED as it was released: wakes one that sleeps. */
void weft__short_lock_wake(struct short_lock *lock);

static inline void short_lock_take(struct short_lock *lock)
{
	uint32_t word = SHORT_LOCK_FREE;

	/* K1. Relaxed if it fails: nothing was taken. */
	if (unlikely(!atomic_compare_exchange_strong_explicit(
		    &lock->word, &word, SHORT_LOCK_HELD, memory_order_acquire,
		    memory_order_relaxed)))
		weft__short_lock_wait(lock);
}

static inline void short_lock_release(struct short_lock *lock)
{
	/* K2. */
	if (unlikely(atomic_exchange_explicit(&lock->word, SHORT_LOCK_FREE,
					      memory_order_release) == SHORT_LOCK_WANTED))
		weft__short_lock_wake(lock);
}

#endif
