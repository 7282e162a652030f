/*
 * The event loop: its life and its turns. loop.h has the model; loop thread unless said.
 */
#include "loop/loop.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/report.h"
#include "loop/control.h"

enum { DEFAULT_CLOSE_LIMIT_S = 10 };

static const struct loop_hooks *hooks;

void weft__loop_set_hooks(const struct loop_hooks *table)
{
	hooks = table;
}

const struct loop_hooks *weft__loop_hooks(void)
{
	return hooks;
}

/* ---- Who may call ---- */

int weft__loop_refuse(const weft_loop *loop, const char *function)
{
	if (weft__thread_is_stale())
		return weft_error_set(
			-ESTALE,
			"%s() was called in the child of a fork(): nothing of weft "
			"works there before an exec",
			function);
	return weft_error_set(
		-EPERM,
		"%s() was called on a thread that is not that of loop \"%s\": send it "
		"there with weft_loop_call_soon_threadsafe() or weft_spawn_on()",
		function, loop->name);
}

int weft__loop_none(const char *function)
{
	if (weft__thread_is_stale())
		return weft_error_set(
			-ESTALE,
			"%s() was called in the child of a fork(): nothing of weft "
			"works there before an exec",
			function);
	if (weft__thread.runs_job)
		return weft_error_set(
			-EPERM,
			"%s() was called in a job of an executor, which runs on a "
			"thread without a loop: send it to a loop with "
			"weft_spawn_on()",
			function);
	return weft_error_set(
		-EPERM,
		"%s() was called on a thread without a loop: start one with weft_run()",
		function);
}

weft_loop *weft_loop_current(void)
{
	return weft__thread.loop;
}

weft_time weft_now(void)
{
	weft_loop *loop = weft__thread.loop;

	return loop ? loop_now(loop) : weft__clock();
}

bool weft_loop_is_running(const weft_loop *loop)
{
	/* Relaxed: the answer may be old by the time it is looked at, as the comment
	 * says. */
	return atomic_load_explicit(&loop->running, memory_order_relaxed);
}

/* ---- Beginning ---- */

static void on_stop_post(void *arg)
{
	weft_loop *loop = arg;

	/*
	 * Relaxed: stopping again from now on posts again; whether this call or the next
	 * one ends the loop is all the same.
	 */
	atomic_store_explicit(&loop->stop_sent, false, memory_order_relaxed);
	loop->stop = true;
}

int weft_loop_new(const struct weft_loop_options *options, weft_loop **out)
{
	static const struct weft_loop_options defaults;
	static atomic_uint n_made; /* relaxed: numbers for names */
	weft_loop *loop;
	int r;

	if (!options)
		options = &defaults;
	if (weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)) ||
	    options->close_limit_ns < 0)
		return weft_error_set(-EINVAL,
				      "weft_loop_new(): the options are not valid: set "
				      "all fields that you do not use to zero");
	if (weft__thread_is_stale())
		return weft__loop_none("weft_loop_new");

	loop = weft__aligned_alloc(CACHE_LINE, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	memset(loop, 0, sizeof(*loop));
	atomic_init(&loop->references, 1);
	atomic_init(&loop->owner, thread_id());
	snprintf(loop->name, sizeof(loop->name), "%s",
		 options->name ? options->name : "");
	if (!loop->name[0])
		snprintf(loop->name, sizeof(loop->name), "loop-%u",
			 atomic_fetch_add_explicit(&n_made, 1, memory_order_relaxed) %
				 1000000);
	loop->close_limit_ns = options->close_limit_ns ? options->close_limit_ns
						       : DEFAULT_CLOSE_LIMIT_S * WEFT_SEC;
	weft__inbox_init(&loop->inbox);
	list_init(&loop->open);
	list_init(&loop->signals);
	weft__spare_init(&loop->spare);
	list_init(&loop->registered);
	handle_init(&loop->stop_post, HANDLE_DIRECT, on_stop_post, loop);
	weft__timers_init(&loop->timers, weft__clock());

	r = weft__ready_init(&loop->ready);
	if (r < 0)
		goto free_loop;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0) {
		r = weft_error_set(-errno, "cannot make an eventfd for a loop");
		goto fini_ready;
	}
	r = weft__poller_new(loop, &loop->poller);
	if (r < 0)
		goto close_wake;
	r = hooks ? hooks->open(loop) : 0;
	if (r < 0)
		goto free_poller;
	r = weft__control_add(loop);
	if (r < 0)
		goto close_hooks;
	*out = loop;
	return 0;
