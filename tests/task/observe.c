/*
 * weft_wait(), and what observers have in common.
 */
#include <pthread.h>
#include <sched.h>

#include "task/future.h"
#include "tests/task_test.h"

enum { N_MANY = 100 };

static weft_future *new_future(void)
{
	weft_future *future = NULL;

	cr_assert_eq(weft_future_new(&future), 0);
	return future;
}

static weft_future *new_shared(void)
{
	weft_future *future = NULL;

	cr_assert_eq(weft_future_new_shared(&future), 0);
	return future;
}

static void make_all(weft_future **futures, int n)
{
	for (int i = 0; i < n; i++)
		futures[i] = i % 2 ? new_shared() : new_future();
}

static void drop_all(weft_future **futures, int n)
{
	for (int i = 0; i < n; i++)
		weft_future_unref(futures[i]);
}

/* A task that waits. */
struct observer {
	weft_future **futures;
	size_t n;
	enum weft_return_when when;
	int r; /* 1000: it waits */
	int after; /* of the wait after that */
};

static int observe(void *arg)
{
	struct observer *observer = arg;

	observer->r = 1000;
	observer->r = weft_wait(observer->futures, observer->n, observer->when);
	observer->after = weft_yield();
	return observer->r;
}

static void settle(weft_future *future, int result)
{
	if (result == -ECANCELED)
		cr_expect(weft_future_cancel(future));
	else if (result < 0)
		cr_expect_eq(weft_future_set_error(future, result), 0);
	else
		cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
	(void)weft_future_result(future); /* looked at: so no report */
}

/* ---- When it returns ---- */

