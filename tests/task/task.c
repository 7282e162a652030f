/*
 * Tasks: start, end, join, detach, names, and cancellation.
 */
#include "tests/task_test.h"

#include <stdio.h>

/* ---- Start and end ---- */

TaskTest(task, join_returns_what_the_task_returned)
{
	static const int results[] = { 0, 1, 42, INT32_MAX, -EIO, -ENOMEM, -ETIMEDOUT };

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		int result = results[i];

		cr_expect_eq(weft_task_join(start(return_number, &result)), results[i]);
	}
}

TaskTest(task, join_of_one_that_has_ended_returns_at_once)
{
	int result = 7;
	weft_task *task = start(return_number, &result);
	weft_time now;

	pass_time(WEFT_SEC);
	now = weft_now();
	cr_expect_eq(weft_task_join(task), 7);
	cr_expect_eq(weft_now(), now);
}

TaskTest(task, begins_after_its_spawner_waits)
{
	int number = 0;
	weft_task *task = start(return_number, &number);

	number = 5;
	cr_expect_eq(weft_task_join(task), 5);
}

static int fail_with_details(void *arg)
{
	return weft_error_set(-EPROTO, "the %s is on fire", (const char *)arg);
}

TaskTest(task, hands_the_details_of_its_failure_to_whoever_joins)
{
	char word[] = "printer";
	weft_task *task = start(fail_with_details, word);

	cr_expect_eq(weft_task_join(task), -EPROTO);
	cr_expect_str_eq(weft_error_text(-EPROTO), "the printer is on fire");
}

static int keep_own_error(void *arg)
{
	int r = weft_error_set(-EIO, "%s", (const char *)arg);

	r = weft_sleep(WEFT_MSEC) < 0 ? -EINVAL : r;
	/* Others have failed in between: these details are still this task's. */
	if (strcmp(weft_error_text(r), arg) != 0)
		return -EINVAL;
	return r;
}

TaskTest(task, keeps_its_own_errors_while_others_fail)
{
	char one[] = "one", two[] = "two";
	weft_task *first = start(keep_own_error, one),
		  *second = start(keep_own_error, two);

	cr_expect_eq(weft_task_join(second), -EIO);
	cr_expect_str_eq(weft_error_text(-EIO), "two");
	cr_expect_eq(weft_task_join(first), -EIO);
	cr_expect_str_eq(weft_error_text(-EIO), "one");
}

static int add_one(void *arg)
{
	(*(int *)arg)++;
	return weft_yield();
}

TaskTest(task, starts_and_ends_many_thousand_times)
{
	int n = 0;

	for (int i = 0; i < 20000; i++)
		cr_assert_eq(weft_task_join(start(add_one, &n)), 0);
	cr_expect_eq(n, 20000);
}

TaskTestInOrder(task, lives_beside_many_thousand_others)
{
	enum { N = 5000 };
	weft_task **tasks = calloc(N, sizeof(weft_task *));
	weft_time hour = 60 * WEFT_MIN;

	cr_assert_not_null(tasks);
	for (int i = 0; i < N; i++)
		tasks[i] = start(sleep_for, &hour);
	cr_expect_eq(weft_loop_tasks(weft_loop_current(), NULL, 0), N + 1);
	for (int i = 0; i < N; i++)
		cr_assert_eq(weft_task_join(tasks[i]), 0);
	cr_expect_eq(weft_loop_tasks(weft_loop_current(), NULL, 0), 1);
	free(tasks);
}

static int spawn_children(void *arg)
{
	int depth = *(int *)arg, next = depth - 1, sum = 1;
	weft_task *left, *right;

	if (depth == 0)
		return 1;
	left = start(spawn_children, &next);
	right = start(spawn_children, &next);
	sum += weft_task_join(left);
	sum += weft_task_join(right);
	return sum;
}

TaskTest(task, may_spawn_tasks_that_spawn_tasks)
{
	int depth = 8;

	cr_expect_eq(weft_task_join(start(spawn_children, &depth)), (1 << 9) - 1);
}

static void spawn_in_callback(void *arg)
{
	int r = weft_spawn(add_one, arg, NULL);

	cr_expect_eq(r, 0);
	cr_expect_null(weft_task_current(), "a callback is no task");
}

TaskTest(task, may_be_spawned_by_a_callback)
{
	int n = 0;

	cr_assert_eq(
		weft_loop_call_soon(weft_loop_current(), spawn_in_callback, &n, NULL), 0);
	pass_turns(3);
	cr_expect_eq(n, 1);
}