close_hooks:
	if (hooks)
		hooks->close(loop);
free_poller:
	weft__poller_free(loop->poller);
close_wake:
	(void)close(loop->wake_fd);
fini_ready:
	weft__ready_fini(&loop->ready);
free_loop:
	free(loop);
	return r;
}

weft_loop *weft_loop_ref(weft_loop *loop)
{
	/* Relaxed: the caller holds a reference already. */
	atomic_fetch_add_explicit(&loop->references, 1, memory_order_relaxed);
	return loop;
}

void weft_loop_unref(weft_loop *loop)
{
	/* R1: releases this thread's use of the loop to whoever frees it; pairs with R2.
	 */
	if (!loop ||
	    atomic_fetch_sub_explicit(&loop->references, 1, memory_order_release) > 1)
		return;
	/* R2 */
	atomic_thread_fence(memory_order_acquire);
	weft_assert(loop->closed,
		    "the last reference to a loop was given back while it is open: "
		    "call weft_loop_close() first");
	free(loop);
}

/* ---- Steps ---- */

static void expire_timers(weft_loop *loop)
{
	weft_time now;

	if (!loop->timers.n_timers)
		return;
	now = loop_now(loop);
	for (struct handle *handle = weft__timers_pop(&loop->timers, now); handle;
	     handle = weft__timers_pop(&loop->timers, now)) {
		if (handle->kind == HANDLE_DIRECT) {
			handle_set_state(handle, HANDLE_IDLE);
			handle->fn(handle->arg);
		} else {
			ready_push_handle(&loop->ready, handle);
		}
	}
}

/* Timers and poller; waits until `deadline` on CLOCK_MONOTONIC, not at all if it is 0. */
static void look(weft_loop *loop, weft_time deadline)
{
	/* Relaxed: see the fields. */
	atomic_store_explicit(&loop->look_wanted, false, memory_order_relaxed);
	atomic_store_explicit(&loop->looks,
			      atomic_load_explicit(&loop->looks, memory_order_relaxed) +
				      1,
			      memory_order_relaxed);
	weft__poller_wait(loop->poller, deadline);
	expire_timers(loop);
	loop->steps_at_look = atomic_load_explicit(&loop->steps, memory_order_relaxed);
}

/* Which of several ready things goes first is drawn, when a test asked for that. */
static void shuffle_turn(weft_loop *loop)
{
	struct ready *ready = &loop->ready;

	for (uint64_t n = ready->turn_end - ready->head; n > 1; n--) {
		struct ready_slot *last =
			&ready->slots[(ready->head + n - 1) & ready->mask];
		struct ready_slot *other, swap;

		loop->shuffle ^= loop->shuffle
				 << 13; /* G. Marsaglia, "Xorshift RNGs", 2003 */
		loop->shuffle ^= loop->shuffle >> 7;
		loop->shuffle ^= loop->shuffle << 17;
		other = &ready->slots[(ready->head + loop->shuffle % n) & ready->mask];
		swap = *last;
		*last = *other;
		*other = swap;
	}
	for (uint64_t i = ready->head; i != ready->turn_end; i++) {
		struct ready_slot *slot = &ready->slots[i & ready->mask];

		if (slot->fn == weft__ready_run_handle)
			((struct handle *)slot->arg)->ring_index = i;
	}
}

