/*
 * Wait cycles: what is refused because it could never end, and what is not.
 */
#include "tests/task_test.h"

#include <stdio.h>

/* ---- Small bodies ---- */

struct two {
	weft_task *task;
	weft_future *future;
	struct weft_lock *mine, *wanted; /* may be NULL */
	int r; /* of the wait that counts */
};

/* Takes its own lock, if it has one, lets others do so, and waits for the other task. */
static int await_other(void *arg)
{
	struct two *two = arg;

	if (two->mine)
		cr_expect_eq(weft_lock_acquire(two->mine), 0);
	pass_turns(3);
	two->r = two->wanted ? weft_lock_acquire(two->wanted)
		 : two->task ? weft_task_join(two->task)
			     : weft_future_await(two->future);
	if (two->wanted && two->r == 0)
		weft_lock_release(two->wanted);
	if (two->mine)
		weft_lock_release(two->mine);
	return two->r;
}

static weft_task *start_named(weft_fn *fn, void *arg, const char *name)
{
	struct weft_spawn_options options = { .name = name };
	weft_task *task = NULL;

	cr_assert_eq(weft_spawn_with(fn, arg, &options, &task), 0);
	return task;
}

static void expect_text(const char *text)
{
	cr_expect_str_eq(weft_error_text(-EDEADLK), text);
}

/* ---- Joins and futures ---- */

static int join_itself(void *arg)
{
	weft_task **task = arg;
	int r = weft_task_join(*task);

	expect_text(
		"this wait would never end: task \"narcissus\" would wait for itself (join)");
	return r;
}

TaskTest(cycle, of_a_task_that_joins_itself)
{
	weft_task *task = start_named(join_itself, &task, "narcissus");
	weft_future *future = weft_future_ref(weft_task_future(task));

	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(weft_future_result(future), -EDEADLK);
	weft_future_unref(future);
}

TaskTest(cycle, of_a_task_that_awaits_itself)
{
	weft_task *self = weft_task_current();

	weft_task_set_name(self, "main");
	cr_expect_eq(weft_future_await(weft_task_future(self)), -EDEADLK);
	expect_text(
		"this wait would never end: task \"main\" would wait for itself (future)");
}

static int await_own_order(void *arg)
{
	weft_future **future = arg;

	return weft_future_await(*future);
}

TaskTest(cycle, of_a_task_that_awaits_its_own_shared_future)
{
	weft_future *future = NULL;

	cr_assert_eq(
		weft_spawn_on(weft_loop_current(), await_own_order, &future, &future), 0);
	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(weft_future_result(future), -EDEADLK);
	weft_future_unref(future);
}

TaskTestInOrder(cycle, is_told_with_all_names_in_it)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	weft_task *main_task = weft_task_current();
	struct two bob = { .wanted = &lock }, carol = { .mine = &lock };
	weft_task *tasks[2];

	weft_task_set_name(main_task, "alice");
	carol.future = weft_task_future(main_task);
	tasks[1] = start_named(await_other, &carol, "carol");
	tasks[0] = start_named(await_other, &bob, "bob");
	pass_turns(6);
	cr_expect_eq(weft_future_await(weft_task_future(tasks[0])), -EDEADLK);
	expect_text(
		"this wait would never end: task \"alice\" would wait for \"bob\" (future), "
		"\"bob\" for \"carol\" (lock), \"carol\" for \"alice\" (future)");
	weft_task_cancel(tasks[1], NULL);
	cr_expect_eq(weft_task_join(tasks[1]), -ECANCELED);
	cr_expect_eq(weft_task_join(tasks[0]), 0, "bob has the lock then");
}

enum { N_RING = 20 };

static struct two ring[N_RING];

