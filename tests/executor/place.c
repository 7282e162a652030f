/*
 * The bounded queue: who waits for a place, who is refused.
 */
#include <weft/group.h>

#include "executor/pool.h"
#include "tests/executor/gate.h"
#include "tests/test.h"

struct scene {
	weft_executor *pool;
	struct gate gate;
	weft_future *busy;
	int order[8]; /* in which jobs ran */
	atomic_int n_ran;
	int n_results;
	int results[8];
};

struct errand {
	struct scene *scene;
	int number;
};

static int note_order(void *arg)
{
	struct errand *errand = arg;
	struct scene *scene = errand->scene;

	scene->order[atomic_fetch_add(&scene->n_ran, 1)] = errand->number;
	return 0;
}

static int run_errand(void *arg)
{
	struct errand *errand = arg;
	struct scene *scene = errand->scene;

	scene->results[errand->number] =
		weft_run_in_executor(scene->pool, note_order, errand);
	scene->n_results++;
	return 0;
}

/* One thread, which is in the gate, and a queue of two. */
static void fill_thread(struct scene *scene, enum weft_when_full when_full)
{
	struct weft_thread_pool_options options = { .min_threads = 1,
						    .max_threads = 1,
						    .queue_limit = 2,
						    .when_full = when_full };
	int r;

	scene->pool = new_pool(&options);
	r = weft_executor_submit(scene->pool, gate_pass, &scene->gate, NULL,
				 &scene->busy);
	cr_expect_eq(r, 0);
	gate_await_inside(&scene->gate, 1);
}

static int count_in_line(struct scene *scene)
{
	return atomic_load(&scene->pool->n_in_line);
}

static int empty_thread(struct scene *scene)
{
	int r;

	gate_open(&scene->gate);
	r = weft_task_current() ? weft_future_await(scene->busy)
				: weft_future_wait(scene->busy, WEFT_FOREVER);
	weft_future_unref(scene->busy);
	return r < 0 ? r : weft_executor_close(scene->pool, 10 * WEFT_SEC);
}

/* ---- Waiting ---- */

static int wait_in_line(void *arg)
{
	struct scene *scene = arg;
	struct errand errands[5];
	struct weft_group group;
	int r;

	fill_thread(scene, WEFT_WAIT_WHEN_FULL);
	weft_group_begin(&group);
	for (int i = 0; i < 5; i++) {
		errands[i] = (struct errand){ scene, i };
		weft_group_spawn(&group, run_errand, &errands[i]);
	}
	r = weft_yield();
	cr_expect_eq(count_in_line(scene), 3);
	gate_open(&scene->gate);
	r = weft_group_end(&group, r);
	return r < 0 ? r : empty_thread(scene);
}

Test(place, tasks_wait_in_line_when_the_queue_is_full)
{
	static const int order[] = { 0, 1, 2, 3, 4 };
	struct scene scene = { .gate = GATE_INIT };

	run_task(wait_in_line, &scene);
	cr_expect_arr_eq(scene.order, order, sizeof(order), "first come, first served");
}

static void *submit_from_thread(void *arg)
{
	struct errand *errand = arg;
	weft_future *future;
	int r = weft_executor_submit(errand->scene->pool, note_order, errand, NULL,
				     &future);

	if (r == 0) {
		r = weft_future_wait(future, WEFT_FOREVER);
		weft_future_unref(future);
	}
	errand->scene->results[errand->number] = r;
	return NULL;
}

static bool three_are_busy(void *arg)
{
	struct scene *scene = arg;
	struct pool_counts counts;

	weft__pool_count(scene->pool, &counts);
	return counts.n_queued + count_in_line(scene) == 3;
}

Test(place, a_plain_thread_blocks_when_the_queue_is_full)
{
	struct scene scene = { .gate = GATE_INIT };
	struct errand errands[3];
	pthread_t threads[3];

	fill_thread(&scene, WEFT_WAIT_WHEN_FULL);
	for (int i = 0; i < 3; i++) {
		errands[i] = (struct errand){ &scene, i };
		pthread_create(&threads[i], NULL, submit_from_thread, &errands[i]);
	}
	await_condition(three_are_busy, &scene, "two are queued, one is in line");
	cr_expect_eq(count_in_line(&scene), 1);
	gate_open(&scene.gate);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		cr_expect_eq(scene.results[i], 0);
	}
	cr_expect_eq(scene.n_ran, 3);
	cr_expect_eq(empty_thread(&scene), 0);
}

static int cancel_in_line(void *arg)
{
	struct scene *scene = arg;
	struct errand errands[4];
	weft_task *tasks[4];
	int r;

	fill_thread(scene, WEFT_WAIT_WHEN_FULL);
	for (int i = 0; i < 4; i++) {
		errands[i] = (struct errand){ scene, i };
		weft_spawn(run_errand, &errands[i], &tasks[i]);
	}
	r = weft_yield();
	if (r < 0)
		return r;
	weft_task_cancel(tasks[2], NULL);
	cr_expect_eq(weft_task_join(tasks[2]), 0);
	cr_expect_eq(scene->results[2], -ECANCELED, "while it waited for a place");
	gate_open(&scene->gate);
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_eq(weft_task_join(tasks[3]), 0);
	return empty_thread(scene);
}

