/*
 * Futures of one loop; those that threads share are in future_threads.c.
 */
#include "tests/task_test.h"

static weft_future *new_future(void)
{
	weft_future *future = NULL;

	cr_assert_eq(weft_future_new(&future), 0);
	return future;
}

static int n_destroyed;

static void destroy(void *value)
{
	(void)value;
	n_destroyed++;
}

/* ---- Settling ---- */

TaskTest(future, is_pending_until_it_is_settled)
{
	weft_future *future = new_future();
	int value = 8;

	n_destroyed = 0;
	cr_expect(!weft_future_is_done(future));
	cr_expect_eq(weft_future_result(future), -EINPROGRESS);
	cr_expect_null(weft_future_value(future));
	cr_expect_null(weft_future_take_value(future));
	cr_expect_eq(weft_future_set_result(future, &value, destroy), 0);
	cr_expect(weft_future_is_done(future));
	cr_expect_eq(weft_future_result(future), 0);
	cr_expect_eq(weft_future_value(future), &value);
	cr_expect_eq(weft_future_await(future), 0, "at once");
	weft_future_unref(future);
	cr_expect_eq(n_destroyed, 1);
}

TaskTest(future, is_settled_once)
{
	static const char *const names[] = { "result", "error", "cancellation" };

	for (int first = 0; first < 3; first++) {
		weft_future *future = new_future();
		int value = 0, r;

		n_destroyed = 0;
		r = first == 0	 ? weft_future_set_result(future, &value, destroy)
		    : first == 1 ? weft_future_set_error(future, -EIO)
				 : !weft_future_cancel(future);
		cr_expect_eq(r, 0, "%s", names[first]);
		r = weft_future_set_result(future, &value, destroy);
		cr_expect_eq(r, -EALREADY, "%s", names[first]);
		cr_expect_eq(weft_future_set_error(future, -EPIPE), -EALREADY);
		cr_expect(!weft_future_cancel(future), "%s", names[first]);
		r = weft_future_result(future);
		cr_expect_eq(r,
			     first == 0	  ? 0
			     : first == 1 ? -EIO
					  : -ECANCELED,
			     "%s", names[first]);
		weft_future_unref(future);
		cr_expect_eq(n_destroyed, first == 0,
			     "a refused value stays the caller's");
	}
}

TaskTest(future, hands_its_value_to_the_first_who_takes_it)
{
	weft_future *future = new_future();
	int value = 8;

	n_destroyed = 0;
	cr_expect_eq(weft_future_set_result(future, &value, destroy), 0);
	cr_expect_eq(weft_future_take_value(future), &value);
	cr_expect_null(weft_future_take_value(future));
	cr_expect_null(weft_future_value(future));
	cr_expect_eq(weft_future_result(future), 0);
	weft_future_unref(future);
	cr_expect_eq(n_destroyed, 0);
}

TaskTest(future, carries_the_details_of_a_failure)
{
	weft_future *future = new_future();

	cr_expect_eq(weft_future_set_error(future, weft_error_set(-EPROTO, "no manners")),
		     0);
	(void)weft_error_set(-EIO, "something else");
	cr_expect_eq(weft_future_result(future), -EPROTO);
	cr_expect_str_eq(weft_error_text(-EPROTO), "no manners");
	weft_future_unref(future);
}

TaskTest(future, refuses_a_success_as_an_error)
{
	weft_future *future = new_future();

	cr_expect_eq(weft_future_set_error(future, 0), -EINVAL);
	cr_expect_eq(weft_future_set_error(future, 5), -EINVAL);
	cr_expect(!weft_future_is_done(future));
	weft_future_unref(future);
}

