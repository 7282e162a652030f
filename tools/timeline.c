/*
 * When was a loop free to answer, and when was it held?
 */
#include "tools/timeline.h"

#include "tools/tool.h"

#include <ctype.h>
#include <math.h>

void timeline_begin(struct timeline *timeline, weft_time start, weft_time length)
{
	memset(timeline, 0, sizeof(*timeline));
	timeline->start = start;
	timeline->length = length;
}

/* Adds the held stretch between two places, counted in cells. */
static void add_held(struct timeline *timeline, double from, double to)
{
	size_t first = (size_t)from;

	for (size_t i = first; i < TIMELINE_CELLS && (double)i < to; i++) {
		double begin = fmax(from, (double)i);
		double end = fmin(to, (double)(i + 1));

		timeline->held[i] = (float)fmin(1, timeline->held[i] + (end - begin));
	}
}

void timeline_beat(struct timeline *timeline, weft_time due, weft_time came)
{
	double cell_ns = (double)timeline->length / TIMELINE_CELLS;
	double to;

	due = MAX(due, timeline->start);
	if (came <= due)
		return;

	timeline->worst_lag = MAX(timeline->worst_lag, came - due);
	if (came - due < TIMELINE_HOLD_NS)
		return;

	to = (double)(came - timeline->start) / cell_ns;
	add_held(timeline, (double)(due - timeline->start) / cell_ns, to);
	if (to <= TIMELINE_CELLS)
		timeline->ended[(size_t)ceil(to) - 1] =
			true; /* its last cell, also if that is full */
}

double timeline_held(const struct timeline *timeline, double from, double to)
{
	double held = 0;

	from = fmax(from, 0) * TIMELINE_CELLS;
	to = fmin(to, 1) * TIMELINE_CELLS;
	if (from >= to)
		return 0;

	/* Within a cell the held part counts as spread evenly. */
	for (size_t i = (size_t)from; i < TIMELINE_CELLS && (double)i < to; i++)
		held += (double)timeline->held[i] *
			(fmin(to, (double)(i + 1)) - fmax(from, (double)i));
	return held / (to - from);
}

bool timeline_next_hold(const struct timeline *timeline, size_t *cell,
			struct timeline_hold *hold)
{
	size_t first = *cell;
	size_t last;

	while (first < TIMELINE_CELLS && timeline->held[first] <= 0)
		first++;
	if (first == TIMELINE_CELLS)
		return false;

	last = first;
	while (!timeline->ended[last] && last + 1 < TIMELINE_CELLS &&
	       timeline->held[last + 1] > 0)
		last++;

	/* A hold fills its first cell from the right, its last from the left. */
	hold->from = (double)(first + 1) - (double)timeline->held[first];
	hold->to = (double)last + (double)timeline->held[last];
	if (first == last) {
		hold->from = (double)first;
		hold->to = (double)first + (double)timeline->held[first];
	}
	hold->from /= TIMELINE_CELLS;
	hold->to /= TIMELINE_CELLS;
	hold->ended = timeline->ended[last];
	*cell = last + 1;
	return true;
}

/* A cell in a byte: how much was held in 127ths, and above that whether a hold ended. */
enum { TEXT_HELD = 127, TEXT_ENDED = 128 };

void timeline_to_text(const struct timeline *timeline, char *text)
{
	int n = snprintf(text, TIMELINE_TEXT_SIZE,
			 "%lld:", (long long)timeline->worst_lag);

	for (size_t i = 0; i < TIMELINE_CELLS; i++) {
		unsigned byte = (unsigned)lrintf(timeline->held[i] * TEXT_HELD);

		byte |= timeline->ended[i] ? TEXT_ENDED : 0;
		n += snprintf(text + n, (size_t)(TIMELINE_TEXT_SIZE - n), "%02x", byte);
	}
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int timeline_from_text(struct timeline *timeline, const char *text)
{
	char *cells;
	long long lag;

	errno = 0;
	lag = strtoll(text, &cells, 10);
	if (errno || !isdigit((unsigned char)text[0]) || *cells != ':')
		return -EBADMSG;

	cells++;
	if (strlen(cells) != (size_t)2 * TIMELINE_CELLS)
		return -EBADMSG;
	for (size_t i = 0; i < (size_t)2 * TIMELINE_CELLS; i++)
		if (hex_digit(cells[i]) < 0)
			return -EBADMSG;

	timeline->worst_lag = lag;
	for (size_t i = 0; i < TIMELINE_CELLS; i++) {
		int byte = hex_digit(cells[2 * i]) * 16 + hex_digit(cells[2 * i + 1]);

		timeline->held[i] = (float)(byte % TEXT_ENDED) / TEXT_HELD;
		timeline->ended[i] = byte >= TEXT_ENDED;
	}
	return 0;
}
