/*
 * weft_executor_submit(): futures, values, options, cancellation.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weft/test.h>

#include "executor/pool.h"
#include "tests/executor/gate.h"
#include "tests/test.h"

struct scene {
	weft_executor *pool;
	struct gate gate;
	atomic_int n_ran;
	atomic_int n_destroyed;
	weft_future *future;
	int result;
};

static int count_run(void *arg)
{
	struct scene *scene = arg;

	atomic_fetch_add(&scene->n_ran, 1);
	return 11;
}

static int return_it(void *arg)
{
	return *(int *)arg;
}

static void count_destroy(void *arg)
{
	struct scene *scene = arg;

	atomic_fetch_add(&scene->n_destroyed, 1);
}

/* Fills the one thread of the pool. */
static weft_future *block(struct scene *scene)
{
	weft_future *busy = NULL;
	int r = weft_executor_submit(scene->pool, gate_pass, &scene->gate, NULL, &busy);

	cr_expect_eq(r, 0, "%s", weft_error_text(r));
	gate_await_inside(&scene->gate, 1);
	return busy;
}

static void unblock(struct scene *scene, weft_future *busy)
{
	gate_open(&scene->gate);
	cr_expect_eq(weft_future_wait(busy, WEFT_FOREVER), 0);
	weft_future_unref(busy);
}

static int wait_for(weft_future *future)
{
	int r = weft_future_wait(future, WEFT_FOREVER);

	return r < 0 ? r : weft_future_result(future);
}

/* ---- Results and values ---- */

Test(submit, a_plain_thread_waits_for_the_result)
{
	weft_executor *pool = new_pool(NULL);
	weft_future *future;
	int number = 5;

	cr_assert_eq(weft_executor_submit(pool, return_it, &number, NULL, &future), 0);
	cr_expect_eq(wait_for(future), 5);
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(pool, WEFT_SEC), 0);
}

static int await_many(void *arg)
{
	enum { N = 300 };
	weft_future *futures[N];
	int numbers[N], r;

	(void)arg;
	for (int i = 0; i < N; i++) {
		numbers[i] = i;
		r = weft_executor_submit(NULL, return_it, &numbers[i], NULL, &futures[i]);
		if (r < 0)
			return r;
	}
	for (int i = 0; i < N; i++) {
		r = weft_future_await(futures[i]);
		if (r < 0)
			return r;
		cr_expect_eq(weft_future_result(futures[i]), i);
		weft_future_unref(futures[i]);
	}
	return 0;
}

Test(submit, a_task_awaits_the_result)
{
	run_task(await_many, NULL);
}

static int fail(void *arg)
{
	(void)arg;
	return weft_error_set(-EIO, "the disk is full of water");
}

Test(submit, the_sentence_of_a_failure_comes_with_the_future)
{
	weft_executor *pool = new_pool(NULL);
	weft_future *future;

	cr_assert_eq(weft_executor_submit(pool, fail, NULL, NULL, &future), 0);
	cr_expect_eq(wait_for(future), -EIO);
	cr_expect_str_eq(weft_error_text(-EIO), "the disk is full of water");
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(pool, WEFT_SEC), 0);
}

static bool are_two_destroyed(void *arg)
{
	return ((struct scene *)arg)->n_destroyed == 2;
}

static int hand_over(void *arg)
{
	struct scene *scene = arg;

	cr_expect_eq(weft_return(scene, count_destroy), 0);
	return weft_return(scene, count_destroy); /* the second replaces the first */
}

Test(submit, a_value_goes_to_the_holder_of_the_future)
{
	struct scene scene = { .pool = new_pool(NULL) };
	weft_future *future;

	cr_assert_eq(weft_executor_submit(scene.pool, hand_over, &scene, NULL, &future),
		     0);
	cr_expect_eq(wait_for(future), 0);
	cr_expect_eq(scene.n_destroyed, 1, "the first value");
	cr_expect(weft_future_value(future) == &scene);
	weft_future_unref(future);
	await_condition(are_two_destroyed, &scene, "nobody took the second one");

	cr_assert_eq(weft_executor_submit(scene.pool, hand_over, &scene, NULL, NULL), 0);
	cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
	cr_expect_eq(scene.n_destroyed, 4, "without a future nobody can take it");
}

static int run_with_value(void *arg)
{
	struct scene *scene = arg;
	int r = weft_run_in_executor(scene->pool, hand_over, scene);

	return r < 0 ? r : weft_executor_close(scene->pool, WEFT_SEC);
}

