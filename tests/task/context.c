/*
 * Context variables: task/context.c, and who carries them.
 */
#include <weft/executor.h>
#include <weft/signal.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tests/task_test.h"

static const struct weft_context_var user = { .name = "user" };
static const struct weft_context_var request = { .name = "request" };

static char anna[] = "anna", otto[] = "otto", seven[] = "7";

static void set(const struct weft_context_var *var, void *value)
{
	cr_assert_eq(weft_context_set(var, value), 0);
}

static char *get_user(void)
{
	return weft_context_get(&user);
}

/* ---- The map ---- */

TaskTest(context, holds_what_was_set)
{
	cr_expect_null(weft_context_get(&user));
	set(&user, anna);
	cr_expect_eq(weft_context_get(&user), anna);
	cr_expect_null(weft_context_get(&request));
	set(&request, seven);
	set(&user, otto);
	cr_expect_eq(weft_context_get(&user), otto);
	cr_expect_eq(weft_context_get(&request), seven);
	set(&user, NULL);
	cr_expect_null(weft_context_get(&user));
	cr_expect_eq(weft_context_get(&request), seven);
	set(&user, NULL);
	set(&request, NULL);
	cr_expect_null(weft_context_get(&request));
}

enum { N_VARS = 40 };

TaskTest(context, holds_many_variables)
{
	static const struct weft_context_var vars[N_VARS];
	static char values[N_VARS];

	/* In an order that is neither that of their addresses nor its reverse. */
	for (int i = 0; i < N_VARS; i++)
		set(&vars[i * 7 % N_VARS], &values[i * 7 % N_VARS]);
	for (int i = 0; i < N_VARS; i++)
		cr_expect_eq(weft_context_get(&vars[i]), &values[i]);
	for (int i = 0; i < N_VARS; i += 2)
		set(&vars[i], NULL);
	for (int i = 0; i < N_VARS; i++)
		cr_expect_eq(weft_context_get(&vars[i]), i % 2 ? &values[i] : NULL);
}

static int n_destroyed;

static void destroy(void *value)
{
	(void)value;
	n_destroyed++;
}

static const struct weft_context_var counted = { "counted", destroy };

static int hold_for(void *arg)
{
	cr_expect_eq(weft_context_get(&counted), anna);
	return sleep_for(arg);
}

TaskTest(context, destroys_a_value_with_the_last_context_that_holds_it)
{
	weft_time span = WEFT_SEC;
	weft_task *task;

	n_destroyed = 0;
	set(&counted, anna);
	task = start(hold_for, &span);
	set(&request, seven);
	cr_expect_eq(n_destroyed, 0, "another variable changes nothing");
	set(&counted, otto);
	pass_turns(2);
	cr_expect_eq(n_destroyed, 0, "the task has it");
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(n_destroyed, 1);
	set(&counted, NULL);
	cr_expect_eq(n_destroyed, 2);
}

static int set_counted(void *arg)
{
	(void)arg;
	set(&counted, anna);
	return 0;
}

TaskTest(context, of_a_task_goes_with_the_task)
{
	n_destroyed = 0;
	cr_expect_eq(weft_spawn(set_counted, NULL, NULL), 0);
	pass_turns(2);
	cr_expect_eq(n_destroyed, 1);
	cr_expect_null(weft_context_get(&counted));
}

static void *set_outside(void *arg)
{
	(void)arg;
	cr_expect_null(weft_context_get(&user));
	return (void *)(intptr_t)weft_context_set(&user, anna);
}

Test(context, is_refused_on_a_plain_thread)
{
	cr_expect_eq((int)(intptr_t)set_outside(NULL), -EPERM);
	cr_expect_null(weft_context_get(&user));
}

/* ---- Tasks ---- */

static int see_and_set(void *arg)
{
	char **seen = arg;

	*seen = get_user();
	set(&user, otto);
	cr_expect_eq(weft_yield(), 0);
	cr_expect_eq(get_user(), otto);
	return 0;
}

