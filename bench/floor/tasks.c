/*
 * Floors of the benches "spawn", "yield" and "memory": tasks of the bare scheduler
 * (sched.h).
 */
#include "bench/floor/floors.h"
#include "bench/floor/sched.h"
#include "bench/floor/stacks.h"
#include "bench/floor/switch.h"
#include "bench/measure.h"

enum { BURST = 1000 };

static void nothing(void *arg)
{
	(void)arg;
}

/* ---- Spawn ---- */

static void spawn_one_by_one(void *arg)
{
	enum { ROUND = 50 * 1000 };
	struct bench_rounds *rounds = arg;

	while (bench_more(rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; i < ROUND; i++) {
			(void)floor_spawn(nothing, NULL); /* from the pool: cannot fail */
			floor_yield();
		}
		bench_add(rounds, (double)(bench_thread_cpu() - start) / ROUND);
	}
}

static void spawn_bursts(void *arg)
{
	enum { ROUND = 50 };
	struct bench_rounds *rounds = arg;

	while (bench_more(rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; i < ROUND; i++) {
			for (int k = 0; k < BURST; k++)
				(void)floor_spawn(nothing, NULL); /* from the pool */
			floor_yield();
		}
		bench_add(rounds, (double)(bench_thread_cpu() - start) / (ROUND * BURST));
	}
}

static int run_spawner(floor_fn *spawner, double *values)
{
	struct bench_rounds rounds = { .n = 0 };

	bench_pin(1);
	floor_sched_init(2 * BURST);
	for (int i = 0; i < BURST + 1; i++) { /* fills the pool */
		int r = floor_spawn(nothing, NULL);

		if (r < 0)
			return r;
	}
	floor_run();
	(void)floor_spawn(spawner, &rounds); /* from the pool */
	floor_run();
	values[0] = bench_median(&rounds);
	return 0;
}

int floor_spawn_one_by_one(const struct bench_case *c, double *values)
{
	(void)c;
	return run_spawner(spawn_one_by_one, values);
}

int floor_spawn_bursts(const struct bench_case *c, double *values)
{
	(void)c;
	return run_spawner(spawn_bursts, values);
}

int floor_spawn_first_use(const struct bench_case *c, double *values)
{
	weft_time start;

	bench_pin(1);
	start = bench_thread_cpu();
	for (long i = 0; i < c->n; i++) {
		volatile char *top = floor_stack_new(64);

		if (!top)
			return -ENOTSUP;
		*top = 1; /* the fault */
	}
	values[0] = (double)(bench_thread_cpu() - start) / (double)c->n;
	return 0;
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

/*
 * One of them holds the watch, and yields where all yield: a processor foretells where a
 * return goes by the last call, so one that yielded elsewhere would cost two wrong guesses.
 */
static void take_turns(void *is_watch)
{
	while (!yielding.stop) {
		if (is_watch)
			watch();
		floor_yield();
	}
}

int floor_yield_round_robin(const struct bench_case *c, double *values)
{
	bench_pin(1);
	floor_sched_init((size_t)c->n);
	yielding.n_tasks = c->n;
	yielding.n_turns = MAX(200 * 1000 / c->n, 1);
	for (long i = 0; i < c->n; i++) {
		int r = floor_spawn(take_turns, i == 0 ? &yielding : NULL);

		if (r < 0)
			return r;
	}
	floor_run();
	values[0] = bench_median(&yielding.rounds);
	return 0;
}

/* ---- Memory ---- */

static void sleep_for_good(void *arg)
{
	(void)arg;
	floor_park();
}

int floor_memory_sleeping(const struct bench_case *c, double *values)
{
	double before;
	weft_time start;

	bench_pin(1);
	floor_sched_init((size_t)c->n);
	before = bench_status_bytes("VmRSS:") + bench_status_bytes("VmPTE:");
	start = bench_thread_cpu();
	for (long i = 0; i < c->n; i++) {
		int r = floor_spawn(sleep_for_good, NULL);

		if (r < 0)
			return r;
	}
	floor_run();
	values[1] = (double)(bench_thread_cpu() - start) / (double)c->n;
	values[0] =
		(bench_status_bytes("VmRSS:") + bench_status_bytes("VmPTE:") - before) /
		(double)c->n;
	return 0;
}
