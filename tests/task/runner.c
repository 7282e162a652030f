/*
 * Runners: weft_run() and its pieces, signals to a run, and running until a future settles.
 */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <weft/signal.h>

#include "tests/child.h"
#include "tests/task_test.h"

/* ---- What a run returns ---- */

static int fail_with_a_sentence(void *arg)
{
	(void)arg;
	return weft_error_set(-EIO, "the disk is gone");
}

Test(run, returns_what_its_task_returned)
{
	int n = 42;

	reports_begin();
	cr_expect_eq(weft_run(return_number, &n), 42);
	n = 0;
	cr_expect_eq(weft_run(return_number, &n), 0);
	expect_no_reports();
}

Test(run, hands_the_details_of_a_failure_over)
{
	reports_begin();
	cr_expect_eq(weft_run(fail_with_a_sentence, NULL), -EIO);
	cr_expect_str_eq(weft_error_text(-EIO), "the disk is gone");
	expect_no_reports(); /* whoever called was told */
}

Test(run, with_options_that_make_no_sense_is_refused)
{
	struct weft_run_options negative = { .grace_ns = -1 };
	struct weft_run_options reserved = { .reserved = { 1 } };
	struct weft_run_options of_loop = { .loop.close_limit_ns = -1 };
	int n = 1;

	cr_expect_eq(weft_run_with(return_number, &n, &negative), -EINVAL);
	cr_expect_eq(weft_run_with(return_number, &n, &reserved), -EINVAL);
	cr_expect_eq(weft_run_with(return_number, &n, &of_loop), -EINVAL);
	cr_expect_eq(weft_run_with(return_number, &n, NULL), 1);
}

static int run_inside(void *arg)
{
	weft_runner *runner = NULL;
	int n = 1;

	cr_expect_eq(weft_run(return_number, &n), -EBUSY);
	cr_expect(strstr(weft_error_text(-EBUSY), "weft_spawn()"), "%s",
		  weft_error_text(-EBUSY));
	cr_expect_eq(weft_runner_new(NULL, &runner), -EBUSY);
	cr_expect_null(runner);
	cr_expect_eq(weft_runner_run(arg, return_number, &n), -EBUSY);
	return 7;
}

Test(run, is_refused_inside_a_run)
{
	weft_runner *runner;

	cr_assert_eq(weft_runner_new(NULL, &runner), 0);
	cr_expect_eq(weft_runner_run(runner, run_inside, runner), 7);
	cr_expect_eq(weft_runner_close(runner), 0);
}

static void *run_on_a_thread(void *arg)
{
	*(int *)arg = weft_run(return_number, arg);
	return NULL;
}

static int run_on_another_thread(void *arg)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, run_on_a_thread, arg), 0);
	pthread_join(thread, NULL);
	return 1;
}

Test(run, on_another_thread_is_another_matter)
{
	int n = 9;

	cr_expect_eq(weft_run(run_on_another_thread, &n), 1);
	cr_expect_eq(n, 9);
}

static int stop_and_go_on(void *arg)
{
	weft_loop_stop(weft_loop_current());
	for (int i = 0; i < 3; i++)
		cr_assert_eq(weft_yield(), 0);
	return *(int *)arg;
}

Test(run, ends_with_its_task_and_not_by_a_stop)
{
	int n = 5;

	cr_expect_eq(weft_run(stop_and_go_on, &n), 5);
}

/* ---- What is left over ---- */

struct left_over {
	int main_result, clean_up_result;
	int n_cleaned;
};

/* Cleans up over several waits, as a task may that has been told. */
static int clean_up(void *arg)
{
	struct left_over *left = arg;

	cr_expect_eq(sleep_forever(NULL), -ECANCELED);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(weft_yield(), 0);
	left->n_cleaned++;
	return left->clean_up_result;
}

static int leave_two_over(void *arg)
{
	struct left_over *left = arg;

	cr_assert_eq(weft_spawn(clean_up, left, NULL), 0);
	cr_assert_eq(weft_spawn(clean_up, left, NULL), 0);
	cr_assert_eq(weft_yield(), 0);
	return left->main_result;
}

