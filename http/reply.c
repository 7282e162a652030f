/*
 * Replies to requests: a head, and a body at once or in pieces.
 *
 * A reply is written into a buffer on the stack, head and body together if they fit, and
 * handed to the stream by one write. The lines that the handler added were checked when
 * it did, so nothing that it says can end a line early.
 *
 * On the task that serves the connection.
 */
#include <weft/task.h>

#include <stdarg.h>
#include <stdio.h>

#include "base/report.h"
#include "http/out.h"
#include "http/request.h"
#include "http/status.h"
#include "net/stream.h"

static const char text_type[] = "text/plain; charset=utf-8";

void weft__http_reply_reset(struct weft_http_request *request)
{
	request->reply = (struct http_reply){ .lines_end = &request->reply.lines };
}

/* ---- Lines of the handler ---- */

/* What a line means for the lines that we write. False: it is not the handler's to say.
 */
static bool take_meaning(struct http_reply *reply, const char *name, const char *value)
{
	size_t size = strlen(name);

	switch (size) {
	case sizeof("Date") - 1:
		reply->has_date |= http_token_is(name, size, "date");
		return true;
	case sizeof("Connection") - 1:
		if (!http_token_is(name, size, "connection"))
			return true;
		reply->must_close = true;
		return weft__http_same(value, strlen(value), "close", 5);
	case sizeof("Content-Type") - 1:
		reply->has_type |= http_token_is(name, size, "content-type");
		return true;
	case sizeof("Content-Length") - 1:
		return !http_token_is(name, size, "content-length");
	case sizeof("Transfer-Encoding") - 1:
		return !http_token_is(name, size, "transfer-encoding");
	}
	return true;
}

static int add_line(struct weft_http_request *request, const char *name,
		    const char *value)
{
	size_t size = strlen(name) + strlen(value) + strlen(": \r\n");
	struct http_reply_line *line;
	struct http_out out;

	line = weft__http_memory_alloc(&request->extra->memory, sizeof(*line) + size);
	if (!line)
		return -ENOMEM;
	out = (struct http_out){ .data = line->text, .capacity = size };
	http_put_field(&out, name, value);
	line->size = size;
	line->next = NULL;
	*request->reply.lines_end = line;
	request->reply.lines_end = &line->next;
	return 0;
}

void weft_http_reply_header(weft_http_request *request, const char *name,
			    const char *value)
{
	struct http_reply *reply = &request->reply;
	int r = weft__stream_check_loop(request->stream, __func__);

	weft_assert(r != -EPERM, "%s", weft_error_text(r));
	if (r < 0)
		return;
	if (reply->state != HTTP_REPLY_NONE) {
		weft__report(WEFT_WARNING, NULL,
			     "the header %.50s comes after the reply that it "
			     "is for",
			     name);
		return;
	}
	if (!weft__http_is_token(name) || !weft__http_is_value(value) ||
	    !take_meaning(reply, name, value))
		r = -EINVAL;
	/* Connection is written by us. */
	else if (!weft__http_same(name, strlen(name), "connection", 10))
		r = add_line(request, name, value);
	if (r < 0 && !reply->error)
		reply->error = r;
}

/* ---- Heads ---- */

/* What the head of a reply says. */
struct reply_head {
	int status;
	const char *type;
	int64_t length; /* -1: not known */
};

static bool status_has_body(int status)
{
	return status != 204 && status != 205 && status != 304;
}

/*
 * 304 says what a 200 would have had, if the handler knows it. 205 has no body, and has to say so:
 * of all that have none it is the one whose client looks for it.
 */
static bool has_length_line(const struct http_reply *reply, const struct reply_head *head)
{
	if (head->status == 205)
		return true;
	if (!reply->has_length || head->status == 204)
		return false;
	return head->status != 304 || head->length > 0;
}

/* Decides what the connection comes to, and how the end of the body is told. */
static void decide(struct weft_http_request *request, const struct reply_head *head)
{
	struct http_reply *reply = &request->reply;

	reply->sends_body = status_has_body(head->status) && !request->is_head;
	reply->has_length = head->length >= 0;
	reply->left = reply->has_length ? (uint64_t)head->length : 0;
	reply->is_chunked = !reply->has_length && request->head.minor >= 1;

	/* Without a length, the body of HTTP/1.0 ends with the connection. */
	if (reply->must_close || (!reply->has_length && !reply->is_chunked) ||
	    weft__http_request_has_large_rest(request) ||
	    weft_task_cancelling(weft_task_current()) > 0)
		request->must_close = true;
}

