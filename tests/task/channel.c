/*
 * Channels: on one loop, in callbacks, on plain threads, between loops. Select is channel_select.c;
 * everything at once is tests/stress_channel.c.
 */
#include <weft/channel.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/task_test.h"

static weft_channel *channel_of_ints(size_t n_max)
{
	weft_channel *channel = NULL;
	int r = weft_channel_new(sizeof(int), n_max, NULL, &channel);

	cr_assert_eq(r, 0, "weft_channel_new(): %s", weft_error_text(r));
	return channel;
}

static void put(weft_channel *channel, int item)
{
	cr_expect_eq(weft_channel_put_nowait(channel, &item), 0, "%d", item);
}

static int get(weft_channel *channel)
{
	int item = -1, r = weft_channel_get_nowait(channel, &item);

	cr_expect_eq(r, 0, "%s", weft_error_text(r));
	return item;
}

static void expect_empty(weft_channel *channel)
{
	int item = 1234;

	cr_expect_eq(weft_channel_get_nowait(channel, &item), -EAGAIN);
	cr_expect_eq(item, 1234, "untouched");
}

static void expect_full(weft_channel *channel)
{
	int item = 1234;

	cr_expect_eq(weft_channel_put_nowait(channel, &item), -EAGAIN);
}

/* ---- One after the other ---- */

TaskTest(channel, gives_items_in_the_order_of_arrival)
{
	weft_channel *channel = channel_of_ints(3);
	int next_in = 0, next_out = 0;

	put(channel, next_in++);
	for (int i = 0; i < 100; i++) {
		put(channel, next_in++);
		put(channel, next_in++);
		expect_full(channel);
		cr_expect_eq(get(channel), next_out++);
		cr_expect_eq(get(channel), next_out++);
	}
	cr_expect_eq(get(channel), next_out);
	expect_empty(channel);
	weft_channel_unref(channel);
}

TaskTest(channel, copies_items_of_any_size)
{
	for (size_t size = 1; size <= 300; size += size < 20 ? 1 : 35) {
		char in[300], out[300];
		weft_channel *channel = NULL;

		cr_assert_eq(weft_channel_new(size, 3, NULL, &channel), 0);
		for (size_t i = 0; i < size; i++)
			in[i] = (char)(i * 7 + size);
		for (int i = 0; i < 3; i++)
			cr_expect_eq(weft_channel_put_nowait_sized(channel, in, size), 0);
		memset(in, 0, sizeof(in));
		for (int i = 0; i < 3; i++) {
			cr_expect_eq(weft_channel_get_nowait_sized(channel, out, size),
				     0);
			for (size_t k = 0; k < size; k++)
				cr_expect_eq(out[k], (char)(k * 7 + size), "%zu: %zu",
					     size, k);
		}
		weft_channel_unref(channel);
	}
}

TaskTest(channel, refuses_an_item_of_another_size)
{
	weft_channel *channel = channel_of_ints(2);
	char small = 1;
	int64_t large = 1;

	cr_expect_eq(weft_channel_put_nowait(channel, &small), -EMSGSIZE);
	cr_expect_eq(weft_channel_put_nowait(channel, &large), -EMSGSIZE);
	cr_expect_eq(weft_channel_put(channel, &large), -EMSGSIZE);
	put(channel, 5);
	cr_expect_eq(weft_channel_get_nowait(channel, &small), -EMSGSIZE);
	cr_expect_eq(weft_channel_get(channel, &large), -EMSGSIZE);
	cr_expect_eq(large, 1);
	cr_expect_eq(get(channel), 5);
	weft_channel_unref(channel);
}