Test(task, is_refused_without_a_loop)
{
	weft_task *task = NULL;
	weft_future *future = NULL;
	int number = 0;

	cr_expect_eq(weft_spawn(return_number, &number, &task), -EPERM);
	cr_expect_null(task);
	cr_expect_eq(weft_future_new(&future), -EPERM);
	cr_expect_null(future);
	cr_expect_null(weft_task_current());
}

/* ---- Who is who ---- */

static int tell_current(void *arg)
{
	*(weft_task **)arg = weft_task_current();
	if (weft_yield() < 0 || *(weft_task **)arg != weft_task_current())
		return -EINVAL;
	return 0;
}

TaskTest(task, knows_itself)
{
	weft_task *seen = NULL, *task = start(tell_current, &seen);

	cr_expect_not_null(weft_task_current());
	pass_turns(2);
	cr_expect_eq(seen, task);
	cr_expect_neq(seen, weft_task_current());
	cr_expect_eq(weft_task_join(task), 0);
}

TaskTest(task, is_listed_until_it_ends)
{
	weft_time second = WEFT_SEC;
	weft_task *tasks[4] = { NULL }, *task = start(sleep_for, &second);
	bool found = false;
	int n;

	n = weft_loop_tasks(weft_loop_current(), tasks, ARRAY_SIZE(tasks));
	cr_expect_eq(n, 2);
	for (int i = 0; i < n; i++)
		found |= tasks[i] == task;
	cr_expect(found);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(weft_loop_tasks(weft_loop_current(), tasks, 1), 1);
	cr_expect_eq(tasks[0], weft_task_current());
}

TaskTest(task, listing_fills_only_the_places_there_are)
{
	weft_time second = WEFT_SEC;
	weft_task *one = start(sleep_for, &second), *two = start(sleep_for, &second);
	weft_task *places[2] = { NULL, NULL };

	cr_expect_eq(weft_loop_tasks(weft_loop_current(), places, 1), 3);
	cr_expect_not_null(places[0]);
	cr_expect_null(places[1]);
	cr_expect_eq(weft_task_join(one), 0);
	cr_expect_eq(weft_task_join(two), 0);
}

/* ---- Names ---- */

TaskTest(task, is_named_after_its_function_unless_told_otherwise)
{
	struct weft_spawn_options options = { .name = "cleaner" };
	weft_task *plain = start(sleep_forever, NULL), *named;

	cr_assert_eq(weft_spawn_with(sleep_forever, NULL, &options, &named), 0);
	cr_expect_str_eq(weft_task_name(plain), "sleep_forever");
	cr_expect_str_eq(weft_task_name(named), "cleaner");
	weft_task_set_name(named, "painter");
	cr_expect_str_eq(weft_task_name(named), "painter");
	weft_task_set_name(NULL, "nobody");
	weft_task_cancel(plain, NULL);
	weft_task_cancel(named, NULL);
	cr_expect_eq(weft_task_join(plain), -ECANCELED);
	cr_expect_eq(weft_task_join(named), -ECANCELED);
}

TaskTest(task, keeps_a_copy_of_the_first_31_bytes_of_its_name)
{
	char name[] = "0123456789012345678901234567890123456789";
	struct weft_spawn_options options = { .name = name };
	weft_task *task;

	cr_assert_eq(weft_spawn_with(sleep_forever, NULL, &options, &task), 0);
	name[0] = 'X';
	cr_expect_str_eq(weft_task_name(task), "0123456789012345678901234567890");
	weft_task_set_name(task, name);
	cr_expect_str_eq(weft_task_name(task), "X123456789012345678901234567890");
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
}

/* ---- Options ---- */

static int sum_bytes(void *arg)
{
	unsigned char *bytes = arg;
	int sum = 0;

	for (int i = 0; i < 100; i++)
		sum += bytes[i];
	return sum;
}

TaskTest(task, gets_a_copy_of_its_argument_where_asked)
{
	struct weft_spawn_options options = { .copy_arg_bytes = 100 };
	unsigned char bytes[100];
	weft_task *task;

	memset(bytes, 2, sizeof(bytes));
	cr_assert_eq(weft_spawn_with(sum_bytes, bytes, &options, &task), 0);
	memset(bytes, 9, sizeof(bytes));
	cr_expect_eq(weft_task_join(task), 200);
}

static int is_aligned(void *arg)
{
	return (uintptr_t)arg % alignof(max_align_t) == 0;
}

