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
#include "loop/step.h"
#include "loop/turn.h"

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
	if (loop_is_closed(loop))
		return weft_error_set(-ESHUTDOWN, "%s(): loop \"%s\" is closed", function,
				      loop->name);
	return weft_error_set(
		-EPERM,
		"%s() was called on a thread that is not that of loop \"%s\": send it "
		"there with weft_loop_call_soon_threadsafe() or weft_spawn_on()",
		function, loop->name);
}

bool weft__loop_must_be_mine(const weft_loop *loop, const char *function)
{
	int r = loop_check(loop, function);

	weft_assert(r != -EPERM, "%s", weft_error_text(r));
	return r == 0;
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

	/* T1: the message is free again, for the next stop; pairs with T2. */
	atomic_store_explicit(&loop->stop_sent, false, memory_order_release);
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
	    options->close_limit_ns < 0 || options->slow_step_ns < 0)
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
	atomic_init(&loop->look_at, STEPS_PER_LOOK);
	atomic_init(&loop->owner, thread_id());
	snprintf(loop->name, sizeof(loop->name), "%s",
		 options->name ? options->name : "");
	if (!loop->name[0])
		snprintf(loop->name, sizeof(loop->name), "loop-%u",
			 atomic_fetch_add_explicit(&n_made, 1, memory_order_relaxed) %
				 1000000);
	loop->close_limit_ns = options->close_limit_ns ? options->close_limit_ns
						       : DEFAULT_CLOSE_LIMIT_S * WEFT_SEC;
	weft__step_init(loop, options);
	weft__inbox_init(&loop->inbox);
	list_init(&loop->open);
	list_init(&loop->flushes);
	list_init(&loop->attached);
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
	/* R2. Not a fence: ThreadSanitizer does not know those. */
	(void)atomic_load_explicit(&loop->references, memory_order_acquire);
	weft_assert(loop_is_closed(loop),
		    "the last reference to a loop was given back while it is open: "
		    "call weft_loop_close() first");
	free(loop);
}

/* ---- Running ---- */

/* Relaxed: a hint for those who would spin. */
static atomic_int n_running;
static atomic_int n_cpus_to_spin_on; /* 0: on none, since a quota would make us pay */
static pthread_once_t cpus_once = PTHREAD_ONCE_INIT;

static void count_cpus(void)
{
	int n = weft__cpus_at_start(); /* other threads have those that this one gave up */

	atomic_store_explicit(&n_cpus_to_spin_on,
			      n > 1 && !weft__cpus_have_quota() ? n : 0,
			      memory_order_relaxed);
}

bool weft__loops_have_cpus(void)
{
	return atomic_load_explicit(&n_running, memory_order_relaxed) <=
	       atomic_load_explicit(&n_cpus_to_spin_on, memory_order_relaxed);
}

int weft__loops_spare_cpus(void)
{
	return atomic_load_explicit(&n_cpus_to_spin_on, memory_order_relaxed) -
	       atomic_load_explicit(&n_running, memory_order_relaxed);
}

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
	if (loop_is_closed(loop)) {
		atomic_store_explicit(&loop->running, false, memory_order_relaxed);
		return weft__loop_refuse(loop, "weft_loop_run");
	}
	pthread_once(&cpus_once, count_cpus);
	atomic_fetch_add_explicit(&n_running, 1, memory_order_relaxed);
	atomic_store_explicit(&loop->owner, thread_id(), memory_order_relaxed);
	weft__thread.loop = loop;
	loop->context_before = weft__thread.context;
	weft__thread.context = NULL;
	prepare_thread(loop);
	if (hooks)
		hooks->enter(loop);
	weft__control_notice();
	return 0;
}

void weft__loop_leave(weft_loop *loop)
{
	atomic_fetch_sub_explicit(&n_running, 1, memory_order_relaxed);
	restore_thread(loop);
	context_drop(&weft__thread.context);
	weft__thread.context = loop->context_before;
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
	/* Only with nothing to run it waits; and what that found runs now, not in the next call. */
	if (ready_is_empty(&loop->ready) && list_is_empty(&loop->inbox.taken) &&
	    !loop->stop)
		weft__loop_idle(loop, timeout_ns > 0
					      ? weft__time_add(weft__clock(), timeout_ns)
					      : 0);
	weft__loop_round(loop, 0);
	loop->turns_apart = loop->is_virtual;
	loop->stop = false;
	weft__loop_leave(loop);
	return (int)MIN(atomic_load_explicit(&loop->steps, memory_order_relaxed) - before,
			(uint64_t)INT32_MAX);
}

void weft_loop_stop(weft_loop *loop)
{
	if (weft__thread.loop == loop) {
		loop->stop = true;
		return;
	}
	if (weft__thread_is_stale())
		return; /* the parent would be woken */
	/* T2: acquires the message; who finds it on its way need not send it again. */
	if (!atomic_exchange_explicit(&loop->stop_sent, true, memory_order_acquire))
		(void)weft__loop_post(loop,
				      &loop->stop_post); /* a closed loop has stopped */
}
