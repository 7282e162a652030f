/*
 * weft_run_in_executor(), with an argument that is borrowed and with one that is owned.
 */
#include "tests/executor/gate.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include <weft/group.h>
#include <weft/test.h>
#include <weft/timeout.h>

#include "executor/pool.h"
#include "tests/test.h"

/* ---- Results ---- */

static int return_it(void *arg)
{
	return *(int *)arg;
}

static int return_each(void *unused)
{
	static const struct {
		const char *name;
		int result;
	} cases[] = {
		{ "success", 0 },
		{ "a count", 42 },
		{ "a failure", -EIO },
		{ "a job that says it was cancelled", -ECANCELED },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int result = cases[i].result;

		cr_expect_eq(weft_run_in_executor(NULL, return_it, &result),
			     cases[i].result, "%s", cases[i].name);
		cr_expect_eq(weft_run_in_executor_owned(NULL, return_it, &result, NULL),
			     cases[i].result, "%s, owned", cases[i].name);
	}
	return 0;
}

Test(run, returns_what_the_function_returned)
{
	run_task(return_each, NULL);
}

static int fail_with_sentence(void *arg)
{
	return weft_error_set(-EIO, "the %s is on fire", (const char *)arg);
}

static int fail_without_sentence(void *unused)
{
	(void)unused;
	return -EIO;
}

static int succeed_after_failure(void *arg)
{
	(void)fail_with_sentence(arg);
	return 0;
}

static int compare_errors(void *unused)
{
	static char printer[] = "printer", scanner[] = "scanner", fax[] = "fax";
	weft_executor *pool = new_pool(NULL);
	int r;

	(void)unused;
	r = weft_run_in_executor(pool, fail_with_sentence, printer);
	cr_expect_eq(r, -EIO);
	cr_expect_str_eq(weft_error_text(r), "the printer is on fire");
	r = weft_run_in_executor_owned(pool, fail_with_sentence, scanner, NULL);
	cr_expect_eq(r, -EIO);
	cr_expect_str_eq(weft_error_text(r), "the scanner is on fire");

	r = weft_run_in_executor(pool, succeed_after_failure, fax);
	cr_expect_eq(r, 0);
	r = weft_run_in_executor(pool, fail_without_sentence, NULL);
	cr_expect_eq(r, -EIO);
	cr_expect_null(strstr(weft_error_text(r), "fire"),
		       "what one job was told is nothing to the next");
	return weft_executor_close(pool, WEFT_SEC);
}

Test(run, the_sentence_of_a_failure_comes_with_it)
{
	run_task(compare_errors, NULL);
}

static int look_at_thread(void *arg)
{
	pthread_t *loop_thread = arg;
	sigset_t mask;
	char name[16];

	cr_expect(!pthread_equal(*loop_thread, pthread_self()), "another thread");
	pthread_getname_np(pthread_self(), name, sizeof(name));
	cr_expect_str_eq(name, "files-1");
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	cr_expect(sigismember(&mask, SIGPIPE), "SIGPIPE is blocked");
	cr_expect(!sigismember(&mask, SIGTERM), "other signals are as they were");
	cr_expect_null(weft_loop_current());
	cr_expect_null(weft_task_current());
	return 0;
}

static int show_thread(void *unused)
{
	struct weft_thread_pool_options options = { .name = "files" };
	weft_executor *pool = new_pool(&options);
	pthread_t me = pthread_self();
	int r = weft_run_in_executor(pool, look_at_thread, &me);

	(void)unused;
	return r < 0 ? r : weft_executor_close(pool, WEFT_SEC);
}

Test(run, runs_on_a_thread_of_the_pool_that_is_named_after_it)
{
	run_task(show_thread, NULL);
}

/* ---- Cancelling ---- */

struct scene {
	weft_executor *pool;
	struct gate gate;
	int n_ran;
	int n_destroyed;
	int result;
	int next_wait;
};

static int count_run(void *arg)
{
	struct scene *scene = arg;

	scene->n_ran++;
	return 0;
}

static int run_it(void *arg)
{
	struct scene *scene = arg;

	scene->result = weft_run_in_executor(scene->pool, count_run, scene);
	return scene->result;
}

