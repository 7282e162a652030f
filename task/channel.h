/*
 * Channels, inside the library; <weft/channel.h> has the model for callers.
 *
 * A channel is a ring of items and two lines of waiters, behind one short lock. Whoever can put or
 * get at once does so under the lock and, by the way, serves the first in the opposite line: an
 * item that comes goes straight to the first getter, a place that becomes free is filled by the
 * first putter. So while somebody waits to get the ring is empty, while somebody waits to put it is
 * full, nobody overtakes, and each waiter is woken once, for something that it has.
 *
 * A wait is one struct channel_wait on the stack of the task or thread that waits, with a place in
 * the line of each channel that it waits for: one for a put or get, several for a select. It is
 * ended by whoever claims it, once: a giver, who holds the lock of the channel in question; the
 * canceller, on the waiting task's own thread; or the waiting select itself, when it finds that a
 * later one of its cases can be done. This is the commit of J. Reppy, C. Russo and Y. Xiao,
 * "Parallel Concurrent ML", 2009: nobody ever holds the locks of two channels, so there is no
 * deadlock and no order to keep. Since a channel has at least one place, whether a put or get can
 * be done does not depend on claiming somebody else's wait; so a claim never has to be taken back,
 * which is what makes theirs harder.
 *
 * Who claimed a wait in order to give it something must wake it: a task on the giver's own thread
 * directly, one of another loop by the message that lies in the wait, a plain thread by its futex.
 * Until then wait and places stay where they are. The waiter takes its places out of all lines
 * before it returns; meanwhile a giver that comes across one whose wait is claimed passes it over.
 *
 *   C1  claim, relaxed: it decides who ends the wait and publishes nothing. The fields of the wait
 *       are published to a giver by the lock; what the giver writes, by the wake-up.
 *   C2  wake-up of a task: the inbox (I1 and I2), or the same thread.
 *   C3  wake-up of a thread: `told`, release, pairs with an acquire.
 *
 * A woken waiter may give the channel's last reference back, so a giver does not touch the channel
 * once it has released the lock; it wakes after that. tests/model/channel.pml explores all this.
 */
#ifndef WEFT_TASK_CHANNEL_H
#define WEFT_TASK_CHANNEL_H

#include <weft/channel.h>

#include "base/short_lock.h"
#include "task/task.h"

struct weft_channel {
	/* Set once. */
	size_t item_bytes;
	size_t n_max;
	struct weft_channel_options options;
	char *items;
	atomic_int references;
	/* Under the lock, and beside it: one cache line travels. */
	alignas(CACHE_LINE) struct short_lock lock;
	bool is_shut;
	size_t n_items;
	size_t head; /* where the first item is */
	struct list getters; /* struct channel_place, by link */
	struct list putters;
};

enum { WAIT_OPEN = 0, WAIT_CLAIMED };
enum { NOT_TOLD = 0, NOT_TOLD_ASLEEP, TOLD };

/* A place in line. */
struct channel_place {
	struct list link; /* under the channel's lock; also after the wait was claimed */
	struct channel_wait *wait;
	void *item; /* what is brought, or where to copy to */
};

struct channel_wait {
	_Atomic uint32_t state; /* C1 */
	struct channel_place *places; /* one for each case */
	/* Whoever claimed it, before the wake-up. */
	size_t chosen;
	int result;
	struct channel_wait *next_woken;
	/* A task that waits. */
	weft_loop *loop; /* NULL: a plain thread waits */
	struct park park;
	struct handle message; /* to its loop, from another thread */
	/* A thread that waits: a futex. */
	_Atomic uint32_t told;
};

/* Whose is the end of this wait? True: the caller's; then it wakes the wait if it sleeps. */
static inline bool channel_claim(struct channel_wait *wait)
{
	uint32_t open = WAIT_OPEN;

	/* C1. */
	return atomic_compare_exchange_strong_explicit(&wait->state, &open, WAIT_CLAIMED,
						       memory_order_relaxed,
						       memory_order_relaxed);
}

/* ---- Under the lock ---- */

/* Can a put or get be done, or refused for good, without waiting? */
static inline bool channel_is_ready(const struct weft_channel *channel, bool put)
{
	return channel->is_shut ||
	       (put ? channel->n_items < channel->n_max : channel->n_items > 0);
}

/*
 * Return: 0, -ESHUTDOWN, -EAGAIN. Whom it served is put on `woken`, for weft__channel_wake()
 * after the lock was released.
 */
int weft__channel_do(weft_channel *channel, bool put, void *item,
		     struct channel_wait **woken);

/* ---- Without the lock ---- */

void weft__channel_wake(struct channel_wait *woken);

/* May the caller wait, and do channel and size fit? */
int weft__channel_check_caller(const char *function);
int weft__channel_check_size(const weft_channel *channel, size_t size,
			     const char *function);

/* Waits until one of the cases was done, none of which could be a moment ago. */
int weft__channel_wait(struct weft_channel_case *cases, size_t n_cases, const char *what,
		       size_t *chosen);

#endif
