/*
 * Signalling and reaping a child process through its pidfd.
 *
 * The host may have told the kernel to reap children by itself (SIGCHLD ignored), or wait
 * for any child somewhere: then the status is gone, and ECHILD the sign that the process
 * has ended.
 */
#include "ipc/child.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Where a filter, or valgrind, does not let the call through. Nobody else can have the
 * number of a child of ours that was not reaped, and whether it was the pidfd knows.
 */
static int signal_by_number(const struct weft__child *child, int signo)
{
	siginfo_t info;

	if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return -ESRCH;
	return kill(child->pid, signo) == 0 ? 0 : -errno;
}

int weft__child_signal(const struct weft__child *child, int signo)
{
	if (child->pidfd < 0)
		return -ESRCH;
	if (syscall(SYS_pidfd_send_signal, child->pidfd, signo, NULL, 0) == 0)
		return 0;
	return errno == ENOSYS || errno == EPERM ? signal_by_number(child, signo)
						 : -errno;
}

static int reap(struct weft__child *child, struct weft__child_end *end, int flags)
{
	siginfo_t info = { .si_pid = 0 };
	int r;

	do
		r = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | flags);
	while (r < 0 && errno == EINTR);
	weft_assert(
		r == 0 || errno == ECHILD,
		"the pidfd of process %d was closed by somebody else: close only your own "
		"descriptors",
		(int)child->pid);
	if (r == 0 && info.si_pid == 0)
		return 0;
	*end = (struct weft__child_end){ .code = r == 0 ? info.si_code : 0,
					 .status = r == 0 ? info.si_status : 0 };
	(void)close(child->pidfd); /* nothing to lose */
	child->pidfd = -1;
	return 1;
}

int weft__child_reap(struct weft__child *child, struct weft__child_end *end)
{
	return reap(child, end, WNOHANG);
}

void weft__child_wait(struct weft__child *child, struct weft__child_end *end)
{
	(void)reap(child, end, 0); /* 1, since it waits */
}

const char *weft__child_end_text(const struct weft__child_end *end, char *buffer,
				 size_t size)
{
	const char *name = sigabbrev_np(end->status);

	if (end->code == CLD_EXITED)
		snprintf(buffer, size, "exited with status %d", end->status);
	else if (end->code == 0)
		snprintf(buffer, size,
			 "ended; something else in this process took its status");
	else if (name)
		snprintf(buffer, size, "was killed by SIG%s%s", name,
			 end->code == CLD_DUMPED ? " and left a core file" : "");
	else
		snprintf(buffer, size, "was killed by signal %d", end->status);
	return buffer;
}
