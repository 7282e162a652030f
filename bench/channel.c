/*
 * The bench "channel": items of 8 bytes through one channel, or one there and another back.
 *
 * The getting loop has the second CPU; the putting loop, or thread, the first. "one CPU" confines
 * both to one. The floor is a ring of as many places for any number of threads, which spins where
 * a channel waits.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

#define RATE(reference_m)                                                     \
	{                                                                     \
		.unit = "M/s", .reference = reference_m, .target_ratio = 0.5, \
		.target_figure = 5, .more_is_better = true                    \
	}
#define CPU(reference_ns)                                   \
	{                                                   \
		.unit = "CPU ns", .reference = reference_ns \
	}

enum { FEW = 16, MANY = 256 };

static const struct bench_case cases[] = {
	{
		.name = "put and get",
		.n = MANY,
		.floor = floor_channel_alone,
		.weft = ours_channel_alone,
		.figures = { { .unit = "ns",
			       .reference = 12.1,
			       .target_ratio = 3,
			       .target_figure = 40 } },
	},
	{
		.name = "two tasks",
		.n = MANY,
		.weft = ours_channel_tasks,
		.figures = { RATE(0), CPU(0) },
	},
	{
		.name = "two loops",
		.n = MANY,
		.floor = floor_channel_threads,
		.weft = ours_channel_loops,
		.figures = { RATE(58), CPU(36) },
	},
	{
		.name = "two loops, 16 places",
		.n = FEW,
		.floor = floor_channel_threads,
		.weft = ours_channel_loops,
		.figures = { { .unit = "M/s", .reference = 51, .more_is_better = true },
			     CPU(39) },
	},
	{
		.name = "two loops, one CPU",
		.n = MANY,
		.m = BENCH_ONE_CPU,
		.floor = floor_channel_threads,
		.weft = ours_channel_loops,
		.figures = { RATE(4.8), CPU(208) },
	},
	{
		.name = "thread to loop",
		.n = MANY,
		.floor = floor_channel_threads,
		.weft = ours_channel_thread,
		.figures = { RATE(61), CPU(33) },
	},
	{
		.name = "ping-pong, spinning",
		.n = 1,
		.floor = floor_channel_ping_pong,
		.weft = ours_channel_ping_pong,
		.figures = { { .unit = "us one way",
			       .reference = 0.08,
			       .target_ratio = 2,
			       .target_figure = 0.5 } },
	},
};

const struct bench bench_channel = {
	.name = "channel",
	.what = "items between tasks, loops and threads",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
