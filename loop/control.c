/*
 * The control thread; control.h has the model.
 *
 * One lock is held while its tables are read or changed and while a handler runs, and
 * never across a wait; another one while the thread is started or ended. A signal
 * handler, on whatever thread the kernel chose, does nothing but write the number into a
 * pipe. (A signalfd would lose the signal to any thread of the host program that has it
 * unblocked.) A full pipe drops the byte, so pending signals are also flags, and the pipe
 * only wakes.
 */
#include "loop/control.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/report.h"
#include "loop/loop.h"

enum { MAX_WATCHES = 8, N_SIGNALS = 65 };

enum {
	TICK_STUCK_MS = 1, /* a loop does not get to look */
	TICK_ACTIVE_MS = 10, /* loops run */
	TICK_CALM_MS =
		1000, /* nothing ran for a while; weft__control_notice() ends it early */
	CALM_AFTER = 20, /* ticks without a step */
};

/* A loop without a step for so long is not given new work, if there is another. */
#define BLOCKED_NS (10 * WEFT_MSEC)

struct control_watch {
	int fd;
	void (*fn)(int fd, void *arg);
	void *arg;
};

struct control_signal {
	void (*fn)(int signo, void *arg);
	void *arg;
	struct sigaction before;
};

/* Held while the thread is started or ended; before `lock`, and never by the thread
 * itself. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static int n_holders; /* under life */
static pthread_t thread; /* under life */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under the lock. */
static bool stopping;
static struct list loops = { &loops, &loops }; /* weft_loop, by registered */
static struct list tickers = { &tickers, &tickers }; /* control_ticker, by link */
static struct control_watch watches[MAX_WATCHES];
static int n_watches;
static struct control_signal signals[N_SIGNALS];
static int calm_ticks;
static weft_time sample_due; /* when the loops are looked at again */
/* Written while no thread runs; the signal handlers' and notice's way in. */
static int wake_pipe[2] = { -1, -1 };
/* Relaxed: a flag for each signal; the byte in the pipe makes the control thread look. */
static atomic_bool arrived[N_SIGNALS];
/* Signal handlers that are about to use the pipe; see S1 and S2. */
static atomic_int n_in_handler;
/* Relaxed: a hint that a loop reads when it wakes; missing it costs one calm tick at
 * most. */
static atomic_bool calm;

_Atomic weft_time weft__control_clock;

/* ---- Waking it ---- */

static void wake_control(void)
{
	(void)!write(wake_pipe[1], "", 1); /* a full pipe wakes as well */
}

static void set_clock(weft_time now)
{
	atomic_store_explicit(&weft__control_clock, now, memory_order_relaxed);
}

void weft__control_notice(void)
{
	if (unlikely(atomic_load_explicit(&calm, memory_order_relaxed)) &&
	    atomic_exchange_explicit(&calm, false, memory_order_relaxed)) {
		set_clock(weft__clock()); /* the control thread takes a while to wake */
		wake_control();
	}
}

/* ---- Sampling ---- */

/* Asks a loop to look that has run steps and not looked since the last tick. */
static bool sample_loop(weft_loop *loop, weft_time now, bool *active)
{
	/* All relaxed: they are compared with what they were a tick ago. */
	uint64_t steps = atomic_load_explicit(&loop->steps, memory_order_relaxed);
	uint64_t looks = atomic_load_explicit(&loop->looks, memory_order_relaxed);
	bool asleep = atomic_load_explicit(&loop->asleep, memory_order_relaxed);
	bool stuck = !asleep && looks == loop->sampled_looks &&
		     atomic_load_explicit(&loop->running, memory_order_relaxed);

	*active |= steps != loop->sampled_steps || stuck;
	/* One that has just woken, or begun to run, is not to blame for the time before. */
	if (steps != loop->sampled_steps || !stuck || !loop->was_stuck)
		loop->moved_at = now;
	atomic_store_explicit(&loop->blocked, stuck && now - loop->moved_at >= BLOCKED_NS,
			      memory_order_relaxed);
	loop->sampled_steps = steps;
	loop->sampled_looks = looks;
	loop->was_stuck = stuck;
	if (stuck)
		loop_want_look(loop);
	return stuck;
}

/* Return: when the next one is due. */
static weft_time run_tickers(weft_time now)
{
	weft_time next = WEFT_FOREVER;

	list_for_each (link, &tickers) {
		struct control_ticker *ticker =
			list_entry(link, struct control_ticker, link);

		/* T1. */
		if (atomic_exchange_explicit(&ticker->wanted, false,
					     memory_order_acquire) ||
		    now >= ticker->due)
			ticker->due = ticker->tick(ticker, now);
		next = MIN(next, ticker->due);
	}
	return next;
}

