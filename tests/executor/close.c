/*
 * The end of a pool.
 */
#include <time.h>

#include "executor/pool.h"
#include "tests/executor/gate.h"
#include "tests/test.h"

struct scene {
	weft_executor *pool;
	struct gate gate;
	weft_future *first, *second;
	atomic_int n_ran;
	atomic_int n_destroyed;
	int result;
};

static int count_run(void *arg)
{
	struct scene *scene = arg;

	atomic_fetch_add(&scene->n_ran, 1);
	return 0;
}

static void count_destroy(void *arg)
{
	struct scene *scene = arg;

	atomic_fetch_add(&scene->n_destroyed, 1);
}

/* A job that runs, in the gate, and one that is queued. */
static void submit_two(struct scene *scene, const struct weft_submit_options *options)
{
	cr_expect_eq(weft_executor_submit(scene->pool, gate_pass, &scene->gate, NULL,
					  &scene->first),
		     0);
	gate_await_inside(&scene->gate, 1);
	cr_expect_eq(weft_executor_submit(scene->pool, count_run, scene, options,
					  &scene->second),
		     0);
}

static void *open_soon(void *arg)
{
	struct scene *scene = arg;
	static const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	(void)nanosleep(&pause, NULL); /* cut short is fine */
	gate_open(&scene->gate);
	return NULL;
}

static int close_it(void *arg)
{
	struct scene *scene = arg;

	scene->result = weft_executor_close(scene->pool, 10 * WEFT_SEC);
	return 0;
}

static void check_clean_end(struct scene *scene)
{
	cr_expect_eq(scene->result, 0);
	cr_expect_eq(scene->n_ran, 1);
	cr_expect_eq(weft_future_result(scene->first), 0);
	cr_expect_eq(weft_future_result(scene->second), 0);
	weft_future_unref(scene->first);
	weft_future_unref(scene->second);
}

Test(close, waits_for_what_runs_and_what_is_queued)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	pthread_t opener;

	submit_two(&scene, NULL);
	pthread_create(&opener, NULL, open_soon, &scene);
	(void)close_it(&scene);
	pthread_join(opener, NULL);
	check_clean_end(&scene);
}

Test(close, a_task_waits_as_well)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	pthread_t opener;

	submit_two(&scene, NULL);
	pthread_create(&opener, NULL, open_soon, &scene);
	run_task(close_it, &scene);
	pthread_join(opener, NULL);
	check_clean_end(&scene);
}

Test(close, of_an_idle_pool_needs_no_grace)
{
	for (int i = 0; i < 50; i++) {
		struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

		gate_open(&scene.gate);
		submit_two(&scene, NULL);
		cr_expect_eq(weft_future_wait(scene.second, WEFT_FOREVER), 0);
		scene.result = weft_executor_close(scene.pool, 0);
		check_clean_end(&scene);
	}
}

Test(close, of_nothing_is_nothing)
{
	cr_expect_eq(weft_executor_close(NULL, 0), 0);
}

/* ---- When the grace is over ---- */

static void check_cut_off(struct scene *scene, const char *reports)
{
	int r;

	cr_expect_eq(scene->result, -ETIMEDOUT);
	cr_expect_str_eq(weft_error_text(-ETIMEDOUT),
			 "jobs of the executor had not ended "
			 "when its grace was over, and were "
			 "cut off");
	cr_expect_str_eq(reports,
			 "job \"gate_pass\" still runs at the end of pool \"exec\", "
			 "and is left behind\n");
	r = weft_future_result(scene->second);
	cr_expect_eq(r, -ESHUTDOWN);
	cr_expect_str_eq(weft_error_text(r),
			 "executor \"exec\" is closed and takes no more jobs");
	cr_expect_eq(weft_future_result(scene->first), -EINPROGRESS,
		     "it borrows its argument");
	gate_open(&scene->gate);
	cr_expect_eq(weft_future_wait(scene->first, WEFT_FOREVER), 0);
	cr_expect_eq(weft_future_result(scene->first), 0);
	cr_expect_eq(scene->n_ran, 0);
	cr_expect_eq(scene->n_destroyed, 1);
	weft_future_unref(scene->first);
	weft_future_unref(scene->second);
}

Test(close, drops_what_is_queued_and_names_what_runs)
{
	struct weft_submit_options options = { .destroy_arg = count_destroy };
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	reports_begin();
	submit_two(&scene, &options);
	scene.result = weft_executor_close(scene.pool, 5 * WEFT_MSEC);
	check_cut_off(&scene, reports_end());
}

