/*
 * Runs the bodies of TaskTest()s. See tests/task_test.h.
 */
#include "tests/task_test.h"

static bool body_looks; /* at the reports itself */

static int run_body(void *arg)
{
	void (**body)(void) = arg;

	(*body)();
	return 0;
}

static void run_with_seed(void (*body)(void), uint64_t seed)
{
	struct weft_test_options options = { .seed = seed };
	int r;

	body_looks = false;
	reports_begin();
	r = weft_test_run(run_body, &body, &options);
	cr_expect_eq(r, 0, "seed %d: %s", (int)seed, weft_error_text(r));
	if (!body_looks)
		expect_no_reports();
}

void test_with_seeds(void (*body)(void), int n_seeds)
{
	for (int seed = 0; seed <= n_seeds; seed++)
		run_with_seed(body, (uint64_t)seed);
}

void expect_reports(void)
{
	body_looks = true;
}

int sleep_for(void *arg)
{
	return weft_sleep(*(const weft_time *)arg);
}

int sleep_forever(void *arg)
{
	(void)arg;
	return weft_sleep(WEFT_FOREVER);
}

int return_number(void *arg)
{
	return *(const int *)arg;
}

void pass_turns(int n)
{
	int r = weft_test_turns(n);

	cr_assert_eq(r, 0, "weft_test_turns(): %s", weft_error_text(r));
}

void pass_time(weft_time span)
{
	int r = weft_sleep(span);

	cr_assert_eq(r, 0, "weft_sleep(): %s", weft_error_text(r));
}

int requests(void)
{
	return weft_task_cancelling(weft_task_current());
}

weft_task *start(weft_fn *fn, void *arg)
{
	weft_task *task = NULL;
	int r = weft_spawn(fn, arg, &task);

	cr_assert_eq(r, 0, "weft_spawn(): %s", weft_error_text(r));
	return task;
}
