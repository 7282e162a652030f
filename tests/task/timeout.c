/*
 * Timeouts, shields and weft_wait_for().
 */
#include "task/timeout.h"
#include "loop/loop.h"
#include "tests/task_test.h"

/* ---- A timeout by itself ---- */

TaskTest(timeout, ends_the_wait_in_progress_when_it_expires)
{
	struct weft_timeout timeout;
	weft_time began = weft_now();
	int r;

	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect(weft_timeout_expired(&timeout));
	r = weft_timeout_end(&timeout, r);
	cr_expect_eq(r, -ETIMEDOUT);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	cr_expect(weft_timeout_expired(&timeout), "also afterwards");
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "all is as before");
}

TaskTest(timeout, that_is_not_reached_changes_nothing)
{
	static const int results[] = { 0, 5, -EIO, -ETIMEDOUT, -ECANCELED };

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		struct weft_timeout timeout;

		weft_timeout_begin(&timeout, WEFT_SEC);
		cr_expect_eq(weft_sleep(WEFT_MSEC), 0);
		cr_expect(!weft_timeout_expired(&timeout));
		cr_expect_eq(weft_timeout_end(&timeout, results[i]), results[i]);
		cr_expect(!weft_timeout_expired(&timeout));
	}
	cr_expect_eq(weft_sleep(60 * WEFT_SEC), 0, "nothing is left of them");
}

TaskTest(timeout, of_nothing_expires_at_the_first_wait)
{
	static const weft_time limits[] = { 0, -1, -WEFT_SEC, INT64_MIN };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct weft_timeout timeout;
		weft_time now = weft_now();
		int r;

		weft_timeout_begin(&timeout, limits[i]);
		r = weft_sleep(WEFT_SEC);
		cr_expect_eq(r, -ECANCELED, "case %zu", i);
		cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT, "case %zu", i);
		cr_expect_eq(weft_now(), now, "case %zu", i);
	}
}

TaskTest(timeout, of_nothing_lets_work_be_done_that_does_not_wait)
{
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, 0);
	cr_expect_eq(weft_timeout_end(&timeout, 3), 3);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

TaskTest(timeout, sets_no_timer_before_the_task_waits)
{
	const struct timers *timers = &weft_loop_current()->timers;
	size_t n_before = timers->n_timers;
	struct weft_timeout outer, inner;
	struct weft_shield shield;

	weft_timeout_begin(&outer, WEFT_SEC);
	weft_shield_begin(&shield, WEFT_SEC);
	weft_timeout_begin(&inner, WEFT_SEC);
	cr_expect_eq(timers->n_timers, n_before);
	cr_expect_eq(weft_yield(), 0);
	cr_expect_eq(timers->n_timers, n_before + 3, "all of them, at the first one");
	cr_expect_eq(weft_timeout_end(&inner, 0), 0);
	cr_expect_eq(weft_shield_end(&shield, 0), 0);
	cr_expect_eq(weft_timeout_end(&outer, 0), 0);
	cr_expect_eq(timers->n_timers, n_before);
}

TaskTest(timeout, that_was_passed_without_a_wait_expires_at_the_first_one)
{
	struct weft_timeout timeout;
	int r;

	weft_timeout_begin_at(&timeout, weft_now() - WEFT_SEC);
	r = weft_sleep(WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
}

TaskTest(timeout, of_a_sleep_of_the_same_length_expires)
{
	struct weft_timeout timeout;
	int r;

	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_sleep(WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
}

TaskTest(timeout, of_forever_never_expires)
{
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, WEFT_FOREVER);
	cr_expect_eq(weft_sleep((weft_time)10 * 365 * 24 * 60 * WEFT_MIN), 0);
	cr_expect(!weft_timeout_expired(&timeout));
	cr_expect_eq(weft_timeout_end(&timeout, 0), 0);
}

TaskTest(timeout, may_be_given_as_a_deadline)
{
	struct weft_timeout timeout;
	weft_time deadline = weft_now() + 3 * WEFT_SEC;
	int r;

	pass_time(WEFT_SEC);
	weft_timeout_begin_at(&timeout, deadline);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(weft_now(), deadline);
	weft_timeout_begin_at(&timeout, deadline - WEFT_SEC);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT, "a deadline of the past");
	cr_expect_eq(weft_now(), deadline);
}

