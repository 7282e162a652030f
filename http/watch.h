/*
 * Noticing that a client leaves while its request is being answered, for servers that want it
 * (cancel_on_disconnect).
 *
 * A second task waits for the end of the connection. When it comes, the handler's waits return
 * -ECANCELED, as if a limit on time were over. The task runs only while nobody else reads:
 * from the end of the request's body to the end of its handler.
 */
#ifndef WEFT_HTTP_WATCH_H
#define WEFT_HTTP_WATCH_H

#include <weft/timeout.h>

#include "http/request.h"

struct http_watch {
	struct weft_http_request *request;
	struct weft_timeout
		timeout; /* around the handler; expires when the client has left */
	weft_task *task; /* NULL: not watching */
};

/* Opens the scope around the handler, on its task. */
void weft__http_watch_begin(struct http_watch *watch, struct weft_http_request *request);
/* The body has been read, so that the stream is free to be watched. Best effort. */
void weft__http_watch_start(struct http_watch *watch);
/* Closes the scope. Return: `result` of the handler, or -ECONNRESET if the client has left. */
int weft__http_watch_end(struct http_watch *watch, int result);

#endif
