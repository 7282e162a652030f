/*
 * A process of this program, started anew by a task and ended by it.
 *
 * posix_spawn() executes at once, so nothing of ours is inherited but the descriptors
 * named here: all others are close-on-exec. The end of the process is seen through a
 * pidfd, which names this process and no later one.
 */
#include "tools/child.h"

#include "tools/tool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/task.h>
#include <weft/timeout.h>

extern char **environ;

/* With a group of its own, an empty mask and the usual dispositions. */
static int spawn(pid_t *pid, int out_fd, char *const argv[])
{
	const short flags =
		POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r)
		goto destroy_actions;

	r = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	if (r)
		goto destroy_attributes;
	posix_spawnattr_setflags(&attributes, flags);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	r = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, argv, environ);
destroy_attributes:
	posix_spawnattr_destroy(&attributes);
destroy_actions:
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int child_start(struct child *child, char *const argv[])
{
	int fds[2];
	int r;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	r = spawn(&child->pid, fds[1], argv);
	(void)close(fds[1]);
	if (r < 0)
		goto close_pipe;

	child->pid_fd = pidfd_open(child->pid, 0);
	if (child->pid_fd < 0) {
		r = -errno;
		goto kill_child;
	}
	child->out_fd = fds[0];
	return 0;
kill_child:
	(void)kill(-child->pid, SIGKILL);
	(void)waitpid(child->pid, NULL, 0); /* it has been killed: this is short */
close_pipe:
	(void)close(fds[0]);
	child->pid = 0;
	return weft_error_wrap(r, "starting a process of this program");
}

int child_read_line(struct child *child, char *line, size_t size)
{
	size_t n = 0;

	for (;;) {
		char byte; /* one short line needs no buffer */
		ssize_t got = read(child->out_fd, &byte, 1);

		if (got == 0)
			return -ENODATA;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got < 0) {
			int r = weft_poll(child->out_fd, POLLIN);

			if (r < 0)
				return r;
			continue;
		}
		if (byte == '\n')
			break;
		if (n + 1 < size)
			line[n++] = byte;
	}
	line[n] = '\0';
	return 0;
}

/* Once it has ended, as the pidfd says, or was killed: takes its status, closes. */
static void reap(struct child *child)
{
	while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR)
		;
	(void)close(child->pid_fd);
	(void)close(child->out_fd);
	child->pid = 0;
}

int child_wait(struct child *child)
{
	int r;

	if (!child->pid)
		return 0;
	r = weft_poll(child->pid_fd, POLLIN);
	if (r < 0)
		return r;
	reap(child);
	return 0;
}

static int wait_for_end(void *arg)
{
	return child_wait(arg);
}

void child_stop(struct child *child, weft_time grace)
{
	if (!child->pid)
		return;
	/* Not reaped yet, so the number is still its own. */
	(void)kill(child->pid, SIGTERM);
	if (weft_wait_for(wait_for_end, child, grace) == 0)
		return;

	/* Not reaped, so the group's number is not anybody else's either. */
	(void)kill(-child->pid, SIGKILL);
	reap(child);
}

void child_describe_end(const struct child *child, char *text, size_t size)
{
	if (WIFSIGNALED(child->status))
		snprintf(text, size, "signal %d (%s)", WTERMSIG(child->status),
			 strsignal(WTERMSIG(child->status)));
	else
		snprintf(text, size, "exit status %d", WEXITSTATUS(child->status));
}
