/*
 * Sets of loops with a thread each.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "loop/control.h"
#include "loop/loop.h"
#include "tests/child.h"
#include "tests/task_test.h"

static weft_loops *new_loops(int n)
{
	weft_loops *loops = NULL;

	cr_assert_eq(weft_loops_new(n, NULL, &loops), 0);
	return loops;
}

static void wait_for(atomic_int *number, int value)
{
	while (atomic_load(number) < value)
		sched_yield();
}

static void count(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

/* ---- Beginning and end ---- */

Test(loops, run_as_many_as_asked_for)
{
	static const int numbers[] = { 1, 2, 5 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		weft_loops *loops = new_loops(numbers[i]);
		atomic_int n = 0;

		cr_expect_eq(weft_loops_count(loops), numbers[i]);
		for (int k = 0; k < numbers[i]; k++)
			cr_expect_eq(weft_loop_call_soon_threadsafe(
					     weft_loops_get(loops, k), count, &n, NULL),
				     0);
		wait_for(&n, numbers[i]);
		cr_expect_eq(weft_loops_close(loops), 0);
	}
}

Test(loops, of_no_number_are_one_per_cpu)
{
	weft_loops *loops = new_loops(0);

	cr_expect_eq(weft_loops_count(loops), weft_cpus());
	cr_expect_eq(weft_loops_close(loops), 0);
	cr_expect_eq(weft_loops_close(NULL), 0);
}

Test(loops, of_a_negative_number_are_refused)
{
	weft_loops *loops = NULL;

	cr_expect_eq(weft_loops_new(-1, NULL, &loops), -EINVAL);
	cr_expect_null(loops);
}

Test(loops, are_found_by_an_index_that_goes_round)
{
	weft_loops *loops = new_loops(3);

	for (int i = -7; i < 10; i++)
		cr_expect_eq(weft_loops_get(loops, i),
			     weft_loops_get(loops, ((i % 3) + 3) % 3), "%d", i);
	cr_expect_neq(weft_loops_get(loops, 0), weft_loops_get(loops, 1));
	cr_expect_eq(weft_loops_close(loops), 0);
}

struct names {
	char seen[32];
	atomic_int n;
};

static void note_name(void *arg)
{
	struct names *names = arg;

	(void)pthread_getname_np(pthread_self(), names->seen, sizeof(names->seen));
	count(&names->n);
}

Test(loops, give_their_name_to_their_threads)
{
	struct weft_loop_options options = { .name = "spinners" };
	struct names names = { .n = 0 };
	weft_loops *loops;

	cr_assert_eq(weft_loops_new(2, &options, &loops), 0);
	cr_expect_eq(weft_loop_call_soon_threadsafe(weft_loops_get(loops, 1), note_name,
						    &names, NULL),
		     0);
	wait_for(&names.n, 1);
	cr_expect(strstr(names.seen, "spinners") == names.seen, "%s", names.seen);
	cr_expect_eq(weft_loops_close(loops), 0);
}

Test(loops, come_and_go_at_once)
{
	for (int i = 0; i < 50; i++)
		cr_expect_eq(weft_loops_close(new_loops(2)), 0);
}

Test(loops, without_memory_are_refused_as_a_whole)
{
	int n_failed = 0;

	for (long nth = 1; nth < 100; nth++) {
		weft_loops *loops = NULL;
		int r;

		weft__fail_allocation(nth);
		r = weft_loops_new(2, NULL, &loops);
		weft__fail_allocation(0);
		if (r == 0) {
			cr_expect_eq(weft_loops_close(loops), 0);
			break;
		}
		cr_expect_eq(r, -ENOMEM);
		cr_expect_null(loops);
		n_failed++;
	}
	cr_expect_gt(n_failed, 4);
	cr_expect_lt(n_failed, 90);
}

/* ---- Whose they are ---- */

