/*
 * Handles in each of their states, and taking them back from wherever one is.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "loop/loop.h"
#include "tests/child.h"
#include "tests/task_test.h"

struct call {
	struct weft_handle handle;
	int n; /* how often it ran */
	struct weft_handle *other; /* what to cancel, if anything */
	bool cancelled; /* what that said */
	weft_loop *loop;
};

static void on_call(void *arg)
{
	struct call *call = arg;

	call->n++;
	if (call->other)
		call->cancelled = weft_handle_cancel(call->other);
}

static weft_loop *new_loop(void)
{
	weft_loop *loop = NULL;

	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	return loop;
}

/* ---- On the loop's thread ---- */

static int schedule_soon(weft_loop *loop, struct call *call)
{
	return weft_loop_call_soon(loop, on_call, call, &call->handle);
}

static int schedule_later(weft_loop *loop, struct call *call)
{
	return weft_loop_call_later(loop, WEFT_USEC, on_call, call, &call->handle);
}

static int schedule_much_later(weft_loop *loop, struct call *call)
{
	return weft_loop_call_later(loop, 60 * WEFT_MIN, on_call, call, &call->handle);
}

static int schedule_by_post(weft_loop *loop, struct call *call)
{
	return weft_loop_call_soon_threadsafe(loop, on_call, call, &call->handle);
}

static const struct {
	const char *name;
	int (*schedule)(weft_loop *loop, struct call *call);
} ways[] = {
	{ "call_soon", schedule_soon },
	{ "call_later", schedule_later },
	{ "much later", schedule_much_later },
	{ "threadsafe", schedule_by_post },
};

Test(handle, is_idle_when_it_is_zero)
{
	struct weft_handle handle = { { 0 } };

	cr_expect(!weft_handle_is_pending(&handle));
	cr_expect(!weft_handle_cancel(&handle));
	cr_expect(!weft_handle_cancel(&handle));
}

Test(handle, that_is_cancelled_does_not_run_and_can_be_used_again)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		weft_loop *loop = new_loop();
		struct call call = { 0 };

		for (int round = 0; round < 3; round++) {
			cr_expect_eq(ways[i].schedule(loop, &call), 0, "%s",
				     ways[i].name);
			cr_expect(weft_handle_is_pending(&call.handle), "%s",
				  ways[i].name);
			cr_expect(weft_handle_cancel(&call.handle), "%s", ways[i].name);
			cr_expect(!weft_handle_is_pending(&call.handle), "%s",
				  ways[i].name);
			cr_expect(!weft_handle_cancel(&call.handle), "%s", ways[i].name);
		}
		for (int turn = 0; turn < 3; turn++)
			cr_expect_ge(weft_loop_run_once(loop, WEFT_MSEC), 0);
		cr_expect_eq(call.n, 0, "%s", ways[i].name);
		cr_expect_eq(weft_loop_close(loop), 0);
	}
}

Test(handle, that_has_run_is_idle_and_can_be_used_again)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		weft_loop *loop = new_loop();
		struct call call = { 0 };

		if (ways[i].schedule == schedule_much_later)
			goto close;
		for (int round = 1; round <= 3; round++) {
			cr_expect_eq(ways[i].schedule(loop, &call), 0);
			while (call.n < round)
				cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
			cr_expect(!weft_handle_is_pending(&call.handle));
			cr_expect(!weft_handle_cancel(&call.handle), "%s", ways[i].name);
		}
		cr_expect_eq(call.n, 3, "%s", ways[i].name);
close:
		cr_expect_eq(weft_loop_close(loop), 0);
	}
}

Test(handle, is_cancelled_by_an_earlier_one_of_the_same_turn)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		weft_loop *loop = new_loop();
		struct call victim = { 0 }, killer = { .other = &victim.handle };

		cr_expect_eq(schedule_soon(loop, &killer), 0);
		cr_expect_eq(ways[i].schedule(loop, &victim), 0);
		while (killer.n == 0)
			cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
		cr_expect(killer.cancelled, "%s", ways[i].name);
		for (int turn = 0; turn < 3; turn++)
			cr_assert_ge(weft_loop_run_once(loop, WEFT_MSEC), 0);
		cr_expect_eq(victim.n, 0, "%s", ways[i].name);
		cr_expect_eq(weft_loop_close(loop), 0);
	}
}

