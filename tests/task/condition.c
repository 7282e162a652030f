/*
 * Conditions.
 */
#include "tests/task_test.h"

/* What the tasks of a test share. */
struct shared {
	struct weft_lock lock;
	struct weft_condition condition;
	int n_items; /* what the lock protects */
	int n_woken;
};

struct waiter {
	struct shared *shared;
	int r; /* of the wait; 1: not returned yet */
	int after; /* of the wait after that */
	int place; /* in the order of waking */
	bool had_lock;
};

/* Waits once, and says what it found when it came back. */
static int wait_once(void *arg)
{
	struct waiter *waiter = arg;
	struct shared *shared = waiter->shared;
	int r = weft_lock_acquire(&shared->lock);

	if (r < 0)
		return r;
	waiter->r = weft_condition_wait(&shared->condition, &shared->lock);
	waiter->had_lock = weft_lock_is_locked(&shared->lock);
	waiter->place = shared->n_woken++;
	waiter->after = weft_yield();
	weft_lock_release(&shared->lock);
	return waiter->r;
}

/* Starts n waiters; each waits before the next one comes. */
static void start_waiters(struct shared *shared, struct waiter *waiters,
			  weft_task **tasks, int n)
{
	for (int i = 0; i < n; i++) {
		waiters[i] = (struct waiter){ .shared = shared, .r = 1, .place = -1 };
		tasks[i] = start(wait_once, &waiters[i]);
		pass_turns(2);
	}
}

static void acquire(struct shared *shared)
{
	cr_assert_eq(weft_lock_acquire(&shared->lock), 0);
}

static void notify(struct shared *shared, int n)
{
	acquire(shared);
	weft_condition_notify(&shared->condition, n);
	weft_lock_release(&shared->lock);
}

TaskTest(condition, releases_the_lock_while_it_waits)
{
	struct shared shared = { 0 };
	struct waiter waiter;
	weft_task *task;

	start_waiters(&shared, &waiter, &task, 1);
	cr_expect(!weft_lock_is_locked(&shared.lock));
	notify(&shared, 1);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect(waiter.had_lock, "taken again");
	cr_expect(!weft_lock_is_locked(&shared.lock));
}

TaskTest(condition, wakes_as_many_as_it_is_told_in_the_order_of_arrival)
{
	enum { N = 10 };
	static const struct {
		const char *name;
		int n, n_woken;
	} steps[] = {
		{ "none", 0, 0 },
		{ "less than none", -1, 0 },
		{ "one", 1, 1 },
		{ "three more", 3, 4 },
		{ "all that are left, and more", 100, N },
	};
	struct shared shared = { 0 };
	struct waiter waiters[N];
	weft_task *tasks[N];

	start_waiters(&shared, waiters, tasks, N);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		notify(&shared, steps[i].n);
		pass_turns(4 * N);
		cr_expect_eq(shared.n_woken, steps[i].n_woken, "%s", steps[i].name);
	}
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), 0);
		cr_expect_eq(waiters[i].place, i);
	}
}

TaskTest(condition, wakes_all)
{
	enum { N = 10 };
	struct shared shared = { 0 };
	struct waiter waiters[N];
	weft_task *tasks[N];

	start_waiters(&shared, waiters, tasks, N);
	acquire(&shared);
	weft_condition_notify_all(&shared.condition);
	cr_expect_eq(shared.n_woken, 0, "not before the lock is released");
	weft_lock_release(&shared.lock);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), 0);
		cr_expect_eq(waiters[i].place, i);
	}
}

TaskTest(condition, does_not_remember_a_notification)
{
	struct shared shared = { 0 };
	struct waiter waiter;
	weft_task *task;

	notify(&shared, 1);
	start_waiters(&shared, &waiter, &task, 1);
	pass_time(WEFT_SEC);
	cr_expect_eq(waiter.r, 1, "still waiting");
	acquire(&shared);
	weft_condition_notify_all(&shared.condition);
	weft_lock_release(&shared.lock);
	cr_expect_eq(weft_task_join(task), 0);
	notify(&shared, 1); /* and with nobody there any more */
}

