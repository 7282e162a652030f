/*
 * Done-callbacks of futures: task/future_callback.c.
 */
#include <pthread.h>
#include <sched.h>

#include "tests/task_test.h"

enum { N_CALLS = 16 };

/* What ran, in order. */
struct calls {
	int order[N_CALLS];
	int n;
};

struct call {
	struct calls *calls;
	int number;
};

static void note(void *arg)
{
	struct call *call = arg;

	if (call->calls->n < N_CALLS)
		call->calls->order[call->calls->n] = call->number;
	call->calls->n++;
}

static weft_future *new_future(bool shared)
{
	weft_future *future = NULL;

	cr_assert_eq(shared ? weft_future_new_shared(&future) : weft_future_new(&future),
		     0);
	return future;
}

static const char *kind(bool shared)
{
	return shared ? "shared" : "local";
}

static void add(weft_future *future, struct call *call, struct weft_handle *handle)
{
	cr_assert_eq(weft_future_add_done_callback(future, note, call, handle), 0);
}

/* ---- When ---- */

TaskTest(done_callback, is_never_synchronous)
{
	for (int shared = 0; shared < 2; shared++) {
		weft_future *future = new_future(shared);
		struct calls calls = { .n = 0 };
		struct call call = { &calls, 1 };

		add(future, &call, NULL);
		pass_turns(3);
		cr_expect_eq(calls.n, 0, "%s: it has not settled", kind(shared));
		cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
		cr_expect_eq(calls.n, 0, "%s: not inside the call", kind(shared));
		pass_turns(2);
		cr_expect_eq(calls.n, 1, "%s", kind(shared));
		weft_future_unref(future);
	}
}

TaskTest(done_callback, of_a_future_that_has_settled_already_is_not_synchronous_either)
{
	for (int shared = 0; shared < 2; shared++) {
		weft_future *future = new_future(shared);
		struct calls calls = { .n = 0 };
		struct call call = { &calls, 1 };

		cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
		add(future, &call, NULL);
		cr_expect_eq(calls.n, 0, "%s", kind(shared));
		pass_turns(2);
		cr_expect_eq(calls.n, 1, "%s", kind(shared));
		weft_future_unref(future);
	}
}

TaskTest(done_callback, is_called_however_the_future_settles)
{
	static const char *const names[] = { "result", "error", "cancellation" };

	for (int how = 0; how < 6; how++) {
		weft_future *future = new_future(how % 2);
		struct calls calls = { .n = 0 };
		struct call call = { &calls, 1 };

		add(future, &call, NULL);
		if (how / 2 == 0)
			cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
		else if (how / 2 == 1)
			cr_expect_eq(weft_future_set_error(future, -EIO), 0);
		else
			cr_expect(weft_future_cancel(future));
		pass_turns(2);
		cr_expect_eq(calls.n, 1, "%s", names[how / 2]);
		(void)weft_future_result(future);
		weft_future_unref(future);
	}
}

TaskTestInOrder(done_callback, is_called_in_the_order_of_registration)
{
	for (int shared = 0; shared < 2; shared++) {
		weft_future *future = new_future(shared);
		struct calls calls = { .n = 0 };
		struct call call[6];
		struct weft_handle handles[6] = { 0 };

		for (int i = 0; i < 6; i++) {
			call[i] = (struct call){ &calls, i };
			if (i == 3) /* the others come when it has settled already */
				cr_expect_eq(weft_future_set_result(future, NULL, NULL),
					     0);
			add(future, &call[i], i % 2 ? &handles[i] : NULL);
		}
		pass_turns(2);
		cr_expect_eq(calls.n, 6, "%s", kind(shared));
		for (int i = 0; i < 6; i++)
			cr_expect_eq(calls.order[i], i, "%s", kind(shared));
		weft_future_unref(future);
	}
}

struct adder {
	struct call call; /* its own */
	struct call added;
	weft_future *future;
};

static void note_and_add(void *arg)
{
	struct adder *adder = arg;

	note(&adder->call);
	add(adder->future, &adder->added, NULL);
}

