/*
 * The bench "post": call_soon_threadsafe, in bulk and to and fro.
 *
 * One producer has the first CPU and the loop the second; two producers and the loop
 * share both. "one CPU" confines all of them to one.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

#define RATE(reference_m, ratio, figure)                                        \
	{                                                                       \
		.unit = "M/s", .reference = reference_m, .target_ratio = ratio, \
		.target_figure = figure, .more_is_better = true                 \
	}
#define CPU(reference_ns)                                   \
	{                                                   \
		.unit = "CPU ns", .reference = reference_ns \
	}

static const struct bench_case cases[] = {
	{
		.name = "1 producer",
		.n = 1,
		.floor = floor_post_embedded,
		.weft = ours_post_embedded,
		.figures = { RATE(58, 0.5, 25), CPU(40) },
	},
	{
		.name = "1 producer, recycled",
		.n = 1,
		.floor = floor_post_recycled,
		.weft = ours_post_recycled,
		.figures = { RATE(17, 0.5, 15), CPU(0) },
	},
	{
		.name = "2 producers",
		.n = 2,
		.floor = floor_post_embedded,
		.weft = ours_post_embedded,
		.figures = { RATE(44, 0.5, 25), CPU(0) },
	},
	{
		.name = "1 producer, one CPU",
		.n = 1,
		.m = BENCH_ONE_CPU,
		.floor = floor_post_embedded,
		.weft = ours_post_embedded,
		.figures = { RATE(0, 0.5, 25), CPU(40) },
	},
	{
		.name = "2 producers, one CPU",
		.n = 2,
		.m = BENCH_ONE_CPU,
		.floor = floor_post_embedded,
		.weft = ours_post_embedded,
		.figures = { RATE(0, 0.5, 25), CPU(0) },
	},
	{
		.name = "ping-pong, asleep",
		.floor = floor_post_asleep,
		.weft = ours_post_asleep,
		.figures = { { .unit = "us one way",
			       .reference = 33.5,
			       .target_ratio = 1.2 } },
	},
	{
		.name = "ping-pong, asleep, one CPU",
		.m = BENCH_ONE_CPU,
		.floor = floor_post_asleep,
		.weft = ours_post_asleep,
		.figures = { { .unit = "us one way",
			       .reference = 1.07,
			       .target_ratio = 1.2 } },
	},
	{
		.name = "ping-pong, spinning",
		.floor = floor_post_spinning,
		.weft = ours_post_spinning,
		.figures = { { .unit = "us one way",
			       .reference = 0.12,
			       .target_ratio = 1.3,
			       .target_figure = 0.5 } },
	},
};

const struct bench bench_post = {
	.name = "post",
	.what = "callbacks sent to a loop by other threads",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