TaskTest(condition, gives_a_notified_waiter_the_lock_after_who_wanted_it_before)
{
	struct shared shared = { 0 };
	struct waiter waiter, late = { .shared = &shared, .r = 1 };
	weft_task *task, *other;

	start_waiters(&shared, &waiter, &task, 1);
	acquire(&shared);
	other = start(wait_once, &late);
	pass_turns(2); /* it wants the lock */
	weft_condition_notify(&shared.condition, 1);
	weft_lock_release(&shared.lock);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(late.r, 1, "it had the lock first, and waits now");
	notify(&shared, 1);
	cr_expect_eq(weft_task_join(other), 0);
}

/* ---- Cancellation ---- */

TaskTest(condition, takes_the_lock_again_when_cancelled)
{
	struct shared shared = { 0 };
	struct waiter waiter;
	weft_task *task;

	start_waiters(&shared, &waiter, &task, 1);
	weft_task_cancel(task, NULL);
	cr_expect(weft_lock_is_locked(&shared.lock), "it was free");
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect(waiter.had_lock);
	cr_expect_eq(waiter.after, 0, "told once");
	cr_expect(!weft_lock_is_locked(&shared.lock));
}

TaskTest(condition, holds_a_cancellation_back_until_the_lock_is_there)
{
	struct shared shared = { 0 };
	struct waiter waiter;
	weft_task *task;

	start_waiters(&shared, &waiter, &task, 1);
	acquire(&shared);
	weft_task_cancel(task, "enough");
	pass_time(WEFT_SEC);
	cr_expect_eq(waiter.r, 1, "the lock is held");
	weft_task_cancel(task, NULL); /* makes no difference */
	weft_condition_notify(&shared.condition, 1); /* goes to nobody */
	pass_time(WEFT_SEC);
	cr_expect_eq(waiter.r, 1);
	weft_lock_release(&shared.lock);
	cr_expect(weft_lock_is_locked(&shared.lock), "handed over");
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(waiter.after, 0, "two requests, told once");
	cr_expect(!weft_lock_is_locked(&shared.lock));
}

TaskTest(condition, that_was_notified_before_the_cancellation_succeeds)
{
	struct shared shared = { 0 };
	struct waiter waiter;
	weft_task *task;

	start_waiters(&shared, &waiter, &task, 1);
	acquire(&shared);
	weft_condition_notify(&shared.condition, 1);
	weft_task_cancel(task, NULL); /* while it wants the lock */
	pass_turns(3);
	weft_lock_release(&shared.lock);
	cr_expect_eq(weft_task_join(task), 0, "result first");
	cr_expect_eq(waiter.after, -ECANCELED, "at its next wait");
}

TaskTest(condition, passes_the_notification_of_a_cancelled_waiter_on)
{
	struct shared shared = { 0 };
	struct waiter waiters[2];
	weft_task *tasks[2];

	start_waiters(&shared, waiters, tasks, 2);
	acquire(&shared);
	weft_task_cancel(tasks[0], NULL);
	weft_condition_notify(&shared.condition, 1); /* in the same step */
	weft_lock_release(&shared.lock);
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
}

TaskTest(condition, tells_of_a_pending_cancellation_with_the_lock_in_hand)
{
	struct shared shared = { 0 };

	acquire(&shared);
	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_condition_wait(&shared.condition, &shared.lock), -ECANCELED);
	cr_expect(weft_lock_is_locked(&shared.lock));
	weft_lock_release(&shared.lock);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
}

static int wait_and_ignore(void *arg)
{
	struct shared *shared = arg;
	int r = weft_lock_acquire(&shared->lock);

	while (r == 0 && !shared->n_items)
		if (weft_condition_wait(&shared->condition, &shared->lock) < 0)
			shared->n_woken++;
	if (r == 0)
		weft_lock_release(&shared->lock);
	return r;
}