TaskTest(future, lives_as_long_as_its_last_reference)
{
	weft_future *future = new_future();
	int value = 1;

	n_destroyed = 0;
	cr_expect_eq(weft_future_ref(future), future);
	cr_expect_eq(weft_future_ref(future), future);
	cr_expect_eq(weft_future_set_result(future, &value, destroy), 0);
	weft_future_unref(future);
	weft_future_unref(future);
	cr_expect_eq(n_destroyed, 0);
	weft_future_unref(future);
	cr_expect_eq(n_destroyed, 1);
	weft_future_unref(NULL);
}

/* ---- Failures that nobody looked at ---- */

TaskTest(future, whose_failure_nobody_looked_at_is_reported_once)
{
	weft_future *future = new_future();

	expect_reports();
	weft_future_ref(future);
	cr_expect_eq(weft_future_set_error(future, weft_error_set(-EIO, "unseen")), 0);
	weft_future_unref(future);
	cr_expect_eq(reports_count(), 0);
	weft_future_unref(future);
	cr_expect_eq(reports_count(), 1);
	cr_expect_eq(reports_with("unseen"), 1);
	cr_expect_neq(reports_place("unseen")[0], '\0', "where it was made");
}

TaskTest(future, whose_failure_somebody_looked_at_is_not_reported)
{
	weft_future *future = new_future();

	cr_expect_eq(weft_future_set_error(future, -EIO), 0);
	cr_expect_eq(weft_future_result(future), -EIO);
	weft_future_unref(future);
}

TaskTest(future, that_was_cancelled_or_never_settled_is_not_reported)
{
	weft_future *cancelled = new_future(), *pending = new_future();

	cr_expect(weft_future_cancel(cancelled));
	weft_future_unref(cancelled);
	weft_future_unref(pending);
}

/* ---- Awaiting ---- */

struct observer {
	weft_future *future;
	int awaited, after;
	int place;
	int *n_woken;
};

static int observe(void *arg)
{
	struct observer *observer = arg;

	observer->awaited = weft_future_await(observer->future);
	observer->place = (*observer->n_woken)++;
	observer->after = weft_sleep(WEFT_MSEC);
	return observer->awaited;
}

TaskTest(future, wakes_all_who_await_it_but_never_inside_the_call)
{
	enum { N = 10 };
	weft_future *future = new_future();
	struct observer observers[N];
	weft_task *tasks[N];
	int n_woken = 0;

	for (int i = 0; i < N; i++) {
		observers[i] = (struct observer){ future, 1, 1, -1, &n_woken };
		tasks[i] = start(observe, &observers[i]);
	}
	pass_time(WEFT_SEC);
	cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
	cr_expect_eq(n_woken, 0);
	for (int i = 0; i < N; i++)
		cr_expect_eq(weft_task_join(tasks[i]), 0);
	weft_future_unref(future);
}

TaskTest(future, tells_its_waiters_of_a_cancellation_by_its_result)
{
	weft_future *future = new_future();
	int n_woken = 0;
	struct observer observer = { future, 1, 1, -1, &n_woken };
	weft_task *task = start(observe, &observer);

	pass_turns(2);
	cr_expect(weft_future_cancel(future));
	cr_expect_eq(weft_task_join(task), 0, "the wait itself was no failure");
	cr_expect_eq(weft_future_result(future), -ECANCELED);
	weft_future_unref(future);
}

TaskTest(future, is_left_alone_by_an_observer_that_is_cancelled)
{
	weft_future *future = new_future();
	int n_woken = 0;
	struct observer one = { future, 1, 1, -1, &n_woken }, two = one;
	weft_task *tasks[2];

	tasks[0] = start(observe, &one);
	tasks[1] = start(observe, &two);
	pass_turns(2);
	weft_task_cancel(tasks[0], NULL);
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect(!weft_future_is_done(future));
	cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	weft_future_unref(future);
}

