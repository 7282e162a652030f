/*
 * The heartbeat of one loop of the demo's server.
 *
 * Two tasks of the loop: one sleeps a short while, again and again, and notes how late it
 * woke; the other does what the load process says. They share a timeline, and need no
 * lock for it: between two waits nobody else runs.
 */
#include "tools/demo_heartbeat.h"

#include "tools/demo_protocol.h"
#include "tools/timeline.h"
#include "tools/tool.h"

#include <weft/group.h>
#include <weft/stream.h>

#define PERIOD_NS (2 * WEFT_MSEC)

struct heartbeat {
	weft_stream *load;
	bool listening;
	struct timeline timeline;
};

static int beat(void *arg)
{
	struct heartbeat *heartbeat = arg;

	for (;;) {
		weft_time due = weft_now() + PERIOD_NS;
		int r = weft_sleep_until(due);

		if (r < 0)
			return r;
		if (heartbeat->listening)
			timeline_beat(&heartbeat->timeline, due, weft_now());
	}
}

static int report(struct heartbeat *heartbeat)
{
	char text[TIMELINE_TEXT_SIZE];
	int r;

	/* A hold that has just ended may be noted in this turn, after us. */
	r = weft_sleep(2 * PERIOD_NS);
	if (r < 0)
		return r;
	heartbeat->listening = false;
	timeline_to_text(&heartbeat->timeline, text);
	return weft_stream_printf(heartbeat->load, DEMO_MESSAGE_TIMELINE_FORMAT, text);
}

/* Does what the load process says until it says no more. */
static int obey(struct heartbeat *heartbeat)
{
	char *line;
	ssize_t n;

	while ((n = weft_stream_read_line(heartbeat->load, &line)) > 0) {
		struct demo_message message;
		int r = demo_message_parse(line, &message);

		if (r == 0 && message.kind == DEMO_MESSAGE_BEGIN) {
			timeline_begin(&heartbeat->timeline, message.start,
				       message.length);
			heartbeat->listening = true;
		} else if (r == 0 && message.kind == DEMO_MESSAGE_END) {
			r = report(heartbeat);
		} else {
			r = -EBADMSG;
		}
		if (r < 0)
			return r;
	}
	return (int)n;
}

/* Owns the heartbeat. That the load process has gone is the usual end, not a failure. */
static int run(void *arg)
{
	struct heartbeat *heartbeat = arg;
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, beat, heartbeat);
	r = obey(heartbeat);
	weft_group_cancel(&group);
	r = weft_group_end(&group, r);
	weft_stream_abort(heartbeat->load);
	free(heartbeat);
	return r == -ECONNRESET || r == -EPIPE ? 0 : r;
}

int demo_heartbeat_start(const char *address, int process, int loop)
{
	struct heartbeat *heartbeat;
	int r;

	heartbeat = calloc(1, sizeof(*heartbeat));
	if (!heartbeat)
		return -ENOMEM;
	r = weft_connect(address, NULL, &heartbeat->load);
	if (r < 0)
		goto free_heartbeat;
	r = weft_stream_printf(heartbeat->load, DEMO_MESSAGE_LOOP_FORMAT, process, loop);
	if (r < 0)
		goto abort_load;
	r = weft_spawn(run, heartbeat, NULL);
	if (r < 0)
		goto abort_load;
	return 0;
abort_load:
	weft_stream_abort(heartbeat->load);
free_heartbeat:
	free(heartbeat);
	return weft_error_wrap(r, "telling the load process at %s about a loop", address);
}
