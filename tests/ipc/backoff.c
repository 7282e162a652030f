/*
 * Tests of ipc/backoff.c: the delays between a death and the next start.
 */
#include "ipc/backoff.h"

#include "tests/test.h"

#define MOST_DEATHS 12

static void expect_about(weft_time delay, weft_time middle, const char *name, int nth)
{
	cr_expect_ge(delay, middle / 100 * 80, "%s: death %d", name, nth);
	cr_expect_le(delay, middle / 100 * 120, "%s: death %d", name, nth);
}

Test(backoff, delay_follows_the_deaths)
{
	static const struct {
		const char *name;
		struct weft__backoff_options options;
		weft_time every; /* from death to death */
		bool was_ready;
		weft_time delays[MOST_DEATHS]; /* 0 ends them */
	} cases[] = {
		{ "unready deaths double it up to the most",
		  { 100, WEFT_SEC, 100, 1000 },
		  WEFT_MIN,
		  false,
		  { 100, 200, 400, 800, 1000, 1000 } },
		{ "ready ones do not",
		  { 5, 10, 100, 1000 },
		  100,
		  true,
		  { 100, 100, 100, 100, 100 } },
		{ "a spent budget doubles whatever died",
		  { 3, 1000, 100, 1000 },
		  10,
		  true,
		  { 100, 100, 200, 400, 800, 1000, 1000 } },
		{ "defaults",
		  { 0 },
		  WEFT_SEC,
		  false,
		  { 100 * WEFT_MSEC, 200 * WEFT_MSEC, 400 * WEFT_MSEC, 800 * WEFT_MSEC,
		    1600 * WEFT_MSEC, 3200 * WEFT_MSEC, 6400 * WEFT_MSEC,
		    12800 * WEFT_MSEC, 25600 * WEFT_MSEC, 30 * WEFT_SEC,
		    30 * WEFT_SEC } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft__backoff backoff;
		weft_time now = 5 * WEFT_MIN;

		cr_assert_eq(weft__backoff_init(&backoff, &cases[i].options, i), 0);
		for (int k = 0; k < MOST_DEATHS && cases[i].delays[k] > 0; k++) {
			expect_about(weft__backoff_death(&backoff, now,
							 cases[i].was_ready),
				     cases[i].delays[k], cases[i].name, k);
			now += cases[i].every;
		}
		weft__backoff_fini(&backoff);
	}
}

Test(backoff, budget_counts_the_deaths_in_a_window_that_moves)
{
	struct weft__backoff_options options = { .budget = 3, .window_ns = 100 };
	struct weft__backoff backoff;

	cr_assert_eq(weft__backoff_init(&backoff, &options, 1), 0);
	weft__backoff_death(&backoff, 1000, true);
	weft__backoff_death(&backoff, 1050, true);
	cr_expect(!weft__backoff_is_spent(&backoff, 1050), "two of three");
	weft__backoff_death(&backoff, 1099, true);
	cr_expect(weft__backoff_is_spent(&backoff, 1099), "three within the window");
	cr_expect(!weft__backoff_is_spent(&backoff, 1100), "the first has left it");
	weft__backoff_death(&backoff, 1140, true);
	cr_expect(weft__backoff_is_spent(&backoff, 1149), "the second to the fourth");
	cr_expect(!weft__backoff_is_spent(&backoff, 1150), "the second has left it");
	weft__backoff_fini(&backoff);
}

Test(backoff, a_long_quiet_time_makes_it_forget)
{
	struct weft__backoff_options options = { 2, 100, 10, 1000 };
	struct weft__backoff backoff;

	cr_assert_eq(weft__backoff_init(&backoff, &options, 1), 0);
	for (weft_time now = 1000; now < 1006; now++)
		weft__backoff_death(&backoff, now, true);
	expect_about(weft__backoff_death(&backoff, 5000, true), 10, "after a quiet time",
		     0);
	weft__backoff_fini(&backoff);
}

Test(backoff, reset_forgets_at_once)
{
	struct weft__backoff_options options = { 2, 1000, 10, 1000 };
	struct weft__backoff backoff;

	cr_assert_eq(weft__backoff_init(&backoff, &options, 1), 0);
	for (weft_time now = 1000; now < 1006; now++)
		weft__backoff_death(&backoff, now, false);
	weft__backoff_reset(&backoff);
	cr_expect(!weft__backoff_is_spent(&backoff, 1006));
	expect_about(weft__backoff_death(&backoff, 1006, false), 10, "after a reset", 0);
	weft__backoff_fini(&backoff);
}

Test(backoff, delays_differ_between_slots)
{
	struct weft__backoff_options options = { .first_ns = WEFT_SEC };
	weft_time least = WEFT_FOREVER, most = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct weft__backoff backoff;
		weft_time delay;

		cr_assert_eq(weft__backoff_init(&backoff, &options, seed * 2654435761u),
			     0);
		delay = weft__backoff_death(&backoff, 1000, true);
		least = MIN(least, delay);
		most = MAX(most, delay);
		weft__backoff_fini(&backoff);
	}
	cr_expect_lt(least, 850 * WEFT_MSEC);
	cr_expect_gt(most, 1150 * WEFT_MSEC);
}

Test(backoff, no_memory_is_an_error)
{
	struct weft__backoff backoff;

	weft__fail_allocation(1);
	cr_expect_eq(weft__backoff_init(&backoff, &(struct weft__backoff_options){ 0 },
					1),
		     -ENOMEM);
	weft__fail_allocation(0);
}
