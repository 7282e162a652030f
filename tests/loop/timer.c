/*
 * The timer wheel by itself, and timers of a loop on virtual time.
 */
#include "loop/timer.h"

#include "loop/loop.h"
#include "tests/task_test.h"

/* ---- The wheel ---- */

struct wheel {
	struct timers timers;
	weft_time now;
};

static void wheel_init(struct wheel *wheel, weft_time now)
{
	wheel->now = now;
	weft__timers_init(&wheel->timers, now);
}

/* `handle` is told from others by its address. */
static void wheel_add(struct wheel *wheel, struct handle *handle, weft_time deadline)
{
	handle_init(handle, HANDLE_DIRECT, NULL, NULL);
	handle->deadline = deadline;
	weft__timers_add(&wheel->timers, handle);
}

/* Sleeps as a loop does, until the first timer fires; NULL if that is never. */
static struct handle *wheel_wait(struct wheel *wheel)
{
	for (;;) {
		struct handle *handle = weft__timers_pop(&wheel->timers, wheel->now);
		weft_time next;

		if (handle)
			return handle;
		next = weft__timers_next(&wheel->timers);
		if (next == WEFT_FOREVER)
			return NULL;
		cr_assert_gt(next, wheel->now, "it would spin");
		wheel->now = next;
	}
}

static void fire_all(const weft_time *due, int *fired, int n)
{
	struct wheel *wheel = malloc(sizeof(*wheel));
	struct handle handles[3];

	cr_assert_not_null(wheel);
	wheel_init(wheel, 0);
	for (int i = 0; i < n; i++)
		wheel_add(wheel, &handles[i], due[i]);
	for (int i = 0; i < n; i++)
		fired[i] = (int)(wheel_wait(wheel) - handles);
	cr_expect_null(wheel_wait(wheel));
	cr_expect_eq(wheel->timers.n_timers, 0);
	free(wheel);
}

