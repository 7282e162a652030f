/*
 * Workers that sleep, and who wakes them.
 *
 * A worker that finds nothing sets its bit, leaves n_ready, looks once more, and sleeps on a
 * futex of its own. Whoever wants one awake takes a bit away by compare-exchange, counts the
 * worker as ready on its behalf, and wakes it: so each sleeping worker costs one call at most,
 * and one that is awake none. The lowest bit goes first, so that the rest can retire.
 *
 *   D1  a worker that begins what may take long, or goes to sleep, leaves n_ready; then it looks
 *       for jobs that wait.
 *   D2  a job is queued; then n_ready is looked at.
 *   D3  a worker sets its bit; then it looks for jobs that wait.
 *   D4  (after D2, with nobody ready) the bits are looked at.
 *
 * All are sequentially consistent: of D1 and D2, and of D3 and D4, one sees the other. A model
 * for spin is tests/model/pool.pml.
 */
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "executor/lane.h"

enum {
	BITS = 64, /* of a word of pool->idle */
	/* So many are woken by one caller; each of them goes on waking before it begins. */
	FAN_OUT = 2,
	/* Spinning: a worker for whom it never pays tries once in so many sleeps. */
	LOOKS_PER_CLOCK = 16,
	SKIP_MAX = 15,
};

#define SPIN_NS (20 * WEFT_USEC)

/* ---- Looking for work ---- */

bool weft__pool_has_work(weft_executor *pool)
{
	/* Acquire: L3. */
	int n = atomic_load_explicit(&pool->n_lanes, memory_order_acquire);

	if (queue_has_work(pool))
		return true;
	/* C2: nothing is left, so there is something to do: to end. */
	if (unlikely(atomic_load_explicit(&pool->closing, memory_order_seq_cst) &&
		     !waiting_places(load_waiting(pool))))
		return true;
	if (unlikely(atomic_load_explicit(&pool->n_stuck, memory_order_seq_cst) &&
		     weft__streak_can_steal(pool)))
		return true;
	for (int i = 0; i < n; i++) {
		/* Relaxed: ordered by n_lanes. */
		if (lane_has_work(
			    atomic_load_explicit(&pool->lanes[i], memory_order_relaxed)))
			return true;
	}
	return false;
}

/* ---- Sleeping ---- */

static uint64_t bit_of(const struct worker *worker)
{
	return UINT64_C(1) << (worker->index % BITS);
}

/* Return: false if somebody is about to wake this worker, which is ready by that. */
static bool take_bit_back(struct worker *worker)
{
	_Atomic uint64_t *word = &worker->pool->idle[worker->index / BITS];

	if (!(atomic_fetch_and_explicit(word, ~bit_of(worker), memory_order_seq_cst) &
	      bit_of(worker)))
		return false;
	atomic_fetch_add_explicit(&worker->pool->n_ready, 1, memory_order_seq_cst);
	return true;
}

static bool sleep_until_awake(struct worker *worker, weft_time timeout_ns)
{
	struct timespec span = { .tv_sec = timeout_ns / WEFT_SEC,
				 .tv_nsec = timeout_ns % WEFT_SEC };

	/* W1. */
	while (!atomic_load_explicit(&worker->awake, memory_order_acquire)) {
		if (syscall(SYS_futex, &worker->awake, FUTEX_WAIT_PRIVATE, 0,
			    timeout_ns == WEFT_FOREVER ? NULL : &span, NULL, 0) < 0 &&
		    errno == ETIMEDOUT)
			return false;
	}
	return true;
}

/* ---- Spinning ---- */

/* Relaxed: how many workers of the process spin; a count. */
static atomic_int n_spinning;

static bool watch_queues(weft_executor *pool)
{
	weft_time end = weft__clock() + SPIN_NS;

	do {
		for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
			if (weft__pool_has_work(pool))
				return true;
			weft__cpu_relax();
		}
	} while (weft__clock() < end);
	return false;
}