TaskTest(channel, refuses_what_makes_no_channel)
{
	static const struct {
		const char *name;
		size_t item_bytes, n_max;
		struct weft_channel_options options;
		int r;
	} cases[] = {
		{ "no bytes", 0, 1, { 0 }, -EINVAL },
		{ "no places", 4, 0, { 0 }, -EINVAL },
		{ "a reserved field", 4, 1, { .reserved = { 0, 1 } }, -EINVAL },
		{ "more than memory", SIZE_MAX / 2, 3, { 0 }, -ENOMEM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_channel *channel = NULL;
		int r = weft_channel_new(cases[i].item_bytes, cases[i].n_max,
					 &cases[i].options, &channel);

		cr_expect_eq(r, cases[i].r, "%s: %d", cases[i].name, r);
		cr_expect_null(channel, "%s", cases[i].name);
	}
	weft_channel_unref(NULL);
}

Test(channel, is_made_whole_or_not_at_all)
{
	weft_channel *channel = NULL;
	long nth = 0;
	int r;

	do {
		weft__fail_allocation(++nth);
		r = weft_channel_new(sizeof(int), 4, NULL, &channel);
		weft__fail_allocation(0);
		cr_expect(r == 0 || (r == -ENOMEM && !channel), "%ld: %d", nth, r);
	} while (r < 0 && nth < 100);
	cr_assert_eq(r, 0);
	cr_expect_eq(nth, 3, "two allocations could fail");
	weft_channel_unref(channel);
}

/* ---- Waiting: put, get, and the same as one of two cases ---- */

enum way { PUT, GET, SELECT_PUT, SELECT_GET, N_WAYS };

static const char *const way_names[] = { "put", "get", "select put", "select get" };

static bool is_put(enum way way)
{
	return way == PUT || way == SELECT_PUT;
}

/* A task that does one of these, and then waits again. */
struct op {
	enum way way;
	weft_channel *channel;
	weft_channel *other; /* SELECT_*: one that stays as useless as `channel` was */
	int item;
	int r, after;
	int *n_served, place;
};

static int do_select(struct op *op, bool put_it)
{
	int unused = 77;
	struct weft_channel_case cases[] = {
		{ op->other, &unused, sizeof(int), put_it },
		{ op->channel, &op->item, sizeof(int), put_it },
	};
	size_t chosen = 99;
	int r = weft_channel_select(cases, 2, &chosen);

	cr_expect_eq(chosen, r == 0 || r == -ESHUTDOWN ? 1 : 99, "r %d", r);
	return r;
}

static int do_op(void *arg)
{
	struct op *op = arg;

	switch (op->way) {
	case PUT:
		op->r = weft_channel_put(op->channel, &op->item);
		break;
	case GET:
		op->r = weft_channel_get(op->channel, &op->item);
		break;
	default:
		op->r = do_select(op, op->way == SELECT_PUT);
	}
	if (op->n_served && op->r == 0)
		op->place = (*op->n_served)++;
	op->after = weft_sleep(WEFT_MSEC);
	return op->r;
}

/* Two channels of one place on which `way` has to wait. */
struct scene {
	enum way way;
	weft_channel *channel, *other;
};

static struct scene set_scene(enum way way)
{
	struct scene scene = { way, channel_of_ints(1), channel_of_ints(1) };

	if (is_put(way)) {
		put(scene.channel, 0);
		put(scene.other, 0);
	}
	return scene;
}

static struct op op_of(const struct scene *scene, int item)
{
	return (struct op){ .way = scene->way,
			    .channel = scene->channel,
			    .other = scene->other,
			    .item = is_put(scene->way) ? item : -1,
			    .r = 1,
			    .after = 1,
			    .place = -1 };
}

/* Lets the first waiter have what it waits for; `item` is for a getter. */
static void serve(const struct scene *scene, int item)
{
	if (is_put(scene->way))
		(void)get(scene->channel);
	else
		put(scene->channel, item);
}

/* What was served was for nobody: the next one gets it. Ends the scene. */
static void expect_unserved(const struct scene *scene, int item)
{
	if (is_put(scene->way))
		expect_empty(scene->channel);
	else
		cr_expect_eq(get(scene->channel), item);
}

static void end_scene(const struct scene *scene)
{
	weft_channel_unref(scene->channel);
	weft_channel_unref(scene->other);
}

TaskTest(channel, lets_a_task_wait_until_it_is_served)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op op = op_of(&scene, 5);
		weft_task *task = start(do_op, &op);

		pass_time(WEFT_SEC);
		cr_expect_eq(op.r, 1, "%s waits", way_names[way]);
		serve(&scene, 5);
		cr_expect_eq(weft_task_join(task), 0, "%s", way_names[way]);
		cr_expect_eq(op.item, 5, "%s", way_names[way]);
		if (is_put(way))
			cr_expect_eq(get(scene.channel), 5, "%s", way_names[way]);
		expect_empty(scene.channel);
		end_scene(&scene);
	}
}

