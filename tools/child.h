/*
 * A process of this program, started anew by a task and ended by it.
 *
 * Its stdout is a pipe to us. It has a process group of its own, so that a Ctrl-C in the
 * terminal reaches us alone and we end it in order; and what it starts in turn can be
 * ended with it.
 *
 * Belongs to the loop of the task that starts it.
 */
#ifndef WEFT_TOOLS_CHILD_H
#define WEFT_TOOLS_CHILD_H

#include <sys/types.h>

#include <weft/base.h>

struct child {
	pid_t pid; /* 0: not running */
	int pid_fd;
	int out_fd; /* what it writes to stdout */
	int status; /* as of waitpid(), once it has ended */
};

/*
 * Starts this program with other arguments; argv[0] may be anything. On failure there is
 * nothing to stop.
 */
int child_start(struct child *child, char *const argv[]);

/*
 * Waits for a line on its stdout, and gives it without its end; cut to `size`. Task; a
 * cancellation point. What it writes after the line may get lost.
 *
 * Return: 0; -ENODATA if it closed its stdout instead; -ECANCELED.
 */
int child_read_line(struct child *child, char *line, size_t size);

/* Waits until it has ended. Task; a cancellation point. Return: 0 or -ECANCELED. */
int child_wait(struct child *child);

/*
 * Ends it: SIGTERM, and after the grace SIGKILL for it and all of its group. Task. Does
 * nothing if it does not run. When this returns, it has ended.
 */
void child_stop(struct child *child, weft_time grace);

/* How it ended: "exit status 1", "signal 9 (Killed)". `text` is cut to `size`. */
void child_describe_end(const struct child *child, char *text, size_t size);

#endif
