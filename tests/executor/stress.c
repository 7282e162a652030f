/*
 * Many loops and plain threads at one small pool, with jobs short and long of one function, some
 * cancelled: each job runs exactly once, or not at all if its caller was told so.
 */
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include <weft/executor.h>
#include <weft/group.h>
#include <weft/timeout.h>

#include "executor/pool.h"
#include "tests/executor/gate.h"
#include "tests/test.h"

enum {
	N_LOOPS = 3,
	N_PLAIN = 2,
	N_TASKS = 40,
	N_ROUNDS = 500, /* of each task and each plain thread */
};

struct stress {
	weft_executor *pool;
	atomic_long n_ran;
	atomic_long n_told; /* that they ran */
	atomic_long n_cancelled;
	atomic_long n_wrong;
};

struct unit {
	struct stress *stress;
	int pause_us;
	int n_ran;
	char bytes[64]; /* of the caller's stack */
};

static uint32_t draw(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* One function for all: it is known to be short, until it is not. */
static int work(void *arg)
{
	struct unit *unit = arg;
	struct timespec span = { .tv_nsec = unit->pause_us * 1000 };

	unit->n_ran++;
	atomic_fetch_add(&unit->stress->n_ran, 1);
	if (unit->pause_us)
		(void)nanosleep(&span, NULL); /* nobody interrupts it */
	memset(unit->bytes, unit->n_ran, sizeof(unit->bytes));
	return unit->n_ran;
}

static void check(struct stress *stress, const struct unit *unit, int r)
{
	bool is_right = r == 1 ? unit->n_ran == 1 && unit->bytes[63] == 1
			       : r == -ECANCELED && unit->n_ran == 0;

	atomic_fetch_add(r == 1 ? &stress->n_told : &stress->n_cancelled, 1);
	if (!is_right)
		atomic_fetch_add(&stress->n_wrong, 1);
}

static int pause_for(uint32_t *state)
{
	return draw(state) % 500 == 0 ? (int)(draw(state) % 4000) : 0;
}

/* ---- Tasks ---- */

static void run_and_wait(struct stress *stress, uint32_t *state)
{
	struct unit unit = { .stress = stress, .pause_us = pause_for(state) };
	struct weft_timeout timeout;
	int r;

	if (draw(state) % 16) {
		check(stress, &unit, weft_run_in_executor(stress->pool, work, &unit));
		return;
	}
	weft_timeout_begin(&timeout, draw(state) % 300 * WEFT_USEC);
	r = weft_run_in_executor(stress->pool, work, &unit);
	check(stress, &unit, r);
	r = weft_timeout_end(&timeout, r);
	if (r != 1 && r != -ETIMEDOUT)
		atomic_fetch_add(&stress->n_wrong, 1);
}

static void submit_and_wait(struct stress *stress, uint32_t *state)
{
	struct unit unit = { .stress = stress, .pause_us = pause_for(state) };
	weft_future *future;
	int r = weft_executor_submit(stress->pool, work, &unit, NULL, &future);

	if (r < 0) {
		check(stress, &unit, r);
		return;
	}
	if (draw(state) % 8 == 0)
		(void)weft_future_cancel(future);
	r = weft_future_await(future);
	check(stress, &unit, r < 0 ? r : weft_future_result(future));
	weft_future_unref(future);
}

static int task_main(void *arg)
{
	struct stress *stress = arg;
	uint32_t state = (uint32_t)(uintptr_t)&stress ^ (uint32_t)weft__clock();

	for (int i = 0; i < N_ROUNDS; i++) {
		if (draw(&state) % 3)
			run_and_wait(stress, &state);
		else
			submit_and_wait(stress, &state);
	}
	return 0;
}

static int loop_main(void *arg)
{
	struct weft_group group;

	weft_group_begin(&group);
	for (int i = 0; i < N_TASKS; i++)
		weft_group_spawn(&group, task_main, arg);
	return weft_group_end(&group, 0);
}

static void *loop_thread(void *arg)
{
	int r = weft_run(loop_main, arg);

	if (r < 0)
		atomic_fetch_add(&((struct stress *)arg)->n_wrong, 1);
	return NULL;
}

/* ---- Plain threads ---- */

static void *plain_thread(void *arg)
{
	struct stress *stress = arg;
	uint32_t state = (uint32_t)(uintptr_t)&stress;

	for (int i = 0; i < N_ROUNDS; i++) {
		struct unit unit = { .stress = stress, .pause_us = pause_for(&state) };
		weft_future *future;

		if (weft_executor_submit(stress->pool, work, &unit, NULL, &future) < 0) {
			atomic_fetch_add(&stress->n_wrong, 1);
			continue;
		}
		if (draw(&state) % 8 == 0)
			(void)weft_future_cancel(future);
		if (weft_future_wait(future, WEFT_FOREVER) < 0)
			atomic_fetch_add(&stress->n_wrong, 1);
		check(stress, &unit, weft_future_result(future));
		weft_future_unref(future);
	}
	return NULL;
}

static void run_stress(const struct weft_thread_pool_options *options)
{
	struct stress stress = { .pool = new_pool(options) };
	pthread_t threads[N_LOOPS + N_PLAIN];
	struct pool_counts counts;

	for (int i = 0; i < N_LOOPS + N_PLAIN; i++)
		pthread_create(&threads[i], NULL,
			       i < N_LOOPS ? loop_thread : plain_thread, &stress);
	for (int i = 0; i < N_LOOPS + N_PLAIN; i++)
		pthread_join(threads[i], NULL);
	weft__pool_count(stress.pool, &counts);
	cr_expect_eq(counts.n_queued, 0);
	cr_expect_eq(counts.n_queued_long, 0);
	cr_expect_eq(stress.n_wrong, 0);
	cr_expect_eq(stress.n_ran, stress.n_told);
	cr_expect_eq(stress.n_told + stress.n_cancelled,
		     (N_LOOPS * N_TASKS + N_PLAIN) * N_ROUNDS);
	cr_expect_eq(weft_executor_close(stress.pool, 10 * WEFT_SEC), 0);
}

Test(stress, each_job_runs_once_or_not_at_all)
{
	static const struct weft_thread_pool_options pools[] = {
		{ .min_threads = 1, .max_threads = 1 },
		{ .min_threads = 1, .max_threads = 6, .queue_limit = 8 },
		{ .min_threads = 2, .max_threads = 4, .idle_ns = WEFT_MSEC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pools); i++)
		run_stress(&pools[i]);
}
