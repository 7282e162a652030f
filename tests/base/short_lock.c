/*
 * The short lock.
 */
#include "base/short_lock.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/test.h"

enum { N_THREADS = 4, N_TURNS = 20000 };

static struct short_lock lock;
static long n_turns, n_also; /* under the lock, and no atomics */

static void *take_turns(void *unused)
{
	for (int i = 0; i < N_TURNS; i++) {
		short_lock_take(&lock);
		n_turns++;
		if (i % 1000 == 0) /* the others get as far as sleeping */
			sched_yield();
		n_also++;
		short_lock_release(&lock);
	}
	return unused;
}

Test(short_lock, is_held_by_one_at_a_time)
{
	pthread_t threads[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_turns, NULL), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(n_turns, (long)N_THREADS * N_TURNS);
	cr_expect_eq(n_also, n_turns);
	cr_expect_eq(atomic_load_explicit(&lock.word, memory_order_relaxed),
		     (uint32_t)SHORT_LOCK_FREE);
}

static void *take_once(void *unused)
{
	short_lock_take(&lock);
	n_turns++;
	short_lock_release(&lock);
	return unused;
}

Test(short_lock, wakes_each_of_those_who_sleep_for_it)
{
	pthread_t threads[N_THREADS];

	short_lock_take(&lock);
	for (int i = 0; i < N_THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_once, NULL), 0);
	while (atomic_load_explicit(&lock.word, memory_order_relaxed) !=
	       SHORT_LOCK_WANTED)
		sched_yield();
	usleep(1000); /* so that more than one sleeps, most of the time */
	cr_expect_eq(n_turns, 0);
	short_lock_release(&lock);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(n_turns, N_THREADS);
}
