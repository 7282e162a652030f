/*
 * Channels: making them, putting, getting, shutting down; channel.h has the model. Waiting is
 * channel_wait.c. Any thread.
 */
#include "task/channel.h"

#include <string.h>

/* ---- Life ---- */

int weft_channel_new(size_t item_bytes, size_t n_max,
		     const struct weft_channel_options *options, weft_channel **out)
{
	static const struct weft_channel_options defaults;
	weft_channel *channel;

	if (!thread_id()) /* numbers the thread: from now on the library knows of forks */
		return weft__loop_none(__func__);
	if (!options)
		options = &defaults;
	if (item_bytes == 0 || n_max == 0 ||
	    weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)))
		return weft_error_set(-EINVAL,
				      "weft_channel_new(): items of at least a byte and "
				      "at least one place are needed");
	channel = weft__aligned_alloc(CACHE_LINE, sizeof(*channel));
	if (!channel)
		return -ENOMEM;
	*channel = (weft_channel){
		.item_bytes = item_bytes,
		.n_max = n_max,
		.options = *options,
		.items = weft__alloc_array(n_max, item_bytes),
	};
	if (!channel->items) {
		free(channel);
		return -ENOMEM;
	}
	atomic_init(&channel->references, 1);
	list_init(&channel->getters);
	list_init(&channel->putters);
	*out = channel;
	return 0;
}

weft_channel *weft_channel_ref(weft_channel *channel)
{
	/* Relaxed: the caller holds a reference already. */
	atomic_fetch_add_explicit(&channel->references, 1, memory_order_relaxed);
	return channel;
}

static char *place_of(const weft_channel *channel, size_t index)
{
	return channel->items + index * channel->item_bytes;
}

/* The index of the n-th item, or place, from the head. */
static size_t index_of(const weft_channel *channel, size_t n)
{
	size_t to_end = channel->n_max - channel->head;

	return n < to_end ? channel->head + n : n - to_end;
}

void weft_channel_unref(weft_channel *channel)
{
	if (!channel || unlikely(weft__thread_is_stale()))
		return; /* a forked child leaves alone what it inherited */
	/* R1: releases this thread's use of the channel to whoever frees it; pairs with R2. */
	if (atomic_fetch_sub_explicit(&channel->references, 1, memory_order_release) > 1)
		return;
	/* R2. Not a fence: ThreadSanitizer does not know those. */
	(void)atomic_load_explicit(&channel->references, memory_order_acquire);
	/*
	 * K1: the last to put may have had no reference of its own, and what it wrote is ours by
	 * the lock.
	 */
	short_lock_take(&channel->lock);
	weft_assert(list_is_empty(&channel->getters) && list_is_empty(&channel->putters),
		    "the last reference to a channel was given back while somebody waits "
		    "on it: whoever waits must hold a reference");
	short_lock_release(&channel->lock);
	for (size_t i = 0; channel->options.drop && i < channel->n_items; i++)
		channel->options.drop(place_of(channel, index_of(channel, i)),
				      channel->options.drop_arg);
	free(channel->items);
	free(channel);
}

/* ---- Under the lock ---- */

/* A size that the compiler knows costs a move or two, another one a call. */
static inline void copy_item(void *to, const void *from, size_t size)
{
	if (size == sizeof(uint64_t))
		memcpy(to, from, sizeof(uint64_t));
	else if (size == 2 * sizeof(uint64_t))
		memcpy(to, from, 2 * sizeof(uint64_t));
	else
		memcpy(to, from, size);
}

/* There is a place. */
static inline void put_in(weft_channel *channel, const void *item)
{
	copy_item(place_of(channel, index_of(channel, channel->n_items)), item,
		  channel->item_bytes);
	channel->n_items++;
}

/* There is an item. */
static inline void take_out(weft_channel *channel, void *item)
{
	copy_item(item, place_of(channel, channel->head), channel->item_bytes);
	channel->head = index_of(channel, 1);
	channel->n_items--;
}

/* The first in line whose wait was still open, off the line and claimed. */
static struct channel_place *claim_first(struct list *line)
{
	for (struct list *link = list_pop_front(line); link;
	     link = list_pop_front(line)) {
		struct channel_place *place =
			list_entry(link, struct channel_place, link);

		if (channel_claim(place->wait))
			return place;
	}
	return NULL;
}

/* What a wait was claimed for is done. */
static void finish(struct channel_place *place, int result, struct channel_wait **woken)
{
	struct channel_wait *wait = place->wait;

	wait->chosen = (size_t)(place - wait->places);
	wait->result = result;
	wait->next_woken = *woken;
	*woken = wait;
}

static int put_now(weft_channel *channel, const void *item, struct channel_wait **woken)
{
	struct channel_place *getter;

	if (unlikely(channel->is_shut))
		return -ESHUTDOWN;
	if (channel->n_items == channel->n_max)
		return -EAGAIN;
	getter = claim_first(&channel->getters);
	if (getter) { /* the ring is empty: straight into its hands */
		copy_item(getter->item, item, channel->item_bytes);
		finish(getter, 0, woken);
	} else {
		put_in(channel, item);
	}
	return 0;
}

