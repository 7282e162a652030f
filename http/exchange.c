/*
 * One request of the client and the head of its response.
 *
 * A connection that was kept may have been closed by the server in the same moment. Then
 * nothing comes back, and the request is sent once more on a new connection, if that can
 * do no harm.
 *
 * A server may answer before it has read the whole request, and close: so when sending
 * fails, we still look whether there is an answer.
 */
#include <weft/task.h>

#include "http/app.h"
#include "http/client.h"
#include "http/out.h"
#include "net/stream.h"

#define REQUEST_BUFFER 1024
/* Interim responses (1xx) before the one that counts. */
#define INTERIM_MAX 16

static const struct http_head_limits limits = {
	.line = HTTP_LINE_LIMIT,
	.fields = HTTP_FIELDS_LIMIT,
	.n_fields = HTTP_FIELDS_MAX,
};

/* ---- Sending ---- */

static bool has_header(const struct weft_http_fetch_options *o, const char *name)
{
	for (size_t i = 0; i < o->n_headers; i++)
		if (weft__http_same(o->headers[i].name, strlen(o->headers[i].name), name,
				    strlen(name)))
			return true;
	return false;
}

/* What proves who we are is for the host that the caller meant. */
static bool is_secret(const char *name)
{
	size_t size = strlen(name);

	return weft__http_same(name, size, "authorization", 13) ||
	       weft__http_same(name, size, "cookie", 6) ||
	       weft__http_same(name, size, "proxy-authorization", 19);
}

static bool method_has_body(const char *method)
{
	return !strcmp(method, "POST") || !strcmp(method, "PUT") ||
	       !strcmp(method, "PATCH");
}

static void put_headers(struct http_out *out, const struct http_fetch *fetch)
{
	const struct weft_http_fetch_options *o = fetch->options;

	for (size_t i = 0; i < o->n_headers; i++) {
		const struct weft_http_header *header = &o->headers[i];
		size_t size = strlen(header->name);

		if (!fetch->is_same_origin &&
		    (is_secret(header->name) ||
		     weft__http_same(header->name, size, "host", 4)))
			continue;
		http_put_field(out, header->name, header->value);
	}
}

static void put_head(struct http_out *out, const struct http_fetch *fetch)
{
	const struct weft_http_fetch_options *o = fetch->options;

	http_put_text(out, fetch->method);
	http_put_text(out, " ");
	http_put_text(out, fetch->url.target);
	http_put_text(out, " HTTP/1.1\r\n");
	if (!fetch->is_same_origin || !has_header(o, "host"))
		http_put_field(out, "Host", fetch->url.authority);
	if (!has_header(o, "user-agent")) {
		http_put_text(out, "User-Agent: weft/");
		http_put_text(out, weft_version());
		http_put_text(out, "\r\n");
	}
	if (!has_header(o, "accept"))
		http_put_field(out, "Accept", "*/*");
	put_headers(out, fetch);
	if (fetch->has_body && o->type)
		http_put_field(out, "Content-Type", o->type);
	if (fetch->has_body || method_has_body(fetch->method)) {
		http_put_text(out, "Content-Length: ");
		http_put_number(out, fetch->has_body ? o->body.size : 0);
		http_put_text(out, "\r\n");
	}
	http_put_text(out, "\r\n");
}

static int send_request(struct weft_http_response *response,
			const struct http_fetch *fetch)
{
	char buffer[REQUEST_BUFFER];
	struct http_out out = { .data = buffer, .capacity = sizeof(buffer) };
	struct iovec parts[2];

	put_head(&out, fetch);
	if (!http_out_is_complete(&out)) {
		size_t size = out.size;

		out = (struct http_out){
			.data = weft__http_memory_alloc(response->memory, size),
			.capacity = size,
		};
		if (!out.data)
			return -ENOMEM;
		put_head(&out, fetch);
	}
	parts[0] = (struct iovec){ .iov_base = out.data, .iov_len = out.size };
	parts[1] =
		(struct iovec){ .iov_base = (void *)(uintptr_t)fetch->options->body.data,
				.iov_len = fetch->options->body.size };
	return weft_stream_writev(response->link->stream, parts, fetch->has_body ? 2 : 1);
}