TaskTest(context, is_inherited_at_spawn_and_writes_do_not_leak_out)
{
	struct weft_group group;
	char *seen[3] = { NULL };
	weft_task *task;

	set(&user, anna);
	task = start(see_and_set, &seen[0]);
	weft_group_begin(&group);
	(void)weft_group_spawn(&group, see_and_set, &seen[1]);
	set(&user, seven); /* after it was spawned */
	(void)weft_group_spawn(&group, see_and_set, &seen[2]);
	cr_expect_eq(weft_group_end(&group, 0), 0);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(seen[0], anna);
	cr_expect_eq(seen[1], anna);
	cr_expect_eq(seen[2], seven);
	cr_expect_eq(get_user(), seven);
}

static int see(void *arg)
{
	*(char **)arg = get_user();
	return 0;
}

static int see_and_set_below(void *arg)
{
	*(char **)arg = get_user();
	set(&user, otto);
	return 0;
}

TaskTest(context, is_the_tasks_also_on_the_threads_stack)
{
	char *seen = NULL;

	set(&user, anna);
	cr_expect_eq(weft_call_on_thread_stack(see_and_set_below, &seen), 0);
	cr_expect_eq(seen, anna);
	cr_expect_eq(get_user(), otto);
	pass_turns(2);
	cr_expect_eq(get_user(), otto);
}

static int see_and_store(void *arg)
{
	atomic_store((_Atomic(char *) *)arg, get_user());
	return 0;
}

Test(context, goes_with_a_task_to_another_loop)
{
	weft_loops *loops;
	_Atomic(char *) seen = NULL;
	weft_future *future;

	cr_assert_eq(weft_loops_new(1, NULL, &loops), 0);
	cr_assert_eq(weft_spawn_on(weft_loops_get(loops, 0), see_and_store, &seen,
				   &future),
		     0);
	cr_expect_eq(weft_future_wait(future, WEFT_FOREVER), 0);
	cr_expect_null(seen, "a plain thread has none");
	weft_future_unref(future);
	cr_expect_eq(weft_loops_close(loops), 0);
}

TaskTest(context, goes_with_a_task_from_loop_to_loop)
{
	weft_loops *loops;
	_Atomic(char *) seen = NULL;
	weft_future *future;

	cr_assert_eq(weft_loops_new(1, NULL, &loops), 0);
	set(&user, anna);
	cr_assert_eq(weft_spawn_on(weft_loops_get(loops, 0), see_and_store, &seen,
				   &future),
		     0);
	set(&user, otto);
	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(seen, anna);
	weft_future_unref(future);
	cr_expect_eq(weft_loops_close(loops), 0);
}

/* ---- Callbacks ---- */

static void note_user(void *arg)
{
	*(char **)arg = get_user();
	set(&user, seven); /* seen by nobody: each callback begins as it was registered */
}

TaskTest(context, is_carried_by_callbacks_and_timers)
{
	weft_loop *loop = weft_loop_current();
	struct weft_handle handle = { 0 };
	char *seen[4] = { NULL };

	set(&user, anna);
	cr_expect_eq(weft_loop_call_soon(loop, note_user, &seen[0], NULL), 0);
	cr_expect_eq(weft_loop_call_soon(loop, note_user, &seen[1], &handle), 0);
	cr_expect_eq(weft_loop_call_later(loop, WEFT_SEC, note_user, &seen[2], NULL), 0);
	cr_expect_eq(weft_loop_call_soon_threadsafe(loop, note_user, &seen[3], NULL), 0);
	set(&user, otto);
	pass_time(2 * WEFT_SEC);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(seen[i], anna, "%d", i);
	cr_expect_eq(get_user(), otto);
}

struct nested {
	char *first, *soon, *later, *spawned, *next;
};

static int note_in_a_task(void *arg)
{
	note_user(arg);
	return 0;
}

/* What a callback sets is for what it starts, and for nobody else. */
static void set_and_start(void *arg)
{
	struct nested *nested = arg;
	weft_loop *loop = weft_loop_current();

	nested->first = get_user();
	set(&user, otto);
	cr_expect_eq(get_user(), otto);
	cr_expect_eq(weft_loop_call_soon(loop, note_user, &nested->soon, NULL), 0);
	cr_expect_eq(weft_loop_call_later(loop, 1, note_user, &nested->later, NULL), 0);
	cr_expect_eq(weft_spawn(note_in_a_task, &nested->spawned, NULL), 0);
}

