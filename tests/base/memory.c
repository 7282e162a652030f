/*
 * Allocations that fail on request, which is what tests of every other folder build upon.
 */
#include "tests/test.h"

static void *alloc(void)
{
	return weft__alloc(8);
}

static void *zalloc(void)
{
	return weft__zalloc(8);
}

static void *alloc_array(void)
{
	return weft__alloc_array(2, 4);
}

static void *realloc_array(void)
{
	return weft__realloc_array(NULL, 2, 4);
}

static void *aligned(void)
{
	return weft__aligned_alloc(64, 128);
}

static void *duplicate(void)
{
	return weft__strdup("weft");
}

static const struct {
	const char *name;
	void *(*call)(void);
} ways[] = {
	{ "alloc", alloc },
	{ "zalloc", zalloc },
	{ "alloc_array", alloc_array },
	{ "realloc_array", realloc_array },
	{ "aligned_alloc", aligned },
	{ "strdup", duplicate },
};

Test(memory, each_way_fails_when_its_turn_comes_and_only_then)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		void *first, *third;

		weft__fail_allocation(2);
		first = ways[i].call();
		cr_expect_not_null(first, "%s, first", ways[i].name);
		cr_expect_null(ways[i].call(), "%s, second", ways[i].name);
		third = ways[i].call();
		cr_expect_not_null(third, "%s, third", ways[i].name);
		cr_expect_eq(weft__allocations(), 3, "%s", ways[i].name);
		free(first);
		free(third);
	}
	weft__fail_allocation(0);
}

Test(memory, never_fails_unless_asked_to)
{
	weft__fail_allocation(0);
	for (int i = 0; i < 100; i++) {
		void *bytes = weft__alloc(8);

		cr_expect_not_null(bytes);
		free(bytes);
	}
	cr_expect_eq(weft__allocations(), 0, "nothing is counted");
}

Test(memory, is_zeroed_where_it_says_so)
{
	static const char zero[64];
	char *one = weft__zalloc(sizeof(zero)), *many = weft__alloc_array(8, 8);

	cr_assert(one && many);
	cr_expect_arr_eq(one, zero, sizeof(zero));
	cr_expect_arr_eq(many, zero, sizeof(zero));
	free(one);
	free(many);
}

Test(memory, refuses_products_that_overflow)
{
	/* Behind a volatile: the compiler would warn of the number itself. */
	volatile size_t half = SIZE_MAX / 2;

	cr_expect_null(weft__alloc_array(half, 3));
	cr_expect_null(weft__realloc_array(NULL, half, 3));
}

Test(memory, is_aligned_as_asked)
{
	for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
		void *bytes = weft__aligned_alloc(alignment, 2 * alignment);

		cr_assert_not_null(bytes);
		cr_expect_eq((uintptr_t)bytes % alignment, 0, "%zu", alignment);
		free(bytes);
	}
}

Test(memory, copies_strings)
{
	char text[] = "weft", *copy = weft__strdup(text);

	cr_assert_not_null(copy);
	text[0] = 'l';
	cr_expect_str_eq(copy, "weft");
	free(copy);
}
