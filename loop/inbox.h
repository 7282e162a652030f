/*
 * The inbox: what other threads send to a loop.
 *
 * A push-only stack (R. K. Treiber, "Systems programming: coping with parallelism", 1986)
 * of handles, which the loop takes whole with one exchange and turns around: first in,
 * first out for each sender. Nothing is ever popped singly, so there is no ABA problem
 * and no allocation.
 *
 * The head is also the wake-up protocol. Before it sleeps the loop replaces an empty head
 * with ASLEEP; the one sender whose compare-exchange replaces that mark pays for the
 * wake-up, all others pay the compare-exchange alone. Since mark and messages are values
 * of one word, its modification order decides every race and no fence is needed:
 *
 *   - a message pushed before the mark makes the loop's compare-exchange fail: it does
 * not sleep;
 *   - one pushed after it finds the mark: its sender wakes the loop.
 *
 * The loop takes the mark back whenever it wakes, for whatever reason. If the mark is
 * gone by then, a wake-up is on its way or has been: the loop counts those, and its end
 * waits for all of them, so no sender touches a wake-up descriptor that is closed
 * already. CLOSED, the last value of a head, refuses whatever comes.
 *
 *   I1  push, release: what the sender wrote to the handle and before it; pairs with I2.
 *   I2  take, acquire.
 */
#ifndef WEFT_LOOP_INBOX_H
#define WEFT_LOOP_INBOX_H

#include "loop/handle.h"

struct inbox {
	/* Any thread; a line of its own, since senders on other CPUs write it. */
	alignas(CACHE_LINE) _Atomic(struct handle *) head;
	/* Loop thread. */
	alignas(CACHE_LINE) struct list taken; /* in order, not run yet */
	uint64_t wakes_owed; /* marks that a sender replaced */
	bool marked; /* ASLEEP was put there and not taken back */
	bool closed;
};

enum inbox_push { INBOX_QUEUED, INBOX_WAKE, INBOX_CLOSED };

#define INBOX_ASLEEP	  ((struct handle *)1)
#define INBOX_CLOSED_MARK ((struct handle *)2)

void weft__inbox_init(struct inbox *inbox);

/*
 * Thread: any. handle is idle and filled in. INBOX_WAKE: the caller must wake the loop.
 * INBOX_CLOSED: nothing happened.
 */
enum inbox_push weft__inbox_push(struct inbox *inbox, struct handle *handle);
/* As weft__inbox_push() for a chain: first->link.next … last, in the order of their
 * running. */
enum inbox_push weft__inbox_push_chain(struct inbox *inbox, struct handle *first,
				       struct handle *last);

/* Thread: loop. Moves all that has come to the end of `taken`. */
void weft__inbox_take(struct inbox *inbox);
/* Thread: loop. False if something has come: then the loop must not sleep. */
bool weft__inbox_mark_asleep(struct inbox *inbox);
/* Thread: loop. After this nothing can be pushed; what had come is in `taken`. */
void weft__inbox_close(struct inbox *inbox);

/* Thread: loop, awake. Is there something to run, as far as can be seen? */
static inline bool inbox_has_news(const struct inbox *inbox)
{
	/* Relaxed: a hint. What it misses is seen by the next take, or by the mark. */
	return atomic_load_explicit(&inbox->head, memory_order_relaxed) ||
	       !list_is_empty(&inbox->taken);
}

#endif
