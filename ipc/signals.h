/*
 * The signals of a process as bytes in a pipe.
 *
 * For the one thread of a supervisor, which waits for descriptors. A handler writes the
 * number into a pipe; so no signal has to be blocked in threads that are not ours, as a
 * signalfd would need. Dispositions belong to the whole process, so there is one of these
 * at a time.
 */
#ifndef WEFT_IPC_SIGNALS_H
#define WEFT_IPC_SIGNALS_H

#include "base/base.h"

#include <signal.h>

#define WEFT__SIGNALS_MAX 16

struct weft__signals {
	int fd; /* readable when a signal has come; non-blocking; owned */
	int numbers[WEFT__SIGNALS_MAX];
	struct sigaction before[WEFT__SIGNALS_MAX]; /* to be given back */
	size_t n;
	sigset_t mask_before;
};

/*
 * weft__signals_open() - take over some signals
 * @signals: receives them; given back with weft__signals_close() by the same thread
 * @numbers: which
 * @n:       up to WEFT__SIGNALS_MAX
 *
 * Return: 0; -EBUSY if somebody in this process has them; or why there is no pipe. With a
 * sentence.
 */
int weft__signals_open(struct weft__signals *signals, const int *numbers, size_t n);
void weft__signals_close(struct weft__signals *signals);

/* Return: the next signal that came; 0 if there is none. */
int weft__signals_next(struct weft__signals *signals);

#endif
