/*
 * Sleeping and yielding.
 */
#include "loop/loop.h"
#include "tests/task_test.h"

#include <stdio.h>

TaskTest(sleep, lasts_exactly_as_long_as_asked)
{
	static const struct {
		const char *name;
		weft_time delay;
	} cases[] = {
		{ "a microsecond", WEFT_USEC },
		{ "an odd number", 1234567 * WEFT_USEC },
		{ "a second", WEFT_SEC },
		{ "an hour", 60 * WEFT_MIN },
		{ "30 years", (weft_time)30 * 365 * 24 * 60 * WEFT_MIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_time start = weft_now();

		cr_expect_eq(weft_sleep(cases[i].delay), 0, "%s", cases[i].name);
		cr_expect_eq(weft_now() - start, cases[i].delay, "%s", cases[i].name);
	}
}

TaskTest(sleep, is_never_early_by_a_nanosecond)
{
	for (weft_time delay = 1; delay < 3000; delay += 7) {
		weft_time start = weft_now();

		cr_expect_eq(weft_sleep(delay), 0);
		cr_expect_ge(weft_now() - start, delay);
		cr_expect_lt(weft_now() - start, delay + WEFT_USEC);
	}
}

TaskTest(sleep, until_a_deadline_that_has_passed_is_over_at_once)
{
	weft_time now;

	pass_time(WEFT_SEC);
	now = weft_now();
	cr_expect_eq(weft_sleep_until(now - WEFT_MSEC), 0);
	cr_expect_eq(weft_sleep_until(0), 0);
	cr_expect_eq(weft_sleep_until(-1), 0);
	cr_expect_eq(weft_sleep(0), 0);
	cr_expect_eq(weft_sleep(-WEFT_SEC), 0);
	cr_expect_eq(weft_sleep(INT64_MIN), 0);
	cr_expect_eq(weft_now(), now);
}

TaskTest(sleep, until_a_deadline_ends_there)
{
	weft_time deadline = weft_now() + 5 * WEFT_SEC;

	pass_time(2 * WEFT_SEC);
	cr_expect_eq(weft_sleep_until(deadline), 0);
	cr_expect_eq(weft_now(), deadline);
}

TaskTest(sleep, that_is_too_long_to_count_never_ends)
{
	static const weft_time spans[] = { WEFT_FOREVER, WEFT_FOREVER - 1,
					   WEFT_FOREVER / 2 };

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		weft_time span = spans[i];
		weft_task *task = start(sleep_for, &span);

		pass_time((weft_time)30 * 365 * 24 * 60 * WEFT_MIN);
		cr_expect(weft_task_cancel(task, NULL), "still asleep: %zu", i);
		cr_expect_eq(weft_task_join(task), -ECANCELED, "%zu", i);
	}
}

/* ---- Order ---- */

struct sleeper {
	weft_time delay;
	weft_time woke_at;
	int place; /* in the order of waking */
	int *n_awake;
};

static int sleeper_body(void *arg)
{
	struct sleeper *sleeper = arg;
	int r = weft_sleep(sleeper->delay);

	sleeper->woke_at = weft_now();
	sleeper->place = (*sleeper->n_awake)++;
	return r;
}

TaskTest(sleep, wakes_a_thousand_tasks_by_their_deadlines)
{
	enum { N = 1000 };
	static struct sleeper sleepers[N];
	weft_task *tasks[N];
	weft_time start_time = weft_now();
	int n_awake = 0;

	for (int i = 0; i < N; i++) {
		sleepers[i] = (struct sleeper){ .delay = (i * 7919 % N + 1) * WEFT_MSEC,
						.n_awake = &n_awake };
		tasks[i] = start(sleeper_body, &sleepers[i]);
	}
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), 0);
		cr_expect_eq(sleepers[i].woke_at - start_time, sleepers[i].delay, "%d",
			     i);
		cr_expect_eq(sleepers[i].place, i * 7919 % N, "%d", i);
	}
}

TaskTestInOrder(sleep, wakes_equal_deadlines_in_the_order_of_falling_asleep)
{
	enum { N = 100 };
	static struct sleeper sleepers[N];
	weft_task *tasks[N];
	int n_awake = 0;

	for (int i = 0; i < N; i++) {
		sleepers[i] = (struct sleeper){ .delay = WEFT_SEC, .n_awake = &n_awake };
		tasks[i] = start(sleeper_body, &sleepers[i]);
	}
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), 0);
		cr_expect_eq(sleepers[i].place, i);
	}
}