Test(run, cancels_what_is_left_over_and_waits_for_it)
{
	static const struct {
		const char *name;
		struct left_over left;
		int n_reports;
	} cases[] = {
		{ "all is well", { 3, -ECANCELED, 0 }, 0 },
		{ "main failed", { -EIO, -ECANCELED, 0 }, 0 },
		{ "the rest fails", { 3, -ENOLINK, 0 }, 2 },
		{ "both fail, and main's is told", { -EIO, -ENOLINK, 0 }, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct left_over left = cases[i].left;

		reports_begin();
		cr_expect_eq(weft_run(leave_two_over, &left), left.main_result, "%s",
			     cases[i].name);
		cr_expect_eq(left.n_cleaned, 2, "%s", cases[i].name);
		cr_expect_eq(reports_count(), cases[i].n_reports, "%s", cases[i].name);
		cr_expect_eq(reports_with("clean_up"), cases[i].n_reports, "%s",
			     cases[i].name);
	}
}

static int keep_one_that_fails(void *arg)
{
	weft_task *task;

	(void)arg;
	cr_assert_eq(weft_spawn(fail_with_a_sentence, NULL, &task), 0);
	cr_assert_eq(weft_yield(), 0);
	return 0;
}

Test(run, reports_a_failure_that_its_holder_never_asked_for)
{
	reports_begin();
	cr_expect_eq(weft_run(keep_one_that_fails, NULL), 0);
	cr_expect_eq(reports_count(), 1);
	cr_expect_eq(reports_with("fail_with_a_sentence"), 1);
	cr_expect_eq(reports_with("the disk is gone"), 1);
	cr_expect_eq(strncmp(reports_place("the disk is gone"), "keep_one_that_fails",
			     19),
		     0, "%s", reports_place("the disk is gone"));
}

/* ---- A runner ---- */

struct runs {
	weft_loop *loop;
	int n;
};

static int count_turns(void *arg)
{
	struct runs *runs = arg;
	int r = 0;

	while (r == 0) {
		runs->n++;
		r = weft_yield();
	}
	return r;
}

static int begin_counting(void *arg)
{
	struct runs *runs = arg;

	runs->loop = weft_loop_current();
	return weft_spawn(count_turns, runs, NULL);
}

static int let_it_count(void *arg)
{
	struct runs *runs = arg;
	int n = runs->n;

	cr_expect_eq(weft_loop_current(), runs->loop);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(weft_yield(), 0);
	cr_expect_geq(runs->n, n + 10);
	return 0;
}

Test(runner, runs_several_tasks_on_one_loop_and_keeps_what_they_started)
{
	struct runs runs = { 0 };
	weft_runner *runner;

	reports_begin();
	cr_assert_eq(weft_runner_new(NULL, &runner), 0);
	cr_expect_eq(weft_runner_run(runner, begin_counting, &runs), 0);
	cr_expect_eq(runs.loop, weft_runner_loop(runner));
	cr_expect_eq(weft_runner_run(runner, let_it_count, &runs), 0);
	cr_expect_eq(weft_runner_run(runner, let_it_count, &runs), 0);
	cr_expect_eq(weft_runner_run(runner, fail_with_a_sentence, NULL), -EIO);
	cr_expect_eq(weft_runner_run(runner, let_it_count, &runs), 0);
	cr_expect_eq(weft_runner_close(runner), 0);
	expect_no_reports();
}

Test(runner, that_never_ran_and_none_are_closed)
{
	weft_runner *runner;

	cr_assert_eq(weft_runner_new(NULL, &runner), 0);
	cr_expect_eq(weft_runner_close(runner), 0);
	cr_expect_eq(weft_runner_close(NULL), 0);
}

Test(runner, without_memory_is_refused_and_leaves_nothing_behind)
{
	weft_runner *runner = NULL;
	int r = -ENOMEM, n;

	for (n = 1; r == -ENOMEM && n < 100; n++) {
		weft__fail_allocation(n);
		r = weft_runner_new(NULL, &runner);
		weft__fail_allocation(0);
		cr_assert(r == 0 || !runner);
	}
	cr_assert_eq(r, 0);
	cr_expect_gt(n, 2);
	cr_expect_eq(weft_runner_close(runner), 0);
}

/* ---- Signals ---- */

/* What the first of a run's signals does; its exit status says what was found. */
static int be_told(void *arg)
{
	int signo = *(int *)arg;
	int r;

	raise(signo);
	r = sleep_forever(NULL);
	return r == -ECANCELED && strstr(weft_error_text(r),
					 signo == SIGINT ? "(SIGINT)" : "(SIGTERM)")
		       ? 11
		       : 12;
}

static int run_be_told(void *arg)
{
	return weft_run(be_told, arg);
}

Test(interrupt, cancels_the_main_task)
{
	static const int signals[] = { SIGINT, SIGTERM };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct child child;
		int signo = signals[i];

		child_run(&child, run_be_told, &signo);
		cr_expect_eq(child.status, 11 << 8, "signal %d: %s", signo, child.text);
	}
}