TaskTestInOrder(done_callback, added_by_another_one_comes_a_turn_after_it)
{
	for (int shared = 0; shared < 2; shared++) {
		struct calls calls = { .n = 0 };
		struct adder adder = { { &calls, 0 }, { &calls, 2 }, new_future(shared) };
		struct call last = { &calls, 1 };

		cr_assert_eq(weft_future_add_done_callback(adder.future, note_and_add,
							   &adder, NULL),
			     0);
		add(adder.future, &last, NULL);
		cr_expect_eq(weft_future_set_result(adder.future, NULL, NULL), 0);
		pass_turns(1);
		cr_expect_eq(calls.n, 2, "%s: those that were there", kind(shared));
		pass_turns(1);
		cr_expect_eq(calls.n, 3, "%s", kind(shared));
		for (int i = 0; i < 3; i++)
			cr_expect_eq(calls.order[i], i, "%s", kind(shared));
		weft_future_unref(adder.future);
	}
}

struct again {
	struct weft_handle handle;
	weft_future *future;
	int n;
};

static void call_again(void *arg)
{
	struct again *again = arg;

	if (++again->n < 3)
		cr_expect_eq(weft_future_add_done_callback(again->future, call_again,
							   again, &again->handle),
			     0);
}

TaskTest(done_callback, may_use_its_handle_again)
{
	for (int shared = 0; shared < 2; shared++) {
		struct again again = { .future = new_future(shared) };

		cr_expect_eq(weft_future_set_result(again.future, NULL, NULL), 0);
		call_again(&again);
		pass_turns(4);
		cr_expect_eq(again.n, 3, "%s", kind(shared));
		weft_future_unref(again.future);
	}
}

TaskTest(done_callback, of_one_future_is_not_called_for_another)
{
	weft_future *one = new_future(false), *two = new_future(false);
	struct calls calls = { .n = 0 };
	struct call call[2] = { { &calls, 1 }, { &calls, 2 } };

	add(one, &call[0], NULL);
	add(two, &call[1], NULL);
	cr_expect(weft_future_cancel(two));
	pass_turns(2);
	cr_expect_eq(calls.n, 1);
	cr_expect_eq(calls.order[0], 2);
	cr_expect(weft_future_cancel(one));
	pass_turns(2);
	cr_expect_eq(calls.n, 2);
	weft_future_unref(one);
	weft_future_unref(two);
}

TaskTest(done_callback, of_a_tasks_future_is_called_when_the_task_has_ended)
{
	weft_time span = WEFT_SEC;
	struct calls calls = { .n = 0 };
	struct call call = { &calls, 1 };
	weft_task *task = start(sleep_for, &span);

	add(weft_task_future(task), &call, NULL);
	pass_turns(3);
	cr_expect_eq(calls.n, 0);
	cr_expect_eq(weft_task_join(task), 0);
	pass_turns(2);
	cr_expect_eq(calls.n, 1);
}

/* ---- Taking back ---- */

TaskTest(done_callback, is_taken_back_by_its_handle)
{
	for (int shared = 0; shared < 2; shared++) {
		weft_future *future = new_future(shared);
		struct weft_handle before = { 0 }, after = { 0 }, other = { 0 };
		struct calls calls = { .n = 0 };
		struct call call = { &calls, 1 };

		add(future, &call, &before);
		add(future, &call, &after);
		add(future, &call, &other);
		cr_expect(weft_handle_is_pending(&before));
		cr_expect(weft_handle_cancel(&before), "%s: before it settles",
			  kind(shared));
		cr_expect(!weft_handle_is_pending(&before));
		cr_expect(!weft_handle_cancel(&before));
		cr_expect_eq(weft_future_set_result(future, NULL, NULL), 0);
		cr_expect(weft_handle_is_pending(&after));
		cr_expect(weft_handle_cancel(&after), "%s: on its way", kind(shared));
		pass_turns(2);
		cr_expect_eq(calls.n, 1, "%s: the third one alone", kind(shared));
		cr_expect(!weft_handle_cancel(&other), "%s: has run", kind(shared));
		weft_future_unref(future);
	}
}

/* ---- References ---- */

static int n_destroyed;

static void destroy(void *value)
{
	(void)value;
	n_destroyed++;
}