TaskTest(timeout, covers_all_waits_until_its_end)
{
	struct weft_timeout timeout;
	int n = 0, r = 0;

	weft_timeout_begin(&timeout, 10 * WEFT_SEC + WEFT_MSEC);
	while (r == 0) {
		r = weft_sleep(WEFT_SEC);
		n += r == 0;
	}
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(n, 10);
}

TaskTest(timeout, that_the_block_ignores_keeps_the_result)
{
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, WEFT_SEC);
	cr_expect_eq(weft_sleep(60 * WEFT_SEC), -ECANCELED);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "told once");
	cr_expect_eq(weft_timeout_end(&timeout, 8), 8);
	cr_expect(weft_timeout_expired(&timeout));
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

TaskTest(timeout, does_not_hide_another_failure)
{
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, WEFT_SEC);
	cr_expect_eq(weft_sleep(60 * WEFT_SEC), -ECANCELED);
	cr_expect_eq(weft_timeout_end(&timeout, -EIO), -EIO);
	cr_expect(weft_timeout_expired(&timeout));
	cr_expect_eq(requests(), 0);
}

static void set_event(void *event)
{
	weft_event_set(event);
}

TaskTest(timeout, that_expires_together_with_the_result_leaves_nothing_behind)
{
	struct weft_event event = WEFT_EVENT_INIT;
	struct weft_timeout timeout;
	struct weft_handle handle = { { 0 } };
	int r;

	/* Result first: the event is raised just before the deadline in the same turn. */
	weft_timeout_begin(&timeout, WEFT_SEC);
	cr_assert_eq(weft_loop_call_later(weft_loop_current(), WEFT_SEC - 1, set_event,
					  &event, &handle),
		     0);
	r = weft_event_wait(&event);
	r = weft_timeout_end(&timeout, r);
	cr_expect_eq(r, 0);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "no request is left over");
}

/* ---- Together with other requests ---- */

struct limited {
	weft_time limit, wait;
	int inner, outer; /* what the wait returned, what the end of the timeout */
	int after; /* the wait after that */
	int requests;
};

struct limited_scope {
	struct weft_timeout timeout;
	weft_task *task;
};

static int limited_wait(void *arg)
{
	struct limited *limited = arg;
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, limited->limit);
	limited->inner = weft_sleep(limited->wait);
	limited->outer = weft_timeout_end(&timeout, limited->inner);
	limited->requests = requests();
	limited->after = weft_sleep(WEFT_MSEC);
	return limited->outer;
}

TaskTest(timeout, leaves_a_request_from_outside_alone)
{
	struct limited limited = { .limit = 10 * WEFT_SEC, .wait = 60 * WEFT_SEC };
	weft_task *task = start(limited_wait, &limited);

	pass_time(WEFT_SEC);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(limited.inner, -ECANCELED);
	cr_expect_eq(limited.outer, -ECANCELED);
	cr_expect_eq(limited.requests, 1);
	cr_expect_eq(limited.after, 0, "it was told");
}

struct canceller {
	weft_task *task;
	weft_time at;
};

static int cancel_at(void *arg)
{
	struct canceller *canceller = arg;
	int r = weft_sleep_until(canceller->at);

	weft_task_cancel(canceller->task, NULL);
	return r;
}

/*
 * The deadline and a request from outside at one moment. Told of both, the task has to see the
 * request; if it was told of the deadline alone, the request is still to come.
 */
static void expect_both(const struct limited *limited, int joined, const char *name)
{
	cr_expect_eq(limited->inner, -ECANCELED, "%s", name);
	cr_expect_eq(limited->outer, joined, "%s", name);
	if (limited->outer == -ECANCELED) {
		cr_expect_eq(limited->requests, 1, "%s", name);
		cr_expect_eq(limited->after, 0, "%s: two requests at once are one", name);
	} else {
		cr_expect_eq(limited->outer, -ETIMEDOUT, "%s", name);
		cr_expect_eq(limited->requests, 0, "%s", name);
		cr_expect_eq(limited->after, -ECANCELED, "%s: not lost", name);
	}
}

TaskTest(timeout, loses_no_request_of_the_same_moment)
{
	struct limited limited = { .limit = WEFT_SEC, .wait = 60 * WEFT_SEC };
	struct canceller canceller;
	weft_task *task = start(limited_wait, &limited), *other;
	int r;

	pass_turns(2);
	canceller = (struct canceller){ task, weft_now() + WEFT_SEC };
	other = start(cancel_at, &canceller);
	r = weft_task_join(task);
	cr_expect_eq(weft_task_join(other), 0);
	expect_both(&limited, r, "another task");
}

