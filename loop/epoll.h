/*
 * The epoll poller, inside: what its files share.
 *
 * A table by descriptor number says whom an event is for. Each entry has a generation,
 * which is part of the event, so one that was fetched before its descriptor was removed
 * goes nowhere, also when the number is in use again. Loop thread, but for the wake-up,
 * which is the loop's eventfd.
 */
#ifndef WEFT_LOOP_EPOLL_H
#define WEFT_LOOP_EPOLL_H

#include <sys/epoll.h>

#include "loop/poller.h"

struct epoll_entry {
	struct descriptor *descriptor; /* NULL: free */
	uint32_t generation;
	bool first; /* served before the others of a batch */
};

struct epoll_poller {
	int epoll_fd;
	int timer_fd; /* where epoll_pwait2() is missing; else -1 */
	struct epoll_entry *table;
	size_t n_entries;
	size_t n_registered;
	size_t n_first;
};

struct epoll_poller *weft__epoll_of(weft_loop *loop);

/* The table. A claimed number has an owner; that costs no system call. */
int weft__epoll_claim(struct epoll_poller *poller, struct descriptor *descriptor);
void weft__epoll_release(struct epoll_poller *poller, struct descriptor *descriptor);

/* The kernel's interest list. `events` as of epoll_ctl(2). Return: 0 or a negative errno.
 */
int weft__epoll_add(struct epoll_poller *poller, struct descriptor *descriptor,
		    uint32_t events);
int weft__epoll_modify(struct epoll_poller *poller, struct descriptor *descriptor,
		       uint32_t events);
void weft__epoll_remove(struct epoll_poller *poller, struct descriptor *descriptor);

#endif
