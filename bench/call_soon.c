/*
 * The bench "call_soon": queue a callback and run it, with n of them queued.
 */
#include "bench/floor/floors.h"

#define QUEUED(case_name, n_queued, reference_ns, ratio, figure)                 \
	{                                                                        \
		.name = case_name, .n = n_queued, .floor = floor_call_soon_ring, \
		.figures = {                                                     \
			{ .unit = "ns",                                          \
			  .reference = reference_ns,                             \
			  .target_ratio = ratio,                                 \
			  .target_figure = figure }                              \
		}                                                                \
	}

static const struct bench_case cases[] = {
	QUEUED("1 queued", 1, 3.1, 2, 5),
	QUEUED("100 queued", 100, 2.9, 2, 5),
	QUEUED("1 k queued", 1000, 3.5, 2, 5),
	QUEUED("1 M queued", 1000 * 1000, 9.3, 2, 20),
};

const struct bench bench_call_soon = {
	.name = "call_soon",
	.what = "a callback queued and run",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