TaskTest(done_callback, keeps_the_future_until_it_is_taken_back_or_on_its_way)
{
	int value = 0;

	for (int shared = 0; shared < 2; shared++) {
		weft_future *future = new_future(shared);
		struct weft_handle handle = { 0 };
		struct calls calls = { .n = 0 };
		struct call call = { &calls, 1 };

		n_destroyed = 0;
		add(future, &call, &handle);
		weft_future_unref(weft_future_ref(future));
		cr_expect_eq(weft_future_set_result(future, &value, destroy), 0);
		weft_future_unref(future);
		pass_turns(2);
		cr_expect_eq(calls.n, 1);
		cr_expect_eq(n_destroyed, 1, "%s", kind(shared));

		future = new_future(shared);
		add(future, &call, &handle);
		weft_future_unref(future);
		cr_expect(weft_handle_cancel(&handle), "%s: and frees it", kind(shared));
	}
}

/* ---- Who may ---- */

static void never(void *arg)
{
	(void)arg;
	abort();
}

static void *try_without_a_loop(void *arg)
{
	return (void *)(intptr_t)weft_future_add_done_callback(arg, never, NULL, NULL);
}

TaskTest(done_callback, needs_a_loop_and_that_of_a_local_future)
{
	for (int shared = 0; shared < 2; shared++) {
		weft_future *future = new_future(shared);
		pthread_t thread;
		void *r;

		cr_assert_eq(pthread_create(&thread, NULL, try_without_a_loop, future),
			     0);
		pthread_join(thread, &r);
		cr_expect_eq((int)(intptr_t)r, -EPERM, "%s", kind(shared));
		weft_future_unref(future);
	}
}

static int try_in_a_run(void *arg)
{
	return (int)(intptr_t)try_without_a_loop(arg);
}

static void *try_on_another_loop(void *arg)
{
	return (void *)(intptr_t)weft_run(try_in_a_run, arg);
}

TaskTest(done_callback, of_a_local_future_is_refused_on_another_loop)
{
	weft_future *future = new_future(false);
	pthread_t thread;
	void *r;

	cr_assert_eq(pthread_create(&thread, NULL, try_on_another_loop, future), 0);
	pthread_join(thread, &r);
	cr_expect_eq((int)(intptr_t)r, -EPERM);
	weft_future_unref(future);
}

/* ---- Threads ---- */

static void *settle_soon(void *arg)
{
	for (int i = 0; i < 100; i++)
		sched_yield();
	(void)weft_future_set_result(arg, NULL, NULL);
	weft_future_unref(arg);
	return NULL;
}

static weft_future *settled_by_a_thread(pthread_t *thread)
{
	weft_future *future = new_future(true);

	cr_assert_eq(pthread_create(thread, NULL, settle_soon, weft_future_ref(future)),
		     0);
	return future;
}

struct wakes {
	weft_future *told;
	pthread_t thread;
};

static void tell(void *arg)
{
	struct wakes *wakes = arg;

	cr_expect(pthread_equal(pthread_self(), wakes->thread), "on the loop that asked");
	cr_expect_eq(weft_future_set_result(wakes->told, NULL, NULL), 0);
}

/* Nothing else is to come: that a test clock does not call that a deadlock is part of it. */
TaskTest(done_callback, comes_to_its_loop_from_whatever_thread_settles)
{
	pthread_t thread;
	weft_future *future = settled_by_a_thread(&thread);
	struct wakes wakes = { .told = new_future(false), .thread = pthread_self() };

	cr_expect_eq(weft_future_add_done_callback(future, tell, &wakes, NULL), 0);
	cr_expect_eq(weft_future_await(wakes.told), 0);
	pthread_join(thread, NULL);
	weft_future_unref(future);
	weft_future_unref(wakes.told);
}

static void count_call(void *n_calls)
{
	++*(int *)n_calls;
}

/* Its handle is free again as soon as it was cancelled, whatever the settling thread is at. */
TaskTestInOrder(done_callback, is_cancelled_while_another_thread_settles)
{
	for (int round = 0; round < 500; round++) {
		struct weft_handle *handle = calloc(1, sizeof(*handle));
		pthread_t thread;
		weft_future *future = settled_by_a_thread(&thread);
		int n_calls = 0;

		cr_assert_not_null(handle);
		cr_expect_eq(weft_future_add_done_callback(future, count_call, &n_calls,
							   handle),
			     0);
		while (round % 2 && !weft_future_is_done(future))
			; /* so that the push is under way, or just over */
		for (int i = 0; i < round % 50; i++)
			sched_yield();
		cr_expect(weft_handle_cancel(handle));
		free(handle);
		pthread_join(thread, NULL);
		pass_turns(2);
		cr_expect_eq(n_calls, 0);
		weft_future_unref(future);
	}
}