TaskTest(task, gets_its_copy_aligned_for_any_type)
{
	char bytes[64] = "";

	for (size_t size = 1; size <= sizeof(bytes); size++) {
		struct weft_spawn_options options = { .copy_arg_bytes = size };
		weft_task *task;

		cr_assert_eq(weft_spawn_with(is_aligned, bytes, &options, &task), 0);
		cr_expect_eq(weft_task_join(task), 1, "%zu bytes", size);
	}
}

static int use_stack(void *arg)
{
	size_t bytes = *(size_t *)arg;
	char *room = __builtin_alloca(bytes);

	memset(room, 1, bytes);
	__asm__ volatile("" : : "r"(room) : "memory");
	return room[bytes - 1];
}

TaskTestInOrder(task, gets_a_stack_of_the_size_it_asks_for)
{
	static const struct {
		size_t stack, used;
	} cases[] = {
		{ 0, 65536 },		{ 128 << 10, 32768 }, { 256 << 10, 128 << 10 },
		{ 1 << 20, 768 << 10 }, { 8 << 20, 7 << 20 }, { 64 << 20, 60 << 20 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_spawn_options options = { .stack_bytes = cases[i].stack };
		size_t used = cases[i].used;
		weft_task *task;

		cr_assert_eq(weft_spawn_with(use_stack, &used, &options, &task), 0);
		cr_expect_eq(weft_task_join(task), 1, "%zu of %zu", used, cases[i].stack);
	}
}

TaskTestInOrder(task, is_refused_with_options_that_make_no_sense)
{
	static const struct {
		const char *name;
		struct weft_spawn_options options;
	} cases[] = {
		{ "a reserved field", { .reserved = { 0, 0, 1 } } },
		{ "a stack larger than memory", { .stack_bytes = SIZE_MAX } },
		{ "a stack that wraps", { .stack_bytes = SIZE_MAX - 4096 } },
		{ "an argument larger than memory", { .copy_arg_bytes = SIZE_MAX - 64 } },
	};
	char arg[64] = "";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_task *task = NULL;
		int r = weft_spawn_with(is_aligned, arg, &cases[i].options, &task);

		cr_expect(r == -EINVAL || r == -ENOMEM, "%s: %d", cases[i].name, r);
		cr_expect_null(task, "%s", cases[i].name);
		cr_expect(strchr(weft_error_text(r), ' ') != NULL, "%s: %s",
			  cases[i].name, weft_error_text(r));
	}
}

/* ---- Detached ---- */

TaskTest(detached, goes_on_without_its_spawner)
{
	int n = 0;

	cr_assert_eq(weft_spawn(add_one, &n, NULL), 0);
	weft_task_detach(start(add_one, &n));
	weft_task_detach(NULL);
	pass_turns(3);
	cr_expect_eq(n, 2);
	cr_expect_eq(weft_loop_tasks(weft_loop_current(), NULL, 0), 1);
}

TaskTest(detached, has_its_failure_reported_with_name_and_place)
{
	char word[] = "shed";

	expect_reports();
	cr_assert_eq(weft_spawn(fail_with_details, word, NULL), 0);
	pass_turns(3);
	cr_expect_eq(reports_count(), 1);
	cr_expect_eq(reports_with("the shed is on fire"), 1);
	cr_expect_eq(reports_with("fail_with_details"), 1);
	cr_expect_eq(reports_severity("the shed is on fire"), WEFT_FAILURE);
	cr_expect(strstr(reports_place("the shed is on fire"),
			 "has_its_failure_reported"),
		  "%s", reports_place("the shed is on fire"));
}

TaskTest(detached, after_it_has_failed_is_reported_too)
{
	char word[] = "barn";
	weft_task *task = start(fail_with_details, word);

	expect_reports();
	pass_turns(3);
	cr_expect_eq(reports_count(), 0);
	weft_task_detach(task);
	cr_expect_eq(reports_with("the barn is on fire"), 1);
	cr_expect_eq(reports_count(), 1);
}

TaskTest(detached, is_not_reported_for_being_cancelled)
{
	weft_task *task = start(sleep_forever, NULL);

	cr_expect(weft_task_cancel(task, "enough"));
	weft_task_detach(task);
	pass_turns(3);
}

TaskTest(joined, has_nothing_reported)
{
	char word[] = "house";

	cr_expect_eq(weft_task_join(start(fail_with_details, word)), -EPROTO);
	pass_turns(3);
}

/* ---- Cancellation ---- */

/* What a task saw of its waits, one after the other. */
struct waits {
	int n; /* how many to do */
	int seen[8];
	weft_time each; /* how long */
	int result;
};

