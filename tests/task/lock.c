/*
 * Locks.
 */
#include <pthread.h>

#include "tests/child.h"
#include "tests/task_test.h"

/* A task that takes a lock, holds it for a while, and notes when it had it. */
struct user {
	struct weft_lock *lock;
	weft_time hold;
	int *n_served;
	int place; /* in the order of service; -1: never */
	int acquired; /* what weft_lock_acquire() returned */
	int after; /* what the wait after that returned */
};

static int use_lock(void *arg)
{
	struct user *user = arg;

	user->place = -1;
	user->acquired = weft_lock_acquire(user->lock);
	if (user->acquired < 0)
		return user->acquired;
	user->place = (*user->n_served)++;
	user->after = weft_sleep(user->hold);
	weft_lock_release(user->lock);
	return user->after;
}

TaskTest(lock, is_free_until_it_is_taken)
{
	struct weft_lock lock = WEFT_LOCK_INIT;

	cr_expect(!weft_lock_is_locked(&lock));
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(weft_lock_acquire(&lock), 0);
		cr_expect(weft_lock_is_locked(&lock));
		weft_lock_release(&lock);
		cr_expect(!weft_lock_is_locked(&lock));
	}
}

TaskTest(lock, that_is_free_is_taken_without_waiting)
{
	struct weft_lock lock = WEFT_LOCK_INIT;

	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_lock_acquire(&lock), 0, "no wait, so no cancellation");
	weft_lock_release(&lock);
	cr_expect_eq(weft_yield(), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

TaskTest(lock, serves_in_the_order_of_arrival)
{
	enum { N = 20 };
	struct weft_lock lock = WEFT_LOCK_INIT;
	struct user users[N];
	weft_task *tasks[N];
	int n_served = 0;

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	for (int i = 0; i < N; i++) {
		users[i] = (struct user){ &lock, WEFT_MSEC, &n_served, 0, 1, 1 };
		tasks[i] = start(use_lock, &users[i]);
		pass_turns(2); /* it waits in line */
	}
	weft_lock_release(&lock);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), 0);
		cr_expect_eq(users[i].place, i);
	}
	cr_expect(!weft_lock_is_locked(&lock));
}

TaskTest(lock, is_not_taken_again_by_who_released_it_while_others_wait)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	int n_served = 0;
	struct user other = { &lock, WEFT_MSEC, &n_served, 0, 1, 1 };
	weft_task *task;

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	task = start(use_lock, &other);
	pass_turns(2);
	weft_lock_release(&lock);
	cr_expect(weft_lock_is_locked(&lock), "handed over, not free in between");
	cr_expect_eq(weft_lock_acquire(&lock), 0);
	cr_expect_eq(n_served, 1, "the other one was first");
	weft_lock_release(&lock);
	cr_expect_eq(weft_task_join(task), 0);
}

TaskTest(lock, excludes_all_others)
{
	enum { N = 10 };
	struct weft_lock lock = WEFT_LOCK_INIT;
	struct user users[N];
	weft_task *tasks[N];
	weft_time began = weft_now();
	int n_served = 0;

	for (int i = 0; i < N; i++) {
		users[i] = (struct user){ &lock, WEFT_SEC, &n_served, 0, 1, 1 };
		tasks[i] = start(use_lock, &users[i]);
	}
	for (int i = 0; i < N; i++)
		cr_expect_eq(weft_task_join(tasks[i]), 0);
	cr_expect_eq(weft_now() - began, N * WEFT_SEC, "one after the other");
}

TaskTest(lock, of_a_waiter_that_is_cancelled_goes_to_the_next)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	int n_served = 0;
	struct user first = { &lock, WEFT_MSEC, &n_served, 0, 1, 1 }, second = first;
	weft_task *tasks[2];

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	tasks[0] = start(use_lock, &first);
	pass_turns(2);
	tasks[1] = start(use_lock, &second);
	pass_turns(2);
	weft_task_cancel(tasks[0], NULL);
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect_eq(first.acquired, -ECANCELED);
	weft_lock_release(&lock);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_eq(second.place, 0);
	cr_expect(!weft_lock_is_locked(&lock));
}

TaskTest(lock, that_was_handed_over_before_the_cancellation_is_held)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	int n_served = 0;
	struct user user = { &lock, WEFT_MSEC, &n_served, 0, 1, 1 };
	weft_task *task;

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	task = start(use_lock, &user);
	pass_turns(2);
	weft_lock_release(&lock);
	weft_task_cancel(task, NULL); /* in the same step: it has the lock */
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(user.acquired, 0, "result first");
	cr_expect_eq(user.after, -ECANCELED, "at its next wait");
	cr_expect(!weft_lock_is_locked(&lock));
}

