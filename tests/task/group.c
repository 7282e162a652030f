/*
 * Groups and gather.
 */
#include "tests/child.h"
#include "tests/task_test.h"

#include <stdio.h>

/* A child that sleeps, notes how that ended, and returns a result of its own. */
struct sleeper {
	weft_time span;
	int result; /* of the child, if its sleep ended in time */
	int slept; /* what weft_sleep() returned */
	weft_time ended;
};

static int child_body(void *arg)
{
	struct sleeper *child = arg;

	child->slept = 1;
	child->slept = weft_sleep(child->span);
	child->ended = weft_now();
	if (child->slept < 0)
		return child->slept;
	return child->result < 0 ? weft_error_set(child->result, "child of %d s",
						  (int)(child->span / WEFT_SEC))
				 : child->result;
}

/* ---- All goes well ---- */

TaskTest(group, waits_for_its_children_and_returns_the_blocks_result)
{
	static const int results[] = { 0, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		struct sleeper children[3] = { { .span = WEFT_SEC },
					       { .span = 3 * WEFT_SEC },
					       { .span = 2 * WEFT_SEC } };
		struct weft_group group;
		weft_time began = weft_now();

		weft_group_begin(&group);
		for (int j = 0; j < 3; j++)
			cr_expect_not_null(
				weft_group_spawn(&group, child_body, &children[j]));
		cr_expect_eq(weft_group_end(&group, results[i]), results[i]);
		for (int j = 0; j < 3; j++)
			cr_expect_eq(children[j].slept, 0);
		cr_expect_eq(weft_now() - began, 3 * WEFT_SEC);
	}
}

TaskTest(group, without_children_ends_at_once)
{
	struct weft_group group;
	weft_time began = weft_now();

	weft_group_begin(&group);
	cr_expect_eq(weft_group_end(&group, 3), 3);
	weft_group_begin(&group);
	cr_expect_eq(weft_group_end(&group, -EIO), -EIO);
	cr_expect_eq(weft_now(), began);
}

TaskTest(group, whose_children_ended_before_its_end_returns)
{
	struct sleeper child = { .span = WEFT_SEC };
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &child);
	pass_time(5 * WEFT_SEC);
	cr_expect_eq(weft_group_end(&group, 2), 2);
	cr_expect_eq(child.slept, 0);
}

TaskTest(group, ignores_what_children_return_besides_failures)
{
	struct sleeper child = { .span = WEFT_SEC, .result = 99 };
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &child);
	cr_expect_eq(weft_group_end(&group, 2), 2);
}

static int end_at_once(void *arg)
{
	(*(int *)arg)++;
	return 0;
}

TaskTestInOrder(group, keeps_nothing_of_children_that_have_ended)
{
	struct weft_group group;
	int n = 0;

	weft_group_begin(&group);
	for (int i = 0; i < 20000; i++) {
		weft_group_spawn(&group, end_at_once, &n);
		if (i % 10 == 0)
			pass_turns(2);
		cr_assert_le(weft_loop_tasks(weft_loop_current(), NULL, 0), 12);
	}
	cr_expect_eq(weft_group_end(&group, 0), 0);
	cr_expect_eq(n, 20000);
}

TaskTest(group, lends_its_child_to_be_named_and_cancelled)
{
	struct sleeper one = { .span = 60 * WEFT_SEC }, two = { .span = WEFT_SEC };
	struct weft_group group;
	weft_task *child;

	weft_group_begin(&group);
	child = weft_group_spawn(&group, child_body, &one);
	weft_group_spawn(&group, child_body, &two);
	weft_task_set_name(child, "one");
	cr_expect_str_eq(weft_task_name(child), "one");
	cr_expect(weft_task_cancel(child, NULL));
	cr_expect_eq(weft_group_end(&group, 0), 0, "cancelled alone is no failure");
	cr_expect_eq(one.slept, -ECANCELED);
	cr_expect_eq(two.slept, 0, "its siblings go on");
}

static int cancel_itself(void *arg)
{
	(void)arg;
	weft_task_cancel(weft_task_current(), NULL);
	return weft_sleep(WEFT_SEC);
}

