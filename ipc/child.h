/*
 * A child process, held by its pidfd.
 *
 * Numbers of processes are used again, descriptors of processes are not: signals and
 * waiting go through the pidfd only, so a signal never hits a stranger and no wait takes
 * the status of a child that is somebody else's. Nothing here waits for "any child". One
 * thread at a time per child.
 */
#ifndef WEFT_IPC_CHILD_H
#define WEFT_IPC_CHILD_H

#include "base/base.h"

struct weft__child {
	pid_t pid; /* to be shown, never to be signalled */
	int pidfd; /* owned; -1 once reaped. Readable when the process has ended */
};

/* How a process ended. */
struct weft__child_end {
	int code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: somebody else took it */
	int status; /* exit status, or the signal */
};

/* Return: 0; -ESRCH if the process has ended. */
int weft__child_signal(const struct weft__child *child, int signo);

/*
 * weft__child_reap() - take the status of a process that has ended, and close its pidfd
 * @child: not reaped yet
 * @end:   receives how it ended
 *
 * Return: 1 if it has ended, 0 if it still runs. Never waits.
 */
int weft__child_reap(struct weft__child *child, struct weft__child_end *end);

/* weft__child_reap() that waits until the process has ended. */
void weft__child_wait(struct weft__child *child, struct weft__child_end *end);

/* "exited with status 3", "was killed by SIGKILL", ... Return: buffer. */
const char *weft__child_end_text(const struct weft__child_end *end, char *buffer,
				 size_t size);

#endif
