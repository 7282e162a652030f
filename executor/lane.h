/*
 * A lane: the ring by which one loop hands jobs to the workers of one pool.
 *
 * The loop writes slots and a tail of its own, and publishes the tail once a turn. Workers move
 * the head forwards, each by compare-exchange, and whoever moved it over a slot then takes the job
 * out of the slot by exchange. A job that is withdrawn was taken out before: the worker finds
 * nothing and goes on. So a slot decides who has the job; head and tail only say where to look.
 *
 * A slot holds, in the low bits of the address, how many jobs beyond this one may be taken at
 * once, as far as its function was known when it was queued: so a worker that looks at the slots
 * ahead knows how many to take without looking at jobs that are not its own. A worker that moved
 * the head over several slots empties them one after the other; the rest stay there for whoever
 * comes first (streak.c).
 *
 * The ring has more than twice as many slots as jobs may wait. Should the tail come round to a
 * slot that is still full (its worker was held up between its two steps), the job goes into the
 * common queue instead. A worker that is so late finds the next round's job in its slot, perhaps
 * before it was published: it takes it, which is as good.
 *
 *   L1  publish the tail, seq_cst: the slots before it; pairs with L2, and with the last look of
 *       a worker that is going to sleep.
 *   L2  load of the tail, acquire.
 *   L4  store of a slot, release: the job; pairs with L5.
 *   L5  exchange of a slot, acquire.
 *   L6  the head, acquire and release: who sees it at a position also sees a tail that is not
 *       before it. Otherwise a head could run ahead of an old tail, past jobs to come.
 *
 * Lanes are the pool's and are freed with it. A loop that ends gives its lane back, and another
 * loop goes on where it was.
 */
#ifndef WEFT_EXECUTOR_LANE_H
#define WEFT_EXECUTOR_LANE_H

#include "executor/pool.h"

struct lane {
	/* Workers. */
	alignas(CACHE_LINE) _Atomic uint64_t head;
	/* Written by the loop, once a turn. */
	alignas(CACHE_LINE) _Atomic uint64_t tail;
	/* Any thread; written when a loop takes the lane or leaves it. */
	alignas(CACHE_LINE) uint64_t mask; /* slots - 1 */
	bool is_listed; /* workers look into it; else all goes to the common queue */
	weft_executor *pool; /* with a reference while a loop has it */
	weft_loop *loop; /* with a reference; NULL: it is free. Under the pool's lock */
	struct lane *next_kept; /* of those that outlive their loop */
	/* Loop thread. */
	alignas(CACHE_LINE) uint64_t next; /* where the next job goes */
	weft_time short_ns; /* what the short jobs put there this turn will take */
	size_t n_in_flight; /* jobs whose message is still to come */
	struct loop_flush flush;
	struct loop_attachment attachment;
	/* Written by the loop, then by whoever empties it: L4 and L5. */
	alignas(CACHE_LINE) _Atomic uintptr_t slots[];
};

/* Thread: loop. The loop's lane in the pool that is meant. Return: 0 or a negative errno. */
int weft__lane_get(weft_loop *loop, weft_executor *executor, struct lane **lane);

/* Thread: loop. Queues a job that has a place; it is handed over at the end of the turn. */
void weft__lane_put(struct lane *lane, struct job *job);

/* Thread: any. The first job of the lane, and further ones if they are `streaks`; or false. */
bool weft__lane_claim(struct lane *lane, bool streaks, struct claim *claim);
/* Thread: any. The job in a slot that the head has passed; NULL if somebody has it. */
struct job *weft__lane_empty(struct lane *lane, uint64_t position);
/* Thread: any. Takes this job out; false if somebody has it. */
bool weft__lane_withdraw(struct lane *lane, struct job *job);

/* Thread: any. Drops all jobs, handed over or not. Return: how many. */
int weft__lane_fail(struct lane *lane, int code, const struct weft_error *error);

static inline bool lane_has_work(const struct lane *lane)
{
	/* Seq_cst: the last look before sleeping, after D3; a head that moves on only makes it
	 * less. */
	return atomic_load_explicit(&lane->tail, memory_order_seq_cst) !=
	       atomic_load_explicit(&lane->head, memory_order_relaxed);
}

#endif
