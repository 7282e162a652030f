/*
 * Watching for clients that leave. See http/watch.h. All on the stream's loop.
 */
#include <weft/task.h>

#include "http/watch.h"
#include "net/stream.h"

/* More than so much sent ahead of its turn is not taken in just to see whether an end follows. */
#define AHEAD_MAX ((size_t)64 * 1024)

static int watch_client(void *arg)
{
	struct http_watch *watch = arg;
	weft_stream *stream = watch->request->stream;
	size_t known = weft__stream_buffered(stream);
	const char *data;
	ssize_t n;

	while (known <= AHEAD_MAX) {
		n = weft__stream_peek(stream, &data, known);
		if (n == -ECANCELED)
			return 0;
		if (n < 0 || (size_t)n <= known) {
			watch->request->has_left = true;
			/* Fails if its time is over already, which is what we want. */
			(void)weft_timeout_reschedule(&watch->timeout, weft_now());
			return 0;
		}
		known = (size_t)n;
	}
	return 0;
}

void weft__http_watch_begin(struct http_watch *watch, struct weft_http_request *request)
{
	watch->request = request;
	watch->task = NULL;
	weft_timeout_begin(&watch->timeout, WEFT_FOREVER);
	request->watch = watch;
	if (request->body.has_ended)
		weft__http_watch_start(watch);
}

void weft__http_watch_start(struct http_watch *watch)
{
	/* Without memory for a task the client is not watched: it only saves work. */
	if (!watch->task && weft_spawn(watch_client, watch, &watch->task) < 0)
		watch->task = NULL;
}

int weft__http_watch_end(struct http_watch *watch, int result)
{
	int r = 0;

	watch->request->watch = NULL;
	if (watch->task) {
		(void)weft_task_cancel(watch->task, NULL);
		r = weft_task_join(
			watch->task); /* before the scope that it can touch ends */
	}
	r = weft_timeout_end(&watch->timeout, r < 0 ? r : result);
	return watch->request->has_left && r == -ETIMEDOUT ? -ECONNRESET : r;
}