static void put_head(struct http_out *out, const struct weft_http_request *request,
		     const struct reply_head *head)
{
	const struct http_reply *reply = &request->reply;
	struct weft_bytes start = weft__http_reply_start(head->status, !reply->has_date);

	http_put(out, start.data, start.size);
	if (head->type && !reply->has_type)
		http_put_field(out, "Content-Type", head->type);
	for (const struct http_reply_line *line = reply->lines; line; line = line->next)
		http_put(out, line->text, line->size);

	if (has_length_line(reply, head)) {
		http_put_text(out, "Content-Length: ");
		http_put_number(out, head->status == 205 ? 0 : (uint64_t)head->length);
		http_put_text(out, "\r\n");
	} else if (reply->is_chunked && status_has_body(head->status)) {
		http_put_field(out, "Transfer-Encoding", "chunked");
	}
	if (request->must_close)
		http_put_field(out, "Connection", "close");
	else if (request->head.minor < 1)
		http_put_field(out, "Connection", "keep-alive");
	http_put_text(out, "\r\n");
}

int weft__http_reply_send(struct weft_http_request *request, const struct iovec *parts,
			  size_t n_parts)
{
	int r;

	if (n_parts == 1)
		r = weft_stream_write(request->stream, parts->iov_base, parts->iov_len);
	else
		r = weft_stream_writev(request->stream, parts, n_parts);
	if (r < 0)
		request->has_lost_writes = true;
	return r;
}

static struct iovec part_of(const void *data, size_t size)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = size };
}

/*
 * Nothing was sent, and nothing of what the handler wanted can be: whatever it does now, the reply
 * becomes 500. Without one the next request's reply would be taken for this one's.
 */
static int fail_without_memory(struct weft_http_request *request)
{
	if (request->reply.state != HTTP_REPLY_DONE)
		request->reply.error = -ENOMEM;
	return -ENOMEM;
}

/* Sends the head, and `body` with it; `state` is what the reply is in then. */
static int send_head(struct weft_http_request *request, const struct reply_head *head,
		     struct weft_bytes body, enum http_reply_state state)
{
	struct http_out out = { .data = request->scratch,
				.capacity = sizeof(request->scratch) };
	struct iovec parts[2];

	decide(request, head);
	put_head(&out, request, head);
	if (!http_out_is_complete(&out)) {
		size_t size = out.size;

		out = (struct http_out){
			.data = weft__http_memory_alloc(&request->extra->memory, size),
			.capacity = size,
		};
		if (!out.data)
			return fail_without_memory(request);
		put_head(&out, request, head);
	}
	request->reply.state = state;
	if (body.size <= out.capacity - out.size) {
		http_put(&out, body.data, body.size);
		body.size = 0;
	}
	parts[0] = part_of(out.data, out.size);
	parts[1] = part_of(body.data, body.size);
	return weft__http_reply_send(request, parts, body.size ? 2 : 1);
}

/* ---- Replies at once ---- */

/* What the handler may not do, with the sentence that says so. */
static int check_reply(const struct weft_http_request *request,
		       const struct reply_head *head)
{
	if (request->reply.state != HTTP_REPLY_NONE)
		return weft_error_set(-EALREADY, "the request has been replied to");
	if (head->status < 200 || head->status > 599)
		return weft_error_set(-EINVAL, "%d is not a status between 200 and 599",
				      head->status);
	if (head->type && head->type != text_type && !weft__http_is_value(head->type))
		return weft_error_set(-EINVAL, "a content type with control characters");
	if (head->length < -1)
		return weft_error_set(-EINVAL, "a body cannot have %lld bytes",
				      (long long)head->length);
	if (request->reply.error == -EINVAL)
		return weft_error_set(
			-EINVAL, "a header of the reply has a bad name or value, or is "
				 "one that the reply writes by itself");
	return request->reply.error;
}

/* A reply whose handler made a mistake becomes 500; the mistake is returned. */
static int reply_instead(struct weft_http_request *request, int error)
{
	weft__http_reply_reset(request);
	(void)weft__http_reply_error(request, 500, NULL);
	return error;
}

