/*
 * Requests that are not in use.
 *
 * A connection has a request only while one is being read or answered. What it needs for that is
 * a few KiB, taken from a small stock of its thread and given back, the last one first: so an idle
 * connection costs next to nothing, and on a busy loop it is always the same memory, which the
 * CPU has in its cache, that works for one connection after the other.
 *
 * The stock belongs to the thread, which is that of the loop.
 */
#ifndef WEFT_HTTP_SPARE_H
#define WEFT_HTTP_SPARE_H

#include "http/request.h"

/* A request whose head can be read. NULL without memory. */
struct weft_http_request *weft__http_spare_take(const struct weft_http_app *app,
						weft_stream *stream);
/* NULL is ignored. */
void weft__http_spare_give(struct weft_http_request *request);

#endif
