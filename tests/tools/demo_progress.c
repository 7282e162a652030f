/*
 * What the demo says while it runs.
 */
#include "tools/demo_progress.h"
#include "tests/tools/capture.h"
#include "tests/tools/sample.h"

static struct capture capture;
static struct demo_progress progress;

static void begin(bool is_terminal, int width)
{
	capture_begin(&capture);
	progress = (struct demo_progress){ 0 };
	progress.terminal = capture_terminal(&capture, false, false, width);
	progress.terminal.is_terminal = is_terminal;
}

Test(demo_progress, draws_a_line_on_a_terminal_and_takes_it_away)
{
	begin(true, 80);
	demo_progress_say(&progress, "starting");
	demo_progress_show(&progress, 2, 0.5, 3104.2, WEFT_SEC);
	demo_progress_clear(&progress);
	demo_progress_clear(&progress);
	cr_expect_str_eq(capture_end(&capture),
			 " starting"
			 "\r\033[K 3/7  sleep, async     ==========-------------------  "
			 "3,104 requests/s"
			 "\r\033[K");
	free(capture.text);
}

Test(demo_progress, draws_at_most_ten_times_a_second)
{
	begin(true, 80);
	for (int ms = 0; ms < 1000; ms++)
		demo_progress_show(&progress, 0, 0.5, 100, ms * WEFT_MSEC);
	cr_expect_eq(count_of(capture_end(&capture), "requests/s"), 10);
	free(capture.text);
}

Test(demo_progress, fits_the_terminal)
{
	static const int widths[] = { 57, 60, 80, 200 };

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		begin(true, widths[i]);
		demo_progress_show(&progress, 1, 1.5, 99999, 0);
		cr_expect_lt(terminal_columns(capture_end(&capture)), widths[i], "%s",
			     capture.text);
		free(capture.text);
	}
}

Test(demo_progress, writes_a_line_a_phase_where_there_is_no_terminal)
{
	struct demo_run run;

	sample_run(&run, 2, 2);
	run.results[1].failed = 2;
	begin(false, 80);
	demo_progress_say(&progress, "starting");
	for (int i = 0; i < 2; i++) {
		demo_progress_show(&progress, i, 0.5, 100, i * WEFT_SEC);
		demo_progress_phase(&progress, &run, i);
	}
	demo_progress_clear(&progress);
	cr_expect_str_eq(
		capture_end(&capture),
		"weft demo: 1/7 sleep, blocking: 196 requests/s, worst lag 331 ms\n"
		"weft demo: 2/7 sleep, executor: 1,570 requests/s, worst lag 1.24 ms, "
		"2 not answered\n");
	free(capture.text);
	demo_run_fini(&run);
}
