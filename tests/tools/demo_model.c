/*
 * What follows from the figures of a run.
 */
#include "tests/test.h"
#include "tests/tools/sample.h"

#include "tools/demo.h"
#include <stdio.h>

enum {
	SLEEP_BLOCKING,
	SLEEP_EXECUTOR,
	SLEEP_ASYNC,
	HASH_BLOCKING,
	HASH_EXECUTOR,
	FSYNC_BLOCKING,
	FSYNC_EXECUTOR,
};

static struct demo_run run;

static void setup(void)
{
	sample_run(&run, 2, 2);
}

static void teardown(void)
{
	demo_run_fini(&run);
}

Test(demo_model, has_each_work_by_each_way_once)
{
	static const char *const names[DEMO_N_PHASES] = {
		"sleep blocking", "sleep executor", "sleep async",    "hash blocking",
		"hash executor",  "fsync blocking", "fsync executor",
	};

	for (int i = 0; i < DEMO_N_PHASES; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s %s", demo_work_name(demo_phases[i].work),
			 demo_mode_name(demo_phases[i].mode));
		cr_expect_str_eq(name, names[i]);
	}
}

Test(demo_model, compares_with_the_blocking_call_for_the_same_work)
{
	static const int blocking[DEMO_N_PHASES] = { 0, 0, 0, 3, 3, 5, 5 };

	for (int i = 0; i < DEMO_N_PHASES; i++)
		cr_expect_eq(demo_blocking_phase(i), blocking[i], "phase %d", i);
}

Test(demo_model, expects_throughput_of_what_waits_and_lag_of_all)
{
	static const struct {
		bool rate, lag;
	} expected[DEMO_N_PHASES] = {
		[SLEEP_EXECUTOR] = { true, true },
		[SLEEP_ASYNC] = { true, true },
		[HASH_EXECUTOR] = { false, true },
		[FSYNC_EXECUTOR] = { true, true },
	};

	for (int i = 0; i < DEMO_N_PHASES; i++) {
		cr_expect_eq(demo_phases[i].expect_rate, expected[i].rate, "phase %d", i);
		cr_expect_eq(demo_phases[i].expect_lag, expected[i].lag, "phase %d", i);
	}
}

Test(demo_model, counts_only_answered_requests, .init = setup, .fini = teardown)
{
	struct demo_result *result = &run.results[SLEEP_BLOCKING];

	result->requests = 300;
	result->failed = 100;
	result->elapsed = 4 * WEFT_SEC;
	cr_expect_float_eq(demo_rate(&run, SLEEP_BLOCKING), 50, 1e-9);
	result->elapsed = 0;
	cr_expect_float_eq(demo_rate(&run, SLEEP_BLOCKING), 0, 1e-9,
			   "nothing was measured");
}

Test(demo_model, takes_the_worst_lag_of_all_loops, .init = setup, .fini = teardown)
{
	run.results[HASH_EXECUTOR].timelines[3].worst_lag = 77 * WEFT_MSEC;
	cr_expect_eq(demo_worst_lag(&run, HASH_EXECUTOR), 77 * WEFT_MSEC);
}

Test(demo_model, gains_are_ratios_to_the_blocking_call, .init = setup, .fini = teardown)
{
	for (int i = 0; i < 4; i++) {
		run.results[FSYNC_BLOCKING].timelines[i].worst_lag = 100 * WEFT_MSEC;
		run.results[FSYNC_EXECUTOR].timelines[i].worst_lag = 4 * WEFT_MSEC;
	}
	run.results[FSYNC_BLOCKING].requests = 100;
	run.results[FSYNC_EXECUTOR].requests = 250;
	cr_expect_float_eq(demo_rate_gain(&run, FSYNC_EXECUTOR), 2.5, 1e-9);
	cr_expect_float_eq(demo_lag_gain(&run, FSYNC_EXECUTOR), 25, 1e-9);
	cr_expect_float_eq(demo_rate_gain(&run, FSYNC_BLOCKING), 1, 1e-9);
	cr_expect_float_eq(demo_lag_gain(&run, FSYNC_BLOCKING), 1, 1e-9);
	cr_expect_eq(demo_rate_verdict(&run, FSYNC_EXECUTOR), DEMO_BETTER);
	cr_expect_eq(demo_lag_verdict(&run, FSYNC_EXECUTOR), DEMO_BETTER);
}

Test(demo_model, says_when_an_expected_gain_did_not_come, .init = setup, .fini = teardown)
{
	run.results[SLEEP_ASYNC].requests =
		run.results[SLEEP_BLOCKING].requests * 11 / 10;
	cr_expect_eq(demo_rate_verdict(&run, SLEEP_ASYNC), DEMO_NOT_BETTER);
	cr_expect_eq(demo_lag_verdict(&run, SLEEP_ASYNC), DEMO_BETTER);
	cr_expect_eq(demo_rate_verdict(&run, HASH_EXECUTOR), DEMO_NOT_EXPECTED);
	cr_expect_eq(demo_rate_verdict(&run, SLEEP_BLOCKING), DEMO_NOT_EXPECTED);
}

Test(demo_model, expects_nothing_of_an_fsync_that_is_free, .init = setup,
     .fini = teardown)
{
	char text[128];

	run.setup.fsync_is_free = true;
	cr_expect_eq(demo_rate_verdict(&run, FSYNC_EXECUTOR), DEMO_NOT_EXPECTED);
	cr_expect_eq(demo_lag_verdict(&run, FSYNC_EXECUTOR), DEMO_NOT_EXPECTED);
	cr_expect_eq(demo_lag_verdict(&run, SLEEP_EXECUTOR), DEMO_BETTER,
		     "others as before");
	demo_describe_work(&run, DEMO_FSYNC, text, sizeof(text));
	cr_expect_not_null(strstr(text, "tmpfs"), "and it is said: %s", text);
}

Test(demo_model, does_not_divide_by_nothing, .init = setup, .fini = teardown)
{
	run.results[SLEEP_BLOCKING].requests = 0;
	for (int i = 0; i < 4; i++)
		run.results[SLEEP_EXECUTOR].timelines[i].worst_lag = 0;
	cr_expect_float_eq(demo_rate_gain(&run, SLEEP_EXECUTOR), 1, 1e-9);
	cr_expect_float_eq(demo_lag_gain(&run, SLEEP_EXECUTOR), 1, 1e-9);
}

Test(demo_model, is_answered_only_if_each_request_of_each_phase_was)
{
	static const struct {
		const char *name;
		long requests, failed;
		bool answered;
	} cases[] = { { "all", 100, 0, true },
		      { "all but one", 100, 1, false },
		      { "none", 0, 0, false } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setup();
		run.results[FSYNC_EXECUTOR].requests = cases[i].requests;
		run.results[FSYNC_EXECUTOR].failed = cases[i].failed;
		cr_expect_eq(demo_all_answered(&run), cases[i].answered, "%s",
			     cases[i].name);
		teardown();
	}
}

Test(demo_model, is_free_as_long_as_it_was_not_held, .init = setup, .fini = teardown)
{
	cr_expect_float_eq(demo_free(&run, SLEEP_ASYNC), 1, 1e-9);
	cr_expect_lt(demo_free(&run, SLEEP_BLOCKING), 0.05);
}
