/*
 * Events.
 */
#include "tests/task_test.h"

struct waiting {
	struct weft_event *event;
	int waited, after;
	int place;
	int *n_woken;
};

static int wait_for_event(void *arg)
{
	struct waiting *waiting = arg;

	waiting->waited = weft_event_wait(waiting->event);
	waiting->place = (*waiting->n_woken)++;
	waiting->after = weft_sleep(WEFT_MSEC);
	return waiting->waited;
}

TaskTest(event, wakes_all_who_wait)
{
	enum { N = 20 };
	struct weft_event event = WEFT_EVENT_INIT;
	struct waiting waiting[N];
	weft_task *tasks[N];
	int n_woken = 0;

	cr_expect(!weft_event_is_set(&event));
	for (int i = 0; i < N; i++) {
		waiting[i] = (struct waiting){ &event, 1, 1, -1, &n_woken };
		tasks[i] = start(wait_for_event, &waiting[i]);
	}
	pass_time(WEFT_SEC);
	cr_expect_eq(n_woken, 0);
	weft_event_set(&event);
	cr_expect_eq(n_woken, 0, "never inside the call");
	cr_expect(weft_event_is_set(&event));
	for (int i = 0; i < N; i++)
		cr_expect_eq(weft_task_join(tasks[i]), 0);
	cr_expect_eq(n_woken, N);
}

TaskTestInOrder(event, wakes_in_the_order_of_arrival)
{
	enum { N = 20 };
	struct weft_event event = WEFT_EVENT_INIT;
	struct waiting waiting[N];
	weft_task *tasks[N];
	int n_woken = 0;

	for (int i = 0; i < N; i++) {
		waiting[i] = (struct waiting){ &event, 1, 1, -1, &n_woken };
		tasks[i] = start(wait_for_event, &waiting[i]);
	}
	pass_turns(2);
	weft_event_set(&event);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), 0);
		cr_expect_eq(waiting[i].place, i);
	}
}

TaskTest(event, that_is_up_makes_nobody_wait)
{
	struct weft_event event = WEFT_EVENT_INIT;

	weft_event_set(&event);
	weft_event_set(&event);
	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_event_wait(&event), 0, "no wait, so no cancellation");
	cr_expect_eq(weft_event_wait(&event), 0);
	cr_expect_eq(weft_yield(), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

TaskTest(event, lowered_in_the_same_step_still_wakes_who_waited)
{
	struct weft_event event = WEFT_EVENT_INIT;
	int n_woken = 0;
	struct waiting early = { &event, 1, 1, -1, &n_woken }, late = early;
	weft_task *tasks[2];

	tasks[0] = start(wait_for_event, &early);
	pass_turns(2);
	weft_event_set(&event);
	weft_event_clear(&event);
	cr_expect(!weft_event_is_set(&event));
	tasks[1] = start(wait_for_event, &late);
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	pass_time(WEFT_SEC);
	cr_expect_eq(late.waited, 1, "the flag is down again");
	weft_event_set(&event);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
}

TaskTest(event, cancels_a_waiter_alone)
{
	struct weft_event event = WEFT_EVENT_INIT;
	int n_woken = 0;
	struct waiting one = { &event, 1, 1, -1, &n_woken }, two = one;
	weft_task *tasks[2];

	tasks[0] = start(wait_for_event, &one);
	tasks[1] = start(wait_for_event, &two);
	pass_turns(2);
	weft_task_cancel(tasks[0], NULL);
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect_eq(two.waited, 1);
	weft_event_set(&event);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
}

TaskTest(event, raised_before_the_cancellation_comes_first)
{
	struct weft_event event = WEFT_EVENT_INIT;
	int n_woken = 0;
	struct waiting waiting = { &event, 1, 1, -1, &n_woken };
	weft_task *task = start(wait_for_event, &waiting);

	pass_turns(2);
	weft_event_set(&event);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(waiting.waited, 0);
	cr_expect_eq(waiting.after, -ECANCELED);
}

TaskTest(event, raised_after_the_cancellation_comes_too_late)
{
	struct weft_event event = WEFT_EVENT_INIT;
	int n_woken = 0;
	struct waiting waiting = { &event, 1, 1, -1, &n_woken };
	weft_task *task = start(wait_for_event, &waiting);

	pass_turns(2);
	weft_task_cancel(task, NULL);
	weft_event_set(&event);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(waiting.after, 0, "told once");
}

static int set_and_free(void *arg)
{
	struct weft_event *event = arg;

	weft_event_set(event);
	return 0;
}

TaskTest(event, may_be_freed_when_nobody_waits_any_more)
{
	struct weft_event *event = calloc(1, sizeof(*event));
	weft_task *task;

	cr_assert_not_null(event);
	task = start(set_and_free, event);
	cr_expect_eq(weft_event_wait(event), 0);
	free(event); /* it was woken, so the event has let go of it */
	cr_expect_eq(weft_task_join(task), 0);
}