static int cancel_queued(void *arg)
{
	struct scene *scene = arg;
	weft_task *task;
	weft_future *busy;
	int r;

	r = weft_executor_submit(scene->pool, gate_pass, &scene->gate, NULL, &busy);
	if (r < 0)
		return r;
	gate_await_inside(&scene->gate, 1);
	weft_spawn(run_it, scene, &task);
	cr_expect_eq(weft_yield(), 0);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED, "at once, with the pool busy");
	gate_open(&scene->gate);
	r = weft_future_await(busy);
	weft_future_unref(busy);
	return r < 0 ? r : weft_executor_close(scene->pool, WEFT_SEC);
}

Test(run, a_queued_job_that_is_cancelled_never_runs)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	run_task(cancel_queued, &scene);
	cr_expect_eq(scene.n_ran, 0);
	cr_expect_eq(scene.result, -ECANCELED);
}

static int run_when_cancelled(void *arg)
{
	struct scene *scene = arg;

	(void)weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_run_in_executor(scene->pool, count_run, scene), -ECANCELED);
	cr_expect_eq(weft_run_in_executor(scene->pool, count_run, scene), 0,
		     "told once, the next wait works");
	return weft_executor_close(scene->pool, WEFT_SEC);
}

Test(run, a_task_cancelled_before_submits_nothing)
{
	struct scene scene = { .pool = new_pool(NULL) };

	run_task(run_when_cancelled, &scene);
	cr_expect_eq(scene.n_ran, 1);
}

/* A job that writes to the stack of its caller, at the very end. */
struct borrowed {
	struct gate *gate;
	char text[256];
};

static int write_late(void *arg)
{
	struct borrowed *borrowed = arg;
	int r = gate_pass(borrowed->gate);

	memset(borrowed->text, 'x', sizeof(borrowed->text));
	return r;
}

static int borrow_stack(void *arg)
{
	struct scene *scene = arg;
	struct borrowed borrowed = { .gate = &scene->gate };

	scene->result = weft_run_in_executor(scene->pool, write_late, &borrowed);
	cr_expect_eq(borrowed.text[255], 'x', "the job had ended");
	scene->next_wait = weft_sleep(0);
	return 0;
}

static int cancel_running(void *arg)
{
	struct scene *scene = arg;
	weft_task *task;

	scene->gate.result = 7;
	weft_spawn(borrow_stack, scene, &task);
	gate_await_inside(&scene->gate, 1);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_sleep(5 * WEFT_MSEC), 0);
	cr_expect_eq(scene->result, 0, "the caller stays as long as the job runs");
	gate_open(&scene->gate);
	cr_expect_eq(weft_task_join(task), 0);
	return weft_executor_close(scene->pool, WEFT_SEC);
}

Test(run, a_running_job_is_waited_for_and_its_result_comes_first)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	run_task(cancel_running, &scene);
	cr_expect_eq(scene.result, 7);
	cr_expect_eq(scene.next_wait, -ECANCELED, "the request comes at the next wait");
}

static int time_out(void *arg)
{
	struct scene *scene = arg;
	struct weft_timeout timeout;
	weft_future *busy;
	int r = weft_executor_submit(scene->pool, gate_pass, &scene->gate, NULL, &busy);

	if (r < 0)
		return r;
	weft_timeout_begin(&timeout, 10 * WEFT_MSEC);
	r = weft_run_in_executor(scene->pool, count_run, scene);
	r = weft_timeout_end(&timeout, r);
	cr_expect_eq(r, -ETIMEDOUT);
	gate_open(&scene->gate);
	r = weft_future_await(busy);
	weft_future_unref(busy);
	return r < 0 ? r : weft_executor_close(scene->pool, WEFT_SEC);
}

Test(run, a_timeout_drops_a_queued_job)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	run_task(time_out, &scene);
	cr_expect_eq(scene.n_ran, 0);
}

/* ---- Owned ---- */

struct parcel {
	struct scene *scene;
	char bytes[64];
};

static struct parcel *new_parcel(struct scene *scene)
{
	struct parcel *parcel = calloc(1, sizeof(*parcel));

	if (!parcel)
		abort();
	parcel->scene = scene;
	return parcel;
}

static void destroy_parcel(void *arg)
{
	struct parcel *parcel = arg;

	__atomic_fetch_add(&parcel->scene->n_destroyed, 1, __ATOMIC_SEQ_CST);
	free(parcel);
}

static bool is_destroyed(void *arg)
{
	struct scene *scene = arg;

	return __atomic_load_n(&scene->n_destroyed, __ATOMIC_SEQ_CST) > 0;
}