TaskTest(future, settled_and_its_waiter_cancelled_in_one_turn)
{
	for (int settled_first = 0; settled_first < 2; settled_first++) {
		weft_future *future = new_future();
		int n_woken = 0;
		struct observer observer = { future, 1, 1, -1, &n_woken };
		weft_task *task = start(observe, &observer);

		pass_turns(2);
		if (!settled_first)
			weft_task_cancel(task, NULL);
		cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
		if (settled_first)
			weft_task_cancel(task, NULL);
		cr_expect_eq(weft_task_join(task), settled_first ? 0 : -ECANCELED);
		cr_expect_eq(observer.after, settled_first ? -ECANCELED : 0);
		weft_future_unref(future);
	}
}

TaskTest(future, settled_and_its_waiter_cancelled_and_uncancelled_in_one_turn)
{
	static const struct {
		const char *name;
		int n_requests, after;
	} cases[] = {
		{ "one request", 1, 0 },
		{ "one of two requests", 2, -ECANCELED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_future *future = new_future();
		int n_woken = 0, left = cases[i].n_requests - 1;
		struct observer observer = { future, 1, 1, -1, &n_woken };
		weft_task *task = start(observe, &observer);

		pass_turns(2);
		cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
		for (int n = 0; n < cases[i].n_requests; n++)
			cr_expect(weft_task_cancel(task, NULL));
		cr_expect_eq(weft_task_uncancel(task), left, "%s", cases[i].name);
		cr_expect_eq(weft_task_join(task), 0, "%s", cases[i].name);
		cr_expect_eq(observer.after, cases[i].after, "%s", cases[i].name);
		weft_future_unref(future);
	}
}

TaskTestInOrder(future, wakes_those_who_await_it_in_the_order_of_arrival)
{
	enum { N = 10 };
	weft_future *future = new_future();
	struct observer observers[N];
	weft_task *tasks[N];
	int n_woken = 0;

	for (int i = 0; i < N; i++) {
		observers[i] = (struct observer){ future, 1, 1, -1, &n_woken };
		tasks[i] = start(observe, &observers[i]);
	}
	pass_turns(2);
	cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
	pass_turns(1);
	cr_expect_eq(n_woken, N, "in the next turn");
	for (int i = 0; i < N; i++) {
		cr_expect_eq(observers[i].place, i);
		cr_expect_eq(weft_task_join(tasks[i]), 0);
	}
	weft_future_unref(future);
}

static int count_step(void *arg)
{
	(*(int *)arg)++;
	return 0;
}

static void settle(weft_future *future, int how)
{
	if (how == 0)
		cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
	else if (how == 1)
		cr_expect_eq(weft_future_set_error(future, -EIO), 0);
	else
		cr_expect(weft_future_cancel(future));
}

TaskTest(future, that_has_settled_is_awaited_without_a_wait)
{
	static const char *const names[] = { "result", "error", "cancellation" };

	for (int how = 0; how < 6; how++) {
		weft_future *future = NULL;
		weft_task *self = weft_task_current(), *other;
		int n_steps = 0, r;

		r = how % 2 ? weft_future_new_shared(&future) : weft_future_new(&future);
		cr_assert_eq(r, 0);
		settle(future, how / 2);
		other = start(count_step, &n_steps);
		cr_expect(weft_task_cancel(self, NULL));
		cr_expect_eq(weft_future_await(future), 0, "%s", names[how / 2]);
		cr_expect_eq(n_steps, 0, "%s: nobody else ran", names[how / 2]);
		cr_expect_eq(weft_yield(), -ECANCELED, "%s: that waits", names[how / 2]);
		cr_expect_eq(weft_task_uncancel(self), 0);
		cr_expect_eq(weft_task_join(other), 0);
		(void)weft_future_result(future);
		weft_future_unref(future);
	}
}

TaskTest(future, may_be_awaited_again_after_a_cancelled_wait)
{
	weft_future *future = new_future();
	weft_task *self = weft_task_current();

	weft_task_cancel(self, NULL);
	cr_expect_eq(weft_future_await(future), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(self), 0);
	cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
	cr_expect_eq(weft_future_await(future), 0);
	weft_future_unref(future);
}

static int settle_later(void *arg)
{
	int r = weft_sleep(WEFT_SEC);

	return r < 0 ? r : weft_future_set_result(arg, NULL, NULL);
}

TaskTest(future, lets_time_pass_while_it_is_awaited)
{
	weft_future *future = new_future();
	weft_time began = weft_now();
	weft_task *task = start(settle_later, future);

	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	cr_expect_eq(weft_task_join(task), 0);
	weft_future_unref(future);
}

/* ---- The future of a task ---- */

TaskTest(task_future, settles_with_what_the_task_returned)
{
	static const int results[] = { 0, 17, -EIO };

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		int result = results[i];
		weft_task *task = start(return_number, &result);
		weft_future *future = weft_future_ref(weft_task_future(task));

		cr_expect_eq(weft_task_future(task), future, "made once");
		cr_expect_eq(weft_future_await(future), 0);
		cr_expect_eq(weft_future_result(future), results[i]);
		cr_expect_eq(weft_task_join(task), results[i]);
		cr_expect_eq(weft_future_result(future), results[i], "outlives its task");
		weft_future_unref(future);
	}
}

