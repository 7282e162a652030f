/*
 * weft's sides of the bench "channel". Whoever gets measures, and checks that each item comes in
 * its turn; then it shuts the channel down, which ends whoever puts.
 */
#include <weft/channel.h>

#include <pthread.h>

#include "bench/measure.h"
#include "bench/ours/ours.h"

enum { ITEMS = 200 * 1000 };

static weft_channel *there, *back;
static uint64_t n_put, n_gotten;

static int put_all(void *unused)
{
	int r;

	(void)unused;
	do
		r = weft_channel_put(there, &n_put);
	while (r == 0 && ++n_put);
	return r == -ESHUTDOWN ? 0 : r;
}

static void check(uint64_t item)
{
	if (item != n_gotten++)
		bench_die("weft's channel lost an item");
}

/* ---- One task ---- */

static int measure_alone(void *values)
{
	struct bench_rounds rounds = { .n = 0 };
	int r = 0;

	while (r == 0 && bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; i < ITEMS && r == 0; i++) {
			uint64_t item = n_gotten;

			r = weft_channel_put(there, &item);
			if (r == 0)
				r = weft_channel_get(there, &item);
			check(item);
		}
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / ITEMS);
	}
	*(double *)values = bench_median(&rounds);
	return r;
}

int ours_channel_alone(const struct bench_case *c, double *values)
{
	int r = weft_channel_new(sizeof(uint64_t), (size_t)c->n, NULL, &there);

	bench_pin(1);
	return r < 0 ? r : weft_run(measure_alone, values);
}

/* ---- A stream ---- */

static int measure_stream(void *arg)
{
	struct bench_rounds rate = { .n = 0 }, cpu = { .n = 0 };
	double *values = arg;
	int r = 0;

	while (r == 0 && bench_more(&rate)) {
		weft_time wall = weft__clock(), on_cpu = bench_process_cpu();

		for (int i = 0; i < ITEMS && r == 0; i++) {
			uint64_t item = 0;

			r = weft_channel_get(there, &item);
			check(item);
		}
		bench_add(&rate, ITEMS * 1e3 / (double)(weft__clock() - wall));
		bench_add(&cpu, (double)(bench_process_cpu() - on_cpu) / ITEMS);
	}
	values[0] = bench_median(&rate);
	values[1] = bench_median(&cpu);
	weft_channel_shutdown(there);
	return r;
}

static int measure_with_a_task(void *values)
{
	int r = weft_spawn(put_all, NULL, NULL);

	return r < 0 ? r : measure_stream(values);
}

int ours_channel_tasks(const struct bench_case *c, double *values)
{
	int r = weft_channel_new(sizeof(uint64_t), (size_t)c->n, NULL, &there);

	bench_pin(1);
	return r < 0 ? r : weft_run(measure_with_a_task, values);
}

/* The one who puts. */
struct other {
	pthread_t thread;
	weft_fn *fn;
	int place;
	bool has_loop;
};

static void *run_other(void *arg)
{
	struct other *other = arg;

	bench_pin(other->place);
	if ((other->has_loop ? weft_run(other->fn, NULL) : other->fn(NULL)) < 0)
		bench_die("an item was refused");
	return NULL;
}

static int measure_with(struct other other, weft_fn *fn, double *values)
{
	int r;

	pthread_create(&other.thread, NULL, run_other, &other);
	bench_pin(1);
	r = weft_run(fn, values);
	pthread_join(other.thread, NULL);
	return r;
}

static int stream_from(struct other other, const struct bench_case *c, double *values)
{
	int r = weft_channel_new(sizeof(uint64_t), (size_t)c->n, NULL, &there);

	return r < 0 ? r : measure_with(other, measure_stream, values);
}

int ours_channel_loops(const struct bench_case *c, double *values)
{
	struct other other = { .fn = put_all, .has_loop = true };

	other.place = c->m == BENCH_ONE_CPU ? 1 : 0;
	return stream_from(other, c, values);
}

int ours_channel_thread(const struct bench_case *c, double *values)
{
	return stream_from((struct other){ .fn = put_all, .place = 0 }, c, values);
}

/* ---- To and fro ---- */

static int answer(void *unused)
{
	uint64_t item;
	int r;

	(void)unused;
	do
		r = weft_channel_get(there, &item);
	while (r == 0 && (r = weft_channel_put(back, &item)) == 0);
	return r == -ESHUTDOWN ? 0 : r;
}

static int measure_round_trips(void *values)
{
	static struct bench_histogram latencies;
	weft_time end = weft__clock() + bench_budget();
	int r = 0;

	while (r == 0 && weft__clock() < end) {
		weft_time start = weft__clock();
		uint64_t item = n_gotten;

		r = weft_channel_put(there, &item);
		if (r == 0)
			r = weft_channel_get(back, &item);
		bench_record(&latencies, weft__clock() - start);
		check(item);
	}
	*(double *)values = bench_percentile(&latencies, 50) / 2 / WEFT_USEC;
	weft_channel_shutdown(there);
	return r;
}

int ours_channel_ping_pong(const struct bench_case *c, double *values)
{
	struct other other = { .fn = answer, .place = 0, .has_loop = true };
	int r;

	if (bench_n_cpus() < 2)
		return -ENOTSUP;
	r = weft_channel_new(sizeof(uint64_t), (size_t)c->n, NULL, &there);
	if (r == 0)
		r = weft_channel_new(sizeof(uint64_t), (size_t)c->n, NULL, &back);
	return r < 0 ? r : measure_with(other, measure_round_trips, values);
}