TaskTest(group, goes_on_when_a_child_cancels_itself)
{
	struct sleeper other = { .span = WEFT_SEC };
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, cancel_itself, NULL);
	weft_group_spawn(&group, child_body, &other);
	cr_expect_eq(weft_group_end(&group, 0), 0);
	cr_expect_eq(other.slept, 0);
}

struct family {
	struct weft_group *group;
	int depth;
	int *n;
};

static int have_two(void *arg)
{
	struct family *family = arg;
	struct family next = { family->group, family->depth - 1, family->n };
	struct weft_spawn_options copy = { .copy_arg_bytes = sizeof(next) };
	int r = weft_sleep(WEFT_MSEC);

	(*family->n)++;
	if (r < 0 || family->depth == 0)
		return r;
	weft_group_spawn_with(family->group, have_two, &next, &copy);
	weft_group_spawn_with(family->group, have_two, &next, &copy);
	return 0;
}

TaskTest(group, takes_children_from_its_children)
{
	struct weft_group group;
	int n = 0;
	struct family first = { &group, 7, &n };

	weft_group_begin(&group);
	weft_group_spawn(&group, have_two, &first);
	cr_expect_eq(weft_group_end(&group, 0), 0);
	cr_expect_eq(n, (1 << 8) - 1);
}

static void spawn_in_callback(void *arg)
{
	struct family *family = arg;

	cr_expect_not_null(weft_group_spawn(family->group, end_at_once, family->n));
}

TaskTest(group, takes_children_from_callbacks)
{
	struct weft_group group;
	int n = 0;
	struct family family = { &group, 0, &n };

	weft_group_begin(&group);
	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), spawn_in_callback, &family,
					 NULL),
		     0);
	pass_turns(2);
	cr_expect_eq(weft_group_end(&group, 0), 0);
	cr_expect_eq(n, 1);
}

/* ---- Failures ---- */

TaskTest(group, returns_the_first_failure_and_cancels_the_other_children)
{
	struct sleeper good = { .span = 60 * WEFT_SEC },
		       bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_group group;
	weft_time began = weft_now();

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &good);
	weft_group_spawn(&group, child_body, &bad);
	cr_expect_eq(weft_group_end(&group, 0), -EIO);
	cr_expect_eq(good.slept, -ECANCELED);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "the block is done with");
}

TaskTest(group, cancels_the_wait_its_block_is_in_when_a_child_fails)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &bad);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(requests(), 1, "inside the group it counts");
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "told once");
	cr_expect_eq(weft_group_end(&group, r), -EIO);
	cr_expect_eq(requests(), 0);
}

TaskTest(group, fails_even_if_its_block_succeeded_all_the_same)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &bad);
	cr_expect_eq(weft_sleep(60 * WEFT_SEC), -ECANCELED);
	cr_expect_eq(weft_group_end(&group, 17), -EIO);
}

TaskTest(group, cancels_the_next_wait_of_a_block_that_was_not_waiting)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_event event = WEFT_EVENT_INIT;
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &bad);
	/* The block and the child are woken at the same time. */
	cr_expect(weft_sleep(WEFT_SEC) <= 0);
	(void)!weft_yield();
	weft_event_set(&event);
	cr_expect_eq(weft_group_end(&group, 0), -EIO);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

TaskTest(group, with_one_failure_gives_that_as_it_is)
{
	struct sleeper children[4] = { { .span = 3 * WEFT_SEC, .result = -EPIPE },
				       { .span = 1 * WEFT_SEC, .result = -EIO },
				       { .span = 60 * WEFT_SEC },
				       { .span = WEFT_SEC } };
	struct weft_group group;
	const struct weft_error *error;
	int r;

	weft_group_begin(&group);
	for (int i = 0; i < 4; i++)
		weft_group_spawn(&group, child_body, &children[i]);
	r = weft_group_end(&group, 0);
	cr_expect_eq(r, -EIO);
	error = weft_error_of(r);
	cr_expect_eq(error->code, -EIO);
	cr_expect_str_eq(error->message, "child of 1 s");
	cr_expect_eq(error->n_children, 0, "the cancelled ones have not failed");
	cr_expect_eq(children[0].slept, -ECANCELED);
}