TaskTest(channel, serves_waiters_in_the_order_of_arrival)
{
	enum { N = 10 };

	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op ops[N];
		weft_task *tasks[N];
		int n_served = 0;

		for (int i = 0; i < N; i++) {
			ops[i] = op_of(&scene, i);
			ops[i].n_served = &n_served;
			tasks[i] = start(do_op, &ops[i]);
			pass_turns(2);
		}
		if (is_put(way))
			cr_expect_eq(get(scene.channel), 0);
		for (int i = 0; i < N; i++) {
			pass_turns(2); /* one at a time */
			if (is_put(way))
				cr_expect_eq(get(scene.channel), i);
			else
				put(scene.channel, i);
			cr_expect_eq(weft_task_join(tasks[i]), 0);
			cr_expect_eq(ops[i].item, i);
			cr_expect_eq(ops[i].place, i, "%s", way_names[way]);
		}
		end_scene(&scene);
	}
}

TaskTest(channel, is_not_overtaken_by_those_who_do_not_wait)
{
	weft_channel *channel = channel_of_ints(1);
	struct op getter = { .way = GET, .channel = channel, .item = -1 };
	struct op putter = { .way = PUT, .channel = channel, .item = 3 };
	weft_task *task = start(do_op, &getter);

	pass_turns(2);
	put(channel, 1);
	expect_empty(channel);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(getter.item, 1);

	put(channel, 2);
	task = start(do_op, &putter);
	pass_turns(2);
	cr_expect_eq(get(channel), 2);
	expect_full(channel);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(get(channel), 3);
	weft_channel_unref(channel);
}

struct stream {
	weft_channel *channel;
	int n;
	long sum;
};

static int produce(void *arg)
{
	struct stream *stream = arg;
	int r = 0;

	for (int i = 1; i <= stream->n && r == 0; i++)
		r = weft_channel_put(stream->channel, &i);
	return r;
}

static int consume(void *arg)
{
	struct stream *stream = arg;
	int item, r;

	while ((r = weft_channel_get(stream->channel, &item)) == 0)
		stream->sum += item;
	return r == -ESHUTDOWN ? 0 : r;
}

TaskTest(channel, carries_a_stream_between_tasks)
{
	for (int n_max = 1; n_max <= 8; n_max++) {
		struct stream stream = { channel_of_ints((size_t)n_max), 1000, 0 };
		weft_task *consumers[2], *producers[3];

		for (size_t i = 0; i < 2; i++)
			consumers[i] = start(consume, &stream);
		for (size_t i = 0; i < 3; i++)
			producers[i] = start(produce, &stream);
		for (size_t i = 0; i < 3; i++)
			cr_expect_eq(weft_task_join(producers[i]), 0);
		weft_channel_shutdown(stream.channel);
		for (size_t i = 0; i < 2; i++)
			cr_expect_eq(weft_task_join(consumers[i]), 0);
		cr_expect_eq(stream.sum, 3L * 1000 * 1001 / 2);
		weft_channel_unref(stream.channel);
	}
}

/* ---- Cancellation ---- */

TaskTest(channel, does_not_ask_for_a_cancellation_where_it_need_not_wait)
{
	weft_channel *channel = channel_of_ints(1);
	int item = 4;

	weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft_channel_put(channel, &item), 0);
	cr_expect_eq(weft_channel_get(channel, &item), 0);
	cr_expect_eq(weft_channel_get(channel, &item), -ECANCELED);
	cr_expect_eq(weft_task_uncancel(weft_task_current()), 0);
	weft_channel_unref(channel);
}

