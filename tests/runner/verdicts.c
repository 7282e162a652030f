/*
 * Not a test: a program whose tests are known to pass, fail or be skipped, as their names
 * say. verdicts.sh compares that with what the runner makes of them.
 */
#include "tests/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int descriptor = -1;

static void open_descriptor(void)
{
	descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void close_descriptor(void)
{
	close(descriptor);
}

static void say_fini(void)
{
	fputs("fini was here\n", stderr);
}

Test(pass, checks_that_hold)
{
	static const char bytes[] = "abc";

	cr_assert(1 < 2);
	cr_assert_eq(1, 1, "with %s", "a message");
	cr_assert_neq(1, 2);
	cr_assert_lt(1, 2);
	cr_assert_le(2, 2);
	cr_assert_gt(2, 1);
	cr_assert_ge(2, 2);
	cr_assert_null(NULL);
	cr_assert_not_null(bytes);
	cr_assert_str_eq(bytes, "abc");
	cr_assert_str_neq(bytes, "abd");
	cr_assert_arr_eq(bytes, "abc", 3);
	cr_assert_float_eq(1.0, 1.05, 0.1);
	cr_expect_not(1 > 2);
}

Test(pass, ends_by_the_signal_that_was_said, .signal = SIGKILL)
{
	raise(SIGKILL);
}

Test(pass, exits_as_was_said, .exit_code = 7)
{
	exit(7);
}

Test(pass, descriptor_from_init_to_fini, .init = open_descriptor,
     .fini = close_descriptor)
{
	cr_assert_ge(descriptor, 0);
}

Test(pass, descriptor_that_the_process_keeps)
{
	open_descriptor();
	test_keep_open();
}

Test(skip, with_a_reason)
{
	cr_skip_test("because of %d", 42);
}

Test(skip, disabled, .disabled = true)
{
	abort();
}

Test(fail, assert_ends_the_test, .fini = say_fini)
{
	cr_assert_eq(1, 2, "expected %d", 2);
	_exit(EXIT_SUCCESS);
}

Test(fail, expect_goes_on)
{
	cr_expect_str_eq("a", "b");
	cr_expect(true);
}

Test(fail, crashes)
{
	raise(SIGKILL);
}

Test(fail, lacks_its_signal, .signal = SIGKILL)
{
}

Test(fail, lacks_its_exit_status, .exit_code = 7)
{
	exit(8);
}

Test(fail, hangs, .timeout = 0.5)
{
	for (;;)
		pause();
}

Test(fail, leaks_a_descriptor)
{
	open_descriptor();
}

Test(fail, leaks_a_descriptor_in_fini, .fini = open_descriptor)
{
}

Test(fail, leaks_a_child)
{
	if (fork() == 0) {
		alarm(20); /* should nobody end it */
		for (;;)
			pause();
	}
}

Test(fail, leaks_a_child_that_has_ended)
{
	if (fork() == 0)
		_exit(EXIT_SUCCESS);
}

/* These pass unless a tool looks on. */

static void *volatile lost;

Test(report, leak_of_memory)
{
	lost = malloc(100);
	lost = NULL;
}

static int contended;

static void *count_up(void *arg)
{
	for (int i = 0; i < 100000; i++)
		(*(volatile int *)arg)++;
	return NULL;
}

Test(report, data_race)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, count_up, &contended), 0);
	count_up(&contended);
	pthread_join(thread, NULL);
}