/* Return: milliseconds until the loops are looked at again. */
static int sample_loops(weft_time now)
{
	bool stuck = false, active = false;

	list_for_each (link, &loops)
		stuck |= sample_loop(list_entry(link, weft_loop, registered), now,
				     &active);
	calm_ticks = active ? 0 : calm_ticks + 1;
	if (stuck)
		return TICK_STUCK_MS;
	if (calm_ticks < CALM_AFTER)
		return TICK_ACTIVE_MS;
	atomic_store_explicit(&calm, true, memory_order_relaxed);
	return TICK_CALM_MS;
}

/* Return: milliseconds until the next tick. */
static int tick(void)
{
	weft_time now = weft__clock(), next;

	set_clock(now);
	/* A calm is over by any wake-up. */
	if (now >= sample_due || calm_ticks >= CALM_AFTER)
		sample_due = now + sample_loops(now) * WEFT_MSEC;
	next = MIN(sample_due, run_tickers(now)) - now;
	return (int)((MAX(next, 0) + WEFT_MSEC - 1) / WEFT_MSEC);
}

/* ---- The thread ---- */

static void run_signals(void)
{
	for (int signo = 1; signo < N_SIGNALS; signo++) {
		if (atomic_load_explicit(&arrived[signo], memory_order_relaxed) &&
		    atomic_exchange_explicit(&arrived[signo], false,
					     memory_order_relaxed) &&
		    signals[signo].fn)
			signals[signo].fn(signo, signals[signo].arg);
	}
}

static void run_watches(const struct pollfd *ready, int n)
{
	for (int i = 0; i < n; i++) {
		for (int k = 0; ready[i].revents && k < n_watches; k++) {
			if (watches[k].fd == ready[i].fd) {
				watches[k].fn(watches[k].fd, watches[k].arg);
				break;
			}
		}
	}
}

static void drain_pipe(void)
{
	char bytes[64];

	while (read(wake_pipe[0], bytes, sizeof(bytes)) > 0)
		;
}

