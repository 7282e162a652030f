/*
 * Call graphs: who waits for whom, over all loops.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <weft/debug.h>

#include "tests/task_test.h"

/* ---- Reading a graph ---- */

static char *text;

static int take_graph(const weft_task *task)
{
	size_t size;
	FILE *file;
	int n;

	free(text);
	file = open_memstream(&text, &size);
	cr_assert_not_null(file);
	n = weft_dump_call_graph(task, file);
	fclose(file);
	return n;
}

/*
 * Are these the tasks, in this order and at these depths? "worker", " joiner", "  app" for three
 * in a row, the last of which waits for the one that waits for the first.
 */
static void expect_tree(const char *name, const char *const *tasks)
{
	const char *at = text;

	for (; *tasks; tasks++) {
		size_t depth = strspn(*tasks, " ");
		char line[128];
		const char *next;

		snprintf(line, sizeof(line), "%*s\"%s\" 0x", (int)(2 * depth + 2), "",
			 *tasks + depth);
		next = strstr(at, line);
		cr_assert(next && (next == text || next[-1] == '\n'),
			  "%s: no line \"%s\", or too early, in:\n%s", name, line, text);
		at = next + strlen(line);
	}
}

#define expect_graph(name, ...) \
	expect_tree(name, (const char *const[]){ __VA_ARGS__, NULL })

static int pass_a_few_turns(void)
{
	int r = 0;

	for (int i = 0; i < 5 && r == 0; i++)
		r = weft_yield();
	return r;
}

static weft_task *start_as(const char *name, weft_fn *fn, void *arg)
{
	struct weft_spawn_options options = { .name = name };
	weft_task *task = NULL;

	cr_assert_eq(weft_spawn_with(fn, arg, &options, &task), 0);
	cr_assert_eq(pass_a_few_turns(), 0);
	return task;
}

/* ---- Ways to wait ---- */

static int join(void *task)
{
	return weft_task_join(task);
}

static int await(void *future)
{
	return weft_future_await(future);
}

static int begin_group_around(void *arg)
{
	struct weft_spawn_options options = { .name = "child" };
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	weft_group_spawn_with(&group, sleep_forever, NULL, &options);
	return weft_group_end(&group, 0);
}

static int hold_lock(void *lock)
{
	int r = weft_lock_acquire(lock);

	if (r < 0)
		return r;
	r = sleep_forever(NULL);
	weft_lock_release(lock);
	return r;
}

TaskTestInOrder(call_graph, goes_by_joins_futures_and_locks)
{
	struct weft_lock lock = { { 0 } };
	weft_task *worker = start_as("worker", hold_lock, &lock);
	weft_task *joiner = start_as("joiner", join, worker);
	weft_task *of_joiner = start_as("of joiner", await, weft_task_future(joiner));
	weft_task *also = start_as("also", await, weft_task_future(joiner));
	weft_task *locker = start_as("locker", hold_lock, &lock);
	weft_task *of_locker = start_as("of locker", join, locker);

	cr_expect_eq(take_graph(worker), 6, "%s", text);
	expect_graph("joiners", "worker", " joiner", "  of joiner");
	expect_graph("observers", "worker", " joiner", "  also");
	expect_graph("lockers", "worker", " locker", "  of locker");
	cr_expect(strstr(text, "waits: join (\"worker\")"), "%s", text);
	cr_expect(strstr(text, "waits: future (\"joiner\")"), "%s", text);
	cr_expect(strstr(text, "waits: lock (\"worker\")"), "%s", text);
	cr_expect(strstr(text, "      hold_lock"), "%s", text);

	cr_expect_eq(take_graph(locker), 2, "%s", text);
	expect_graph("from the middle", "locker", " of locker");
	cr_expect_eq(take_graph(also), 1, "%s", text);
	expect_graph("nobody waits for it", "also");

	weft_task_cancel(of_locker, NULL);
	cr_expect_eq(weft_task_join(of_locker), -ECANCELED);
	weft_task_cancel(also, NULL);
	cr_expect_eq(weft_task_join(also), -ECANCELED);
	weft_task_cancel(joiner, NULL);
	cr_expect_eq(weft_task_join(of_joiner), 0);
	cr_expect_eq(weft_task_join(joiner), -ECANCELED);
}