static int close_soon(void *arg)
{
	struct scene *scene = arg;

	scene->result = weft_executor_close(scene->pool, 5 * WEFT_MSEC);
	return scene->result;
}

Test(close, cuts_off_for_a_task_as_well)
{
	struct weft_submit_options options = { .destroy_arg = count_destroy };
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	reports_begin();
	submit_two(&scene, &options);
	cr_expect_eq(weft_run(close_soon, &scene), -ETIMEDOUT);
	check_cut_off(&scene, reports_end());
}

static int run_owned(void *arg)
{
	struct scene *scene = arg;

	scene->result =
		weft_run_in_executor_owned(scene->pool, gate_pass, &scene->gate, NULL);
	return 0;
}

static int close_under_a_waiter(void *arg)
{
	struct scene *scene = arg;
	weft_task *task;
	int r = weft_spawn(run_owned, scene, &task);

	if (r < 0)
		return r;
	gate_await_inside(&scene->gate, 1);
	cr_expect_eq(weft_executor_close(scene->pool, 0), -ETIMEDOUT);
	cr_expect_eq(weft_task_join(task), 0, "it need not wait for its job");
	cr_expect_eq(scene->result, -ESHUTDOWN);
	gate_open(&scene->gate);
	gate_await_out(&scene->gate, 1);
	return 0;
}

Test(close, abandons_a_running_job_that_owns_its_argument)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	reports_begin();
	run_task(close_under_a_waiter, &scene);
	cr_expect_str_eq(reports_end(), "job \"gate_pass\" still runs at the end of pool "
					"\"exec\", and is left behind\n");
}

static int close_when_cancelled(void *arg)
{
	struct scene *scene = arg;

	scene->result = weft_executor_close(scene->pool, 3600 * WEFT_SEC);
	cr_expect_eq(weft_sleep(0), -ECANCELED, "the request is for the next wait");
	return 0;
}

static int cancel_the_closer(void *arg)
{
	struct scene *scene = arg;
	weft_task *task;
	int r;

	submit_two(scene, NULL);
	r = weft_spawn(close_when_cancelled, scene, &task);
	if (r == 0)
		r = weft_yield();
	if (r < 0)
		return r;
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(scene->result, -ETIMEDOUT);
	cr_expect_eq(weft_future_result(scene->second), -ESHUTDOWN);
	gate_open(&scene->gate);
	r = weft_future_await(scene->first);
	weft_future_unref(scene->first);
	weft_future_unref(scene->second);
	return r;
}

Test(close, being_cancelled_ends_the_grace)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	reports_begin();
	run_task(cancel_the_closer, &scene);
	cr_expect_not_null(strstr(reports_end(), "is left behind"));
}

static int nap(void *arg)
{
	static const struct timespec span = { .tv_nsec = 1000000 };

	(void)arg;
	return nanosleep(&span, NULL); /* cut short is fine */
}

Test(close, drops_what_has_expired_but_was_not_buried)
{
	struct weft_submit_options options = { .destroy_arg = count_destroy };
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	reports_begin();
	options.deadline = weft_now() + WEFT_MSEC;
	submit_two(&scene, &options);
	cr_expect_eq(weft_future_wait(scene.second, WEFT_FOREVER), 0);
	cr_expect_eq(weft_future_result(scene.second), -ETIMEDOUT);
	(void)nap(NULL); /* what has told the future now queues the rest */
	cr_expect_eq(weft_executor_close(scene.pool, 0), -ETIMEDOUT);
	gate_open(&scene.gate);
	cr_expect_eq(weft_future_wait(scene.first, WEFT_FOREVER), 0);
	cr_expect_not_null(strstr(reports_end(), "is left behind"));
	cr_expect_eq(scene.n_destroyed, 1);
	weft_future_unref(scene.first);
	weft_future_unref(scene.second);
}

/* ---- What comes too late ---- */

static int run_late(void *arg)
{
	struct scene *scene = arg;
	int r = weft_run_in_executor(scene->pool, count_run, scene);

	cr_expect_eq(r, -ESHUTDOWN);
	cr_expect_str_eq(weft_error_text(r),
			 "executor \"exec\" is closed and takes no more jobs");
	cr_expect_eq(weft_executor_submit(scene->pool, count_run, scene, NULL, NULL),
		     -ESHUTDOWN);
	return 0;
}