static int open_parcel(void *arg)
{
	struct parcel *parcel = arg;
	int r;

	parcel->scene->n_ran++;
	r = gate_pass(&parcel->scene->gate);
	parcel->bytes[63] = 1;
	return r;
}

static int run_parcel(void *arg)
{
	struct scene *scene = arg;

	scene->result = weft_run_in_executor_owned(scene->pool, open_parcel,
						   new_parcel(scene), destroy_parcel);
	return scene->result;
}

static int abandon(void *arg)
{
	struct scene *scene = arg;
	struct pool_counts counts;
	weft_task *task;
	int r;

	weft_spawn(run_parcel, scene, &task);
	gate_await_inside(&scene->gate, 1);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED, "while the job runs on");
	cr_expect_eq(scene->n_destroyed, 0, "the job still has its argument");
	weft__pool_count(scene->pool, &counts);
	cr_expect_eq(counts.n_abandoned, 1);

	r = weft_run_in_executor(scene->pool, return_it, &(int){ 3 });
	cr_expect_eq(r, 3, "the pool of one thread has another one");
	gate_open(&scene->gate);
	await_condition(is_destroyed, scene, "the argument is destroyed");
	r = weft_executor_close(scene->pool, 10 * WEFT_SEC);
	cr_expect_eq(r, 0);
	return 0;
}

Test(run, an_owned_job_is_abandoned_and_its_thread_replaced)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	run_task(abandon, &scene);
	cr_expect_eq(scene.n_ran, 1);
	cr_expect_eq(scene.n_destroyed, 1);
}

static int drop_owned(void *arg)
{
	struct scene *scene = arg;
	weft_future *busy;
	weft_task *task;
	int r = weft_executor_submit(scene->pool, gate_pass, &scene->gate, NULL, &busy);

	if (r < 0)
		return r;
	gate_await_inside(&scene->gate, 1);
	weft_spawn(run_parcel, scene, &task);
	cr_expect_eq(weft_yield(), 0);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(scene->n_destroyed, 1);
	gate_open(&scene->gate);
	r = weft_future_await(busy);
	weft_future_unref(busy);
	return r < 0 ? r : weft_executor_close(scene->pool, WEFT_SEC);
}

Test(run, an_owned_job_that_is_dropped_destroys_its_argument)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	run_task(drop_owned, &scene);
	cr_expect_eq(scene.n_ran, 0);
	cr_expect_eq(scene.n_destroyed, 1);
}

Test(run, an_owned_job_that_is_refused_destroys_its_argument)
{
	struct scene scene = { 0 };

	cr_expect_eq(weft_run_in_executor_owned(NULL, open_parcel, new_parcel(&scene),
						destroy_parcel),
		     -EPERM, "outside a task");
	cr_expect_eq(scene.n_destroyed, 1);
}

static int run_owned_normally(void *arg)
{
	struct scene *scene = arg;

	gate_open(&scene->gate);
	scene->gate.result = 9;
	cr_expect_eq(run_parcel(scene), 9);
	cr_expect_eq(scene->n_destroyed, 1, "before the caller goes on");
	return weft_executor_close(scene->pool, WEFT_SEC);
}

Test(run, an_owned_job_destroys_its_argument_when_it_has_ended)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	run_task(run_owned_normally, &scene);
	cr_expect_eq(scene.n_destroyed, 1);
}

/* ---- First mistakes ---- */

static int wait_in_job(void *unused)
{
	(void)unused;
	return weft_sleep(WEFT_MSEC);
}

static int nest_in_job(void *unused)
{
	(void)unused;
	return weft_run_in_executor(NULL, return_it, &(int){ 0 });
}

static int spawn_in_job(void *unused)
{
	(void)unused;
	return weft_spawn(wait_in_job, NULL, NULL);
}