static int await_all(void *arg)
{
	weft_future *const *futures = arg;

	return weft_wait(futures, 2, WEFT_ALL_COMPLETED);
}

static int await_the_next(void *arg)
{
	weft_future *const *futures = arg;
	struct weft_as_completed scope;
	weft_future *next;
	int r = weft_as_completed_begin(&scope, futures, 2);

	if (r == 0)
		r = weft_as_completed_next(&scope, &next);
	return weft_as_completed_end(&scope, r);
}

TaskTestInOrder(call_graph, goes_by_waits_for_several)
{
	weft_task *left = start_as("left", sleep_forever, NULL);
	weft_task *right = start_as("right", sleep_forever, NULL);
	weft_future *futures[] = { weft_task_future(left), weft_task_future(right) };
	weft_task *all = start_as("all", await_all, futures);
	weft_task *next = start_as("next", await_the_next, futures);

	cr_expect_eq(take_graph(left), 3, "%s", text);
	expect_graph("left", "left", " all");
	expect_graph("left", "left", " next");
	weft_task_cancel(left, NULL);
	cr_assert_eq(pass_a_few_turns(), 0);
	cr_expect_eq(take_graph(left), 1, "it has ended: %s", text);
	cr_expect_eq(take_graph(right), 2, "%s", text);
	expect_graph("right", "right", " all");
	weft_task_cancel(right, NULL);
	cr_expect_eq(weft_task_join(next), 1);
	cr_expect_eq(weft_task_join(all), 2);
	cr_expect_eq(weft_task_join(left), -ECANCELED);
	cr_expect_eq(weft_task_join(right), -ECANCELED);
}

static weft_task *find_task(const char *name)
{
	weft_task *tasks[16];
	int n = weft_loop_tasks(weft_loop_current(), tasks, ARRAY_SIZE(tasks));

	for (int i = 0; i < n; i++) {
		if (strcmp(weft_task_name(tasks[i]), name) == 0)
			return tasks[i];
	}
	cr_assert_fail("no task \"%s\"", name);
	return NULL;
}

TaskTestInOrder(call_graph, goes_from_a_child_to_the_end_of_its_group)
{
	weft_task *owner = start_as("owner", begin_group_around, NULL);
	weft_task *joiner = start_as("joiner", join, owner);

	cr_expect_eq(take_graph(find_task("child")), 3, "%s", text);
	expect_graph("group", "child", " owner", "  joiner");
	cr_expect(strstr(text, "child of \"owner\"; awaited by \"owner\""), "%s", text);
	weft_task_cancel(joiner, NULL);
	cr_expect_eq(weft_task_join(joiner), -ECANCELED);
}

/* The one that has it drawn waits for nobody; who joins it is shown all the same. */
static int draw_oneself(void *arg)
{
	int r = pass_a_few_turns();

	*(int *)arg = take_graph(NULL);
	return r;
}

TaskTestInOrder(call_graph, of_the_running_task_has_its_own_stack)
{
	int n = 0;
	weft_task *task;

	cr_assert_eq(weft_spawn(draw_oneself, &n, &task), 0);
	weft_task_set_name(task, "me");
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(n, 2, "%s", text);
	cr_expect(strstr(text, ": makes this dump; awaited by "), "%s", text);
	cr_expect(strstr(text, "      draw_oneself"), "%s", text);
}

TaskTestInOrder(call_graph, of_a_task_that_many_await_has_them_all)
{
	enum { N = 300 };
	weft_task *worker = start_as("worker", sleep_forever, NULL);
	weft_task *tasks[N];

	for (int i = 0; i < N; i++)
		tasks[i] = start(await, weft_task_future(worker));
	pass_turns(2);
	cr_expect_eq(take_graph(worker), N + 1);
	cr_expect(strstr(text, " and 296 more; spawned at"), "%s", text);
	weft_task_cancel(worker, NULL);
	for (int i = 0; i < N; i++)
		cr_expect_eq(weft_task_join(tasks[i]), 0);
	cr_expect_eq(weft_task_join(worker), -ECANCELED);
}