Test(loops, are_never_those_of_the_thread_that_made_them)
{
	for (int i = 0; i < 50; i++) {
		weft_loops *loops = new_loops(1);
		struct weft_handle handle = { { 0 } };
		atomic_int n = 0;

		/* At once, whether or not the thread has begun. */
		cr_expect_eq(weft_loop_call_soon(weft_loops_get(loops, 0), count, &n,
						 NULL),
			     -EPERM);
		cr_expect_eq(weft_loop_call_soon_threadsafe(weft_loops_get(loops, 0),
							    count, &n, &handle),
			     0);
		if (weft_handle_cancel(&handle))
			cr_expect_eq(atomic_load(&n), 0);
		else
			cr_expect_eq(atomic_load(&n), 1);
		cr_expect_eq(weft_loops_close(loops), 0);
	}
}

Test(loops, one_that_was_stopped_can_still_be_asked)
{
	weft_loops *loops = new_loops(2);
	weft_loop *loop = weft_loops_get(loops, 0);
	atomic_int n = 0;

	weft_loop_stop(loop);
	while (weft_loop_call_soon_threadsafe(loop, count, &n, NULL) != -ESHUTDOWN)
		sched_yield();
	cr_expect_eq(weft_loop_call_soon_threadsafe(weft_loops_get(loops, 1), count, &n,
						    NULL),
		     0);
	cr_expect_eq(weft_loops_close(loops), 0);
}

/* ---- Tasks on them ---- */

struct work {
	atomic_int *n_running, *n_cancelled;
};

static int wait_and_count(void *arg)
{
	struct work *work = arg;
	int r;

	atomic_fetch_add(work->n_running, 1);
	r = weft_sleep(WEFT_FOREVER);
	if (weft_sleep(WEFT_MSEC) == 0)
		atomic_fetch_add(work->n_cancelled, 1);
	return r;
}

Test(loops, cancel_their_tasks_when_they_are_closed)
{
	enum { N = 50 };
	weft_loops *loops = new_loops(3);
	atomic_int n_running = 0, n_cancelled = 0;
	struct work work = { &n_running, &n_cancelled };

	for (int i = 0; i < N; i++)
		cr_expect_eq(weft_spawn_on(weft_loops_get(loops, i), wait_and_count,
					   &work, NULL),
			     0);
	wait_for(&n_running, N);
	cr_expect_eq(weft_loops_close(loops), 0);
	cr_expect_eq(atomic_load(&n_cancelled), N);
}

struct closer {
	weft_loops *loops;
	int ticks;
};

static int close_them(void *arg)
{
	struct closer *closer = arg;

	return weft_loops_close(closer->loops);
}

static int tick(void *arg)
{
	struct closer *closer = arg;
	int r = 0;

	while (r == 0) {
		closer->ticks++;
		r = weft_sleep(WEFT_MSEC);
	}
	return r;
}

static int slow_to_end(void *arg)
{
	int r;

	atomic_fetch_add((atomic_int *)arg, 1);
	r = weft_sleep(WEFT_FOREVER);
	return weft_sleep(20 * WEFT_MSEC) < 0 ? -EINVAL : r;
}

static int close_in_a_task(void *arg)
{
	struct closer *closer = arg;
	weft_task *ticker, *task;
	int r;

	if (weft_spawn(tick, closer, &ticker) < 0 ||
	    weft_spawn(close_them, closer, &task) < 0)
		return -ENOMEM;
	r = weft_task_join(task);
	weft_task_cancel(ticker, NULL);
	return weft_task_join(ticker) == -ECANCELED ? r : -EINVAL;
}

Test(loops, closed_in_a_task_suspend_it_and_nobody_else)
{
	struct closer closer = { .loops = new_loops(2) };
	atomic_int n = 0;

	cr_expect_eq(
		weft_spawn_on(weft_loops_get(closer.loops, 1), slow_to_end, &n, NULL), 0);
	wait_for(&n, 1);
	cr_expect_eq(weft_run(close_in_a_task, &closer), 0);
	cr_expect_gt(closer.ticks, 3, "other tasks went on");
}