TaskTest(context, of_a_callback_is_its_own)
{
	weft_loop *loop = weft_loop_current();
	struct nested nested = { .first = seven };

	cr_expect_eq(weft_loop_call_soon(loop, set_and_start, &nested, NULL), 0);
	cr_expect_eq(weft_loop_call_soon(loop, note_user, &nested.next, NULL), 0);
	pass_time(WEFT_SEC);
	cr_expect_null(nested.first);
	cr_expect_null(nested.next, "runs right after it");
	cr_expect_eq(nested.soon, otto);
	cr_expect_eq(nested.later, otto);
	cr_expect_eq(nested.spawned, otto);
	cr_expect_null(get_user());
}

TaskTest(context, is_dropped_with_a_callback_that_is_taken_back)
{
	weft_loop *loop = weft_loop_current();
	struct weft_handle handles[4] = { 0 };
	weft_future *future;
	char *seen = NULL;

	n_destroyed = 0;
	cr_assert_eq(weft_future_new(&future), 0);
	set(&counted, anna);
	cr_expect_eq(weft_loop_call_soon(loop, note_user, &seen, &handles[0]), 0);
	cr_expect_eq(weft_loop_call_later(loop, 1, note_user, &seen, &handles[1]), 0);
	cr_expect_eq(weft_loop_call_soon_threadsafe(loop, note_user, &seen, &handles[2]),
		     0);
	cr_expect_eq(weft_future_add_done_callback(future, note_user, &seen, &handles[3]),
		     0);
	set(&counted, NULL);
	for (int i = 0; i < 4; i++) {
		cr_expect_eq(n_destroyed, 0);
		cr_expect(weft_handle_cancel(&handles[i]));
	}
	cr_expect_eq(n_destroyed, 1);
	weft_future_unref(future);
}

TaskTest(context, of_a_done_callback_is_that_of_whoever_added_it)
{
	for (int shared = 0; shared < 2; shared++) {
		char *seen[2] = { NULL };
		weft_future *future;

		cr_assert_eq(shared ? weft_future_new_shared(&future)
				    : weft_future_new(&future),
			     0);
		set(&user, anna);
		cr_expect_eq(weft_future_add_done_callback(future, note_user, &seen[0],
							   NULL),
			     0);
		set(&user, otto);
		cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
		cr_expect_eq(weft_future_add_done_callback(future, note_user, &seen[1],
							   NULL),
			     0);
		set(&user, NULL);
		pass_turns(2);
		cr_expect_eq(seen[0], anna);
		cr_expect_eq(seen[1], otto);
		weft_future_unref(future);
	}
}

struct readings {
	char *seen[2];
	int n;
	weft_future *both;
};

static void read_one(int fd, void *arg)
{
	struct readings *readings = arg;
	char byte;

	cr_expect_eq(read(fd, &byte, 1), 1);
	note_user(&readings->seen[readings->n]);
	if (++readings->n == 2)
		cr_expect_eq(weft_future_set_result(readings->both, NULL, NULL), 0);
}

TaskTest(context, of_a_reader_is_that_of_whoever_added_it_each_time)
{
	weft_loop *loop = weft_loop_current();
	struct readings readings = { .n = 0 };
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(weft_future_new(&readings.both), 0);
	set(&user, anna);
	cr_assert_eq(weft_loop_add_reader(loop, fds[0], read_one, &readings), 0);
	set(&user, otto);
	cr_assert_eq(write(fds[1], "ab", 2), 2);
	cr_expect_eq(weft_future_await(readings.both), 0);
	cr_expect_eq(readings.seen[0], anna);
	cr_expect_eq(readings.seen[1], anna, "what the first call set was its own");
	cr_expect(weft_loop_remove_reader(loop, fds[0]));
	weft_future_unref(readings.both);
	close(fds[0]);
	close(fds[1]);
}

struct signalled {
	char *seen;
	weft_future *came;
};

static void on_signal(int signo, void *arg)
{
	struct signalled *signalled = arg;

	(void)signo;
	note_user(&signalled->seen);
	cr_expect_eq(weft_future_set_result(signalled->came, NULL, NULL), 0);
}