TaskTestInOrder(cycle, that_is_long_is_told_in_part)
{
	weft_task *tasks[N_RING];
	char name[20], text[600];
	size_t n = 0;

	for (int i = 0; i < N_RING; i++) {
		ring[i] = (struct two){ .r = 0 };
		snprintf(name, sizeof(name), "t%d", i);
		tasks[i] = start_named(await_other, &ring[i], name);
	}
	for (int i = 0; i < N_RING; i++)
		ring[i].future = weft_task_future(tasks[(i + 1) % N_RING]);
	for (int i = 0; i < N_RING - 1; i++)
		cr_expect_eq(weft_future_await(weft_task_future(tasks[i])), 0);
	cr_expect_eq(weft_task_join(tasks[N_RING - 1]), -EDEADLK);
	n = (size_t)snprintf(
		text, sizeof(text),
		"this wait would never end: task \"t19\" would wait for \"t0\" "
		"(future)");
	for (int i = 0; i < 5; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      ", \"t%d\" for \"t%d\" (future)", i, i + 1);
	snprintf(text + n, sizeof(text) - n, ", and so on");
	expect_text(text);
	for (int i = 0; i < N_RING - 1; i++)
		cr_expect_eq(weft_task_join(tasks[i]), 0);
}

/* ---- Locks ---- */

TaskTest(cycle, of_a_chain_of_locks)
{
	enum { N = 5 };
	struct weft_lock locks[N];
	struct two users[N];
	weft_task *tasks[N];
	int n_deadlocks = 0;

	memset(locks, 0, sizeof(locks));
	for (int i = 0; i < N; i++) {
		users[i] =
			(struct two){ .mine = &locks[i], .wanted = &locks[(i + 1) % N] };
		tasks[i] = start(await_other, &users[i]);
	}
	for (int i = 0; i < N; i++)
		n_deadlocks += weft_task_join(tasks[i]) == -EDEADLK;
	cr_expect_eq(n_deadlocks, 1, "one is refused, so the others get theirs");
}

TaskTest(cycle, of_a_lock_that_changed_hands_while_others_waited)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	struct two second = { .wanted = &lock, .r = 1 };
	struct two first = { .mine = &lock,
			     .future = weft_task_future(weft_task_current()) };
	weft_task *tasks[2];

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	tasks[0] = start(await_other, &first); /* in line */
	pass_turns(2);
	tasks[1] = start(await_other, &second); /* behind it */
	pass_turns(5);
	weft_lock_release(&lock); /* the first has it, and waits for us */
	pass_turns(5);
	cr_expect_eq(weft_task_join(tasks[1]), -EDEADLK,
		     "we, for the first, by the lock");
	weft_task_cancel(tasks[0], NULL);
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	pass_turns(2);
	cr_expect_eq(second.r, 0);
}

/* ---- Groups ---- */

TaskTest(cycle, that_a_child_closes_is_the_childs_error)
{
	struct two child = { .future = weft_task_future(weft_task_current()) };
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, await_other, &child);
	cr_expect_eq(weft_group_end(&group, 0), -EDEADLK);
	cr_expect_eq(child.r, -EDEADLK);
}

TaskTest(cycle, that_the_end_of_a_group_closes_cancels_the_children)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	struct two by_future = { .future = weft_task_future(weft_task_current()),
				 .r = 1 };
	struct two by_lock = { .wanted = &lock, .r = 1 };
	struct two *children[] = { &by_future, &by_lock };

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		struct weft_group group;

		weft_group_begin(&group);
		weft_group_spawn(&group, await_other, children[i]);
		weft_group_spawn(&group, sleep_forever, NULL);
		pass_turns(6);
		cr_expect_eq(weft_group_end(&group, 0), -EDEADLK);
		cr_expect_eq(children[i]->r, -ECANCELED);
		cr_expect_eq(requests(), 0);
	}
	weft_lock_release(&lock);
}

static int end_group_around(void *arg)
{
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, await_other, arg);
	return weft_group_end(&group, 0);
}

TaskTest(cycle, through_groups_within_groups)
{
	struct two child = { .future = weft_task_future(weft_task_current()) };
	weft_task *task = start(end_group_around, &child);

	pass_turns(7); /* the grandchild waits for us */
	cr_expect_eq(weft_future_await(weft_task_future(task)), -EDEADLK, "future");
	cr_expect_eq(weft_future_await(weft_task_future(task)), -EDEADLK, "and again");
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
}

