/*
 * The bench "executor": a function run by a thread of the pool, its result back on the
 * loop.
 *
 * With a worker of its own CPU the loop has the second CPU. "asleep" waits before each
 * job until everybody sleeps.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

#define JOBS(reference_m, ratio, figure)                                             \
	{                                                                            \
		.unit = "M jobs/s", .reference = reference_m, .target_ratio = ratio, \
		.target_figure = figure, .more_is_better = true                      \
	}
#define CPU                      \
	{                        \
		.unit = "CPU ns" \
	}

static const struct bench_case cases[] = {
	{
		.name = "1000 in flight, 1 worker",
		.n = 1,
		.floor = floor_executor_spinning_jobs,
		.weft = ours_executor_jobs,
		.figures = { JOBS(26, 0.4, 10), CPU },
	},
	{
		.name = "1000 in flight, 2 workers",
		.n = 2,
		.floor = floor_executor_sleeping_jobs,
		.weft = ours_executor_jobs_anywhere,
		.figures = { JOBS(37, 0.4, 10), CPU },
	},
	{
		.name = "1000 in flight, one CPU",
		.n = 2,
		.m = BENCH_ONE_CPU,
		.floor = floor_executor_sleeping_jobs,
		.weft = ours_executor_jobs_anywhere,
		.figures = { JOBS(51, 0.4, 10), CPU },
	},
	{
		/* what most libraries do as a floor: weft must do many times as many */
		.name = "1000 in flight, the usual pool",
		.n = 1,
		.floor = floor_executor_usual_pool,
		.weft = ours_executor_jobs,
		.figures = { JOBS(0.9, 8, 0) },
	},
	{
		.name = "1 in flight, asleep",
		.n = 1,
		.floor = floor_executor_asleep,
		.weft = ours_executor_asleep,
		.figures = { { .unit = "us", .reference = 66, .target_ratio = 1.3 } },
	},
	{
		.name = "1 in flight, asleep, one CPU",
		.n = 1,
		.m = BENCH_ONE_CPU,
		.floor = floor_executor_asleep,
		.weft = ours_executor_asleep,
		.figures = { { .unit = "us", .reference = 3.14, .target_ratio = 1.3 } },
	},
	{
		.name = "1 in flight, spinning",
		.n = 1,
		.floor = floor_executor_spinning,
		.weft = ours_executor_spinning,
		.figures = { { .unit = "us",
			       .reference = 0.53,
			       .target_ratio = 1.3,
			       .target_figure = 1 } },
	},
	{
		.name = "64 sleeps of 10 ms",
		.n = 64,
		.floor = floor_executor_sleeps,
		.weft = ours_executor_sleeps,
		.figures = { { .unit = "ms", .reference = 11.6, .target_ratio = 1.03 } },
	},
	{
		/* 64 jobs at once, one of which sleeps 1 s: when the last of the others
		   is back */
		.name = "mixed",
		.n = 4,
		.repeats = 3,
		.is_slow = true,
		.floor = floor_executor_mixed,
		.weft = ours_executor_mixed,
		.figures = { { .unit = "ms", .target_figure = 5 } },
	},
};

const struct bench bench_executor = {
	.name = "executor",
	.what = "a function run by a thread of the pool",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
