/*
 * Tests that are tasks on virtual time.
 *
 *	TaskTest(lock, is_handed_over_in_order)
 *	{
 *		...waits, spawns, checks...
 *	}
 *
 * runs the body as the main task of weft_test_run(), first in the order of a normal loop,
 * then with N_SEEDS seeds, each of which lets ready tasks go in another order; WEFT_TEST_SEEDS
 * in the environment is another number of them, WEFT_TEST_SEED a single one, as a failure
 * names it. What must only hold in normal order is a TaskTestInOrder(). The test fails if the library reports
 * anything, unless the body has called expect_reports().
 */
#ifndef WEFT_TESTS_TASK_TEST_H
#define WEFT_TESTS_TASK_TEST_H

#include <weft/group.h>
#include <weft/queue.h>
#include <weft/sync.h>
#include <weft/task.h>
#include <weft/test.h>
#include <weft/timeout.h>

#include "tests/reports.h"
#include "tests/test.h"

#define N_SEEDS 20

/* The body in normal order, then with each seed; with n_seeds = 0 in normal order only. */
void test_with_seeds(void (*body)(void), int n_seeds);

#define TASK_TEST(suite_, name_, n_seeds_, ...)                     \
	static void suite_##_##name_##_task(void);                  \
	Test(suite_, name_, __VA_ARGS__)                            \
	{                                                           \
		test_with_seeds(suite_##_##name_##_task, n_seeds_); \
	}                                                           \
	static void suite_##_##name_##_task(void)

#define TaskTest(suite_, name_, ...)	    TASK_TEST(suite_, name_, N_SEEDS, __VA_ARGS__)
#define TaskTestInOrder(suite_, name_, ...) TASK_TEST(suite_, name_, 0, __VA_ARGS__)

/* The body looks at the reports of its run itself. */
void expect_reports(void);

/* ---- Small bodies that many tests need ---- */

/* Sleeps for as long as arg (a weft_time) says and returns what that returned. */
int sleep_for(void *arg);
/* Waits until it is cancelled, however long that takes. */
int sleep_forever(void *arg);
/* Returns the number that arg points to, at once. */
int return_number(void *arg);

/* Lets n turns pass; a test ends here if that is cut short. */
void pass_turns(int n);
/* Lets a span of virtual time pass, likewise. */
void pass_time(weft_time span);
/* How many requests to cancel the calling task are outstanding. */
int requests(void);
/* Starts a task, or ends the test. */
weft_task *start(weft_fn *fn, void *arg);

#endif
