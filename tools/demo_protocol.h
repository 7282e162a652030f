/*
 * What a loop of the demo's server and the load process say to each other, in lines of text
 * over a connection that the loop opens.
 *
 *	loop PROCESS INDEX	loop to load, once, when it starts
 *	begin START LENGTH	load to loop: listen to the heartbeat from START on; both in ns
 *	end			load to loop: that is over
 *	timeline TEXT		loop to load: what the heartbeat said; see timeline_to_text()
 *
 * Both read the same monotonic clock. The end of the connection is the end of the run.
 */
#ifndef WEFT_TOOLS_DEMO_PROTOCOL_H
#define WEFT_TOOLS_DEMO_PROTOCOL_H

#include <weft/base.h>

enum demo_message_kind {
	DEMO_MESSAGE_LOOP,
	DEMO_MESSAGE_BEGIN,
	DEMO_MESSAGE_END,
	DEMO_MESSAGE_TIMELINE,
};

struct demo_message {
	enum demo_message_kind kind;
	int process;
	int loop;
	weft_time start;
	weft_time length;
	const char *timeline; /* borrowed from the line */
};

/*
 * Reads a line, without its end.
 *
 * Return: 0, or -EBADMSG if it is none of these.
 */
int demo_message_parse(const char *line, struct demo_message *message);

/* The formats of the lines, for weft_stream_printf(). */
#define DEMO_MESSAGE_LOOP_FORMAT     "loop %d %d\n"
#define DEMO_MESSAGE_BEGIN_FORMAT    "begin %lld %lld\n"
#define DEMO_MESSAGE_END_FORMAT	     "end\n"
#define DEMO_MESSAGE_TIMELINE_FORMAT "timeline %s\n"

#endif
