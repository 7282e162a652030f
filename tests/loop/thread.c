/*
 * What a fork() leaves of weft in the child: nothing, and each call says so.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/signal.h>

#include "loop/loop.h"
#include "tests/task_test.h"

/* ---- In the child ---- */

static int n_wrong;

static void expect_stale(int r, const char *call)
{
	if (r == -ESTALE)
		return;
	n_wrong++;
	fprintf(stderr, "%s returned %d in a forked child\n", call, r);
}

#define STALE(call) expect_stale(call, #call)

static void expect_nothing(bool nothing, const char *call)
{
	if (nothing)
		return;
	n_wrong++;
	fprintf(stderr, "%s did something in a forked child\n", call);
}

#define NOTHING(expression) expect_nothing(expression, #expression)

static void nothing(void *arg)
{
	(void)arg;
}

static void no_fd(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

static void no_signal(int signo, void *arg)
{
	(void)signo;
	(void)arg;
}

struct inherited {
	weft_loop *loop;
	weft_loops *loops;
	weft_task *task; /* NULL if there is none */
	weft_future *local, *shared;
	struct weft_handle timer, *posted;
	weft_queue *queue;
	int fd; /* with a reader */
};

static void try_loop(struct inherited *had)
{
	struct weft_handle handle = { { 0 } };
	weft_loop *loop;
	weft_loops *loops;

	NOTHING(weft_loop_current() == NULL);
	STALE(weft_loop_new(NULL, &loop));
	STALE(weft_loops_new(1, NULL, &loops));
	STALE(weft_loop_run(had->loop));
	STALE(weft_loop_run_once(had->loop, 0));
	STALE(weft_loop_call_soon(had->loop, nothing, NULL, &handle));
	STALE(weft_loop_call_soon(had->loop, nothing, NULL, NULL));
	STALE(weft_loop_call_later(had->loop, 1, nothing, NULL, &handle));
	STALE(weft_loop_call_at(had->loop, 1, nothing, NULL, &handle));
	STALE(weft_loop_call_soon_threadsafe(had->loop, nothing, NULL, &handle));
	STALE(weft_loop_call_soon_threadsafe(had->loop, nothing, NULL, NULL));
	STALE(weft_loop_add_reader(had->loop, 0, no_fd, NULL));
	STALE(weft_loop_add_writer(had->loop, 0, no_fd, NULL));
	NOTHING(!weft_loop_remove_reader(had->loop, had->fd));
	NOTHING(!weft_loop_remove_writer(had->loop, had->fd));
	STALE(weft_loop_add_signal_handler(had->loop, SIGUSR1, no_signal, NULL));
	NOTHING(!weft_loop_remove_signal_handler(had->loop, SIGUSR1));
	NOTHING(!weft_handle_cancel(&had->timer));
	NOTHING(!weft_handle_is_pending(&had->timer));
	NOTHING(!weft_handle_cancel(had->posted));
	weft_loop_stop(had->loop);
	STALE(weft_loop_close(had->loop));
	STALE(weft_loops_close(had->loops));
}

static int never(void *arg)
{
	(void)arg;
	n_wrong++;
	return 0;
}

static void try_task(struct inherited *had)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	weft_future *future;
	weft_runner *runner;
	weft_task *task;
	weft_queue *queue;
	int item = 0;

	STALE(weft_run(never, NULL));
	STALE(weft_test_run(never, NULL, NULL));
	STALE(weft_runner_new(NULL, &runner));
	STALE(weft_spawn(never, NULL, &task));
	STALE(weft_spawn_on(had->loop, never, NULL, &future));
	STALE(weft_loop_run_until(had->loop, had->shared));
	STALE(weft_sleep(1));
	STALE(weft_yield());
	STALE(weft_poll(0, 1));
	STALE(weft_call_on_thread_stack(never, NULL));
	STALE(weft_wait_for(never, NULL, 1));
	STALE(weft_gather(NULL, 0));
	STALE(weft_lock_acquire(&lock));
	STALE(weft_future_new(&future));
	STALE(weft_future_new_shared(&future));
	STALE(weft_future_set_result(had->local, NULL, NULL));
	STALE(weft_future_set_error(had->shared, -EIO));
	STALE(weft_future_await(had->shared));
	STALE(weft_future_wait(had->shared, WEFT_FOREVER));
	STALE(weft_future_wait(had->local, WEFT_FOREVER));
	STALE(weft_future_result(had->local));
	STALE(weft_future_result(had->shared));
	NOTHING(!weft_future_cancel(had->local));
	NOTHING(!weft_future_cancel(had->shared));
	NOTHING(!weft_future_is_done(had->local));
	NOTHING(weft_future_value(had->local) == NULL);
	weft_future_unref(had->local); /* a destructor may do so: no reason to die */
	STALE(weft_queue_new(1, 1, NULL, &queue));
	STALE(weft_queue_put_nowait(had->queue, &item));
	STALE(weft_queue_get_nowait(had->queue, &item));
	STALE(weft_return(&item, NULL));
	NOTHING(weft_task_current() == NULL);
	if (had->task) {
		NOTHING(!weft_task_cancel(had->task, NULL));
		NOTHING(weft_task_future(had->task) == NULL);
		STALE(weft_task_join(had->task));
		weft_task_detach(had->task);
	}
}

