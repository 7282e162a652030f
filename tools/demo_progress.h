/*
 * What `weft demo` says while it runs, on stderr.
 *
 * On a terminal one line is redrawn, at most ten times a second, and gone at the end.
 * Elsewhere (a log, a pipe) each phase leaves one plain line when it is over.
 */
#ifndef WEFT_TOOLS_DEMO_PROGRESS_H
#define WEFT_TOOLS_DEMO_PROGRESS_H

#include "tools/demo.h"
#include "tools/terminal.h"

struct demo_progress {
	struct terminal terminal;
	bool drawn; /* a line stands on the terminal */
	weft_time drawn_at;
};

void demo_progress_init(struct demo_progress *progress, FILE *out);

/* What is being done before the first phase; a sentence without a full stop. */
void demo_progress_say(struct demo_progress *progress, const char *text);

/*
 * How far the run is: `part` of the phase, from 0 to 1, is over, and so many requests a
 * second were answered in it so far. Cheap when it is called too often.
 */
void demo_progress_show(struct demo_progress *progress, int phase, double part,
			double rate, weft_time now);

/* A phase is over, and its results are in `run`. */
void demo_progress_phase(struct demo_progress *progress, const struct demo_run *run,
			 int phase);

/* Takes the line away. To be called before anything else is written to the terminal. */
void demo_progress_clear(struct demo_progress *progress);

#endif