/* ---- Yield ---- */

struct steps {
	int n;
	int *total;
};

static int take_steps(void *arg)
{
	struct steps *steps = arg;
	int r = 0;

	while (r == 0) {
		steps->n++;
		(*steps->total)++;
		r = weft_yield();
	}
	return r;
}

TaskTest(yield, lets_every_other_ready_task_run_once)
{
	enum { N = 5, ROUNDS = 100 };
	struct steps steps[N] = { 0 };
	weft_task *tasks[N];
	int total = 0, before;

	for (int i = 0; i < N; i++) {
		steps[i].total = &total;
		tasks[i] = start(take_steps, &steps[i]);
	}
	cr_assert_eq(weft_yield(), 0);
	before = total;
	for (int round = 0; round < ROUNDS; round++) {
		cr_assert_eq(weft_yield(), 0);
		for (int i = 0; i < N; i++) {
			cr_expect_ge(steps[i].n, round, "task %d, round %d", i, round);
			cr_expect_le(steps[i].n, round + 3, "task %d, round %d", i,
				     round);
		}
	}
	/* Who goes first within a turn is the seed's business. */
	cr_expect_ge(total - before, N * (ROUNDS - 1));
	cr_expect_le(total - before, N * (ROUNDS + 1));
	for (int i = 0; i < N; i++) {
		weft_task_cancel(tasks[i], NULL);
		cr_expect_eq(weft_task_join(tasks[i]), -ECANCELED);
	}
}

TaskTest(yield, does_not_starve_those_who_sleep)
{
	struct steps busy = { .total = &(int){ 0 } };
	weft_task *task = start(take_steps, &busy);

	/* On a virtual clock time only passes when nothing is ready: it must not pass. */
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(weft_yield(), 0);
	cr_expect_ge(busy.n, 999); /* a seed may let it go last */
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	pass_time(WEFT_SEC);
}

TaskTest(yield, without_others_returns)
{
	weft_time now = weft_now();

	for (int i = 0; i < 1000; i++)
		cr_expect_eq(weft_yield(), 0);
	cr_expect_eq(weft_now(), now);
}

TaskTest(sleep, of_zero_or_less_is_one_yield)
{
	static const weft_time spans[] = { 0, -1, -WEFT_SEC, INT64_MIN };
	struct steps steps = { .total = &(int){ 0 } };
	weft_task *task = start(take_steps, &steps);
	weft_time before = weft_now();

	pass_turns(2);
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		int n = steps.n;

		cr_expect_eq(weft_sleep(spans[i]), 0);
		/* The seed says who goes first within a turn. */
		cr_expect(steps.n >= n && steps.n <= n + 2, "%zu: %d steps", i,
			  steps.n - n);
	}
	cr_expect_ge(steps.n, (int)ARRAY_SIZE(spans), "the other one had its turns");
	cr_expect_eq(weft_now(), before);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
}

/* ---- Cancellation ---- */

TaskTest(sleep, that_is_cancelled_leaves_no_timer_behind)
{
	static weft_time hour = 60 * WEFT_MIN;
	weft_loop *loop = weft_loop_current();
	weft_task *task = start(sleep_for, &hour);

	pass_turns(2);
	cr_expect_neq(weft__timers_first(&loop->timers), WEFT_FOREVER);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(weft__timers_first(&loop->timers), WEFT_FOREVER);
}

static int yield_once(void *arg)
{
	(void)arg;
	return weft_yield();
}

TaskTest(sleep, and_yield_are_cancellation_points)
{
	static weft_time hour = 60 * WEFT_MIN, nothing = 0;
	static const struct {
		const char *name;
		weft_fn *fn;
		void *arg;
	} cases[] = {
		{ "sleep", sleep_for, &hour },
		{ "sleep(0)", sleep_for, &nothing },
		{ "yield", yield_once, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_time before = weft_now();
		weft_task *task = start(cases[i].fn, cases[i].arg);

		cr_expect(weft_task_cancel(task, NULL), "%s", cases[i].name);
		cr_expect_eq(weft_task_join(task), -ECANCELED, "%s", cases[i].name);
		cr_expect_eq(weft_now(), before, "%s", cases[i].name);
	}
}
