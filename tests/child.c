/*
 * A function in a child process, with what it writes to stderr. See tests/child.h.
 */
#include "tests/child.h"

#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

/* A sanitizer's slowness is what the tests' own limit is multiplied for. */
#define LIMIT (TEST_TIMEOUT / 2 * WEFT_SEC)

_Noreturn static void in_child(int (*fn)(void *), void *arg, int output)
{
	static const struct rlimit no_core = { 0 };
	sigset_t none;
	int status;

	(void)setrlimit(RLIMIT_CORE, &no_core);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	close(output);
	status = fn(arg);
	fflush(NULL);
	_exit(status);
}

/* Reads until the child and all that it started have closed their end. */
static void collect(struct child *child, int fd, pid_t pid)
{
	weft_time deadline = weft__clock() + LIMIT;
	size_t size = 0;
	bool killed = false;
	char more[512];

	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		weft_time left = deadline - weft__clock();
		ssize_t n;

		if (left <= 0 && !killed) {
			kill(pid, SIGKILL);
			killed = true;
		}
		if (poll(&poll_fd, 1, killed ? 1000 : (int)(left / WEFT_MSEC) + 1) == 0) {
			if (killed)
				break;
			continue;
		}
		n = read(fd, more, sizeof(more));
		if (n <= 0)
			break;
		n = MIN(n, (ssize_t)(sizeof(child->text) - 1 - size));
		memcpy(child->text + size, more, (size_t)n);
		size += (size_t)n;
	}
	child->text[size] = '\0';
}

void child_run(struct child *child, int (*fn)(void *), void *arg)
{
	int ends[2];
	pid_t pid;

	fflush(NULL);
	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	cr_assert_ge(pid, 0);
	if (pid == 0) {
		close(ends[0]);
		in_child(fn, arg, ends[1]);
	}
	close(ends[1]);
	collect(child, ends[0], pid);
	close(ends[0]);
	cr_assert_eq(waitpid(pid, &child->status, 0), pid);
}

void expect_signal(int (*fn)(void *), void *arg, int signo, const char *text,
		   const char *name)
{
	struct child child;

	child_run(&child, fn, arg);
	cr_expect(WIFSIGNALED(child.status) && WTERMSIG(child.status) == signo,
		  "%s: ended with status %x instead of signal %d, saying: %s", name,
		  child.status, signo, child.text);
	cr_expect(strstr(child.text, text) != NULL, "%s: \"%s\" instead of \"%s\"", name,
		  child.text, text);
}

void expect_assertion(int (*fn)(void *), void *arg, const char *text)
{
	expect_signal(fn, arg, SIGABRT, text, text);
}
