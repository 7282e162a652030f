/*
 * Semaphores.
 */
#include "tests/child.h"
#include "tests/task_test.h"

struct user {
	struct weft_semaphore *semaphore;
	int acquired, after;
	int place;
	int *n_served;
};

/* Takes a permit and keeps it. */
static int take_permit(void *arg)
{
	struct user *user = arg;

	user->acquired = weft_semaphore_acquire(user->semaphore);
	if (user->acquired == 0)
		user->place = (*user->n_served)++;
	user->after = weft_sleep(WEFT_MSEC);
	return user->acquired;
}

TaskTest(semaphore, gives_as_many_permits_as_it_has)
{
	struct weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(3);
	int n_served = 0;
	struct user user = { &semaphore, 1, 1, -1, &n_served };
	weft_task *task;

	weft_task_cancel(weft_task_current(), NULL);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(weft_semaphore_acquire(&semaphore), 0, "no wait");
	cr_expect_eq(weft_yield(), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
	task = start(take_permit, &user);
	pass_time(WEFT_SEC);
	cr_expect_eq(n_served, 0);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	cr_expect_eq(weft_task_join(task), 0);
}

TaskTest(semaphore, serves_in_the_order_of_arrival)
{
	enum { N = 20 };
	struct weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(0);
	struct user users[N];
	weft_task *tasks[N];
	int n_served = 0;

	for (int i = 0; i < N; i++) {
		users[i] = (struct user){ &semaphore, 1, 1, -1, &n_served };
		tasks[i] = start(take_permit, &users[i]);
		pass_turns(2);
	}
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_semaphore_release(&semaphore), 0);
		pass_turns(2);
		cr_expect_eq(n_served, i + 1, "a permit serves one");
	}
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), 0);
		cr_expect_eq(users[i].place, i);
	}
}

TaskTest(semaphore, is_not_overtaken_by_the_fast_path)
{
	struct weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(0);
	int n_served = 0;
	struct user user = { &semaphore, 1, 1, -1, &n_served };
	weft_task *task = start(take_permit, &user);

	pass_turns(2);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	/* The first permit is the waiter's already, the second one is free. */
	cr_expect_eq(weft_semaphore_acquire(&semaphore), 0);
	cr_expect_eq(weft_task_join(task), 0);
}

TaskTest(semaphore, gives_the_permit_of_a_cancelled_waiter_to_the_next)
{
	struct weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(0);
	int n_served = 0;
	struct user one = { &semaphore, 1, 1, -1, &n_served }, two = one;
	weft_task *tasks[2];

	tasks[0] = start(take_permit, &one);
	pass_turns(2);
	tasks[1] = start(take_permit, &two);
	pass_turns(2);
	weft_task_cancel(tasks[0], NULL);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0); /* in the same step */
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_eq(two.place, 0);
}

TaskTest(semaphore, whose_permit_came_before_the_cancellation_is_acquired)
{
	struct weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(0);
	int n_served = 0;
	struct user user = { &semaphore, 1, 1, -1, &n_served };
	weft_task *task = start(take_permit, &user);

	pass_turns(2);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(user.after, -ECANCELED);
}

TaskTest(semaphore, without_a_bound_takes_any_number_of_releases)
{
	struct weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(1);

	for (int i = 0; i < 1000; i++)
		cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	for (int i = 0; i < 1001; i++)
		cr_expect_eq(weft_semaphore_acquire(&semaphore), 0);
}

TaskTest(semaphore, with_a_bound_refuses_a_release_too_many)
{
	struct weft_semaphore two = WEFT_BOUNDED_SEMAPHORE_INIT(2);
	struct weft_semaphore none = WEFT_BOUNDED_SEMAPHORE_INIT(0);

	cr_expect_eq(weft_semaphore_release(&two), -EOVERFLOW);
	cr_expect_eq(weft_semaphore_acquire(&two), 0);
	cr_expect_eq(weft_semaphore_release(&two), 0);
	cr_expect_eq(weft_semaphore_release(&two), -EOVERFLOW);
	cr_expect_eq(weft_semaphore_release(&none), -EOVERFLOW, "a bound of none");
}

TaskTest(semaphore, with_a_bound_hands_permits_on)
{
	struct weft_semaphore semaphore = WEFT_BOUNDED_SEMAPHORE_INIT(1);
	int n_served = 0;
	struct user user = { &semaphore, 1, 1, -1, &n_served };
	weft_task *task;

	cr_expect_eq(weft_semaphore_acquire(&semaphore), 0);
	task = start(take_permit, &user);
	pass_turns(2);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	cr_expect_eq(weft_semaphore_release(&semaphore), -EOVERFLOW);
}

TaskTest(semaphore, is_locked_when_there_is_nothing_to_take)
{
	struct weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(1);
	int n_served = 0;
	struct user user = { &semaphore, 1, 1, -1, &n_served };
	weft_task *task;

	cr_expect(!weft_semaphore_is_locked(&semaphore));
	cr_expect_eq(weft_semaphore_acquire(&semaphore), 0);
	cr_expect(weft_semaphore_is_locked(&semaphore));
	task = start(take_permit, &user);
	pass_turns(2);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	cr_expect(weft_semaphore_is_locked(&semaphore), "the permit is the waiter's");
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(weft_semaphore_release(&semaphore), 0);
	cr_expect(!weft_semaphore_is_locked(&semaphore));
}

static int use_less_than_nothing(void *arg)
{
	struct weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(-1);

	(void)arg;
	return weft_semaphore_acquire(&semaphore);
}

static int run_that(void *arg)
{
	(void)arg;
	return weft_run(use_less_than_nothing, NULL);
}

Test(semaphore, cannot_begin_with_less_than_nothing)
{
	expect_assertion(run_that, NULL, "initialised with a negative number of permits");
}
