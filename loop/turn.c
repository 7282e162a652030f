/*
 * The turns of a loop; loop.h has the model. Loop thread.
 */
#include "loop/turn.h"

#include "loop/step.h"

void weft__loop_expire_timers(weft_loop *loop)
{
	weft_time now;

	if (!loop->timers.n_timers)
		return;
	now = loop_now(loop);
	for (struct handle *handle = weft__timers_pop(&loop->timers, now); handle;
	     handle = weft__timers_pop(&loop->timers, now)) {
		if (handle->kind == HANDLE_DIRECT) {
			handle_set_state(handle, HANDLE_IDLE);
			handle->fn(handle->arg);
		} else {
			ready_push_handle(&loop->ready, handle);
		}
	}
}

void weft__loop_flush(weft_loop *loop)
{
	/* One that gathers anew meanwhile is linked again, and called again. */
	for (struct list *link = list_pop_front(&loop->flushes); link;
	     link = list_pop_front(&loop->flushes)) {
		struct loop_flush *flush = list_entry(link, struct loop_flush, link);

		flush->fn(flush);
	}
}

/* Timers and poller; waits until `deadline` on CLOCK_MONOTONIC, not at all if it is 0. */
void weft__loop_look(weft_loop *loop, weft_time deadline)
{
	/*
	 * A loop that was asked to look is held up by slow steps: what it has gathered need not
	 * wait for the end of such a turn.
	 */
	bool was_asked = loop_look_was_asked(loop);

	loop_count_look(loop);
	context_drop(&weft__thread.context); /* what the last callback has set */
	if (was_asked)
		loop_flush(loop);
	weft__poller_wait(loop->poller, deadline);
	weft__loop_expire_timers(loop);
}

/* Which of several ready things goes first is drawn, when a test asked for that. */
static void shuffle_turn(weft_loop *loop)
{
	struct ready *ready = &loop->ready;

	for (uint64_t n = ready->turn_end - ready->head; n > 1; n--) {
		struct ready_slot *last =
			&ready->slots[(ready->head + n - 1) & ready->mask];
		struct ready_slot *other, swap;

		loop->shuffle ^= loop->shuffle
				 << 13; /* G. Marsaglia, "Xorshift RNGs", 2003 */
		loop->shuffle ^= loop->shuffle >> 7;
		loop->shuffle ^= loop->shuffle << 17;
		other = &ready->slots[(ready->head + loop->shuffle % n) & ready->mask];
		swap = *last;
		*last = *other;
		*other = swap;
	}
	for (uint64_t i = ready->head; i != ready->turn_end; i++) {
		struct ready_slot *slot = &ready->slots[i & ready->mask];

		if (slot->fn == weft__ready_run_handle)
			((struct handle *)slot->arg)->ring_index = i;
	}
}

static void run_ready(weft_loop *loop)
{
	struct ready *ready = &loop->ready;

	if (unlikely(!list_is_empty(&ready->behind)))
		weft__ready_catch_up(ready);
	ready->turn_end = ready->tail;
	if (unlikely(loop->shuffle))
		shuffle_turn(loop);
	while (ready->head != ready->turn_end) {
		struct ready_slot slot = ready->slots[ready->head++ & ready->mask];

		__builtin_prefetch(ready->slots[(ready->head + 3) & ready->mask].arg);
		loop_count_step(loop);
		if (unlikely(loop->is_debug))
			weft__step_call_slot(loop, &slot);
		else
			slot.fn(slot.arg);
		if (loop_look_is_due(loop))
			weft__loop_look(loop, 0);
	}
}

/* A done-callback of a shared future has come: its handle is free again. */
static void finish_done(weft_loop *loop, struct handle *handle)
{
	weft__loop_hooks()->arrived(handle);
	if (handle->kind == HANDLE_DONE_RECYCLED)
		weft__spare_keep(&loop->spare, handle);
}

/* Whoever takes a posted handle from the state POSTED ends it: this loop or a canceller.
 */
static void run_post(weft_loop *loop, struct handle *handle)
{
	uint32_t posted = HANDLE_POSTED;
	weft_callback *fn = handle->fn;
	void *arg = handle->arg;
	struct context *context = handle->context;
	bool is_watched = unlikely(loop->is_debug) && handle->kind != HANDLE_DIRECT;

	/* H3, too: whoever sees this handle run knows that the one before has ended. */
	atomic_store_explicit(&loop->running_post, handle, memory_order_release);
	/* H2: a canceller that comes too late sees running_post; pairs with its acquire.
	 */
	if (!atomic_compare_exchange_strong_explicit(&handle->state, &posted, HANDLE_IDLE,
						     memory_order_release,
						     memory_order_relaxed)) {
		/* Withdrawn; the canceller waits for us. */
		context_drop(&handle->context);
		handle_set_state(handle, HANDLE_IDLE);
		return;
	}
	handle->context = NULL;
	if (handle->kind == HANDLE_RECYCLED)
		weft__spare_return(&loop->spare, handle);
	else if (handle_is_done(handle))
		finish_done(loop, handle);
	/* It may free the handle. */
	if (unlikely(is_watched))
		weft__step_call_post(loop, context, fn, arg);
	else if (unlikely(context))
		weft__context_call(context, fn, arg);
	else
		fn(arg);
}

void weft__loop_run_posts(weft_loop *loop)
{
	struct list *taken = &loop->inbox.taken;

	weft__inbox_take(&loop->inbox);
	for (int n = 0; n < POSTS_PER_TURN && !list_is_empty(taken); n++) {
		struct list *link = list_pop_front(taken);

		loop_count_step(loop);
		run_post(loop, list_entry(link, struct handle, link));
		/* H3: releases what the callback did to whoever cancels it too late. */
		atomic_store_explicit(&loop->running_post, NULL, memory_order_release);
		if (loop_look_is_due(loop))
			weft__loop_look(loop, 0);
	}
}

bool weft__loop_has_work(const weft_loop *loop)
{
	return !ready_is_empty(&loop->ready) || !list_is_empty(&loop->inbox.taken) ||
	       loop->stop || loop_look_is_due(loop);
}

void weft__loop_round(weft_loop *loop, weft_time deadline)
{
	run_ready(loop);
	loop_flush(loop);
	weft__loop_run_posts(loop);
	loop_flush(loop);
	if (loop_look_is_due(loop))
		weft__loop_look(loop, 0);
	if (weft__loop_has_work(loop))
		return;
	weft__loop_idle(loop, deadline);
}
