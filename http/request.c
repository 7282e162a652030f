/*
 * What a handler can ask a request. See http/request.h for what lies where.
 *
 * Headers, parameters and values of the query are made when they are asked for: most
 * handlers look at one or two of them. The body is in http/request_body.c.
 */
#include "http/request.h"

#include "net/stream.h"

/* ---- Begin and end ---- */

/* Behind each slice stands a blank, '?', ':' or CR, which nobody needs any more. */
static const char *terminate(char *text, struct http_slice slice)
{
	text[slice.at + slice.size] = '\0';
	return text + slice.at;
}

/* The texts of the request line. 0 or -ENOMEM. */
static int make_texts(struct weft_http_request *request)
{
	const struct http_target *target = &request->head.target;
	char *text = request->text;
	char *path;

	request->method = terminate(text, request->head.method);
	request->is_head = !strcmp(request->method, "HEAD");
	request->query = target->query.size ? terminate(text, target->query) : "";
	request->path = target->path.size ? terminate(text, target->path) : "/";
	if (!target->is_encoded)
		return 0;

	/* A copy: the router wants the path as it came. */
	path = weft__http_memory_alloc(&request->extra->memory, target->path.size + 1);
	if (!path)
		return -ENOMEM;
	path[weft__http_percent_decode(path, request->path, target->path.size)] = '\0';
	request->path = path;
	return 0;
}

int weft__http_request_begin(struct weft_http_request *request, const char *data)
{
	const struct http_request_head *head = &request->head;

	request->text = weft__http_memory_copy(&request->extra->memory, data, head->size);
	if (!request->text)
		return -ENOMEM;
	weft__stream_consume(request->stream, head->size);

	request->must_close = !http_framing_keeps_alive(&head->framing, head->minor);
	request->match.route = NULL;
	request->extra->has_headers = false;
	weft__http_request_begin_body(request);
	weft__http_reply_reset(request);
	return make_texts(request);
}

void weft__http_request_distrust(struct weft_http_request *request)
{
	request->is_head = false;
	request->head.minor = 1;
	weft__http_reply_reset(request);
	request->must_close = true;
}

void weft__http_request_end(struct weft_http_request *request)
{
	weft__http_request_end_body(request);
	weft__http_memory_reset(&request->extra->memory);
}

struct weft_bytes weft__http_request_raw_path(const struct weft_http_request *request)
{
	struct http_slice path = request->head.target.path;

	return path.size ? weft_bytes_of(request->text + path.at, path.size)
			 : weft_bytes_text("/");
}

/* "OPTIONS *" asks the server as a whole, which has nothing to say. */
static int answer_for_server(struct weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply(request, 200, NULL, weft_bytes_of("", 0));
}

bool weft__http_request_route(struct weft_http_request *request)
{
	static const struct http_route server = { .fn = answer_for_server };
	struct weft_bytes path = weft__http_request_raw_path(request);

	if (!memcmp(path.data, "*", 1)) {
		request->match.route = &server;
		return true;
	}
	weft__http_routes_find(&request->app->routes, weft_bytes_text(request->method),
			       path, &request->match);
	if (!request->match.route)
		return false;
	for (int i = 0; i < request->match.route->n_names; i++)
		request->extra->params[i] = NULL;
	return true;
}

/* ---- Target ---- */

static bool is_here(const weft_http_request *request, const char *function)
{
	return weft__stream_check_loop(request->stream, function) == 0;
}

const char *weft_http_request_method(const weft_http_request *request)
{
	return is_here(request, __func__) ? request->method : "";
}

const char *weft_http_request_path(const weft_http_request *request)
{
	return is_here(request, __func__) ? request->path : "";
}

const char *weft_http_request_query_string(const weft_http_request *request)
{
	return is_here(request, __func__) ? request->query : "";
}

static const char *make_param(const struct weft_http_request *request, int i)
{
	struct http_slice slice = request->match.params[i];
	const char *path = request->text + request->head.target.path.at;
	char *param = weft__http_memory_alloc(&request->extra->memory, slice.size + 1);

	if (!param)
		return NULL;
	param[weft__http_percent_decode(param, path + slice.at, slice.size)] = '\0';
	request->extra->params[i] = param;
	return param;
}

const char *weft_http_request_param(const weft_http_request *request, const char *name)
{
	const struct http_route *route = request->match.route;

	if (!is_here(request, __func__))
		return NULL;
	for (int i = 0; i < route->n_names; i++)
		if (!strcmp(route->names[i], name))
			return request->extra->params[i] ? request->extra->params[i]
							 : make_param(request, i);
	return NULL;
}

const char *weft_http_request_query(const weft_http_request *request, const char *name)
{
	struct http_slice slice;
	char *value;

	if (!is_here(request, __func__) ||
	    !weft__http_query_find(request->query, request->head.target.query.size, name,
				   &slice))
		return NULL;
	value = weft__http_memory_alloc(&request->extra->memory, slice.size + 1);
	if (value)
		value[weft__http_query_decode(value, request->query, slice)] = '\0';
	return value;
}

/* ---- Headers ---- */

static const struct weft_http_header *make_headers(const weft_http_request *request)
{
	const struct http_fields *fields = &request->head.fields;

	if (!request->extra->has_headers) {
		weft__http_headers_make(fields, request->text);
		request->extra->has_headers = true;
	}
	return fields->n ? &fields->items->header : NULL;
}

const struct weft_http_header *weft_http_request_headers(const weft_http_request *request,
							 size_t *n_headers)
{
	if (!is_here(request, __func__)) {
		*n_headers = 0;
		return NULL;
	}
	*n_headers = request->head.fields.n;
	return make_headers(request);
}

const char *weft_http_request_header(const weft_http_request *request, const char *name)
{
	if (!is_here(request, __func__))
		return NULL;
	return weft__http_headers_find(make_headers(request), request->head.fields.n,
				       name, &request->extra->memory);
}

const weft_stream *weft_http_request_stream(const weft_http_request *request)
{
	return is_here(request, __func__) ? request->stream : NULL;
}