/* ---- Receiving ---- */

static int refuse_response(const struct http_refusal *refusal)
{
	return weft_error_set(-EBADMSG, "the response breaks the rules of HTTP: %s",
			      refusal->problem);
}

/* Reads one head, interim or not. `has_come` is set when the first byte of it has. */
static int read_head(struct weft_http_response *response, bool *has_come)
{
	weft_stream *stream = response->link->stream;
	const char *data;
	size_t known = 0;
	ssize_t n;
	char *text;
	int r;

	weft__http_response_head_begin(&response->head, &limits);
	do {
		n = weft__stream_peek(stream, &data, known);
		if (n < 0)
			return (int)n;
		if ((size_t)n <= known)
			return weft_error_set(-ENODATA,
					      "the connection ended before the response");
		*has_come = true;
		known = (size_t)n;
		r = weft__http_response_head_parse(&response->head, data, known);
	} while (r == HTTP_MORE);
	if (r == -EBADMSG)
		return refuse_response(&response->head.refusal);
	if (r < 0)
		return r;

	text = weft__http_memory_copy(response->memory, data, response->head.size);
	if (!text)
		return -ENOMEM;
	weft__stream_consume(stream, response->head.size);
	weft__http_headers_make(&response->head.fields, text);
	return 0;
}

static int receive_response(struct weft_http_response *response, bool is_head,
			    bool *has_come)
{
	int n_interim = 0;
	int r;

	do {
		r = read_head(response, has_come);
		if (r < 0)
			return r;
		if (response->head.status == 101)
			return weft_error_set(-EBADMSG,
					      "the server changed to a protocol that "
					      "nobody asked for");
		if (++n_interim > INTERIM_MAX)
			return weft_error_set(-EBADMSG, "more than %d interim responses",
					      INTERIM_MAX);
	} while (response->head.status < 200);
	weft__http_body_init(&response->body, response->link->stream,
			     weft__http_response_body_kind(&response->head, is_head),
			     response->head.framing.length, &limits);
	return 0;
}

/* ---- Both ---- */

static bool is_lost_connection(int error)
{
	return error == -EPIPE || error == -ECONNRESET || error == -ENODATA;
}

static bool is_repeatable(const char *method)
{
	static const char *const methods[] = { "GET",	 "HEAD",    "PUT",
					       "DELETE", "OPTIONS", "TRACE" };

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(method, methods[i]))
			return true;
	return false;
}

static int try_exchange(struct weft_http_response *response,
			const struct http_fetch *fetch, bool *has_come)
{
	int sent;
	int r;

	*has_come = false;
	sent = send_request(response, fetch);
	if (sent < 0 && !is_lost_connection(sent))
		return sent;
	r = receive_response(response, !strcmp(fetch->method, "HEAD"), has_come);
	if (r == 0 && sent < 0)
		response->head.framing.has_close = true;
	return r < 0 && sent < 0 ? sent : r;
}

int weft__http_exchange(struct weft_http_response *response,
			const struct http_fetch *fetch)
{
	struct http_pool *pool = &response->client->pool;
	bool was_kept;
	bool has_come;
	int r;

	for (bool must_be_new = false;; must_be_new = true) {
		r = weft__http_pool_take(pool, fetch->url.address, must_be_new,
					 &response->link);
		if (r < 0)
			return r;
		r = try_exchange(response, fetch, &has_come);
		if (r == 0)
			break;
		was_kept = response->link->was_kept;
		weft__http_pool_give(response->link, false);
		response->link = NULL;
		if (!was_kept || has_come || !is_lost_connection(r) ||
		    !is_repeatable(fetch->method))
			return r;
	}
	if (response->body.has_ended)
		weft__http_response_let_go(response);
	return 0;
}
