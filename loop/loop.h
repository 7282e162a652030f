/*
 * The event loop, inside the library; <weft/loop.h> has the model for callers.
 *
 * A turn runs the ready queue as it stood, then what other threads had sent. Between
 * steps, when it is due, the loop looks at poller and timers without waiting: after every
 * 61 steps, or at once when the control thread found that it has not looked for a while.
 * Only when nothing is ready does it wait.
 *
 * Everything belongs to the loop's thread, but for the fields that say otherwise. The
 * memory is counted, since senders may hold a loop longer than its owner; what only
 * running needs goes with weft_loop_close().
 *
 * The layer above, task/, hangs its state and its functions into the table below.
 */
#ifndef WEFT_LOOP_LOOP_H
#define WEFT_LOOP_LOOP_H

#include "loop/handle.h"
#include "loop/inbox.h"
#include "loop/poller.h"
#include "loop/ready.h"
#include "loop/spare.h"
#include "loop/thread.h"
#include "loop/timer.h"

/* So many steps, then a look at timers and poller: a look costs as much as some twenty
 * steps. */
enum { STEPS_PER_LOOK = 61 };
/* So many posts a turn, so that a flood of them does not starve the rest. */
enum { POSTS_PER_TURN = 256 };

/* What task/ does when a loop begins and ends. */
struct loop_hooks {
	int (*open)(weft_loop *loop); /* sets loop->tasks */
	void (*enter)(weft_loop *loop); /* a thread begins to run it */
	void (*cancel_all)(weft_loop *loop);
	/* Tasks that have not ended. */
	size_t (*n_alive)(const weft_loop *loop);
	/* Names those that ignore their cancellation, and leaves them behind. */
	void (*abandon_all)(weft_loop *loop);
	void (*close)(weft_loop *loop);
	/*
	 * Takes a done-callback off its future's list; false if that has settled and sent it.
	 * And one that was sent has come: the future may go.
	 */
	bool (*leave_future)(struct handle *handle);
	void (*arrived)(struct handle *handle);
	void (*resume)(void *task); /* its entry in the ready queue */
	/* Suspends the running task, and makes a suspended one ready. */
	void (*suspend)(void);
	void (*wake)(void *task);
	/* What debuggers look for; here so that no linker leaves it out. */
	const void *layout;
};

/* Something that is open on a loop and is told of if it still is at the end. */
struct open_object {
	struct list link;
	const char *what; /* "a stream", static */
	const void *place; /* who opened it */
};

/*
 * What a layer above gathers during a turn, to hand it over at the turn's end: fn is called
 * once, before the loop runs anything else or waits.
 */
struct loop_flush {
	struct list link; /* in loop->flushes */
	void (*fn)(struct loop_flush *flush);
};

/*
 * What a layer above keeps for a loop: detach is called when the loop ends, after its last
 * callback.
 */
struct loop_attachment {
	struct list link; /* in loop->attached */
	void (*detach)(struct loop_attachment *attachment);
};

struct weft_loop {
	/* ---- Any thread. ---- */
	struct inbox inbox; /* its second line is the loop thread's */
	struct spare spare; /* the same */
	alignas(CACHE_LINE) atomic_int references;
	atomic_bool stop_sent;
	/*
	 * Relaxed: the number of the thread that owns the loop, compared with the
	 * caller's own. It changes only while the loop does not run, by the thread that
	 * is going to run it.
	 */
	_Atomic uint64_t owner;
	atomic_bool running;
	atomic_bool let_go; /* closed, and done with all that was sent to it: C1 and C2 */
	/* The posted handle that runs now, written by the loop; H2 of loop/handle.c
	 * orders it. */
	_Atomic(struct handle *) running_post;
	/* Relaxed: samples for the control thread, which acts on their standing still. */
	alignas(CACHE_LINE) _Atomic uint64_t steps; /* written by the loop alone */
	/*
	 * Relaxed: when `steps` has reached it, a look is due. The loop moves it on as it looks;
	 * whoever wants a look at once sets it to 0, the control thread too. If the loop's own
	 * store wins, it is looking at that very moment.
	 */
	_Atomic uint64_t look_at;
	_Atomic uint64_t looks;
	atomic_bool asleep;
	_Atomic uint32_t n_tasks; /* that have not ended */
	/* Relaxed: how busy it is, for whoever chooses a loop; old by the time it is
	 * used. */
	alignas(CACHE_LINE) _Atomic uint32_t
		n_arriving; /* work sent that has not begun */
	atomic_bool blocked; /* the control thread saw no step for 10 ms */

