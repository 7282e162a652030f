/*
 * The clock, and sums that stay at the end of time.
 */
#include "tests/test.h"

#include <time.h>

Test(clock, never_goes_back_and_is_the_monotonic_one)
{
	struct timespec now;
	weft_time before = weft__clock(), between, after;

	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	between = (weft_time)now.tv_sec * WEFT_SEC + now.tv_nsec;
	after = weft__clock();
	cr_expect_le(before, between);
	cr_expect_le(between, after);
}

Test(clock, sums_end_at_forever)
{
	static const struct {
		const char *name;
		weft_time a, b, sum;
	} cases[] = {
		{ "plain", 3, 4, 7 },
		{ "a span below zero", 3, -4, -1 },
		{ "forever and now", WEFT_FOREVER, 0, WEFT_FOREVER },
		{ "forever and more", WEFT_FOREVER, 1, WEFT_FOREVER },
		{ "forever and less", WEFT_FOREVER, -1, WEFT_FOREVER - 1 },
		{ "now and forever", 1, WEFT_FOREVER, WEFT_FOREVER },
		{ "twice forever", WEFT_FOREVER, WEFT_FOREVER, WEFT_FOREVER },
		{ "up to forever", WEFT_FOREVER - 5, 5, WEFT_FOREVER },
		{ "before all time", INT64_MIN, -1, INT64_MIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(weft__time_add(cases[i].a, cases[i].b), cases[i].sum, "%s",
			     cases[i].name);
}