Test(handle, of_one_post_is_cancelled_by_an_earlier_post)
{
	weft_loop *loop = new_loop();
	struct call victim = { 0 }, killer = { .other = &victim.handle }, last = { 0 };

	cr_expect_eq(schedule_by_post(loop, &killer), 0);
	cr_expect_eq(schedule_by_post(loop, &victim), 0);
	cr_expect_eq(schedule_by_post(loop, &last), 0);
	while (last.n == 0)
		cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
	cr_expect(killer.cancelled);
	cr_expect_eq(victim.n, 0);
	cr_expect_eq(weft_loop_close(loop), 0);
}

Test(handle, cancelled_in_its_own_callback_returns_at_once)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		weft_loop *loop = new_loop();
		struct call call = { 0 };

		if (ways[i].schedule == schedule_much_later)
			goto close;
		call.other = &call.handle;
		call.cancelled = true;
		cr_expect_eq(ways[i].schedule(loop, &call), 0);
		while (call.n == 0)
			cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
		cr_expect(!call.cancelled, "%s: it runs already", ways[i].name);
close:
		cr_expect_eq(weft_loop_close(loop), 0);
	}
}

static void step(void *arg)
{
	struct call *call = arg;
	int r = 0;

	if (++call->n == 12)
		return;
	switch (call->n % 3) {
	case 0:
		r = weft_loop_call_soon(call->loop, step, call, &call->handle);
		break;
	case 1:
		r = weft_loop_call_later(call->loop, WEFT_USEC, step, call,
					 &call->handle);
		break;
	case 2:
		r = weft_loop_call_soon_threadsafe(call->loop, step, call, &call->handle);
		break;
	}
	cr_expect_eq(r, 0);
}

Test(handle, may_be_scheduled_again_by_its_own_callback)
{
	weft_loop *loop = new_loop();
	struct call call = { .loop = loop };

	cr_expect_eq(weft_loop_call_soon(loop, step, &call, &call.handle), 0);
	while (call.n < 12)
		cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
	cr_expect_eq(weft_loop_close(loop), 0);
}

static int n_freed;

static void free_it(void *arg)
{
	memset(arg, 0xa5, sizeof(struct call));
	free(arg);
	n_freed++;
}

Test(handle, may_be_freed_by_its_own_callback)
{
	weft_loop *loop = new_loop();
	int r = 0;

	for (int i = 0; i < 9; i++) {
		struct call *call = calloc(1, sizeof(*call));

		cr_assert_not_null(call);
		if (i % 3 == 0)
			r = weft_loop_call_soon(loop, free_it, call, &call->handle);
		else if (i % 3 == 1)
			r = weft_loop_call_later(loop, 1, free_it, call, &call->handle);
		else
			r = weft_loop_call_soon_threadsafe(loop, free_it, call,
							   &call->handle);
		cr_expect_eq(r, 0);
	}
	n_freed = 0;
	while (n_freed < 9)
		cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
	cr_expect_eq(weft_loop_close(loop), 0);
}

Test(handle, that_was_dropped_by_a_close_is_idle)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		weft_loop *loop = new_loop();
		struct call call = { 0 };

		cr_expect_eq(ways[i].schedule(loop, &call), 0);
		cr_expect_eq(weft_loop_close(loop), 0);
		cr_expect_eq(call.n, ways[i].schedule == schedule_by_post ? 1 : 0, "%s",
			     ways[i].name);
		if (ways[i].schedule !=
		    schedule_by_post) /* that needs its loop's memory */
			cr_expect(!weft_handle_cancel(&call.handle), "%s", ways[i].name);
	}
}

