/*
 * A channel between loops and plain threads: a bounded queue of items, copied by value.
 *
 * Any number of tasks, on any loops, and plain threads put and get. Where it has to wait a task
 * suspends and a plain thread blocks; a loop callback, which may do neither, gets -EDEADLK and
 * uses the _nowait forms. Each waiter is served in order. What was written before an item was put
 * can be read by whoever gets it.
 *
 * Result first: a waiter that was already given an item or a place when its cancellation arrives
 * returns success, and -ECANCELED comes at its next wait. One that is cancelled before it was
 * given anything leaves the queue, and what comes goes to the next.
 *
 * A channel that was shut down takes nothing more and gives what is inside; then it answers
 * -ESHUTDOWN. The child of a fork() gets -ESTALE from each of these functions.
 */
#ifndef WEFT_CHANNEL_H
#define WEFT_CHANNEL_H

#include <weft/task.h>

WEFT_BEGIN_DECLS

typedef struct weft_channel weft_channel;

/**
 * struct weft_channel_options - zero stands for the default of each
 * @drop:     called with the address of each item that is left when the last reference is given
 *            back, on the thread that does
 * @drop_arg: its second argument
 */
struct weft_channel_options {
	weft_drop *drop;
	void *drop_arg;
	uintptr_t reserved[6];
};

/**
 * weft_channel_new() - make a channel
 * @item_bytes: size of an item; at least 1
 * @n_max:      places; at least 1
 * @options:    may be NULL
 * @channel:    receives the first reference; give it back with weft_channel_unref()
 *
 * Return: 0, -ENOMEM, -EINVAL, -ESTALE.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_channel_new(size_t item_bytes, size_t n_max,
		 const struct weft_channel_options *options, weft_channel **channel);

/**
 * weft_channel_ref() - share a channel
 * @channel: borrowed
 *
 * Return: @channel.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API weft_channel *weft_channel_ref(weft_channel *channel);

/**
 * weft_channel_unref() - give a reference back
 * @channel: may be NULL
 *
 * Whoever waits on a channel, or is in a call with it, must have a reference, or somebody else
 * must for as long. Whoever got the last item may give the last reference back at once.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API void weft_channel_unref(weft_channel *channel);

/**
 * weft_channel_put() - wait for a place and copy an item in
 * @channel: int weft_channel_put(weft_channel *channel, const ITEM *item)
 * @item:    address of the item; still the caller's on failure
 *
 * Return: 0; -ECANCELED, then nothing was put; -ESHUTDOWN; -EMSGSIZE; -EDEADLK in a callback.
 *
 * Thread: task, or a plain thread, which blocks.
 * Cancellation point: yes, unless there is a place.
 */
#define weft_channel_put(channel, ...) \
	weft_channel_put_sized((channel), (__VA_ARGS__), sizeof(*(__VA_ARGS__)))

/**
 * weft_channel_get() - wait for an item and copy it out
 * @channel: int weft_channel_get(weft_channel *channel, ITEM *item)
 * @item:    receives the item; untouched on failure
 *
 * Return: 0; -ECANCELED, then nothing was taken out; -ESHUTDOWN once a channel that was shut down
 * is empty; -EMSGSIZE; -EDEADLK in a callback.
 *
 * Thread: task, or a plain thread, which blocks.
 * Cancellation point: yes, unless there is an item.
 */
#define weft_channel_get(channel, ...) \
	weft_channel_get_sized((channel), (__VA_ARGS__), sizeof(*(__VA_ARGS__)))

/**
 * weft_channel_put_nowait() - weft_channel_put() that never waits
 * @channel: as above
 * @item:    as above
 *
 * Return: as above, or -EAGAIN if there is no place.
 *
 * Thread: any.
 * Cancellation point: no.
 */
#define weft_channel_put_nowait(channel, ...) \
	weft_channel_put_nowait_sized((channel), (__VA_ARGS__), sizeof(*(__VA_ARGS__)))

/**
 * weft_channel_get_nowait() - weft_channel_get() that never waits
 * @channel: as above
 * @item:    as above
 *
 * Return: as above, or -EAGAIN if there is no item.
 *
 * Thread: any.
 * Cancellation point: no.
 */
#define weft_channel_get_nowait(channel, ...) \
	weft_channel_get_nowait_sized((channel), (__VA_ARGS__), sizeof(*(__VA_ARGS__)))