TaskTest(channel, is_not_waited_for_by_a_task_that_was_cancelled_before)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op op = op_of(&scene, 5);
		weft_task *task = start(do_op, &op);

		weft_task_cancel(task, NULL);
		cr_expect_eq(weft_task_join(task), -ECANCELED, "%s", way_names[way]);
		cr_expect_eq(op.after, 0, "%s: it was told once", way_names[way]);
		serve(&scene, 5);
		expect_unserved(&scene, 5);
		end_scene(&scene);
	}
}

TaskTest(channel, is_left_without_a_trace_when_the_wait_is_cancelled)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op op = op_of(&scene, 5);
		weft_task *task = start(do_op, &op);

		pass_turns(3);
		weft_task_cancel(task, NULL);
		weft_task_cancel(task, NULL); /* twice is as once */
		cr_expect_eq(weft_task_join(task), -ECANCELED, "%s", way_names[way]);
		cr_expect_eq(op.item, is_put(way) ? 5 : -1, "%s", way_names[way]);
		cr_expect_eq(op.after, 0, "%s: it was told once", way_names[way]);
		serve(&scene, 5);
		expect_unserved(&scene, 5);
		end_scene(&scene);
	}
}

TaskTest(channel, passes_over_a_waiter_that_is_cancelled_in_the_same_step)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op first = op_of(&scene, 5), second = op_of(&scene, 6);
		weft_task *tasks[2];

		tasks[0] = start(do_op, &first);
		pass_turns(2);
		tasks[1] = start(do_op, &second);
		pass_turns(2);
		weft_task_cancel(tasks[0], NULL);
		serve(&scene, 6);
		cr_expect_eq(weft_task_join(tasks[0]), -ECANCELED, "%s", way_names[way]);
		cr_expect_eq(weft_task_join(tasks[1]), 0, "%s", way_names[way]);
		cr_expect_eq(second.item, 6, "%s", way_names[way]);
		if (is_put(way))
			cr_expect_eq(get(scene.channel), 6, "%s", way_names[way]);
		expect_empty(scene.channel);
		end_scene(&scene);
	}
}

TaskTest(channel, gives_what_came_before_the_cancellation)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op op = op_of(&scene, 5);
		weft_task *task = start(do_op, &op);

		pass_turns(3);
		serve(&scene, 5);
		weft_task_cancel(task, NULL);
		weft_task_cancel(task, NULL);
		cr_expect_eq(weft_task_join(task), 0, "%s", way_names[way]);
		cr_expect_eq(op.item, 5, "%s", way_names[way]);
		cr_expect_eq(op.after, -ECANCELED, "%s", way_names[way]);
		if (is_put(way))
			cr_expect_eq(get(scene.channel), 5, "%s", way_names[way]);
		expect_empty(scene.channel);
		end_scene(&scene);
	}
}

TaskTest(channel, obeys_a_timeout)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op op = op_of(&scene, 5);
		struct weft_timeout timeout;
		weft_time start_of_wait = weft_now();

		weft_timeout_begin(&timeout, 3 * WEFT_SEC);
		cr_expect_eq(weft_timeout_end(&timeout, do_op(&op)), -ETIMEDOUT, "%s",
			     way_names[way]);
		cr_expect_eq(weft_now() - start_of_wait, 3 * WEFT_SEC + WEFT_MSEC);
		serve(&scene, 5);
		expect_unserved(&scene, 5);
		end_scene(&scene);
	}
}

/* ---- Shutting down ---- */