static void run_ready(weft_loop *loop)
{
	struct ready *ready = &loop->ready;

	if (unlikely(!list_is_empty(&ready->behind)))
		weft__ready_catch_up(ready);
	ready->turn_end = ready->tail;
	if (unlikely(loop->shuffle))
		shuffle_turn(loop);
	while (ready->head != ready->turn_end) {
		struct ready_slot slot = ready->slots[ready->head++ & ready->mask];

		__builtin_prefetch(ready->slots[(ready->head + 3) & ready->mask].arg);
		loop_count_step(loop);
		slot.fn(slot.arg);
		if (loop_look_is_due(loop))
			look(loop, 0);
	}
}

/* Whoever takes a posted handle from the state POSTED ends it: this loop or a canceller.
 */
static void run_post(weft_loop *loop, struct handle *handle)
{
	uint32_t posted = HANDLE_POSTED;
	weft_callback *fn = handle->fn;
	void *arg = handle->arg;

	atomic_store_explicit(&loop->running_post, handle, memory_order_relaxed);
	/* H2: a canceller that comes too late sees running_post; pairs with its acquire.
	 */
	if (!atomic_compare_exchange_strong_explicit(&handle->state, &posted, HANDLE_IDLE,
						     memory_order_release,
						     memory_order_relaxed)) {
		handle_set_state(handle,
				 HANDLE_IDLE); /* withdrawn; the canceller waits for us */
		return;
	}
	if (handle->kind == HANDLE_RECYCLED)
		weft__spare_return(&loop->spare, handle);
	fn(arg); /* may free the handle */
}

static void run_posts(weft_loop *loop)
{
	struct list *taken = &loop->inbox.taken;

	weft__inbox_take(&loop->inbox);
	for (int n = 0; n < POSTS_PER_TURN && !list_is_empty(taken); n++) {
		struct list *link = list_pop_front(taken);

		loop_count_step(loop);
		run_post(loop, list_entry(link, struct handle, link));
		atomic_store_explicit(&loop->running_post, NULL, memory_order_relaxed);
		if (loop_look_is_due(loop))
			look(loop, 0);
	}
}

static bool has_work(const weft_loop *loop)
{
	return !ready_is_empty(&loop->ready) || !list_is_empty(&loop->inbox.taken) ||
	       loop->stop ||
	       atomic_load_explicit(&loop->look_wanted, memory_order_relaxed);
}

/* Waits in the kernel. A message that comes first keeps the loop awake, or wakes it. */
static void sleep_until(weft_loop *loop, weft_time deadline)
{
	if (!weft__inbox_mark_asleep(&loop->inbox))
		return;
	atomic_store_explicit(&loop->asleep, true, memory_order_relaxed);
	look(loop, deadline);
	atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
	weft__control_notice();
	weft__inbox_take(&loop->inbox); /* takes the mark back, whatever woke us */
}

/*
 * On a test clock: what is under way in the kernel goes first, work outside is waited
 * for, and then time jumps. (A jump may end before the first deadline, in an empty slot
 * of the wheel: the next one goes on from there, and nobody sees the time between.)
 */
static void virtual_sleep(weft_loop *loop, weft_time deadline)
{
	weft_time next;

	look(loop, 0);
	weft__inbox_take(&loop->inbox);
	if (has_work(loop))
		return;
	next = weft__timers_next(&loop->timers);
	if (loop->n_outside) {
		sleep_until(loop, WEFT_FOREVER);
	} else if (next != WEFT_FOREVER) {
		loop->virtual_now = MAX(loop->virtual_now, next);
		expire_timers(loop);
	} else if (loop->n_foreign) {
		sleep_until(loop, WEFT_FOREVER);
	} else if (deadline == WEFT_FOREVER) {
		loop->deadlocked = true;
		loop->stop = true;
	}
}

void weft__loop_round(weft_loop *loop, weft_time deadline)
{
	run_ready(loop);
	run_posts(loop);
	if (loop_look_is_due(loop))
		look(loop, 0);
	if (has_work(loop))
		return;
	if (unlikely(loop->is_virtual))
		virtual_sleep(loop, deadline);
	else
		sleep_until(loop, MIN(deadline, weft__timers_next(&loop->timers)));
}

