/*
 * weft's side of the bench "switch": the bare switch, as the scheduler enters it.
 */
#include "task/switch.h"
#include "bench/measure.h"
#include "bench/ours/ours.h"

enum { STACK_BYTES = 64 * 1024, ROUND = 200 * 1000 };

static void *main_sp, *other_sp;

static void back_and_forth(void *arg)
{
	(void)arg;
	for (;;)
		(void)switch_stacks(&other_sp, main_sp, NULL);
}

int ours_switch_one_way(const struct bench_case *c, double *values)
{
	struct bench_rounds rounds = { .n = 0 };
	char *stack = weft__aligned_alloc(4096, STACK_BYTES);

	(void)c;
	if (!stack)
		return -ENOMEM;
	bench_pin(1);
	other_sp = weft__switch_prepare(stack + STACK_BYTES, back_and_forth);
	while (bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; i < ROUND; i++)
			(void)switch_stacks(&main_sp, other_sp, NULL);
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / (2.0 * ROUND));
	}
	values[0] = bench_median(&rounds);
	return 0;
}
