/*
 * weft_channel_select(): which case is done, and what becomes of the others. That a wait is ended
 * once, whatever it waits for, is tested with put and get in channel.c.
 */
#include <weft/channel.h>

#include "tests/task_test.h"

enum { N_CHANNELS = 3 };

struct scene {
	weft_channel *channels[N_CHANNELS]; /* of two ints each */
};

static void set_scene(struct scene *scene)
{
	for (int i = 0; i < N_CHANNELS; i++)
		cr_assert_eq(weft_channel_new(sizeof(int), 2, NULL, &scene->channels[i]),
			     0);
}

static void end_scene(struct scene *scene)
{
	for (int i = 0; i < N_CHANNELS; i++)
		weft_channel_unref(scene->channels[i]);
}

static void put(weft_channel *channel, int item)
{
	cr_expect_eq(weft_channel_put_nowait(channel, &item), 0, "%d", item);
}

/* -1 if there is none. */
static int get(weft_channel *channel)
{
	int item = -1;

	(void)!weft_channel_get_nowait(channel, &item);
	return item;
}

TaskTest(channel_select, does_the_first_that_can_be_done)
{
	struct scene scene;
	int in = 5, out = -1;
	size_t chosen = 99;

	set_scene(&scene);
	{
		struct weft_channel_case cases[] = {
			WEFT_CASE_GET(scene.channels[0], &out),
			WEFT_CASE_PUT(scene.channels[1], &in),
			WEFT_CASE_GET(scene.channels[2], &out),
		};

		put(scene.channels[2], 7);
		cr_expect_eq(weft_channel_select(cases, 3, &chosen), 0);
		cr_expect_eq(chosen, 1, "the get before it had to wait");
		cr_expect_eq(weft_channel_select(cases, 3, &chosen), 0);
		cr_expect_eq(weft_channel_select(cases, 3, &chosen), 0);
		cr_expect_eq(chosen, 2, "the put before it had to wait by now");
		cr_expect_eq(out, 7);
	}
	cr_expect_eq(get(scene.channels[1]), 5);
	cr_expect_eq(get(scene.channels[1]), 5);
	cr_expect_eq(get(scene.channels[1]), -1, "no more than was told");
	end_scene(&scene);
}

TaskTest(channel_select, takes_a_channel_that_is_shut_down_for_ready)
{
	struct scene scene;
	int item = 5;
	size_t chosen = 99;

	set_scene(&scene);
	{
		struct weft_channel_case gets[] = {
			WEFT_CASE_GET(scene.channels[0], &item),
			WEFT_CASE_GET(scene.channels[1], &item),
		};
		struct weft_channel_case puts[] = {
			WEFT_CASE_PUT(scene.channels[1], &item),
		};

		put(scene.channels[1], 6);
		weft_channel_shutdown(scene.channels[1]);
		cr_expect_eq(weft_channel_select(puts, 1, &chosen), -ESHUTDOWN);
		cr_expect_eq(chosen, 0);
		cr_expect_eq(weft_channel_select(gets, 2, &chosen), 0, "it has an item");
		cr_expect_eq(chosen, 1);
		cr_expect_eq(item, 6);
		chosen = 99;
		cr_expect_eq(weft_channel_select(gets, 2, &chosen), -ESHUTDOWN);
		cr_expect_eq(chosen, 1);
		cr_expect_eq(item, 6, "untouched");
	}
	end_scene(&scene);
}

TaskTest(channel_select, does_nothing_if_one_case_is_wrong)
{
	struct scene scene;
	int item = 5;
	char small = 1;
	size_t chosen = 99;

	set_scene(&scene);
	{
		struct weft_channel_case cases[] = {
			WEFT_CASE_PUT(scene.channels[0], &item),
			WEFT_CASE_GET(scene.channels[1], &small),
		};

		cr_expect_eq(weft_channel_select(cases, 2, &chosen), -EMSGSIZE);
		cr_expect_eq(weft_channel_select(cases, 0, &chosen), -EINVAL);
	}
	cr_expect_eq(chosen, 99);
	cr_expect_eq(get(scene.channels[0]), -1);
	end_scene(&scene);
}

/* ---- Waiting ---- */

enum { MANY = 9, MOST = 12 };

struct chooser {
	struct weft_channel_case cases[MOST];
	size_t n_cases;
	size_t chosen;
	int items[MOST];
	int r;
};

static int choose(void *arg)
{
	struct chooser *chooser = arg;

	chooser->r =
		weft_channel_select(chooser->cases, chooser->n_cases, &chooser->chosen);
	return chooser->r;
}

/* A get from each channel, again and again. */
static void choose_among_gets(struct chooser *chooser, struct scene *scene, size_t n)
{
	*chooser = (struct chooser){ .n_cases = n, .chosen = 99, .r = 1 };
	for (size_t i = 0; i < n; i++) {
		chooser->items[i] = -1;
		chooser->cases[i] = (struct weft_channel_case)WEFT_CASE_GET(
			scene->channels[i % N_CHANNELS], &chooser->items[i]);
	}
}

TaskTest(channel_select, waits_until_one_can_be_done_and_does_no_other)
{
	struct scene scene;

	set_scene(&scene);
	for (size_t n = 1; n <= MOST; n++) {
		for (size_t from = 0; from < MIN(n, (size_t)N_CHANNELS); from++) {
			struct chooser chooser;
			weft_task *task;

			choose_among_gets(&chooser, &scene, n);
			task = start(choose, &chooser);
			pass_time(WEFT_SEC);
			cr_expect_eq(chooser.r, 1, "it waits");
			put(scene.channels[from], 1);
			for (int i = 0; i < N_CHANNELS; i++)
				put(scene.channels[i], 2);
			cr_expect_eq(weft_task_join(task), 0);
			cr_expect_eq(chooser.chosen, from, "%zu cases", n);
			for (size_t i = 0; i < n; i++)
				cr_expect_eq(chooser.items[i], i == from ? 1 : -1);
			for (int i = 0; i < N_CHANNELS; i++)
				cr_expect_eq(get(scene.channels[i]), 2, "not taken");
		}
	}
	end_scene(&scene);
}

