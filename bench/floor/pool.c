/*
 * The bare thread pool; see pool.h.
 *
 * A worker that finds nothing sets its bit in idle_mask, looks once more, and sleeps on a
 * futex word of its own. Whoever publishes clears bits, and wakes only those workers.
 */
#include "bench/floor/pool.h"

#include "bench/measure.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RING_SIZE = 4096, MAX_WORKERS = 64, MAX_RUN = 32 };

struct worker {
	alignas(CACHE_LINE) _Atomic uint32_t woken; /* 0: may sleep */
	pthread_t thread;
	int index;
};

static struct {
	alignas(CACHE_LINE) _Atomic uint64_t tail;
	alignas(CACHE_LINE) _Atomic uint64_t head;
	alignas(CACHE_LINE) _Atomic(struct floor_job *) jobs[RING_SIZE];
} ring;
static alignas(CACHE_LINE) _Atomic uint64_t idle_mask;
static _Atomic bool stopping;
static struct worker workers[MAX_WORKERS];
static struct floor_pool_options options;
static struct floor_inbox inbox;
static uint64_t n_submitted, n_published; /* the loop's */

static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	/* Whatever it returns, the caller looks again. */
	(void)syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL,
		      0);
}

/* ---- The loop's side ---- */

static void wake_worker(struct worker *worker)
{
	/* Relaxed: the job was published before the idle bit was taken, see R2. */
	atomic_store_explicit(&worker->woken, 1, memory_order_relaxed);
	futex(&worker->woken, FUTEX_WAKE, 1);
}

static void wake_workers(uint64_t n)
{
	/* R2 (seq_cst): after R1, before R4's re-check of a worker that goes to sleep. */
	uint64_t mask = atomic_load_explicit(&idle_mask, memory_order_seq_cst);

	while (n > 0 && mask) {
		uint64_t rest = mask & (mask - 1);

		if (!atomic_compare_exchange_weak_explicit(&idle_mask, &mask, rest,
							   memory_order_seq_cst,
							   memory_order_seq_cst))
			continue;
		wake_worker(&workers[__builtin_ctzll(mask)]);
		mask = rest;
		n--;
	}
}

void floor_pool_submit(struct floor_job *job)
{
	/* Relaxed: R1 publishes it. */
	atomic_store_explicit(&ring.jobs[n_submitted++ % RING_SIZE], job,
			      memory_order_relaxed);
}

void floor_pool_publish(void)
{
	uint64_t n = n_submitted - n_published;

	n_published = n_submitted;
	/* R1 (seq_cst): releases the jobs to R3, and comes before R2. */
	atomic_store_explicit(&ring.tail, n_submitted, memory_order_seq_cst);
	wake_workers(n);
}

struct floor_node *floor_pool_wait(void)
{
	return floor_inbox_wait(&inbox);
}

/* ---- The workers' side ---- */

static uint64_t run_length(uint64_t n_available)
{
	uint64_t n = n_available / (uint64_t)(2 * options.n_workers) + 1;

	return MIN(n, (uint64_t)options.max_run);
}

/* Return: how many jobs were taken. */
static uint64_t grab(struct floor_job **jobs)
{
	/* Acquire: a slot is only reused after the head went past it. */
	uint64_t head = atomic_load_explicit(&ring.head, memory_order_acquire);

	for (;;) {
		/* R3 (seq_cst): acquires what R1 released; in R4 also after the idle bit.
		 */
		uint64_t tail = atomic_load_explicit(&ring.tail, memory_order_seq_cst);
		uint64_t n = run_length(tail - head);

		if (tail == head)
			return 0;
		/* Relaxed: a head that was passed meanwhile makes the exchange fail. */
		for (uint64_t i = 0; i < n; i++)
			jobs[i] = atomic_load_explicit(&ring.jobs[(head + i) % RING_SIZE],
						       memory_order_relaxed);
		/* Release: the slots were read before they may be filled again. */
		if (atomic_compare_exchange_weak_explicit(&ring.head, &head, head + n,
							  memory_order_acq_rel,
							  memory_order_acquire))
			return n;
	}
}

static uint64_t grab_spinning(struct floor_job **jobs)
{
	uint64_t n = grab(jobs);
	weft_time end;

	if (n > 0 || options.spin_ns == 0)
		return n;
	end = weft__clock() + options.spin_ns;
	while (weft__clock() < end) {
		for (int i = 0; i < 16; i++) {
			weft__cpu_relax();
			n = grab(jobs);
			if (n > 0)
				return n;
		}
	}
	return 0;
}

/* Return: how many jobs were taken; 0 when the pool stops or after a sleep. */
static uint64_t take(struct worker *self, struct floor_job **jobs)
{
	uint64_t n = grab_spinning(jobs), bit = (uint64_t)1 << self->index;

	if (n > 0)
		return n;
	/* Relaxed: nobody wakes us before the bit below is set. */
	atomic_store_explicit(&self->woken, 0, memory_order_relaxed);
	/* R4 (seq_cst): the bit first, then the last look (R3); the loop does it vice
	 * versa. */
	atomic_fetch_or_explicit(&idle_mask, bit, memory_order_seq_cst);
	n = grab(jobs);
	/* Relaxed: the flag carries nothing, and floor_pool_stop() wakes everybody. */
	if (n > 0 || atomic_load_explicit(&stopping, memory_order_relaxed)) {
		/* Relaxed: a wake-up that crosses this only sets `woken`. */
		atomic_fetch_and_explicit(&idle_mask, ~bit, memory_order_relaxed);
		return n;
	}
	/* Relaxed: what to do is found in the ring, by R3. */
	while (!atomic_load_explicit(&self->woken, memory_order_relaxed))
		futex(&self->woken, FUTEX_WAIT, 0);
	return 0;
}

static void *work(void *arg)
{
	struct worker *self = arg;
	struct floor_job *jobs[MAX_RUN];

	bench_pin(options.place);
	/* Relaxed: as in take(). */
	while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
		uint64_t n = take(self, jobs);

		for (uint64_t i = 0; i < n; i++) {
			jobs[i]->run(jobs[i]);
			if (i > 0)
				jobs[i]->node.next = &jobs[i - 1]->node;
		}
		if (n > 0) /* the newest first: the inbox is a stack */
			floor_inbox_push_chain(&inbox, &jobs[n - 1]->node,
					       &jobs[0]->node);
	}
	return NULL;
}

int floor_pool_start(const struct floor_pool_options *wanted)
{
	int r = floor_inbox_init(&inbox);

	if (r < 0)
		return r;
	options = *wanted;
	inbox.spin_ns = options.spin_ns;
	for (int i = 0; i < options.n_workers; i++) {
		workers[i].index = i;
		r = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (r)
			return -r; /* the sample ends here, and its threads with it */
	}
	return 0;
}

void floor_pool_stop(void)
{
	/* seq_cst: before the wake-ups, and seen by a worker that reads `woken` after
	 * them. */
	atomic_store_explicit(&stopping, true, memory_order_seq_cst);
	for (int i = 0; i < options.n_workers; i++)
		wake_worker(&workers[i]);
	for (int i = 0; i < options.n_workers; i++)
		pthread_join(workers[i].thread, NULL);
}
