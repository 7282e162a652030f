/*
 * What ends a program is tried in a child process: an assertion, a signal, an overflow.
 */
#ifndef WEFT_TESTS_CHILD_H
#define WEFT_TESTS_CHILD_H

#include <sys/types.h>

/* How a child ended, and what it wrote to stderr: its first bytes, if it wrote more. */
struct child {
	int status; /* as waitpid() tells */
	char text[8192];
};

/*
 * Forks, calls fn(arg) and leaves by _exit(what it returned). Thread: the only one of its
 * process, before weft was used there (a child inherits nothing of it). Lasts until the
 * child has ended, at most TEST_TIMEOUT / 2 seconds: then SIGKILL is its end.
 */
void child_run(struct child *child, int (*fn)(void *), void *arg);

/* The same, and a check that an assertion ended it with a message that contains `text`. */
void expect_assertion(int (*fn)(void *), void *arg, const char *text);

/* The same, for any signal; `name` says which of several cases this is. */
void expect_signal(int (*fn)(void *), void *arg, int signo, const char *text,
		   const char *name);

#endif