Test(submit, a_value_that_nobody_can_take_is_destroyed)
{
	struct scene scene = { .pool = new_pool(NULL) };

	run_task(run_with_value, &scene);
	cr_expect_eq(scene.n_destroyed, 2);
}

Test(submit, a_failure_that_nobody_waits_for_is_reported)
{
	struct weft_submit_options options = { .name = "rinse" };
	weft_executor *pool = new_pool(NULL);
	const char *reports;

	reports_begin();
	cr_assert_eq(weft_executor_submit(pool, fail, NULL, NULL, NULL), 0);
	cr_assert_eq(weft_executor_submit(pool, fail, NULL, &options, NULL), 0);
	cr_expect_eq(weft_executor_close(pool, 10 * WEFT_SEC), 0);
	reports = reports_end();
	cr_expect_not_null(strstr(reports,
				  "job \"fail\" failed and nobody was waiting for it"),
			   "%s", reports);
	cr_expect_not_null(strstr(reports, "job \"rinse\" failed"), "%s", reports);
}

Test(submit, the_future_of_a_job_is_its_executors_to_settle)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	weft_future *busy = block(&scene);

	cr_expect_eq(weft_future_set_result(busy, NULL, NULL), -EPERM);
	cr_expect_not_null(strstr(weft_error_text(-EPERM), "cancel it instead"));
	cr_expect_eq(weft_future_set_error(busy, -EIO), -EPERM);
	unblock(&scene, busy);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
}

/* ---- Options ---- */

static int read_copy(void *arg)
{
	char *text = arg;

	cr_expect_str_eq(text, "as it was");
	text[0] = '!'; /* it is ours */
	return 0;
}

Test(submit, a_job_gets_a_copy_of_its_argument)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	struct weft_submit_options options = { .copy_arg_bytes = 10 };
	weft_future *busy = block(&scene), *future;
	char text[10] = "as it was";

	cr_assert_eq(weft_executor_submit(scene.pool, read_copy, text, &options, &future),
		     0);
	memcpy(text, "scribbled", sizeof(text));
	unblock(&scene, busy);
	cr_expect_eq(wait_for(future), 0);
	cr_expect_str_eq(text, "scribbled");
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
}

Test(submit, an_owned_argument_is_destroyed_once_after_the_job)
{
	struct scene scene = { .pool = new_pool(NULL) };
	struct weft_submit_options options = { .destroy_arg = count_destroy };
	weft_future *future;

	cr_assert_eq(weft_executor_submit(scene.pool, count_run, &scene, &options,
					  &future),
		     0);
	cr_expect_eq(wait_for(future), 11);
	cr_expect_eq(scene.n_destroyed, 1);
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
	cr_expect_eq(scene.n_destroyed, 1);
}

Test(submit, reserved_fields_and_unknown_flags_are_refused)
{
	struct weft_submit_options reserved = { .reserved = { 1 } };
	struct weft_submit_options flags = { .flags = 1u << 30 };
	struct scene scene = { 0 };

	cr_expect_eq(weft_executor_submit(NULL, count_run, &scene, &reserved, NULL),
		     -EINVAL);
	cr_expect_eq(weft_executor_submit(NULL, count_run, &scene, &flags, NULL),
		     -EINVAL);
	cr_expect_eq(scene.n_ran, 0);
}

/* ---- Deadlines ---- */

Test(submit, a_job_whose_deadline_passes_in_the_queue_never_starts)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	struct weft_submit_options options = { .destroy_arg = count_destroy };
	weft_future *busy = block(&scene), *late, *later, *in_time;

	options.deadline = weft_now() + 20 * WEFT_MSEC;
	cr_assert_eq(
		weft_executor_submit(scene.pool, count_run, &scene, &options, &later), 0);
	options.deadline = weft_now() + 10 * WEFT_MSEC;
	cr_assert_eq(weft_executor_submit(scene.pool, count_run, &scene, &options, &late),
		     0);
	options.deadline = weft_now() + 3600 * WEFT_SEC;
	cr_assert_eq(weft_executor_submit(scene.pool, count_run, &scene, &options,
					  &in_time),
		     0);
	cr_expect_eq(wait_for(late), -ETIMEDOUT, "while every thread is busy");
	cr_expect_eq(wait_for(later), -ETIMEDOUT);
	cr_expect_eq(scene.n_destroyed, 0, "that is done on a thread of the pool");
	unblock(&scene, busy);
	cr_expect_eq(wait_for(in_time), 11);
	weft_future_unref(late);
	weft_future_unref(later);
	weft_future_unref(in_time);
	cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
	cr_expect_eq(scene.n_ran, 1);
	cr_expect_eq(scene.n_destroyed, 3);
}

