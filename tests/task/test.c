/*
 * Testing on a virtual clock: what weft_test_run() promises to whoever tests with it.
 */
#include <unistd.h>

#include <weft/executor.h>

#include "tests/reports.h"
#include "tests/task_test.h"

static void want_seed(const char *seed)
{
	if (seed)
		cr_assert_eq(setenv("WEFT_SEED", seed, 1), 0);
	else
		cr_assert_eq(unsetenv("WEFT_SEED"), 0);
}

/* ---- The clock ---- */

static int sleep_for_years(void *arg)
{
	weft_time start = weft_now();

	(void)arg;
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(weft_sleep(24 * 60 * WEFT_MIN), 0);
	cr_expect_eq(weft_now() - start, 1000 * 24 * 60 * WEFT_MIN);
	return 5;
}

Test(test_clock, jumps_to_the_next_deadline_when_everything_waits)
{
	weft_time start = weft__clock();

	cr_expect_eq(weft_test_run(sleep_for_years, NULL, NULL), 5);
	cr_expect_lt(weft__clock() - start, TEST_TIMEOUT / 2 * WEFT_SEC);
}

static int work_for_a_while(void *arg)
{
	weft_time start = weft_now(), end = weft__clock() + 2 * WEFT_MSEC;

	(void)arg;
	while (weft__clock() < end)
		cr_assert_eq(weft_yield(), 0);
	cr_expect_eq(weft_now(), start);
	return 0;
}

Test(test_clock, stands_still_while_something_can_run)
{
	cr_expect_eq(weft_test_run(work_for_a_while, NULL, NULL), 0);
}

static int job(void *arg)
{
	usleep(1000);
	return *(int *)arg;
}

/* The clock could jump to the limit, and then no job would ever be in time. */
static int await_a_job(void *arg)
{
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, WEFT_NSEC);
	return weft_timeout_end(&timeout, weft_run_in_executor(NULL, job, arg));
}

Test(test_clock, waits_for_jobs)
{
	int n = 8;

	cr_expect_eq(weft_test_run(await_a_job, &n, NULL), 8);
}

static int wait_for_nobody(void *arg)
{
	weft_future *future;
	int r = weft_future_new(&future);

	(void)arg;
	if (r == 0) {
		r = weft_future_await(future);
		weft_future_unref(future);
	}
	return r;
}

Test(test_run, in_which_nothing_can_happen_any_more_ends_with_a_sentence)
{
	want_seed(NULL);
	reports_begin();
	cr_expect_eq(weft_test_run(wait_for_nobody, NULL, NULL), -EDEADLK);
	cr_expect(strstr(weft_error_text(-EDEADLK), "everything waits"), "%s",
		  weft_error_text(-EDEADLK));
}

/* ---- Seeds ---- */

enum { N_TASKS = 8 };

struct order {
	int n;
	char text[4 * N_TASKS + 1];
};

struct runner {
	struct order *order;
	char name;
};

static int note_twice(void *arg)
{
	struct runner *runner = arg;
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		runner->order->text[runner->order->n++] = runner->name;
		r = weft_yield();
	}
	return r;
}

static int run_all(void *arg)
{
	struct order *order = arg;
	struct runner runners[N_TASKS];
	struct weft_group group;

	*order = (struct order){ 0 };
	weft_group_begin(&group);
	for (int i = 0; i < N_TASKS; i++) {
		runners[i] = (struct runner){ .order = order, .name = (char)('a' + i) };
		weft_group_spawn(&group, note_twice, &runners[i]);
	}
	return weft_group_end(&group, 0);
}

static struct order order_of(uint64_t seed)
{
	struct weft_test_options options = { .seed = seed };
	struct order order;

	cr_assert_eq(weft_test_run(run_all, &order, &options), 0);
	return order;
}

Test(seed, that_is_none_keeps_the_order_of_a_normal_loop)
{
	want_seed(NULL);
	cr_expect_str_eq(order_of(0).text, "abcdefghabcdefgh");
}