static void close_in_callback(void *arg)
{
	(void)weft_loops_close(arg);
}

static int close_on_its_own_thread(void *arg)
{
	atomic_int never = 0;
	weft_loops *loops;

	(void)arg;
	if (weft_loops_new(2, NULL, &loops) < 0 ||
	    weft_loop_call_soon_threadsafe(weft_loops_get(loops, 0), close_in_callback,
					   loops, NULL) < 0)
		return 1;
	wait_for(&never, 1);
	return 0;
}

static int close_in_a_callback(void *arg)
{
	weft_loops *loops;
	weft_loop *loop;

	(void)arg;
	if (weft_loops_new(1, NULL, &loops) < 0 || weft_loop_new(NULL, &loop) < 0 ||
	    weft_loop_call_soon(loop, close_in_callback, loops, NULL) < 0)
		return 1;
	return weft_loop_run_once(loop, 0);
}

Test(loops, closed_where_one_may_not_wait_is_an_assertion)
{
	expect_assertion(
		close_on_its_own_thread, NULL,
		"weft_loops_close() was called on a thread of the set: it would wait "
		"for itself");
	expect_assertion(
		close_in_a_callback, NULL,
		"weft_loops_close() was called in a callback, which may not wait: call "
		"it in a task or on a plain thread");
}

/* ---- The least busy ---- */

/*
 * A thread that a busy machine holds up for 10 ms is avoided for as long, and picks may then
 * go elsewhere, which is no mistake. So what is to be seen is given time to come true.
 */
#define comes_true(expression)                                                     \
	({                                                                         \
		weft_time give_up_ = weft__clock() + TEST_TIMEOUT * WEFT_SEC / 10; \
		bool is_true_ = (expression);                                      \
                                                                                   \
		while (!is_true_ && weft__clock() < give_up_) {                    \
			sched_yield();                                             \
			is_true_ = (expression);                                   \
		}                                                                  \
		is_true_;                                                          \
	})

static bool all_go_to(weft_loops *loops, const weft_loop *loop)
{
	for (int i = 0; i < 20; i++) {
		if (weft_loops_pick(loops) != loop)
			return false;
	}
	return true;
}

static bool go_round(weft_loops *loops)
{
	int n = weft_loops_count(loops), first = 0;
	const weft_loop *picked = weft_loops_pick(loops);

	while (weft_loops_get(loops, first) != picked)
		first++;
	for (int i = 1; i < 30; i++) {
		if (weft_loops_pick(loops) != weft_loops_get(loops, (first + i) % n))
			return false;
	}
	return true;
}

Test(loops, picks_go_where_the_least_is_to_do)
{
	weft_loops *loops = new_loops(3);
	atomic_int n_running = 0, n_cancelled = 0;
	struct work work = { &n_running, &n_cancelled };

	/* Two loops have tasks, one has none. */
	for (int i = 0; i < 10; i++)
		cr_expect_eq(weft_spawn_on(weft_loops_get(loops, i % 2), wait_and_count,
					   &work, NULL),
			     0);
	wait_for(&n_running, 10);
	cr_expect(comes_true(all_go_to(loops, weft_loops_get(loops, 2))));
	cr_expect_eq(weft_loops_close(loops), 0);
}

Test(loops, picks_go_round_where_nothing_is_to_do)
{
	weft_loops *loops = new_loops(3);

	cr_expect(comes_true(go_round(loops)));
	cr_expect_eq(weft_loops_close(loops), 0);
}

