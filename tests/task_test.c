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

/* ---- Seeds ---- */

static uint64_t number_in(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static bool run_with_seed(void (*body)(void), uint64_t seed)
{
	struct weft_test_options options = { .seed = seed };
	char about[64], text[2000];
	int r;

	snprintf(about, sizeof(about), "seed %ju: WEFT_TEST_SEED=%ju repeats it",
		 (uintmax_t)seed, (uintmax_t)seed);
	test_about(seed ? about : NULL);
	body_looks = false;
	reports_begin();
	r = weft_test_run(run_body, &body, &options);
	if (r < 0)
		(void)weft_error_format(weft_error_of(r), text, sizeof(text));
	cr_expect_ge(r, 0, "%s", text);
	if (!body_looks)
		expect_no_reports();
	return r >= 0;
}

void test_with_seeds(void (*body)(void), int n_seeds)
{
	uint64_t first = n_seeds ? number_in("WEFT_TEST_SEED", 0) : 0;
	uint64_t last = n_seeds ? number_in("WEFT_TEST_SEEDS", (uint64_t)n_seeds) : 0;

	for (uint64_t seed = first; seed <= (first ? first : last); seed++) {
		if (!run_with_seed(body, seed))
			return;
	}
	test_about(NULL);
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