Test(handle, that_ran_before_the_close_is_idle)
{
	weft_loop *loop = new_loop();
	struct call soon = { 0 }, later = { 0 };

	cr_expect_eq(schedule_soon(loop, &soon), 0);
	cr_expect_eq(schedule_later(loop, &later), 0);
	while (later.n == 0)
		cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
	cr_expect_eq(weft_loop_close(loop), 0);
	/* An object with handles inside is taken apart after its loop: harmless. */
	cr_expect(!weft_handle_cancel(&soon.handle));
	cr_expect(!weft_handle_cancel(&later.handle));
	cr_expect(!weft_handle_is_pending(&later.handle));
}

static int schedule_twice(void *arg)
{
	weft_loop *loop;
	struct call call = { 0 };
	int r;

	(void)arg;
	r = weft_loop_new(NULL, &loop);
	r = r < 0 ? r : schedule_soon(loop, &call);
	r = r < 0 ? r : schedule_soon(loop, &call);
	return r;
}

Test(handle, that_is_scheduled_is_refused_for_another_call)
{
	expect_assertion(
		schedule_twice, NULL,
		"weft_loop_call_soon() was given a handle that is still scheduled: "
		"cancel it first, or use another one");
}

Test(handle, of_none_is_a_recycled_one)
{
	weft_loop *loop = new_loop();
	struct call call = { 0 };

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 1000; i++) {
			int r = i % 3 == 0
					? weft_loop_call_soon(loop, on_call, &call, NULL)
				: i % 3 == 1
					? weft_loop_call_later(loop, 1, on_call, &call,
							       NULL)
					: weft_loop_call_soon_threadsafe(loop, on_call,
									 &call, NULL);

			cr_assert_eq(r, 0);
		}
		while (call.n < (round + 1) * 1000)
			cr_assert_ge(weft_loop_run_once(loop, WEFT_SEC), 0);
	}
	cr_expect_eq(weft_loop_close(loop), 0);
}

Test(handle, of_none_may_be_refused_for_memory_and_one_of_the_callers_never)
{
	weft_loop *loop = new_loop();
	struct call call = { 0 };
	int n_refused = 0, n = 0;

	for (int i = 0; i < 200; i++) {
		weft__fail_allocation(1);
		n_refused +=
			weft_loop_call_later(loop, 0, on_call, &call, NULL) == -ENOMEM;
		n++;
	}
	weft__fail_allocation(0);
	cr_expect_eq(n_refused, n);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		weft__fail_allocation(1);
		cr_expect_eq(ways[i].schedule(loop, &call), 0, "%s", ways[i].name);
		weft__fail_allocation(0);
		cr_expect(weft_handle_cancel(&call.handle));
	}
	cr_expect_eq(weft_loop_close(loop), 0);
}

/* ---- From other threads ---- */

struct other_thread {
	pthread_t thread;
	weft_loop *loop;
	atomic_bool running;
};

static void note_running(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
}

static void *run_loop(void *arg)
{
	struct other_thread *other = arg;

	(void)weft_loop_run(other->loop);
	(void)weft_loop_close(other->loop);
	return NULL;
}

static void wait_until(atomic_bool *flag)
{
	while (!atomic_load(flag))
		sched_yield();
}

/* Gives a loop a thread of its own, and waits until it runs there. False if that fails. */
static bool other_run(struct other_thread *other, weft_loop *loop)
{
	*other = (struct other_thread){ .loop = weft_loop_ref(loop) };
	if (pthread_create(&other->thread, NULL, run_loop, other) != 0 ||
	    weft_loop_call_soon_threadsafe(loop, note_running, &other->running, NULL) < 0)
		return false;
	wait_until(&other->running);
	return true;
}

static void other_begin(struct other_thread *other)
{
	cr_assert(other_run(other, new_loop()));
}

static void other_end(struct other_thread *other)
{
	weft_loop_stop(other->loop);
	pthread_join(other->thread, NULL);
	weft_loop_unref(other->loop);
}

struct blocker {
	struct weft_handle handle;
	atomic_bool running, go_on, ended;
};