static int call_back(void *arg)
{
	pass_turns(3);
	return weft_future_await(arg);
}

TaskTest(cycle, in_a_gather)
{
	weft_future *self = weft_task_future(weft_task_current());
	struct weft_call calls[] = {
		{ .fn = call_back, .arg = self },
		{ .fn = return_number, .arg = (int[]){ 3 } },
	};

	cr_expect_eq(weft_gather(calls, 2), -EDEADLK);
	cr_expect_eq(calls[0].result, -EDEADLK);
	cr_expect_eq(calls[1].result, 3);
}

/* ---- Conditions ---- */

struct notice {
	struct weft_lock lock;
	struct weft_condition condition;
	int r;
};

static int await_notice(void *arg)
{
	struct notice *notice = arg;
	int r = weft_lock_acquire(&notice->lock);

	if (r < 0)
		return r;
	notice->r = weft_condition_wait(&notice->condition, &notice->lock);
	weft_lock_release(&notice->lock);
	return notice->r;
}

TaskTest(cycle, of_a_condition_whose_lock_is_held_by_who_joins_its_waiter)
{
	struct notice notice = { .r = 1 };
	weft_task *task = start_named(await_notice, &notice, "waiter");

	weft_task_set_name(weft_task_current(), "main");
	pass_turns(3);
	cr_assert_eq(weft_lock_acquire(&notice.lock), 0);
	for (int notified = 0; notified < 2; notified++) {
		cr_expect_eq(weft_future_await(weft_task_future(task)), -EDEADLK);
		expect_text(
			notified
				? "this wait would never end: task \"main\" would wait for "
				  "\"waiter\" (future), \"waiter\" for \"main\" (lock of a "
				  "condition)"
				: "this wait would never end: task \"main\" would wait for "
				  "\"waiter\" (future), \"waiter\" for \"main\" (condition)");
		weft_condition_notify(&notice.condition, 1);
	}
	weft_lock_release(&notice.lock);
	cr_expect_eq(weft_task_join(task), 0);
}

static void release_lock(void *arg)
{
	weft_lock_release(arg);
}

TaskTest(cycle, that_no_cancellation_breaks_is_reported)
{
	struct notice notice = { .r = 1 };
	struct weft_group group;

	expect_reports();
	weft_group_begin(&group);
	weft_group_spawn(&group, await_notice, &notice);
	pass_turns(3);
	cr_assert_eq(weft_lock_acquire(&notice.lock), 0);
	cr_assert_eq(weft_loop_call_later(weft_loop_current(), WEFT_SEC, release_lock,
					  &notice.lock, NULL),
		     0);
	cr_expect_eq(weft_group_end(&group, 0), -EDEADLK);
	cr_expect_eq(notice.r, -ECANCELED, "it had the lock when it was told");
	cr_expect_eq(reports_count(), 1);
	cr_expect_eq(
		reports_with("the end of a group waits for a lock that its task holds"),
		1);
}

/* ---- Several futures ---- */

TaskTest(cycle, of_one_among_all_of_several_futures)
{
	struct two other = { .future = weft_task_future(weft_task_current()) };
	weft_task *tasks[3] = { start(sleep_forever, NULL), start(await_other, &other),
				start(sleep_forever, NULL) };
	weft_future *futures[3];

	for (int i = 0; i < 3; i++)
		futures[i] = weft_task_future(tasks[i]);
	pass_turns(6);
	cr_expect_eq(weft_wait(futures, 3, WEFT_ALL_COMPLETED), -EDEADLK);
	cr_expect_eq(weft_wait(&futures[1], 1, WEFT_FIRST_COMPLETED), -EDEADLK,
		     "the only one is all of them");
	for (int i = 0; i < 3; i++) {
		weft_task_cancel(tasks[i], NULL);
		cr_expect_eq(weft_task_join(tasks[i]), -ECANCELED);
	}
}

struct all {
	weft_future *futures[2];
	enum weft_return_when when;
	int r;
};

static int await_all(void *arg)
{
	struct all *all = arg;

	all->r = weft_wait(all->futures, 2, all->when);
	return all->r < 0 ? all->r : 0;
}

