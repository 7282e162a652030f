/*
 * The bare inbox; see inbox.h.
 *
 * The head is the only word that both sides change, so coherence orders all of it: a
 * producer that finds the mark knows that the consumer saw an empty stack before it. The
 * consumer takes the mark back whenever it wakes.
 */
#include "bench/floor/inbox.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct floor_node asleep_mark;

#define ASLEEP (&asleep_mark)

int floor_inbox_init(struct floor_inbox *inbox)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	atomic_init(&inbox->head, NULL);
	inbox->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	inbox->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	inbox->spin_ns = 0;
	if (inbox->event_fd < 0 || inbox->epoll_fd < 0 ||
	    epoll_ctl(inbox->epoll_fd, EPOLL_CTL_ADD, inbox->event_fd, &event) < 0)
		return -errno; /* the sample ends here, and with it the descriptors */
	return 0;
}

void floor_inbox_push_chain(struct floor_inbox *inbox, struct floor_node *first,
			    struct floor_node *last)
{
	/* Relaxed: the exchange below checks what was read. */
	struct floor_node *head =
		atomic_load_explicit(&inbox->head, memory_order_relaxed);
	uint64_t one = 1;

	do {
		last->next = head == ASLEEP ? NULL : head;
		/* P1: releases the nodes to P2. Relaxed when it fails: tried again. */
	} while (!atomic_compare_exchange_weak_explicit(
		&inbox->head, &head, first, memory_order_release, memory_order_relaxed));
	if (head == ASLEEP && write(inbox->event_fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd that is never read has room for centuries */
}

static struct floor_node *reversed(struct floor_node *newest)
{
	struct floor_node *oldest = NULL;

	while (newest) {
		struct floor_node *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

struct floor_node *floor_inbox_take(struct floor_inbox *inbox)
{
	struct floor_node *newest;

	/* Relaxed: only a look whether the exchange is worth its price. */
	if (!atomic_load_explicit(&inbox->head, memory_order_relaxed))
		return NULL;
	/* P2: acquires what P1 released. */
	newest = atomic_exchange_explicit(&inbox->head, NULL, memory_order_acquire);
	return newest == ASLEEP ? NULL : reversed(newest);
}

struct floor_node *floor_inbox_wait(struct floor_inbox *inbox)
{
	struct floor_node *nodes = floor_inbox_take(inbox), *empty = NULL;
	weft_time end = inbox->spin_ns > 0 ? weft__clock() + inbox->spin_ns : 0;

	while (!nodes && inbox->spin_ns > 0 && weft__clock() < end) {
		for (int i = 0; i < 16 && !nodes; i++) {
			weft__cpu_relax();
			nodes = floor_inbox_take(inbox);
		}
	}
	while (!nodes) {
		struct epoll_event event;

		/* Relaxed: the mark carries no data; a producer that replaces it wakes
		 * us. */
		if (atomic_compare_exchange_strong_explicit(&inbox->head, &empty, ASLEEP,
							    memory_order_relaxed,
							    memory_order_relaxed))
			(void)epoll_wait(inbox->epoll_fd, &event, 1,
					 -1); /* or it woke early */
		empty = NULL;
		nodes = floor_inbox_take(inbox);
	}
	return nodes;
}
