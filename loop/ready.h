/*
 * The ready queue: a ring of {function, argument}, first in, first out.
 *
 * Waking a task can never fail, so each task has a slot promised to it when it is made
 * (weft__ready_reserve). Handles have no such moment: one that finds no room beyond what
 * is promised, and no memory to grow, queues behind the ring by its own links, and so
 * does all that follows until the ring has caught up. So the order holds and nothing is
 * lost.
 *
 * Positions only grow; the ring holds [head, tail). A slot whose callback was cancelled
 * calls a function that does nothing. All on the loop's thread.
 */
#ifndef WEFT_LOOP_READY_H
#define WEFT_LOOP_READY_H

#include "loop/handle.h"

struct ready_slot {
	weft_callback *fn;
	void *arg;
};

struct ready {
	struct ready_slot *slots;
	uint64_t mask; /* capacity - 1, a power of two */
	uint64_t head;
	uint64_t tail;
	uint64_t turn_end; /* this turn runs what lies before it */
	uint64_t promised; /* slots reserved for tasks, queued or not */
	struct list behind;
};

int weft__ready_init(struct ready *ready);
void weft__ready_fini(struct ready *ready);

/* One slot more, or one less, is promised. Return: 0 or -ENOMEM. */
int weft__ready_reserve(struct ready *ready);
void weft__ready_release(struct ready *ready);

/* For weft__ready_push_handle() and the inline functions here. */
bool weft__ready_has_room(struct ready *ready);
void weft__ready_put_behind(struct ready *ready, struct handle *handle);
void weft__ready_catch_up(struct ready *ready);
void weft__ready_run_handle(void *handle);
void weft__ready_nothing(void *unused);

static inline bool ready_is_empty(const struct ready *ready)
{
	return ready->head == ready->tail && list_is_empty(&ready->behind);
}

static inline void ready_append(struct ready *ready, weft_callback *fn, void *arg)
{
	ready->slots[ready->tail++ & ready->mask] = (struct ready_slot){ fn, arg };
}

/*
 * Queues {fn, arg} for the holder of a promised slot, which is queued at most once at a
 * time. `spare` is a handle of the same {fn, arg}, for when the queue has grown beyond
 * the ring.
 */
static inline void ready_push_promised(struct ready *ready, weft_callback *fn, void *arg,
				       struct handle *spare)
{
	if (likely(list_is_empty(&ready->behind)))
		ready_append(ready, fn, arg);
	else
		weft__ready_put_behind(ready, spare);
}

/*
 * Puts {fn, arg} before all others, into the slot that the caller was promised. What runs next,
 * runs that.
 */
static inline void ready_push_next(struct ready *ready, weft_callback *fn, void *arg)
{
	ready->slots[--ready->head & ready->mask] = (struct ready_slot){ fn, arg };
}

/* Queues a handle; it is HANDLE_READY or HANDLE_BEHIND afterwards. */
static inline void ready_push_handle(struct ready *ready, struct handle *handle)
{
	if (likely(list_is_empty(&ready->behind) && weft__ready_has_room(ready))) {
		handle->ring_index = ready->tail;
		handle_set_state(handle, HANDLE_READY);
		ready_append(ready, weft__ready_run_handle, handle);
	} else {
		weft__ready_put_behind(ready, handle);
	}
}

/* Queues {fn, arg} without a handle; false if that takes memory and there is none. */
static inline bool ready_push_plain(struct ready *ready, weft_callback *fn, void *arg)
{
	if (unlikely(!list_is_empty(&ready->behind) || !weft__ready_has_room(ready)))
		return false;
	ready_append(ready, fn, arg);
	return true;
}

/* Takes a queued handle back; it is idle afterwards. */
void weft__ready_remove(struct ready *ready, struct handle *handle);

#endif