/* ---- Running ---- */

/* While a loop runs, its thread blocks SIGPIPE and gets its timers at once. */
static void prepare_thread(weft_loop *loop)
{
	sigset_t pipe, before;

	/* A peer that is gone is an error of the write, not a reason to die. */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	loop->sigpipe_was_blocked = sigismember(&before, SIGPIPE) == 1;
	loop->slack_before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* else timers are up to 50 us late */
	loop->tid = gettid();
}

static void restore_thread(weft_loop *loop)
{
	struct timespec now = { 0 };
	sigset_t pipe;

	if (!loop->sigpipe_was_blocked) {
		sigemptyset(&pipe);
		sigaddset(&pipe, SIGPIPE);
		(void)sigtimedwait(&pipe, NULL,
				   &now); /* one that came meanwhile dies here */
		pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
	}
	(void)prctl(PR_SET_TIMERSLACK, loop->slack_before > 0 ? loop->slack_before : 0, 0,
		    0, 0);
}

int weft__loop_enter(weft_loop *loop)
{
	if (weft__thread_is_stale())
		return weft__loop_none("weft_loop_run");
	if (weft__thread.loop)
		return weft_error_set(-EBUSY,
				      "loop \"%s\" already runs on this thread: a thread "
				      "runs one loop at a time",
				      weft__thread.loop->name);
	/* O1: takes over what the thread that ran the loop before left in it; pairs with
	 * O2. */
	if (atomic_exchange_explicit(&loop->running, true, memory_order_acquire))
		return weft_error_set(
			-EBUSY, "loop \"%s\" already runs on another thread", loop->name);
	atomic_store_explicit(&loop->owner, thread_id(), memory_order_relaxed);
	weft__thread.loop = loop;
	prepare_thread(loop);
	if (hooks)
		hooks->enter(loop);
	weft__control_notice();
	return 0;
}

void weft__loop_leave(weft_loop *loop)
{
	restore_thread(loop);
	weft__thread.loop = NULL;
	/* O2: leaves the loop to whoever runs or closes it next. */
	atomic_store_explicit(&loop->running, false, memory_order_release);
}

int weft_loop_run(weft_loop *loop)
{
	int r = weft__loop_enter(loop);

	if (r < 0)
		return r;
	do
		weft__loop_round(loop, WEFT_FOREVER);
	while (!loop->stop);
	loop->stop = false;
	weft__loop_leave(loop);
	return 0;
}

int weft_loop_run_once(weft_loop *loop, weft_time timeout_ns)
{
	uint64_t before;
	int r = weft__loop_enter(loop);

	if (r < 0)
		return r;
	before = atomic_load_explicit(&loop->steps, memory_order_relaxed);
	loop->turns_apart = true;
	weft__loop_round(loop,
			 timeout_ns > 0 ? weft__time_add(weft__clock(), timeout_ns) : 0);
	if (atomic_load_explicit(&loop->steps, memory_order_relaxed) == before) {
		loop_want_look(loop); /* what the wait found runs now, and nothing is
					 waited for */
		weft__loop_round(loop, 0);
	}
	loop->turns_apart = loop->is_virtual;
	loop->stop = false;
	weft__loop_leave(loop);
	return (int)MIN(atomic_load_explicit(&loop->steps, memory_order_relaxed) - before,
			(uint64_t)INT32_MAX);
}

void weft_loop_stop(weft_loop *loop)
{
	if (loop_is_mine(loop)) {
		loop->stop = true;
		return;
	}
	/* Relaxed: the post orders what the caller did before; this only keeps it from
	 * two posts. */
	if (!atomic_exchange_explicit(&loop->stop_sent, true, memory_order_relaxed))
		(void)weft__loop_post(loop,
				      &loop->stop_post); /* a closed loop has stopped */
}

