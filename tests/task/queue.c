/*
 * Queues.
 */
#include "tests/task_test.h"

#include <stdio.h>

/* A queue of ints, or the end of the test. */
static weft_queue *queue_of_ints(size_t n_max, const struct weft_queue_options *options)
{
	weft_queue *queue = NULL;
	int r = weft_queue_new(sizeof(int), n_max, options, &queue);

	cr_assert_eq(r, 0, "weft_queue_new(): %s", weft_error_text(r));
	return queue;
}

static void put(weft_queue *queue, int item)
{
	cr_expect_eq(weft_queue_put_nowait(queue, &item), 0, "%d", item);
}

static int get(weft_queue *queue)
{
	int item = -1, r = weft_queue_get_nowait(queue, &item);

	cr_expect_eq(r, 0, "%s", weft_error_text(r));
	return item;
}

static void finish(weft_queue *queue)
{
	weft_queue_free(queue);
}

/* ---- One after the other ---- */

static int compare_tens(const void *a, const void *b)
{
	int left, right;

	memcpy(&left, a,
	       sizeof(left)); /* items of an odd size are not aligned for an int */
	memcpy(&right, b, sizeof(right));
	return left / 10 - right / 10;
}

TaskTest(queue, gives_items_in_its_order)
{
	static const struct {
		const char *name;
		struct weft_queue_options options;
		int in[6], out[6];
	} cases[] = {
		{ "FIFO",
		  { .order = WEFT_FIFO },
		  { 1, 2, 3, 4, 5, 6 },
		  { 1, 2, 3, 4, 5, 6 } },
		{ "LIFO",
		  { .order = WEFT_LIFO },
		  { 1, 2, 3, 4, 5, 6 },
		  { 6, 5, 4, 3, 2, 1 } },
		{ "priority",
		  { .order = WEFT_PRIORITY, .compare = compare_tens },
		  { 30, 10, 50, 20, 60, 40 },
		  { 10, 20, 30, 40, 50, 60 } },
		{ "equal priority is in order of arrival",
		  { .order = WEFT_PRIORITY, .compare = compare_tens },
		  { 21, 13, 22, 11, 23, 12 },
		  { 13, 11, 12, 21, 22, 23 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_queue *queue = queue_of_ints(6, &cases[i].options);

		for (int k = 0; k < 6; k++)
			put(queue, cases[i].in[k]);
		cr_expect_eq(weft_queue_size(queue), 6);
		for (int k = 0; k < 6; k++)
			cr_expect_eq(get(queue), cases[i].out[k], "%s: %d", cases[i].name,
				     k);
		cr_expect_eq(weft_queue_size(queue), 0);
		finish(queue);
	}
}

TaskTest(queue, wraps_around_its_places)
{
	weft_queue *queue = queue_of_ints(3, NULL);
	int next_in = 0, next_out = 0;

	put(queue, next_in++);
	for (int i = 0; i < 100; i++) {
		put(queue, next_in++);
		put(queue, next_in++);
		cr_expect_eq(get(queue), next_out++);
		cr_expect_eq(get(queue), next_out++);
	}
	finish(queue);
}

TaskTest(queue, of_priorities_agrees_with_a_sorted_list)
{
	struct weft_queue_options options = { .order = WEFT_PRIORITY,
					      .compare = compare_tens };
	weft_queue *queue = queue_of_ints(500, &options);
	uint32_t random = 12345;
	int last = -1, n = 0;

	for (int i = 0; i < 500; i++) {
		random = random * 1664525 + 1013904223;
		put(queue, (int)(random >> 8) % 1000 * 10);
		if (i % 3 == 2)
			(void)get(queue);
	}
	for (; weft_queue_size(queue) > 0; n++) {
		int item = get(queue);

		cr_expect_ge(item, last);
		last = item;
	}
	cr_expect_eq(n, 500 - 500 / 3);
	finish(queue);
}

TaskTest(queue, copies_items_of_any_size)
{
	for (size_t size = 1; size <= 300; size += 13) {
		struct weft_queue_options options = { .order = WEFT_PRIORITY,
						      .compare = compare_tens };
		char in[300], out[300];
		weft_queue *queue = NULL;

		if (size < sizeof(int))
			options.order = WEFT_FIFO;
		cr_assert_eq(weft_queue_new(size, 3, &options, &queue), 0);
		for (size_t i = 0; i < size; i++)
			in[i] = (char)(i * 7 + size);
		for (int i = 0; i < 3; i++)
			cr_expect_eq(weft_queue_put_nowait_sized(queue, in, size), 0);
		memset(in, 0, sizeof(in));
		for (int i = 0; i < 3; i++) {
			cr_expect_eq(weft_queue_get_nowait_sized(queue, out, size), 0);
			for (size_t k = 0; k < size; k++)
				cr_expect_eq(out[k], (char)(k * 7 + size), "%zu: %zu",
					     size, k);
		}
		finish(queue);
	}
}

TaskTest(queue, refuses_an_item_of_another_size)
{
	weft_queue *queue = queue_of_ints(2, NULL);
	int item = 5;
	char small = 1;
	int64_t large = 1;

	cr_expect_eq(weft_queue_put_nowait(queue, &small), -EMSGSIZE);
	cr_expect_eq(weft_queue_put_nowait(queue, &large), -EMSGSIZE);
	cr_expect_eq(weft_queue_put(queue, &large), -EMSGSIZE);
	put(queue, item);
	cr_expect_eq(weft_queue_get_nowait(queue, &small), -EMSGSIZE);
	cr_expect_eq(weft_queue_get(queue, &large), -EMSGSIZE);
	cr_expect_eq(large, 1);
	cr_expect_eq(get(queue), 5);
	finish(queue);
}

TaskTest(queue, says_when_it_would_have_to_wait)
{
	weft_queue *queue = queue_of_ints(1, NULL);
	int item = 9;

	cr_expect_eq(weft_queue_get_nowait(queue, &item), -EAGAIN);
	cr_expect_eq(item, 9, "untouched");
	put(queue, 1);
	cr_expect_eq(weft_queue_put_nowait(queue, &item), -EAGAIN);
	cr_expect_eq(weft_queue_size(queue), 1);
	finish(queue);
}

TaskTest(queue, refuses_what_makes_no_queue)
{
	static const struct {
		const char *name;
		size_t item_bytes, n_max;
		struct weft_queue_options options;
		int r;
	} cases[] = {
		{ "no bytes", 0, 1, { 0 }, -EINVAL },
		{ "no places", 4, 0, { 0 }, -EINVAL },
		{ "no comparison", 4, 1, { .order = WEFT_PRIORITY }, -EINVAL },
		{ "no such order", 4, 1, { .order = (enum weft_queue_order)7 }, -EINVAL },
		{ "a reserved field", 4, 1, { .reserved = { 0, 1 } }, -EINVAL },
		{ "more than memory", SIZE_MAX / 2, 3, { 0 }, -ENOMEM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_queue *queue = NULL;
		int r = weft_queue_new(cases[i].item_bytes, cases[i].n_max,
				       &cases[i].options, &queue);

		cr_expect_eq(r, cases[i].r, "%s: %d", cases[i].name, r);
		cr_expect_null(queue, "%s", cases[i].name);
	}
	weft_queue_free(NULL);
}

/* ---- Waiting ---- */

struct mover {
	weft_queue *queue;
	int item; /* to put, or gotten */
	int r, after;
	int place;
	int *n_served;
};

static int put_one(void *arg)
{
	struct mover *mover = arg;

	mover->r = weft_queue_put(mover->queue, &mover->item);
	if (mover->r == 0)
		mover->place = (*mover->n_served)++;
	mover->after = weft_sleep(WEFT_MSEC);
	return mover->r;
}

static int get_one(void *arg)
{
	struct mover *mover = arg;

	mover->r = weft_queue_get(mover->queue, &mover->item);
	if (mover->r == 0)
		mover->place = (*mover->n_served)++;
	mover->after = weft_sleep(WEFT_MSEC);
	return mover->r;
}

TaskTest(queue, does_not_wait_where_it_need_not)
{
	weft_queue *queue = queue_of_ints(1, NULL);
	int item = 4;

	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_queue_put(queue, &item), 0);
	cr_expect_eq(weft_queue_get(queue, &item), 0);
	cr_expect_eq(weft_queue_join(queue), -ECANCELED, "an item is not dealt with");
	cr_expect_eq(weft_queue_task_done(queue), 0);
	cr_expect_eq(weft_queue_join(queue), 0);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
	finish(queue);
}

TaskTest(queue, serves_getters_in_the_order_of_arrival)
{
	enum { N = 10 };
	weft_queue *queue = queue_of_ints(N, NULL);
	struct mover movers[N];
	weft_task *tasks[N];
	int n_served = 0;

	for (int i = 0; i < N; i++) {
		movers[i] = (struct mover){ queue, -1, 1, 1, -1, &n_served };
		tasks[i] = start(get_one, &movers[i]);
		pass_turns(2);
	}
	for (int i = 0; i < N; i++)
		put(queue, i);
	cr_expect_eq(weft_queue_size(queue), 0, "all are in somebody's hands");
	for (int i = 0; i < N; i++) {
		cr_expect_eq(weft_task_join(tasks[i]), 0);
		cr_expect_eq(movers[i].item, i);
	}
	finish(queue);
}

TaskTest(queue, serves_putters_in_the_order_of_arrival)
{
	enum { N = 10 };
	weft_queue *queue = queue_of_ints(1, NULL);
	struct mover movers[N];
	weft_task *tasks[N];
	int n_served = 0;

	put(queue, 100);
	for (int i = 0; i < N; i++) {
		movers[i] = (struct mover){ queue, i, 1, 1, -1, &n_served };
		tasks[i] = start(put_one, &movers[i]);
		pass_turns(2);
	}
	cr_expect_eq(get(queue), 100);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(get(queue), i);
		cr_expect_eq(weft_task_join(tasks[i]), 0);
	}
	finish(queue);
}

TaskTest(queue, is_not_overtaken_by_those_who_do_not_wait)
{
	weft_queue *queue = queue_of_ints(1, NULL);
	int n_served = 0, item = 0;
	struct mover getter = { queue, -1, 1, 1, -1, &n_served }, putter = getter;
	weft_task *task = start(get_one, &getter);

	pass_turns(2);
	put(queue, 1);
	cr_expect_eq(weft_queue_get_nowait(queue, &item), -EAGAIN, "it is the getter's");
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(getter.item, 1);

	put(queue, 2);
	putter.item = 3;
	task = start(put_one, &putter);
	pass_turns(2);
	cr_expect_eq(get(queue), 2);
	item = 4;
	cr_expect_eq(weft_queue_put_nowait(queue, &item), -EAGAIN, "it is the putter's");
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(get(queue), 3);
	finish(queue);
}

TaskTest(queue, orders_the_item_of_a_waiting_putter_like_the_others)
{
	static const struct {
		const char *name;
		enum weft_queue_order order;
		int items[4]; /* as they come out; 11 is put when there is no place */
	} cases[] = {
		{ "first in, first out", WEFT_FIFO, { 20, 30, 10, 11 } },
		{ "last in, first out", WEFT_LIFO, { 10, 11, 30, 20 } },
		{ "priority", WEFT_PRIORITY, { 10, 11, 20, 30 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_queue_options options = { .order = cases[i].order,
						      .compare = compare_tens };
		weft_queue *queue = queue_of_ints(3, &options);
		int n_served = 0;
		struct mover putter = { queue, 11, 1, 1, -1, &n_served };
		weft_task *task;

		put(queue, 20);
		put(queue, 30);
		put(queue, 10);
		task = start(put_one, &putter);
		pass_turns(2);
		for (int j = 0; j < 4; j++)
			cr_expect_eq(get(queue), cases[i].items[j], "%s", cases[i].name);
		cr_expect_eq(weft_task_join(task), 0);
		finish(queue);
	}
}

TaskTest(queue, leaves_the_item_to_the_next_when_a_getter_is_cancelled)
{
	weft_queue *queue = queue_of_ints(4, NULL);
	int n_served = 0;
	struct mover one = { queue, -1, 1, 1, -1, &n_served }, two = one;
	weft_task *tasks[2];

	tasks[0] = start(get_one, &one);
	pass_turns(2);
	tasks[1] = start(get_one, &two);
	pass_turns(2);
	weft_task_cancel(tasks[0], NULL);
	put(queue, 7); /* in the same step */
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect_eq(one.item, -1, "untouched");
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_eq(two.item, 7);
	finish(queue);
}

TaskTest(queue, gives_an_item_that_came_before_the_cancellation)
{
	weft_queue *queue = queue_of_ints(4, NULL);
	int n_served = 0;
	struct mover getter = { queue, -1, 1, 1, -1, &n_served };
	weft_task *task = start(get_one, &getter);

	pass_turns(2);
	put(queue, 7);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(getter.item, 7);
	cr_expect_eq(getter.after, -ECANCELED);
	finish(queue);
}

TaskTest(queue, puts_nothing_for_a_putter_that_is_cancelled)
{
	weft_queue *queue = queue_of_ints(1, NULL);
	int n_served = 0;
	struct mover one = { queue, 1, 1, 1, -1, &n_served }, two = one;
	weft_task *tasks[2];

	two.item = 2;
	put(queue, 0);
	tasks[0] = start(put_one, &one);
	pass_turns(2);
	tasks[1] = start(put_one, &two);
	pass_turns(2);
	weft_task_cancel(tasks[0], NULL);
	cr_expect_eq(get(queue), 0);
	cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_eq(get(queue), 2);
	cr_expect_eq(weft_queue_size(queue), 0);
	finish(queue);
}

TaskTest(queue, has_put_what_was_given_a_place_before_the_cancellation)
{
	weft_queue *queue = queue_of_ints(1, NULL);
	int n_served = 0;
	struct mover putter = { queue, 1, 1, 1, -1, &n_served };
	weft_task *task;

	put(queue, 0);
	task = start(put_one, &putter);
	pass_turns(2);
	cr_expect_eq(get(queue), 0);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(putter.after, -ECANCELED);
	cr_expect_eq(get(queue), 1);
	finish(queue);
}

struct stream {
	weft_queue *queue;
	int n;
	long sum;
};

static int produce(void *arg)
{
	struct stream *stream = arg;
	int r = 0;

	for (int i = 1; i <= stream->n && r == 0; i++)
		r = weft_queue_put(stream->queue, &i);
	return r;
}

static int consume(void *arg)
{
	struct stream *stream = arg;
	int item, r;

	while ((r = weft_queue_get(stream->queue, &item)) == 0) {
		stream->sum += item;
		if (weft_queue_task_done(stream->queue) < 0)
			return -EINVAL;
	}
	return r;
}

TaskTest(queue, carries_every_item_from_many_to_many)
{
	enum { PRODUCERS = 4, CONSUMERS = 3, N = 200 };
	weft_queue *queue = queue_of_ints(5, NULL);
	struct stream in = { queue, N, 0 }, out[CONSUMERS];
	weft_task *producers[PRODUCERS], *consumers[CONSUMERS];
	long sum = 0;

	for (int i = 0; i < PRODUCERS; i++)
		producers[i] = start(produce, &in);
	for (int i = 0; i < CONSUMERS; i++) {
		out[i] = (struct stream){ .queue = queue };
		consumers[i] = start(consume, &out[i]);
	}
	for (int i = 0; i < PRODUCERS; i++)
		cr_expect_eq(weft_task_join(producers[i]), 0);
	cr_expect_eq(weft_queue_join(queue), 0);
	weft_queue_shutdown(queue, false);
	for (int i = 0; i < CONSUMERS; i++) {
		cr_expect_eq(weft_task_join(consumers[i]), -ESHUTDOWN);
		sum += out[i].sum;
	}
	cr_expect_eq(sum, PRODUCERS * (long)N * (N + 1) / 2);
	finish(queue);
}

/* ---- Dealt with ---- */

TaskTest(queue, joins_when_every_item_was_dealt_with)
{
	weft_queue *queue = queue_of_ints(4, NULL);
	weft_task *task;
	struct stream out = { .queue = queue };

	cr_expect_eq(weft_queue_join(queue), 0, "nothing was put");
	for (int i = 0; i < 4; i++)
		put(queue, 1);
	task = start(consume, &out);
	cr_expect_eq(weft_queue_join(queue), 0);
	cr_expect_eq(out.sum, 4);
	cr_expect_eq(weft_queue_task_done(queue), -EINVAL,
		     "more often than items were put");
	weft_queue_shutdown(queue, false);
	cr_expect_eq(weft_task_join(task), -ESHUTDOWN);
	finish(queue);
}

/* ---- Shutting down ---- */

TaskTest(queue, that_is_shut_down_gives_what_it_has_and_takes_nothing)
{
	weft_queue *queue = queue_of_ints(4, NULL);
	int item = 3;

	put(queue, 1);
	put(queue, 2);
	weft_queue_shutdown(queue, false);
	cr_expect_eq(weft_queue_put_nowait(queue, &item), -ESHUTDOWN);
	cr_expect_eq(weft_queue_put(queue, &item), -ESHUTDOWN);
	cr_expect_eq(get(queue), 1);
	cr_expect_eq(weft_queue_get(queue, &item), 0);
	cr_expect_eq(item, 2);
	cr_expect_eq(weft_queue_get(queue, &item), -ESHUTDOWN);
	cr_expect_eq(weft_queue_get_nowait(queue, &item), -ESHUTDOWN);
	cr_expect_eq(item, 2, "untouched");
	weft_queue_shutdown(queue, false);
	weft_queue_shutdown(queue, true);
	finish(queue);
}

TaskTest(queue, that_is_shut_down_may_then_be_shut_down_at_once)
{
	weft_queue *queue = queue_of_ints(4, NULL);
	int item;

	put(queue, 1);
	put(queue, 2);
	weft_queue_shutdown(queue, false);
	cr_expect_eq(weft_queue_size(queue), 2);
	weft_queue_shutdown(queue, true);
	cr_expect_eq(weft_queue_size(queue), 0);
	cr_expect_eq(weft_queue_get(queue, &item), -ESHUTDOWN);
	cr_expect_eq(weft_queue_join(queue), 0, "dropped is dealt with");
	finish(queue);
}

TaskTest(queue, that_is_shut_down_keeps_what_was_given_before)
{
	weft_queue *empty = queue_of_ints(1, NULL), *full = queue_of_ints(1, NULL);
	int n_served = 0;
	struct mover getter = { empty, -1, 1, 1, -1, &n_served },
		     putter = { full, 5, 1, 1, -1, &n_served };
	weft_task *tasks[2];

	put(full, 1);
	tasks[0] = start(get_one, &getter);
	tasks[1] = start(put_one, &putter);
	pass_turns(2);
	put(empty, 7); /* the getter's */
	cr_expect_eq(get(full), 1); /* the putter has the place */
	weft_queue_shutdown(empty, true);
	weft_queue_shutdown(full, false);
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	cr_expect_eq(getter.item, 7);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_eq(get(full), 5);
	finish(empty);
	finish(full);
}

TaskTest(queue, that_is_shut_down_wakes_who_waits)
{
	weft_queue *empty = queue_of_ints(1, NULL), *full = queue_of_ints(1, NULL);
	int n_served = 0;
	struct mover getter = { empty, -1, 1, 1, -1, &n_served },
		     putter = { full, 5, 1, 1, -1, &n_served };
	weft_task *tasks[2];

	put(full, 1);
	tasks[0] = start(get_one, &getter);
	tasks[1] = start(put_one, &putter);
	pass_turns(2);
	weft_queue_shutdown(empty, false);
	weft_queue_shutdown(full, false);
	cr_expect_eq(weft_task_join(tasks[0]), -ESHUTDOWN);
	cr_expect_eq(weft_task_join(tasks[1]), -ESHUTDOWN);
	cr_expect_eq(get(full), 1);
	finish(empty);
	finish(full);
}

static void count_drop(void *item, void *arg)
{
	*(int *)arg += *(int *)item;
}

TaskTest(queue, that_is_shut_down_at_once_drops_what_it_has_as_dealt_with)
{
	int dropped = 0;
	struct weft_queue_options options = { .drop = count_drop, .drop_arg = &dropped };
	weft_queue *queue = queue_of_ints(4, &options);

	for (int i = 1; i <= 4; i++)
		put(queue, i);
	weft_queue_shutdown(queue, true);
	cr_expect_eq(dropped, 10);
	cr_expect_eq(weft_queue_size(queue), 0);
	cr_expect_eq(weft_queue_join(queue), 0);
	finish(queue);
	cr_expect_eq(dropped, 10, "once each");
}

static int join_queue(void *arg)
{
	return weft_queue_join(arg);
}

TaskTest(queue, that_is_shut_down_at_once_still_waits_for_what_was_taken_out)
{
	weft_queue *queue = queue_of_ints(4, NULL);
	weft_task *task;

	put(queue, 1);
	put(queue, 2);
	cr_expect_eq(get(queue), 1);
	task = start(join_queue, queue);
	pass_turns(2);
	weft_queue_shutdown(queue, true);
	pass_time(WEFT_SEC);
	cr_expect(weft_task_cancelling(task) == 0 &&
			  weft_loop_tasks(weft_loop_current(), NULL, 0) == 2,
		  "it still waits");
	cr_expect_eq(weft_queue_task_done(queue), 0);
	cr_expect_eq(weft_task_join(task), 0);
	finish(queue);
}

TaskTest(queue, drops_what_is_left_when_it_is_freed)
{
	static const enum weft_queue_order orders[] = { WEFT_FIFO, WEFT_LIFO,
							WEFT_PRIORITY };

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		int dropped = 0;
		struct weft_queue_options options = { .order = orders[i],
						      .compare = compare_tens,
						      .drop = count_drop,
						      .drop_arg = &dropped };
		weft_queue *queue = queue_of_ints(4, &options);

		put(queue, 1);
		put(queue, 2);
		put(queue, 30);
		(void)get(queue);
		put(queue, 400);
		finish(queue);
		cr_expect_gt(dropped, 400, "%zu", i);
	}
}
