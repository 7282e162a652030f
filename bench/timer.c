/*
 * The bench "timer": setting, cancelling and expiring, with very many timers.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

static const struct bench_case cases[] = {
	{
		.name = "1 M over a minute",
		.n = 1000 * 1000,
		.floor = floor_wheel,
		.weft = ours_timers,
		.figures = { { .unit = "ns/insert", .reference = 3.6, .target_ratio = 2 },
			     { .unit = "ns/cancel", .reference = 3.8, .target_ratio = 2 },
			     { .unit = "ns/expire",
			       .reference = 97,
			       .target_ratio = 1.5,
			       .target_figure = 140 } },
	},
	{
		.name = "time-out, 500 k pending",
		.n = 500 * 1000,
		.floor = floor_wheel_set_and_cancel,
		.weft = ours_timers_set_and_cancel,
		.figures = { { .unit = "ns/set+cancel",
			       .reference = 5.5,
			       .target_ratio = 2,
			       .target_figure = 10 } },
	},
	{
		/* the usual structure as a floor: weft must take half as long */
		.name = "1 M, against a 4-ary heap",
		.n = 1000 * 1000,
		.floor = floor_heap_cancel,
		.weft = ours_timers_cancel,
		.figures = { { .unit = "ns/cancel",
			       .reference = 16.1,
			       .target_ratio = 0.5 } },
	},
};

const struct bench bench_timer = {
	.name = "timer",
	.what = "setting, cancelling and expiring",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
