/*
 * weft_as_completed.
 */
#include <pthread.h>
#include <sched.h>

#include "tests/task_test.h"

static weft_future *new_future(bool shared)
{
	weft_future *future = NULL;
	int r = shared ? weft_future_new_shared(&future) : weft_future_new(&future);

	cr_assert_eq(r, 0);
	return future;
}

static void settle(weft_future *future)
{
	cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
}

static void begin(struct weft_as_completed *scope, weft_future **futures, size_t n)
{
	int r = weft_as_completed_begin(scope, futures, n);

	cr_assert_eq(r, 0, "%s", weft_error_text(r));
}

/* Which of the futures comes next; -1: each was handed out. */
static int next_of(struct weft_as_completed *scope, weft_future **futures)
{
	weft_future *future = NULL;
	int r = weft_as_completed_next(scope, &future), i = 0;

	if (r != 1)
		return r < 0 ? r : -1;
	cr_expect(weft_future_is_done(future));
	while (futures[i] != future)
		i++;
	return i;
}

TaskTest(as_completed, hands_out_tasks_in_the_order_of_their_ends)
{
	weft_time spans[3] = { 3 * WEFT_SEC, WEFT_SEC, 2 * WEFT_SEC };
	static const int order[] = { 1, 2, 0 };
	struct weft_as_completed scope;
	weft_future *futures[3];
	weft_task *tasks[3];
	weft_time began = weft_now();

	for (int i = 0; i < 3; i++) {
		tasks[i] = start(sleep_for, &spans[i]);
		futures[i] = weft_task_future(tasks[i]);
	}
	begin(&scope, futures, 3);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(next_of(&scope, futures), order[i]);
		cr_expect_eq(weft_now() - began, (i + 1) * WEFT_SEC);
	}
	cr_expect_eq(next_of(&scope, futures), -1);
	cr_expect_eq(next_of(&scope, futures), -1, "and again");
	cr_expect_eq(weft_as_completed_end(&scope, 5), 5);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(weft_task_join(tasks[i]), 0);
}

TaskTest(as_completed, takes_local_and_shared_futures)
{
	weft_future *futures[6];
	static const int order[] = { 4, 0, 2, 1, 5, 3 };
	struct weft_as_completed scope;

	for (int i = 0; i < 6; i++)
		futures[i] = new_future(i % 2);
	begin(&scope, futures, 6);
	for (int i = 0; i < 6; i++) {
		settle(futures[order[i]]);
		cr_expect_eq(next_of(&scope, futures), order[i]);
	}
	cr_expect_eq(weft_as_completed_end(&scope, 0), 0);
	for (int i = 0; i < 6; i++)
		weft_future_unref(futures[i]);
}

TaskTest(as_completed, begins_with_what_has_settled_already)
{
	weft_future *futures[4];
	struct weft_as_completed scope;

	for (int i = 0; i < 4; i++)
		futures[i] = new_future(i % 2);
	settle(futures[3]);
	settle(futures[1]);
	begin(&scope, futures, 4);
	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(next_of(&scope, futures), 1, "in the order of the array");
	cr_expect_eq(next_of(&scope, futures), 3, "no wait, so no cancellation");
	cr_expect_eq(next_of(&scope, futures), -ECANCELED);
	weft_task_uncancel(weft_task_current());
	settle(futures[2]);
	cr_expect_eq(next_of(&scope, futures), 2);
	cr_expect_eq(weft_as_completed_end(&scope, 0), 0, "one was never taken");
	settle(futures[0]);
	for (int i = 0; i < 4; i++)
		weft_future_unref(futures[i]);
}

TaskTest(as_completed, hands_out_each_future_once)
{
	enum { N = 100 };
	weft_future *futures[3 * N];
	struct weft_as_completed scope;
	int n = 0, r;

	for (int i = 0; i < N; i++) {
		futures[i] = futures[2 * N - 1 - i] = new_future(i % 3 == 0);
		futures[2 * N + i] = futures[i];
		if (i % 2)
			settle(futures[i]);
	}
	begin(&scope, futures, 3 * N);
	for (int i = 0; i < N; i += 2)
		settle(futures[i]);
	while ((r = next_of(&scope, futures)) >= 0)
		n++;
	cr_expect_eq(r, -1);
	cr_expect_eq(n, N);
	cr_expect_eq(weft_as_completed_end(&scope, 0), 0);
	for (int i = 0; i < N; i++)
		weft_future_unref(futures[i]);
}