Test(place, who_is_cancelled_leaves_the_line)
{
	static const int order[] = { 0, 1, 3 };
	struct scene scene = { .gate = GATE_INIT };

	run_task(cancel_in_line, &scene);
	cr_expect_eq(scene.n_ran, 3);
	cr_expect_arr_eq(scene.order, order, sizeof(order));
}

static int cancel_queued(void *arg)
{
	struct scene *scene = arg;
	struct errand errands[3];
	weft_task *tasks[3];
	int r;

	fill_thread(scene, WEFT_WAIT_WHEN_FULL);
	for (int i = 0; i < 3; i++) {
		errands[i] = (struct errand){ scene, i };
		weft_spawn(run_errand, &errands[i], &tasks[i]);
	}
	r = weft_yield();
	if (r < 0)
		return r;
	cr_expect_eq(count_in_line(scene), 1);
	weft_task_cancel(tasks[0], NULL);
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	cr_expect_eq(count_in_line(scene), 0, "its place went to the next");
	gate_open(&scene->gate);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_eq(weft_task_join(tasks[2]), 0);
	return empty_thread(scene);
}

Test(place, a_cancelled_job_gives_its_place_to_the_next_in_line)
{
	static const int order[] = { 1, 2 };
	struct scene scene = { .gate = GATE_INIT };

	run_task(cancel_queued, &scene);
	cr_expect_arr_eq(scene.order, order, sizeof(order));
	cr_expect_eq(scene.results[0], -ECANCELED);
}

/* ---- Being refused ---- */

static int be_refused(void *arg)
{
	struct scene *scene = arg;
	struct errand errands[4];
	struct weft_group group;
	int r;

	fill_thread(scene, WEFT_REFUSE_WHEN_FULL);
	weft_group_begin(&group);
	for (int i = 0; i < 4; i++) {
		errands[i] = (struct errand){ scene, i };
		weft_group_spawn(&group, run_errand, &errands[i]);
	}
	r = weft_yield();
	cr_expect_eq(scene->n_results, 2, "at once");
	gate_open(&scene->gate);
	r = weft_group_end(&group, r);
	return r < 0 ? r : empty_thread(scene);
}

Test(place, a_pool_may_refuse_when_full)
{
	static const int results[] = { 0, 0, -EAGAIN, -EAGAIN };
	struct scene scene = { .gate = GATE_INIT };

	run_task(be_refused, &scene);
	cr_expect_arr_eq(scene.results, results, sizeof(results));
	cr_expect_eq(scene.n_ran, 2);
}

static void submit_in_callback(void *arg)
{
	struct scene *scene = arg;
	static struct errand errands[3];

	for (int i = 0; i < 3; i++) {
		errands[i] = (struct errand){ scene, i };
		scene->results[i] = weft_executor_submit(scene->pool, note_order,
							 &errands[i], NULL, NULL);
	}
	scene->n_results = 3;
}

static bool callback_was_run(void *arg)
{
	return ((struct scene *)arg)->n_results == 3;
}

static int use_callback(void *arg)
{
	struct scene *scene = arg;
	int r;

	fill_thread(scene, WEFT_WAIT_WHEN_FULL);
	r = weft_loop_call_soon(weft_loop_current(), submit_in_callback, scene, NULL);
	if (r < 0)
		return r;
	await_condition(callback_was_run, scene, "the callback runs");
	return empty_thread(scene);
}

Test(place, a_callback_is_refused_where_a_task_would_wait)
{
	static const int results[] = { 0, 0, -EAGAIN };
	struct scene scene = { .gate = GATE_INIT };

	run_task(use_callback, &scene);
	cr_expect_arr_eq(scene.results, results, sizeof(results));
	cr_expect_eq(scene.n_ran, 2);
}

/* ---- Waiting for oneself ---- */

static int submit_three(void *arg)
{
	struct scene *scene = arg;
	static struct errand errands[3];
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++) {
		errands[i] = (struct errand){ scene, i };
		r = weft_executor_submit(scene->pool, note_order, &errands[i], NULL,
					 NULL);
	}
	return r;
}

Test(place, a_job_does_not_wait_for_a_place_that_its_own_thread_would_make)
{
	struct weft_thread_pool_options options = {
		.name = "narrow", .min_threads = 1, .max_threads = 1, .queue_limit = 2
	};
	struct scene scene = { .pool = new_pool(&options) };
	weft_future *future;

	cr_assert_eq(
		weft_executor_submit(scene.pool, submit_three, &scene, NULL, &future), 0);
	cr_expect_eq(weft_future_wait(future, WEFT_FOREVER), 0);
	cr_expect_eq(weft_future_result(future), -EDEADLK);
	cr_expect_str_eq(
		weft_error_text(-EDEADLK),
		"every thread of pool \"narrow\" would wait for a place in its full "
		"queue: submit from elsewhere, or raise .queue_limit or .max_threads");
	weft_future_unref(future);
	cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
	cr_expect_eq(scene.n_ran, 2);
}