TaskTest(cycle, through_who_waits_for_all_of_several_futures)
{
	weft_task *sleeper = start(sleep_forever, NULL);
	struct all all = { { weft_task_future(sleeper),
			     weft_task_future(weft_task_current()) },
			   WEFT_ALL_COMPLETED,
			   1 };
	weft_task *task = start(await_all, &all);

	pass_turns(3);
	cr_expect_eq(weft_future_await(weft_task_future(task)), -EDEADLK);
	weft_task_cancel(sleeper, NULL);
	cr_expect_eq(weft_task_join(sleeper), -ECANCELED);
	cr_expect_eq(weft_future_await(weft_task_future(task)), -EDEADLK,
		     "of the one left");
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
}

TaskTest(cycle, of_the_last_that_is_completed)
{
	struct two other = { .future = weft_task_future(weft_task_current()) };
	weft_time second = WEFT_SEC;
	weft_task *tasks[2] = { start(sleep_for, &second), start(await_other, &other) };
	weft_future *futures[2] = { weft_task_future(tasks[0]),
				    weft_task_future(tasks[1]) };
	struct weft_as_completed scope;
	weft_future *future = NULL;

	cr_assert_eq(weft_as_completed_begin(&scope, futures, 2), 0);
	cr_expect_eq(weft_as_completed_next(&scope, &future), 1);
	cr_expect_eq(future, futures[0]);
	cr_expect_eq(weft_as_completed_next(&scope, &future), -EDEADLK);
	cr_expect_eq(weft_as_completed_end(&scope, 0), 0);
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	weft_task_cancel(tasks[1], NULL);
	cr_expect_eq(weft_task_join(tasks[1]), -ECANCELED);
}

/* A ladder: both tasks of a rung wait for both of the next. There are 2^30 ways down. */
TaskTestInOrder(cycle, is_searched_for_once_on_each_of_very_many_ways)
{
	enum { N = 30 };
	static struct all rungs[N][2];
	struct weft_lock lock = WEFT_LOCK_INIT;
	struct two last = { .wanted = &lock };
	weft_task *tasks[N + 1][2];

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	tasks[N][0] = start(sleep_forever, NULL);
	tasks[N][1] = start(await_other, &last);
	for (int i = N - 1; i >= 0; i--) {
		for (int j = 0; j < 2; j++) {
			rungs[i][j] = (struct all){ { weft_task_future(tasks[i + 1][0]),
						      weft_task_future(tasks[i + 1][1]) },
						    WEFT_ALL_COMPLETED,
						    1 };
			tasks[i][j] = start(await_all, &rungs[i][j]);
		}
	}
	pass_turns(6);
	cr_expect_eq(weft_future_await(weft_task_future(tasks[0][0])), -EDEADLK);
	weft_lock_release(&lock);
	weft_task_cancel(tasks[N][0], NULL);
	pass_turns(2 * N); /* all have ended before the first future goes */
	cr_expect_eq(weft_task_join(tasks[N][1]), 0);
	cr_expect_eq(weft_task_join(tasks[N][0]), -ECANCELED);
	for (int i = 0; i < N; i++)
		for (int j = 0; j < 2; j++)
			cr_expect_eq(weft_task_join(tasks[i][j]), 0);
}

/* ---- No false alarms ---- */

struct things {
	struct weft_semaphore semaphore;
	struct weft_event event;
	struct weft_barrier barrier;
	weft_queue *queue;
	weft_future *future;
	int which;
};

static int wait_for_thing(void *arg)
{
	struct things *things = arg;
	int item;

	switch (things->which) {
	case 0:
		return weft_semaphore_acquire(&things->semaphore);
	case 1:
		return weft_event_wait(&things->event);
	case 2:
		return weft_barrier_wait(&things->barrier);
	case 3:
		return weft_queue_get(things->queue, &item);
	default:
		return weft_future_await(things->future);
	}
}

