/*
 * Floor of the bench "switch": two stacks that hand over to each other; see switch.h.
 */
#include "bench/floor/switch.h"

#include "bench/floor/floors.h"
#include "bench/measure.h"

enum { STACK_BYTES = 64 * 1024, ROUND = 200 * 1000 };

static void *main_sp, *other_sp;

static void *stack_top(void)
{
	char *stack = weft__aligned_alloc(4096, STACK_BYTES);

	if (!stack)
		bench_die("no memory for a stack");
	return stack + STACK_BYTES;
}

static void back_and_forth(void *arg)
{
	(void)arg;
	for (;;)
		floor_switch(&other_sp, main_sp);
}

static void back_and_forth_ret(void *arg)
{
	(void)arg;
	for (;;)
		floor_switch_ret(&other_sp, main_sp);
}

int floor_switch_one_way(const struct bench_case *c, double *values)
{
	struct bench_rounds rounds = { .n = 0 };

	(void)c;
	bench_pin(1);
	other_sp = floor_stack_prepare(stack_top(), back_and_forth, NULL);
	while (bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; i < ROUND; i++)
			floor_switch(&main_sp, other_sp);
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / (2.0 * ROUND));
	}
	values[0] = bench_median(&rounds);
	return 0;
}

int floor_switch_one_way_ret(const struct bench_case *c, double *values)
{
	struct bench_rounds rounds = { .n = 0 };

	(void)c;
	bench_pin(1);
	other_sp = floor_stack_prepare(stack_top(), back_and_forth_ret, NULL);
	while (bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; i < ROUND; i++)
			floor_switch_ret(&main_sp, other_sp);
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / (2.0 * ROUND));
	}
	values[0] = bench_median(&rounds);
	return 0;
}

__attribute__((noinline)) static void *empty_function(void *arg)
{
	__asm__ volatile("" ::: "memory"); /* keeps the call from being optimised away */
	return arg;
}

int floor_call_and_return(const struct bench_case *c, double *values)
{
	struct bench_rounds rounds = { .n = 0 };

	(void)c;
	bench_pin(1);
	while (bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (int i = 0; i < ROUND; i++)
			(void)empty_function(NULL);
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / (2.0 * ROUND));
	}
	values[0] = bench_median(&rounds);
	return 0;
}