static _Noreturn void in_child(struct inherited *had)
{
	n_wrong = 0;
	try_loop(had);
	try_task(had);
	NOTHING(weft_now() > 0);
	fflush(stderr);
	_exit(n_wrong ? 1 : 42);
}

static void try_in_child(struct inherited *had)
{
	int status;
	pid_t pid = fork();

	cr_assert_ge(pid, 0);
	if (pid == 0)
		in_child(had);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status %x", status);
}

/* ---- In the parent ---- */

static void count(void *arg)
{
	(*(int *)arg)++;
}

static int fork_in_a_task(void *arg)
{
	struct inherited *had = arg;
	weft_queue *queue = NULL;
	int n = 0, r;

	had->loop = weft_loop_current();
	had->task = weft_task_current();
	cr_expect_eq(weft_future_new(&had->local), 0);
	cr_expect_eq(weft_queue_new(sizeof(int), 1, NULL, &queue), 0);
	had->queue = queue;
	cr_expect_eq(weft_loop_add_reader(had->loop, had->fd, no_fd, NULL), 0);
	cr_expect_eq(weft_loop_call_later(had->loop, 60 * WEFT_MIN, count, &n,
					  &had->timer),
		     0);
	try_in_child(had);
	/* Nothing of the parent's was touched. */
	cr_expect(weft_handle_is_pending(&had->timer));
	cr_expect(weft_handle_cancel(&had->timer));
	cr_expect(weft_loop_remove_reader(had->loop, had->fd));
	cr_expect_eq(weft_loop_call_soon_threadsafe(had->loop, count, &n, NULL), 0);
	r = weft_sleep(WEFT_MSEC);
	cr_expect_eq(n, 1);
	weft_future_unref(had->local);
	weft_queue_free(queue);
	return r;
}

/* The child must not wake, stop or change what the parent goes on with. */
Test(fork, in_a_task_leaves_the_child_nothing_and_the_parent_everything)
{
	struct weft_handle posted = { { 0 } };
	struct inherited had = { .posted = &posted };
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	had.fd = ends[0];
	cr_assert_eq(weft_future_new_shared(&had.shared), 0);
	cr_assert_eq(weft_loops_new(2, NULL, &had.loops), 0);
	cr_expect_eq(weft_run(fork_in_a_task, &had), 0);
	weft_future_unref(had.shared);
	cr_expect_eq(weft_loops_close(had.loops), 0);
	close(ends[0]);
	close(ends[1]);
}

static int fine(void *arg)
{
	return *(int *)arg;
}

static int run_in_child(void)
{
	int number = 42, status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(weft_run(fine, &number));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

Test(fork, before_weft_was_used_is_nothing_special)
{
	int number = 7;

	cr_expect_eq(run_in_child(), 42);
	cr_expect_eq(weft_run(fine, &number), 7);
}

Test(fork, after_weft_was_used_makes_weft_run_fail_in_the_child)
{
	int number = 7, status;
	pid_t pid;

	cr_expect_eq(weft_run(fine, &number), 7);
	pid = fork();
	if (pid == 0) {
		bool said = weft_run(fine, &number) == -ESTALE &&
			    strstr(weft_error_text(-ESTALE), "child of a fork()") != NULL;

		_exit(said ? 42 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(WEXITSTATUS(status), 42);
}

/* ---- Numbers of threads ---- */

static void *number_of_thread(void *arg)
{
	*(uint64_t *)arg = thread_id();
	return NULL;
}

Test(thread, has_a_number_that_is_never_used_again)
{
	uint64_t numbers[100];

	numbers[0] = thread_id();
	cr_expect_eq(thread_id(), numbers[0], "stays");
	for (size_t i = 1; i < ARRAY_SIZE(numbers); i++) {
		pthread_t thread;

		cr_assert_eq(pthread_create(&thread, NULL, number_of_thread, &numbers[i]),
			     0);
		pthread_join(thread, NULL);
		for (size_t k = 0; k < i; k++)
			cr_expect_neq(numbers[k], numbers[i]);
	}
}
