/*
 * The bench "switch": from one stack to another, one way.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

static const struct bench_case cases[] = {
	{
		.name = "one way",
		.floor = floor_switch_one_way,
		.weft = ours_switch_one_way,
		.figures = { { .unit = "ns",
			       .reference = 2.25,
			       .target_ratio = 1.4,
			       .target_figure = 3.2 } },
	},
	{
		/* what a switch costs that ends in "ret": why weft's does not */
		.name = "one way, by ret",
		.floor = floor_switch_one_way_ret,
		.figures = { { .unit = "ns", .reference = 13.5 } },
	},
	{
		.name = "half a call and return",
		.floor = floor_call_and_return,
		.figures = { { .unit = "ns", .reference = 0.65 } },
	},
};

const struct bench bench_switch = {
	.name = "switch",
	.what = "from one stack to another",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
