/*
 * Floor of the bench "call_soon": a ring of {function, argument}, and callbacks that
 * queue themselves again. A turn runs what was queued when it began.
 */
#include "bench/floor/floors.h"
#include "bench/measure.h"

typedef void callback(void *arg);

struct slot {
	callback *fn;
	void *arg;
};

struct item {
	alignas(CACHE_LINE) long n_runs; /* what a callback touches: a line of its own */
};

static struct slot *ring;
static size_t head, tail, mask;
static long n_left;

static inline void call_soon(callback *fn, void *arg)
{
	ring[tail++ & mask] = (struct slot){ fn, arg };
}

static void again(void *arg)
{
	struct item *item = arg;

	item->n_runs++;
	if (n_left-- > 0)
		call_soon(again, item);
}

static void run(void)
{
	while (head != tail) {
		size_t turn_end = tail;

		while (head != turn_end) {
			struct slot slot = ring[head++ & mask];

			slot.fn(slot.arg);
		}
	}
}

/* The items in an order in which no prefetcher can guess the next one. */
static struct item **shuffled_items(long n)
{
	struct item *items = weft__aligned_alloc(CACHE_LINE, (size_t)n * sizeof(*items));
	struct item **order = weft__alloc_array((size_t)n, sizeof(struct item *));
	uint64_t random = 42;

	if (!items || !order)
		bench_die("no memory for %ld items", n);
	for (long i = 0; i < n; i++) {
		items[i].n_runs = 0;
		order[i] = &items[i];
	}
	for (long i = n - 1; i > 0; i--) {
		long k = (long)(bench_random(&random) % (uint64_t)(i + 1));
		struct item *swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	return order;
}

int floor_call_soon_ring(const struct bench_case *c, double *values)
{
	struct bench_rounds rounds = { .n = 0 };
	long n = c->n, n_runs = MAX(400 * 1000, 2 * n);
	struct item **order;
	size_t size = 64;

	bench_pin(1);
	while (size < (size_t)n + 1)
		size *= 2;
	ring = weft__alloc_array(size, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	mask = size - 1;
	order = shuffled_items(n);
	while (bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		n_left = n_runs - n;
		for (long i = 0; i < n; i++)
			call_soon(again, order[i]);
		run();
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / (double)n_runs);
	}
	values[0] = bench_median(&rounds);
	return 0;
}
