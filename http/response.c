/*
 * A response of the client: what its head says, and reading its body. See http/client.h.
 */
#include <weft/task.h>

#include "http/client.h"
#include "loop/loop.h"
#include "net/stream.h"
#include "task/task.h"

/* The first memory for a body of unknown size. */
#define WHOLE_FIRST ((size_t)4096)

/* ---- The connection ---- */

/* Could the next request on the connection get a response of its own? */
static bool may_be_kept(const struct weft_http_response *response)
{
	const struct http_response_head *head = &response->head;

	return response->body.has_ended && response->body.kind != HTTP_BODY_TO_END &&
	       http_framing_keeps_alive(&head->framing, head->minor) &&
	       !weft__stream_buffered(response->link->stream);
}

void weft__http_response_let_go(struct weft_http_response *response)
{
	if (!response->link)
		return;
	weft__http_pool_give(response->link, may_be_kept(response));
	response->link = NULL;
}

void weft_http_response_free(weft_http_response *response)
{
	if (!response || !loop_must_be_mine(response->client->loop, __func__))
		return;
	weft__http_response_let_go(response);
	weft__http_response_head_fini(&response->head);
	weft__http_memory_fini(response->memory);
	free(response->memory);
	free(response->whole);
	free(response);
}

/* ---- The head ---- */

int weft_http_response_status(const weft_http_response *response)
{
	int r = loop_check(response->client->loop, __func__);

	return r < 0 ? r : response->head.status;
}

const struct weft_http_header *
weft_http_response_headers(const weft_http_response *response, size_t *n_headers)
{
	bool is_here = loop_check(response->client->loop, __func__) == 0;

	*n_headers = is_here ? response->head.fields.n : 0;
	return *n_headers ? &response->head.fields.items->header : NULL;
}

const char *weft_http_response_header(const weft_http_response *response,
				      const char *name)
{
	const struct weft_http_header *headers;
	size_t n;

	if (loop_check(response->client->loop, __func__) < 0)
		return NULL;
	headers = weft_http_response_headers(response, &n);
	return weft__http_headers_find(headers, n, name, response->memory);
}

/* ---- The body ---- */

static int explain(const struct weft_http_response *response, int error)
{
	if (error == -EBADMSG)
		return weft_error_set(error,
				      "the body of the response breaks the rules: %s",
				      response->body.decoder.refusal.problem);
	if (error == -ENODATA)
		return weft_error_set(error,
				      "the connection ended before the response did");
	return error;
}

/* In a task, on the client's loop? */
static int check(const struct weft_http_response *response, const char *function)
{
	if (!task_current())
		return weft__task_none(function);
	return loop_check(response->client->loop, function);
}

ssize_t weft_http_response_read(weft_http_response *response, void *buffer, size_t size)
{
	ssize_t n = check(response, __func__);

	if (n < 0)
		return n;
	n = weft__http_body_read(&response->body, buffer, size);
	if (n < 0)
		return explain(response, (int)n);
	if (response->body.has_ended)
		weft__http_response_let_go(response);
	return n;
}

/* Room for more, up to a byte beyond the limit, and for a zero byte behind it. */
static int make_room(struct weft_http_response *response, size_t max_bytes)
{
	const struct http_body *body = &response->body;
	size_t capacity = MAX(WHOLE_FIRST, 2 * response->whole_capacity);
	char *whole;

	max_bytes = MIN(max_bytes, SIZE_MAX / 4);
	if (response->whole_size > max_bytes ||
	    (body->kind == HTTP_BODY_LENGTH &&
	     body->left > max_bytes - response->whole_size))
		return weft_error_set(-EMSGSIZE,
				      "the body of the response is above %zu bytes",
				      max_bytes);
	if (body->kind == HTTP_BODY_LENGTH)
		capacity = response->whole_size + body->left;
	capacity = MIN(capacity, max_bytes + 1);
	whole = weft__realloc_array(response->whole, capacity + 1, 1);
	if (!whole)
		return -ENOMEM;
	response->whole = whole;
	response->whole_capacity = capacity;
	return 0;
}

/* One that was cancelled goes on where it stopped. */
int weft_http_response_body(weft_http_response *response, size_t max_bytes,
			    struct weft_bytes *body)
{
	ssize_t n;
	int r = check(response, __func__);

	if (r < 0)
		return r;
	while (!response->body.has_ended) {
		if (response->whole_size == response->whole_capacity) {
			r = make_room(response, max_bytes);
			if (r < 0)
				return r;
		}
		n = weft_http_response_read(
			response, response->whole + response->whole_size,
			response->whole_capacity - response->whole_size);
		if (n < 0)
			return (int)n;
		response->whole_size += (size_t)n;
	}
	if (response->whole_size > max_bytes)
		return weft_error_set(-EMSGSIZE,
				      "the body of the response is above %zu bytes",
				      max_bytes);
	if (response->whole)
		response->whole[response->whole_size] = '\0';
	*body = weft_bytes_of(response->whole ? response->whole : "",
			      response->whole_size);
	return 0;
}
