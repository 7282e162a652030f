/*
 * Tests of ipc/signals.c.
 */
#include "ipc/signals.h"

#include <poll.h>
#include <unistd.h>

#include "tests/test.h"

static const int two[] = { SIGUSR1, SIGHUP };

Test(signals, come_out_of_the_descriptor_in_their_order)
{
	struct weft__signals signals;
	struct pollfd readable = { .events = POLLIN };

	cr_assert_eq(weft__signals_open(&signals, two, 2), 0);
	readable.fd = signals.fd;
	cr_expect_eq(poll(&readable, 1, 0), 0);
	cr_expect_eq(weft__signals_next(&signals), 0);
	raise(SIGHUP);
	raise(SIGUSR1);
	cr_expect_eq(poll(&readable, 1, 0), 1);
	cr_expect_eq(weft__signals_next(&signals), SIGHUP);
	cr_expect_eq(weft__signals_next(&signals), SIGUSR1);
	cr_expect_eq(weft__signals_next(&signals), 0);
	weft__signals_close(&signals);
}

static int n_handled;

static void on_signal(int signo)
{
	(void)signo;
	n_handled++;
}

Test(signals, are_given_back_as_they_were)
{
	struct weft__signals signals;
	struct sigaction after;
	sigset_t mask, before;

	signal(SIGUSR1, on_signal);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&before);
	sigaddset(&before, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &before, NULL);
	cr_assert_eq(weft__signals_open(&signals, two, 2), 0);
	raise(SIGHUP);
	cr_expect_eq(weft__signals_next(&signals), SIGHUP, "blocked and ignored before");
	weft__signals_close(&signals);
	raise(SIGUSR1);
	cr_expect_eq(n_handled, 1);
	sigaction(SIGHUP, NULL, &after);
	cr_expect_eq(after.sa_handler, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	cr_expect_eq(sigismember(&mask, SIGHUP), 1);
}

Test(signals, go_to_one_owner_at_a_time)
{
	struct weft__signals first, second;

	cr_assert_eq(weft__signals_open(&first, two, 2), 0);
	cr_expect_eq(weft__signals_open(&second, two, 2), -EBUSY);
	cr_expect_str_eq(
		weft_error_text(-EBUSY),
		"this process has a supervisor already, and signals go to one only");
	weft__signals_close(&first);
	cr_assert_eq(weft__signals_open(&second, two, 2), 0);
	weft__signals_close(&second);
}

Test(signals, flood_is_cut_and_does_not_block)
{
	struct weft__signals signals;
	int n = 0;

	cr_assert_eq(weft__signals_open(&signals, two, 2), 0);
	for (int i = 0; i < 100000; i++)
		raise(SIGUSR1);
	while (weft__signals_next(&signals) == SIGUSR1)
		n++;
	cr_expect_gt(n, 1000);
	raise(SIGHUP);
	cr_expect_eq(weft__signals_next(&signals), SIGHUP, "there is room again");
	weft__signals_close(&signals);
}

Test(signals, handler_keeps_errno)
{
	struct weft__signals signals;

	cr_assert_eq(weft__signals_open(&signals, two, 2), 0);
	for (int i = 0; i < 100000; i++) { /* until the pipe is full, and beyond */
		errno = ENOTTY;
		raise(SIGUSR1);
		cr_assert_eq(errno, ENOTTY);
	}
	weft__signals_close(&signals);
}
