/*
 * weft's sides of the bench "call_soon": callbacks that queue themselves again, with a
 * handle, so that each could be cancelled, or without.
 */
#include <weft/loop.h>

#include "bench/measure.h"
#include "bench/ours/ours.h"

struct item {
	alignas(CACHE_LINE) long n_runs; /* what a callback touches, as in the floor */
	alignas(CACHE_LINE) struct weft_handle handle;
};

struct bare_item {
	alignas(CACHE_LINE) long n_runs;
};

static weft_loop *loop;
static long n_left, n_queued;

/* Nothing is to be queued any more; the last one that was ends the round. */
static void count_end(void)
{
	if (n_left == -n_queued)
		weft_loop_stop(loop);
}

static void again_bare(void *arg)
{
	struct bare_item *item = arg;

	item->n_runs++;
	if (n_left-- <= 0)
		count_end();
	else if (weft_loop_call_soon(loop, again_bare, item, NULL) < 0)
		bench_die("no memory for a callback");
}

static void again(void *arg)
{
	struct item *item = arg;

	item->n_runs++;
	if (n_left-- <= 0)
		count_end();
	else if (weft_loop_call_soon(loop, again, item, &item->handle) < 0)
		bench_die("a handle was refused");
}

/* The items in an order in which no prefetcher can guess the next one. */
static void **shuffled_items(size_t item_bytes)
{
	char *items = weft__aligned_alloc(CACHE_LINE, (size_t)n_queued * item_bytes);
	void **order = weft__alloc_array((size_t)n_queued, sizeof(void *));
	uint64_t random = 42;

	if (!items || !order)
		bench_die("no memory for %ld items", n_queued);
	memset(items, 0, (size_t)n_queued * item_bytes);
	for (long i = 0; i < n_queued; i++)
		order[i] = items + (size_t)i * item_bytes;
	for (long i = n_queued - 1; i > 0; i--) {
		long k = (long)(bench_random(&random) % (uint64_t)(i + 1));
		void *swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	return order;
}

static void queue_all(void **order, bool has_handle)
{
	for (long i = 0; i < n_queued; i++) {
		struct item *item = order[i];
		int r = has_handle ? weft_loop_call_soon(loop, again, item, &item->handle)
				   : weft_loop_call_soon(loop, again_bare, item, NULL);

		if (r < 0)
			bench_die("no memory for a callback");
	}
}

static int measure(const struct bench_case *c, bool has_handle, double *values)
{
	size_t item_bytes = has_handle ? sizeof(struct item) : sizeof(struct bare_item);
	struct bench_rounds rounds = { .n = 0 };
	long n_runs = MAX(400 * 1000, 2 * c->n);
	void **order;
	int r = weft_loop_new(NULL, &loop);

	if (r < 0)
		return r;
	bench_pin(1);
	n_queued = c->n;
	order = shuffled_items(item_bytes);
	while (r == 0 && bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		n_left = n_runs - n_queued;
		queue_all(order, has_handle);
		r = weft_loop_run(loop);
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / (double)n_runs);
	}
	values[0] = bench_median(&rounds);
	return r;
}

int ours_call_soon(const struct bench_case *c, double *values)
{
	return measure(c, false, values);
}

int ours_call_soon_handle(const struct bench_case *c, double *values)
{
	return measure(c, true, values);
}