static int wait_in_turn(void *arg)
{
	struct waits *waits = arg;

	for (int i = 0; i < waits->n; i++)
		waits->seen[i] = weft_sleep(waits->each);
	return waits->result;
}

TaskTest(cancel, ends_the_wait_in_progress_once)
{
	struct waits waits = { .n = 3, .each = WEFT_SEC, .result = 11 };
	weft_task *task = start(wait_in_turn, &waits);
	weft_time began = weft_now();

	pass_time(1500 * WEFT_MSEC);
	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_join(task), 11, "a task may swallow its cancellation");
	cr_expect_eq(waits.seen[0], 0);
	cr_expect_eq(waits.seen[1], -ECANCELED);
	cr_expect_eq(waits.seen[2], 0);
	cr_expect_eq(weft_now() - began, 2500 * WEFT_MSEC);
}

TaskTest(cancel, before_the_first_step_is_told_by_the_first_wait)
{
	struct waits waits = { .n = 2, .each = WEFT_SEC, .result = 3 };
	weft_task *task = start(wait_in_turn, &waits);

	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_join(task), 3, "it begins nevertheless");
	cr_expect_eq(waits.seen[0], -ECANCELED);
	cr_expect_eq(waits.seen[1], 0);
}

TaskTest(cancel, twice_before_delivery_is_told_once)
{
	static const int turns_between[] = { 0, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(turns_between); i++) {
		struct waits waits = { .n = 3, .each = WEFT_SEC };
		weft_task *task = start(wait_in_turn, &waits);

		if (i == 1)
			pass_turns(2); /* it waits */
		cr_expect(weft_task_cancel(task, NULL));
		cr_expect(weft_task_cancel(task, NULL));
		cr_expect_eq(weft_task_cancelling(task), 2);
		cr_expect_eq(weft_task_join(task), 0);
		cr_expect_eq(waits.seen[0], -ECANCELED, "case %zu", i);
		cr_expect_eq(waits.seen[1], 0, "case %zu", i);
		cr_expect_eq(waits.seen[2], 0, "case %zu", i);
	}
}

TaskTest(cancel, again_after_delivery_is_told_again)
{
	struct waits waits = { .n = 3, .each = WEFT_SEC };
	weft_task *task = start(wait_in_turn, &waits);

	pass_turns(2);
	cr_expect(weft_task_cancel(task, NULL));
	pass_turns(3);
	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_cancelling(task), 2);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(waits.seen[0], -ECANCELED);
	cr_expect_eq(waits.seen[1], -ECANCELED, "during clean-up");
	cr_expect_eq(waits.seen[2], 0);
}

TaskTest(cancel, of_a_task_that_has_ended_is_refused_and_changes_nothing)
{
	static const int results[] = { 1, 0, -EIO, -ECANCELED };

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		int result = results[i];
		weft_task *task = start(return_number, &result);

		pass_turns(2);
		cr_expect(!weft_task_cancel(task, "too late"), "%d", result);
		cr_expect_eq(weft_task_cancelling(task), 0, "%d", result);
		cr_expect_eq(weft_future_result(weft_task_future(task)), result);
		cr_expect_eq(weft_task_join(task), result);
		cr_expect_null(strstr(weft_error_text(result), "too late"), "%d", result);
	}
}

static int cancel_self(void *arg)
{
	struct waits *waits = arg;

	cr_expect(weft_task_cancel(weft_task_current(), "self"));
	cr_expect_eq(weft_task_cancelling(weft_task_current()), 1);
	return wait_in_turn(waits);
}

TaskTest(cancel, of_oneself_is_told_by_the_next_wait)
{
	struct waits waits = { .n = 2, .each = WEFT_SEC, .result = 4 };

	cr_expect_eq(weft_task_join(start(cancel_self, &waits)), 4);
	cr_expect_eq(waits.seen[0], -ECANCELED);
	cr_expect_eq(waits.seen[1], 0);
}

TaskTest(cancel, of_oneself_as_the_last_act_does_not_change_what_is_returned)
{
	static const int results[] = { 12, 0, -EIO };

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		struct waits none = { .n = 0, .result = results[i] };

		cr_expect_eq(weft_task_join(start(cancel_self, &none)), results[i]);
		cr_expect_eq(requests(), 0, "it is not the joiner's");
		cr_expect_eq(weft_yield(), 0);
	}
}

static int end_on_event(void *arg)
{
	int r = weft_event_wait(arg);

	return r < 0 ? r : 9;
}

