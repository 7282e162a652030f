/*
 * The body of a request, as its handler reads it: with a limit on its size when it is
 * read whole, and always one on how slow the client may be.
 *
 * Slowness is an account of time. It begins with body_stall_ns; waiting takes from it,
 * and each KiB that comes puts a second into it. So a client is never waited for longer
 * than that without progress, and one that sends less than 1 KiB/s is cut off; but the
 * time in which a handler does not read is not held against the client.
 */
#include <weft/timeout.h>

#include "http/request.h"
#include "http/watch.h"
#include "net/stream.h"

#define BODY_BYTES_PER_SEC 1024
/* What is thrown away of a body that nobody read, for the sake of keeping the connection.
 */
#define DRAIN_MAX ((size_t)256 * 1024)
/* The first memory for a chunked body that is read whole. */
#define CHUNKED_FIRST ((size_t)4096)

void weft__http_request_begin_body(struct weft_http_request *request)
{
	const struct http_framing *framing = &request->head.framing;
	enum http_body_kind kind = HTTP_BODY_NONE;

	if (framing->is_chunked)
		kind = HTTP_BODY_CHUNKED;
	else if (framing->has_length && framing->length)
		kind = HTTP_BODY_LENGTH;
	weft__http_body_init(&request->body, request->stream, kind, framing->length,
			     &request->app->limits);
	request->whole = (struct http_whole_body){ 0 };
	request->has_continued = !request->head.expects_continue;
	request->patience_ns = request->app->options.body_stall_ns;
	request->body_failure = 0;
}

void weft__http_request_end_body(struct weft_http_request *request)
{
	free(request->whole.owned);
	request->whole.owned = NULL;
}

/* ---- Reading ---- */

/* Remembers that it is the client's fault, if the handler gives the error back. */
static int note_failure(struct weft_http_request *request, int error)
{
	request->body_failure = error;
	return error;
}

static void spend_patience(struct weft_http_request *request, weft_time spent_ns,
			   size_t n)
{
	weft_time limit_ns = request->app->options.body_stall_ns;
	weft_time earned_ns =
		(weft_time)MIN(n, (size_t)INT32_MAX) * WEFT_SEC / BODY_BYTES_PER_SEC;

	request->patience_ns = MIN(limit_ns, request->patience_ns - spent_ns + earned_ns);
}

/* Reads with the client's patience account open. */
static ssize_t read_in_time(struct weft_http_request *request, void *buffer, size_t size)
{
	struct weft_timeout timeout;
	weft_time begun = weft_now();
	ssize_t n;
	int r;

	weft_timeout_begin_at(&timeout, weft__time_add(begun, request->patience_ns));
	n = weft__http_body_read(&request->body, buffer, size);
	if (n == -ECANCELED && weft_timeout_expired(&timeout))
		n = -ETIMEDOUT; /* whoever else wants us to end, too */
	r = weft_timeout_end(&timeout, n < 0 ? (int)n : 0);
	if (r == -ETIMEDOUT)
		return note_failure(request,
				    weft_error_set(r, "the body comes too slowly"));
	if (r == -EBADMSG)
		return note_failure(
			request,
			weft_error_set(r, "%s", request->body.decoder.refusal.problem));
	if (r < 0)
		return r;
	spend_patience(request, weft_now() - begun, (size_t)n);
	if (request->body.has_ended && request->watch)
		weft__http_watch_start(request->watch);
	return n;
}

/* The client waits with the body until it is told to go on. */
static int tell_to_continue(struct weft_http_request *request)
{
	char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (request->has_continued || request->reply.state != HTTP_REPLY_NONE)
		return 0;
	request->has_continued = true;
	return weft__http_reply_send(
		request, &(struct iovec){ .iov_base = text, .iov_len = sizeof(text) - 1 },
		1);
}

ssize_t weft_http_request_read(weft_http_request *request, void *buffer, size_t size)
{
	int r = weft__stream_check(request->stream, __func__);

	if (r < 0)
		return r;
	if (request->body.has_ended)
		return 0;
	r = tell_to_continue(request);
	return r < 0 ? r : read_in_time(request, buffer, size);
}

/* ---- All of it ---- */

static int refuse_size(struct weft_http_request *request)
{
	return note_failure(request,
			    weft_error_set(-EMSGSIZE,
					   "the body is above the limit of %zu bytes",
					   request->app->options.body_limit));
}

/* Its size is known: one piece, which costs no allocation if it is small. */
static int make_room_for_length(struct weft_http_request *request)
{
	struct http_whole_body *whole = &request->whole;

	if (request->body.left > request->app->options.body_limit)
		return refuse_size(request);
	whole->data =
		weft__http_memory_alloc(&request->extra->memory, request->body.left);
	if (!whole->data)
		return -ENOMEM;
	whole->capacity = request->body.left;
	return 0;
}

/* Its size is not known: the room doubles, up to a byte more than the limit. */
static int make_room_for_chunks(struct weft_http_request *request)
{
	struct http_whole_body *whole = &request->whole;
	size_t limit = request->app->options.body_limit;
	size_t capacity = MIN(limit + 1, MAX(CHUNKED_FIRST, 2 * whole->capacity));
	char *data;

	if (whole->size > limit)
		return refuse_size(request);
	data = weft__realloc_array(whole->owned, capacity, 1);
	if (!data)
		return -ENOMEM;
	whole->owned = whole->data = data;
	whole->capacity = capacity;
	return 0;
}

/* One that was cancelled goes on where it stopped. */
int weft_http_request_body(weft_http_request *request, struct weft_bytes *body)
{
	struct http_whole_body *whole = &request->whole;
	ssize_t n;
	int r = weft__stream_check(request->stream, __func__);

	if (r < 0)
		return r;
	while (!request->body.has_ended) {
		if (whole->size == whole->capacity) {
			r = request->body.kind == HTTP_BODY_LENGTH
				    ? make_room_for_length(request)
				    : make_room_for_chunks(request);
			if (r < 0)
				return r;
		}
		n = weft_http_request_read(request, whole->data + whole->size,
					   whole->capacity - whole->size);
		if (n < 0)
			return (int)n;
		whole->size += (size_t)n;
	}
	*body = weft_bytes_of(whole->data ? whole->data : "", whole->size);
	return 0;
}

/* ---- What nobody read ---- */

bool weft__http_request_has_large_rest(const struct weft_http_request *request)
{
	const struct http_body *body = &request->body;

	if (body->has_ended)
		return false;
	/* Not told to go on, it may send the body or the next request: nobody can tell.
	 */
	if (!request->has_continued || body->error < 0)
		return true;
	return body->kind == HTTP_BODY_LENGTH && body->left > DRAIN_MAX;
}

int weft__http_request_drain(struct weft_http_request *request)
{
	char buffer[1024];
	size_t drained = 0;
	ssize_t n;

	if (weft__http_request_has_large_rest(request))
		return -EMSGSIZE;
	while (!request->body.has_ended) {
		n = read_in_time(request, buffer, sizeof(buffer));
		if (n < 0)
			return (int)n;
		drained += (size_t)n;
		if (drained > DRAIN_MAX)
			return -EMSGSIZE;
	}
	return 0;
}