int weft_http_reply(weft_http_request *request, int status, const char *type,
		    struct weft_bytes body)
{
	struct reply_head head = { status, type, (int64_t)body.size };
	int r = weft__stream_check(request->stream, __func__);

	if (r < 0)
		return r;
	r = check_reply(request, &head);
	if (r == -EALREADY)
		return r;
	if (r < 0)
		return reply_instead(request, r);
	if (request->is_head || !status_has_body(status))
		body.size = 0;
	return send_head(request, &head, body, HTTP_REPLY_DONE);
}

int weft_http_reply_text(weft_http_request *request, int status, const char *format, ...)
{
	const size_t size = sizeof(request->text_scratch);
	char *text = request->text_scratch;
	va_list args;
	int n = weft__stream_check(request->stream, __func__);

	if (n < 0)
		return n;
	if (!strchr(format, '%')) /* the text as it will be */
		return weft_http_reply(request, status, text_type,
				       weft_bytes_text(format));
	va_start(args, format);
	n = vsnprintf(text, size, format, args);
	va_end(args);
	if (n < 0)
		return weft_error_set(-EINVAL, "a format that cannot be printed: \"%s\"",
				      format);
	if ((size_t)n >= size) {
		text = weft__http_memory_alloc(&request->extra->memory, (size_t)n + 1);
		if (!text)
			return fail_without_memory(request);
		va_start(args, format);
		(void)vsnprintf(text, (size_t)n + 1, format, args);
		va_end(args);
	}
	return weft_http_reply(request, status, text_type,
			       weft_bytes_of(text, (size_t)n));
}

/* ---- Replies in pieces ---- */

int weft_http_reply_begin(weft_http_request *request, int status, const char *type,
			  int64_t length)
{
	struct reply_head head = { status, type, length };
	int r = weft__stream_check(request->stream, __func__);

	if (r < 0)
		return r;
	r = check_reply(request, &head);
	if (r == -EALREADY)
		return r;
	if (r < 0)
		return reply_instead(request, r);
	return send_head(request, &head, weft_bytes_of("", 0), HTTP_REPLY_BEGUN);
}

static int write_chunk(struct weft_http_request *request, const void *data, size_t size)
{
	char line[HTTP_CHUNK_HEAD_MAX];
	struct iovec parts[] = {
		part_of(line, weft__http_chunk_head(line, size)),
		part_of(data, size),
		part_of(HTTP_CHUNK_TAIL, strlen(HTTP_CHUNK_TAIL)),
	};

	return weft__http_reply_send(request, parts, ARRAY_SIZE(parts));
}

int weft_http_reply_write(weft_http_request *request, const void *data, size_t size)
{
	struct http_reply *reply = &request->reply;
	struct iovec part;
	int r = weft__stream_check(request->stream, __func__);

	if (r < 0)
		return r;
	if (reply->state != HTTP_REPLY_BEGUN)
		return weft_error_set(-EALREADY,
				      "a reply is written in pieces between "
				      "weft_http_reply_begin() and the handler's end");
	if (reply->has_length) {
		if (size > reply->left)
			return weft_error_set(
				-EMSGSIZE, "the reply is longer than the length that it "
					   "began with");
		reply->left -= size;
	}
	if (!reply->sends_body || !size)
		return 0;
	if (reply->is_chunked)
		return write_chunk(request, data, size);
	part = part_of(data, size);
	return weft__http_reply_send(request, &part, 1);
}

int weft__http_reply_end(struct weft_http_request *request)
{
	struct http_reply *reply = &request->reply;
	struct iovec last = part_of(HTTP_CHUNK_LAST, strlen(HTTP_CHUNK_LAST));

	if (reply->state != HTTP_REPLY_BEGUN)
		return 0;
	if (reply->sends_body && reply->has_length && reply->left)
		return weft_error_set(-EPROTO,
				      "the reply ended %llu bytes short of its length",
				      (unsigned long long)reply->left);
	reply->state = HTTP_REPLY_DONE;
	if (reply->sends_body && reply->is_chunked)
		return weft__http_reply_send(request, &last, 1);
	return 0;
}

/* ---- Error pages ---- */

int weft__http_reply_error(struct weft_http_request *request, int status,
			   const char *problem)
{
	return weft_http_reply_text(request, status, "%d %s\n%s%s", status,
				    weft__http_reason(status), problem ? problem : "",
				    problem ? "\n" : "");
}