static int await_signal(void *arg)
{
	struct signalled signalled = { .seen = NULL };
	weft_loop *loop = weft_loop_current();
	int r;

	(void)arg;
	r = weft_future_new(&signalled.came);
	if (r < 0)
		return r;
	set(&user, anna);
	r = weft_loop_add_signal_handler(loop, SIGUSR1, on_signal, &signalled);
	set(&user, otto);
	if (r == 0)
		r = kill(getpid(), SIGUSR1);
	if (r == 0)
		r = weft_future_await(signalled.came);
	cr_expect_eq(signalled.seen, anna);
	cr_expect(weft_loop_remove_signal_handler(loop, SIGUSR1));
	weft_future_unref(signalled.came);
	return r;
}

Test(context, of_a_signal_handler_is_that_of_whoever_added_it)
{
	cr_expect_eq(weft_run(await_signal, NULL), 0);
}

struct left_behind {
	weft_future *shared;
	int fds[2];
};

static void never(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	abort();
}

static int leave_all_behind(void *arg)
{
	weft_loop *loop = weft_loop_current();
	struct left_behind *left = arg;

	set(&counted, anna);
	cr_expect_eq(weft_loop_call_later(loop, WEFT_SEC, note_user, NULL, NULL), 0);
	cr_expect_eq(weft_loop_add_signal_handler(loop, SIGUSR1, on_signal, NULL), 0);
	cr_expect_eq(weft_loop_add_reader(loop, left->fds[0], never, NULL), 0);
	return weft_future_add_done_callback(left->shared, note_user, NULL, NULL);
}

Test(context, goes_with_what_a_loop_drops_at_its_end)
{
	struct left_behind left;

	cr_assert_eq(pipe(left.fds), 0);
	cr_assert_eq(weft_future_new_shared(&left.shared), 0);
	n_destroyed = 0;
	reports_begin();
	cr_expect_eq(weft_run(leave_all_behind, &left), 0);
	cr_expect_eq(n_destroyed, 1);
	weft_future_unref(left.shared);
	close(left.fds[0]);
	close(left.fds[1]);
}

/* ---- Jobs ---- */

static int see_and_set_in_a_job(void *arg)
{
	*(char **)arg = get_user();
	return weft_context_set(&user, seven);
}

TaskTest(context, is_carried_by_a_job)
{
	static char *owned;
	char *seen[3] = { NULL };
	weft_future *future;

	set(&user, anna);
	cr_expect_eq(weft_run_in_executor(NULL, see_and_set_in_a_job, &seen[0]), 0);
	cr_expect_eq(seen[0], anna);
	cr_expect_eq(get_user(), anna, "what the job set was its own");

	cr_expect_eq(weft_executor_submit(NULL, see_and_set_in_a_job, &seen[1], NULL,
					  &future),
		     0);
	set(&user, otto);
	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(seen[1], anna);
	weft_future_unref(future);

	cr_expect_eq(weft_run_in_executor_owned(NULL, see_and_set_in_a_job, &owned, NULL),
		     0);
	cr_expect_eq(owned, otto);

	set(&user, NULL);
	cr_expect_eq(weft_run_in_executor(NULL, see, &seen[2]), 0);
	cr_expect_null(seen[2], "and nothing of the last one's is left there");
}

static int submit_from_a_job(void *arg)
{
	weft_future *future;
	int r;

	set(&user, otto);
	r = weft_executor_submit(NULL, see, arg, NULL, &future);
	if (r < 0)
		return r;
	r = weft_future_wait(future, WEFT_FOREVER);
	weft_future_unref(future);
	return r;
}

TaskTest(context, of_a_job_is_inherited_by_the_jobs_it_submits)
{
	char *seen = NULL;

	set(&user, anna);
	cr_expect_eq(weft_run_in_executor(NULL, submit_from_a_job, &seen), 0);
	cr_expect_eq(seen, otto);
}

static int run_a_loop(void *arg)
{
	char **seen = arg;
	int r = weft_run(see_and_set, &seen[0]);

	seen[1] = get_user();
	return r;
}

