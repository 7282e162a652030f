/*
 * The signals of a process as bytes in a pipe; see the header.
 *
 * The handler may run on any thread. The pipe holds thousands of signals; what does not
 * fit any more is dropped, as the kernel drops a signal that is pending already.
 *
 * SIGTTIN and SIGTTOU are orders only if a process sends them. The terminal sends them to
 * a process in the background that wants to read or, after "stty tostop", to write: those
 * are dropped, and end that call, since it would be tried again for ever.
 */
#include "ipc/signals.h"

#include <fcntl.h>
#include <unistd.h>

/* The end to write to; -1 while nobody has taken the signals over. */
static atomic_int pipe_fd = -1;

static bool is_about_terminal(int signo)
{
	return signo == SIGTTIN || signo == SIGTTOU;
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	/*
	 * Relaxed: set before the handler was installed, by a call that orders all
	 * memory.
	 */
	int fd = atomic_load_explicit(&pipe_fd, memory_order_relaxed);
	unsigned char byte = (unsigned char)signo;
	int saved = errno;

	(void)context;
	if (is_about_terminal(signo) && info->si_code == SI_KERNEL)
		return;
	if (fd >= 0)
		(void)!write(fd, &byte, 1); /* full: see above */
	errno = saved;
}

static void install(struct weft__signals *signals, const int *numbers, size_t n)
{
	struct sigaction action = { .sa_sigaction = on_signal };
	sigset_t ours;

	(void)sigfillset(&action.sa_mask);
	(void)sigemptyset(&ours);
	for (size_t i = 0; i < n; i++) {
		int r;

		action.sa_flags = SA_SIGINFO | SA_NOCLDSTOP;
		action.sa_flags |= is_about_terminal(numbers[i]) ? 0 : SA_RESTART;
		r = sigaction(numbers[i], &action, &signals->before[i]);
		weft_assert(r == 0, "signal %d cannot be handled: leave it out",
			    numbers[i]);
		(void)sigaddset(&ours, numbers[i]);
		signals->numbers[i] = numbers[i];
	}
	signals->n = n;
	/* Whoever started this process may have left them blocked. */
	(void)pthread_sigmask(SIG_UNBLOCK, &ours, &signals->mask_before);
}

int weft__signals_open(struct weft__signals *signals, const int *numbers, size_t n)
{
	int fds[2], nobody = -1;

	weft_assert(n <= WEFT__SIGNALS_MAX, "%zu signals: raise WEFT__SIGNALS_MAX", n);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return weft_error_set(-errno, "could not make a pipe for signals: %s",
				      strerror(errno));
	/* Relaxed: decides who may go on, nothing is published by it. */
	if (!atomic_compare_exchange_strong_explicit(&pipe_fd, &nobody, fds[1],
						     memory_order_relaxed,
						     memory_order_relaxed)) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return weft_error_set(
			-EBUSY, "this process has a supervisor already, and signals "
				"go to one only");
	}
	signals->fd = fds[0];
	install(signals, numbers, n);
	return 0;
}

void weft__signals_close(struct weft__signals *signals)
{
	int fd;

	(void)pthread_sigmask(SIG_SETMASK, &signals->mask_before, NULL);
	for (size_t i = signals->n; i-- > 0;)
		(void)sigaction(signals->numbers[i], &signals->before[i], NULL);
	/* Relaxed: no handler of ours runs on this thread any more. */
	fd = atomic_exchange_explicit(&pipe_fd, -1, memory_order_relaxed);
	(void)close(fd);
	(void)close(signals->fd);
	signals->fd = -1;
}

int weft__signals_next(struct weft__signals *signals)
{
	unsigned char byte;

	return read(signals->fd, &byte, 1) == 1 ? byte : 0;
}
