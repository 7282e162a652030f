/*
 * Debug mode: slow callbacks are named, and what is left at the end.
 */
#include "loop/step.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/reports.h"
#include "tests/test.h"

static weft_loop *new_debug_loop(void)
{
	struct weft_loop_options options = { .debug = true, .slow_step_ns = WEFT_MSEC };
	weft_loop *loop;

	reports_begin();
	cr_assert_eq(weft_loop_new(&options, &loop), 0);
	return loop;
}

static void burn(void)
{
	weft_time end = weft__clock() + 2 * WEFT_MSEC;

	while (weft__clock() < end)
		;
}

static void burn_soon(void *unused)
{
	(void)unused;
	burn();
}

static void burn_later(void *unused)
{
	(void)unused;
	burn();
}

static void burn_posted(void *unused)
{
	(void)unused;
	burn();
}

static void burn_at_reading(int fd, void *loop)
{
	burn();
	cr_expect(weft_loop_remove_reader(loop, fd));
}

static void be_quick(void *unused)
{
	(void)unused;
}

static void stop(void *loop)
{
	weft_loop_stop(loop);
}

Test(step, that_is_slow_is_reported_once_with_its_function)
{
	static const char *const names[] = { "callback burn_soon() held", "burn_later",
					     "burn_posted", "burn_at_reading" };
	weft_loop *loop = new_debug_loop();
	struct weft_handle handle = { { 0 } };
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_eq(weft_loop_add_reader(loop, ends[0], burn_at_reading, loop), 0);
	cr_assert_eq(weft_loop_call_soon(loop, burn_soon, NULL, NULL), 0);
	cr_assert_eq(weft_loop_call_soon(loop, be_quick, NULL, NULL), 0);
	cr_assert_eq(weft_loop_call_later(loop, WEFT_USEC, burn_later, NULL, &handle), 0);
	cr_assert_eq(weft_loop_call_soon_threadsafe(loop, burn_posted, NULL, NULL), 0);
	cr_assert_eq(weft_loop_call_later(loop, 30 * WEFT_MSEC, stop, loop, NULL), 0);
	cr_expect_eq(weft_loop_run(loop), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cr_expect_eq(reports_with(names[i]), 1, "%s", names[i]);
		cr_expect_eq(reports_severity(names[i]), WEFT_WARNING, "%s", names[i]);
	}
	cr_expect_eq(weft_loop_close(loop), 0);
	close(ends[0]);
	close(ends[1]);
}

Test(step, that_is_slow_is_nobodys_business_without_debug_mode)
{
	struct weft_loop_options options = { .slow_step_ns = WEFT_MSEC };
	weft_loop *loop;

	reports_begin();
	cr_assert_eq(unsetenv("WEFT_DEBUG"), 0);
	cr_assert_eq(weft_loop_new(&options, &loop), 0);
	cr_assert_eq(weft_loop_call_soon(loop, burn_soon, NULL, NULL), 0);
	cr_assert_eq(weft_loop_call_soon(loop, stop, loop, NULL), 0);
	cr_expect_eq(weft_loop_run(loop), 0);
	cr_assert_eq(weft_loop_call_later(loop, 1, be_quick, NULL, NULL), 0);
	cr_expect_eq(weft_loop_close(loop), 0);
	expect_no_reports();
}

Test(debug_mode, comes_from_the_environment_too)
{
	static const struct {
		const char *value;
		bool is_on;
	} cases[] = { { "1", true }, { "yes", true }, { "0", false }, { "", false } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_loop *loop;

		cr_assert_eq(setenv("WEFT_DEBUG", cases[i].value, 1), 0);
		cr_assert_eq(weft_loop_new(NULL, &loop), 0);
		cr_expect_eq(loop->is_debug, cases[i].is_on, "%s", cases[i].value);
		cr_expect_eq(loop->slow_step_ns, 100 * WEFT_MSEC);
		cr_expect_eq(weft_loop_close(loop), 0);
	}
}

Test(debug_mode, with_a_limit_that_makes_no_sense_is_refused)
{
	struct weft_loop_options options = { .debug = true, .slow_step_ns = -1 };
	weft_loop *loop = NULL;

	cr_expect_eq(weft_loop_new(&options, &loop), -EINVAL);
	cr_expect_null(loop);
}

Test(debug_mode, names_what_was_scheduled_when_the_loop_is_closed)
{
	weft_loop *loop = new_debug_loop();
	struct weft_handle soon = { { 0 } }, taken_back = { { 0 } };

	cr_assert_eq(weft_loop_call_soon(loop, burn_soon, NULL, &soon), 0);
	cr_assert_eq(weft_loop_call_soon(loop, be_quick, NULL, NULL), 0);
	cr_assert_eq(weft_loop_call_later(loop, WEFT_SEC, burn_later, NULL, NULL), 0);
	cr_assert_eq(weft_loop_call_later(loop, WEFT_SEC, stop, loop, &taken_back), 0);
	cr_expect(weft_handle_cancel(&taken_back));
	cr_expect_eq(weft_loop_close(loop), 0);
	cr_expect_eq(reports_count(), 3);
	cr_expect_eq(reports_severity("before it called burn_soon()"), WEFT_NOTE);
	cr_expect_eq(reports_with("before it called be_quick()"), 1);
	cr_expect_eq(reports_with("before it called burn_later()"), 1);
}
