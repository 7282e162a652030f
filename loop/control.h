/*
 * The control thread: one in a process that has loops, and it never runs the user's code.
 *
 * It works when every loop is blocked: it receives signals, watches descriptors that must
 * be served even then (a supervisor's socket), and samples the loops: one that runs steps
 * but has not looked at timers and poller since the last sample is asked to look, within
 * 10 ms at first and every millisecond while that goes on. So a few slow callbacks do not
 * starve the rest. It starts with the first loop and ends with the last one.
 *
 * Its handlers run on the control thread with the control lock held: they must be short,
 * and neither add nor remove here. They may look at each loop.
 */
#ifndef WEFT_LOOP_CONTROL_H
#define WEFT_LOOP_CONTROL_H

#include <weft/loop.h>

#include "base/list.h"

/* Thread: any. Keeps the control thread alive beside the loops. Return: 0 or a negative
 * errno. */
int weft__control_hold(void);
void weft__control_unhold(void);

/* Thread: any. The sampling of a loop begins and ends. */
int weft__control_add(weft_loop *loop);
void weft__control_remove(weft_loop *loop);

/* Thread: any. Calls fn(loop, arg) for each loop there is, with the control lock held. */
void weft__control_each_loop(void (*fn)(weft_loop *loop, void *arg), void *arg);

/*
 * Thread: any. fn runs on the control thread when `fd` is readable or at its end.
 * Return: 0; -ENOSPC beyond a handful.
 */
int weft__control_watch(int fd, void (*fn)(int fd, void *arg), void *arg);
void weft__control_unwatch(int fd);
/* The same, for a handler of the control thread's. */
void weft__control_unwatch_here(int fd);

/*
 * Something that a layer above looks at now and then, whoever is blocked. tick runs on the
 * control thread with the control lock held, at the time that it returned the last time, or as
 * soon as somebody wants it.
 */
struct control_ticker {
	struct list link; /* under the control lock */
	weft_time due; /* the same */
	/* Return: when it is due again, on CLOCK_MONOTONIC; WEFT_FOREVER: when wanted. */
	weft_time (*tick)(struct control_ticker *ticker, weft_time now);
	atomic_bool wanted; /* T1: release by who wants it, acquire by the tick */
};

/* Thread: any. Keeps the control thread alive meanwhile. Return: 0 or a negative errno. */
int weft__control_add_ticker(struct control_ticker *ticker);
/* Thread: any, but not in a tick. After this no tick runs. */
void weft__control_remove_ticker(struct control_ticker *ticker);
/* Thread: any, also in a tick; no lock is taken. What the caller did before is seen by it. */
void weft__control_want_tick(struct control_ticker *ticker);

/*
 * Thread: any. fn runs on the control thread when a signal arrives; what was set before
 * comes back with fn = NULL. Return: 0; -EBUSY if somebody else here handles it; -EINVAL.
 */
int weft__control_set_signal(int signo, void (*fn)(int signo, void *arg), void *arg);

/*
 * Writes what all tasks of the process do, also if every loop is blocked: for the control thread's
 * handlers. debug/ knows how, and says so before main().
 */
typedef void weft__dump_fn(int fd);
void weft__control_set_dump(weft__dump_fn *dump);
void weft__control_dump(int fd);

/*
 * CLOCK_MONOTONIC as the control thread saw it at its last tick, so at most some 10 ms ago while
 * loops run: for noting times that people look at. Thread: any. Relaxed: any recent value will
 * do.
 */
extern _Atomic weft_time weft__control_clock;

static inline weft_time control_clock(void)
{
	return atomic_load_explicit(&weft__control_clock, memory_order_relaxed);
}

/* A loop is awake again: the control thread may have to sample. Thread: the loop's. */
void weft__control_notice(void);

#endif