/* Fails, a second after it was cancelled. */
static int fail_in_cleanup(void *arg)
{
	(void)!weft_sleep(60 * WEFT_SEC);
	(void)!weft_sleep(WEFT_SEC);
	return weft_error_set(*(int *)arg, "clean-up failed");
}

TaskTest(group, keeps_failures_in_the_order_in_which_they_happened)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	int late = -EPIPE;
	struct weft_group group;
	const struct weft_error *error;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, fail_in_cleanup, &late);
	weft_group_spawn(&group, child_body, &bad);
	r = weft_group_end(&group, 0);
	cr_expect_eq(r, -EIO);
	error = weft_error_of(r);
	cr_assert_eq(error->n_children, 2);
	cr_expect_eq(error->children[0]->code, -EIO);
	cr_expect_eq(error->children[1]->code, -EPIPE);
	cr_expect_str_eq(error->children[1]->message, "clean-up failed");
}

TaskTest(group, of_many_failures_of_one_moment_has_them_all)
{
	enum { N = 50 };
	struct sleeper children[N];
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	for (int i = 0; i < N; i++) {
		children[i] = (struct sleeper){ .span = WEFT_SEC, .result = -EIO };
		weft_group_spawn(&group, child_body, &children[i]);
	}
	r = weft_group_end(&group, 0);
	cr_expect_eq(r, -EIO);
	/* Those that had not woken when the first failed were cancelled: result first. */
	cr_expect_eq(weft_error_of(r)->n_children, N, "%zu",
		     weft_error_of(r)->n_children);
}

TaskTest(group, whose_block_fails_cancels_its_children_and_returns_that)
{
	struct sleeper child = { .span = 60 * WEFT_SEC };
	struct weft_group group;
	weft_time began;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &child);
	pass_turns(2);
	began = weft_now();
	cr_expect_eq(weft_group_end(&group, weft_error_set(-EINVAL, "the block")),
		     -EINVAL);
	cr_expect_eq(child.slept, -ECANCELED);
	cr_expect_eq(weft_now(), began);
	cr_expect_eq(requests(), 0);
}

TaskTest(group, whose_block_and_child_fail_has_both)
{
	int late = -EPIPE;
	struct weft_group group;
	const struct weft_error *error;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, fail_in_cleanup, &late);
	pass_turns(2);
	r = weft_group_end(&group, weft_error_set(-EINVAL, "the block"));
	cr_expect_eq(r, -EINVAL, "it was the first");
	error = weft_error_of(r);
	cr_assert_eq(error->n_children, 2);
	cr_expect_str_eq(error->children[0]->message, "the block");
	cr_expect_str_eq(error->children[1]->message, "clean-up failed");
}

TaskTest(group, begins_a_child_after_a_failure_and_cancels_its_first_wait)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO },
		       late = { .span = WEFT_SEC };
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &bad);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_not_null(weft_group_spawn(&group, child_body, &late));
	cr_expect_eq(weft_group_end(&group, r), -EIO);
	cr_expect_eq(late.slept, -ECANCELED, "it began");
}

TaskTestInOrder(group, fails_if_a_child_cannot_be_started)
{
	struct sleeper other = { .span = 60 * WEFT_SEC };
	struct weft_spawn_options options = { .stack_bytes = SIZE_MAX };
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &other);
	cr_expect_null(weft_group_spawn_with(&group, child_body, &other, &options));
	cr_expect_eq(weft_sleep(WEFT_SEC), -ECANCELED);
	r = weft_group_end(&group, 0);
	cr_expect(r == -EINVAL || r == -ENOMEM, "%d", r);
	cr_expect_eq(other.slept, -ECANCELED);
}

/* ---- Cancelled from outside ---- */

struct parent {
	struct sleeper children[2];
	struct sleeper extra; /* spawned if its span is not zero */
	int cleanup_fails; /* if not zero, what a child returns a second after cancellation */
	bool block_waits;
	int end, after, requests;
};