/**
 * weft_channel_put_sized() - what weft_channel_put() calls; for other languages
 * @channel: borrowed
 * @item:    copied; still the caller's on failure
 * @size:    bytes at @item; must be the channel's item_bytes
 *
 * Return: 0; -ECANCELED, then nothing was put; -ESHUTDOWN; -EMSGSIZE for another @size; -EDEADLK
 * in a callback; -ESTALE.
 *
 * Thread: task, or a plain thread, which blocks.
 * Cancellation point: yes, unless there is a place.
 */
WEFT_API WEFT_MUST_CHECK int
weft_channel_put_sized(weft_channel *channel, const void *item, size_t size);

/**
 * weft_channel_get_sized() - what weft_channel_get() calls; for other languages
 * @channel: borrowed
 * @item:    receives the item; untouched on failure
 * @size:    bytes at @item; must be the channel's item_bytes
 *
 * Return: 0; -ECANCELED, then nothing was taken out; -ESHUTDOWN once a channel that was shut
 * down is empty; -EMSGSIZE for another @size; -EDEADLK in a callback; -ESTALE.
 *
 * Thread: task, or a plain thread, which blocks.
 * Cancellation point: yes, unless there is an item.
 */
WEFT_API WEFT_MUST_CHECK int
weft_channel_get_sized(weft_channel *channel, void *item, size_t size);

/**
 * weft_channel_put_nowait_sized() - what weft_channel_put_nowait() calls
 * @channel: borrowed
 * @item:    copied; still the caller's on failure
 * @size:    bytes at @item; must be the channel's item_bytes
 *
 * Return: 0; -EAGAIN if there is no place; -ESHUTDOWN; -EMSGSIZE for another @size; -ESTALE.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_channel_put_nowait_sized(weft_channel *channel, const void *item, size_t size);

/**
 * weft_channel_get_nowait_sized() - what weft_channel_get_nowait() calls
 * @channel: borrowed
 * @item:    receives the item; untouched on failure
 * @size:    bytes at @item; must be the channel's item_bytes
 *
 * Return: 0; -EAGAIN if there is no item; -ESHUTDOWN once a channel that was shut down is empty;
 * -EMSGSIZE for another @size; -ESTALE.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_channel_get_nowait_sized(weft_channel *channel, void *item, size_t size);

/**
 * weft_channel_shutdown() - take nothing more; what is inside can still be got
 * @channel: borrowed
 *
 * Whoever waits to put or, since the channel is empty then, to get returns -ESHUTDOWN. To do it
 * twice is harmless.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API void weft_channel_shutdown(weft_channel *channel);

/**
 * struct weft_channel_case - one thing that weft_channel_select() may do
 * @channel: borrowed
 * @item:    address of an item
 * @size:    of the item, as the channel's
 * @put:     true copies the item in, false copies one out to @item
 */
struct weft_channel_case {
	weft_channel *channel;
	void *item;
	size_t size;
	bool put;
};

/** WEFT_CASE_PUT(), WEFT_CASE_GET() - initialisers of a case, with the size of *@item */
#define WEFT_CASE_PUT(channel, item) { (channel), (item), sizeof(*(item)), true }
#define WEFT_CASE_GET(channel, item) { (channel), (item), sizeof(*(item)), false }

/**
 * weft_channel_select() - do exactly one of several puts and gets, the first that can be done
 * @cases:   what may be done; a channel may occur more than once
 * @n_cases: their number; at least 1
 * @chosen:  receives the index of the case
 *
 * Of those that can be done at once it is the first in the array; so whoever wants to be fair to
 * all changes their order from call to call. A channel that is shut down (and empty, for a get)
 * counts as ready.
 *
 * Return: 0 with @chosen done; -ESHUTDOWN with @chosen shut down; -ECANCELED, -EMSGSIZE, -EINVAL
 * without a case, -ENOMEM for many cases, -EDEADLK in a callback, -ESTALE: nothing was done.
 *
 * Thread: task, or a plain thread, which blocks.
 * Cancellation point: yes, unless one can be done.
 */
WEFT_API WEFT_MUST_CHECK int
weft_channel_select(struct weft_channel_case *cases, size_t n_cases, size_t *chosen);

WEFT_END_DECLS

#endif
