/*
 * Tests of ipc/signals.c.
 */
#include "ipc/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
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

/* In the background of a terminal that does not want that: what writing there comes to. */
static int write_from_background(int terminal)
{
	static const int more_and_less[] = { SIGTTIN, SIGTTOU };
	struct weft__signals signals;

	if (setpgid(0, 0) < 0 || weft__signals_open(&signals, more_and_less, 2) < 0)
		return 1;
	if (write(terminal, "x", 1) >= 0 || errno != EINTR)
		return 2;
	if (weft__signals_next(&signals) != 0)
		return 3; /* nobody has asked for anything */
	if (raise(SIGTTOU) != 0 || weft__signals_next(&signals) != SIGTTOU)
		return 4;
	return 0;
}

/* A session with such a terminal. */
static int lead_session(const char *name)
{
	struct termios settings;
	int terminal, status;
	pid_t pid;

	if (setsid() < 0)
		return 11;
	terminal = open(name, O_RDWR | O_CLOEXEC);
	if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0 ||
	    tcgetattr(terminal, &settings) < 0)
		return 12;
	settings.c_lflag |= TOSTOP;
	if (tcsetattr(terminal, TCSANOW, &settings) < 0)
		return 13;
	pid = fork();
	if (pid == 0) {
		(void)alarm(20); /* if it writes for ever */
		_exit(write_from_background(terminal));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 14;
	return WEXITSTATUS(status);
}

Test(signals, of_the_terminal_are_no_orders)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	pid_t pid;

	if (master < 0)
		cr_skip_test("there are no terminals here");
	cr_assert_eq(grantpt(master), 0);
	cr_assert_eq(unlockpt(master), 0);
	pid = fork();
	if (pid == 0)
		_exit(lead_session(ptsname(master)));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 0, "%d", WEXITSTATUS(status));
	close(master);
}