static int parent_body(void *arg)
{
	struct parent *parent = arg;
	struct weft_group group;
	int r = 0;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &parent->children[0]);
	weft_group_spawn(&group, child_body, &parent->children[1]);
	if (parent->cleanup_fails)
		weft_group_spawn(&group, fail_in_cleanup, &parent->cleanup_fails);
	if (parent->block_waits)
		r = weft_sleep(60 * WEFT_SEC);
	parent->end = weft_group_end(&group, r);
	parent->requests = requests();
	parent->after = weft_sleep(WEFT_SEC);
	return parent->end;
}

TaskTest(group, passes_a_cancellation_on_to_its_children)
{
	for (int waits = 0; waits < 2; waits++) {
		struct parent parent = { .children = { { .span = 60 * WEFT_SEC },
						       { .span = 60 * WEFT_SEC } },
					 .block_waits = waits };
		weft_task *task = start(parent_body, &parent);

		pass_time(WEFT_SEC);
		weft_task_cancel(task, "stop it");
		cr_expect_eq(weft_task_join(task), -ECANCELED, "waits %d", waits);
		cr_expect_eq(parent.children[0].slept, -ECANCELED, "waits %d", waits);
		cr_expect_eq(parent.children[1].slept, -ECANCELED, "waits %d", waits);
		cr_expect_eq(parent.requests, 1, "waits %d", waits);
		cr_expect_eq(parent.after, 0, "it was told");
	}
}

TaskTest(group, that_fails_while_being_cancelled_leaves_the_request_pending)
{
	for (int waits = 0; waits < 2; waits++) {
		struct parent parent = { .children = { { .span = 60 * WEFT_SEC },
						       { .span = 60 * WEFT_SEC } },
					 .cleanup_fails = -EPIPE,
					 .block_waits = waits };
		weft_task *task = start(parent_body, &parent);

		pass_time(WEFT_SEC);
		weft_task_cancel(task, NULL);
		cr_expect_eq(weft_task_join(task), -EPIPE, "waits %d", waits);
		cr_expect_eq(parent.requests, 1, "waits %d", waits);
		cr_expect_eq(parent.after, -ECANCELED, "waits %d: still to be told",
			     waits);
	}
}

TaskTest(group, that_is_cancelled_while_failing_leaves_the_request_pending)
{
	for (int waits = 0; waits < 2; waits++) {
		struct parent parent = { .children = { { .span = WEFT_SEC,
							 .result = -EIO },
						       { .span = 60 * WEFT_SEC } },
					 .cleanup_fails = -EPIPE,
					 .block_waits = waits };
		weft_task *task = start(parent_body, &parent);

		/* One child has failed; clean-up of another lasts until 2 s. */
		pass_time(1500 * WEFT_MSEC);
		weft_task_cancel(task, NULL);
		cr_expect_eq(weft_task_join(task), -EIO, "waits %d", waits);
		cr_expect_eq(parent.requests, 1, "waits %d", waits);
		cr_expect_eq(parent.after, -ECANCELED, "waits %d: still to be told",
			     waits);
	}
}

TaskTest(group, that_fails_inside_a_timeout_gives_the_failure)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_timeout timeout;
	struct weft_group group;
	int r;

	weft_timeout_begin(&timeout, 10 * WEFT_SEC);
	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &bad);
	r = weft_group_end(&group, 0);
	cr_expect_eq(weft_timeout_end(&timeout, r), -EIO);
}

TaskTest(group, inside_a_timeout_that_expires_is_cancelled_as_a_whole)
{
	struct sleeper one = { .span = 60 * WEFT_SEC }, two = { .span = 60 * WEFT_SEC };
	struct weft_timeout timeout;
	struct weft_group group;
	weft_time began = weft_now();
	int r;

	weft_timeout_begin(&timeout, WEFT_SEC);
	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &one);
	weft_group_spawn(&group, child_body, &two);
	r = weft_group_end(&group, 0);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(one.slept, -ECANCELED);
	cr_expect_eq(two.slept, -ECANCELED);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