	/* ---- Set at creation. ---- */
	int wake_fd; /* eventfd, counts all wake-ups, never read before the end */
	char name[16];
	weft_time close_limit_ns;
	bool is_debug;
	weft_time slow_step_ns;
	struct epoll_poller *poller;

	/* ---- Loop thread. ---- */
	void *tasks; /* task/'s */
	struct ready ready;
	bool turns_apart; /* each turn begins in weft__loop_round(): for tests, and for run_once */
	bool stop; /* leave after this turn */
	bool closing; /* nothing new begins */
	size_t n_outside; /* work of others that is going to post: a test clock waits for
			     it */
	size_t n_foreign; /* waits that something else may end: it waits if nothing is due
			   */
	struct list open; /* struct open_object, by link */
	size_t n_left_open; /* how many of these were reported at the end */
	struct list flushes; /* struct loop_flush, by link */
	struct list attached; /* struct loop_attachment, by link */
	struct list signals; /* struct signal_handler, by link */
	struct watcher **watchers; /* readers and writers, by descriptor number */
	size_t n_watchers;
	struct handle stop_post;
	/* idle.c: is there a point in watching the inbox before sleeping? */
	uint32_t spin_skip, spins_skipped;
	/* A test clock, instead of CLOCK_MONOTONIC. */
	bool is_virtual;
	bool deadlocked; /* nothing can happen any more */
	weft_time virtual_now;
	uint64_t shuffle; /* state of the generator that orders ready work; 0: as it came
			   */
	/* The control thread's. */
	struct list registered; /* under its lock */
	uint64_t sampled_steps, sampled_looks;
	bool was_stuck; /* it ran, and had not looked */
	weft_time moved_at; /* when that was not so, or steps were seen to change */
	pid_t tid; /* of the thread that runs it, for the control thread */
	bool sigpipe_was_blocked; /* of that thread, before it ran the loop */
	struct context *context_before; /* likewise: that of a job */
	int slack_before;
	struct timers timers; /* 11 KiB, last */
};

/* ---- Who may call ---- */

/* Owners that are no thread's number: the loop is closed, or on its way to its first thread. */
#define LOOP_CLOSED UINT64_MAX
#define LOOP_ON_ITS_WAY (UINT64_MAX - 1)

static inline bool loop_is_closed(const weft_loop *loop)
{
	/* Relaxed: see the field. */
	return atomic_load_explicit(&loop->owner, memory_order_relaxed) == LOOP_CLOSED;
}

static inline bool loop_is_mine(const weft_loop *loop)
{
	/* Relaxed: see the field. */
	return likely(atomic_load_explicit(&loop->owner, memory_order_relaxed) ==
		      thread_id());
}

/* Explains why `function` was refused; -EPERM, or -ESTALE in a forked child. */
int weft__loop_refuse(const weft_loop *loop, const char *function);
/* As weft__loop_refuse() for a function that needs some loop on this thread and finds
 * none. */
int weft__loop_none(const char *function);

static inline int loop_check(const weft_loop *loop, const char *function)
{
	return loop_is_mine(loop) ? 0 : weft__loop_refuse(loop, function);
}

/*
 * The same for functions that have no code to return: a wrong thread is an assertion. False in
 * a forked child and for a loop that is closed: then the caller does nothing.
 */
bool weft__loop_must_be_mine(const weft_loop *loop, const char *function);

static inline bool loop_must_be_mine(const weft_loop *loop, const char *function)
{
	return loop_is_mine(loop) || weft__loop_must_be_mine(loop, function);
}

/* ---- Time ---- */

static inline weft_time loop_now(const weft_loop *loop)
{
	return unlikely(loop->is_virtual) ? loop->virtual_now : weft__clock();
}

/* ---- Turns ---- */

void weft__loop_set_hooks(const struct loop_hooks *hooks);
const struct loop_hooks *weft__loop_hooks(void);

static inline void loop_count_step(weft_loop *loop)
{
	uint64_t steps = atomic_load_explicit(&loop->steps, memory_order_relaxed);

	atomic_store_explicit(&loop->steps, steps + 1, memory_order_relaxed);
}

static inline bool loop_look_is_due(const weft_loop *loop)
{
	return unlikely(atomic_load_explicit(&loop->steps, memory_order_relaxed) >=
			atomic_load_explicit(&loop->look_at, memory_order_relaxed));
}

