/*
 * The pieces of a turn, for the files that make up the loop.
 */
#ifndef WEFT_LOOP_TURN_H
#define WEFT_LOOP_TURN_H

#include "loop/loop.h"

/* Runs what is due. */
void weft__loop_expire_timers(weft_loop *loop);
/* Timers and poller; waits until `deadline` on CLOCK_MONOTONIC, not at all if it is 0. */
void weft__loop_look(weft_loop *loop, weft_time deadline);
/* Runs what was sent, as much as a turn may take. */
void weft__loop_run_posts(weft_loop *loop);
/* Is there something to run now? */
bool weft__loop_has_work(const weft_loop *loop);
/* There is not: waits for something, until `deadline` or the first timer. */
void weft__loop_idle(weft_loop *loop, weft_time deadline);

#endif