Test(submit, a_job_whose_deadline_has_passed_never_starts)
{
	struct scene scene = { .pool = new_pool(NULL) };
	struct weft_submit_options options = { .deadline = 1 };
	weft_future *future;

	cr_assert_eq(weft_executor_submit(scene.pool, count_run, &scene, &options,
					  &future),
		     0);
	cr_expect_eq(wait_for(future), -ETIMEDOUT);
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
	cr_expect_eq(scene.n_ran, 0);
}

static int expect_deadlines(void *arg)
{
	struct scene *scene = arg;
	struct weft_submit_options options = { .deadline = weft_now() + WEFT_NSEC };
	weft_future *future;
	int r = weft_executor_submit(NULL, count_run, scene, &options, &future);

	if (r < 0)
		return r;
	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(weft_future_result(future), 11, "no time passes under way");
	weft_future_unref(future);

	options.deadline = weft_now();
	r = weft_executor_submit(NULL, count_run, scene, &options, &future);
	if (r < 0)
		return r;
	cr_expect_eq(weft_future_await(future), 0);
	cr_expect_eq(weft_future_result(future), -ETIMEDOUT);
	weft_future_unref(future);
	return 0;
}

Test(submit, a_deadline_may_be_on_a_test_clock)
{
	struct scene scene = { 0 };
	int r = weft_test_run(expect_deadlines, &scene, NULL);

	cr_expect_eq(r, 0, "%s", weft_error_text(r));
	cr_expect_eq(scene.n_ran, 1);
}

/* ---- Cancelling ---- */

Test(submit, a_queued_job_that_is_cancelled_never_runs)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	struct weft_submit_options options = { .destroy_arg = count_destroy };
	weft_future *busy = block(&scene), *future;

	cr_assert_eq(weft_executor_submit(scene.pool, count_run, &scene, &options,
					  &future),
		     0);
	cr_expect(weft_future_cancel(future));
	cr_expect(weft_future_is_done(future), "at once");
	cr_expect_eq(weft_future_result(future), -ECANCELED);
	cr_expect_eq(scene.n_destroyed, 1);
	cr_expect(!weft_future_cancel(future), "it has settled");
	unblock(&scene, busy);
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
	cr_expect_eq(scene.n_ran, 0);
}

Test(submit, a_running_job_that_borrows_is_not_cut_short)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	weft_future *busy = block(&scene);

	cr_expect(weft_future_cancel(busy), "the request is made");
	cr_expect(!weft_future_is_done(busy));
	cr_expect_eq(weft_future_wait(busy, 5 * WEFT_MSEC), -ETIMEDOUT);
	scene.gate.result = 3;
	gate_open(&scene.gate);
	cr_expect_eq(wait_for(busy), 3, "it finished all the same");
	weft_future_unref(busy);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
}

static int pass_and_return(void *arg)
{
	struct scene *scene = arg;

	gate_pass(&scene->gate);
	(void)weft_return(scene, count_destroy);
	return weft_error_set(-EIO, "too late for anybody");
}

Test(submit, a_running_job_that_owns_its_argument_is_abandoned)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	struct weft_submit_options options = { .destroy_arg = count_destroy };
	weft_future *future, *other;

	cr_assert_eq(weft_executor_submit(scene.pool, pass_and_return, &scene, &options,
					  &future),
		     0);
	gate_await_inside(&scene.gate, 1);
	cr_expect(weft_future_cancel(future));
	cr_expect(weft_future_is_done(future), "at once");
	cr_expect_eq(weft_future_result(future), -ECANCELED);
	weft_future_unref(future);
	cr_expect_eq(scene.n_destroyed, 0);

	cr_assert_eq(weft_executor_submit(scene.pool, count_run, &scene, NULL, &other),
		     0);
	cr_expect_eq(wait_for(other), 11, "on a thread in place of the lost one");
	weft_future_unref(other);
	gate_open(&scene.gate);
	await_condition(are_two_destroyed, &scene, "argument and value are destroyed");
	cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
}

static volatile sig_atomic_t n_naps;

/* Until it is told to end, in calls that restart by themselves if a signal allows it. */
static int sleep_interruptibly(void *arg)
{
	static const struct timespec hour = { .tv_sec = 3600 };
	struct scene *scene = arg;

	atomic_fetch_add(&scene->n_ran, 1);
	while (nanosleep(&hour, NULL) == 0)
		n_naps++;
	return -errno;
}