TaskTest(channel_select, may_wait_to_put_and_to_get)
{
	for (int which = 0; which < 2; which++) {
		struct scene scene;
		struct chooser chooser = { .n_cases = 2,
					   .chosen = 99,
					   .items = { 5, -1 } };
		weft_task *task;

		set_scene(&scene);
		put(scene.channels[0], 1);
		put(scene.channels[0], 2);
		chooser.cases[0] = (struct weft_channel_case)WEFT_CASE_PUT(
			scene.channels[0], &chooser.items[0]);
		chooser.cases[1] = (struct weft_channel_case)WEFT_CASE_GET(
			scene.channels[1], &chooser.items[1]);
		task = start(choose, &chooser);
		pass_turns(3);
		if (which == 0)
			cr_expect_eq(get(scene.channels[0]), 1);
		else
			put(scene.channels[1], 8);
		cr_expect_eq(weft_task_join(task), 0);
		cr_expect_eq(chooser.chosen, (size_t)which);
		cr_expect_eq(chooser.items[1], which ? 8 : -1);
		if (which == 1)
			cr_expect_eq(get(scene.channels[0]), 1);
		cr_expect_eq(get(scene.channels[0]), 2);
		cr_expect_eq(get(scene.channels[0]), which ? -1 : 5);
		end_scene(&scene);
	}
}

TaskTest(channel_select, never_serves_itself)
{
	struct scene scene;
	struct chooser chooser = { .n_cases = 2, .chosen = 99, .items = { 5, -1 } };

	set_scene(&scene);
	chooser.cases[0] = (struct weft_channel_case)WEFT_CASE_GET(scene.channels[0],
								   &chooser.items[1]);
	chooser.cases[1] = (struct weft_channel_case)WEFT_CASE_PUT(scene.channels[0],
								   &chooser.items[0]);
	cr_expect_eq(choose(&chooser), 0);
	cr_expect_eq(chooser.chosen, 1);
	cr_expect_eq(choose(&chooser), 0);
	cr_expect_eq(chooser.chosen, 0);
	cr_expect_eq(chooser.items[1], 5);
	end_scene(&scene);
}

TaskTest(channel_select, meets_another_one)
{
	struct scene scene;
	struct chooser gets, puts = { .n_cases = 1, .chosen = 99, .items = { 5 } };
	weft_task *task;

	set_scene(&scene);
	choose_among_gets(&gets, &scene, N_CHANNELS);
	task = start(choose, &gets);
	pass_turns(3);
	puts.cases[0] = (struct weft_channel_case)WEFT_CASE_PUT(scene.channels[2],
								&puts.items[0]);
	cr_expect_eq(choose(&puts), 0);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(gets.chosen, 2);
	cr_expect_eq(gets.items[2], 5);
	end_scene(&scene);
}

TaskTest(channel_select, leaves_what_comes_later_to_others)
{
	struct scene scene;
	struct chooser first, second;
	weft_task *tasks[2];

	set_scene(&scene);
	choose_among_gets(&first, &scene, N_CHANNELS);
	tasks[0] = start(choose, &first);
	pass_turns(2);
	choose_among_gets(&second, &scene, N_CHANNELS);
	tasks[1] = start(choose, &second);
	pass_turns(2);
	put(scene.channels[1],
	    1); /* in one step: the first is still in two other lines */
	put(scene.channels[0], 2);
	cr_expect_eq(weft_task_join(tasks[0]), 0);
	cr_expect_eq(weft_task_join(tasks[1]), 0);
	cr_expect_eq(first.chosen, 1);
	cr_expect_eq(first.items[1], 1);
	cr_expect_eq(second.chosen, 0);
	cr_expect_eq(second.items[0], 2);
	for (int i = 0; i < N_CHANNELS; i++)
		cr_expect_eq(get(scene.channels[i]), -1);
	end_scene(&scene);
}

TaskTest(channel_select, leaves_all_lines_when_it_is_cancelled)
{
	struct scene scene;
	struct chooser chooser;
	weft_task *task;

	set_scene(&scene);
	choose_among_gets(&chooser, &scene, MANY);
	task = start(choose, &chooser);
	pass_turns(3);
	weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(chooser.chosen, 99, "untouched");
	for (int i = 0; i < N_CHANNELS; i++) {
		put(scene.channels[i], i);
		cr_expect_eq(get(scene.channels[i]), i);
	}
	end_scene(&scene);
}

TaskTest(channel_select, needs_memory_only_to_wait_for_many)
{
	static const struct {
		size_t n_cases;
		bool is_ready;
		int r;
	} cases[] = {
		{ MANY, true, 0 },
		{ MANY, false, -ENOMEM },
		{ 4, true, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene scene;
		struct chooser chooser;

		set_scene(&scene);
		choose_among_gets(&chooser, &scene, cases[i].n_cases);
		if (cases[i].is_ready)
			put(scene.channels[2], 4);
		weft__fail_allocation(1);
		cr_expect_eq(choose(&chooser), cases[i].r, "%zu cases", cases[i].n_cases);
		weft__fail_allocation(0);
		put(scene.channels[0], 6);
		cr_expect_eq(get(scene.channels[0]), 6, "nobody is in line");
		end_scene(&scene);
	}
}