static void block(void *arg)
{
	struct blocker *blocker = arg;

	atomic_store(&blocker->running, true);
	while (!atomic_load(&blocker->go_on))
		sched_yield();
	atomic_store(&blocker->ended, true);
}

static void *let_go_on(void *arg)
{
	struct blocker *blocker = arg;

	/* A canceller waits, or is about to: both are to be seen. */
	for (int i = 0; i < 100; i++)
		sched_yield();
	atomic_store(&blocker->go_on, true);
	return NULL;
}

Test(handle, cancelled_on_a_plain_thread_waits_for_the_callback_that_runs)
{
	for (int i = 0; i < 20; i++) {
		struct other_thread other;
		struct blocker blocker = { 0 };
		pthread_t helper;

		other_begin(&other);
		cr_expect_eq(weft_loop_call_soon_threadsafe(other.loop, block, &blocker,
							    &blocker.handle),
			     0);
		wait_until(&blocker.running);
		cr_assert_eq(pthread_create(&helper, NULL, let_go_on, &blocker), 0);
		cr_expect(!weft_handle_cancel(&blocker.handle), "it had begun");
		cr_expect(atomic_load(&blocker.ended), "and has ended");
		pthread_join(helper, NULL);
		other_end(&other);
	}
}

Test(handle, cancelled_on_a_plain_thread_before_it_runs_never_runs)
{
	struct other_thread other;
	struct blocker blocker = { 0 };
	struct call call = { 0 };
	pthread_t helper;

	other_begin(&other);
	cr_expect_eq(weft_loop_call_soon_threadsafe(other.loop, block, &blocker,
						    &blocker.handle),
		     0);
	cr_expect_eq(schedule_by_post(other.loop, &call), 0);
	wait_until(&blocker.running);
	cr_assert_eq(pthread_create(&helper, NULL, let_go_on, &blocker), 0);
	cr_expect(weft_handle_cancel(&call.handle));
	cr_expect(!weft_handle_is_pending(&call.handle), "ours again");
	/* On return its storage is the caller's: another call may use it at once. */
	cr_expect_eq(schedule_by_post(other.loop, &call), 0);
	pthread_join(helper, NULL);
	(void)weft_handle_cancel(&call.handle);
	cr_expect_le(call.n, 1);
	other_end(&other);
}

/* Cancelled or run, once, and never touched after the cancel has returned. */
Test(handle, is_either_run_or_cancelled)
{
	struct other_thread other;
	int n_run = 0, n_cancelled = 0, n = test_build_is("valgrind") ? 300 : 3000;

	other_begin(&other);
	for (int i = 0; i < n; i++) {
		struct call *call = calloc(1, sizeof(*call));
		bool cancelled;

		cr_assert_not_null(call);
		cr_assert_eq(schedule_by_post(other.loop, call), 0);
		for (int k = 0; k < i % 50; k++)
			atomic_signal_fence(memory_order_seq_cst);
		cancelled = weft_handle_cancel(&call->handle);
		cr_assert_eq(call->n, cancelled ? 0 : 1);
		n_cancelled += cancelled;
		n_run += call->n;
		free(call);
	}
	cr_expect_eq(n_run + n_cancelled, n);
	other_end(&other);
}

static int cancel_from_a_task(void *arg)
{
	struct blocker *blocker = arg;
	bool cancelled = weft_handle_cancel(&blocker->handle);

	cr_expect(atomic_load(&blocker->ended));
	return cancelled;
}

static int count_yields(void *arg)
{
	struct blocker *blocker = arg;
	int n = 0;

	/* This task goes on while the other one waits, and ends its wait. */
	while (n < 10) {
		if (weft_yield() < 0)
			return -ECANCELED;
		n++;
	}
	cr_expect(!atomic_load(&blocker->ended));
	atomic_store(&blocker->go_on, true);
	return n;
}

static int cancel_beside_another_task(void *arg)
{
	struct weft_call calls[] = { { .fn = cancel_from_a_task, .arg = arg },
				     { .fn = count_yields, .arg = arg } };
	int r = weft_gather(calls, 2);

	cr_expect_eq(calls[0].result, 0, "it was too late");
	cr_expect_eq(calls[1].result, 10);
	return r;
}

