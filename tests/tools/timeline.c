/*
 * When a loop was free and when it was held.
 */
#include "tools/timeline.h"
#include "tests/test.h"

#include <stdio.h>

#define LENGTH (512 * WEFT_MSEC) /* a cell is a millisecond */
#define START  (1000 * WEFT_SEC)

static struct timeline timeline;

static void setup(void)
{
	timeline_begin(&timeline, START, LENGTH);
}

/* A heartbeat due `due_ms` after the start, which came at `came_ms`. */
static void beat(double due_ms, double came_ms)
{
	timeline_beat(&timeline, START + (weft_time)(due_ms * (double)WEFT_MSEC),
		      START + (weft_time)(came_ms * (double)WEFT_MSEC));
}

static double held_ms(double from_ms, double to_ms)
{
	return timeline_held(&timeline, from_ms / 512, to_ms / 512) * (to_ms - from_ms);
}

Test(timeline, that_nobody_held_is_free, .init = setup)
{
	struct timeline_hold hold;
	size_t cell = 0;

	for (int i = 2; i < 512; i += 2)
		beat(i, i + 0.5);
	cr_expect_float_eq(held_ms(0, 512), 0, 1e-9);
	cr_expect_not(timeline_next_hold(&timeline, &cell, &hold));
	cr_expect_eq(timeline.worst_lag, 500 * WEFT_USEC, "short lags are remembered");
}

Test(timeline, shows_a_hold_where_it_was, .init = setup)
{
	beat(100.5, 150.25);
	cr_expect_float_eq(held_ms(0, 512), 49.75, 0.01);
	cr_expect_float_eq(held_ms(0, 100), 0, 0.01);
	cr_expect_float_eq(held_ms(101, 150), 49, 0.01);
	cr_expect_float_eq(held_ms(151, 512), 0, 0.01);
	cr_expect_eq(timeline.worst_lag, 49750 * WEFT_USEC);
}

Test(timeline, counts_a_lag_as_a_hold_from_ten_milliseconds_on, .init = setup)
{
	beat(10, 19.99);
	cr_expect_float_eq(held_ms(0, 512), 0, 1e-9);
	beat(100, 110);
	cr_expect_float_eq(held_ms(0, 512), 10, 0.01);
}

Test(timeline, leaves_out_what_lies_outside, .init = setup)
{
	static const struct {
		const char *name;
		double due, came, held, lag;
	} cases[] = {
		{ "all before", -50, -10, 0, 0 },
		{ "begun before", -50, 20, 20, 20 },
		{ "ends after", 500, 700, 12, 200 },
		{ "all after", 600, 700, 0, 100 },
		{ "longer than all", -50, 9000, 512, 9000 },
		{ "came early", 20, 10, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setup();
		beat(cases[i].due, cases[i].came);
		cr_expect_float_eq(held_ms(0, 512), cases[i].held, 0.01, "%s",
				   cases[i].name);
		cr_expect_eq(timeline.worst_lag, (weft_time)cases[i].lag * WEFT_MSEC,
			     "%s", cases[i].name);
	}
}

Test(timeline, gives_its_holds_in_order, .init = setup)
{
	static const struct timeline_hold expected[] = { { 20.5, 60.25, true },
							 { 62, 100, true },
							 { 500, 512, false } };
	struct timeline_hold hold;
	size_t cell = 0;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		beat(expected[i].from, expected[i].ended ? expected[i].to : 600);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		cr_assert(timeline_next_hold(&timeline, &cell, &hold), "hold %zu", i);
		cr_expect_float_eq(hold.from * 512, expected[i].from, 0.01, "hold %zu",
				   i);
		cr_expect_float_eq(hold.to * 512, expected[i].to, 0.01, "hold %zu", i);
		cr_expect_eq(hold.ended, expected[i].ended, "hold %zu", i);
	}
	cr_expect_not(timeline_next_hold(&timeline, &cell, &hold));
}

Test(timeline, holds_add_up_to_what_was_held)
{
	/* Cells of 7 ms: several holds end and begin in one. */
	timeline_begin(&timeline, 0, 7 * LENGTH);
	for (weft_time at = 0; at < 7 * LENGTH; at += 13 * WEFT_MSEC)
		timeline_beat(&timeline, at, at + 11 * WEFT_MSEC);

	struct timeline_hold hold;
	size_t cell = 0;
	double sum = 0, last = 0;

	while (timeline_next_hold(&timeline, &cell, &hold)) {
		cr_expect_ge(hold.from, last - 1e-6, "holds overlap at %g", hold.from);
		sum += hold.to - hold.from;
		last = hold.to;
	}
	cr_expect_float_eq(sum, timeline_held(&timeline, 0, 1), 1e-4);
	cr_expect_float_eq(sum, 11.0 / 13, 0.01);
}

Test(timeline, survives_the_way_through_text, .init = setup)
{
	char text[TIMELINE_TEXT_SIZE];
	struct timeline copy;

	beat(20.5, 60.25);
	beat(100, 400);
	timeline_to_text(&timeline, text);
	cr_expect_null(strpbrk(text, " \n"), "one word");

	timeline_begin(&copy, START, LENGTH);
	cr_assert_eq(timeline_from_text(&copy, text), 0);
	cr_expect_eq(copy.worst_lag, timeline.worst_lag);
	for (int i = 0; i < TIMELINE_CELLS; i++) {
		cr_expect_float_eq(copy.held[i], timeline.held[i], 0.005, "cell %d", i);
		cr_expect_eq(copy.ended[i], timeline.ended[i], "cell %d", i);
	}
}

Test(timeline, refuses_text_that_is_none, .init = setup)
{
	char good[TIMELINE_TEXT_SIZE], bad[TIMELINE_TEXT_SIZE + 2];
	static const struct {
		const char *name;
		size_t at;
		char byte;
	} changes[] = {
		{ "no digits", 0, 'x' },      { "no colon", 1, '0' },
		{ "a sign", 0, '-' },	      { "a space", 0, ' ' },
		{ "no hexadecimal", 9, 'g' }, { "upper case", 9, 'A' },
		{ "cut", 100, '\0' },
	};

	timeline_to_text(&timeline, good);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		strcpy(bad, good);
		bad[changes[i].at] = changes[i].byte;
		cr_expect_eq(timeline_from_text(&timeline, bad), -EBADMSG, "%s",
			     changes[i].name);
	}
	snprintf(bad, sizeof(bad), "%s0", good);
	cr_expect_eq(timeline_from_text(&timeline, bad), -EBADMSG, "a digit more");
	cr_expect_eq(timeline_from_text(&timeline, ""), -EBADMSG, "nothing");
	cr_expect_eq(timeline_from_text(&timeline, "99999999999999999999:00"), -EBADMSG,
		     "a lag too large");
	cr_expect_eq(timeline.worst_lag, 0, "nothing was taken");
}
