/*
 * Debug mode: steps are timed, and the slow ones reported. <weft/loop.h> says how to ask for it.
 *
 * A loop in debug mode looks at the clock around each callback, and task/watch.c around
 * each stretch of a task; other loops do not notice. Time is that of CLOCK_MONOTONIC also where a
 * test clock stands still: what is slow is the code. Loop thread.
 */
#ifndef WEFT_LOOP_STEP_H
#define WEFT_LOOP_STEP_H

#include <weft/report.h>

#include "loop/loop.h"

/* Sets the loop up as its options and the environment say. */
void weft__step_init(weft_loop *loop, const struct weft_loop_options *options);

/* Runs an entry of the ready queue. */
void weft__step_call_slot(weft_loop *loop, const struct ready_slot *slot);

/* Runs what was posted, in its context, if it has one. */
void weft__step_call_post(weft_loop *loop, struct context *context, weft_callback *fn,
			  void *arg);

static inline bool step_is_slow(const weft_loop *loop, weft_time took)
{
	return took >= loop->slow_step_ns;
}

/* Names what is still scheduled, when the loop closes: `handle`, or `fn` itself. */
void weft__step_report_dropped(weft_loop *loop, const struct handle *handle,
			       weft_callback *fn);

#endif
