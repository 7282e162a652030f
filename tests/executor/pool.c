/*
 * Making pools, and the pool that the process shares.
 */
#include "executor/pool.h"

#include "executor/lane.h"
#include "tests/executor/gate.h"
#include "tests/test.h"

Test(pool, defaults)
{
	static const struct {
		const char *name;
		struct weft_thread_pool_options options;
		int min, max;
	} cases[] = {
		{ "none given", { .name = NULL }, 4, 64 },
		{ "a small maximum", { .max_threads = 2 }, 2, 2 },
		{ "a large minimum", { .min_threads = 100 }, 100, 100 },
		{ "both", { .min_threads = 3, .max_threads = 7 }, 3, 7 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_executor *pool = new_pool(&cases[i].options);

		cr_expect_eq(pool->min_threads, cases[i].min, "%s", cases[i].name);
		cr_expect_eq(pool->max_threads, cases[i].max, "%s", cases[i].name);
		cr_expect_eq(pool->queue_limit, 1024);
		cr_expect_eq(pool->idle_ns, 10 * WEFT_SEC);
		cr_expect_str_eq(pool->name, "exec");
		cr_expect_eq(weft_executor_close(pool, 0), 0);
	}
}

Test(pool, options_that_make_no_sense_are_refused)
{
	static const struct {
		const char *name;
		struct weft_thread_pool_options options;
	} cases[] = {
		{ "negative threads", { .max_threads = -1 } },
		{ "negative minimum", { .min_threads = -1 } },
		{ "too many threads", { .max_threads = 1025 } },
		{ "minimum above maximum", { .min_threads = 5, .max_threads = 4 } },
		{ "negative queue", { .queue_limit = -1 } },
		{ "an enormous queue", { .queue_limit = (1 << 20) + 1 } },
		{ "negative time", { .idle_ns = -1 } },
		{ "unknown way when full", { .when_full = (enum weft_when_full)7 } },
		{ "reserved", { .reserved = { 0, 1 } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_executor *pool = NULL;
		int r = weft_thread_pool_new(&cases[i].options, &pool);

		cr_expect_eq(r, -EINVAL, "%s", cases[i].name);
		cr_expect_null(pool, "%s", cases[i].name);
		cr_expect_not_null(strstr(weft_error_text(r), "weft_thread_pool_new()"));
	}
}

Test(pool, each_allocation_may_fail)
{
	weft_executor *pool = NULL;
	int nth, r;

	for (nth = 1;; nth++) {
		weft__fail_allocation(nth);
		r = weft_thread_pool_new(NULL, &pool);
		weft__fail_allocation(0);
		if (r == 0)
			break;
		cr_expect_eq(r, -ENOMEM);
		cr_expect_null(pool);
	}
	cr_expect_gt(nth, 3);
	cr_expect_eq(weft_executor_close(pool, 0), 0);
}

static int pass(void *arg)
{
	(void)arg;
	return 0;
}

static int run_without_memory(void *arg)
{
	weft_executor *pool = arg;
	int nth, r;

	for (nth = 1;; nth++) {
		weft__fail_allocation(nth);
		r = weft_run_in_executor(pool, pass, NULL);
		weft__fail_allocation(0);
		if (r == 0)
			break;
		cr_expect_eq(r, -ENOMEM);
	}
	cr_expect_gt(nth, 2, "lane and worker are made on first use");

	weft__fail_allocation(1);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(weft_run_in_executor(pool, pass, NULL), 0);
	cr_expect_eq(weft__allocations(), 0, "nothing is allocated afterwards");
	weft__fail_allocation(0);
	return 0;
}

Test(pool, a_job_needs_memory_only_the_first_time)
{
	weft_executor *pool = new_pool(NULL);

	run_task(run_without_memory, pool);
	cr_expect_eq(weft_executor_close(pool, WEFT_SEC), 0);
}

/* ---- Lanes ---- */

static int n_lanes(weft_executor *pool)
{
	return atomic_load(&pool->n_lanes);
}

static int run_once(void *arg)
{
	return weft_run_in_executor(arg, pass, NULL);
}

Test(pool, loops_that_come_one_after_the_other_share_a_lane)
{
	weft_executor *pool = new_pool(NULL);

	for (int i = 0; i < 5; i++)
		run_task(run_once, pool);
	cr_expect_eq(n_lanes(pool), 1);
	cr_expect_eq(weft_executor_close(pool, WEFT_SEC), 0);
}

enum { N_LOOPS = MAX_LANES + 3 };

struct crowd {
	weft_executor *pool;
	pthread_barrier_t all_use_it;
	atomic_int n_done;
};

static int run_beside_others(void *arg)
{
	struct crowd *crowd = arg;
	int r = weft_run_in_executor(crowd->pool, pass, NULL);

	pthread_barrier_wait(&crowd->all_use_it); /* it blocks this loop, on purpose */
	for (int i = 0; i < 10 && r == 0; i++)
		r = weft_run_in_executor(crowd->pool, pass, NULL);
	if (r == 0)
		atomic_fetch_add(&crowd->n_done, 1);
	pthread_barrier_wait(&crowd->all_use_it);
	return r;
}

static void *loop_thread(void *arg)
{
	return weft_run(run_beside_others, arg) == 0 ? NULL : arg;
}

Test(pool, loops_without_a_lane_use_the_common_queue)
{
	struct crowd crowd = { .pool = new_pool(NULL) };
	pthread_t threads[N_LOOPS];
	void *failed;

	pthread_barrier_init(&crowd.all_use_it, NULL, N_LOOPS);
	for (int i = 0; i < N_LOOPS; i++)
		pthread_create(&threads[i], NULL, loop_thread, &crowd);
	for (int i = 0; i < N_LOOPS; i++) {
		pthread_join(threads[i], &failed);
		cr_expect_null(failed);
	}
	cr_expect_eq(n_lanes(crowd.pool), MAX_LANES);
	cr_expect_eq(crowd.n_done, N_LOOPS);
	cr_expect_eq(weft_executor_close(crowd.pool, WEFT_SEC), 0);
}

static int use_many_pools(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		weft_executor *pool = new_pool(NULL);

		cr_expect_eq(weft_run_in_executor(pool, pass, NULL), 0);
		cr_expect_eq(weft_executor_close(pool, WEFT_SEC), 0);
	}
	return 0;
}

Test(pool, a_loop_forgets_pools_that_were_closed)
{
	run_task(use_many_pools, NULL);
}

/* ---- The shared one ---- */

static weft_executor *shared_pool(void)
{
	weft_executor *pool = NULL;
	int r = weft__pool_get(NULL, false, &pool);

	cr_expect_eq(r, 0);
	weft__pool_unref(pool); /* the process still holds it */
	return pool;
}

struct pair {
	pthread_barrier_t both_run;
	weft_executor *seen[2];
	int number;
};

static int meet(void *arg)
{
	struct pair *pair = arg;
	int me = __atomic_fetch_add(&pair->number, 1, __ATOMIC_SEQ_CST);
	int r = weft_run_in_executor(NULL, pass, NULL);

	pair->seen[me] = shared_pool();
	pthread_barrier_wait(&pair->both_run);
	return r;
}

static int outlive_another_runner(void *arg)
{
	weft_executor *before;
	pthread_t thread;
	int r = weft_run_in_executor(NULL, pass, NULL);

	before = shared_pool();
	pthread_create(&thread, NULL, arg, NULL);
	pthread_join(thread, NULL); /* a whole runner, while this loop uses the pool */
	cr_expect(shared_pool() == before, "it goes on");
	return r < 0 ? r : weft_run_in_executor(NULL, pass, NULL);
}

static void *short_runner(void *arg)
{
	(void)arg;
	cr_expect_eq(weft_run(run_once, NULL), 0);
	return NULL;
}

static void *meeting_runner(void *arg)
{
	cr_expect_eq(weft_run(meet, arg), 0);
	return NULL;
}

static int run_a_runner(void *arg)
{
	return weft_run(run_once, arg);
}

Test(pool, a_runner_in_a_job_does_not_wait_for_itself)
{
	weft_future *future;

	cr_assert_eq(weft_executor_submit(NULL, run_a_runner, NULL, NULL, &future), 0);
	cr_expect_eq(weft_future_wait(future, WEFT_FOREVER), 0);
	cr_expect_eq(weft_future_result(future), 0);
	weft_future_unref(future);
	run_task(run_once, NULL);
}

Test(pool, loops_share_the_pool_of_the_process)
{
	struct pair pair = { .number = 0 };
	pthread_t threads[2];

	pthread_barrier_init(&pair.both_run, NULL, 2);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, meeting_runner, &pair);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_expect(pair.seen[0] == pair.seen[1]);
}

Test(pool, the_shared_pool_ends_with_the_last_runner_that_uses_it)
{
	int r = weft_run(outlive_another_runner, short_runner);

	cr_expect_eq(r, 0);
}