Test(timer, fires_in_deadline_order)
{
	static const struct {
		const char *name;
		weft_time due[3];
		int order[3];
	} cases[] = {
		{ "reversed", { 30, 20, 10 }, { 2, 1, 0 } },
		{ "equal is FIFO", { 10, 10, 10 }, { 0, 1, 2 } },
		{ "mixed", { 10, 30, 20 }, { 0, 2, 1 } },
		{ "due is in order, too", { -1, -3, -2 }, { 1, 2, 0 } },
		{ "a nanosecond apart", { 1000002, 1000001, 1000000 }, { 2, 1, 0 } },
		{ "equal among others", { 20, 10, 20 }, { 1, 0, 2 } },
		{ "equal and far is FIFO",
		  { WEFT_MIN, WEFT_MIN, WEFT_MIN },
		  { 0, 1, 2 } },
		{ "near and far",
		  { 24 * 60 * WEFT_MIN, WEFT_USEC, WEFT_SEC },
		  { 1, 2, 0 } },
		{ "in one far slot",
		  { WEFT_SEC + 2, WEFT_SEC + 1, WEFT_SEC },
		  { 2, 1, 0 } },
		{ "at the edges of a level",
		  { 64 * WEFT_USEC, 63 * WEFT_USEC, 65 * WEFT_USEC },
		  { 1, 0, 2 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fired[3] = { -1, -1, -1 };

		fire_all(cases[i].due, fired, 3);
		cr_expect_arr_eq(fired, cases[i].order, sizeof(fired), "%s",
				 cases[i].name);
	}
}

Test(timer, is_never_early_and_fires_when_it_is_due)
{
	struct wheel *wheel = malloc(sizeof(*wheel));
	struct handle handle;

	cr_assert_not_null(wheel);
	wheel_init(wheel, 12345);
	for (weft_time delay = 1; delay < 100 * 24 * 60 * WEFT_MIN;
	     delay = delay * 3 + 1) {
		weft_time deadline = wheel->now + delay;

		wheel_add(wheel, &handle, deadline);
		cr_expect_le(weft__timers_next(&wheel->timers), deadline);
		cr_expect_null(weft__timers_pop(&wheel->timers, deadline - 1), "%jd",
			       (intmax_t)delay);
		cr_expect_eq(weft__timers_next(&wheel->timers), deadline,
			     "exact when it is near: %jd", (intmax_t)delay);
		cr_expect_eq(weft__timers_pop(&wheel->timers, deadline), &handle, "%jd",
			     (intmax_t)delay);
		wheel->now = deadline;
	}
	free(wheel);
}

Test(timer, of_forever_is_never_due)
{
	struct wheel *wheel = malloc(sizeof(*wheel));
	struct handle forever, nearly;

	cr_assert_not_null(wheel);
	wheel_init(wheel, WEFT_SEC);
	wheel_add(wheel, &forever, WEFT_FOREVER);
	wheel_add(wheel, &nearly, WEFT_FOREVER - WEFT_SEC);
	cr_expect_eq(wheel_wait(wheel), &nearly, "after 292 years");
	cr_expect_eq(wheel->now, WEFT_FOREVER - WEFT_SEC);
	cr_expect_null(wheel_wait(wheel));
	weft__timers_remove(&wheel->timers, &forever);
	cr_expect_eq(wheel->timers.n_timers, 0);
	for (int level = 0; level < TIMER_LEVELS; level++)
		cr_expect_eq(wheel->timers.occupied[level], 0, "level %d", level);
	free(wheel);
}

Test(timer, that_is_removed_leaves_the_others)
{
	/* One by one, from slots of every level and of several timers. */
	static const weft_time due[] = { 5,	   5,	     7,
					 100000,   100001,   WEFT_SEC,
					 WEFT_SEC, WEFT_MIN, 60 * WEFT_MIN,
					 -4,	   WEFT_MIN, 365 * 24 * 60 * WEFT_MIN };
	enum { N = ARRAY_SIZE(due) };

	for (size_t removed = 0; removed < N; removed++) {
		struct wheel *wheel = malloc(sizeof(*wheel));
		struct handle handles[N], *fired;
		size_t n = 0;

		cr_assert_not_null(wheel);
		wheel_init(wheel, 0);
		for (size_t i = 0; i < N; i++)
			wheel_add(wheel, &handles[i], due[i]);
		weft__timers_remove(&wheel->timers, &handles[removed]);
		while ((fired = wheel_wait(wheel)) != NULL) {
			cr_expect_neq(fired, &handles[removed]);
			n++;
		}
		cr_expect_eq(n, N - 1, "%zu", removed);
		free(wheel);
	}
}

/* ---- Against a sorted list ---- */

static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

struct entry {
	struct handle handle;
	weft_time deadline;
	size_t number; /* of adding */
	bool removed;
};

static int by_deadline(const void *a, const void *b)
{
	const struct entry *const *first = a, *const *second = b;

	if ((*first)->deadline != (*second)->deadline)
		return (*first)->deadline < (*second)->deadline ? -1 : 1;
	return (*first)->number < (*second)->number ? -1 : 1;
}

/*
 * Some far away, some never; of a large number only few in the past or in one microsecond,
 * since these are sorted one by one.
 */
static weft_time random_deadline(weft_time now, size_t n)
{
	unsigned least = n > 10000 ? 24 : 0;
	unsigned magnitude = least + (unsigned)(next_random() % (62 - least));
	weft_time span = (weft_time)(next_random() & ((1ull << magnitude) - 1));

	switch (next_random() % (n > 10000 ? n / 100 : 16)) {
	case 0:
		return now - span % (now + 1);
	case 1:
		return now;
	case 2:
		return now + span % 1000;
	default:
		return weft__time_add(now, next_random() % 4 ? span : span / 1000 * 1000);
	}
}

static void agree_with_a_list(size_t n, size_t n_removed)
{
	struct wheel *wheel = malloc(sizeof(*wheel));
	struct entry *entries = calloc(n, sizeof(*entries));
	struct entry **sorted = calloc(n, sizeof(struct entry *));
	size_t n_sorted = 0;

	cr_assert(wheel && entries && sorted);
	wheel_init(wheel, 1000000);
	for (size_t i = 0; i < n; i++) {
		entries[i].number = i;
		entries[i].deadline = random_deadline(wheel->now, n);
		wheel_add(wheel, &entries[i].handle, entries[i].deadline);
	}
	for (size_t i = 0; i < n_removed; i++) {
		struct entry *entry = &entries[next_random() % n];

		if (!entry->removed)
			weft__timers_remove(&wheel->timers, &entry->handle);
		entry->removed = true;
	}
	for (size_t i = 0; i < n; i++)
		if (!entries[i].removed)
			sorted[n_sorted++] = &entries[i];
	qsort(sorted, n_sorted, sizeof(sorted[0]), by_deadline);
	cr_expect_eq(wheel->timers.n_timers, n_sorted);
	for (size_t i = 0; i < n_sorted; i++) {
		struct handle *handle;

		if (sorted[i]->deadline == WEFT_FOREVER)
			break;
		handle = wheel_wait(wheel);
		cr_assert_eq(handle, &sorted[i]->handle, "number %zu of %zu", i,
			     n_sorted);
		cr_assert_ge(wheel->now, sorted[i]->deadline, "early");
	}
	cr_expect_null(wheel_wait(wheel));
	free(wheel);
	free(entries);
	free(sorted);
}

Test(timer, agrees_with_a_sorted_list)
{
	for (size_t n = 1; n < 2000; n = n * 3 + 1)
		agree_with_a_list(n, n / 3);
}

Test(timer, agrees_with_a_sorted_list_of_a_million)
{
	size_t n =
		test_build_is("valgrind") || test_build_is("aarch64") ? 20000 : 1000000;

	agree_with_a_list(n, n / 4);
}

/* Time passes between adding and firing; deadlines move, as those of time-outs do. */
Test(timer, agrees_with_a_list_while_time_passes)
{
	enum { N = 200, STEPS = 20000 };
	struct wheel *wheel = malloc(sizeof(*wheel));
	struct entry *entries = calloc(N, sizeof(*entries));
	size_t number = 0;

	cr_assert(wheel && entries);
	wheel_init(wheel, 500);
	for (int i = 0; i < N; i++)
		entries[i].removed = true;
	for (int step = 0; step < STEPS; step++) {
		struct entry *entry = &entries[next_random() % N], *first = NULL;
		struct handle *handle;

		if (!entry->removed)
			weft__timers_remove(&wheel->timers, &entry->handle);
		entry->deadline = wheel->now + (weft_time)(next_random() % 3000000);
		entry->number = number++;
		entry->removed = false;
		wheel_add(wheel, &entry->handle, entry->deadline);
		wheel->now += (weft_time)(next_random() % 30000);
		while ((handle = weft__timers_pop(&wheel->timers, wheel->now)) != NULL) {
			first = NULL;
			for (int i = 0; i < N; i++) {
				struct entry *other = &entries[i];

				if (!other->removed &&
				    (!first || by_deadline(&other, &first) < 0))
					first = other;
			}
			cr_assert_eq(handle, &first->handle, "step %d", step);
			cr_assert_le(first->deadline, wheel->now);
			first->removed = true;
		}
		for (int i = 0; i < N; i++)
			cr_assert(entries[i].removed || entries[i].deadline > wheel->now,
				  "step %d: one is overdue", step);
	}
	free(wheel);
	free(entries);
}

/* ---- Timers of a loop ---- */

struct firing {
	struct weft_handle handle;
	weft_time fired_at;
	int place;
	int *n_fired;
};

static void on_timer(void *arg)
{
	struct firing *firing = arg;

	firing->fired_at = weft_now();
	firing->place = (*firing->n_fired)++;
}

TaskTest(call_later, calls_exactly_at_the_deadline_on_virtual_time)
{
	static const weft_time delays[] = {
		1, 999, 1000, 1001, WEFT_MSEC, WEFT_SEC, WEFT_MIN, 7 * 24 * 60 * WEFT_MIN
	};
	struct firing firings[ARRAY_SIZE(delays)] = { 0 };
	weft_time began = weft_now();
	int n_fired = 0;

	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		firings[i].n_fired = &n_fired;
		cr_expect_eq(weft_loop_call_later(weft_loop_current(), delays[i],
						  on_timer, &firings[i],
						  &firings[i].handle),
			     0);
		cr_expect(weft_handle_is_pending(&firings[i].handle));
	}
	pass_time(8 * 24 * 60 * WEFT_MIN);
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		cr_expect_eq(firings[i].fired_at - began, delays[i], "%zu", i);
		cr_expect_eq(firings[i].place, (int)i);
		cr_expect(!weft_handle_is_pending(&firings[i].handle));
	}
}

