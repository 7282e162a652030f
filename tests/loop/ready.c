/*
 * The ready queue by itself: order, growth, and what it does without memory.
 */
#include "loop/ready.h"

#include "loop/loop.h"
#include "tests/test.h"

/* Handles run into this list. */
struct ran {
	int numbers[4096];
	int n;
};

static struct ran ran;

struct item {
	struct handle handle;
	int number;
};

static void note(void *arg)
{
	const struct item *item = arg;

	ran.numbers[ran.n++] = item->number;
}

static void item_init(struct item *item, int number)
{
	handle_init(&item->handle, HANDLE_USER, note, item);
	item->number = number;
}

static void ready_begin(struct ready *ready)
{
	ran.n = 0;
	cr_assert_eq(weft__ready_init(ready), 0);
}

/* One turn, as the loop has them. */
static int run_turn(struct ready *ready)
{
	int n = 0;

	if (!list_is_empty(&ready->behind))
		weft__ready_catch_up(ready);
	ready->turn_end = ready->tail;
	for (; ready->head != ready->turn_end; n++) {
		struct ready_slot slot = ready->slots[ready->head++ & ready->mask];

		slot.fn(slot.arg);
	}
	return n;
}

static void expect_in_order(int n)
{
	cr_expect_eq(ran.n, n);
	for (int i = 0; i < MIN(n, ran.n); i++)
		cr_expect_eq(ran.numbers[i], i, "at %d", i);
}

Test(ready, is_first_in_first_out_as_it_grows)
{
	enum { N = 1000 };
	static struct item items[N];
	struct ready ready;

	ready_begin(&ready);
	for (int i = 0; i < N; i++) {
		item_init(&items[i], i);
		ready_push_handle(&ready, &items[i].handle);
		cr_expect_eq(handle_state(&items[i].handle), HANDLE_READY);
	}
	run_turn(&ready);
	expect_in_order(N);
	cr_expect(ready_is_empty(&ready));
	weft__ready_fini(&ready);
}

Test(ready, grows_with_its_head_anywhere)
{
	enum { N = 300 };
	static struct item items[N], first[64];

	for (int shift = 0; shift < 64; shift += 7) {
		struct ready ready;

		ready_begin(&ready);
		for (int i = 0; i < shift; i++) {
			item_init(&first[i], -1);
			ready_push_handle(&ready, &first[i].handle);
		}
		run_turn(&ready);
		ran.n = 0;
		for (int i = 0; i < N; i++) {
			item_init(&items[i], i);
			ready_push_handle(&ready, &items[i].handle);
		}
		run_turn(&ready);
		expect_in_order(N);
		weft__ready_fini(&ready);
	}
}

Test(ready, without_memory_keeps_order_and_loses_nothing)
{
	enum { N = 1000 };
	static struct item items[N];
	struct ready ready;
	int turns = 0;

	ready_begin(&ready);
	for (int i = 0; i < N; i++) {
		item_init(&items[i], i);
		weft__fail_allocation(1);
		ready_push_handle(&ready, &items[i].handle);
	}
	cr_expect_eq(handle_state(&items[N - 1].handle), HANDLE_BEHIND);
	while (!ready_is_empty(&ready)) {
		weft__fail_allocation(1);
		cr_assert_gt(run_turn(&ready), 0, "it must go on: %d", ran.n);
		turns++;
	}
	weft__fail_allocation(0);
	expect_in_order(N);
	cr_expect_gt(turns, 1);
	weft__ready_fini(&ready);
}