TaskTest(lock, cancelled_just_before_the_release_is_not_handed_over)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	int n_served = 0;
	struct user first = { &lock, WEFT_MSEC, &n_served, 0, 1, 1 }, second = first;
	weft_task *tasks[2];

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	tasks[0] = start(use_lock, &first);
	pass_turns(2);
	tasks[1] = start(use_lock, &second);
	pass_turns(2);
	weft_task_cancel(tasks[0], NULL);
	weft_lock_release(&lock); /* in the same step */
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect_eq(first.acquired, -ECANCELED);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
}

TaskTest(lock, held_by_the_caller_is_a_deadlock)
{
	struct weft_lock lock = WEFT_LOCK_INIT;

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	cr_expect_eq(weft_lock_acquire(&lock), -EDEADLK);
	cr_expect_str_eq(weft_error_text(-EDEADLK),
			 "the task holds this lock already: it is not recursive");
	cr_expect(weft_lock_is_locked(&lock));
	weft_lock_release(&lock);
}

struct pair {
	struct weft_lock *first, *second;
	int r;
};

static int take_both(void *arg)
{
	struct pair *pair = arg;

	if (weft_lock_acquire(pair->first) < 0)
		return -EINVAL;
	pair->r = weft_yield() < 0 ? -EINVAL : weft_lock_acquire(pair->second);
	if (pair->r == 0)
		weft_lock_release(pair->second);
	weft_lock_release(pair->first);
	return 0;
}

TaskTest(lock, of_two_taken_crosswise_is_a_deadlock_for_the_second)
{
	struct weft_lock one = WEFT_LOCK_INIT, two = WEFT_LOCK_INIT;
	struct pair pairs[2] = { { &one, &two, 1 }, { &two, &one, 1 } };
	weft_task *tasks[2];

	for (int i = 0; i < 2; i++)
		tasks[i] = start(take_both, &pairs[i]);
	for (int i = 0; i < 2; i++)
		cr_expect_eq(weft_task_join(tasks[i]), 0);
	cr_expect((pairs[0].r == -EDEADLK) != (pairs[1].r == -EDEADLK), "%d and %d",
		  pairs[0].r, pairs[1].r);
	cr_expect_eq(pairs[0].r + pairs[1].r, -EDEADLK, "the other one had both");
}

static int take_then_join(void *arg)
{
	struct pair *pair = arg;

	return weft_lock_acquire(pair->first);
}

TaskTest(lock, wanted_by_a_task_that_its_holder_joins_is_a_deadlock)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	struct pair pair = { .first = &lock };
	weft_task *task;

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	task = start(take_then_join, &pair);
	/* This task waits for that one, which finds it out. */
	cr_expect_eq(weft_task_join(task), -EDEADLK);
	weft_lock_release(&lock);
}

static int release_it(void *arg)
{
	weft_lock_release(arg);
	return 0;
}

TaskTest(lock, may_be_released_by_another_task)
{
	struct weft_lock lock = WEFT_LOCK_INIT;

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	cr_expect_eq(weft_task_join(start(release_it, &lock)), 0);
	cr_expect(!weft_lock_is_locked(&lock));
}

static void release_in_callback(void *lock)
{
	weft_lock_release(lock);
}

TaskTest(lock, may_be_released_by_a_callback)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	struct pair pair = { .first = &lock };
	weft_task *task;

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	task = start(take_then_join, &pair);
	pass_turns(2);
	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), release_in_callback, &lock,
					 NULL),
		     0);
	pass_turns(3);
	cr_expect_eq(weft_task_join(task), 0, "it has the lock");
	weft_lock_release(&lock);
}

static int release_free_lock(void *arg)
{
	struct weft_lock lock = WEFT_LOCK_INIT;

	(void)arg;
	cr_expect_eq(weft_lock_acquire(&lock), 0);
	weft_lock_release(&lock);
	weft_lock_release(&lock);
	return 0;
}

static int run(void *arg)
{
	return weft_run((weft_fn *)arg, NULL);
}

Test(lock, that_is_free_cannot_be_released)
{
	expect_assertion(run, (void *)release_free_lock, "of a lock that nobody holds");
}

TaskTest(lock, may_be_zeroed_memory)
{
	struct weft_lock *lock = calloc(1, sizeof(*lock));

	cr_assert_not_null(lock);
	cr_expect_eq(weft_lock_acquire(lock), 0);
	weft_lock_release(lock);
	free(lock);
}
