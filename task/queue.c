/*
 * Queue: items by value between the tasks of a loop. <weft/queue.h> has the model.
 *
 * The items lie in one array of `n_max` places: a ring for first-in-first-out, a stack
 * for last-in-first-out, a binary heap for priorities, whose entries carry their order of
 * arrival so that equals stay in it. While getters wait the array is empty, and while
 * putters wait it is full; whoever makes the first move that helps serves the first in
 * line directly. Loop thread.
 */
#include <weft/queue.h>

#include <string.h>

#include "task/wait_list.h"

struct weft_queue {
	weft_loop *loop;
	size_t item_bytes;
	size_t n_max;
	size_t n_items;
	size_t head; /* FIFO: where the first item is */
	struct weft_queue_options options;
	struct wait_list getters; /* item: where to copy to */
	struct wait_list putters; /* item: what to copy in */
	struct wait_list joiners;
	size_t n_unfinished;
	bool is_shut;
	uint64_t n_arrived;
	uint64_t *arrivals; /* PRIORITY: of each item, beside `items` */
	char *items;
	char *hole; /* PRIORITY: room for one item while two change places */
};

/* ---- Life ---- */

int weft_queue_new(size_t item_bytes, size_t n_max,
		   const struct weft_queue_options *options, weft_queue **out)
{
	static const struct weft_queue_options defaults;
	weft_queue *queue;

	if (!weft__thread.loop)
		return weft__loop_none(__func__);
	if (!options)
		options = &defaults;
	if (item_bytes == 0 || n_max == 0 || options->order > WEFT_PRIORITY ||
	    (options->order == WEFT_PRIORITY && !options->compare) ||
	    weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)))
		return weft_error_set(
			-EINVAL, "weft_queue_new(): items of at least a byte, at least "
				 "one place, and .compare for WEFT_PRIORITY are needed");
	queue = weft__zalloc(sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	queue->loop = weft__thread.loop;
	queue->item_bytes = item_bytes;
	queue->n_max = n_max;
	queue->options = *options;
	queue->items = weft__alloc_array(n_max, item_bytes);
	if (options->order == WEFT_PRIORITY) {
		queue->arrivals = weft__alloc_array(n_max, sizeof(*queue->arrivals));
		queue->hole = weft__alloc(item_bytes);
	}
	if (!queue->items ||
	    (options->order == WEFT_PRIORITY && (!queue->arrivals || !queue->hole))) {
		weft_queue_free(queue);
		return -ENOMEM;
	}
	*out = queue;
	return 0;
}

static char *place(const weft_queue *queue, size_t index)
{
	return queue->items + index * queue->item_bytes;
}

static void take_out(weft_queue *queue, void *item);

static void drop_all(weft_queue *queue)
{
	if (queue->options.drop) {
		for (size_t i = 0; i < queue->n_items; i++) {
			size_t at = queue->options.order == WEFT_FIFO
					    ? (queue->head + i) % queue->n_max
					    : i;

			queue->options.drop(place(queue, at), queue->options.drop_arg);
		}
	}
	queue->n_items = 0;
}

void weft_queue_free(weft_queue *queue)
{
	if (!queue)
		return;
	weft_assert(
		loop_is_mine(queue->loop),
		"weft_queue_free() was called on a thread that is not that of the queue's loop");
	weft_assert(
		wait_list_is_empty(&queue->getters) &&
			wait_list_is_empty(&queue->putters) &&
			wait_list_is_empty(&queue->joiners),
		"weft_queue_free() of a queue that a task waits on: shut it down and let the "
		"task end first");
	drop_all(queue);
	free(queue->items);
	free(queue->arrivals);
	free(queue->hole);
	free(queue);
}

/* ---- Order ---- */

/* Does the item at a come out before the one at b? */
static bool is_before(const weft_queue *queue, size_t a, size_t b)
{
	int order = queue->options.compare(place(queue, a), place(queue, b));

	return order ? order < 0 : queue->arrivals[a] < queue->arrivals[b];
}

static void swap(weft_queue *queue, size_t a, size_t b)
{
	uint64_t arrival = queue->arrivals[a];

	memcpy(queue->hole, place(queue, a), queue->item_bytes);
	memcpy(place(queue, a), place(queue, b), queue->item_bytes);
	memcpy(place(queue, b), queue->hole, queue->item_bytes);
	queue->arrivals[a] = queue->arrivals[b];
	queue->arrivals[b] = arrival;
}

