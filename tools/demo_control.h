/*
 * The load process's side of the heartbeats: it knows all loops of the server, tells them
 * when to listen, and collects what they heard.
 *
 * Belongs to the loop of the load process.
 */
#ifndef WEFT_TOOLS_DEMO_CONTROL_H
#define WEFT_TOOLS_DEMO_CONTROL_H

#include <weft/stream.h>
#include <weft/sync.h>

#include "tools/demo.h"

struct demo_control {
	struct demo_run *run; /* borrowed; its timelines are filled */
	weft_server *server;
	weft_stream **loops; /* the connection of each loop, borrowed from its handler */
	int n_present;
	int phase; /* whose timelines are awaited */
	int n_reports;
	bool closing;
	bool lost; /* a loop has gone before the end */
	struct weft_event changed;
};

/* Starts listening. Task. On failure there is nothing to close. */
int demo_control_open(struct demo_control *control, struct demo_run *run);

/* Where loops are to connect. */
const char *demo_control_address(const struct demo_control *control);

/* Waits until all loops of the server are there. Task; a cancellation point. */
int demo_control_wait_for_loops(struct demo_control *control);

/* Has all loops listen from `start` on. Task; a cancellation point. */
int demo_control_begin(struct demo_control *control, int phase, weft_time start);

/* Ends that, and waits until all timelines are in the run. Task; a cancellation point. */
int demo_control_end(struct demo_control *control);

/* Ends all connections, and with them the heartbeats. Task. */
void demo_control_close(struct demo_control *control);

#endif
