/*
 * What lies in a struct weft_handle: a callback to come, and where it waits.
 *
 * A handle is one cache line and in one place at a time: in the ready ring, behind it, in
 * the timer wheel, with a future, or on its way through the inbox. While it is there it is the loop's;
 * idle, it is its owner's. Only a posted handle may be looked at by another thread, and
 * of it only `state`; and one that waits for a shared future, by whoever has its lock.
 */
#ifndef WEFT_LOOP_HANDLE_H
#define WEFT_LOOP_HANDLE_H

#include <weft/loop.h>

#include "base/list.h"
#include "loop/context.h"

enum handle_state {
	HANDLE_IDLE = 0, /* as calloc() leaves it */
	HANDLE_READY, /* in the ready ring, at ring_index */
	HANDLE_BEHIND, /* in the list behind a full ring */
	HANDLE_TIMER, /* in the timer wheel */
	HANDLE_AWAITS, /* in the list of a future, task/future_callback.c */
	HANDLE_POSTED, /* in an inbox, or taken out of it and not run yet */
	HANDLE_WITHDRAWN, /* posted, then cancelled by another thread: the loop drops it
			   */
};

enum handle_kind {
	HANDLE_USER = 0, /* runs as a step of its own */
	HANDLE_RECYCLED, /* the same, and goes back to the loop's spare ones */
	HANDLE_SENT, /* a user's, sent by whatever thread: may be cancelled by any */
	/* fn runs at once where the handle turns up; short, and calls nobody's code but
	   ours. */
	HANDLE_DIRECT,
	/* A done-callback of a shared future, which arrives by the inbox; a user's or ours. */
	HANDLE_DONE,
	HANDLE_DONE_RECYCLED,
};

struct handle {
	struct list link;
	weft_callback *fn;
	void *arg;
	union {
		weft_time deadline; /* HANDLE_TIMER */
		uint64_t ring_index; /* HANDLE_READY */
		void *future; /* HANDLE_AWAITS, and on the way from there; with a reference */
	};
	weft_loop *loop;
	struct context *context; /* to run in, with a reference; NULL: an empty one */
	/*
	 * H1: posting and taking a handle are ordered by the inbox (I1 and I2). What
	 * `state` itself decides is who ends a posted handle: the loop that runs it, or
	 * another thread that withdraws it, by compare-exchange. It publishes nothing
	 * else.
	 */
	_Atomic(uint32_t) state;
	uint32_t kind;
};

static_assert(sizeof(struct handle) == sizeof(struct weft_handle), "the public size");
static_assert(sizeof(struct handle) == CACHE_LINE, "one cache line");

static inline struct handle *handle_of(struct weft_handle *shown)
{
	return (struct handle *)(void *)shown;
}

static inline uint32_t handle_state(const struct handle *handle)
{
	/* Relaxed: H1. */
	return atomic_load_explicit(&handle->state, memory_order_relaxed);
}

static inline void handle_set_state(struct handle *handle, enum handle_state state)
{
	/* Relaxed: H1. */
	atomic_store_explicit(&handle->state, state, memory_order_relaxed);
}

static inline void handle_init(struct handle *handle, enum handle_kind kind,
			       weft_callback *fn, void *arg)
{
	list_init(&handle->link);
	handle->fn = fn;
	handle->arg = arg;
	handle->ring_index = 0;
	handle->loop = NULL;
	handle->context = NULL;
	handle_set_state(handle, HANDLE_IDLE);
	handle->kind = kind;
}

static inline bool handle_is_done(const struct handle *handle)
{
	return unlikely(handle->kind >= HANDLE_DONE);
}

/*
 * The caller's handle, or a recycled one: filled in, in the current context, idle. NULL without
 * memory. `function` is
 * the public one that was called.
 */
struct handle *weft__handle_prepare(weft_loop *loop, struct weft_handle *shown,
				    weft_callback *fn, void *arg, const char *function);

#endif
