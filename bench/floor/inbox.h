/*
 * The bare inbox: what other threads send to a loop.
 *
 * A stack that producers push to and the consumer takes whole, with a mark for "asleep"
 * in its head: the one producer that replaces the mark pays for the wake-up, an eventfd
 * that sits in an epoll set, edge-triggered, and is never read.
 *
 * floor_inbox_push() may be called by any thread, the rest by the consumer.
 */
#ifndef WEFT_BENCH_FLOOR_INBOX_H
#define WEFT_BENCH_FLOOR_INBOX_H

#include "base/base.h"

struct floor_node {
	struct floor_node *next;
	uint64_t value;
	uint64_t padding[2];
};

struct floor_inbox {
	alignas(CACHE_LINE) _Atomic(struct floor_node *) head;
	alignas(CACHE_LINE) int event_fd;
	int epoll_fd;
	weft_time spin_ns; /* how long to look before sleeping */
};

int floor_inbox_init(struct floor_inbox *inbox);

/* Pushes first … last, linked by next, last the newest. */
void floor_inbox_push_chain(struct floor_inbox *inbox, struct floor_node *first,
			    struct floor_node *last);
static inline void floor_inbox_push(struct floor_inbox *inbox, struct floor_node *node)
{
	floor_inbox_push_chain(inbox, node, node);
}

/* All that is there, the oldest first; NULL if nothing is. */
struct floor_node *floor_inbox_take(struct floor_inbox *inbox);

/* The same, but it spins and then sleeps until there is something. */
struct floor_node *floor_inbox_wait(struct floor_inbox *inbox);

#endif