static void cancel_task(void *task)
{
	weft_task_cancel(task, NULL);
}

TaskTest(timeout, loses_no_request_just_before_and_just_after_it)
{
	static const char *const names[] = { "before", "at", "after" };

	for (int i = 0; i < 3; i++) {
		struct limited limited = { .limit = WEFT_SEC, .wait = 60 * WEFT_SEC };
		struct weft_handle handle = { { 0 } };
		weft_task *task = start(limited_wait, &limited);

		pass_turns(2);
		cr_assert_eq(weft_loop_call_later(weft_loop_current(), WEFT_SEC + i - 1,
						  cancel_task, task, &handle),
			     0);
		expect_both(&limited, weft_task_join(task), names[i]);
	}
}

static void cancel_then_expire(void *arg)
{
	struct limited_scope *limited = arg;

	weft_task_cancel(limited->task, NULL);
	cr_expect_eq(weft_timeout_reschedule(&limited->timeout, 0), 0);
}

/* The request first, then the deadline, before the task runs: it is told of both. */
TaskTest(timeout, gives_way_to_a_request_that_came_before_it)
{
	struct limited_scope limited = { .task = weft_task_current() };
	int r;

	weft_timeout_begin(&limited.timeout, WEFT_SEC);
	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), cancel_then_expire,
					 &limited, NULL),
		     0);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&limited.timeout, r), -ECANCELED);
	cr_expect_eq(requests(), 1);
	cr_expect_eq(weft_task_uncancel(limited.task), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

TaskTest(timeout, does_not_take_a_request_that_is_older_than_itself)
{
	struct weft_timeout timeout;
	weft_task *self = weft_task_current();
	int r;

	/* asyncio turns this cancellation into a timeout (cpython 95051). */
	weft_task_cancel(self, NULL);
	weft_timeout_begin(&timeout, 0);
	r = weft_sleep(WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ECANCELED);
	cr_expect_eq(requests(), 1);
	cr_expect_eq(weft_task_uncancel(self), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

TaskTest(timeout, of_a_task_that_was_told_already_still_expires)
{
	struct weft_timeout timeout;
	weft_task *self = weft_task_current();
	int r;

	weft_task_cancel(self, NULL);
	cr_expect_eq(weft_sleep(WEFT_SEC), -ECANCELED);
	/* Clean-up with a limit of its own: only this timeout asks for what follows. */
	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(requests(), 1);
	cr_expect_eq(weft_task_uncancel(self), 0);
}

/* ---- Nested ---- */

TaskTest(timeout, nested_converts_where_it_expired)
{
	static const struct {
		const char *name;
		weft_time outer, inner;
		int inner_result, outer_result;
		bool inner_expired, outer_expired;
		weft_time took;
	} cases[] = {
		{ "inner first", 10, 1, -ETIMEDOUT, -ETIMEDOUT, true, false, 1 },
		{ "outer first", 1, 10, -ECANCELED, -ETIMEDOUT, false, true, 1 },
		{ "outer at once", 0, 10, -ECANCELED, -ETIMEDOUT, false, true, 0 },
		{ "inner at once", 10, 0, -ETIMEDOUT, -ETIMEDOUT, true, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_timeout outer, inner;
		weft_time began = weft_now();
		int r;

		weft_timeout_begin(&outer, cases[i].outer * WEFT_SEC);
		weft_timeout_begin(&inner, cases[i].inner * WEFT_SEC);
		r = weft_sleep(60 * WEFT_SEC);
		r = weft_timeout_end(&inner, r);
		cr_expect_eq(r, cases[i].inner_result, "%s", cases[i].name);
		r = weft_timeout_end(&outer, r);
		cr_expect_eq(r, cases[i].outer_result, "%s", cases[i].name);
		cr_expect_eq(weft_timeout_expired(&inner), cases[i].inner_expired, "%s",
			     cases[i].name);
		cr_expect_eq(weft_timeout_expired(&outer), cases[i].outer_expired, "%s",
			     cases[i].name);
		cr_expect_eq(weft_now() - began, cases[i].took * WEFT_SEC, "%s",
			     cases[i].name);
		cr_expect_eq(requests(), 0, "%s", cases[i].name);
		cr_expect_eq(weft_sleep(20 * WEFT_SEC), 0, "%s", cases[i].name);
	}
}

TaskTest(timeout, nested_of_the_same_deadline_converts_at_the_outer_end)
{
	struct weft_timeout outer, inner;
	int r;

	weft_timeout_begin(&outer, WEFT_SEC);
	weft_timeout_begin(&inner, WEFT_SEC);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	r = weft_timeout_end(&inner, r);
	/* Not the inner alone asked for it, if the outer has expired as well by now. */
	cr_expect(r == -ECANCELED || !weft_timeout_expired(&outer), "%d", r);
	r = weft_timeout_end(&outer, r);
	cr_expect_eq(r, -ETIMEDOUT);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

TaskTest(timeout, outer_goes_on_after_an_inner_one_has_expired)
{
	struct weft_timeout outer, inner;
	weft_time began = weft_now();
	int n = 0, r = 0;

	weft_timeout_begin(&outer, 10 * WEFT_SEC + WEFT_MSEC);
	for (;;) {
		weft_timeout_begin(&inner, WEFT_SEC);
		r = weft_timeout_end(&inner, weft_sleep(60 * WEFT_SEC));
		if (r != -ETIMEDOUT)
			break;
		n++;
	}
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&outer, r), -ETIMEDOUT);
	cr_expect_eq(n, 10);
	cr_expect_eq(weft_now() - began, 10 * WEFT_SEC + WEFT_MSEC);
}

TaskTest(timeout, nests_fifty_deep)
{
	struct weft_timeout timeouts[50];
	int r;

	for (int i = 0; i < 50; i++)
		weft_timeout_begin(&timeouts[i], i == 25 ? WEFT_SEC : 60 * WEFT_SEC);
	r = weft_sleep(WEFT_FOREVER);
	for (int i = 49; i >= 0; i--) {
		r = weft_timeout_end(&timeouts[i], r);
		cr_expect_eq(r, i > 25 ? -ECANCELED : -ETIMEDOUT, "%d", i);
	}
	cr_expect_eq(requests(), 0);
}

/* ---- Moving the deadline ---- */

TaskTest(reschedule, moves_the_deadline_both_ways)
{
	static const struct {
		const char *name;
		weft_time first, then, expected;
	} cases[] = {
		{ "later", 1, 5, 5 },
		{ "earlier", 5, 1, 1 },
		{ "to the past", 5, -1, 0 },
		{ "never to some time", 1000, 2, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_timeout timeout;
		weft_time began = weft_now();
		int r;

		weft_timeout_begin(&timeout, cases[i].first == 1000
						     ? WEFT_FOREVER
						     : cases[i].first * WEFT_SEC);
		r = weft_timeout_reschedule(&timeout, began + cases[i].then * WEFT_SEC);
		cr_expect_eq(r, 0, "%s", cases[i].name);
		r = weft_sleep(60 * WEFT_SEC);
		cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT, "%s",
			     cases[i].name);
		cr_expect_eq(weft_now() - began, cases[i].expected * WEFT_SEC, "%s",
			     cases[i].name);
	}
}

TaskTest(reschedule, counts_before_the_task_first_waits)
{
	static const weft_time limits[] = { WEFT_SEC, 60 * WEFT_SEC };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct weft_timeout timeout;
		weft_time began = weft_now();
		int r;

		weft_timeout_begin(&timeout, limits[i]);
		cr_expect_eq(weft_timeout_reschedule(&timeout, began + 10 * WEFT_SEC), 0);
		r = weft_sleep(3600 * WEFT_SEC);
		cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
		cr_expect_eq(weft_now() - began, 10 * WEFT_SEC, "case %zu", i);
	}
}

TaskTest(reschedule, to_forever_lifts_the_limit)
{
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, WEFT_SEC);
	cr_expect_eq(weft_timeout_reschedule(&timeout, WEFT_FOREVER), 0);
	cr_expect_eq(weft_sleep(60 * WEFT_SEC), 0);
	cr_expect_eq(weft_timeout_end(&timeout, 0), 0);
}

TaskTest(reschedule, after_it_has_expired_is_refused)
{
	struct weft_timeout timeout;
	int r;

	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(weft_timeout_reschedule(&timeout, weft_now() + WEFT_SEC), -EALREADY);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
}

struct prolonged {
	struct weft_timeout timeout;
	weft_time deadline;
	int r;
};

static void prolong(void *arg)
{
	struct prolonged *prolonged = arg;

	prolonged->r = weft_timeout_reschedule(&prolonged->timeout, prolonged->deadline);
}

TaskTest(reschedule, works_from_a_callback_while_the_task_waits)
{
	struct prolonged prolonged = { .r = 1 };
	weft_time began = weft_now();
	int r;

	prolonged.deadline = began + 9 * WEFT_SEC;
	weft_timeout_begin(&prolonged.timeout, 2 * WEFT_SEC);
	cr_assert_eq(weft_loop_call_later(weft_loop_current(), WEFT_SEC, prolong,
					  &prolonged, NULL),
		     0);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(weft_timeout_end(&prolonged.timeout, r), -ETIMEDOUT);
	cr_expect_eq(prolonged.r, 0);
	cr_expect_eq(weft_now() - began, 9 * WEFT_SEC);
}

/* ---- A kept timeout ---- */

TaskTest(kept_timeout, expires_as_a_timeout_does)
{
	struct weft_timeout timeout;
	weft_time began = weft_now();
	int r;

	weft__kept_timeout_init(&timeout);
	for (int i = 1; i <= 3; i++) {
		weft__kept_timeout_begin_at(&timeout, weft_now() + WEFT_SEC);
		r = weft_sleep(60 * WEFT_SEC);
		cr_expect_eq(r, -ECANCELED);
		cr_expect(weft_timeout_expired(&timeout));
		cr_expect_eq(weft__kept_timeout_end(&timeout, r), -ETIMEDOUT);
		cr_expect_eq(weft_now() - began, i * WEFT_SEC, "round %d", i);
		cr_expect_eq(requests(), 0);
	}
	weft__kept_timeout_fini(&timeout);
}

TaskTest(kept_timeout, counts_from_its_last_beginning)
{
	struct weft_timeout timeout;
	weft_time began;
	int r;

	weft__kept_timeout_init(&timeout);
	for (int i = 0; i < 5; i++) { /* the timer of the first is due in the third */
		weft__kept_timeout_begin_at(&timeout, weft_now() + WEFT_SEC);
		r = weft_sleep(400 * WEFT_MSEC);
		cr_expect_eq(weft__kept_timeout_end(&timeout, r), 0, "round %d", i);
	}
	began = weft_now();
	weft__kept_timeout_begin_at(&timeout, began + WEFT_SEC);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(weft__kept_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	weft__kept_timeout_fini(&timeout);
}

TaskTest(kept_timeout, does_nothing_between_two_scopes)
{
	struct weft_timeout timeout;

	weft__kept_timeout_init(&timeout);
	weft__kept_timeout_begin_at(&timeout, weft_now() + WEFT_SEC);
	cr_expect_eq(weft__kept_timeout_end(&timeout, -EIO), -EIO);
	cr_expect_eq(weft_sleep(60 * WEFT_SEC), 0);
	weft__kept_timeout_begin_at(&timeout, weft_now() + WEFT_SEC);
	cr_expect_eq(weft__kept_timeout_end(&timeout, weft_sleep(60 * WEFT_SEC)),
		     -ETIMEDOUT);
	weft__kept_timeout_fini(&timeout);
}

TaskTest(kept_timeout, may_become_shorter)
{
	struct weft_timeout timeout;
	weft_time began = weft_now();

	weft__kept_timeout_init(&timeout);
	weft__kept_timeout_begin_at(&timeout, began + 60 * WEFT_SEC);
	cr_expect_eq(weft__kept_timeout_end(&timeout, 0), 0);
	weft__kept_timeout_begin_at(&timeout, began + WEFT_SEC);
	cr_expect_eq(weft__kept_timeout_end(&timeout, weft_sleep(600 * WEFT_SEC)),
		     -ETIMEDOUT);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	weft__kept_timeout_fini(&timeout);
}

TaskTest(kept_timeout, of_forever_never_expires)
{
	struct weft_timeout timeout;

	weft__kept_timeout_init(&timeout);
	weft__kept_timeout_begin_at(&timeout, weft_now() + WEFT_SEC);
	cr_expect_eq(weft__kept_timeout_end(&timeout, 0), 0);
	weft__kept_timeout_begin_at(&timeout, WEFT_FOREVER);
	cr_expect_eq(weft__kept_timeout_end(&timeout, weft_sleep(600 * WEFT_SEC)), 0);
	weft__kept_timeout_fini(&timeout);
}

TaskTest(kept_timeout, sets_its_timer_once)
{
	const struct timers *timers = &weft_loop_current()->timers;
	size_t n_before = timers->n_timers;
	struct weft_timeout timeout;

	weft__kept_timeout_init(&timeout);
	for (int i = 0; i < 3; i++) {
		weft__kept_timeout_begin_at(&timeout, weft_now() + WEFT_SEC + i);
		cr_expect_eq(weft__kept_timeout_end(&timeout, 0), 0);
		cr_expect_eq(timers->n_timers, n_before + 1);
	}
	weft__kept_timeout_fini(&timeout);
	cr_expect_eq(timers->n_timers, n_before);
}

/* ---- weft_wait_for ---- */

TaskTest(wait_for, returns_what_the_function_returned)
{
	int number = 6;
	weft_time brief = WEFT_MSEC;

	cr_expect_eq(weft_wait_for(return_number, &number, WEFT_SEC), 6);
	number = -EIO;
	cr_expect_eq(weft_wait_for(return_number, &number, 0), -EIO);
	cr_expect_eq(weft_wait_for(sleep_for, &brief, WEFT_SEC), 0);
}

TaskTest(wait_for, calls_the_function_in_this_task)
{
	weft_task *seen = NULL;
	/* Through the argument, since a nested function is not C. */
	struct limited limited = { .limit = WEFT_SEC, .wait = WEFT_MSEC };

	cr_expect_eq(weft_wait_for(limited_wait, &limited, WEFT_SEC), 0);
	cr_expect_eq(weft_loop_tasks(weft_loop_current(), &seen, 1), 1, "no other task");
}

static int clean_up_slowly(void *arg)
{
	int r = weft_sleep(WEFT_FOREVER);

	if (weft_sleep(5 * WEFT_SEC) == 0)
		*(bool *)arg = true;
	return r;
}

TaskTest(wait_for, returns_when_the_function_has_really_ended)
{
	weft_time began = weft_now();
	bool cleaned = false;

	cr_expect_eq(weft_wait_for(clean_up_slowly, &cleaned, WEFT_SEC), -ETIMEDOUT);
	cr_expect(cleaned);
	cr_expect_eq(weft_now() - began, 6 * WEFT_SEC);
}

static int finish_anyway(void *arg)
{
	(void)arg;
	return weft_sleep(WEFT_FOREVER) == -ECANCELED ? 21 : 0;
}

TaskTest(wait_for, gives_the_value_of_a_function_that_finishes_anyway)
{
	cr_expect_eq(weft_wait_for(finish_anyway, NULL, WEFT_SEC), 21);
	cr_expect_eq(requests(), 0);
}

static int join_forever(void *arg)
{
	return weft_task_join(arg);
}

TaskTest(wait_for, of_a_join_cancels_the_task_and_waits_for_it)
{
	bool cleaned = false;
	weft_task *task = start(clean_up_slowly, &cleaned);

	cr_expect_eq(weft_wait_for(join_forever, task, WEFT_SEC), -ETIMEDOUT);
	cr_expect(cleaned);
}

static int ignore_cancellation(void *arg)
{
	(void)arg;
	(void)!weft_sleep(60 * WEFT_SEC);
	return 21;
}

TaskTest(wait_for, of_a_join_that_succeeds_all_the_same_leaves_no_request_behind)
{
	weft_task *task = start(ignore_cancellation, NULL);

	cr_expect_eq(weft_wait_for(join_forever, task, WEFT_SEC), 21);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "the request went with its timeout");
}

static int fail_in_cleanup(void *arg)
{
	(void)arg;
	return weft_sleep(60 * WEFT_SEC) < 0 ? -EPIPE : 0;
}

static int group_that_fails_in_cleanup(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	weft_group_spawn(&group, fail_in_cleanup, NULL);
	return weft_group_end(&group, 0);
}

TaskTest(wait_for, of_a_group_that_fails_all_the_same_leaves_no_request_behind)
{
	cr_expect_eq(weft_wait_for(group_that_fails_in_cleanup, NULL, WEFT_SEC), -EPIPE);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "the request went with its timeout");
}