/* ---- Ending ---- */

/* Runs turns until no task is left or the limit has passed. */
static bool end_tasks(weft_loop *loop)
{
	weft_time limit = weft__time_add(weft__clock(), loop->close_limit_ns);

	if (!hooks || !hooks->n_alive(loop))
		return true;
	hooks->cancel_all(loop);
	while (hooks->n_alive(loop)) {
		if (weft__clock() >= limit || loop->deadlocked)
			return false;
		weft__loop_round(loop, limit);
		loop->stop = false;
	}
	return true;
}

static void report_open(weft_loop *loop)
{
	list_for_each_safe (link, &loop->open) {
		struct open_object *object = list_entry(link, struct open_object, link);
		struct weft_report like = { .loop = loop, .place = object->place };

		weft__report(WEFT_WARNING, &like,
			     "loop \"%s\" was closed with %s still open", loop->name,
			     object->what);
		list_unlink(link);
	}
}

/* What is queued or due later is dropped; recycled handles are freed. */
static void drop_handles(weft_loop *loop)
{
	struct ready *ready = &loop->ready;

	for (; ready->head != ready->tail; ready->head++) {
		struct ready_slot *slot = &ready->slots[ready->head & ready->mask];

		if (slot->fn == weft__ready_run_handle) {
			struct handle *handle = slot->arg;

			handle_set_state(handle, HANDLE_IDLE);
			if (handle->kind == HANDLE_RECYCLED)
				free(handle);
		}
	}
	for (int level = 0; level < TIMER_LEVELS; level++) {
		for (int slot = 0; slot < TIMER_SLOTS; slot++)
			list_splice(&ready->behind, &loop->timers.slots[level][slot]);
	}
	for (struct list *link = list_pop_front(&ready->behind); link;
	     link = list_pop_front(&ready->behind)) {
		struct handle *handle = list_entry(link, struct handle, link);

		handle_set_state(handle, HANDLE_IDLE);
		if (handle->kind == HANDLE_RECYCLED)
			free(handle);
	}
}

/*
 * A sender that found the mark may still be on its way into the wake-up's write. Each
 * such write adds one to the eventfd, which nobody ever read, so its sum says when all
 * have been.
 */
static void await_senders(weft_loop *loop)
{
	uint64_t seen = 0, n;

	while (seen < loop->inbox.wakes_owed) {
		if (read(loop->wake_fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
			seen += n;
		else
			sched_yield();
	}
}

int weft_loop_close(weft_loop *loop)
{
	bool ended;
	int r;

	if (!loop)
		return 0;
	weft_assert(!weft__thread_is_stale(),
		    "weft_loop_close() was called in the child of a "
		    "fork(): nothing of weft works there");
	r = weft__loop_enter(loop);
	weft_assert(
		r == 0,
		"weft_loop_close() was called while a loop runs on this thread, or the "
		"loop on another one: stop it and let weft_loop_run() return first");

	loop->closing = true;
	ended = end_tasks(loop);
	weft__loop_remove_signals(loop);
	weft__inbox_close(&loop->inbox);
	while (!list_is_empty(
		&loop->inbox.taken)) /* what was accepted runs exactly once */
		run_posts(loop);
	if (!ended)
		hooks->abandon_all(loop);
	report_open(loop);
	weft__loop_remove_watchers(loop);
	drop_handles(loop);
	if (hooks)
		hooks->close(loop);
	await_senders(loop);
	weft__spare_fini(&loop->spare);
	weft__poller_free(loop->poller);
	(void)close(loop->wake_fd); /* an eventfd has nothing to lose */
	weft__ready_fini(&loop->ready);
	weft__control_remove(loop);
	loop->closed = true;
	weft__loop_leave(loop);
	weft_loop_unref(loop);
	return ended ? 0
		     : weft_error_set(
			       -EBUSY,
			       "tasks ignored their cancellation until the limit of "
			       "the loop's close and were abandoned");
}