/* The failure and the deadline come at the same moment: any order is right, none is lost. */
TaskTest(group, that_fails_at_the_moment_its_timeout_expires_gives_the_failure)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_timeout timeout;
	struct weft_group group;
	int r;

	weft_timeout_begin(&timeout, WEFT_SEC);
	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &bad);
	r = weft_group_end(&group, 0);
	r = weft_timeout_end(&timeout, r);
	cr_expect(r == -EIO || r == -ETIMEDOUT, "%d", r);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "nothing is left of it");
}

TaskTest(group, in_a_shield_is_not_cancelled_from_outside)
{
	struct sleeper child = { .span = 5 * WEFT_SEC };
	struct weft_shield shield;
	struct weft_group group;
	int r;

	weft_task_cancel(weft_task_current(), NULL);
	weft_shield_begin(&shield, 60 * WEFT_SEC);
	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &child);
	r = weft_group_end(&group, 0);
	cr_expect_eq(weft_shield_end(&shield, r), 0);
	cr_expect_eq(child.slept, 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

TaskTest(group, in_a_shield_still_fails_by_itself)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_shield shield;
	struct weft_group group;
	int r;

	weft_task_cancel(weft_task_current(), NULL);
	weft_shield_begin(&shield, 60 * WEFT_SEC);
	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &bad);
	r = weft_sleep(30 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED, "by the group, not by the request that is held back");
	r = weft_group_end(&group, r);
	cr_expect_eq(r, -EIO);
	cr_expect_eq(weft_shield_end(&shield, r), -EIO);
	cr_expect_eq(requests(), 1);
	cr_expect_eq(weft_sleep(WEFT_SEC), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

TaskTest(group, with_a_shield_in_its_block_fails_after_the_shield)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_shield shield;
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &bad);
	weft_shield_begin(&shield, 60 * WEFT_SEC);
	r = weft_sleep(5 * WEFT_SEC);
	cr_expect_eq(r, 0, "shielded");
	r = weft_shield_end(&shield, r);
	r = weft_sleep(5 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_group_end(&group, r), -EIO);
	cr_expect_eq(requests(), 0);
}

/* ---- Nested groups ---- */

TaskTest(group, nested_fails_through_the_outer_one)
{
	struct sleeper outer_child = { .span = 60 * WEFT_SEC },
		       bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_group outer, inner;
	int r;

	weft_group_begin(&outer);
	weft_group_spawn(&outer, child_body, &outer_child);
	weft_group_begin(&inner);
	weft_group_spawn(&inner, child_body, &bad);
	r = weft_group_end(&inner, 0);
	cr_expect_eq(r, -EIO);
	cr_expect_eq(requests(), 0);
	r = weft_group_end(&outer, r);
	cr_expect_eq(r, -EIO);
	cr_expect_eq(outer_child.slept, -ECANCELED);
}

TaskTest(group, outer_failure_cancels_the_inner_group)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO },
		       inner_child = { .span = 60 * WEFT_SEC };
	struct weft_group outer, inner;
	int r;

	weft_group_begin(&outer);
	weft_group_spawn(&outer, child_body, &bad);
	weft_group_begin(&inner);
	weft_group_spawn(&inner, child_body, &inner_child);
	r = weft_group_end(&inner, 0);
	cr_expect_eq(r, -ECANCELED, "not this one failed");
	cr_expect_eq(inner_child.slept, -ECANCELED);
	r = weft_group_end(&outer, r);
	cr_expect_eq(r, -EIO);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

