/*
 * The load process's side of the heartbeats.
 *
 * Each loop of the server keeps one connection. Its handler reads what the loop says;
 * what is said to the loops is written by the task that runs the phases. A connection
 * that ends before the run does means that a process of the server has died.
 */
#include "tools/demo_control.h"

#include "tools/demo_protocol.h"
#include "tools/tool.h"

#include <weft/timeout.h>

/* Far more than either takes on a machine that works at all. */
#define PRESENT_LIMIT_NS (30 * WEFT_SEC)
#define REPORT_LIMIT_NS	 (60 * WEFT_SEC)

/* For the task that runs the phases: details of an error belong to whoever set them. */
static int check_lost(const struct demo_control *control)
{
	if (!control->lost)
		return 0;
	return weft_error_set(-EOWNERDEAD,
			      "a process of the demo's server has ended early");
}

/* Return: the loop's number, or -EBADMSG for one that is not, or is already, there. */
static int take_loop(struct demo_control *control, const char *line, weft_stream *stream)
{
	const struct demo_setup *setup = &control->run->setup;
	struct demo_message message;
	int loop;

	if (demo_message_parse(line, &message) < 0 || message.kind != DEMO_MESSAGE_LOOP)
		return -EBADMSG;
	if (message.process < 0 || message.process >= setup->processes ||
	    message.loop < 0 || message.loop >= setup->loops)
		return -EBADMSG;
	loop = message.process * setup->loops + message.loop;
	if (control->loops[loop])
		return -EBADMSG;

	control->loops[loop] = stream;
	control->n_present++;
	weft_event_set(&control->changed);
	return loop;
}

static int take_timeline(struct demo_control *control, const char *line, int loop)
{
	struct demo_message message;
	int r;

	r = demo_message_parse(line, &message);
	if (r == 0 && (message.kind != DEMO_MESSAGE_TIMELINE || control->phase < 0))
		r = -EBADMSG;
	if (r == 0)
		r = timeline_from_text(
			&control->run->results[control->phase].timelines[loop],
			message.timeline);
	if (r < 0)
		return r;
	control->n_reports++;
	weft_event_set(&control->changed);
	return 0;
}

static int serve_loop(weft_stream *stream, void *arg)
{
	struct demo_control *control = arg;
	char *line;
	int loop, r = 0;

	if (weft_stream_read_line(stream, &line) <= 0)
		return 0; /* nobody of ours */
	loop = take_loop(control, line, stream);
	if (loop < 0)
		return weft_error_set(loop, "no loop of the demo's server says \"%s\"",
				      line);

	while (r == 0 && weft_stream_read_line(stream, &line) > 0)
		r = take_timeline(control, line, loop);

	control->loops[loop] = NULL;
	control->n_present--;
	control->lost |= !control->closing;
	weft_event_set(&control->changed);
	return r;
}

int demo_control_open(struct demo_control *control, struct demo_run *run)
{
	int r;

	memset(control, 0, sizeof(*control));
	control->run = run;
	control->phase = -1;
	control->loops = calloc((size_t)demo_n_loops(run), sizeof(*control->loops));
	if (!control->loops)
		return -ENOMEM;

	r = weft_listen("127.0.0.1:0", NULL, serve_loop, control, &control->server);
	if (r < 0)
		free(control->loops);
	return r;
}

const char *demo_control_address(const struct demo_control *control)
{
	return weft_server_address(control->server);
}

/* Waits until a count reaches the number of loops; each change of one sets the event. */
static int wait_for_all(struct demo_control *control, const int *count, weft_time limit,
			const char *what)
{
	struct weft_timeout timeout;
	int r = 0;

	weft_timeout_begin(&timeout, limit);
	while (r == 0 && !control->lost && *count < demo_n_loops(control->run)) {
		weft_event_clear(&control->changed);
		r = weft_event_wait(&control->changed);
	}
	r = weft_timeout_end(&timeout, r);
	if (r == -ETIMEDOUT)
		return weft_error_wrap(r, "%d of %d loops of the server %s", *count,
				       demo_n_loops(control->run), what);
	return r < 0 ? r : check_lost(control);
}

int demo_control_wait_for_loops(struct demo_control *control)
{
	return wait_for_all(control, &control->n_present, PRESENT_LIMIT_NS,
			    "have started");
}

int demo_control_begin(struct demo_control *control, int phase, weft_time start)
{
	weft_time length = control->run->setup.phase_ns;

	control->phase = phase;
	control->n_reports = 0;
	for (int i = 0; i < demo_n_loops(control->run); i++) {
		struct timeline *timeline = &control->run->results[phase].timelines[i];
		int r = check_lost(control);

		if (r < 0)
			return r;
		timeline_begin(timeline, start, length);
		r = weft_stream_printf(control->loops[i], DEMO_MESSAGE_BEGIN_FORMAT,
				       (long long)start, (long long)length);
		if (r < 0)
			return weft_error_wrap(r, "talking to a loop of the server");
	}
	return 0;
}

int demo_control_end(struct demo_control *control)
{
	for (int i = 0; i < demo_n_loops(control->run); i++) {
		int r = check_lost(control);

		if (r < 0)
			return r;
		r = weft_stream_printf(control->loops[i], DEMO_MESSAGE_END_FORMAT);
		if (r < 0)
			return weft_error_wrap(r, "talking to a loop of the server");
	}
	return wait_for_all(control, &control->n_reports, REPORT_LIMIT_NS,
			    "have reported");
}

void demo_control_close(struct demo_control *control)
{
	control->closing = true;
	/* The handlers only wait for what no longer matters: cancel them at once. */
	(void)weft_server_close(control->server, 0);
	free(control->loops);
}