static void *control_main(void *unused)
{
	struct pollfd fds[1 + MAX_WATCHES];
	int n, timeout_ms;

	(void)unused;
	(void)pthread_setname_np(pthread_self(), "weft-control");
	weft__thread.is_control = true;
	pthread_mutex_lock(&lock);
	while (!stopping) {
		timeout_ms = tick();
		fds[0] = (struct pollfd){ .fd = wake_pipe[0], .events = POLLIN };
		for (n = 0; n < n_watches; n++)
			fds[1 + n] =
				(struct pollfd){ .fd = watches[n].fd, .events = POLLIN };
		pthread_mutex_unlock(&lock);

		if (poll(fds, 1 + (nfds_t)n, timeout_ms) <= 0)
			n = 0;

		pthread_mutex_lock(&lock);
		atomic_store_explicit(&calm, false, memory_order_relaxed);
		drain_pipe();
		run_signals();
		run_watches(fds + 1, n);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static int start(void)
{
	sigset_t all, before;
	int r;

	if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return weft_error_set(-errno,
				      "cannot make a pipe for the control thread");
	stopping = false;
	calm_ticks = 0;
	sample_due = 0;
	set_clock(weft__clock());
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all,
			&before); /* the thread starts with no signal */
	r = -pthread_create(&thread, NULL, control_main, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r < 0) {
		(void)close(wake_pipe[0]);
		(void)close(wake_pipe[1]);
		wake_pipe[0] = wake_pipe[1] = -1;
		return weft_error_set(r, "cannot start the control thread");
	}
	return 0;
}

int weft__control_hold(void)
{
	int r = 0;

	pthread_mutex_lock(&life);
	if (n_holders == 0)
		r = start();
	if (r == 0)
		n_holders++;
	pthread_mutex_unlock(&life);
	return r;
}

static void end(void)
{
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_mutex_unlock(&lock);
	wake_control();
	pthread_join(thread, NULL);
	/* S2: acquires the end of every handler that S1 released; none begins any more.
	 */
	while (atomic_load_explicit(&n_in_handler, memory_order_acquire) > 0)
		sched_yield();
	(void)close(wake_pipe[0]);
	(void)close(wake_pipe[1]);
	wake_pipe[0] = wake_pipe[1] = -1;
}

void weft__control_unhold(void)
{
	pthread_mutex_lock(&life);
	if (--n_holders == 0)
		end();
	pthread_mutex_unlock(&life);
}

/* ---- Loops ---- */

int weft__control_add(weft_loop *loop)
{
	int r = weft__control_hold();

	if (r < 0)
		return r;
	pthread_mutex_lock(&lock);
	list_push_back(&loops, &loop->registered);
	pthread_mutex_unlock(&lock);
	return 0;
}

void weft__control_remove(weft_loop *loop)
{
	pthread_mutex_lock(&lock);
	list_unlink(&loop->registered);
	pthread_mutex_unlock(&lock);
	weft__control_unhold();
}

void weft__control_each_loop(void (*fn)(weft_loop *loop, void *arg), void *arg)
{
	if (!weft__thread.is_control)
		pthread_mutex_lock(&lock);
	list_for_each_safe (link, &loops)
		fn(list_entry(link, weft_loop, registered), arg);
	if (!weft__thread.is_control)
		pthread_mutex_unlock(&lock);
}

/* ---- Tickers ---- */

int weft__control_add_ticker(struct control_ticker *ticker)
{
	int r = weft__control_hold();

	if (r < 0)
		return r;
	ticker->due = WEFT_FOREVER;
	pthread_mutex_lock(&lock);
	list_push_back(&tickers, &ticker->link);
	pthread_mutex_unlock(&lock);
	return 0;
}

void weft__control_remove_ticker(struct control_ticker *ticker)
{
	pthread_mutex_lock(&lock);
	list_unlink(&ticker->link);
	pthread_mutex_unlock(&lock);
	weft__control_unhold();
}

void weft__control_want_tick(struct control_ticker *ticker)
{
	/* T1. */
	if (!atomic_exchange_explicit(&ticker->wanted, true, memory_order_release))
		wake_control();
}

/* ---- Watches ---- */

int weft__control_watch(int fd, void (*fn)(int fd, void *arg), void *arg)
{
	int r = 0;

	pthread_mutex_lock(&lock);
	if (n_watches < MAX_WATCHES)
		watches[n_watches++] = (struct control_watch){ fd, fn, arg };
	else
		r = -ENOSPC;
	pthread_mutex_unlock(&lock);
	if (r == 0)
		wake_control();
	return r;
}

void weft__control_unwatch_here(int fd)
{
	for (int i = 0; i < n_watches; i++) {
		if (watches[i].fd == fd) {
			watches[i] = watches[--n_watches];
			return;
		}
	}
}

void weft__control_unwatch(int fd)
{
	pthread_mutex_lock(&lock);
	weft__control_unwatch_here(fd);
	pthread_mutex_unlock(&lock);
	wake_control(); /* it must not poll a number that is in use again */
}

/* ---- Signals ---- */

/* Any thread, at any moment: async-signal-safe. */
static void on_signal(int signo)
{
	int error = errno;

	/* S1: says that the pipe is in use; the release below pairs with S2. */
	atomic_fetch_add_explicit(&n_in_handler, 1, memory_order_seq_cst);
	atomic_store_explicit(&arrived[signo], true, memory_order_relaxed);
	if (wake_pipe[1] >= 0)
		wake_control();
	atomic_fetch_sub_explicit(&n_in_handler, 1, memory_order_release);
	errno = error;
}

int weft__control_set_signal(int signo, void (*fn)(int signo, void *arg), void *arg)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct control_signal *entry;
	int r = 0;

	if (signo < 1 || signo >= N_SIGNALS)
		return -EINVAL;
	entry = &signals[signo];
	pthread_mutex_lock(&lock);
	if (fn && entry->fn) {
		r = -EBUSY;
	} else if (fn) {
		sigfillset(&action.sa_mask);
		if (sigaction(signo, &action, &entry->before) < 0)
			r = -errno;
	} else if (entry->fn) {
		(void)sigaction(signo, &entry->before, NULL); /* it was valid before */
		atomic_store_explicit(&arrived[signo], false, memory_order_relaxed);
	}
	if (r == 0) {
		entry->fn = fn;
		entry->arg = arg;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

/* ---- Dumps ---- */

static weft__dump_fn *dump_fn; /* set before main() */

void weft__control_set_dump(weft__dump_fn *dump)
{
	dump_fn = dump;
}

void weft__control_dump(int fd)
{
	if (dump_fn)
		dump_fn(fd);
}