TaskTest(group, both_failing_at_one_moment_keep_their_failures_apart)
{
	struct sleeper one = { .span = WEFT_SEC, .result = -EIO },
		       two = { .span = WEFT_SEC, .result = -EPIPE };
	struct weft_group outer, inner;
	int r;

	weft_group_begin(&outer);
	weft_group_spawn(&outer, child_body, &one);
	weft_group_begin(&inner);
	weft_group_spawn(&inner, child_body, &two);
	r = weft_group_end(&inner, 0);
	cr_expect_eq(r, -EPIPE);
	r = weft_group_end(&outer, r);
	/* Which of its two failures came first, its child's or its block's, a seed decides. */
	cr_expect(r == -EIO || r == -EPIPE, "%d", r);
	cr_expect_eq(weft_error_of(r)->n_children, 2);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

/* ---- Ending a group early ---- */

TaskTest(group_cancel, ends_children_and_block_without_an_error)
{
	struct sleeper child = { .span = 60 * WEFT_SEC };
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &child);
	weft_group_cancel(&group);
	weft_group_cancel(&group);
	r = weft_sleep(WEFT_SEC);
	cr_expect_eq(r, -ECANCELED, "the block is cancelled as well");
	cr_expect_eq(weft_group_end(&group, r), 0);
	cr_expect_eq(child.slept, -ECANCELED);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

TaskTest(group_cancel, lets_a_later_child_begin_and_cancels_its_first_wait)
{
	struct sleeper child = { .span = WEFT_SEC };
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_cancel(&group);
	weft_group_spawn(&group, child_body, &child);
	cr_expect_eq(weft_group_end(&group, 0), 0);
	cr_expect_eq(child.slept, -ECANCELED);
	cr_expect_eq(requests(), 0);
}

TaskTest(group_cancel, keeps_the_result_of_a_block_that_had_one)
{
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_cancel(&group);
	cr_expect_eq(weft_group_end(&group, 6), 6);
	weft_group_begin(&group);
	weft_group_cancel(&group);
	cr_expect_eq(weft_group_end(&group, -EIO), -EIO);
	cr_expect_eq(requests(), 0);
	cr_expect_eq(weft_sleep(WEFT_SEC), 0);
}

static int cancel_group_later(void *arg)
{
	int r = weft_sleep(WEFT_SEC);

	weft_group_cancel(arg);
	return r;
}

TaskTest(group_cancel, works_from_a_child)
{
	struct sleeper child = { .span = 60 * WEFT_SEC };
	struct weft_group group;
	weft_time began = weft_now();

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &child);
	weft_group_spawn(&group, cancel_group_later, &group);
	cr_expect_eq(weft_group_end(&group, 0), 0);
	cr_expect_eq(child.slept, -ECANCELED);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
	cr_expect_eq(requests(), 0);
}

static void cancel_group(void *group)
{
	weft_group_cancel(group);
}

TaskTest(group_cancel, works_from_a_callback)
{
	struct sleeper child = { .span = 60 * WEFT_SEC };
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, child_body, &child);
	cr_assert_eq(weft_loop_call_later(weft_loop_current(), WEFT_SEC, cancel_group,
					  &group, NULL),
		     0);
	r = weft_sleep(60 * WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	cr_expect_eq(weft_group_end(&group, r), 0);
}

TaskTest(group_cancel, does_not_hide_a_failure)
{
	int late = -EPIPE;
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, fail_in_cleanup, &late);
	pass_turns(2);
	weft_group_cancel(&group);
	cr_expect_eq(weft_group_end(&group, 0), -EPIPE);
}

static int cancel_group_then_be_cancelled(void *arg)
{
	struct weft_group group;
	int r;

	(void)arg;
	weft_group_begin(&group);
	weft_group_spawn(&group, sleep_forever, NULL);
	weft_group_cancel(&group);
	weft_task_cancel(weft_task_current(), NULL);
	r = weft_sleep(WEFT_SEC);
	cr_expect_eq(r, -ECANCELED);
	return weft_group_end(&group, r);
}

TaskTest(group_cancel, does_not_hide_a_request_from_outside)
{
	int r = weft_task_join(start(cancel_group_then_be_cancelled, NULL));

	cr_expect_eq(r, -ECANCELED);
}

/* ---- Waits that could never end ---- */

static int join_parent(void *arg)
{
	return weft_future_await(weft_task_future(arg));
}

TaskTest(group, whose_child_waits_for_its_parent_is_a_deadlock)
{
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, join_parent, weft_task_current());
	cr_expect_eq(weft_group_end(&group, 0), -EDEADLK);
}

static int grandchild(void *arg)
{
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, join_parent, arg);
	return weft_group_end(&group, 0);
}