static int wait_in_line(void *arg)
{
	struct scene *scene = arg;

	scene->result = weft_run_in_executor(scene->pool, count_run, scene);
	return 0;
}

static int close_over_a_line(void *arg)
{
	struct scene *scene = arg;
	struct scene closer = { .pool = scene->pool };
	weft_task *waiting, *closing;
	int r;

	submit_two(scene, NULL); /* the queue has one place */
	r = weft_spawn(wait_in_line, scene, &waiting);
	if (r == 0)
		r = weft_yield();
	if (r == 0)
		r = weft_spawn(close_it, &closer, &closing);
	if (r == 0)
		r = weft_task_join(waiting);
	if (r < 0)
		return r;
	cr_expect_eq(scene->result, -ESHUTDOWN, "it was not accepted yet");
	r = run_late(scene);
	gate_open(&scene->gate);
	cr_expect_eq(weft_task_join(closing), 0);
	cr_expect_eq(weft_future_result(scene->second), 0);
	weft_future_unref(scene->first);
	weft_future_unref(scene->second);
	return r;
}

Test(close, nothing_is_accepted_any_more)
{
	struct weft_thread_pool_options options = { .max_threads = 1, .queue_limit = 1 };
	struct scene scene = { .pool = new_pool(&options), .gate = GATE_INIT };

	run_task(close_over_a_line, &scene);
	cr_expect_eq(scene.n_ran, 1);
}

/* ---- First mistakes ---- */

static int close_own_pool(void *arg)
{
	struct scene *scene = arg;

	return weft_executor_close(scene->pool, WEFT_SEC);
}

Test(close, a_job_cannot_close_its_own_pool)
{
	struct scene scene = { .pool = new_pool(NULL) };
	weft_future *future;

	cr_assert_eq(weft_executor_submit(scene.pool, close_own_pool, &scene, NULL,
					  &future),
		     0);
	cr_expect_eq(weft_future_wait(future, WEFT_FOREVER), 0);
	cr_expect_eq(weft_future_result(future), -EDEADLK);
	cr_expect_str_eq(weft_error_text(-EDEADLK),
			 "weft_executor_close() was called in a job of that executor, "
			 "\"exec\", which would wait for itself");
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
}

static void close_in_callback(void *arg)
{
	struct scene *scene = arg;

	scene->result = weft_executor_close(scene->pool, WEFT_SEC);
	weft_loop_stop(weft_loop_current());
}

Test(close, a_callback_cannot_close_a_pool)
{
	struct scene scene = { .pool = new_pool(NULL) };
	weft_loop *loop;

	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	cr_assert_eq(weft_loop_call_soon(loop, close_in_callback, &scene, NULL), 0);
	cr_assert_eq(weft_loop_run(loop), 0);
	cr_expect_eq(scene.result, -EPERM);
	cr_expect_eq(weft_loop_close(loop), 0);
	cr_expect_eq(weft_executor_close(scene.pool, WEFT_SEC), 0);
}

/* ---- The shared pool ---- */

static int leave_jobs_behind(void *arg)
{
	struct scene *scene = arg;
	int r = 0;

	for (int i = 0; i < 100 && r == 0; i++)
		r = weft_executor_submit(NULL, count_run, scene, NULL, NULL);
	return r;
}

Test(close, the_shared_pool_is_drained_when_a_runner_ends)
{
	struct scene scene = { .pool = NULL };

	for (int i = 1; i <= 3; i++) {
		run_task(leave_jobs_behind, &scene);
		cr_expect_eq(scene.n_ran, 100 * i, "and there is a new one each time");
	}
}

static int leave_a_job_that_stays(void *arg)
{
	struct scene *scene = arg;
	int r = weft_executor_submit(NULL, gate_pass, &scene->gate, NULL, NULL);

	gate_await_inside(&scene->gate, 1);
	return r;
}

Test(close, a_job_that_stays_beyond_a_runners_grace_is_named)
{
	struct weft_run_options options = { .grace_ns = 5 * WEFT_MSEC };
	static struct scene scene = { .gate = GATE_INIT };

	reports_begin();
	cr_expect_eq(weft_run_with(leave_a_job_that_stays, &scene, &options), 0);
	cr_expect_str_eq(reports_end(), "job \"gate_pass\" still runs at the end of pool "
					"\"exec\", and is left behind\n");
	gate_open(&scene.gate);
	gate_await_out(&scene.gate, 1);
}
