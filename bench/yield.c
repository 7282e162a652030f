/*
 * The bench "yield": n tasks that take turns.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"

#define ROUND_ROBIN(case_name, n_tasks, reference_ns, ratio, figure)                \
	{                                                                           \
		.name = case_name, .n = n_tasks, .is_slow = n_tasks >= 1000 * 1000, \
		.floor = floor_yield_round_robin, .weft = ours_yield_round_robin,   \
		.figures = {                                                        \
			{ .unit = "ns",                                             \
			  .reference = reference_ns,                                \
			  .target_ratio = ratio,                                    \
			  .target_figure = figure }                                 \
		}                                                                   \
	}

static const struct bench_case cases[] = {
	ROUND_ROBIN("1 task", 1, 5.4, 2, 10),
	ROUND_ROBIN("10 tasks", 10, 4.3, 2, 10),
	ROUND_ROBIN("1 k tasks", 1000, 6.5, 2, 0),
	ROUND_ROBIN("100 k tasks", 100 * 1000, 18, 2, 0),
	ROUND_ROBIN("1 M tasks", 1000 * 1000, 97, 1.3, 0),
};

const struct bench bench_yield = {
	.name = "yield",
	.what = "tasks that take turns, for each turn of each",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
};