static bool spread_by_picks(int n_tasks)
{
	weft_loops *loops = new_loops(3);
	atomic_int n_running = 0, n_cancelled = 0;
	struct work work = { &n_running, &n_cancelled };
	bool even = true;

	for (int i = 0; i < n_tasks; i++)
		cr_expect_eq(weft_spawn_on(weft_loops_pick(loops), wait_and_count, &work,
					   NULL),
			     0);
	wait_for(&n_running, n_tasks);
	for (int i = 0; i < 3; i++)
		even &= weft__loop_load(weft_loops_get(loops, i)) ==
			(uint32_t)n_tasks / 3;
	cr_expect_eq(weft_loops_close(loops), 0);
	return even;
}

Test(loops, picks_balance_what_they_are_used_for)
{
	cr_expect(comes_true(spread_by_picks(300)));
}

static void block(void *arg)
{
	atomic_int *state = arg;

	atomic_store(state, 1);
	wait_for(state, 2);
}

Test(loops, picks_avoid_one_that_is_blocked)
{
	weft_loops *loops = new_loops(2);
	weft_loop *blocked = weft_loops_get(loops, 0);
	atomic_int state = 0, n_running = 0, n_cancelled = 0;
	struct work work = { &n_running, &n_cancelled };

	/* The other one has more to do. */
	for (int i = 0; i < 5; i++)
		cr_expect_eq(weft_spawn_on(weft_loops_get(loops, 1), wait_and_count,
					   &work, NULL),
			     0);
	wait_for(&n_running, 5);
	cr_expect_eq(weft_loop_call_soon_threadsafe(blocked, block, &state, NULL), 0);
	wait_for(&state, 1);
	/* Once the control thread has seen it, and when it has seen that it goes on. */
	cr_expect(comes_true(all_go_to(loops, weft_loops_get(loops, 1))));
	atomic_store(&state, 2);
	cr_expect(comes_true(all_go_to(loops, blocked)));
	cr_expect_eq(weft_loops_close(loops), 0);
}

/*
 * Looks at a loop whenever the control thread has, by the control thread's clock: by another one
 * it would be wrong whenever that thread is kept waiting between two looks.
 */
struct judge {
	struct control_ticker ticker;
	weft_loop *loop;
	atomic_int n_looks;
	atomic_bool judges; /* from now on it must not be blocked for a while */
	_Atomic weft_time first_look; /* since then; 0: there was none */
	atomic_bool too_early;
};

static weft_time look_at_loop(struct control_ticker *ticker, weft_time now)
{
	struct judge *judge = container_of(ticker, struct judge, ticker);

	atomic_fetch_add(&judge->n_looks, 1);
	if (!atomic_load(&judge->judges))
		return now;
	if (!atomic_load(&judge->first_look))
		atomic_store(&judge->first_look, now);
	if (atomic_load(&judge->loop->blocked) &&
	    now - atomic_load(&judge->first_look) < 10 * WEFT_MSEC)
		atomic_store(&judge->too_early, true);
	return now;
}

static void await_looks(struct judge *judge, int n)
{
	atomic_store(&judge->n_looks, 0);
	wait_for(&judge->n_looks, n);
}

Test(loops, that_begin_to_run_are_not_blocked_since_long_ago)
{
	struct judge judge = { .ticker = { .tick = look_at_loop } };

	cr_assert_eq(weft_loop_new(NULL, &judge.loop), 0);
	cr_assert_eq(weft__control_add_ticker(&judge.ticker), 0);
	weft__control_want_tick(&judge.ticker);
	for (int i = 0; i < 10; i++) {
		await_looks(&judge, 3); /* that it does not run has been seen */
		atomic_store(&judge.first_look, 0);
		atomic_store(&judge.judges, true);
		cr_assert_eq(weft__loop_enter(judge.loop), 0);
		await_looks(&judge, 20);
		atomic_store(&judge.judges, false);
		weft__loop_leave(judge.loop);
	}
	cr_expect(!atomic_load(&judge.too_early));
	weft__control_remove_ticker(&judge.ticker);
	cr_expect_eq(weft_loop_close(judge.loop), 0);
}
