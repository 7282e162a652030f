/*
 * The slow half of a short lock; short_lock.h has the model.
 */
#include "base/short_lock.h"

#include "base/futex.h"

enum {
	TRIES = 10, /* before it sleeps */
	/* Between two tries: at first as long as the holder needs for a few more steps. */
	PAUSES_MIN = 8,
	PAUSES_MAX = 128,
};

/* A look that leaves the cache line where it is, then a try. */
static bool try_to_take(struct short_lock *lock)
{
	uint32_t word = SHORT_LOCK_FREE;

	/* Relaxed: a hint. Then K1. */
	return atomic_load_explicit(&lock->word, memory_order_relaxed) == word &&
	       atomic_compare_exchange_strong_explicit(&lock->word, &word,
						       SHORT_LOCK_HELD,
						       memory_order_acquire,
						       memory_order_relaxed);
}

void weft__short_lock_wait(struct short_lock *lock)
{
	int n_pauses = PAUSES_MIN;

	for (int i = 0; i < TRIES; i++) {
		for (int k = 0; k < n_pauses; k++)
			weft__cpu_relax();
		if (try_to_take(lock))
			return;
		n_pauses = MIN(n_pauses * 2, PAUSES_MAX);
	}
	/* K1. Taken as WANTED, since nobody knows whether others sleep, too. */
	while (atomic_exchange_explicit(&lock->word, SHORT_LOCK_WANTED,
					memory_order_acquire) != SHORT_LOCK_FREE)
		weft__futex_wait(&lock->word, SHORT_LOCK_WANTED);
}

void weft__short_lock_wake(struct short_lock *lock)
{
	weft__futex_wake(&lock->word);
}