TaskTest(task_future, made_after_the_end_is_settled)
{
	int result = 17;
	weft_task *task = start(return_number, &result);

	pass_turns(2);
	cr_expect(weft_future_is_done(weft_task_future(task)));
	cr_expect_eq(weft_future_result(weft_task_future(task)), 17);
	cr_expect_eq(weft_task_join(task), 17);
	cr_expect_null(weft_task_future(NULL));
}

TaskTest(task_future, passes_its_cancellation_to_the_task)
{
	weft_task *task = start(sleep_forever, NULL);
	weft_future *future = weft_task_future(task);

	pass_turns(2);
	cr_expect(weft_future_cancel(future));
	cr_expect(!weft_future_is_done(future), "when the task has ended");
	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(weft_future_result(future), -ECANCELED);
	cr_expect(!weft_future_cancel(future));
	cr_expect_eq(weft_task_join(task), -ECANCELED);
}

static int await_oneself(void *arg)
{
	weft_future *mine = weft_task_future(weft_task_current());

	*(int *)arg = weft_future_await(mine);
	cr_expect(!weft_future_is_done(mine));
	return weft_sleep(WEFT_SEC) < 0 ? -EINVAL : 5;
}

TaskTest(task_future, awaited_by_its_own_task_is_refused_and_the_task_goes_on)
{
	int refusal = 0;
	weft_task *task = start(await_oneself, &refusal);

	cr_expect_eq(weft_future_await(weft_task_future(task)), 0);
	cr_expect_eq(refusal, -EDEADLK);
	cr_expect_eq(weft_task_join(task), 5);
}

TaskTest(task_future, is_settled_by_its_task_alone)
{
	weft_task *task = start(sleep_forever, NULL);
	weft_future *future = weft_future_ref(weft_task_future(task));
	int value;

	cr_expect_eq(weft_future_set_result(future, &value, NULL), -EPERM);
	cr_expect_eq(weft_future_set_error(future, -EIO), -EPERM);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(weft_future_set_error(future, -EIO), -EPERM, "and not afterwards");
	weft_future_unref(future);
}

TaskTest(task_future, of_a_detached_task_reports_a_failure_that_nobody_saw)
{
	int result = -EIO;
	weft_task *task = start(return_number, &result);

	expect_reports();
	(void)weft_task_future(task);
	weft_task_detach(task);
	pass_turns(3);
	cr_expect_eq(reports_count(), 1);
}

TaskTest(task_future, of_a_groups_child_is_not_reported_for_what_the_group_returns)
{
	int result = -EIO;
	struct weft_group group;

	weft_group_begin(&group);
	(void)weft_task_future(weft_group_spawn(&group, return_number, &result));
	cr_expect_eq(weft_group_end(&group, 0), -EIO);
	pass_turns(2);
}
