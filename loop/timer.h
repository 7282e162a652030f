/*
 * The timer wheel: 11 levels of 64 slots, a bitmap for each level.
 *
 * A timer lies at the level of the highest 6-bit group in which its tick (a microsecond)
 * and the wheel's differ, so empty time is skipped in one step and no tick is ever walked
 * through. When the wheel's time enters a slot of a higher level, its timers move down.
 * Slots of the lowest level are sorted by the exact nanosecond, in order of arrival where
 * that is equal, so timers fire exactly in the order of their deadlines, whatever the
 * tick. (G. Varghese and T. Lauck, "Hashed and hierarchical timing wheels", 1987; the
 * bitmaps are from the Linux kernel.)
 *
 * Set and cancel cost a few nanoseconds and never fail: the node lies in what waits. All
 * on the loop's thread.
 */
#ifndef WEFT_LOOP_TIMER_H
#define WEFT_LOOP_TIMER_H

#include "loop/handle.h"

enum { TIMER_LEVELS = 11, TIMER_SLOTS = 64 };

struct timers {
	uint64_t tick; /* all ticks before this one have been dealt with */
	size_t n_timers;
	uint64_t occupied[TIMER_LEVELS];
	struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void weft__timers_init(struct timers *timers, weft_time now);

/* handle->deadline is set; its link is unlinked. WEFT_FOREVER is a deadline like any
 * other. */
void weft__timers_add(struct timers *timers, struct handle *handle);
void weft__timers_remove(struct timers *timers, struct handle *handle);

/*
 * When to look again: never later than the first deadline, and exactly that if it is
 * near. WEFT_FOREVER without timers, or if none is ever due.
 */
weft_time weft__timers_next(const struct timers *timers);

/* The first deadline, exactly; looks at each timer of one slot. WEFT_FOREVER as above. */
weft_time weft__timers_first(const struct timers *timers);

/* Unlinks the first timer that is due at `now`, in order; NULL when there is none left.
 */
struct handle *weft__timers_pop(struct timers *timers, weft_time now);

#endif