TaskTestInOrder(call_later, of_nothing_comes_after_what_is_ready_and_by_deadline)
{
	struct firing firings[5] = { 0 };
	weft_loop *loop = weft_loop_current();
	static const int order[] = { 3, 1, 4, 0, 2 };
	static const weft_time delays[] = { 0, -1000000, 0, -2000000, -1000000 };
	struct firing soon = { 0 };
	int n_fired = 0;

	pass_time(WEFT_SEC); /* so that the past is not before all time */
	for (int i = 0; i < 5; i++) {
		firings[i].n_fired = &n_fired;
		cr_expect_eq(weft_loop_call_later(loop, delays[i], on_timer, &firings[i],
						  &firings[i].handle),
			     0);
	}
	soon.n_fired = &n_fired;
	cr_expect_eq(weft_loop_call_soon(loop, on_timer, &soon, &soon.handle), 0);
	pass_turns(4);
	cr_expect_eq(n_fired, 6);
	cr_expect_eq(soon.place, 0, "it was ready");
	for (int i = 0; i < 5; i++)
		cr_expect_eq(firings[order[i]].place, i + 1, "%d", i);
}

TaskTestInOrder(call_at, with_equal_deadlines_calls_in_the_order_of_scheduling)
{
	enum { N = 100 };
	static struct firing firings[N];
	weft_time deadline = weft_now() + WEFT_SEC;
	int n_fired = 0;

	for (int i = 0; i < N; i++) {
		firings[i] = (struct firing){ .n_fired = &n_fired };
		cr_expect_eq(weft_loop_call_at(weft_loop_current(), deadline, on_timer,
					       &firings[i], &firings[i].handle),
			     0);
	}
	pass_time(2 * WEFT_SEC);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(firings[i].place, i);
		cr_expect_eq(firings[i].fired_at, deadline);
	}
}