TaskTest(context, of_a_job_is_that_of_the_loop_it_runs)
{
	char *seen[2] = { NULL };

	set(&user, anna);
	cr_expect_eq(weft_run_in_executor(NULL, run_a_loop, seen), 0);
	cr_expect_eq(seen[0], anna);
	cr_expect_eq(seen[1], anna);
}

static atomic_int n_destroyed_anywhere;

static void destroy_anywhere(void *value)
{
	free(value);
	atomic_fetch_add(&n_destroyed_anywhere, 1);
}

static const struct weft_context_var shared_by_threads = { "shared", destroy_anywhere };

static int read_shared(void *arg)
{
	(void)arg;
	return *(int *)weft_context_get(&shared_by_threads);
}

/* Loop and pool give their contexts back in any order; ThreadSanitizer would see a race. */
TaskTestInOrder(context, is_shared_and_dropped_by_several_threads)
{
	enum { N = 200 };
	weft_future *futures[N];

	atomic_store(&n_destroyed_anywhere, 0);
	for (int i = 0; i < N; i++) {
		int *value = malloc(sizeof(*value));

		cr_assert_not_null(value);
		*value = i;
		set(&shared_by_threads, value);
		cr_assert_eq(weft_executor_submit(NULL, read_shared, NULL, NULL,
						  &futures[i]),
			     0);
	}
	set(&shared_by_threads, NULL);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_future_await(futures[i]), 0);
		cr_expect_eq(weft_future_result(futures[i]), i);
		weft_future_unref(futures[i]);
	}
	/* A job's context goes after its future has settled. */
	while (atomic_load(&n_destroyed_anywhere) < N)
		cr_assert_eq(weft_run_in_executor(NULL, return_number, &(int){ 0 }), 0);
}

/* ---- Runners ---- */

static int set_anna(void *arg)
{
	(void)arg;
	set(&user, anna);
	return 0;
}

Test(context, of_a_runner_lasts_over_several_runs)
{
	weft_runner *runner;
	char *seen = NULL;

	cr_assert_eq(weft_runner_new(NULL, &runner), 0);
	cr_expect_eq(weft_runner_run(runner, see, &seen), 0);
	cr_expect_null(seen);
	cr_expect_eq(weft_runner_run(runner, set_anna, NULL), 0);
	cr_expect_null(get_user(), "the thread has none");
	cr_expect_eq(weft_runner_run(runner, see, &seen), 0);
	cr_expect_eq(seen, anna);
	cr_expect_eq(weft_runner_run(runner, set_counted, NULL), 0);
	n_destroyed = 0;
	cr_expect_eq(weft_runner_close(runner), 0);
	cr_expect_eq(n_destroyed, 1);
	cr_expect_eq(weft_run(see, &seen), 0);
	cr_expect_null(seen, "another one begins anew");
}

/* ---- Memory ---- */

struct short_of_memory {
	int n_failed;
};

static void look(void *arg)
{
	*(char **)arg = get_user();
}

static int set_and_schedule(void *arg)
{
	struct short_of_memory *state = arg;
	weft_loop *loop = weft_loop_current();
	weft_future *future = NULL;
	char *seen;
	int r;

	r = weft_context_set(&counted, anna);
	if (r < 0) {
		cr_expect_null(weft_context_get(&counted));
		goto failed;
	}
	r = weft_context_set(&user, anna);
	if (r < 0) {
		cr_expect_eq(weft_context_get(&counted), anna);
		goto failed;
	}
	r = weft_loop_call_soon(loop, look, &seen, NULL);
	if (r < 0)
		goto failed;
	r = weft_spawn_on(loop, see, &seen, &future);
	if (r == 0)
		r = weft_future_await(future);
	weft_future_unref(future);
failed:
	if (r == -ENOMEM)
		state->n_failed++;
	return weft_yield();
}

Test(context, survives_each_failing_allocation)
{
	struct short_of_memory state = { 0 };

	for (int n = 1; n < 60; n++) {
		struct weft_test_options options = { .fail_allocation = n };

		int r = weft_test_run(set_and_schedule, &state, &options);

		cr_expect(r == 0 || r == -ENOMEM, "%d: %d", n, r);
	}
	cr_expect_gt(state.n_failed, 5);
}
