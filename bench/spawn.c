/*
 * The bench "spawn": a task from its start to its end.
 *
 * On pooled stacks except in "first use", where each task gets a stack that was never
 * touched: its floor is a guard and a page fault.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

static const struct bench_case cases[] = {
	{
		.name = "one by one", /* with a yield of the parent each */
		.floor = floor_spawn_one_by_one,
		.weft = ours_spawn_one_by_one,
		.figures = { { .unit = "ns",
			       .reference = 11.3,
			       .target_ratio = 3,
			       .target_figure = 45 } },
	},
	{
		.name = "bursts of 1000",
		.floor = floor_spawn_bursts,
		.weft = ours_spawn_bursts,
		.figures = { { .unit = "ns",
			       .reference = 16.4,
			       .target_ratio = 3,
			       .target_figure = 50 } },
	},
	{
		.name = "first use of a stack",
		.n = 20 * 1000,
		.floor = floor_spawn_first_use,
		.weft = ours_spawn_first_use,
		.figures = { { .unit = "ns",
			       .reference = 1670,
			       .target_ratio = 1.5,
			       .target_figure = 2500 } },
	},
};

const struct bench bench_spawn = {
	.name = "spawn",
	.what = "a task from its start to its end",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