TaskTest(call_at, forever_never_calls)
{
	struct firing forever = { 0 }, past = { 0 };
	int n_fired = 0;

	forever.n_fired = past.n_fired = &n_fired;
	cr_expect_eq(weft_loop_call_at(weft_loop_current(), WEFT_FOREVER, on_timer,
				       &forever, &forever.handle),
		     0);
	cr_expect_eq(weft_loop_call_at(weft_loop_current(), INT64_MIN, on_timer, &past,
				       &past.handle),
		     0);
	pass_time((weft_time)100 * 365 * 24 * 60 * WEFT_MIN);
	cr_expect_eq(n_fired, 1);
	cr_expect(weft_handle_is_pending(&forever.handle));
	cr_expect(weft_handle_cancel(&forever.handle));
}

TaskTest(call_later, that_is_too_long_to_count_is_never)
{
	struct firing firing = { 0 };
	int n_fired = 0;

	firing.n_fired = &n_fired;
	cr_expect_eq(weft_loop_call_later(weft_loop_current(), WEFT_FOREVER, on_timer,
					  &firing, &firing.handle),
		     0);
	pass_time(WEFT_SEC);
	cr_expect_eq(n_fired, 0);
	cr_expect(weft_handle_cancel(&firing.handle));
}

TaskTest(call_later, without_a_handle_calls_all_the_same)
{
	struct firing firings[300] = { 0 };
	int n_fired = 0;

	for (size_t i = 0; i < ARRAY_SIZE(firings); i++) {
		firings[i].n_fired = &n_fired;
		cr_expect_eq(weft_loop_call_later(weft_loop_current(),
						  (weft_time)(i % 7) * WEFT_MSEC,
						  on_timer, &firings[i], NULL),
			     0);
	}
	pass_time(WEFT_SEC);
	cr_expect_eq(n_fired, ARRAY_SIZE(firings));
}

/* On the clock of the machine: never early; how late is nobody's promise. */
Test(call_later, is_not_early_on_a_real_clock)
{
	struct firing firings[20] = { 0 };
	weft_loop *loop;
	weft_time began;
	int n_fired = 0;

	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	began = weft_now();
	for (size_t i = 0; i < ARRAY_SIZE(firings); i++) {
		firings[i].n_fired = &n_fired;
		cr_expect_eq(
			weft_loop_call_later(loop, (weft_time)i * 500 * WEFT_USEC + 1,
					     on_timer, &firings[i], &firings[i].handle),
			0);
	}
	while (n_fired < (int)ARRAY_SIZE(firings))
		cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
	for (size_t i = 0; i < ARRAY_SIZE(firings); i++) {
		cr_expect_ge(firings[i].fired_at - began,
			     (weft_time)i * 500 * WEFT_USEC + 1, "%zu", i);
		cr_expect_eq(firings[i].place, (int)i);
	}
	cr_expect_eq(weft_loop_close(loop), 0);
}

static void add_earlier(void *arg)
{
	struct firing *firing = arg;

	cr_expect_eq(weft_loop_call_later(weft_loop_current(), WEFT_MSEC, on_timer,
					  firing, &firing->handle),
		     0);
}

static void stop_loop(void *loop)
{
	weft_loop_stop(loop);
}

/* A timer that is added by a post and undercuts the head of the queue. */
Test(call_later, added_later_but_due_earlier_is_not_slept_over)
{
	struct firing firing = { 0 };
	weft_loop *loop;
	weft_time began;
	int n_fired = 0;

	firing.n_fired = &n_fired;
	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	began = weft_now();
	cr_expect_eq(weft_loop_call_later(loop, 1000 * WEFT_SEC, stop_loop, loop, NULL),
		     0);
	cr_expect_eq(weft_loop_call_soon_threadsafe(loop, add_earlier, &firing, NULL), 0);
	while (n_fired == 0)
		cr_assert_ge(weft_loop_run_once(loop, 100 * WEFT_SEC), 0);
	cr_expect_lt(weft_now() - began, 100 * WEFT_SEC, "a limit for hangs");
	cr_expect_eq(weft_loop_close(loop), 0);
}