TaskTest(cancel, after_the_last_wait_was_served_does_not_change_what_is_returned)
{
	struct weft_event event = WEFT_EVENT_INIT;
	weft_task *task = start(end_on_event, &event);

	pass_turns(2);
	weft_event_set(&event);
	cr_expect(weft_task_cancel(task, NULL), "it has not ended yet");
	cr_expect_eq(weft_task_cancelling(task), 1);
	cr_expect_eq(weft_task_join(task), 9);
}

static int tell_reason(void *arg)
{
	char *text = arg;
	int r = weft_sleep(WEFT_SEC);

	snprintf(text, 64, "%s", weft_error_text(r));
	return r;
}

TaskTest(cancel, tells_the_reason_to_the_task_and_to_its_joiner)
{
	char reason[] = "the user went away", text[64] = "";
	weft_task *task = start(tell_reason, text);

	pass_turns(2);
	cr_expect(weft_task_cancel(task, reason));
	memset(reason, 'x', sizeof(reason) - 1); /* it was copied */
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect(strstr(text, "the user went away") != NULL, "%s", text);
	cr_expect(strstr(weft_error_text(-ECANCELED), "the user went away") != NULL, "%s",
		  weft_error_text(-ECANCELED));
}

TaskTest(cancel, without_a_reason_has_a_text_of_its_own)
{
	char text[64] = "";
	weft_task *task = start(tell_reason, text);

	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_neq(text[0], '\0');
}

static int fail_when_cancelled(void *arg)
{
	(void)arg;
	return weft_sleep(WEFT_SEC) < 0 ? -EBADMSG : 0;
}

TaskTest(cancel, of_a_task_that_fails_meanwhile_gives_the_failure)
{
	weft_task *task = start(fail_when_cancelled, NULL);

	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_join(task), -EBADMSG);
}

static int clean_up_in_vain(void *arg)
{
	int *cleaned = arg;

	cr_expect_eq(weft_sleep(WEFT_FOREVER), -ECANCELED);
	*cleaned = weft_sleep(WEFT_SEC);
	return weft_error_set(-EIO, "the file could not be closed");
}

TaskTest(cancel, with_a_failing_clean_up_ends_with_the_failure_of_the_clean_up)
{
	int cleaned = 1;
	weft_task *task = start(clean_up_in_vain, &cleaned);
	weft_future *future = weft_future_ref(weft_task_future(task));

	pass_turns(2);
	cr_expect(weft_task_cancel(task, "enough"));
	cr_expect_eq(weft_task_join(task), -EIO);
	cr_expect_str_eq(weft_error_text(-EIO), "the file could not be closed");
	cr_expect_eq(weft_future_result(future), -EIO);
	cr_expect_eq(cleaned, 0, "the clean-up may wait");
	weft_future_unref(future);
}

/* What a task may wait for; the test has the lock, and serves all of it in the end. */
struct place {
	struct weft_event event;
	struct weft_lock lock;
	weft_future *future;
	int (*wait)(struct place *place);
	int seen[3];
};

static int wait_for_time(struct place *place)
{
	(void)place;
	return weft_sleep(WEFT_SEC);
}

static int wait_for_event(struct place *place)
{
	return weft_event_wait(&place->event);
}

static int wait_for_lock(struct place *place)
{
	int r = weft_lock_acquire(&place->lock);

	if (r == 0)
		weft_lock_release(&place->lock);
	return r;
}

static int wait_for_future(struct place *place)
{
	return weft_future_await(place->future);
}

static int wait_for_task(struct place *place)
{
	weft_time second = WEFT_SEC;

	(void)place;
	return weft_task_join(start(sleep_for, &second));
}

static const struct {
	const char *name;
	int (*wait)(struct place *place);
} things[] = {
	{ "time", wait_for_time },   { "event", wait_for_event },
	{ "lock", wait_for_lock },   { "future", wait_for_future },
	{ "a task", wait_for_task },
};

static int swallow_and_live_on(void *arg)
{
	struct place *place = arg;

	place->seen[0] = place->wait(place);
	/* Nobody is told of that: the task does the same again. */
	place->seen[1] = place->wait(place);
	place->seen[2] = weft_sleep(WEFT_SEC);
	return 21;
}

static void serve(struct place *place)
{
	weft_event_set(&place->event);
	weft_lock_release(&place->lock);
	cr_expect_eq(weft_future_set_result(place->future, NULL, NULL), 0);
}