TaskTestInOrder(call_graph, of_a_long_chain_needs_no_deep_stack)
{
	enum { N = 2000 };
	weft_task *first = start(sleep_forever, NULL), *last = first;

	for (int i = 0; i < N; i++)
		last = start(join, last);
	pass_turns(2);
	cr_expect_eq(take_graph(first), N + 1);
	weft_task_cancel(last, NULL);
	cr_expect_eq(weft_task_join(last), -ECANCELED);
}

/* ---- Over loops ---- */

struct two_loops {
	weft_loops *loops;
	weft_future *futures[2]; /* of the tasks, one on each loop */
	_Atomic(weft_task *) tasks[2];
	atomic_bool may_begin;
	atomic_int n_waiting;
};

/* Each awaits the future of the other: a ring that nobody refuses, since no loop sees all of it. */
static int await_the_other(void *arg)
{
	struct two_loops *two = arg;
	int i = weft_loop_current() == weft_loops_get(two->loops, 0) ? 0 : 1;

	weft_task_set_name(weft_task_current(), i ? "right" : "left");
	atomic_store(&two->tasks[i], weft_task_current());
	while (!atomic_load(&two->may_begin)) {
		int r = weft_sleep(WEFT_MSEC);

		if (r < 0)
			return r;
	}
	atomic_fetch_add(&two->n_waiting, 1);
	return weft_future_await(two->futures[!i]);
}

/* Both wait as soon as both graphs have two tasks. */
static void wait_for_the_ring(struct two_loops *two)
{
	for (int tries = 0; tries < 20000; tries++) {
		if (atomic_load(&two->n_waiting) == 2 &&
		    take_graph(atomic_load(&two->tasks[0])) == 2)
			return;
		usleep(1000);
	}
	cr_assert_fail("no ring came about:\n%s", text ? text : "");
}

Test(call_graph, goes_from_loop_to_loop_and_ends_in_a_ring)
{
	struct two_loops two = { 0 };

	cr_assert_eq(weft_loops_new(2, NULL, &two.loops), 0);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(weft_spawn_on(weft_loops_get(two.loops, i), await_the_other,
					   &two, &two.futures[i]),
			     0);
	atomic_store(&two.may_begin, true);
	wait_for_the_ring(&two);
	expect_graph("from the left", "left", " right");
	cr_expect_eq(take_graph(atomic_load(&two.tasks[1])), 2, "%s", text);
	expect_graph("from the right", "right", " left");
	cr_expect(strstr(text, "waits: future (\"left\")"), "%s", text);
	cr_expect(strstr(text, ", loop \"loop-0\": "), "%s", text);
	cr_expect(strstr(text, ", loop \"loop-1\": "), "%s", text);
	cr_expect(weft_future_cancel(two.futures[0]));
	cr_expect_eq(weft_future_wait(two.futures[1], WEFT_FOREVER), 0);
	cr_expect_eq(weft_loops_close(two.loops), 0);
	for (int i = 0; i < 2; i++)
		weft_future_unref(two.futures[i]);
}

/* ---- Nonsense ---- */

static int look_at_one_that_ended(void *arg)
{
	weft_task *task = start(return_number, arg);

	cr_assert_eq(weft_yield(), 0);
	cr_expect_eq(take_graph(task), 1, "somebody holds it: %s", text);
	cr_expect(strstr(text, ": ended"), "%s", text);
	cr_expect_eq(weft_task_join(task), *(int *)arg);
	cr_expect_eq(take_graph(task), 0);
	return 0;
}

Test(call_graph, of_a_task_that_has_ended_is_empty)
{
	int n = 3;

	cr_expect_eq(weft_run(look_at_one_that_ended, &n), 0);
}

Test(call_graph, of_what_is_no_task_is_empty)
{
	int n = 0;

	cr_expect_eq(take_graph((const weft_task *)(const void *)&n), 0);
	cr_expect_eq(take_graph((const weft_task *)(uintptr_t)4711), 0);
}

Test(call_graph, is_refused_without_a_task_or_a_file)
{
	cr_expect_eq(take_graph(NULL), -EPERM);
	cr_expect(strstr(weft_error_text(-EPERM), "weft_dump_call_graph()"));
	cr_expect_eq(weft_dump_call_graph(NULL, NULL), -EINVAL);
}