/* Something is due, or may be: look after this step. Thread: any. */
static inline void loop_want_look(weft_loop *loop)
{
	atomic_store_explicit(&loop->look_at, 0, memory_order_relaxed);
}

/* Did somebody want the look that is due? */
static inline bool loop_look_was_asked(const weft_loop *loop)
{
	return !atomic_load_explicit(&loop->look_at, memory_order_relaxed);
}

/* A look begins; the next one is due after so many steps. */
static inline void loop_count_look(weft_loop *loop)
{
	uint64_t looks = atomic_load_explicit(&loop->looks, memory_order_relaxed);

	atomic_store_explicit(&loop->looks, looks + 1, memory_order_relaxed);
	atomic_store_explicit(&loop->look_at,
			      atomic_load_explicit(&loop->steps, memory_order_relaxed) +
				      STEPS_PER_LOOK,
			      memory_order_relaxed);
}

/* One round: a turn, and what comes between turns; may wait until `deadline`. */
void weft__loop_round(weft_loop *loop, weft_time deadline);
/* Could each loop that runs in this process have a CPU of its own, unpaid for? Thread: any. */
bool weft__loops_have_cpus(void);
/* How many CPUs would be left then; 0 or less if none, or if they are paid for. Thread: any. */
int weft__loops_spare_cpus(void);
/* Makes the loop this thread's, which may run rounds then; and gives it back. */
int weft__loop_enter(weft_loop *loop);
void weft__loop_leave(weft_loop *loop);

/* ---- Handles ---- */

/* A timer whose fn is called at once when it is due; handle_init() with HANDLE_DIRECT. */
static inline void loop_add_timer(weft_loop *loop, struct handle *handle,
				  weft_time deadline)
{
	handle->loop = loop;
	handle->deadline = deadline;
	handle_set_state(handle, HANDLE_TIMER);
	weft__timers_add(&loop->timers, handle);
}

static inline void loop_remove_timer(struct handle *handle)
{
	if (handle_state(handle) != HANDLE_TIMER)
		return;
	weft__timers_remove(&handle->loop->timers, handle);
	handle_set_state(handle, HANDLE_IDLE);
}

/* Sends a prepared handle (fn, arg, kind) from any thread. Return: 0 or -ESHUTDOWN. */
int weft__loop_post(weft_loop *loop, struct handle *handle);
/* The same for one whose loop is set, and may be looked at meanwhile by its owner. */
int weft__loop_send(struct handle *handle);
int weft__loop_post_chain(weft_loop *loop, struct handle *first, struct handle *last);

/* Something outside is going to post; until then a test clock stands still. */
static inline void loop_expect_outside(weft_loop *loop)
{
	loop->n_outside++;
}

static inline void loop_outside_came(weft_loop *loop)
{
	loop->n_outside--;
}

/* ---- For the layers above ---- */

/* `flush` is called at the end of this turn, once; it starts out unlinked. */
static inline void loop_want_flush(weft_loop *loop, struct loop_flush *flush)
{
	if (!list_is_linked(&flush->link))
		list_push_back(&loop->flushes, &flush->link);
}

void weft__loop_flush(weft_loop *loop);

static inline void loop_flush(weft_loop *loop)
{
	if (unlikely(!list_is_empty(&loop->flushes)))
		weft__loop_flush(loop);
}

/* How busy a loop is, for whoever chooses one. Thread: any. */
static inline uint32_t weft__loop_load(const weft_loop *loop)
{
	return atomic_load_explicit(&loop->n_tasks, memory_order_relaxed) +
	       atomic_load_explicit(&loop->n_arriving, memory_order_relaxed);
}

/* Signal handlers, readers and writers go with their loop. */
void weft__loop_remove_signals(weft_loop *loop);
void weft__loop_remove_watchers(weft_loop *loop);
/* The user's function if this handle is that of a reader or writer; else NULL. */
const void *weft__watcher_callback(const struct handle *handle);

/* ---- What is open ---- */

static inline void loop_track(weft_loop *loop, struct open_object *object,
			      const char *what, const void *place)
{
	object->what = what;
	object->place = place;
	list_push_back(&loop->open, &object->link);
}

static inline void loop_untrack(struct open_object *object)
{
	list_unlink(&object->link);
}

/* While the loop closes: this one is still open. */
void weft__loop_report_open(weft_loop *loop, struct open_object *object);

#endif