TaskTest(cancel, that_is_swallowed_lets_the_task_live_on_and_wait_again)
{
	for (size_t i = 0; i < ARRAY_SIZE(things); i++) {
		struct place place = { .event = WEFT_EVENT_INIT,
				       .lock = WEFT_LOCK_INIT,
				       .wait = things[i].wait,
				       .seen = { 1, 1, 1 } };
		weft_task *task;

		cr_assert_eq(weft_future_new(&place.future), 0);
		cr_assert_eq(weft_lock_acquire(&place.lock), 0);
		task = start(swallow_and_live_on, &place);
		pass_turns(3);
		cr_expect(weft_task_cancel(task, NULL), "%s", things[i].name);
		pass_turns(5);
		cr_expect_eq(place.seen[0], -ECANCELED, "%s", things[i].name);
		cr_expect_eq(place.seen[1], 1, "%s: it waits again", things[i].name);
		serve(&place);
		cr_expect_eq(weft_task_join(task), 21, "%s", things[i].name);
		cr_expect_eq(place.seen[1], 0, "%s", things[i].name);
		cr_expect_eq(place.seen[2], 0, "%s", things[i].name);
		weft_future_unref(place.future);
	}
}

/* ---- Counting requests ---- */

TaskTest(cancelling, counts_requests_and_uncancel_takes_one_back)
{
	weft_task *task = start(sleep_forever, NULL);

	cr_expect_eq(weft_task_cancelling(task), 0);
	cr_expect_eq(weft_task_uncancel(task), 0, "never below zero");
	for (int i = 1; i <= 3; i++) {
		cr_expect(weft_task_cancel(task, NULL));
		cr_expect_eq(weft_task_cancelling(task), i);
	}
	cr_expect_eq(weft_task_uncancel(task), 2);
	cr_expect_eq(weft_task_cancelling(task), 2);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
}

TaskTest(uncancel, before_delivery_withdraws_the_request)
{
	struct waits waits = { .n = 2, .each = WEFT_SEC };
	weft_task *task = start(wait_in_turn, &waits);

	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_uncancel(task), 0);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(waits.seen[0], 0);
	cr_expect_eq(waits.seen[1], 0);
}

static int sleep_through_a_cancellation(void *arg)
{
	int r = weft_sleep(WEFT_SEC);

	(void)arg;
	return r == -ECANCELED ? 7 : r;
}

static int join_it_and_wait(void *arg)
{
	weft_task *joined = start(sleep_through_a_cancellation, NULL);

	(void)arg;
	cr_expect_eq(weft_task_join(joined), 7);
	return weft_sleep(WEFT_SEC);
}

TaskTest(uncancel, of_a_request_that_a_join_has_passed_on_lets_it_not_come_again)
{
	weft_task *task = start(join_it_and_wait, NULL);

	pass_turns(2);
	cr_expect(weft_task_cancel(task, "not now"));
	cr_expect_eq(weft_task_uncancel(task), 0);
	cr_expect_eq(weft_task_join(task), 0);
}

static void fail_at_something(void *value)
{
	free(value);
	weft_error_unref(weft_error_ref(weft_error_of(weft_error_set(-EIO, "no disk"))));
}

static int fail_and_return_a_value(void *arg)
{
	(void)arg;
	(void)weft_error_set(-ENOENT, "something that was dealt with");
	return weft_return(malloc(1), fail_at_something);
}

TaskTest(weft_return, may_be_destroyed_by_what_fails_at_something)
{
	cr_assert_eq(weft_spawn(fail_and_return_a_value, NULL, NULL), 0);
	pass_turns(2);
}

TaskTest(uncancel, of_one_of_two_before_delivery_leaves_the_other)
{
	struct waits waits = { .n = 2, .each = WEFT_SEC };
	weft_task *task = start(wait_in_turn, &waits);

	cr_expect(weft_task_cancel(task, NULL));
	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_uncancel(task), 1);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(waits.seen[0], -ECANCELED);
	cr_expect_eq(waits.seen[1], 0);
}

TaskTest(uncancel, after_the_wait_was_ended_comes_too_late_for_that_wait)
{
	struct waits waits = { .n = 2, .each = WEFT_SEC };
	weft_task *task = start(wait_in_turn, &waits);

	pass_turns(2);
	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_uncancel(task), 0, "but it counts");
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(waits.seen[0], -ECANCELED);
	cr_expect_eq(waits.seen[1], 0);
}