/* Hands its cancellation on: whoever ran it can tell it from other failures. */
static int be_interrupted(void *arg)
{
	(void)arg;
	raise(SIGINT);
	return sleep_forever(NULL);
}

static int run_be_interrupted(void *arg)
{
	int r = weft_run(be_interrupted, arg);

	return r == -ECANCELED && strstr(weft_error_text(r), "interrupted") ? 11 : 12;
}

Test(interrupt, is_told_to_who_called_run)
{
	struct child child;

	child_run(&child, run_be_interrupted, NULL);
	cr_expect_eq(child.status, 11 << 8, "%s", child.text);
}

/* A task that does not obey: the second signal ends the process, whatever the first one was. */
static int ignore_the_first(void *arg)
{
	int *signals = arg;

	raise(signals[0]);
	if (sleep_forever(NULL) == -ECANCELED)
		raise(signals[1]);
	return sleep_forever(NULL);
}

static int run_ignore_the_first(void *arg)
{
	return weft_run(ignore_the_first, arg);
}

Test(interrupt, that_is_the_second_ends_the_process)
{
	static const struct {
		const char *name;
		int signals[2];
	} cases[] = {
		{ "SIGINT twice", { SIGINT, SIGINT } },
		{ "SIGTERM twice", { SIGTERM, SIGTERM } },
		{ "SIGINT, then SIGTERM", { SIGINT, SIGTERM } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int signals[] = { cases[i].signals[0], cases[i].signals[1] };

		expect_signal(run_ignore_the_first, signals, signals[1], "",
			      cases[i].name);
	}
}

static volatile sig_atomic_t n_caught;

static void catch (int signo)
{
	(void)signo;
	n_caught++;
}

static int raise_and_wait_a_little(void *arg)
{
	(void)arg;
	raise(SIGINT);
	return weft_sleep(WEFT_MSEC);
}

static int run_with_a_handler(void *arg)
{
	struct sigaction after;
	int r;

	(void)arg;
	signal(SIGINT, catch);
	r = weft_run(raise_and_wait_a_little, NULL);
	sigaction(SIGINT, NULL, &after);
	return r == 0 && n_caught == 1 && after.sa_handler == catch ? 11 : 12;
}

Test(interrupt, that_the_program_handles_is_left_to_it)
{
	struct child child;

	child_run(&child, run_with_a_handler, NULL);
	cr_expect_eq(child.status, 11 << 8, "%s", child.text);
}

static int run_and_keep_signals(void *arg)
{
	struct weft_run_options options = { .keep_signals = true };

	(void)arg;
	return weft_run_with(raise_and_wait_a_little, NULL, &options);
}

static int raise_after_a_run(void *arg)
{
	int n = 0;

	(void)arg;
	if (weft_run(return_number, &n) == 0)
		raise(SIGINT);
	return 12;
}

Test(interrupt, does_what_it_always_does_where_no_run_has_it)
{
	expect_signal(run_and_keep_signals, NULL, SIGINT, "", "kept");
	expect_signal(raise_after_a_run, NULL, SIGINT, "", "after the run");
}

static int run_twice_and_be_told(void *arg)
{
	weft_runner *runner;
	int r;

	if (weft_runner_new(NULL, &runner) < 0)
		return 12;
	r = weft_runner_run(runner, be_told, arg);
	if (r == 11)
		r = weft_runner_run(runner, be_told, arg);
	return weft_runner_close(runner) < 0 ? 12 : r;
}

Test(interrupt, of_a_second_run_is_a_first_one_again)
{
	struct child child;
	int signo = SIGINT;

	child_run(&child, run_twice_and_be_told, &signo);
	cr_expect_eq(child.status, 11 << 8, "%s", child.text);
}

/* ---- Until a future settles ---- */

struct until {
	weft_loop *loop;
	weft_future *future;
	int n_steps;
};

static struct until begin_until(bool is_shared)
{
	struct until until = { 0 };

	cr_assert_eq(weft_loop_new(NULL, &until.loop), 0);
	if (is_shared)
		cr_assert_eq(weft_future_new_shared(&until.future), 0);
	return until;
}

static void end_until(struct until *until)
{
	weft_future_unref(until->future);
	cr_expect_eq(weft_loop_close(until->loop), 0);
}

static void settle(void *arg)
{
	struct until *until = arg;

	until->n_steps++;
	cr_expect_eq(weft_future_set_result(until->future, NULL, NULL), 0);
}

static void stop(void *arg)
{
	struct until *until = arg;

	until->n_steps++;
	weft_loop_stop(until->loop);
}

static void step(void *arg)
{
	struct until *until = arg;

	until->n_steps++;
}

Test(run_until, returns_when_a_callback_settles_it)
{
	struct until until = begin_until(true);

	cr_assert_eq(weft_loop_call_later(until.loop, WEFT_MSEC, settle, &until, NULL),
		     0);
	cr_expect_eq(weft_loop_run_until(until.loop, until.future), 0);
	cr_expect_eq(until.n_steps, 1);
	/* Its end is used up: the next run is not cut short. */
	cr_assert_eq(weft_loop_call_later(until.loop, WEFT_MSEC, stop, &until, NULL), 0);
	cr_expect_eq(weft_loop_run(until.loop), 0);
	cr_expect_eq(until.n_steps, 2);
	end_until(&until);
}

static void *settle_on_a_thread(void *arg)
{
	settle(arg);
	return NULL;
}

Test(run_until, returns_when_a_thread_settles_it)
{
	struct until until = begin_until(true);
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, settle_on_a_thread, &until), 0);
	cr_expect_eq(weft_loop_run_until(until.loop, until.future), 0);
	pthread_join(thread, NULL);
	end_until(&until);
}