static int sleep_then_fail(void *arg)
{
	return weft_sleep(WEFT_FOREVER) == -ECANCELED
		       ? weft_error_set(-EPROTO, "%s", (const char *)arg)
		       : 0;
}

TaskTest(wait_for, gives_the_error_of_a_clean_up_that_fails)
{
	cr_expect_eq(weft_wait_for(sleep_then_fail, (void *)(uintptr_t) "untidy",
				   WEFT_SEC),
		     -EPROTO);
	cr_expect_str_eq(weft_error_text(-EPROTO), "untidy");
	cr_expect_eq(requests(), 0);
}

struct waited_for {
	bool cleaned;
	int r, after;
};

static int wait_for_a_minute(void *arg)
{
	struct waited_for *waited = arg;

	waited->r = weft_wait_for(clean_up_slowly, &waited->cleaned, WEFT_MIN);
	waited->after = weft_yield();
	return waited->r;
}

TaskTest(wait_for, passes_a_request_from_outside_on)
{
	struct waited_for waited = { .r = 1 };
	weft_task *task = start(wait_for_a_minute, &waited);
	weft_time began = weft_now();

	pass_time(WEFT_SEC);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect(waited.cleaned);
	cr_expect_eq(waited.r, -ECANCELED, "which is no time-out");
	cr_expect_eq(waited.after, 0, "told once");
	cr_expect_eq(weft_now() - began, 6 * WEFT_SEC, "it really ended");
}

