/*
 * Debug mode: tasks that hold their loop up, and tasks that swallow their cancellation.
 */
#include "task/watch.h"

#include "tests/task_test.h"

/* Waits in a C++ catch: tests/debug/exceptions.sh. */

static void burn(void)
{
	weft_time end = weft__clock() + 2 * WEFT_MSEC;

	while (weft__clock() < end)
		;
}

static void run_in_debug_mode(weft_fn *fn, void *arg)
{
	struct weft_run_options options = { .loop = { .debug = true,
						      .slow_step_ns = WEFT_MSEC } };

	reports_begin();
	cr_expect_eq(weft_run_with(fn, arg, &options), 0);
}

static int burn_twice(void *arg)
{
	int r;

	(void)arg;
	burn();
	r = weft_yield();
	burn();
	return r < 0 ? r : weft_yield();
}

static int spawn_who_burns(void *arg)
{
	struct weft_spawn_options options = { .name = "burner" };
	weft_task *task;

	(void)arg;
	cr_assert_eq(weft_spawn_with(burn_twice, NULL, &options, &task), 0);
	for (int i = 0; i < 20; i++) /* many that are quick, among them */
		cr_assert_eq(weft_yield(), 0);
	return weft_task_join(task);
}

Test(watch, names_a_task_that_holds_its_loop_up_each_time)
{
	run_in_debug_mode(spawn_who_burns, NULL);
	cr_expect_eq(reports_with("task \"burner\" held loop"), 2);
	cr_expect_eq(reports_severity("\"burner\""), WEFT_WARNING);
	cr_expect_eq(strncmp(reports_place("\"burner\""), "spawn_who_burns", 15), 0, "%s",
		     reports_place("\"burner\""));
}

/* ---- Swallowed cancellations ---- */

static int swallow(void *arg)
{
	return sleep_forever(NULL) == -ECANCELED ? *(int *)arg : -EIO;
}

static int hand_on(void *arg)
{
	(void)arg;
	return sleep_forever(NULL);
}

static int fail_meanwhile(void *arg)
{
	(void)arg;
	return sleep_forever(NULL) == -ECANCELED ? -EIO : 0;
}

static int take_back(void *arg)
{
	if (sleep_forever(NULL) == -ECANCELED)
		cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
	return *(int *)arg;
}

static int expire(void *arg)
{
	struct weft_timeout timeout;
	int r;

	weft_timeout_begin(&timeout, WEFT_MSEC);
	r = weft_timeout_end(&timeout, sleep_forever(NULL));
	return r == -ETIMEDOUT ? *(int *)arg : r;
}

/* Nothing is told to it, as it waits no more. */
static int finish_first(void *arg)
{
	if (weft_yield() < 0)
		return -EIO;
	cr_expect(weft_task_cancel(weft_task_current(), NULL));
	return *(int *)arg;
}

static const struct ending {
	const char *name;
	weft_fn *fn;
	bool is_cancelled;
	int n_reports;
} endings[] = {
	{ "swallows it", swallow, true, 1 },
	{ "hands it on", hand_on, true, 0 },
	{ "fails meanwhile", fail_meanwhile, true, 0 },
	{ "takes it back", take_back, true, 0 },
	{ "its own timeout", expire, false, 0 },
	{ "ends before it is told", finish_first, false, 0 },
};

static int end_so(void *arg)
{
	const struct ending *ending = arg;
	struct weft_spawn_options options = { .name = "the one" };
	weft_task *task;
	int n = 3;

	cr_assert_eq(weft_spawn_with(ending->fn, &n, &options, &task), 0);
	cr_assert_eq(weft_yield(), 0);
	if (ending->is_cancelled)
		weft_task_cancel(task, NULL);
	(void)!weft_task_join(task);
	return 0;
}

Test(watch, tells_of_a_cancellation_that_was_swallowed)
{
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		struct ending ending = endings[i];

		run_in_debug_mode(end_so, &ending);
		cr_expect_eq(reports_with("task \"the one\" was told of its cancellation "
					  "and ended with 3"),
			     ending.n_reports, "%s", ending.name);
	}
}

/* ---- At the end ---- */

static int leave_one(void *arg)
{
	cr_assert_eq(weft_spawn(hand_on, arg, NULL), 0);
	return weft_yield();
}

Test(watch, names_the_tasks_that_are_left_at_the_end)
{
	run_in_debug_mode(leave_one, NULL);
	cr_expect_eq(reports_severity("task \"hand_on\" was left when loop"), WEFT_NOTE);
	cr_expect_eq(reports_with("(it waits for: sleep)"), 1);
	cr_expect_eq(strncmp(reports_place("hand_on"), "leave_one", 9), 0, "%s",
		     reports_place("hand_on"));
}