static int get_now(weft_channel *channel, void *item, struct channel_wait **woken)
{
	struct channel_place *putter;

	if (channel->n_items == 0)
		return channel->is_shut ? -ESHUTDOWN : -EAGAIN;
	take_out(channel, item);
	putter = claim_first(&channel->putters);
	if (putter) { /* the ring was full: it gets the place */
		put_in(channel, putter->item);
		finish(putter, 0, woken);
	}
	return 0;
}

int weft__channel_do(weft_channel *channel, bool put, void *item,
		     struct channel_wait **woken)
{
	return put ? put_now(channel, item, woken) : get_now(channel, item, woken);
}

/* ---- Putting and getting ---- */

int weft__channel_check_size(const weft_channel *channel, size_t size,
			     const char *function)
{
	if (likely(size == channel->item_bytes))
		return 0;
	return weft_error_set(
		-EMSGSIZE,
		"%s() with the address of %zu bytes, but the channel's items "
		"have %zu: pass the address of an item",
		function, size, channel->item_bytes);
}

int weft__channel_check_caller(const char *function)
{
	if (unlikely(!thread_id()))
		return weft__loop_none(function);
	if (unlikely(weft__thread.loop && !task_current()))
		return weft_error_set(
			-EDEADLK,
			"%s() was called in a callback of loop \"%s\", which may not wait: "
			"use the _nowait form, or call it in a task",
			function, weft__thread.loop->name);
	return 0;
}

static inline int put(weft_channel *channel, const void *item)
{
	struct channel_wait *woken = NULL;
	int r;

	short_lock_take(&channel->lock);
	r = put_now(channel, item, &woken);
	short_lock_release(&channel->lock);
	if (woken)
		weft__channel_wake(woken);
	return r;
}

static inline int get(weft_channel *channel, void *item)
{
	struct channel_wait *woken = NULL;
	int r;

	short_lock_take(&channel->lock);
	r = get_now(channel, item, &woken);
	short_lock_release(&channel->lock);
	if (woken)
		weft__channel_wake(woken);
	return r;
}

int weft_channel_put_sized(weft_channel *channel, const void *item, size_t size)
{
	/* Borrowed until it is in: the caller's own stack, which waits with it. */
	struct weft_channel_case one = { channel, (void *)(uintptr_t)item, size, true };
	size_t chosen;
	int r = weft__channel_check_caller("weft_channel_put");

	if (r == 0)
		r = weft__channel_check_size(channel, size, "weft_channel_put");
	if (r == 0)
		r = put(channel, item);
	return r == -EAGAIN ? weft__channel_wait(&one, 1, "channel put", &chosen) : r;
}

int weft_channel_get_sized(weft_channel *channel, void *item, size_t size)
{
	struct weft_channel_case one = { channel, item, size, false };
	size_t chosen;
	int r = weft__channel_check_caller("weft_channel_get");

	if (r == 0)
		r = weft__channel_check_size(channel, size, "weft_channel_get");
	if (r == 0)
		r = get(channel, item);
	return r == -EAGAIN ? weft__channel_wait(&one, 1, "channel get", &chosen) : r;
}

static int check_nowait(const weft_channel *channel, size_t size, const char *function)
{
	if (unlikely(!thread_id()))
		return weft__loop_none(function);
	return weft__channel_check_size(channel, size, function);
}

int weft_channel_put_nowait_sized(weft_channel *channel, const void *item, size_t size)
{
	int r = check_nowait(channel, size, "weft_channel_put_nowait");

	return r < 0 ? r : put(channel, item);
}

int weft_channel_get_nowait_sized(weft_channel *channel, void *item, size_t size)
{
	int r = check_nowait(channel, size, "weft_channel_get_nowait");

	return r < 0 ? r : get(channel, item);
}

/* ---- Finishing ---- */

/* From the back: `woken` is a stack, and they are to wake in the order of the line. */
static void refuse_line(struct list *line, struct channel_wait **woken)
{
	while (!list_is_empty(line)) {
		struct channel_place *place =
			list_entry(line->prev, struct channel_place, link);

		list_unlink(&place->link);
		if (channel_claim(place->wait))
			finish(place, -ESHUTDOWN, woken);
	}
}

void weft_channel_shutdown(weft_channel *channel)
{
	struct channel_wait *woken = NULL;

	if (unlikely(!thread_id()))
		return; /* a forked child leaves alone what it inherited */
	short_lock_take(&channel->lock);
	channel->is_shut = true;
	refuse_line(&channel->putters, &woken);
	refuse_line(&channel->getters, &woken); /* while one waits, the ring is empty */
	short_lock_release(&channel->lock);
	weft__channel_wake(woken);
}
