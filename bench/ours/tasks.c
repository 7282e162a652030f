/*
 * weft's sides of the benches "spawn", "yield" and "memory".
 *
 * Stacks have their default size, but where there are a million tasks: those have the
 * smallest, as one would in such a program.
 */
#include <weft/task.h>

#include "bench/measure.h"
#include "bench/ours/ours.h"

enum { BURST = 1000, MANY = 1000 * 1000, SMALL_STACK = 128 * 1024 };

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int spawn(weft_fn *fn, bool small)
{
	struct weft_spawn_options options = { .stack_bytes = SMALL_STACK };

	return small ? weft_spawn_with(fn, NULL, &options, NULL)
		     : weft_spawn(fn, NULL, NULL);
}

/* ---- Spawn ---- */

static int spawn_burst(int n)
{
	for (int i = 0; i < n; i++) {
		int r = weft_spawn(nothing, NULL, NULL);

		if (r < 0)
			return r;
	}
	return weft_yield();
}

/* What is measured: so many bursts of so many tasks. */
struct bursts {
	int size;
	int n_in_round;
	double ns;
};

static int measure_bursts(void *arg)
{
	struct bench_rounds rounds = { .n = 0 };
	struct bursts *bursts = arg;
	int r = spawn_burst(BURST + 1); /* fills the pool */

	while (r == 0 && bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; r == 0 && i < bursts->n_in_round; i++)
			r = spawn_burst(bursts->size);
		bench_add(&rounds, (double)(bench_thread_cpu() - start) /
					   (bursts->n_in_round * bursts->size));
	}
	bursts->ns = bench_median(&rounds);
	return r;
}

static int run_bursts(struct bursts bursts, double *values)
{
	int r;

	bench_pin(1);
	r = weft_run(measure_bursts, &bursts);
	values[0] = bursts.ns;
	return r;
}

int ours_spawn_one_by_one(const struct bench_case *c, double *values)
{
	(void)c;
	return run_bursts((struct bursts){ .size = 1, .n_in_round = 50 * 1000 }, values);
}

int ours_spawn_bursts(const struct bench_case *c, double *values)
{
	(void)c;
	return run_bursts((struct bursts){ .size = BURST, .n_in_round = 50 }, values);
}

/* Spawned together, so that each has a stack of its own; they begin, and end. */
static int measure_first_use(void *arg)
{
	double *n = arg;
	weft_time start = bench_thread_cpu();
	int r = spawn_burst((int)*n);

	*n = (double)(bench_thread_cpu() - start) / *n;
	return r;
}

int ours_spawn_first_use(const struct bench_case *c, double *values)
{
	bench_pin(1);
	values[0] = (double)c->n;
	return weft_run(measure_first_use, values);
}

/* ---- Yield ---- */

static struct {
	struct bench_rounds rounds;
	long n_tasks;
	long n_turns; /* of a round */
	long n_left; /* of this one */
	weft_time start;
	bool stop;
} yielding;

/* Between two of its turns each task has had one. The first round only warms up. */
static void watch(void)
{
	if (yielding.n_left-- > 0)
		return;
	if (yielding.start)
		bench_add(&yielding.rounds,
			  (double)(bench_thread_cpu() - yielding.start) /
				  (double)(yielding.n_turns * yielding.n_tasks));
	yielding.stop = !bench_more(&yielding.rounds);
	yielding.n_left = yielding.n_turns - 1;
	yielding.start = bench_thread_cpu();
}

/* One of them holds the watch, and yields where all yield, as in the floor. */
static int take_turns(void *is_watch)
{
	int r = 0;

	while (r == 0 && !yielding.stop) {
		if (is_watch)
			watch();
		r = weft_yield();
	}
	return r;
}

static int spawn_and_watch(void *is_watch)
{
	for (long i = 1; i < yielding.n_tasks; i++) {
		int r = spawn(take_turns, yielding.n_tasks >= MANY);

		if (r < 0)
			return r;
	}
	return take_turns(is_watch);
}

int ours_yield_round_robin(const struct bench_case *c, double *values)
{
	int r;

	bench_pin(1);
	yielding.n_tasks = c->n;
	yielding.n_turns = MAX(200 * 1000 / c->n, 1);
	r = weft_run(spawn_and_watch, &yielding);
	values[0] = bench_median(&yielding.rounds);
	return r;
}

/* ---- Memory ---- */

static int sleep_for_long(void *arg)
{
	(void)arg;
	return weft_sleep(24 * 60 * WEFT_MIN); /* until main ends and this is cancelled */
}

static double resident_bytes(void)
{
	return bench_status_bytes("VmRSS:") + bench_status_bytes("VmPTE:");
}

struct sleeping {
	long n;
	double bytes; /* of each */
	double ns;
};

static int start_sleeping(void *arg)
{
	struct sleeping *sleeping = arg;
	double before = resident_bytes();
	weft_time start = bench_thread_cpu();
	int r = 0;

	for (long i = 0; r == 0 && i < sleeping->n; i++)
		r = spawn(sleep_for_long, true);
	if (r == 0)
		r = weft_yield();
	sleeping->ns = (double)(bench_thread_cpu() - start) / (double)sleeping->n;
	sleeping->bytes = (resident_bytes() - before) / (double)sleeping->n;
	return r;
}

int ours_memory_sleeping(const struct bench_case *c, double *values)
{
	struct sleeping sleeping = { .n = c->n };
	int r;

	bench_pin(1);
	r = weft_run(start_sleeping, &sleeping);
	values[0] = sleeping.bytes;
	values[1] = sleeping.ns;
	return r;
}