TaskTest(channel, gives_what_is_inside_after_it_was_shut_down)
{
	weft_channel *channel = channel_of_ints(2);
	int item = 9;

	put(channel, 1);
	put(channel, 2);
	weft_channel_shutdown(channel);
	weft_channel_shutdown(channel);
	cr_expect_eq(weft_channel_put_nowait(channel, &item), -ESHUTDOWN);
	cr_expect_eq(get(channel), 1);
	cr_expect_eq(weft_channel_put(channel, &item), -ESHUTDOWN, "with a place, too");
	cr_expect_eq(get(channel), 2);
	cr_expect_eq(weft_channel_get(channel, &item), -ESHUTDOWN);
	cr_expect_eq(weft_channel_get_nowait(channel, &item), -ESHUTDOWN);
	cr_expect_eq(item, 9, "untouched");
	weft_channel_unref(channel);
}

TaskTestInOrder(channel, refuses_all_who_wait_when_it_is_shut_down)
{
	enum { N = 5 };

	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op ops[N];
		weft_task *tasks[N];

		for (int i = 0; i < N; i++) {
			ops[i] = op_of(&scene, 5);
			tasks[i] = start(do_op, &ops[i]);
		}
		pass_turns(2);
		weft_channel_shutdown(scene.channel);
		weft_task_cancel(tasks[0], NULL); /* too late */
		for (int i = 0; i < N; i++)
			cr_expect_eq(weft_task_join(tasks[i]), -ESHUTDOWN, "%s %d",
				     way_names[way], i);
		cr_expect_eq(ops[0].after, -ECANCELED);
		if (is_put(way))
			cr_expect_eq(get(scene.channel), 0, "nothing was put");
		end_scene(&scene);
	}
}

struct dropped {
	int n, items[8];
};

static void note_dropped(void *item, void *arg)
{
	struct dropped *dropped = arg;

	dropped->items[dropped->n++] = *(int *)item;
}

TaskTest(channel, drops_what_is_left_with_the_last_reference)
{
	struct dropped dropped = { .n = 0 };
	struct weft_channel_options options = { .drop = note_dropped,
						.drop_arg = &dropped };
	weft_channel *channel = NULL;

	cr_assert_eq(weft_channel_new(sizeof(int), 3, &options, &channel), 0);
	for (int i = 1; i <= 3; i++)
		put(channel, i);
	cr_expect_eq(get(channel), 1);
	put(channel, 4); /* lies before the others */
	weft_channel_shutdown(channel);
	cr_expect_eq(weft_channel_ref(channel), channel);
	weft_channel_unref(channel);
	cr_expect_eq(dropped.n, 0);
	weft_channel_unref(channel);
	cr_expect_eq(dropped.n, 3);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(dropped.items[i], i + 2);
}

static int get_and_end(void *channel)
{
	int item;

	return weft_channel_get(channel, &item);
}

static int unref_while_a_task_waits(void *unused)
{
	weft_channel *channel = NULL;

	(void)unused;
	if (weft_channel_new(sizeof(int), 1, NULL, &channel) < 0 ||
	    weft_spawn(get_and_end, channel, NULL) < 0 || weft_yield() < 0)
		return 1;
	weft_channel_unref(channel);
	return 0;
}

static int run_unref(void *unused)
{
	return weft_run(unref_while_a_task_waits, unused);
}

Test(channel, says_that_somebody_waits_when_it_goes)
{
	expect_assertion(run_unref, NULL, "whoever waits must hold a reference");
}

/* ---- Where nothing can wait ---- */

static void try_in_callback(void *arg)
{
	weft_channel *channel = arg;
	int item = 1;
	struct weft_channel_case one = WEFT_CASE_PUT(channel, &item);
	size_t chosen;

	cr_expect_eq(weft_channel_put(channel, &item), -EDEADLK, "with a place, too");
	cr_expect_eq(weft_channel_get(channel, &item), -EDEADLK);
	cr_expect_eq(weft_channel_select(&one, 1, &chosen), -EDEADLK);
	cr_expect(strstr(weft_error_text(-EDEADLK), "callback"), "%s",
		  weft_error_text(-EDEADLK));
	cr_expect_eq(weft_channel_get_nowait(channel, &item), -EAGAIN);
	cr_expect_eq(weft_channel_put_nowait(channel, &item), 0);
	cr_expect_eq(weft_channel_get_nowait(channel, &item), 0);
	cr_expect_eq(weft_channel_put_nowait(channel, &item), 0);
}