static bool has_begun(void *arg)
{
	struct scene *scene = arg;

	return scene->n_ran > 0;
}

static int nap_undisturbed(void *arg)
{
	struct timespec span = { .tv_nsec = 30 * 1000 * 1000 };

	(void)arg;
	return nanosleep(&span, NULL) < 0 ? -errno : 0;
}

Test(submit, an_interruptible_job_is_interrupted_until_it_answers)
{
	struct scene scene = { .pool = new_pool(NULL) };
	struct weft_submit_options options = { .flags = WEFT_INTERRUPTIBLE,
					       .destroy_arg = count_destroy };
	weft_future *future, *next;

	cr_assert_eq(weft_executor_submit(scene.pool, sleep_interruptibly, &scene,
					  &options, &future),
		     0);
	await_condition(has_begun, &scene, "the job begins");
	cr_expect(weft_future_cancel(future)); /* perhaps before it sleeps */
	cr_expect_eq(wait_for(future), -EINTR);
	weft_future_unref(future);
	cr_expect_eq(scene.n_destroyed, 1);

	options.destroy_arg = NULL;
	cr_assert_eq(weft_executor_submit(scene.pool, nap_undisturbed, NULL, &options,
					  &next),
		     0);
	cr_expect_eq(wait_for(next), 0, "the signal was for the job before");
	weft_future_unref(next);
	cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
}

/* ---- From a job, and in a forked child ---- */

static int submit_in_job(void *arg)
{
	struct scene *scene = arg;

	return weft_executor_submit(scene->pool, count_run, scene, NULL, &scene->future);
}

Test(submit, a_job_submits_another_one)
{
	struct scene scene = { .pool = new_pool(NULL) };
	weft_future *future;

	cr_assert_eq(weft_executor_submit(scene.pool, submit_in_job, &scene, NULL,
					  &future),
		     0);
	cr_expect_eq(wait_for(future), 0);
	cr_expect_eq(wait_for(scene.future), 11);
	weft_future_unref(future);
	weft_future_unref(scene.future);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
}

/* In the child nothing is checked by macros: the exit status is the number of the mistake. */
static int try_in_child(struct scene *scene)
{
	weft_executor *pool;

	if (weft_executor_submit(scene->pool, count_run, scene, NULL, NULL) != -ESTALE)
		return 1;
	if (weft_executor_submit(NULL, count_run, scene, NULL, NULL) != -ESTALE)
		return 2;
	if (weft_run_in_executor(NULL, count_run, scene) != -ESTALE)
		return 3;
	if (weft_thread_pool_new(NULL, &pool) != -ESTALE)
		return 4;
	if (weft_executor_close(scene->pool, 0) != -ESTALE)
		return 5;
	return scene->n_ran == 0 ? 0 : 6;
}

Test(submit, a_forked_child_is_refused_and_the_parent_goes_on)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	weft_future *busy = block(&scene), *future;
	siginfo_t info = { 0 };
	pid_t pid;

	cr_assert_eq(weft_executor_submit(scene.pool, count_run, &scene, NULL, &future),
		     0);
	pid = fork();
	if (pid == 0)
		_exit(try_in_child(&scene));
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	cr_expect_eq(info.si_status, 0);
	unblock(&scene, busy);
	cr_expect_eq(wait_for(future), 11);
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
}

/* ---- Without memory ---- */

static int submit_without_memory(void *arg)
{
	struct scene *scene = arg;
	struct weft_submit_options options = { .destroy_arg = count_destroy,
					       .copy_arg_bytes = sizeof(*scene) };
	weft_future *future = NULL;
	int r = 0;

	for (int nth = 1;; nth++) {
		weft__fail_allocation(nth);
		r = weft_executor_submit(scene->pool, count_run, scene, &options,
					 &future);
		weft__fail_allocation(0);
		if (r == 0)
			break;
		cr_expect_eq(r, -ENOMEM);
		cr_expect_null(future);
		cr_expect_eq(scene->n_destroyed, 0, "the argument stays the caller's");
		cr_assert_lt(nth, 100);
	}
	r = weft_future_await(future);
	weft_future_unref(future);
	return r < 0 ? r : weft_executor_close(scene->pool, WEFT_SEC);
}

Test(submit, each_allocation_may_fail)
{
	struct scene scene = { .pool = new_pool(NULL) };

	run_task(submit_without_memory, &scene);
}