/* Every slot is promised, so the ring has no room of its own for a handle. */
Test(ready, full_of_promises_and_without_memory_runs_handles_all_the_same)
{
	enum { N = 10 };
	static struct item items[N], tasks[64];
	struct ready ready;

	ready_begin(&ready);
	for (int i = 0; i < 64; i++) {
		weft__fail_allocation(1);
		cr_assert_eq(weft__ready_reserve(&ready), 0);
		item_init(&tasks[i], N + i);
	}
	weft__fail_allocation(1);
	cr_expect_eq(weft__ready_reserve(&ready), -ENOMEM);
	for (int i = 0; i < N; i++) {
		item_init(&items[i], i);
		weft__fail_allocation(1);
		ready_push_handle(&ready, &items[i].handle);
	}
	for (int turn = 0; turn < 1000 && !ready_is_empty(&ready); turn++) {
		weft__fail_allocation(1);
		run_turn(&ready);
	}
	cr_expect(ready_is_empty(&ready), "they wait for ever");
	expect_in_order(N);
	/* All promises at once still find room. */
	for (int i = 0; i < 64; i++) {
		weft__fail_allocation(1);
		ready_push_promised(&ready, note, &tasks[i], &tasks[i].handle);
	}
	while (!ready_is_empty(&ready)) {
		weft__fail_allocation(1);
		run_turn(&ready);
	}
	weft__fail_allocation(0);
	expect_in_order(N + 64);
	weft__ready_fini(&ready);
}

/* What is woken while others queue behind the ring queues behind them, by its spare. */
Test(ready, wakes_in_order_while_it_has_outgrown_its_ring)
{
	enum { N = 100, TASKS = 20 };
	static struct item items[N], tasks[TASKS];
	struct ready ready;

	ready_begin(&ready);
	for (int i = 0; i < TASKS; i++) {
		cr_assert_eq(weft__ready_reserve(&ready), 0);
		item_init(&tasks[i], N + i);
	}
	for (int i = 0; i < N; i++) {
		item_init(&items[i], i);
		weft__fail_allocation(1);
		ready_push_handle(&ready, &items[i].handle);
	}
	cr_expect(!list_is_empty(&ready.behind));
	for (int i = 0; i < TASKS; i++)
		ready_push_promised(&ready, note, &tasks[i], &tasks[i].handle);
	while (!ready_is_empty(&ready)) {
		weft__fail_allocation(1);
		run_turn(&ready);
	}
	weft__fail_allocation(0);
	expect_in_order(N + TASKS);
	weft__ready_fini(&ready);
}

Test(ready, promises_hold_when_nothing_can_grow)
{
	static struct item tasks[64];
	struct ready ready;
	int n = 0;

	ready_begin(&ready);
	for (;;) {
		weft__fail_allocation(1);
		if (weft__ready_reserve(&ready) < 0)
			break;
		item_init(&tasks[n], n);
		n++;
		cr_assert_le(n, 64);
	}
	cr_expect_eq(n, 64);
	for (int round = 0; round < 3; round++) {
		ran.n = 0;
		for (int i = 0; i < n; i++)
			ready_push_promised(&ready, note, &tasks[i], &tasks[i].handle);
		cr_expect(list_is_empty(&ready.behind), "in the ring itself");
		run_turn(&ready);
		expect_in_order(n);
	}
	weft__fail_allocation(0);
	weft__ready_fini(&ready);
}

Test(ready, forgets_what_was_removed_from_the_ring_and_from_behind_it)
{
	enum { N = 200 };
	static struct item items[N];
	struct ready ready;

	ready_begin(&ready);
	for (int i = 0; i < N; i++) {
		item_init(&items[i], i);
		weft__fail_allocation(1);
		ready_push_handle(&ready, &items[i].handle);
	}
	weft__fail_allocation(0);
	for (int i = 0; i < N; i += 2) {
		weft__ready_remove(&ready, &items[i].handle);
		cr_expect_eq(handle_state(&items[i].handle), HANDLE_IDLE);
	}
	while (!ready_is_empty(&ready))
		run_turn(&ready);
	cr_expect_eq(ran.n, N / 2);
	for (int i = 0; i < ran.n; i++)
		cr_expect_eq(ran.numbers[i], 2 * i + 1);
	weft__ready_fini(&ready);
}

Test(ready, gives_promises_back)
{
	struct ready ready;

	ready_begin(&ready);
	for (int i = 0; i < 10000; i++) {
		cr_assert_eq(weft__ready_reserve(&ready), 0);
		weft__ready_release(&ready);
	}
	cr_expect_eq(ready.mask, 63, "it never had to grow");
	weft__ready_fini(&ready);
}