TaskTest(as_completed, of_nothing_has_nothing)
{
	struct weft_as_completed scope;

	begin(&scope, NULL, 0);
	cr_expect_eq(next_of(&scope, NULL), -1);
	cr_expect_eq(weft_as_completed_end(&scope, -EIO), -EIO);
}

TaskTest(as_completed, in_a_timeout_keeps_what_comes_later)
{
	weft_future *future = new_future(false);
	struct weft_as_completed scope;
	struct weft_timeout timeout;
	int r;

	begin(&scope, &future, 1);
	weft_timeout_begin(&timeout, WEFT_SEC);
	r = next_of(&scope, &future);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	settle(future);
	cr_expect_eq(next_of(&scope, &future), 0, "it was not lost");
	cr_expect_eq(weft_as_completed_end(&scope, 0), 0);
	weft_future_unref(future);
}

struct taker {
	weft_future **futures;
	int r, after;
};

static int take_one(void *arg)
{
	struct taker *taker = arg;
	struct weft_as_completed scope;

	begin(&scope, taker->futures, 2);
	taker->r = next_of(&scope, taker->futures);
	taker->after = weft_yield();
	return weft_as_completed_end(&scope, 0);
}

TaskTest(as_completed, cancelled_after_one_has_settled_hands_it_out)
{
	for (int shared = 0; shared < 2; shared++) {
		weft_future *futures[2] = { new_future(shared), new_future(shared) };
		struct taker taker = { futures, 1000, 1 };
		weft_task *task = start(take_one, &taker);

		pass_turns(2);
		settle(futures[1]);
		weft_task_cancel(task, NULL); /* in the same step */
		cr_expect_eq(weft_task_join(task), 0);
		cr_expect_eq(taker.r, 1);
		cr_expect_eq(taker.after, -ECANCELED, "result first");
		weft_future_unref(futures[0]);
		weft_future_unref(futures[1]);
	}
}

TaskTest(as_completed, leaves_the_work_alone)
{
	weft_task *work = start(sleep_forever, NULL);
	weft_future *futures[2] = { weft_task_future(work), new_future(true) };
	struct taker taker = { futures, 1000, 1 };
	weft_task *task = start(take_one, &taker);

	pass_turns(2);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(taker.r, -ECANCELED);
	cr_expect_eq(weft_task_cancelling(work), 0);
	weft_task_cancel(work, NULL);
	cr_expect_eq(weft_task_join(work), -ECANCELED);
	weft_future_unref(futures[1]);
}

TaskTest(as_completed, without_memory_says_so)
{
	weft_future *future = new_future(false);
	struct weft_as_completed scope;

	for (int i = 1; i <= 2; i++) {
		weft__fail_allocation(i);
		cr_expect_eq(weft_as_completed_begin(&scope, &future, 1), -ENOMEM);
	}
	weft__fail_allocation(0);
	weft_future_unref(future);
}

static int leave_open(void *arg)
{
	struct weft_as_completed scope;

	begin(&scope, arg, 1);
	return 0;
}

TaskTestInOrder(as_completed, that_is_left_open_is_an_assertion, .signal = SIGABRT)
{
	weft_future *future = new_future(false);

	cr_expect_eq(weft_task_join(start(leave_open, &future)), 0);
}

/* ---- Threads ---- */

enum { N_SHARED = 20, N_STORMS = 100 };

static void *settle_all(void *arg)
{
	weft_future **futures = arg;

	for (int i = 0; i < N_SHARED; i++) {
		(void)weft_future_set_result(futures[i], NULL, NULL);
		if (i % 7 == 0)
			sched_yield();
	}
	return NULL;
}

/* All of them, or only a part. */
static void weather_storm(int n_taken)
{
	weft_future *futures[N_SHARED];
	struct weft_as_completed scope;
	pthread_t thread;

	for (int i = 0; i < N_SHARED; i++)
		futures[i] = new_future(true);
	cr_assert_eq(pthread_create(&thread, NULL, settle_all, futures), 0);
	begin(&scope, futures, N_SHARED);
	for (int i = 0; i < n_taken; i++)
		cr_expect_ge(next_of(&scope, futures), 0);
	cr_expect_eq(weft_as_completed_end(&scope, 0), 0);
	pthread_join(thread, NULL);
	for (int i = 0; i < N_SHARED; i++)
		weft_future_unref(futures[i]);
}

static int weather_storms(void *arg)
{
	(void)arg;
	for (int i = 0; i < N_STORMS; i++)
		weather_storm(i % (N_SHARED + 1));
	return 0;
}

Test(as_completed, takes_futures_that_a_thread_settles)
{
	cr_expect_eq(weft_run(weather_storms, NULL), 0);
}