Test(handle, cancelled_in_a_task_of_another_loop_suspends_only_that_task)
{
	struct other_thread other;
	struct blocker blocker = { 0 };

	other_begin(&other);
	cr_expect_eq(weft_loop_call_soon_threadsafe(other.loop, block, &blocker,
						    &blocker.handle),
		     0);
	wait_until(&blocker.running);
	cr_expect_eq(weft_run(cancel_beside_another_task, &blocker), 0);
	other_end(&other);
}

static void cancel_in_callback(void *arg)
{
	struct blocker *blocker = arg;

	(void)weft_handle_cancel(&blocker->handle);
}

static int cancel_in_a_callback_of_another_loop(void *arg)
{
	struct other_thread other;
	struct blocker blocker = { 0 };
	weft_loop *loop;

	(void)arg;
	if (weft_loop_new(NULL, &loop) < 0 || !other_run(&other, loop) ||
	    weft_loop_new(NULL, &loop) < 0 ||
	    weft_loop_call_soon_threadsafe(other.loop, block, &blocker, &blocker.handle) <
		    0 ||
	    weft_loop_call_soon(loop, cancel_in_callback, &blocker, NULL) < 0)
		return 1;
	return weft_loop_run_once(loop, 0);
}

Test(handle, cancelled_in_a_callback_of_another_loop_is_refused)
{
	expect_assertion(
		cancel_in_a_callback_of_another_loop, NULL,
		"weft_handle_cancel() was called in a callback of another loop, which "
		"may not wait: call it in a task, or where the handle's loop is");
}

static int cancel_a_timer_of_another_loop(void *arg)
{
	weft_loop *loop = NULL;
	struct call *call = arg;
	struct other_thread other;

	if (weft_loop_new(NULL, &loop) < 0 ||
	    weft_loop_call_later(loop, 60 * WEFT_MIN, on_call, call, &call->handle) < 0 ||
	    !other_run(&other, loop))
		return 1;
	(void)weft_handle_cancel(&call->handle);
	return 0;
}

Test(handle, of_a_timer_cancelled_on_another_thread_is_refused)
{
	struct call call = { 0 };

	expect_assertion(
		cancel_a_timer_of_another_loop, &call,
		"weft_handle_cancel() was called on a thread that is not that of loop");
}

/* A close runs what was accepted; who cancels then must not return before that is done. */
struct closing {
	weft_loop *loop;
	struct blocker blocker;
	struct call call;
};

static void *close_it(void *arg)
{
	struct closing *closing = arg;

	cr_expect_eq(weft_loop_close(closing->loop), 0);
	return NULL;
}

Test(handle, cancelled_while_its_loop_closes_waits_for_the_callback_that_runs)
{
	for (int i = 0; i < 20; i++) {
		struct closing closing = { .loop = new_loop() };
		pthread_t closer, helper;

		weft_loop_ref(closing.loop);
		cr_expect_eq(weft_loop_call_soon_threadsafe(closing.loop, block,
							    &closing.blocker,
							    &closing.blocker.handle),
			     0);
		cr_expect_eq(schedule_by_post(closing.loop, &closing.call), 0);
		cr_assert_eq(pthread_create(&closer, NULL, close_it, &closing), 0);
		wait_until(&closing.blocker.running);
		cr_assert_eq(pthread_create(&helper, NULL, let_go_on, &closing.blocker),
			     0);
		if (i % 2)
			cr_expect(weft_handle_cancel(&closing.call.handle));
		cr_expect(!weft_handle_cancel(&closing.blocker.handle));
		cr_expect(atomic_load(&closing.blocker.ended), "it waited");
		pthread_join(helper, NULL);
		pthread_join(closer, NULL);
		cr_expect_eq(closing.call.n, i % 2 ? 0 : 1);
		weft_loop_unref(closing.loop);
	}
}
