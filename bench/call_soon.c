/*
 * The bench "call_soon": queue a callback and run it, with n of them queued.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

#define QUEUED(case_name, n_queued, side, reference_ns, ratio, figure)           \
	{                                                                        \
		.name = case_name, .n = n_queued, .floor = floor_call_soon_ring, \
		.weft = side, .figures = {                                       \
			{ .unit = "ns",                                          \
			  .reference = reference_ns,                             \
			  .target_ratio = ratio,                                 \
			  .target_figure = figure }                              \
		}                                                                \
	}

static const struct bench_case cases[] = {
	QUEUED("1 queued", 1, ours_call_soon, 3.1, 2, 5),
	QUEUED("100 queued", 100, ours_call_soon, 2.9, 2, 5),
	QUEUED("1 k queued", 1000, ours_call_soon, 3.5, 2, 5),
	QUEUED("1 M queued", 1000 * 1000, ours_call_soon, 9.3, 2, 20),
	/* that can be cancelled */
	QUEUED("100 with a handle", 100, ours_call_soon_handle, 2.9, 0, 0),
	QUEUED("1 M with a handle", 1000 * 1000, ours_call_soon_handle, 9.3, 0, 0),
};

const struct bench bench_call_soon = {
	.name = "call_soon",
	.what = "a callback queued and run",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