static int add_and_await(void *arg)
{
	struct wakes wakes = { .told = new_future(false), .thread = pthread_self() };
	int r = weft_future_add_done_callback(arg, tell, &wakes, NULL);

	if (r == 0)
		r = weft_future_await(wakes.told);
	weft_future_unref(wakes.told);
	return r;
}

static void *add_on_a_loop_of_its_own(void *arg)
{
	return (void *)(intptr_t)weft_run(add_and_await, arg);
}

Test(done_callback, may_be_added_on_several_loops)
{
	enum { N = 4 };

	for (int round = 0; round < 20; round++) {
		pthread_t threads[N], settler;
		weft_future *future = settled_by_a_thread(&settler);
		void *r;

		for (int i = 0; i < N; i++)
			cr_assert_eq(pthread_create(&threads[i], NULL,
						    add_on_a_loop_of_its_own, future),
				     0);
		for (int i = 0; i < N; i++) {
			pthread_join(threads[i], &r);
			cr_expect_null(r);
		}
		pthread_join(settler, NULL);
		weft_future_unref(future);
	}
}

static int cancel_in_time_or_not(void *arg)
{
	weft_future *future = arg;
	struct weft_handle handle = { 0 };
	struct calls calls = { .n = 0 };
	struct call call = { &calls, 1 };
	bool prevented;
	int r;

	add(future, &call, &handle);
	prevented = weft_handle_cancel(&handle);
	r = weft_future_await(future);
	for (int i = 0; i < 3 && r == 0; i++)
		r = weft_yield();
	cr_expect_eq(prevented, calls.n == 0);
	return r;
}

/* What is lost or run twice, ThreadSanitizer or the count would show. */
Test(done_callback, that_is_taken_back_while_another_thread_settles_runs_or_does_not)
{
	for (int round = 0; round < 200; round++) {
		pthread_t settler;
		weft_future *future = settled_by_a_thread(&settler);

		cr_expect_eq(weft_run(cancel_in_time_or_not, future), 0);
		pthread_join(settler, NULL);
		weft_future_unref(future);
	}
}

/* ---- The end of a loop ---- */

struct left_over {
	struct weft_handle handles[2];
	weft_future *shared, *local;
	struct call call;
};

static int leave_callbacks(void *arg)
{
	struct left_over *left = arg;

	left->local = new_future(false);
	for (int i = 0; i < 2; i++) {
		weft_future *future = i ? left->local : left->shared;

		cr_expect_eq(weft_future_add_done_callback(future, note, &left->call,
							   &left->handles[i]),
			     0);
		cr_expect_eq(weft_future_add_done_callback(future, note, &left->call,
							   NULL),
			     0);
	}
	weft_future_unref(left->local);
	return 0;
}

Test(done_callback, that_waits_when_its_loop_is_closed_is_dropped)
{
	struct calls calls = { .n = 0 };
	struct left_over left = { .call = { &calls, 1 } };

	left.shared = new_future(true);
	cr_expect_eq(weft_run(leave_callbacks, &left), 0);
	cr_expect(!weft_handle_is_pending(&left.handles[0]));
	cr_expect(!weft_handle_is_pending(&left.handles[1]));
	cr_expect(!weft_handle_cancel(&left.handles[0]));
	cr_expect_eq(weft_future_set_result(left.shared, NULL, NULL), 0);
	cr_expect_eq(calls.n, 0);
	weft_future_unref(left.shared);
}

/* The settling meets a loop in each state of its end. */
Test(done_callback, runs_or_is_dropped_when_the_future_settles_while_its_loop_ends)
{
	for (int round = 0; round < 200; round++) {
		struct calls calls = { .n = 0 };
		struct left_over left = { .call = { &calls, 1 } };
		pthread_t settler;

		left.shared = settled_by_a_thread(&settler);
		cr_expect_eq(weft_run(leave_callbacks, &left), 0);
		cr_expect_le(calls.n, 2);
		cr_expect(!weft_handle_is_pending(&left.handles[0]));
		pthread_join(settler, NULL);
		weft_future_unref(left.shared);
	}
}