Test(run_until, of_a_settled_one_runs_nothing)
{
	struct until until = begin_until(true);

	cr_assert_eq(weft_loop_call_soon(until.loop, step, &until, NULL), 0);
	cr_assert_eq(weft_future_set_result(until.future, NULL, NULL), 0);
	cr_expect_eq(weft_loop_run_until(until.loop, until.future), 0);
	cr_expect_eq(until.n_steps, 0);
	end_until(&until);
}

struct started {
	int n_begun, n_ended;
};

static int take_a_while(void *arg)
{
	struct started *started = arg;
	int r;

	started->n_begun++;
	r = weft_sleep(2 * WEFT_MSEC);
	started->n_ended++;
	return r < 0 ? r : 6;
}

Test(run_until, that_is_stopped_leaves_the_task_to_the_next_run)
{
	struct until until = begin_until(false);
	struct started started = { 0 };

	cr_assert_eq(weft_spawn_on(until.loop, take_a_while, &started, &until.future), 0);
	cr_assert_eq(weft_loop_call_soon(until.loop, stop, &until, NULL), 0);
	cr_expect_eq(weft_loop_run_until(until.loop, until.future), -EINTR);
	cr_expect(strstr(weft_error_text(-EINTR), "stopped before the future settled"));
	cr_expect_eq(started.n_ended, 0);
	cr_expect(!weft_future_is_done(until.future));
	cr_expect_eq(weft_loop_run_until(until.loop, until.future), 0);
	cr_expect_eq(started.n_begun, 1);
	cr_expect_eq(started.n_ended, 1);
	cr_expect_eq(weft_future_result(until.future), 6);
	end_until(&until);
}

static void settle_and_stop(void *arg)
{
	struct until *until = arg;

	settle(arg);
	weft_loop_stop(until->loop);
}

Test(run_until, that_is_stopped_and_settled_in_one_turn_ends_one_run)
{
	struct until until = begin_until(true);

	cr_assert_eq(weft_loop_call_soon(until.loop, settle_and_stop, &until, NULL), 0);
	cr_expect_eq(weft_loop_run_until(until.loop, until.future), 0);
	/* Else this one would return before the timer. */
	cr_assert_eq(weft_loop_call_later(until.loop, WEFT_MSEC, stop, &until, NULL), 0);
	cr_expect_eq(weft_loop_run(until.loop), 0);
	cr_expect_eq(until.n_steps, 2);
	end_until(&until);
}

static int ask_for_refusals(void *arg)
{
	weft_future *shared, *local;

	cr_assert_eq(weft_future_new_shared(&shared), 0);
	cr_assert_eq(weft_future_new(&local), 0);
	cr_expect_eq(weft_loop_run_until(weft_loop_current(), shared), -EBUSY);
	cr_expect_eq(weft_loop_run_until(arg, shared), -EBUSY);
	cr_expect_eq(weft_loop_run_until(arg, local), -EPERM);
	cr_expect(strstr(weft_error_text(-EPERM), "local to loop"));
	weft_future_unref(shared);
	weft_future_unref(local);
	return 0;
}

Test(run_until, is_refused_inside_a_run_and_for_another_loops_future)
{
	weft_loop *other;

	cr_assert_eq(weft_loop_new(NULL, &other), 0);
	cr_expect_eq(weft_run(ask_for_refusals, other), 0);
	cr_expect_eq(weft_loop_close(other), 0);
}