static int uncancel_in_a_timeout(void *arg)
{
	struct weft_timeout timeout;
	int r;

	(void)arg;
	weft_timeout_begin(&timeout, 0); /* asks at once */
	cr_expect(weft_task_cancel(weft_task_current(), NULL));
	cr_expect_eq(requests(), 2);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 1);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 1, "the timeout's own");
	r = weft_timeout_end(&timeout, 0);
	cr_expect_eq(requests(), 0);
	return r < 0 ? r : weft_sleep(WEFT_SEC);
}

TaskTest(uncancel, takes_no_request_of_a_scope_back)
{
	cr_expect_eq(weft_task_join(start(uncancel_in_a_timeout, NULL)), 0,
		     "the request was withdrawn");
}

static int swallow_then_sleep(void *arg)
{
	weft_task *joiner = arg;

	(void)!weft_sleep(60 * WEFT_SEC);
	/* It is going to be woken with -ECANCELED; a second request before it runs. */
	weft_task_cancel(joiner, NULL);
	return -ECANCELED;
}

static int join_and_wait(void *arg)
{
	int r = weft_task_join(start(swallow_then_sleep, weft_task_current()));

	cr_expect_eq(r, -ECANCELED);
	*(int *)arg = weft_sleep(WEFT_SEC);
	return r;
}

TaskTest(cancel, twice_before_a_join_has_returned_is_told_once)
{
	int after = 1;
	weft_task *joiner = start(join_and_wait, &after);

	pass_turns(4);
	cr_expect(weft_task_cancel(joiner, NULL));
	cr_expect_eq(weft_task_join(joiner), -ECANCELED);
	cr_expect_eq(after, 0);
}

/* ---- Joining and cancellation ---- */

static int join_it(void *arg)
{
	return weft_task_join(arg);
}

TaskTest(join, passes_its_cancellation_on_and_lasts_until_the_task_has_ended)
{
	struct waits waits = { .n = 2, .each = 2 * WEFT_SEC, .result = -ECANCELED };
	weft_task *task = start(wait_in_turn, &waits), *joiner = start(join_it, task);
	weft_time began = weft_now();

	pass_time(WEFT_SEC);
	cr_expect(weft_task_cancel(joiner, NULL));
	cr_expect_eq(weft_task_join(joiner), -ECANCELED);
	cr_expect_eq(waits.seen[0], -ECANCELED);
	cr_expect_eq(waits.seen[1], 0, "its clean-up was waited for");
	cr_expect_eq(weft_now() - began, 3 * WEFT_SEC);
}

static int join_then_wait(void *arg)
{
	int r = weft_task_join(arg);

	cr_expect_eq(r, 9, "the result comes first");
	cr_expect_eq(weft_sleep(WEFT_SEC), -ECANCELED, "then the request");
	cr_expect_eq(weft_sleep(WEFT_SEC), 0, "once");
	return r;
}

TaskTest(join, of_a_task_that_returns_a_value_in_spite_keeps_it)
{
	struct waits waits = { .n = 1, .each = WEFT_SEC, .result = 9 };
	weft_task *task = start(wait_in_turn, &waits),
		  *joiner = start(join_then_wait, task);

	pass_turns(3);
	cr_expect(weft_task_cancel(joiner, NULL));
	cr_expect_eq(weft_task_join(joiner), 9);
	cr_expect_eq(waits.seen[0], -ECANCELED);
}

TaskTest(join, of_a_task_that_ended_in_the_same_turn_returns_its_result_first)
{
	struct weft_event event = WEFT_EVENT_INIT;
	weft_task *task = start(end_on_event, &event),
		  *joiner = start(join_then_wait, task);

	pass_turns(3);
	weft_event_set(&event);
	/* Ended or not: its result has been decided before the joiner's cancellation. */
	cr_expect(weft_task_cancel(joiner, NULL));
	cr_expect_eq(weft_task_join(joiner), 9);
}

static void raise_flag(void *arg)
{
	*(bool *)arg = true;
}

static int schedule_and_end(void *arg)
{
	return weft_loop_call_soon(weft_loop_current(), raise_flag, arg, NULL);
}

TaskTestInOrder(join, returns_after_what_was_ready_when_the_task_ended)
{
	bool has_run = false;

	cr_expect_eq(weft_task_join(start(schedule_and_end, &has_run)), 0);
	cr_expect(has_run, "it was ready first");
}

static int join_chain(void *arg)
{
	int depth = *(int *)arg, next = depth - 1;

	if (depth == 0)
		return weft_sleep(WEFT_FOREVER);
	return weft_task_join(start(join_chain, &next));
}

