/*
 * Several short jobs at once, and what happens if one of them is not short.
 */
#include <stdio.h>
#include <time.h>

#include <weft/group.h>

#include "executor/lane.h"
#include "tests/executor/gate.h"
#include "tests/test.h"

enum { N_JOBS = 16 };

struct scene {
	weft_executor *pool;
	struct gate gate;
	int n_done; /* on the loop */
	int who_stays; /* the job that goes into the gate; -1: none */
	atomic_int n_ran;
};

struct unit {
	struct scene *scene;
	int number;
};

/* One function for all of them: it is known to be short until one job goes into the gate. */
static int work(void *arg)
{
	struct unit *unit = arg;

	atomic_fetch_add(&unit->scene->n_ran, 1);
	return unit->number == unit->scene->who_stays ? gate_pass(&unit->scene->gate) : 0;
}

static int run_unit(void *arg)
{
	struct unit *unit = arg;
	int r = weft_run_in_executor(unit->scene->pool, work, unit);

	unit->scene->n_done++;
	return r;
}

static int run_all(struct scene *scene, struct unit *units, struct weft_group *group)
{
	scene->n_done = 0;
	weft_group_begin(group);
	for (int i = 0; i < N_JOBS; i++) {
		units[i] = (struct unit){ .scene = scene, .number = i };
		weft_group_spawn(group, run_unit, &units[i]);
	}
	return 0;
}

/* Until the pool takes jobs of that function in streaks. */
static int build_trust(struct scene *scene)
{
	struct unit units[N_JOBS];
	struct weft_group group;
	int r = 0;

	scene->who_stays = -1;
	for (int i = 0; i < 10000 && r == 0; i++) {
		run_all(scene, units, &group);
		r = weft_group_end(&group, 0);
		if (weft__habit_streak(&scene->pool->habits, work) == 16 &&
		    atomic_load(&scene->pool->has_keeper))
			return r;
	}
	cr_expect_fail("the function never proved itself");
	return r;
}

static bool others_are_done(void *arg)
{
	return ((struct scene *)arg)->n_done == N_JOBS - 1;
}

static bool trust_is_gone(void *arg)
{
	struct scene *scene = arg;

	return atomic_load(&scene->pool->n_stuck) == 0 &&
	       weft__habit_streak(&scene->pool->habits, work) == 1;
}

static int block_in_streak(void *arg)
{
	struct scene *scene = arg;
	struct unit units[N_JOBS];
	struct weft_group group;
	int who = scene->who_stays;
	int r = build_trust(scene);

	if (r < 0)
		return r;
	scene->who_stays = who;
	run_all(scene, units, &group);
	await_condition(others_are_done, scene,
			"nobody waits behind the job that blocks");
	gate_open(&scene->gate);
	r = weft_group_end(&group, 0);
	await_condition(trust_is_gone, scene, "the worker notes what it took");
	return r;
}

Test(streak, no_job_and_no_result_waits_behind_one_that_blocks)
{
	static const struct {
		const char *name;
		int who;
	} cases[] = {
		{ "the first", 0 },
		{ "one in the middle", 5 },
		{ "the last", N_JOBS - 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_thread_pool_options options = { .min_threads = 2,
							    .max_threads = 2 };
		struct scene scene = { .pool = new_pool(&options),
				       .gate = GATE_INIT,
				       .who_stays = cases[i].who };
		struct pool_counts counts;

		run_task(block_in_streak, &scene);
		cr_expect_eq(scene.n_done, N_JOBS, "%s", cases[i].name);
		weft__pool_count(scene.pool, &counts);
		cr_expect_eq(counts.n_queued, 0);
		cr_expect_eq(counts.n_queued_long, 0);
		cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
	}
}

/* ---- Results alone, where there is nobody else to run a job ---- */

static bool those_before_are_done(void *arg)
{
	struct scene *scene = arg;

	return scene->n_done == scene->who_stays;
}

static int block_alone(void *arg)
{
	struct scene *scene = arg;
	struct unit units[N_JOBS];
	struct weft_group group;
	int r = build_trust(scene);

	if (r < 0)
		return r;
	scene->who_stays = 9;
	run_all(scene, units, &group);
	await_condition(those_before_are_done, scene,
			"results of a streak that is stuck");
	gate_open(&scene->gate);
	return weft_group_end(&group, 0);
}

Test(streak, results_are_delivered_although_the_only_thread_blocks)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };

	run_task(block_alone, &scene);
	cr_expect_eq(scene.n_done, N_JOBS);
	cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
}

/* ---- Cancelling ---- */

static int cancel_in_streak(void *arg)
{
	struct scene *scene = arg;
	struct unit units[N_JOBS];
	weft_task *tasks[N_JOBS];
	int r = build_trust(scene), n_before;

	if (r < 0)
		return r;
	scene->who_stays = 0;
	n_before = scene->n_ran;
	for (int i = 0; i < N_JOBS; i++) {
		units[i] = (struct unit){ .scene = scene, .number = i };
		weft_spawn(run_unit, &units[i], &tasks[i]);
	}
	gate_await_inside(&scene->gate, 1);
	for (int i = 1; i < N_JOBS; i++) {
		weft_task_cancel(tasks[i], NULL);
		cr_expect_eq(weft_task_join(tasks[i]), -ECANCELED,
			     "in a slot of a streak");
	}
	gate_open(&scene->gate);
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	cr_expect_eq(scene->n_ran, n_before + 1);
	return 0;
}

Test(streak, a_job_that_a_worker_has_taken_but_not_begun_can_be_cancelled)
{
	struct scene scene = { .pool = new_pool(NULL), .gate = GATE_INIT };
	struct pool_counts counts;

	run_task(cancel_in_streak, &scene);
	weft__pool_count(scene.pool, &counts);
	cr_expect_eq(counts.n_queued, 0);
	cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
}

/* ---- Futures ---- */

static int submit_trusted(void *arg)
{
	struct scene *scene = arg;
	struct unit units[N_JOBS];
	weft_future *futures[N_JOBS];
	int r = build_trust(scene);

	if (r < 0)
		return r;
	scene->who_stays = 7;
	for (int i = 0; i < N_JOBS; i++) {
		units[i] = (struct unit){ .scene = scene, .number = i };
		r = weft_executor_submit(scene->pool, work, &units[i], NULL, &futures[i]);
		if (r < 0)
			return r;
	}
	for (int i = 0; i < N_JOBS; i++) {
		if (i == scene->who_stays)
			continue;
		cr_expect_eq(weft_future_await(futures[i]), 0);
		weft_future_unref(futures[i]);
	}
	gate_open(&scene->gate);
	r = weft_future_await(futures[scene->who_stays]);
	weft_future_unref(futures[scene->who_stays]);
	return r;
}

Test(streak, futures_do_not_wait_behind_one_that_blocks)
{
	struct weft_thread_pool_options options = { .min_threads = 2, .max_threads = 2 };
	struct scene scene = { .pool = new_pool(&options), .gate = GATE_INIT };

	run_task(submit_trusted, &scene);
	cr_expect_eq(weft_executor_close(scene.pool, 10 * WEFT_SEC), 0);
}
