/*
 * The timelines on the terminal.
 */
#include "tests/tools/capture.h"
#include "tests/tools/sample.h"
#include "tools/demo_picture.h"

static struct demo_run run;
static struct capture capture;

static void setup(void)
{
	sample_run(&run, 2, 2);
	capture_begin(&capture);
}

static void teardown(void)
{
	free(capture.text);
	demo_run_fini(&run);
}

static const char *rows(bool color, bool unicode, int width)
{
	struct terminal terminal = capture_terminal(&capture, color, unicode, width);

	demo_write_rows(&run, &terminal);
	return capture_end(&capture);
}

Test(demo_rows, show_where_each_loop_was_held, .init = setup, .fini = teardown)
{
	static const char expected[] =
		"\n"
		" Each row is one event loop; time runs from left to right, 2 s in each block.\n"
		" # held by a call: everybody waited   + in part   - free to answer\n"
		"\n"
		"                  sleep                      hash              fsync\n"
		"                  blocking executor async    blocking executor blocking executor\n"
		" process 0 loop 0 ######## -------- -------- ######## -------- ######## --------\n"
		" process 0 loop 1 ######## -------- -------- ######## -------- ######## --------\n"
		" process 1 loop 0 ######## -------- -------- ######## -------- ######## --------\n"
		" process 1 loop 1 ######## -------- --+##--- ######## -------- ######## --------\n";
	struct timeline *timeline = &run.results[2].timelines[3];

	/* From 0.675 s to 1.25 s; a character is 0.25 s. */
	timeline_beat(timeline, 675 * WEFT_MSEC, 1250 * WEFT_MSEC);
	cr_expect_str_eq(rows(false, false, 80), expected);
}

Test(demo_rows, are_as_wide_as_the_terminal, .init = setup, .fini = teardown)
{
	static const struct {
		int width, columns;
	} cases[] = { { 40, 18 + 7 * 3 + 6 },
		      { 80, 80 },
		      { 100, 18 + 7 * 10 + 6 },
		      { 500, 18 + 7 * 24 + 6 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text;
		char *last;

		if (i)
			capture_begin(&capture);
		text = rows(false, true, cases[i].width);
		capture.text[strlen(text) - 1] = '\0';
		last = strrchr(capture.text, '\n') + 1;
		cr_expect_eq(terminal_columns(last), cases[i].columns, "%d columns: %s",
			     cases[i].width, last);
		if (i + 1 < ARRAY_SIZE(cases))
			free(capture.text);
	}
}

Test(demo_rows, change_colour_once_a_stretch, .init = setup, .fini = teardown)
{
	const char *text = rows(true, true, 80);

	/* Four rows of seven stretches, and one of each in the legend. */
	cr_expect_eq(count_of(text, "\033[31m"), 4 * 3 + 1, "%s", text);
	cr_expect_eq(count_of(text, "\033[32m"), 4 * 4 + 1, "%s", text);
}

Test(demo_rows, are_one_for_each_loop)
{
	static const struct {
		int processes, loops;
	} cases[] = { { 1, 1 }, { 1, 3 }, { 3, 12 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sample_run(&run, cases[i].processes, cases[i].loops);
		capture_begin(&capture);
		cr_expect_eq(count_of(rows(false, false, 80), " process "),
			     cases[i].processes * cases[i].loops);
		teardown();
	}
}