static void give_thing(void *arg)
{
	struct things *things = arg;
	int item = 0;

	switch (things->which) {
	case 0:
		cr_expect_eq(weft_semaphore_release(&things->semaphore), 0);
		break;
	case 1:
		weft_event_set(&things->event);
		break;
	case 2:
		weft_barrier_reset(&things->barrier);
		break;
	case 3:
		cr_expect_eq(weft_queue_put_nowait(things->queue, &item), 0);
		break;
	default:
		cr_expect_eq(weft_future_set_result(things->future, NULL, NULL), 0);
	}
}

/* The caller looks as if it were the one to give it, but anybody may. */
TaskTest(cycle, is_not_seen_where_anybody_may_help)
{
	static const char *const names[] = { "semaphore", "event", "barrier", "queue",
					     "future" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct things things = {
			.semaphore = WEFT_SEMAPHORE_INIT(1),
			.barrier = WEFT_BARRIER_INIT(2),
			.which = (int)i,
		};
		weft_task *task;

		cr_assert_eq(weft_semaphore_acquire(&things.semaphore), 0);
		cr_assert_eq(weft_queue_new(sizeof(int), 1, NULL, &things.queue), 0);
		cr_assert_eq(weft_future_new(&things.future), 0);
		task = start(wait_for_thing, &things);
		pass_turns(3);
		cr_assert_eq(weft_loop_call_later(weft_loop_current(), WEFT_SEC,
						  give_thing, &things, NULL),
			     0);
		cr_expect_eq(weft_task_join(task), i == 2 ? -EPIPE : 0, "%s", names[i]);
		weft_queue_free(things.queue);
		weft_future_unref(things.future);
	}
}

static int take_and_end(void *arg)
{
	return weft_lock_acquire(arg);
}

static int take_twice(void *arg)
{
	struct two *two = arg;

	two->r = weft_lock_acquire(two->mine);
	if (two->r == 0)
		two->r = weft_lock_acquire(two->wanted);
	return two->r;
}

/* The next task lives in the same place, and holds another lock. */
TaskTest(cycle, is_not_seen_through_a_holder_that_has_ended)
{
	struct weft_lock left = WEFT_LOCK_INIT, own = WEFT_LOCK_INIT;
	struct two next = { .mine = &own, .wanted = &left };
	weft_task *task;

	cr_expect_eq(weft_task_join(start(take_and_end, &left)), 0);
	cr_expect(weft_lock_is_locked(&left));
	task = start(take_twice, &next);
	pass_turns(3);
	cr_assert_eq(weft_loop_call_later(weft_loop_current(), WEFT_SEC, release_lock,
					  &left, NULL),
		     0);
	cr_expect_eq(weft_task_join(task), 0, "it waited, and somebody released it");
	weft_lock_release(&left);
	weft_lock_release(&own);
}

TaskTest(cycle, is_not_seen_in_a_condition_whose_lock_a_task_in_the_same_place_held)
{
	struct notice notice = { .r = 1 };
	weft_task *task;

	cr_expect_eq(weft_task_join(start(take_and_end, &notice.lock)), 0);
	task = start(await_notice, &notice);
	pass_turns(3);
	cr_expect_eq(notice.r, 1, "the lock is not its own");
	weft_lock_release(&notice.lock);
	pass_turns(3);
	cr_assert_eq(weft_lock_acquire(&notice.lock), 0);
	weft_condition_notify(&notice.condition, 1);
	weft_lock_release(&notice.lock);
	cr_expect_eq(weft_task_join(task), 0);
}

struct limited {
	struct weft_lock *lock;
	weft_future *future;
	weft_time limit, shield;
	struct weft_timeout timeout;
	int r;
};

static int await_within_limit(void *arg)
{
	struct limited *limited = arg;
	struct weft_shield shield;
	int r;

	weft_timeout_begin(&limited->timeout, limited->limit);
	if (limited->shield)
		weft_shield_begin(&shield, limited->shield);
	r = limited->lock ? weft_lock_acquire(limited->lock)
			  : weft_future_await(limited->future);
	if (limited->shield)
		r = weft_shield_end(&shield, r);
	limited->r = weft_timeout_end(&limited->timeout, r);
	return 0;
}

