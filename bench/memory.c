/*
 * The bench "memory": a million tasks that sleep.
 *
 * Bytes are resident memory and page tables. Needs Linux 6.13 or later: before, a guard
 * is a mapping of its own, and there cannot be so many.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

static const struct bench_case cases[] = {
	{
		.name = "1 M sleeping tasks",
		.n = 1000 * 1000,
		.repeats = 1,
		.is_slow = true,
		.floor = floor_memory_sleeping,
		.weft = ours_memory_sleeping,
		.figures = { { .unit = "B/task",
			       .reference = 4224,
			       .target_ratio = 1.05,
			       .target_figure = 4400 },
			     { .unit = "ns to start",
			       .reference = 2055,
			       .target_ratio = 1.5 } },
	},
};

const struct bench bench_memory = {
	.name = "memory",
	.what = "what a sleeping task holds",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