static void sift_up(weft_queue *queue, size_t i)
{
	while (i > 0 && is_before(queue, i, (i - 1) / 2)) {
		swap(queue, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

static void sift_down(weft_queue *queue, size_t i)
{
	for (;;) {
		size_t first = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
			if (child < queue->n_items && is_before(queue, child, first))
				first = child;
		if (first == i)
			return;
		swap(queue, i, first);
		i = first;
	}
}

/* There is a place. */
static void put_in(weft_queue *queue, const void *item)
{
	size_t at = queue->n_items++;

	if (queue->options.order == WEFT_FIFO)
		at = (queue->head + at) % queue->n_max;
	memcpy(place(queue, at), item, queue->item_bytes);
	if (queue->options.order == WEFT_PRIORITY) {
		queue->arrivals[at] = queue->n_arrived++;
		sift_up(queue, at);
	}
}

/* There is an item. */
static void take_out(weft_queue *queue, void *item)
{
	size_t last = --queue->n_items, at = 0;

	if (queue->options.order == WEFT_FIFO) {
		at = queue->head;
		queue->head = (queue->head + 1) % queue->n_max;
	} else if (queue->options.order == WEFT_LIFO) {
		at = last;
	}
	memcpy(item, place(queue, at), queue->item_bytes);
	if (queue->options.order == WEFT_PRIORITY && last > 0) {
		memcpy(place(queue, 0), place(queue, last), queue->item_bytes);
		queue->arrivals[0] = queue->arrivals[last];
		sift_down(queue, 0);
	}
}

/* ---- Putting and getting ---- */

static int check(const weft_queue *queue, size_t size, const char *function)
{
	int r = loop_check(queue->loop, function);

	if (unlikely(r < 0))
		return r;
	if (unlikely(size != queue->item_bytes))
		return weft_error_set(
			-EMSGSIZE,
			"%s() with the address of %zu bytes, but the queue's items have "
			"%zu: pass the address of an item",
			function, size, queue->item_bytes);
	return 0;
}

static int put_now(weft_queue *queue, const void *item)
{
	struct waiter *getter;

	if (unlikely(queue->is_shut))
		return -ESHUTDOWN;
	getter = weft__wait_list_pop(&queue->getters);
	if (getter) { /* the queue is empty: straight into its hands */
		memcpy(getter->item, item, queue->item_bytes);
		weft__unpark(&getter->park, 0);
	} else if (queue->n_items < queue->n_max) {
		put_in(queue, item);
	} else {
		return -EAGAIN;
	}
	queue->n_unfinished++;
	return 0;
}

static int get_now(weft_queue *queue, void *item)
{
	struct waiter *putter;

	if (unlikely(queue->n_items == 0))
		return queue->is_shut ? -ESHUTDOWN : -EAGAIN;
	take_out(queue, item);
	putter = weft__wait_list_pop(&queue->putters);
	if (putter) { /* it has been given the place */
		put_in(queue, putter->item);
		queue->n_unfinished++;
		weft__unpark(&putter->park, 0);
	}
	return 0;
}

int weft_queue_put_sized(weft_queue *queue, const void *item, size_t size)
{
	int r;

	if (unlikely(!task_current()))
		return weft__task_none("weft_queue_put");
	r = check(queue, size, "weft_queue_put");
	if (unlikely(r < 0))
		return r;
	r = put_now(queue, item);
	/* Borrowed until it is in: the caller's own stack, which waits with it. */
	return r == -EAGAIN ? weft__wait_in_line_for(&queue->putters, "queue put",
						     (void *)(uintptr_t)item)
			    : r;
}

int weft_queue_get_sized(weft_queue *queue, void *item, size_t size)
{
	int r;

	if (unlikely(!task_current()))
		return weft__task_none("weft_queue_get");
	r = check(queue, size, "weft_queue_get");
	if (unlikely(r < 0))
		return r;
	r = get_now(queue, item);
	return r == -EAGAIN ? weft__wait_in_line_for(&queue->getters, "queue get", item)
			    : r;
}

int weft_queue_put_nowait_sized(weft_queue *queue, const void *item, size_t size)
{
	int r = check(queue, size, "weft_queue_put_nowait");

	return r < 0 ? r : put_now(queue, item);
}

int weft_queue_get_nowait_sized(weft_queue *queue, void *item, size_t size)
{
	int r = check(queue, size, "weft_queue_get_nowait");

	return r < 0 ? r : get_now(queue, item);
}

size_t weft_queue_size(const weft_queue *queue)
{
	return loop_must_be_mine(queue->loop, __func__) ? queue->n_items : 0;
}

/* ---- Finishing ---- */

static void wake_line(struct wait_list *line, int result)
{
	for (struct waiter *waiter = weft__wait_list_pop(line); waiter;
	     waiter = weft__wait_list_pop(line))
		weft__unpark(&waiter->park, result);
}

int weft_queue_task_done(weft_queue *queue)
{
	int r = loop_check(queue->loop, __func__);

	if (r < 0)
		return r;
	if (queue->n_unfinished == 0)
		return weft_error_set(-EINVAL,
				      "weft_queue_task_done() was called more often than "
				      "items were put");
	if (--queue->n_unfinished == 0)
		wake_line(&queue->joiners, 0);
	return 0;
}

int weft_queue_join(weft_queue *queue)
{
	int r;

	if (!task_current())
		return weft__task_none(__func__);
	r = loop_check(queue->loop, __func__);
	if (r < 0)
		return r;
	return queue->n_unfinished
		       ? weft__wait_in_line_for(&queue->joiners, "queue join", NULL)
		       : 0;
}

void weft_queue_shutdown(weft_queue *queue, bool immediate)
{
	weft_assert(
		loop_is_mine(queue->loop),
		"weft_queue_shutdown() was called on a thread that is not that of the queue's "
		"loop");
	queue->is_shut = true;
	if (immediate) {
		size_t n = queue->n_items;

		drop_all(queue);
		queue->n_unfinished -= MIN(n, queue->n_unfinished);
		if (queue->n_unfinished == 0)
			wake_line(&queue->joiners, 0);
	}
	wake_line(&queue->putters, -ESHUTDOWN);
	if (queue->n_items == 0)
		wake_line(&queue->getters, -ESHUTDOWN);
}
