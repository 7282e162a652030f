/*
 * When was a loop free to answer, and when was it held?
 *
 * A heartbeat task on the loop asks to be woken every few milliseconds. It is woken late
 * if the loop was doing something else, so how late is how long everybody on that loop
 * waited: the loop's lag. A lag of TIMELINE_HOLD_NS or more counts as a hold: some call
 * did not give the loop back. Shorter ones are the life of a busy machine, and only
 * remembered as the worst.
 *
 * The stretch of time that a timeline covers is cut into cells of equal length; each
 * knows how much of it the loop was held, and whether a hold ended in it. So a timeline
 * has one size however long it lasts, goes from process to process as one line of text,
 * and can be drawn at any width.
 *
 * Plain data; one thread at a time.
 */
#ifndef WEFT_TOOLS_TIMELINE_H
#define WEFT_TOOLS_TIMELINE_H

#include <weft/base.h>

#define TIMELINE_CELLS	 512
#define TIMELINE_HOLD_NS (10 * WEFT_MSEC)

struct timeline {
	weft_time start;
	weft_time length;
	weft_time worst_lag;
	float held[TIMELINE_CELLS]; /* share of the cell, 0 to 1 */
	bool ended[TIMELINE_CELLS];
};

/* Begins an empty timeline; `length` is more than 0. */
void timeline_begin(struct timeline *timeline, weft_time start, weft_time length);

/*
 * Adds a heartbeat that was due at one time and came at another. What lies before the
 * start does not count. What lies after the end is not drawn, but counts as lag.
 */
void timeline_beat(struct timeline *timeline, weft_time due, weft_time came);

/* The share of time in which the loop was held, between two places from 0 to 1. */
double timeline_held(const struct timeline *timeline, double from, double to);

/* A hold as it is drawn: two places from 0 to 1, and whether it ended there. */
struct timeline_hold {
	double from;
	double to;
	bool ended;
};

/*
 * The holds one after the other: start with *cell = 0. Together they last as long as the
 * loop was held; where one begins or ends is known to a cell.
 *
 * Return: false when there are no more.
 */
bool timeline_next_hold(const struct timeline *timeline, size_t *cell,
			struct timeline_hold *hold);

/*
 * The timeline as one line of printable text without spaces, for a pipe or socket: the
 * worst lag, a colon, and two hexadecimal digits for each cell. TIMELINE_TEXT_SIZE bytes
 * hold it.
 */
#define TIMELINE_TEXT_SIZE (2 * TIMELINE_CELLS + 32)
void timeline_to_text(const struct timeline *timeline, char *text);

/* Return: 0, or -EBADMSG with the timeline as timeline_begin() left it. */
int timeline_from_text(struct timeline *timeline, const char *text);

#endif