TaskTest(join, chains_pass_a_cancellation_down_to_the_last)
{
	int depth = 50;
	weft_task *task = start(join_chain, &depth);

	pass_turns(60);
	cr_expect(weft_task_cancel(task, "all of you"));
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(weft_loop_tasks(weft_loop_current(), NULL, 0), 1);
}

TaskTest(join, of_the_caller_is_a_deadlock)
{
	weft_task *self = weft_task_current();

	cr_expect_eq(weft_future_await(weft_task_future(self)), -EDEADLK);
}

static int join_each_other(void *arg)
{
	weft_task **other = arg;

	return weft_future_await(weft_task_future(*other));
}

TaskTest(join, of_two_tasks_by_each_other_is_a_deadlock_for_the_second)
{
	weft_task *tasks[2];
	int r[2];

	tasks[0] = start(join_each_other, &tasks[1]);
	tasks[1] = start(join_each_other, &tasks[0]);
	r[0] = weft_task_join(tasks[0]);
	r[1] = weft_task_join(tasks[1]);
	cr_expect((r[0] == -EDEADLK) != (r[1] == -EDEADLK), "%d and %d", r[0], r[1]);
	cr_expect((r[0] == 0) != (r[1] == 0), "%d and %d", r[0], r[1]);
}

struct ring {
	weft_task *tasks[10];
	int index[10];
};

static struct ring ring;

static int join_next(void *arg)
{
	int index = *(int *)arg;

	return weft_task_join(ring.tasks[(index + 1) % 10]);
}

TaskTest(join, of_ten_tasks_in_a_ring_is_a_deadlock_for_the_last)
{
	weft_future *futures[10];
	int n_deadlocks = 0;

	for (int i = 0; i < 10; i++) {
		ring.index[i] = i;
		ring.tasks[i] = start(join_next, &ring.index[i]);
		futures[i] = weft_future_ref(weft_task_future(ring.tasks[i]));
	}
	for (int i = 0; i < 10; i++) {
		cr_expect_eq(weft_future_await(futures[i]), 0);
		n_deadlocks += weft_future_result(futures[i]) == -EDEADLK;
		weft_future_unref(futures[i]);
	}
	cr_expect_eq(n_deadlocks, 10, "the last is refused, and its failure goes round");
}

/* ---- Results by value ---- */

static int n_destroyed;

static void destroy(void *value)
{
	n_destroyed++;
	free(value);
}

static int give_number(void *arg)
{
	int *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *(int *)arg;
	return weft_return(copy, destroy);
}

TaskTest(weft_return, hands_a_value_to_the_future)
{
	int number = 77;
	weft_task *task = start(give_number, &number);
	weft_future *future = weft_task_future(task);

	n_destroyed = 0;
	cr_assert_not_null(future);
	cr_expect_null(weft_future_value(future), "not yet");
	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(weft_future_result(future), 0);
	cr_expect_eq(*(int *)weft_future_value(future), 77);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(n_destroyed, 1);
}

TaskTest(weft_return, frees_what_nobody_can_take)
{
	int number = 77;

	n_destroyed = 0;
	cr_expect_eq(weft_task_join(start(give_number, &number)), 0);
	cr_expect_eq(n_destroyed, 1, "no future was ever made");
	cr_assert_eq(weft_spawn(give_number, &number, NULL), 0);
	pass_turns(3);
	cr_expect_eq(n_destroyed, 2, "detached");
}

static int give_two(void *arg)
{
	int r = give_number(arg);

	return r < 0 ? r : give_number(arg);
}

TaskTest(weft_return, twice_keeps_the_second_and_frees_the_first)
{
	int number = 5;
	weft_task *task = start(give_two, &number);
	weft_future *future = weft_future_ref(weft_task_future(task));
	void *value;

	n_destroyed = 0;
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(n_destroyed, 1);
	value = weft_future_take_value(future);
	cr_expect_not_null(value);
	weft_future_unref(future);
	cr_expect_eq(n_destroyed, 1, "it was taken");
	free(value);
}

static void return_in_callback(void *arg)
{
	*(int *)arg = weft_return(arg, NULL);
}

TaskTest(weft_return, is_refused_in_a_callback)
{
	int r = 0;

	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), return_in_callback, &r,
					 NULL),
		     0);
	pass_turns(2);
	cr_expect_eq(r, -EPERM);
}

Test(weft_return, is_refused_on_a_plain_thread)
{
	int value = 1;

	cr_expect_eq(weft_return(&value, destroy), -EPERM);
	cr_expect_eq(n_destroyed, 0, "the value is still the caller's");
}
