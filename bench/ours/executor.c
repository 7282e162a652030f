/*
 * weft's sides of the bench "executor": tasks that call weft_run_in_executor().
 *
 * So many jobs in flight are so many tasks, each of which has one job at a time. Threads of a
 * pool have the CPU of the thread that made the pool.
 */
#include <weft/executor.h>
#include <weft/group.h>

#include <time.h>

#include "bench/measure.h"
#include "bench/ours/ours.h"

enum { IN_FLIGHT = 1000, ROUND = 100 * 1000, MIXED = 64 };

static const weft_time asleep_gap = 200 * WEFT_USEC;

static weft_executor *pool;

/* The threads on the CPU of `place`, the loop on the second. */
static int make_pool(long n_threads, int place)
{
	struct weft_thread_pool_options options = { .min_threads = (int)n_threads,
						    .max_threads = (int)n_threads };
	int r;

	bench_pin(place);
	r = weft_thread_pool_new(&options, &pool);
	if (place != BENCH_ANYWHERE)
		bench_pin(1);
	return r;
}

static int nothing(void *arg)
{
	uint64_t *n_runs = arg;

	++*n_runs;
	return 0;
}

static int sleep_for(weft_time span_ns)
{
	struct timespec span = { .tv_sec = span_ns / WEFT_SEC,
				 .tv_nsec = span_ns % WEFT_SEC };

	(void)nanosleep(&span, NULL); /* no signal interrupts it */
	return 0;
}

static int sleep_10_ms(void *unused)
{
	(void)unused;
	return sleep_for(10 * WEFT_MSEC);
}

static int sleep_1_s(void *unused)
{
	(void)unused;
	return sleep_for(1 * WEFT_SEC);
}

/* n tasks of fn at once, until all have ended. */
static int run_tasks(weft_fn *fn, int n)
{
	struct weft_group group;

	weft_group_begin(&group);
	for (int i = 0; i < n; i++)
		weft_group_spawn(&group, fn, NULL);
	return weft_group_end(&group, 0);
}

/* ---- 1000 in flight ---- */

static long n_left;
static uint64_t n_run;

static int submit_until_done(void *unused)
{
	uint64_t n_own = 0;
	int r = 0;

	(void)unused;
	while (r == 0 && n_left-- > 0)
		r = weft_run_in_executor(pool, nothing, &n_own);
	n_run += n_own;
	return r;
}

static int run_round(void)
{
	n_left = ROUND;
	n_run = 0;
	return run_tasks(submit_until_done, IN_FLIGHT);
}

static int measure_jobs(void *arg)
{
	struct bench_rounds rate = { .n = 0 }, cpu = { .n = 0 };
	double *values = arg;
	int r = run_round(); /* warm-up */

	while (r == 0 && bench_more(&rate)) {
		weft_time wall = weft__clock(), on_cpu = bench_process_cpu();

		r = run_round();
		bench_add(&rate, ROUND * 1e3 / (double)(weft__clock() - wall));
		bench_add(&cpu, (double)(bench_process_cpu() - on_cpu) / ROUND);
		if (r == 0 && n_run != ROUND)
			bench_die("weft ran %llu of %d jobs", (unsigned long long)n_run,
				  ROUND);
	}
	values[0] = bench_median(&rate);
	values[1] = bench_median(&cpu);
	return r;
}

/* Makes the pool, runs the task, closes the pool. */
static int run_with_pool(const struct bench_case *c, int place, weft_fn *fn,
			 double *values)
{
	int r = make_pool(c->n, place);

	if (r == 0)
		r = weft_run(fn, values);
	if (r == 0)
		r = weft_executor_close(pool, 10 * WEFT_SEC);
	return r;
}

int ours_executor_jobs(const struct bench_case *c, double *values)
{
	return bench_n_cpus() < 2 ? -ENOTSUP : run_with_pool(c, 0, measure_jobs, values);
}

int ours_executor_jobs_anywhere(const struct bench_case *c, double *values)
{
	return run_with_pool(c, c->m == BENCH_ONE_CPU ? 1 : BENCH_ANYWHERE, measure_jobs,
			     values);
}

/* ---- 1 in flight ---- */

static int measure_round_trips(double *values, weft_time gap)
{
	static struct bench_histogram latencies;
	weft_time end = weft__clock() + bench_budget();
	uint64_t n = 0;
	int r = 0;

	while (r == 0 && weft__clock() < end) {
		weft_time start;

		bench_busy(gap);
		start = weft__clock();
		r = weft_run_in_executor(pool, nothing, &n);
		bench_record(&latencies, weft__clock() - start);
	}
	values[0] = bench_percentile(&latencies, 50) / WEFT_USEC;
	return r;
}

static int measure_asleep(void *values)
{
	return measure_round_trips(values, asleep_gap);
}

static int measure_awake(void *values)
{
	return measure_round_trips(values, 0);
}

int ours_executor_asleep(const struct bench_case *c, double *values)
{
	return run_with_pool(c, c->m == BENCH_ONE_CPU ? 1 : 0, measure_asleep, values);
}

int ours_executor_spinning(const struct bench_case *c, double *values)
{
	return bench_n_cpus() < 2 ? -ENOTSUP : run_with_pool(c, 0, measure_awake, values);
}

/* ---- Jobs that really block ---- */

static int sleep_in_pool(void *unused)
{
	return weft_run_in_executor(pool, sleep_10_ms, unused);
}

static int measure_sleeps(void *values)
{
	enum { SLEEPS = 64 };
	struct bench_rounds rounds = { .n = 0 };
	int r = run_tasks(sleep_in_pool, SLEEPS); /* warms the threads */

	while (r == 0 && bench_more(&rounds)) {
		weft_time start = weft__clock();

		r = run_tasks(sleep_in_pool, SLEEPS);
		bench_add(&rounds, (double)(weft__clock() - start) / WEFT_MSEC);
	}
	*(double *)values = bench_median(&rounds);
	return r;
}

int ours_executor_sleeps(const struct bench_case *c, double *values)
{
	return run_with_pool(c, BENCH_ANYWHERE, measure_sleeps, values);
}

static int n_begun;
static bool is_mixed;
static weft_time last_back; /* of those that do not sleep */

static int run_one_of_many(void *unused)
{
	bool sleeps = n_begun++ == 0 && is_mixed;
	uint64_t n = 0;
	int r;

	(void)unused;
	r = weft_run_in_executor(pool, sleeps ? sleep_1_s : nothing, &n);
	if (!sleeps)
		last_back = weft__clock();
	return r;
}

static int measure_mixed(void *values)
{
	weft_time start;
	int r = run_tasks(run_one_of_many, MIXED); /* warms the threads */

	if (r < 0)
		return r;
	n_begun = 0;
	is_mixed = true;
	start = weft__clock();
	r = run_tasks(run_one_of_many, MIXED);
	*(double *)values = (double)(last_back - start) / WEFT_MSEC;
	return r;
}

int ours_executor_mixed(const struct bench_case *c, double *values)
{
	return run_with_pool(c, BENCH_ANYWHERE, measure_mixed, values);
}