TaskTest(channel, refuses_to_wait_in_a_callback)
{
	weft_channel *channel = channel_of_ints(1);

	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), try_in_callback, channel,
					 NULL),
		     0);
	pass_turns(2);
	cr_expect_eq(get(channel), 1);
	weft_channel_unref(channel);
}

static bool all_are_stale(weft_channel *channel)
{
	weft_channel *another = NULL;
	int item = 1;
	struct weft_channel_case one = WEFT_CASE_PUT(channel, &item);
	size_t chosen;
	bool stale = weft_channel_put(channel, &item) == -ESTALE &&
		     weft_channel_get(channel, &item) == -ESTALE &&
		     weft_channel_put_nowait(channel, &item) == -ESTALE &&
		     weft_channel_get_nowait(channel, &item) == -ESTALE &&
		     weft_channel_select(&one, 1, &chosen) == -ESTALE &&
		     weft_channel_new(4, 1, NULL, &another) == -ESTALE && !another;

	weft_channel_shutdown(channel); /* these do nothing */
	weft_channel_unref(channel);
	return stale;
}

Test(channel, is_stale_in_a_forked_child)
{
	weft_channel *channel = channel_of_ints(1);
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(all_are_stale(channel) ? 0 : 1);
	cr_assert_gt(pid, 0);
	cr_expect_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	put(channel, 3); /* here all is as it was */
	cr_expect_eq(get(channel), 3);
	weft_channel_unref(channel);
}

/* ---- On plain threads ---- */

static void *do_op_on_a_thread(void *arg)
{
	struct op *op = arg;
	int item = op->item, unused = 77;
	struct weft_channel_case cases[] = {
		{ op->other, &unused, sizeof(int), is_put(op->way) },
		{ op->channel, &item, sizeof(int), is_put(op->way) },
	};
	size_t chosen;

	if (op->way == PUT)
		op->r = weft_channel_put(op->channel, &item);
	else if (op->way == GET)
		op->r = weft_channel_get(op->channel, &item);
	else
		op->r = weft_channel_select(cases, 2, &chosen);
	op->item = item;
	return NULL;
}

Test(channel, blocks_a_plain_thread_until_it_is_served)
{
	/* Long enough that the thread sleeps by then, most of the time; either is right. */
	static const useconds_t heads_start[] = { 0, 100, 2000 };

	for (enum way way = 0; way < N_WAYS; way++) {
		for (size_t i = 0; i < ARRAY_SIZE(heads_start); i++) {
			struct scene scene = set_scene(way);
			struct op op = op_of(&scene, 5);
			pthread_t thread;

			cr_assert_eq(
				pthread_create(&thread, NULL, do_op_on_a_thread, &op), 0);
			usleep(heads_start[i]);
			serve(&scene, 5);
			pthread_join(thread, NULL);
			cr_expect_eq(op.r, 0, "%s", way_names[way]);
			cr_expect_eq(op.item, 5, "%s", way_names[way]);
			if (is_put(way))
				cr_expect_eq(get(scene.channel), 5, "%s", way_names[way]);
			expect_empty(scene.channel);
			end_scene(&scene);
		}
	}
}

Test(channel, refuses_a_plain_thread_that_waits_when_it_is_shut_down)
{
	for (enum way way = 0; way < N_WAYS; way++) {
		struct scene scene = set_scene(way);
		struct op op = op_of(&scene, 5);
		pthread_t thread;

		cr_assert_eq(pthread_create(&thread, NULL, do_op_on_a_thread, &op), 0);
		usleep(1000);
		weft_channel_shutdown(scene.channel);
		pthread_join(thread, NULL);
		cr_expect_eq(op.r, -ESHUTDOWN, "%s", way_names[way]);
		end_scene(&scene);
	}
}