TaskTest(condition, can_be_waited_for_again_after_a_cancellation)
{
	struct shared shared = { 0 };
	weft_task *task = start(wait_and_ignore, &shared);

	pass_turns(2);
	for (int i = 1; i <= 3; i++) {
		weft_task_cancel(task, NULL);
		pass_turns(2);
		cr_expect_eq(shared.n_woken, i);
	}
	acquire(&shared);
	shared.n_items = 1;
	weft_condition_notify(&shared.condition, 1);
	weft_lock_release(&shared.lock);
	cr_expect_eq(weft_task_join(task), 0);
}

TaskTest(condition, in_a_timeout_times_out_with_the_lock_in_hand)
{
	struct shared shared = { 0 };
	struct weft_timeout timeout;
	weft_time began = weft_now();
	int r;

	acquire(&shared);
	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_condition_wait(&shared.condition, &shared.lock);
	cr_expect(weft_lock_is_locked(&shared.lock));
	weft_lock_release(&shared.lock);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT);
	cr_expect_eq(weft_now() - began, WEFT_SEC);
}

/* ---- Wrong use ---- */

TaskTest(condition, without_the_lock_is_refused)
{
	struct shared shared = { 0 };
	struct waiter waiter = { .shared = &shared };
	weft_task *task;

	cr_expect_eq(weft_condition_wait(&shared.condition, &shared.lock), -EPERM);
	cr_expect_str_eq(weft_error_text(-EPERM),
			 "weft_condition_wait() with a lock that the task does not hold: "
			 "acquire it first");
	acquire(&shared);
	task = start(wait_once, &waiter);
	pass_turns(2); /* it wants the lock */
	weft_lock_release(&shared.lock); /* and has it: not this task */
	cr_expect_eq(weft_condition_wait(&shared.condition, &shared.lock), -EPERM);
	pass_turns(3);
	notify(&shared, 1);
	cr_expect_eq(weft_task_join(task), 0);
}

TaskTest(condition, with_another_lock_is_refused)
{
	struct shared shared = { 0 };
	struct weft_lock other = WEFT_LOCK_INIT;
	struct waiter waiter;
	weft_task *task;

	start_waiters(&shared, &waiter, &task, 1);
	notify(&shared, 1);
	cr_expect_eq(weft_task_join(task), 0);
	cr_assert_eq(weft_lock_acquire(&other), 0);
	cr_expect_eq(weft_condition_wait(&shared.condition, &other), -EINVAL);
	cr_expect_str_eq(
		weft_error_text(-EINVAL),
		"weft_condition_wait() with another lock than before: a condition "
		"belongs to one lock");
	weft_lock_release(&other);
}

TaskTestInOrder(condition, notified_without_the_lock_is_an_assertion, .signal = SIGABRT)
{
	struct shared shared = { 0 };
	struct waiter waiter;
	weft_task *task;

	start_waiters(&shared, &waiter, &task, 1);
	weft_condition_notify(&shared.condition, 1);
}

/* ---- What it is for ---- */

enum { N_ITEMS = 100 };

static int consume(void *arg)
{
	struct shared *shared = arg;
	int n = 0, r;

	r = weft_lock_acquire(&shared->lock);
	if (r < 0)
		return r;
	for (;;) {
		while (shared->n_items == 0)
			if (weft_condition_wait(&shared->condition, &shared->lock) < 0)
				goto out;
		shared->n_items--;
		n++;
	}
out:
	weft_lock_release(&shared->lock);
	return n;
}

TaskTest(condition, lets_every_item_be_consumed_once)
{
	enum { N = 5 };
	struct shared shared = { 0 };
	weft_task *tasks[N];
	int n = 0;

	for (int i = 0; i < N; i++)
		tasks[i] = start(consume, &shared);
	for (int i = 0; i < N_ITEMS; i++) {
		acquire(&shared);
		shared.n_items++;
		weft_condition_notify(&shared.condition, 1);
		weft_lock_release(&shared.lock);
		if (i % 3 == 0)
			pass_turns(1);
	}
	pass_time(WEFT_SEC);
	for (int i = 0; i < N; i++)
		weft_task_cancel(tasks[i], NULL);
	for (int i = 0; i < N; i++)
		n += weft_task_join(tasks[i]);
	cr_expect_eq(n, N_ITEMS);
	cr_expect_eq(shared.n_items, 0);
}