TaskTest(wait, returns_when_its_condition_holds)
{
	static const struct {
		const char *name;
		enum weft_return_when when;
		int results[4]; /* in which the futures settle, one after the other */
		int returns_at; /* after so many of them */
	} cases[] = {
		{ "all", WEFT_ALL_COMPLETED, { 0, 0, 0, 0 }, 4 },
		{ "all, failures among them",
		  WEFT_ALL_COMPLETED,
		  { -EIO, -EIO, 0, -EIO },
		  4 },
		{ "the first", WEFT_FIRST_COMPLETED, { 0, 0, 0, 0 }, 1 },
		{ "the first, a failure", WEFT_FIRST_COMPLETED, { -EIO, 0, 0, 0 }, 1 },
		{ "the first, cancelled",
		  WEFT_FIRST_COMPLETED,
		  { -ECANCELED, 0, 0, 0 },
		  1 },
		{ "the first error", WEFT_FIRST_ERROR, { 0, 0, -EIO, 0 }, 3 },
		{ "a cancellation is no error",
		  WEFT_FIRST_ERROR,
		  { 0, -ECANCELED, 0, 0 },
		  4 },
		{ "an error, never", WEFT_FIRST_ERROR, { 0, 0, 0, 0 }, 4 },
		{ "an error at once", WEFT_FIRST_ERROR, { -EIO, 0, 0, 0 }, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_future *futures[4];
		struct observer observer = { futures, 4, cases[i].when, 0, 0 };
		weft_task *task;

		make_all(futures, 4);
		task = start(observe, &observer);
		pass_turns(3);
		for (int j = 0; j < 4; j++) {
			cr_expect_eq(observer.r == 1000, j < cases[i].returns_at, "%s",
				     cases[i].name);
			settle(futures[3 - j], cases[i].results[j]);
			pass_turns(3);
		}
		cr_expect_eq(observer.r, cases[i].returns_at, "%s", cases[i].name);
		cr_expect_eq(weft_task_join(task), cases[i].returns_at);
		drop_all(futures, 4);
	}
}

TaskTest(wait, returns_at_once_if_its_condition_holds)
{
	static const struct {
		const char *name;
		enum weft_return_when when;
		int results[2]; /* of the first two of three; 1: not settled */
		int r;
	} cases[] = {
		{ "one of them", WEFT_FIRST_COMPLETED, { 0, 1 }, 1 },
		{ "two of them", WEFT_FIRST_COMPLETED, { 0, -EIO }, 2 },
		{ "an error", WEFT_FIRST_ERROR, { 0, -EIO }, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_future *futures[3];

		make_all(futures, 3);
		for (int j = 0; j < 2; j++)
			if (cases[i].results[j] < 1)
				settle(futures[j], cases[i].results[j]);
		weft_task_cancel(weft_task_current(), NULL);
		cr_expect_eq(weft_wait(futures, 3, cases[i].when), cases[i].r, "%s",
			     cases[i].name);
		cr_expect_eq(weft_yield(), -ECANCELED, "no wait, so no cancellation");
		weft_task_uncancel(weft_task_current());
		drop_all(futures, 3);
	}
}

TaskTest(wait, counts_all_that_have_settled_when_it_returns)
{
	weft_future *futures[3];
	struct observer observer = { futures, 3, WEFT_FIRST_COMPLETED, 0, 0 };
	weft_task *task;

	make_all(futures, 3);
	task = start(observe, &observer);
	pass_turns(2);
	settle(futures[0], 0);
	settle(futures[2], 0); /* in the same step */
	cr_expect_eq(weft_task_join(task), 2);
	drop_all(futures, 3);
}

TaskTest(wait, for_many_is_as_for_few)
{
	weft_future *futures[N_MANY];
	struct observer all = { futures, N_MANY, WEFT_ALL_COMPLETED, 0, 0 };
	struct observer first = { futures, N_MANY, WEFT_FIRST_COMPLETED, 0, 0 };
	weft_task *tasks[2];

	make_all(futures, N_MANY);
	tasks[0] = start(observe, &all);
	tasks[1] = start(observe, &first);
	pass_turns(2);
	for (int i = N_MANY - 1; i >= 0; i--) {
		cr_expect_eq(all.r, 1000);
		settle(futures[i], 0);
		pass_turns(2);
	}
	cr_expect_eq(weft_task_join(tasks[0]), N_MANY);
	cr_expect_eq(weft_task_join(tasks[1]), 1);
	drop_all(futures, N_MANY);
}

TaskTest(wait, counts_a_future_that_is_there_twice_twice)
{
	weft_future *future = new_future(), *futures[2] = { future, future };
	struct observer observer = { futures, 2, WEFT_ALL_COMPLETED, 0, 0 };
	weft_task *task = start(observe, &observer);

	pass_turns(2);
	settle(future, 0);
	cr_expect_eq(weft_task_join(task), 2);
	weft_future_unref(future);
}

TaskTest(wait, watches_tasks)
{
	weft_time spans[3] = { 3 * WEFT_SEC, WEFT_SEC, 2 * WEFT_SEC };
	weft_task *tasks[3];
	weft_future *futures[3];
	weft_time began = weft_now();

	for (int i = 0; i < 3; i++) {
		tasks[i] = start(sleep_for, &spans[i]);
		futures[i] = weft_task_future(tasks[i]);
	}
	cr_expect_eq(weft_wait(futures, 3, WEFT_FIRST_COMPLETED), 1);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	cr_expect(weft_future_is_done(futures[1]));
	cr_expect_eq(weft_wait(futures, 3, WEFT_ALL_COMPLETED), 3);
	cr_expect_eq(weft_now() - began, 3 * WEFT_SEC);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(weft_task_join(tasks[i]), 0);
}

/* ---- Cancellation ---- */

TaskTest(wait, that_is_cancelled_leaves_the_work_alone)
{
	weft_task *work = start(sleep_forever, NULL);
	weft_future *futures[2] = { weft_task_future(work), new_shared() };
	struct observer observer = { futures, 2, WEFT_FIRST_COMPLETED, 0, 0 };
	weft_task *task = start(observe, &observer);

	pass_turns(2);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(observer.after, 0, "told once");
	cr_expect_eq(weft_task_cancelling(work), 0);
	settle(futures[1], 0); /* nobody is there any more */
	weft_future_unref(futures[1]);
	weft_task_cancel(work, NULL);
	cr_expect_eq(weft_task_join(work), -ECANCELED);
}

TaskTest(wait, cancelled_after_its_condition_held_succeeds)
{
	static const enum weft_return_when when[] = { WEFT_ALL_COMPLETED,
						      WEFT_FIRST_COMPLETED,
						      WEFT_FIRST_ERROR };

	for (size_t i = 0; i < ARRAY_SIZE(when); i++) {
		weft_future *futures[4];
		struct observer observer = { futures, 4, when[i], 0, 0 };
		weft_task *task;
		int n = when[i] == WEFT_ALL_COMPLETED ? 4 : 1;

		make_all(futures, 4);
		task = start(observe, &observer);
		pass_turns(2);
		for (int j = 0; j < n; j++) /* the last one is shared: by a message */
			settle(futures[n == 4 ? j : 1], -EIO);
		weft_task_cancel(task, NULL); /* in the same step */
		cr_expect_eq(weft_task_join(task), n);
		cr_expect_eq(observer.after, -ECANCELED, "result first");
		drop_all(futures, 4);
	}
}

TaskTest(wait, cancelled_when_a_part_has_settled_is_cancelled)
{
	weft_future *futures[4];
	struct observer observer = { futures, 4, WEFT_ALL_COMPLETED, 0, 0 };
	weft_task *task;

	make_all(futures, 4);
	task = start(observe, &observer);
	pass_turns(2);
	for (int i = 0; i < 3; i++)
		settle(futures[i], 0);
	weft_task_cancel(task, NULL); /* with a message on its way */
	settle(futures[3], 0);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(observer.after, 0);
	drop_all(futures, 4);
}

TaskTest(wait, with_a_pending_cancellation_does_not_begin)
{
	weft_future *future = new_future();

	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_wait(&future, 1, WEFT_ALL_COMPLETED), -ECANCELED);
	weft_task_uncancel(weft_task_current());
	weft_future_unref(future);
}

TaskTest(wait, in_a_timeout_returns_and_cancels_nothing)
{
	weft_task *work = start(sleep_forever, NULL);
	weft_future *future = weft_task_future(work);
	struct weft_timeout timeout;
	weft_time began = weft_now();
	int r;

	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_wait(&future, 1, WEFT_ALL_COMPLETED);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	cr_expect_eq(weft_task_cancelling(work), 0);
	weft_task_cancel(work, NULL);
	cr_expect_eq(weft_task_join(work), -ECANCELED);
}

/* ---- asyncio's shield(x) ---- */

static int await_one(void *arg)
{
	return weft_future_await(arg);
}

TaskTest(observer, that_is_cancelled_leaves_nothing_on_the_future)
{
	enum { N = 50 };
	weft_future *futures[2] = { new_future(), new_shared() };

	for (int i = 0; i < 2; i++) {
		weft_task *tasks[N];

		for (int j = 0; j < N; j++)
			tasks[j] = start(await_one, futures[i]);
		pass_turns(2);
		cr_expect(!list_is_empty(&futures[i]->waiters));
		for (int j = 0; j < N; j++) {
			weft_task_cancel(tasks[j], NULL);
			cr_expect_eq(weft_task_join(tasks[j]), -ECANCELED);
		}
		cr_expect(list_is_empty(&futures[i]->waiters));
		settle(futures[i], 0);
	}
	drop_all(futures, 2);
}

TaskTest(observer, of_work_that_is_cancelled_is_not_cancelled_itself)
{
	weft_task *work = start(sleep_forever, NULL);
	weft_future *future = weft_task_future(work);
	weft_task *task = start(await_one, future);

	pass_turns(2);
	weft_task_cancel(work, NULL);
	cr_expect_eq(weft_task_join(task), 0, "the wait is over");
	cr_expect_eq(weft_future_result(future), -ECANCELED, "the work was cancelled");
	cr_expect_eq(weft_task_join(work), -ECANCELED);
}

static int fail_after_a_second(void *arg)
{
	(void)arg;
	return weft_sleep(WEFT_SEC) < 0 ? -ECANCELED
					: weft_error_set(-EIO, "nobody looks any more");
}

TaskTest(observer, that_has_left_misses_a_failure_which_is_reported_once)
{
	weft_task *work = start(fail_after_a_second, NULL), *tasks[3];
	weft_future *future = weft_future_ref(weft_task_future(work));

	expect_reports();
	for (int i = 0; i < 3; i++)
		tasks[i] = start(await_one, future);
	pass_turns(2);
	for (int i = 0; i < 3; i++) {
		weft_task_cancel(tasks[i], NULL);
		cr_expect_eq(weft_task_join(tasks[i]), -ECANCELED);
	}
	weft_task_detach(work);
	weft_future_unref(future);
	pass_time(2 * WEFT_SEC);
	cr_expect_eq(reports_count(), 1);
	cr_expect_eq(reports_with("nobody looks any more"), 1);
}

/* ---- Wrong use ---- */

TaskTest(wait, refuses_what_it_cannot_do)
{
	weft_future *future = new_future();

	cr_expect_eq(weft_wait(&future, 0, WEFT_ALL_COMPLETED), -EINVAL, "nothing");
	cr_expect_eq(weft_wait(&future, 1, (enum weft_return_when)3), -EINVAL);
	cr_expect_str_eq(weft_error_text(-EINVAL),
			 "weft_wait() takes at least one future, and WEFT_ALL_COMPLETED, "
			 "WEFT_FIRST_COMPLETED or WEFT_FIRST_ERROR");
	weft_future_unref(future);
}

Test(wait, outside_a_task_is_refused)
{
	cr_expect_eq(weft_wait(NULL, 0, WEFT_ALL_COMPLETED), -EPERM);
}

static int wait_for_foreign(void *arg)
{
	int r = weft_wait(arg, 2, WEFT_FIRST_COMPLETED);

	cr_expect_eq(r, -EPERM);
	return 0;
}

static void *on_another_loop(void *arg)
{
	return (void *)(intptr_t)weft_run(wait_for_foreign, arg);
}

TaskTestInOrder(wait, for_a_local_future_of_another_loop_is_refused)
{
	weft_future *futures[2] = { new_shared(), new_future() };
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, on_another_loop, futures), 0);
	pthread_join(thread, NULL);
	drop_all(futures, 2);
}