/* On a real clock: the time passes, and nobody looks. */
static int be_busy(void *arg)
{
	weft_time end = weft_now() + 3 * WEFT_MSEC;

	(void)arg;
	while (weft_now() < end)
		;
	return 4;
}

static int be_busy_within_limit(void *arg)
{
	struct weft_timeout timeout;
	int r;

	weft_timeout_begin(&timeout, WEFT_MSEC);
	r = weft_timeout_end(&timeout, be_busy(arg));
	cr_expect_eq(r, 4, "%d", r);
	cr_expect(!weft_timeout_expired(&timeout));
	cr_expect_eq(weft_yield(), 0);
	return 0;
}

Test(timeout, of_a_block_that_never_waits_does_not_expire)
{
	cr_expect_eq(weft_run(be_busy_within_limit, NULL), 0);
}

/* ---- Shields ---- */

struct shielded {
	weft_time limit;
	int inside[3]; /* waits of a second each */
	int end, after[2];
	weft_time began, ended;
};

static int shielded_waits(void *arg)
{
	struct shielded *shielded = arg;
	struct weft_shield shield;
	int r = 0;

	shielded->began = weft_now();
	weft_shield_begin(&shield, shielded->limit);
	for (size_t i = 0; i < ARRAY_SIZE(shielded->inside); i++) {
		shielded->inside[i] = weft_sleep(WEFT_SEC);
		if (shielded->inside[i] < 0)
			r = shielded->inside[i];
	}
	shielded->end = weft_shield_end(&shield, r);
	shielded->ended = weft_now();
	for (size_t i = 0; i < ARRAY_SIZE(shielded->after); i++)
		shielded->after[i] = weft_sleep(WEFT_SEC);
	return shielded->end;
}

