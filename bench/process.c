/*
 * Child processes; see process.h.
 *
 * Only the main thread of a process that has no others yet starts children, so fork() is
 * safe.
 */
#include "bench/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child, between fork() and exec(). */
static _Noreturn void become(char *const argv[], int out_fd, int place)
{
	(void)prctl(PR_SET_PDEATHSIG,
		    SIGKILL); /* without it the child only outlives a crash */
	bench_pin(place);
	if (dup2(out_fd, STDOUT_FILENO) >= 0)
		execvp(argv[0], argv);
	_exit(127);
}

int bench_process_start(struct bench_process *process, char *const argv[], int place)
{
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become(argv, fds[1], place);
	r = -errno;
	(void)close(fds[1]); /* the child's end */
	if (pid < 0) {
		(void)close(fds[0]); /* nothing was written to it */
		return r;
	}
	process->pid = pid;
	process->out_fd = fds[0];
	return 0;
}

ssize_t bench_process_read(struct bench_process *process, char *buffer, size_t size,
			   weft_time limit_ns)
{
	weft_time end = weft__clock() + limit_ns;
	size_t have = 0;

	while (have < size - 1) {
		struct pollfd poll_fd = { .fd = process->out_fd, .events = POLLIN };
		weft_time left = end - weft__clock();
		ssize_t n;

		if (left <= 0 || poll(&poll_fd, 1, (int)(left / WEFT_MSEC) + 1) == 0)
			return -ETIMEDOUT;
		n = read(process->out_fd, buffer + have, size - 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	buffer[have] = '\0';
	return (ssize_t)have;
}

int bench_process_port(struct bench_process *process)
{
	weft_time limit = 10 * WEFT_SEC;
	char line[256];
	size_t have = 0;
	const char *colon;

	for (;;) {
		/* byte by byte: what follows the line is not ours to take */
		ssize_t n = bench_process_read(process, line + have, 2, limit);

		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		if (line[have] == '\n')
			break;
		if (++have == sizeof(line) - 2)
			return -EMSGSIZE;
	}
	line[have] = '\0';
	colon = strrchr(line, ':');
	return colon ? (int)strtol(colon + 1, NULL, 10) : -EINVAL;
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int bench_process_wait(struct bench_process *process, struct rusage *usage)
{
	int status = 0;

	while (wait4(process->pid, &status, 0, usage) < 0) {
		if (errno != EINTR)
			return 127;
	}
	(void)close(process->out_fd); /* was only read */
	return status_of(status);
}

int bench_process_stop(struct bench_process *process)
{
	weft_time end = weft__clock() + 2 * WEFT_SEC;
	siginfo_t info = { .si_pid = 0 };

	(void)kill(process->pid, SIGTERM); /* it may have ended by itself */
	while (weft__clock() < end) {
		if (waitid(P_PID, (id_t)process->pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid != 0)
			break;
		(void)poll(NULL, 0, 1); /* a pause; nobody waits for this */
	}
	(void)kill(process->pid, SIGKILL); /* no effect on one that has ended */
	return bench_process_wait(process, NULL);
}

bool bench_process_succeeds(const char *const argv[])
{
	const char *quiet[16] = { "sh", "-c", "exec \"$@\" 2>/dev/null", "sh" };
	struct bench_process process;
	char text[256];

	for (size_t i = 0; argv[i] && i < 11; i++)
		quiet[4 + i] = argv[i];
	if (bench_process_start(&process, (char *const *)(uintptr_t)quiet,
				BENCH_ANYWHERE) < 0)
		return false;
	if (bench_process_read(&process, text, sizeof(text), 60 * WEFT_SEC) < 0) {
		(void)bench_process_stop(&process); /* too late, however it ended */
		return false;
	}
	return bench_process_wait(&process, NULL) == 0;
}

const char *bench_program(void)
{
	static char path[4096];
	ssize_t n;

	if (path[0])
		return path;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n <= 0)
		bench_die("readlink /proc/self/exe: %s", strerror(errno));
	return path;
}