TaskTest(wait, without_memory_for_many_says_so)
{
	weft_future *futures[N_MANY];

	make_all(futures, N_MANY);
	weft__fail_allocation(1);
	cr_expect_eq(weft_wait(futures, N_MANY, WEFT_ALL_COMPLETED), -ENOMEM);
	weft__fail_allocation(0);
	drop_all(futures, N_MANY);
}

/* ---- Threads ---- */

enum { N_SHARED = 20, N_STORMS = 100 };

struct storm {
	weft_future *futures[N_SHARED];
	int from, to; /* that a thread settles */
};

static void *settle_some(void *arg)
{
	struct storm *storm = arg;

	for (int i = storm->from; i < storm->to; i++) {
		(void)weft_future_set_result(storm->futures[i], NULL, NULL);
		if (i % 7 == 0)
			sched_yield();
	}
	return NULL;
}

static void weather_storm(int i)
{
	static const enum weft_return_when when[] = { WEFT_ALL_COMPLETED,
						      WEFT_FIRST_COMPLETED };
	struct storm halves[2];
	pthread_t threads[2];
	int r;

	for (int j = 0; j < N_SHARED; j++)
		halves[0].futures[j] = new_shared();
	halves[1] = halves[0];
	for (int j = 0; j < 2; j++) {
		halves[j].from = j * N_SHARED / 2;
		halves[j].to = (j + 1) * N_SHARED / 2;
		cr_assert_eq(pthread_create(&threads[j], NULL, settle_some, &halves[j]),
			     0);
	}
	if (i % 3 == 2) { /* leave in the middle of it */
		struct weft_timeout timeout;

		weft_timeout_begin(&timeout, (i % 50) * WEFT_USEC);
		r = weft_wait(halves[0].futures, N_SHARED, WEFT_ALL_COMPLETED);
		r = weft_timeout_end(&timeout, r);
		cr_expect(r == -ETIMEDOUT || r == N_SHARED, "%d", r);
	} else {
		r = weft_wait(halves[0].futures, N_SHARED, when[i % 3]);
		cr_expect_ge(r, i % 3 ? 1 : N_SHARED);
	}
	for (int j = 0; j < 2; j++)
		pthread_join(threads[j], NULL);
	drop_all(halves[0].futures, N_SHARED);
}

static int weather_storms(void *arg)
{
	(void)arg;
	for (int i = 0; i < N_STORMS; i++)
		weather_storm(i);
	return 0;
}

/* On a real clock, so that time-outs come in the middle. */
Test(wait, takes_futures_that_several_threads_settle)
{
	cr_expect_eq(weft_run(weather_storms, NULL), 0);
}