TaskTest(shield, holds_a_cancellation_back_until_its_end)
{
	struct shielded shielded = { .limit = 60 * WEFT_SEC };
	weft_task *task = start(shielded_waits, &shielded);

	pass_time(500 * WEFT_MSEC);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(shielded.inside[i], 0, "%d", i);
	cr_expect_eq(shielded.end, 0);
	cr_expect_eq(shielded.ended - shielded.began, 3 * WEFT_SEC);
	cr_expect_eq(shielded.after[0], -ECANCELED);
	cr_expect_eq(shielded.after[1], 0);
}

TaskTest(shield, holds_back_what_was_asked_for_before_it_and_not_told)
{
	struct shielded shielded = { .limit = 60 * WEFT_SEC };
	weft_task *task = start(shielded_waits, &shielded);

	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(shielded.inside[0], 0);
	cr_expect_eq(shielded.after[0], -ECANCELED);
	cr_expect_eq(shielded.after[1], 0);
}

TaskTest(shield, ends_its_waits_at_its_limit)
{
	struct shielded shielded = { .limit = 1500 * WEFT_MSEC };
	weft_task *task = start(shielded_waits, &shielded);

	cr_expect_eq(weft_task_join(task), -ETIMEDOUT);
	cr_expect_eq(shielded.inside[0], 0);
	cr_expect_eq(shielded.inside[1], -ECANCELED);
	cr_expect_eq(shielded.end, -ETIMEDOUT);
	cr_expect_eq(shielded.after[0], 0, "nobody asked the task to end");
}