Test(seed, shuffles_and_repeats_its_order)
{
	struct order orders[20];
	int n_equal = 0;

	want_seed(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		orders[i] = order_of(i + 1);
		cr_expect_str_eq(orders[i].text, order_of(i + 1).text, "seed %d",
				 (int)i + 1);
		for (size_t k = 0; k < i; k++)
			n_equal += strcmp(orders[i].text, orders[k].text) == 0;
	}
	cr_expect_lt(n_equal, 3, "%d of 190 pairs are equal", n_equal);
}

/* Fails where the last task goes first. */
static int fail_sometimes(void *arg)
{
	int *n_runs = arg;
	struct order order;
	int r = run_all(&order);

	(*n_runs)++;
	cr_expect_gt(weft_test_seed(), 0);
	return r < 0		      ? r
	       : order.text[0] == 'h' ? weft_error_set(-EIO, "h came first")
				      : 0;
}

Test(seed, that_fails_is_named_and_repeated_by_the_environment)
{
	struct weft_test_options options = { .seed = 1, .n_seeds = 1000 };
	int n_runs = 0, n_again = 0;
	char text[256], number[24];
	const char *at;

	want_seed(NULL);
	cr_assert_eq(weft_test_run(fail_sometimes, &n_runs, &options), -EIO);
	snprintf(text, sizeof(text), "%s", weft_error_text(-EIO));
	at = strstr(text, "WEFT_SEED=");
	cr_assert(at, "%s", text);
	snprintf(number, sizeof(number), "%d", n_runs);
	cr_expect_eq(atoi(at + 10), n_runs, "seeds are counted from 1: %s", text);

	want_seed(number);
	cr_expect_eq(weft_test_run(fail_sometimes, &n_again, &options), -EIO);
	cr_expect_eq(n_again, 1);
	cr_expect_str_eq(weft_error_text(-EIO), text);
	cr_expect_eq(weft_test_seed(), 0, "it is over");
}

/* ---- What is left, and what makes no sense ---- */

static void on_readable(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

static int leave_a_reader(void *arg)
{
	return weft_loop_add_reader(weft_loop_current(), *(int *)arg, on_readable, NULL);
}

Test(test_run, that_leaves_something_open_fails_and_reports_it)
{
	int ends[2];

	reports_begin();
	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(weft_test_run(leave_a_reader, &ends[0], NULL), -EBUSY);
	cr_expect(strstr(weft_error_text(-EBUSY), "left 1 things open"), "%s",
		  weft_error_text(-EBUSY));
	cr_expect_eq(reports_count(), 1);
	close(ends[0]);
	close(ends[1]);
}

static int spawn_one(void *arg)
{
	int r = weft_spawn(return_number, arg, NULL);

	return r < 0 ? r : weft_yield();
}

Test(test_run, lets_each_allocation_fail)
{
	struct weft_test_options options = { 0 };
	int n = 0, r = -ENOMEM;

	while (r == -ENOMEM && options.fail_allocation < 100) {
		options.fail_allocation++;
		r = weft_test_run(spawn_one, &n, &options);
	}
	cr_expect_eq(r, 0);
	cr_expect_gt(options.fail_allocation, 3);
}

static int test_inside(void *arg)
{
	cr_expect_eq(weft_test_run(return_number, arg, NULL), -EBUSY);
	return 0;
}

Test(test_run, is_refused_inside_a_run_and_with_options_that_make_no_sense)
{
	struct weft_test_options negative = { .n_seeds = -1 };
	struct weft_test_options reserved = { .reserved = { 1 } };
	int n = 3;

	cr_expect_eq(weft_run(test_inside, &n), 0);
	cr_expect_eq(weft_test_run(return_number, &n, &negative), -EINVAL);
	cr_expect_eq(weft_test_run(return_number, &n, &reserved), -EINVAL);
	cr_expect_eq(weft_test_turns(1), -EPERM);
}
