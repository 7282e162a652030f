/*
 * What a pool knows of functions: are they short?
 *
 * A function whose last executions all took less than 20 µs is known to be short. Jobs of such
 * functions may be taken several at once, so many that the whole takes less than 20 µs by what is
 * known. One that took longer has to prove itself anew.
 *
 * A small table, indexed by the function's address; two functions that meet in one entry take
 * turns there. All relaxed: what is read may be old or lost, which costs time and nothing else;
 * a job that was taken for short and is not is rescued by keeper.c.
 */
#ifndef WEFT_EXECUTOR_HABIT_H
#define WEFT_EXECUTOR_HABIT_H

#include <weft/task.h>

#include "base/base.h"

/* What takes less is short. */
#define HABIT_SHORT_NS (20 * WEFT_USEC)

enum {
	HABIT_ENTRIES = 64, /* a power of two */
	STREAK_MAX = 16, /* jobs taken at once */
};

struct habit {
	_Atomic(weft_fn *) fn;
	/* How many short executions in a row, and beside it what one takes on average, in ns. */
	_Atomic uint32_t n_short;
	_Atomic uint32_t average_ns;
};

struct habits {
	struct habit entries[HABIT_ENTRIES];
};

/* How many jobs of fn may be taken at once; 1 if it is not known to be short. */
int weft__habit_streak(struct habits *habits, weft_fn *fn);
/* What an execution of fn takes, if it is known to be short. */
weft_time weft__habit_average(struct habits *habits, weft_fn *fn);
/* n executions of fn took `span` together. */
void weft__habit_note(struct habits *habits, weft_fn *fn, int n, weft_time span);

#endif