TaskTest(shield, ends_its_waits_at_its_limit_while_a_request_is_pending)
{
	struct shielded shielded = { .limit = 1500 * WEFT_MSEC };
	weft_task *task = start(shielded_waits, &shielded);

	pass_time(500 * WEFT_MSEC);
	weft_task_cancel(task, NULL);
	(void)!weft_task_join(task);
	cr_expect_eq(shielded.inside[0], 0);
	cr_expect_eq(shielded.inside[1], -ECANCELED, "the limit has passed");
	/* Whether the limit or the request was told is told by what comes after: not both. */
	if (shielded.end == -ETIMEDOUT)
		cr_expect_eq(shielded.after[0], -ECANCELED,
			     "the request is still to be told");
	else
		cr_expect_eq(shielded.end, -ECANCELED);
}

TaskTest(shield, lets_a_timeout_inside_it_work)
{
	struct weft_shield shield;
	struct weft_timeout timeout;
	weft_time began = weft_now();
	int r;

	weft_task_cancel(weft_task_current(), NULL);
	weft_shield_begin(&shield, 60 * WEFT_SEC);
	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_sleep(10 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "still shielded");
	cr_expect_eq(weft_shield_end(&shield, 0), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

TaskTest(shield, holds_a_timeout_around_it_back)
{
	struct weft_timeout timeout;
	struct weft_shield shield;
	weft_time began = weft_now();
	int r;

	weft_timeout_begin(&timeout, WEFT_SEC);
	weft_shield_begin(&shield, 60 * WEFT_SEC);
	r = weft_sleep(5 * WEFT_SEC);
	cr_expect_eq(r, 0);
	r = weft_shield_end(&shield, r);
	cr_expect_eq(r, 0);
	cr_expect_eq(weft_now() - began, 5 * WEFT_SEC);
	r = weft_sleep(5 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(weft_now() - began, 5 * WEFT_SEC);
	cr_expect_eq(requests(), 0);
}

TaskTest(shield, nests)
{
	struct weft_shield outer, inner;

	weft_task_cancel(weft_task_current(), NULL);
	weft_shield_begin(&outer, 60 * WEFT_SEC);
	weft_shield_begin(&inner, 60 * WEFT_SEC);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
	cr_expect_eq(weft_shield_end(&inner, 0), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "the outer one still holds");
	cr_expect_eq(weft_shield_end(&outer, 4), 4);
	cr_expect_eq(weft_sleep(WEFT_SEC), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

TaskTest(shield, whose_limit_is_longer_than_its_surroundings_obeys_the_outer_limit)
{
	struct weft_shield outer, inner;
	weft_time began = weft_now();
	int r;

	weft_shield_begin(&outer, WEFT_SEC);
	weft_shield_begin(&inner, 10 * WEFT_SEC);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	r = weft_shield_end(&inner, r);
	r = weft_shield_end(&outer, r);
	cr_expect_eq(r, -ETIMEDOUT);
	/* The inner shield holds the outer limit back, or does not: but its own it keeps. */
	cr_expect_le(weft_now() - began, 10 * WEFT_SEC);
	cr_expect_eq(requests(), 0);
}

TaskTest(shield, passes_other_results)
{
	struct weft_shield shield;

	weft_shield_begin(&shield, WEFT_SEC);
	cr_expect_eq(weft_shield_end(&shield, 4), 4);
	weft_shield_begin(&shield, WEFT_SEC);
	cr_expect_eq(weft_shield_end(&shield, -EIO), -EIO);
	weft_shield_begin(&shield, WEFT_SEC);
	cr_expect_eq(weft_shield_end(&shield, -ECANCELED), -ECANCELED,
		     "not by the limit");
}

static int owner_in_a_shield(void *arg)
{
	struct weft_shield shield;
	int r;

	weft_shield_begin(&shield, 60 * WEFT_SEC);
	r = weft_task_join(arg);
	r = weft_shield_end(&shield, r);
	return r < 0 ? r : weft_sleep(WEFT_SEC);
}

TaskTest(shield, around_a_join_keeps_the_task_from_being_cancelled)
{
	weft_time span = 3 * WEFT_SEC, began = weft_now();
	weft_task *task = start(sleep_for, &span),
		  *owner = start(owner_in_a_shield, task);

	pass_time(WEFT_SEC);
	weft_task_cancel(owner, NULL);
	cr_expect_eq(weft_task_join(owner), -ECANCELED, "after the join");
	cr_expect_eq(weft_now() - began, 3 * WEFT_SEC);
}