static int make_mistakes(void *unused)
{
	static const struct {
		weft_fn *fn;
		const char *text;
	} cases[] = {
		{ wait_in_job,
		  "weft_sleep() was called in a job of an executor, which runs "
		  "on a thread without a loop: send it to a loop with "
		  "weft_spawn_on()" },
		{ nest_in_job,
		  "weft_run_in_executor() was called in a job of an executor, "
		  "which runs on a thread without a loop: send it to a loop "
		  "with weft_spawn_on()" },
		{ spawn_in_job,
		  "weft_spawn_with() was called in a job of an executor, which "
		  "runs on a thread without a loop: send it to a loop with "
		  "weft_spawn_on()" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = weft_run_in_executor(NULL, cases[i].fn, NULL);
		const char *skip = strchr(cases[i].text, '(');

		cr_expect_eq(r, -EPERM);
		cr_expect_not_null(strstr(weft_error_text(r), skip), "%s",
				   weft_error_text(r));
	}
	return 0;
}

Test(run, a_wait_in_a_job_is_answered_with_a_sentence)
{
	run_task(make_mistakes, NULL);
}

Test(run, outside_a_task_it_is_answered_with_a_sentence)
{
	int r = weft_run_in_executor(NULL, return_it, &(int){ 0 });

	cr_expect_eq(r, -EPERM);
	cr_expect_str_eq(
		weft_error_text(r),
		"weft_run_in_executor() was called outside a task, where nothing "
		"can be awaited: start a task with weft_run() or weft_spawn()");
}

/* ---- With other things ---- */

static int double_it(void *arg)
{
	*(int *)arg *= 2;
	return 0;
}

struct errand {
	weft_loop *loop;
	int number;
};

static int send_to_loop(void *arg)
{
	struct errand *errand = arg;
	weft_future *future;
	int r = weft_spawn_on(errand->loop, double_it, &errand->number, &future);

	if (r < 0)
		return r;
	r = weft_future_wait(future, WEFT_FOREVER);
	weft_future_unref(future);
	return r;
}

static int run_errand(void *unused)
{
	struct errand errand = { .loop = weft_loop_current(), .number = 21 };
	int r = weft_run_in_executor(NULL, send_to_loop, &errand);

	(void)unused;
	cr_expect_eq(errand.number, 42);
	return r;
}

Test(run, a_job_sends_a_task_to_a_loop_and_waits_for_it)
{
	run_task(run_errand, NULL);
}

static int nap(void *arg)
{
	static const struct timespec span = { .tv_nsec = 20 * 1000 * 1000 };

	(void)arg;
	(void)nanosleep(&span, NULL); /* nobody interrupts it */
	return 0;
}

static int sleep_long(void *arg)
{
	int *n_woken = arg;
	int r = weft_sleep(3600 * WEFT_SEC);

	++*n_woken;
	return r;
}

static int mix_clocks(void *unused)
{
	weft_time start = weft_now();
	weft_future *future;
	weft_task *task;
	int n_woken = 0, r;

	(void)unused;
	weft_spawn(sleep_long, &n_woken, &task);
	r = weft_run_in_executor(NULL, nap, NULL);
	cr_expect_eq(r, 0);
	cr_expect_eq(weft_now(), start, "no virtual time passes while a job runs");
	cr_expect_eq(n_woken, 0);

	r = weft_executor_submit(NULL, nap, NULL, NULL, &future);
	cr_expect_eq(r, 0);
	r = weft_future_await(future);
	weft_future_unref(future);
	cr_expect_eq(weft_now(), start);
	r = weft_task_join(task);
	cr_expect_eq(weft_now(), start + 3600 * WEFT_SEC, "and then it goes on");
	return r;
}

Test(run, a_test_clock_waits_for_jobs)
{
	int r = weft_test_run(mix_clocks, NULL, NULL);

	cr_expect_eq(r, 0, "%s", weft_error_text(r));
}

static int stay_in_job(void *arg)
{
	return weft_run_in_executor(NULL, gate_pass, arg);
}

static int leave_a_task_behind(void *arg)
{
	int r = weft_spawn(stay_in_job, arg, NULL);

	gate_await_inside(arg, 1);
	return r;
}

Test(run, a_job_may_outlive_its_loop)
{
	static struct gate gate = GATE_INIT;
	struct weft_run_options options = {
		.loop.close_limit_ns = 10 * WEFT_MSEC,
		.grace_ns = 10 * WEFT_MSEC,
	};
	const char *reports;
	int r;

	reports_begin();
	r = weft_run_with(leave_a_task_behind, &gate, &options);
	reports = reports_end();
	cr_expect_eq(r, 0, "%s", weft_error_text(r));
	cr_expect_not_null(strstr(reports, "it waits for: executor"), "%s", reports);
	cr_expect_not_null(strstr(reports,
				  "job \"gate_pass\" still runs at the end of pool "
				  "\"exec\", and is left behind"),
			   "%s", reports);
	gate_open(&gate);
	gate_await_out(&gate, 1);
}