static void *put_borrowed(void *arg)
{
	weft_channel *channel = arg;
	int item = 5;

	cr_expect_eq(weft_channel_put(channel, &item), 0);
	return NULL;
}

Test(channel, may_go_as_soon_as_the_last_item_is_there)
{
	for (int i = 0; i < 1000; i++) {
		weft_channel *channel = channel_of_ints(1);
		int item = 0;
		pthread_t thread;

		cr_assert_eq(pthread_create(&thread, NULL, put_borrowed, channel), 0);
		if (i % 2) /* else it waits for the item, which is handed over */
			sched_yield();
		cr_expect_eq(weft_channel_get(channel, &item), 0);
		weft_channel_unref(channel);
		cr_expect_eq(item, 5);
		pthread_join(thread, NULL);
	}
}

/* ---- Between loops ---- */

Test(channel, carries_a_stream_between_loops_and_threads)
{
	enum { N = 2000, N_LOOPS = 3 };

	for (size_t n_max = 1; n_max <= 64; n_max *= 8) {
		struct stream from_loop = { channel_of_ints(n_max), N, 0 };
		struct stream from_thread = from_loop, sums[2] = { from_loop, from_loop };
		weft_future *producer, *consumers[2];
		weft_loops *loops = NULL;

		cr_assert_eq(weft_loops_new(N_LOOPS, NULL, &loops), 0);
		for (int i = 0; i < 2; i++)
			cr_assert_eq(weft_spawn_on(weft_loops_get(loops, i), consume,
						   &sums[i], &consumers[i]),
				     0);
		cr_assert_eq(weft_spawn_on(weft_loops_get(loops, 2), produce, &from_loop,
					   &producer),
			     0);
		cr_expect_eq(produce(&from_thread), 0);
		cr_expect_eq(weft_future_wait(producer, WEFT_FOREVER), 0);
		cr_expect_eq(weft_future_result(producer), 0);
		weft_future_unref(producer);
		weft_channel_shutdown(from_loop.channel);
		for (int i = 0; i < 2; i++) {
			cr_expect_eq(weft_future_wait(consumers[i], WEFT_FOREVER), 0);
			cr_expect_eq(weft_future_result(consumers[i]), 0);
			weft_future_unref(consumers[i]);
		}
		cr_expect_eq(sums[0].sum + sums[1].sum, (long)N * (N + 1));
		cr_expect_eq(weft_loops_close(loops), 0);
		weft_channel_unref(from_loop.channel);
	}
}

static int get_for_ever(void *arg)
{
	struct stream *stream = arg;
	int item, r;

	while ((r = weft_channel_get(stream->channel, &item)) == 0)
		stream->sum += item;
	return r;
}

/* Each item is in the channel or was counted, whenever the cancellation came. */
Test(channel, loses_nothing_to_a_getter_that_another_loop_cancels)
{
	enum { ROUNDS = 300, N = 20 };
	weft_loops *loops = NULL;
	long last = 0;

	cr_assert_eq(weft_loops_new(1, NULL, &loops), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct stream stream = { channel_of_ints(N), N, 0 };
		weft_future *getter;
		int item;

		cr_assert_eq(weft_spawn_on(weft_loops_get(loops, 0), get_for_ever,
					   &stream, &getter),
			     0);
		for (int k = 1; k <= N; k++) {
			put(stream.channel, k);
			if (k == N / 2)
				weft_future_cancel(getter);
		}
		cr_expect_eq(weft_future_wait(getter, WEFT_FOREVER), 0);
		cr_expect_eq(weft_future_result(getter), -ECANCELED);
		weft_future_unref(getter);
		while (weft_channel_get_nowait(stream.channel, &item) == 0)
			stream.sum += last = item;
		cr_expect_eq(stream.sum, (long)N * (N + 1) / 2, "%d: last %ld", i, last);
		weft_channel_unref(stream.channel);
	}
	cr_expect_eq(weft_loops_close(loops), 0);
}