/* As a loop does before it sleeps: loop/idle.c says when that pays. Return: has something come? */
static bool spin(struct worker *worker)
{
	bool came = false;

	if (atomic_load_explicit(&worker->pool->is_crowded, memory_order_relaxed))
		return false;
	if (worker->spins_skipped < worker->spin_skip) {
		worker->spins_skipped++;
		return false;
	}
	if (atomic_fetch_add_explicit(&n_spinning, 1, memory_order_relaxed) <
	    weft__loops_spare_cpus()) {
		worker->spins_skipped = 0;
		came = watch_queues(worker->pool);
		worker->spin_skip = came ? 0 : MIN(worker->spin_skip * 2 + 1, SKIP_MAX);
	}
	atomic_fetch_sub_explicit(&n_spinning, 1, memory_order_relaxed);
	return came;
}

/* ---- Idling ---- */

enum idle_end weft__idle(struct worker *worker, weft_time timeout_ns)
{
	weft_executor *pool = worker->pool;

	if (spin(worker))
		return IDLE_AGAIN;
	/* Relaxed: nobody writes it before it finds the bit. */
	atomic_store_explicit(&worker->awake, 0, memory_order_relaxed);
	/* D3, then D1. */
	atomic_fetch_or_explicit(&pool->idle[worker->index / BITS], bit_of(worker),
				 memory_order_seq_cst);
	atomic_fetch_sub_explicit(&pool->n_ready, 1, memory_order_seq_cst);
	if (weft__pool_has_work(pool) && take_bit_back(worker))
		return IDLE_AGAIN;
	if (sleep_until_awake(worker, timeout_ns))
		return IDLE_AGAIN;
	if (take_bit_back(worker))
		return IDLE_TIMEOUT;
	(void)sleep_until_awake(worker, WEFT_FOREVER);
	return IDLE_AGAIN;
}

/* ---- Waking ---- */

static void wake(struct worker *worker)
{
	/* W1. */
	atomic_store_explicit(&worker->awake, 1, memory_order_release);
	/* Wakes one or none; both are right. */
	(void)syscall(SYS_futex, &worker->awake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool weft__wake_one(weft_executor *pool)
{
	for (int i = 0; i < pool->n_slots / BITS; i++) {
		/* D4. */
		uint64_t bits =
			atomic_load_explicit(&pool->idle[i], memory_order_seq_cst);

		while (bits) {
			int index = i * BITS + __builtin_ctzll(bits);

			if (!atomic_compare_exchange_weak_explicit(
				    &pool->idle[i], &bits, bits & (bits - 1),
				    memory_order_seq_cst, memory_order_seq_cst))
				continue;
			atomic_fetch_add_explicit(&pool->n_ready, 1,
						  memory_order_seq_cst);
			/* Relaxed: its bit was set by itself. */
			wake(atomic_load_explicit(&pool->workers[index],
						  memory_order_relaxed));
			return true;
		}
	}
	return false;
}

void weft__wake_all(weft_executor *pool)
{
	while (weft__wake_one(pool))
		;
}

/* How many workers should be ready, by what waits? */
static int wanted(uint64_t waiting)
{
	int n_long = waiting_long(waiting);

	return n_long + (waiting_places(waiting) > n_long);
}

bool weft__spread_is_due(weft_executor *pool)
{
	return atomic_load_explicit(&pool->n_ready, memory_order_seq_cst) <
	       wanted(load_waiting(pool));
}

int weft__spread(weft_executor *pool, int n_short, int max_new)
{
	int n_woken = 0, n_ready, r = 0;

	for (;;) {
		/* D2 to the left, D1 to the right. */
		n_ready = atomic_load_explicit(&pool->n_ready, memory_order_seq_cst);
		if (n_ready >= wanted(load_waiting(pool)))
			break;
		if (n_woken == FAN_OUT)
			return 0;
		if (weft__wake_one(pool)) {
			n_woken++;
			continue;
		}
		if (n_woken > 0 || max_new-- == 0)
			return 0;
		r = weft__thread_add(pool);
		if (r <= 0)
			return r;
	}
	/* More for short ones is a gain, not a duty: whoever is awake will do. */
	for (; n_ready < n_short && n_woken < FAN_OUT; n_ready++, n_woken++) {
		if (!weft__wake_one(pool))
			break;
	}
	return 0;
}