TaskTest(group, whose_grandchild_waits_for_it_is_a_deadlock)
{
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, grandchild, weft_task_current());
	cr_expect_eq(weft_group_end(&group, 0), -EDEADLK);
}

/* ---- Gather ---- */

static int double_number(void *arg)
{
	int *number = arg;
	int r = weft_sleep(*number * WEFT_SEC);

	return r < 0 ? r : *number * 2;
}

TaskTest(gather, keeps_every_result_at_its_place)
{
	int numbers[] = { 3, 1, 2 };
	struct weft_call calls[] = {
		{ .fn = double_number, .arg = &numbers[0], .name = "three" },
		{ .fn = double_number, .arg = &numbers[1] },
		{ .fn = double_number, .arg = &numbers[2] },
	};
	weft_time began = weft_now();

	cr_expect_eq(weft_gather(calls, ARRAY_SIZE(calls)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		cr_expect_eq(calls[i].result, 2 * numbers[i]);
	cr_expect_eq(weft_now() - began, 3 * WEFT_SEC, "side by side");
}

TaskTest(gather, of_nothing_is_nothing_to_do)
{
	cr_expect_eq(weft_gather(NULL, 0), 0);
}

TaskTest(gather, lets_the_others_go_on_after_a_failure)
{
	struct sleeper one = { .span = 3 * WEFT_SEC, .result = 5 },
		       two = { .span = WEFT_SEC, .result = -EIO },
		       three = { .span = 2 * WEFT_SEC, .result = -EPIPE };
	struct weft_call calls[] = {
		{ .fn = child_body, .arg = &one },
		{ .fn = child_body, .arg = &two },
		{ .fn = child_body, .arg = &three },
	};
	int r = weft_gather(calls, ARRAY_SIZE(calls));
	const struct weft_error *error = weft_error_of(r);

	cr_expect_eq(r, -EIO, "the first");
	cr_expect_eq(calls[0].result, 5);
	cr_expect_eq(calls[1].result, -EIO);
	cr_expect_eq(calls[2].result, -EPIPE);
	cr_assert_eq(error->n_children, 2);
	cr_expect_str_eq(error->children[0]->message, "child of 1 s");
	cr_expect_str_eq(error->children[1]->message, "child of 2 s");
	cr_expect_eq(requests(), 0);
}

TaskTest(gather, has_nothing_to_do_with_groups_around_it)
{
	struct sleeper bad = { .span = WEFT_SEC, .result = -EIO };
	struct weft_call calls[] = { { .fn = child_body, .arg = &bad } };
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	r = weft_gather(calls, 1);
	cr_expect_eq(r, -EIO);
	cr_expect_eq(weft_group_end(&group, 0), 0);
}

struct gathering {
	struct sleeper children[2];
	struct weft_call calls[2];
	int after;
};

static int gather_two(void *arg)
{
	struct gathering *gathering = arg;
	int r;

	for (int i = 0; i < 2; i++)
		gathering->calls[i] =
			(struct weft_call){ .fn = child_body,
					    .arg = &gathering->children[i] };
	r = weft_gather(gathering->calls, 2);
	gathering->after = weft_sleep(WEFT_SEC);
	return r;
}

TaskTest(gather, that_is_cancelled_cancels_all_and_waits_for_them)
{
	struct gathering gathering = { .children = { { .span = WEFT_SEC, .result = 4 },
						     { .span = 60 * WEFT_SEC } } };
	weft_task *task = start(gather_two, &gathering);

	pass_time(2 * WEFT_SEC);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(gathering.calls[0].result, 4);
	cr_expect_eq(gathering.calls[1].result, -ECANCELED);
	cr_expect_eq(gathering.after, 0, "it was told");
}

/* Puts the name of the running task where arg points. */
static int tell_name(void *arg)
{
	snprintf(arg, 32, "%s", weft_task_name(weft_task_current()));
	return 0;
}

TaskTest(gather, names_its_tasks)
{
	char names[2][32];
	struct weft_call calls[] = {
		{ .fn = tell_name, .arg = names[0], .name = "first" },
		{ .fn = tell_name, .arg = names[1] },
	};

	cr_expect_eq(weft_gather(calls, 2), 0);
	cr_expect_str_eq(names[0], "first");
	cr_expect_str_eq(names[1], "tell_name", "the function");
}

TaskTest(gather, of_a_call_that_was_cancelled_alone_has_not_failed)
{
	struct sleeper one = { .span = WEFT_SEC, .result = 4 };
	struct weft_call calls[] = {
		{ .fn = cancel_itself },
		{ .fn = child_body, .arg = &one },
	};

	cr_expect_eq(weft_gather(calls, 2), 0);
	cr_expect_eq(calls[0].result, -ECANCELED);
	cr_expect_eq(calls[1].result, 4, "the other one went on");
}

/* ---- Wrong use ---- */

static int end_twice(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	(void)!weft_group_end(&group, 0);
	return weft_group_end(&group, 0);
}

static int spawn_after_the_end(void *arg)
{
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	r = weft_group_end(&group, 0);
	weft_group_spawn(&group, sleep_forever, arg);
	return r;
}

static int leave_open(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	return 0;
}

static int end_outer_first(void *arg)
{
	struct weft_group outer, inner;
	int r;

	(void)arg;
	weft_group_begin(&outer);
	weft_group_begin(&inner);
	r = weft_group_end(&outer, 0);
	return weft_group_end(&inner, r);
}

static int run_in_task(void *arg)
{
	return weft_run(*(weft_fn **)arg, NULL);
}

static int begin_outside(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	return 0;
}

Test(group, used_wrongly_is_an_assertion)
{
	static const struct {
		weft_fn *fn;
		const char *text;
	} cases[] = {
		{ end_twice, "did not begin the group, or twice" },
		{ spawn_after_the_end, "or after the group's end" },
		{ leave_open, "ended with a group still open" },
		{ end_outer_first, "while an inner group is still open" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_fn *fn = cases[i].fn;

		expect_assertion(run_in_task, &fn, cases[i].text);
	}
	expect_assertion(begin_outside, NULL, "a group belongs to one");
}

/* ---- In a chain ---- */

static int hold_the_next(void *arg)
{
	int *n_left = arg;
	struct weft_group group;

	if (--*n_left == 0)
		return weft_sleep(60 * WEFT_MIN);
	weft_group_begin(&group);
	weft_group_spawn(&group, hold_the_next, n_left);
	return weft_group_end(&group, 0);
}

TaskTestInOrder(group, inside_many_others_is_cancelled_without_a_deep_stack)
{
	int n_left = 2000;
	weft_task *outermost = start(hold_the_next, &n_left);

	while (n_left > 0)
		pass_turns(1);
	weft_task_cancel(outermost, NULL);
	cr_expect_eq(weft_task_join(outermost), -ECANCELED);
}

/* ---- A child that comes at the last moment ---- */

struct late {
	struct weft_group group;
	bool is_eager;
	int n_ended;
};

static int count_at_once(void *arg)
{
	struct late *late = arg;

	late->n_ended++;
	return 0;
}

static int count_later(void *arg)
{
	struct late *late = arg;
	int r = weft_sleep(WEFT_SEC);

	late->n_ended++;
	return r;
}

static void spawn_late(void *arg)
{
	struct late *late = arg;
	struct weft_spawn_options eagerly = { .eager = true };

	if (late->is_eager)
		weft_group_spawn_with(&late->group, count_at_once, late, &eagerly);
	weft_group_spawn(&late->group, count_later, late);
}

TaskTestInOrder(group, waits_for_a_child_that_a_done_callback_of_the_last_one_has_spawned)
{
	for (int is_eager = 0; is_eager < 2; is_eager++) {
		struct late late = { .is_eager = is_eager };
		weft_task *first;

		weft_group_begin(&late.group);
		first = weft_group_spawn(&late.group, count_later, &late);
		cr_assert_not_null(first);
		cr_assert_eq(weft_future_add_done_callback(weft_task_future(first),
							   spawn_late, &late, NULL),
			     0);
		cr_expect_eq(weft_group_end(&late.group, 0), 0);
		cr_expect_eq(late.n_ended, 2 + is_eager);
	}
}
