/*
 * The threads of a pool: how many there are, and what happens when the system refuses one.
 */
#include <weft/group.h>

#include "executor/pool.h"
#include "tests/executor/gate.h"
#include "tests/test.h"

static int n_threads(weft_executor *pool)
{
	struct pool_counts counts;

	weft__pool_count(pool, &counts);
	return counts.n_threads;
}

static int pass(void *arg)
{
	(void)arg;
	return 0;
}

static int submit_and_wait(weft_executor *pool, weft_fn *fn, void *arg)
{
	weft_future *future;
	int r = weft_executor_submit(pool, fn, arg, NULL, &future);

	if (r < 0)
		return r;
	r = weft_future_wait(future, WEFT_FOREVER);
	if (r == 0)
		r = weft_future_result(future);
	weft_future_unref(future);
	return r;
}

Test(thread, a_pool_that_is_not_used_has_none)
{
	weft_executor *pool = new_pool(NULL);

	cr_expect_eq(n_threads(pool), 0);
	cr_expect_eq(submit_and_wait(pool, pass, NULL), 0);
	cr_expect_eq(n_threads(pool), 1);
	cr_expect_eq(weft_executor_close(pool, 0), 0);
}

/* ---- Growing and shrinking ---- */

struct crowd {
	weft_executor *pool;
	struct gate gate;
	int n;
};

static int run_gate(void *arg)
{
	struct crowd *crowd = arg;

	return weft_run_in_executor(crowd->pool, gate_pass, &crowd->gate);
}

static int fill(void *arg)
{
	struct crowd *crowd = arg;
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	for (int i = 0; i < crowd->n; i++)
		weft_group_spawn(&group, run_gate, crowd);
	gate_await_inside(&crowd->gate, MIN(crowd->n, 16));
	r = weft_sleep(2 * WEFT_MSEC);
	cr_expect_eq(gate_n_inside(&crowd->gate), MIN(crowd->n, 16));
	cr_expect_ge(n_threads(crowd->pool), MIN(crowd->n, 16));
	cr_expect_le(n_threads(crowd->pool), 16);
	gate_open(&crowd->gate);
	return weft_group_end(&group, r);
}

static bool is_small_again(void *arg)
{
	return n_threads(((struct crowd *)arg)->pool) == 2;
}

Test(thread, a_pool_grows_to_its_maximum_and_shrinks_to_its_minimum)
{
	static const struct {
		const char *name;
		int n;
	} cases[] = {
		{ "one for each job", 10 },
		{ "as many as there are jobs", 16 },
		{ "more jobs than threads", 40 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_thread_pool_options options = { .min_threads = 2,
							    .max_threads = 16,
							    .idle_ns = 10 * WEFT_MSEC };
		struct crowd crowd = { .pool = new_pool(&options),
				       .gate = GATE_INIT,
				       .n = cases[i].n };

		run_task(fill, &crowd);
		cr_expect_eq(crowd.gate.n_out, cases[i].n, "%s", cases[i].name);
		await_condition(is_small_again, &crowd, cases[i].name);
		cr_expect_eq(weft_executor_close(crowd.pool, WEFT_SEC), 0);
	}
}

static void *submit_many(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < crowd->n; i++) {
		if (weft_executor_submit(crowd->pool, gate_pass, &crowd->gate, NULL,
					 NULL) < 0)
			cr_expect_fail("refused");
	}
	return NULL;
}

Test(thread, a_pool_grows_for_plain_threads_too)
{
	struct weft_thread_pool_options options = { .max_threads = 8 };
	struct crowd crowd = { .pool = new_pool(&options), .gate = GATE_INIT, .n = 20 };

	(void)submit_many(&crowd);
	gate_await_inside(&crowd.gate, 8);
	gate_open(&crowd.gate);
	cr_expect_eq(weft_executor_close(crowd.pool, 10 * WEFT_SEC), 0);
	cr_expect_eq(crowd.gate.n_out, 20);
}

/* ---- Refused by the system ---- */

static int run_refused(void *arg)
{
	weft_executor *pool = arg;
	int r = weft_run_in_executor(pool, pass, NULL);

	cr_expect_eq(r, -EAGAIN);
	cr_expect_str_eq(weft_error_text(r),
			 "pool \"exec\" has no thread, and the system "
			 "refuses to give it one: Resource temporarily "
			 "unavailable");
	cr_expect_eq(weft_run_in_executor_owned(pool, pass, NULL, NULL), -EAGAIN);
	weft__refuse_threads(0);
	cr_expect_eq(weft_run_in_executor(pool, pass, NULL), 0, "and tries again");
	return 0;
}

Test(thread, without_any_thread_a_job_fails_with_what_the_system_said)
{
	weft_executor *pool = new_pool(NULL);
	int r;

	weft__refuse_threads(-EAGAIN);
	r = submit_and_wait(pool, pass, NULL);
	cr_expect_eq(r, -EAGAIN);
	cr_expect_not_null(strstr(weft_error_text(r), "has no thread"), "%s",
			   weft_error_text(r));
	run_task(run_refused, pool);
	cr_expect_eq(n_threads(pool), 1);
	cr_expect_eq(weft_executor_close(pool, WEFT_SEC), 0);
}

Test(thread, with_a_thread_the_pool_goes_on_smaller_and_tries_again)
{
	struct weft_thread_pool_options options = { .name = "small", .max_threads = 4 };
	struct crowd crowd = { .pool = new_pool(&options), .gate = GATE_INIT, .n = 5 };
	const char *reports;

	cr_expect_eq(submit_and_wait(crowd.pool, pass, NULL), 0);
	reports_begin();
	weft__refuse_threads(-EAGAIN);
	(void)submit_many(&crowd);
	gate_await_inside(&crowd.gate, 1);
	cr_expect_eq(n_threads(crowd.pool), 1);

	weft__refuse_threads(0);
	gate_await_inside(&crowd.gate, 4); /* although nobody submits, or comes back */
	gate_open(&crowd.gate);
	gate_await_out(&crowd.gate, 5);
	reports = reports_end();
	cr_expect_str_eq(reports,
			 "pool \"small\" goes on with 1 thread, since the system "
			 "refuses another one: Resource temporarily unavailable\n",
			 "once");
	cr_expect_eq(weft_executor_close(crowd.pool, WEFT_SEC), 0);
}