TaskTest(cycle, is_not_seen_through_a_task_that_may_give_up)
{
	static const struct {
		const char *name;
		weft_time limit, shield;
		int r;
	} cases[] = {
		{ "a limit", WEFT_SEC, 0, 0 },
		{ "no limit", WEFT_FOREVER, 0, -EDEADLK },
		{ "a limit that a shield holds back", WEFT_SEC, WEFT_FOREVER, -EDEADLK },
		{ "the limit of a shield", WEFT_FOREVER, WEFT_SEC, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_lock lock = WEFT_LOCK_INIT;
		struct limited limited = { .lock = &lock,
					   .limit = cases[i].limit,
					   .shield = cases[i].shield,
					   .r = 1 };
		weft_task *task = start(await_within_limit, &limited);
		int r;

		cr_assert_eq(weft_lock_acquire(&lock), 0);
		pass_turns(3);
		r = weft_future_await(weft_task_future(task));
		cr_expect_eq(r, cases[i].r, "%s: %d", cases[i].name, r);
		weft_lock_release(&lock);
		cr_expect_eq(weft_task_join(task), 0);
		cr_expect_eq(limited.r, r == 0 ? -ETIMEDOUT : 0, "%s", cases[i].name);
	}
}

/* The limit is gone, so the ring stands: a search that comes there ends nevertheless. */
TaskTest(cycle, of_others_does_not_hold_a_search)
{
	struct two other = { .r = 1 };
	struct limited limited = { .limit = WEFT_MIN, .r = 1 };
	struct weft_timeout timeout;
	weft_task *tasks[2];
	int r;

	tasks[0] = start(await_within_limit, &limited);
	tasks[1] = start(await_other, &other);
	limited.future = weft_task_future(tasks[1]);
	other.future = weft_task_future(tasks[0]);
	pass_turns(6);
	cr_expect_eq(other.r, 1, "it waits, as the other one may give up");
	cr_expect_eq(weft_timeout_reschedule(&limited.timeout, WEFT_FOREVER), 0);
	weft_timeout_begin(&timeout, WEFT_SEC);
	r = weft_future_await(limited.future);
	cr_expect_eq(weft_timeout_end(&timeout, r), -ETIMEDOUT,
		     "we are not in that ring");
	weft_task_cancel(tasks[1], NULL);
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	cr_expect_eq(weft_task_join(tasks[1]), -ECANCELED);
}

TaskTest(cycle, is_not_seen_where_one_of_several_will_do)
{
	static const enum weft_return_when when[] = { WEFT_FIRST_COMPLETED,
						      WEFT_FIRST_ERROR };

	for (size_t i = 0; i < ARRAY_SIZE(when); i++) {
		int error = -EIO;
		weft_time second = WEFT_SEC;
		struct all all = { .when = when[i], .r = 1 };
		weft_task *other =
			i ? start(return_number, &error) : start(sleep_for, &second);
		weft_task *task;

		weft_task_detach(start(sleep_for, &second));
		all.futures[0] = weft_task_future(other);
		all.futures[1] = weft_task_future(weft_task_current());
		task = start(await_all, &all);
		pass_turns(1);
		cr_expect_eq(weft_task_join(task), 0);
		cr_expect_eq(all.r, 1);
		cr_expect_eq(weft_task_join(other), i ? -EIO : 0);
		pass_time(2 * WEFT_SEC);
	}
}

TaskTest(cycle, is_not_seen_where_many_wait_for_the_same)
{
	enum { N = 10 };
	struct weft_lock lock = WEFT_LOCK_INIT;
	struct weft_group group;
	struct two children[N];

	cr_assert_eq(weft_lock_acquire(&lock), 0);
	weft_group_begin(&group);
	for (int i = 0; i < N; i++) {
		children[i] = (struct two){ .wanted = &lock };
		weft_group_spawn(&group, await_other, &children[i]);
	}
	pass_turns(6);
	weft_lock_release(&lock); /* before the end: all is well */
	cr_expect_eq(weft_group_end(&group, 0), 0);
	for (int i = 0; i < N; i++)
		cr_expect_eq(children[i].r, 0);
}
