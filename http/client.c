/*
 * The client: its options, and following a request to the response that counts.
 */
#include <weft/task.h>
#include <weft/timeout.h>

#include "http/client.h"
#include "loop/loop.h"
#include "task/task.h"

#define MAX_CONNECTIONS 100
#define MAX_REDIRECTS	10
#define KEEP_ALIVE_NS	(15 * WEFT_SEC)
#define LIMIT_NS	(300 * WEFT_SEC)
/* What is read of a redirect's own body, for the sake of keeping the connection. */
#define REDIRECT_BODY_MAX ((size_t)16 * 1024)

/* ---- Clients ---- */

static int check_options(const struct weft_http_client_options *o)
{
	if (weft__has_reserved(o->reserved, ARRAY_SIZE(o->reserved)))
		return weft_error_set(-EINVAL, "the reserved fields of "
					       "weft_http_client_options are not zero: "
					       "begin with = { 0 }");
	if (o->max_connections < 0 || o->max_per_host < 0 || o->max_redirects < -1 ||
	    o->keep_alive_ns < 0 || o->limit_ns < 0)
		return weft_error_set(-EINVAL,
				      "a limit in weft_http_client_options is negative");
	return 0;
}

#define SET_DEFAULT(field, value) ((field) = (field) ? (field) : (value))

int weft_http_client_new(const struct weft_http_client_options *options,
			 weft_http_client **client)
{
	weft_loop *loop = weft_loop_current();
	weft_http_client *made;
	int r;

	if (!loop)
		return weft__loop_none(__func__);
	if (options) {
		r = check_options(options);
		if (r < 0)
			return r;
	}
	made = weft__zalloc(sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->loop = loop;
	if (options)
		made->options = *options;
	SET_DEFAULT(made->options.max_connections, MAX_CONNECTIONS);
	SET_DEFAULT(made->options.max_redirects, MAX_REDIRECTS);
	SET_DEFAULT(made->options.keep_alive_ns, KEEP_ALIVE_NS);
	SET_DEFAULT(made->options.limit_ns, LIMIT_NS);
	weft__http_pool_init(&made->pool, loop, made->options.max_connections,
			     made->options.max_per_host, made->options.keep_alive_ns);
	*client = made;
	return 0;
}

void weft_http_client_free(weft_http_client *client)
{
	if (!client)
		return;
	if (!loop_must_be_mine(client->loop, __func__))
		return;
	weft__http_pool_fini(&client->pool);
	free(client);
}

/* ---- Requests ---- */

/* Lengths and codings are ours to say, and so is what becomes of the connection. */
static bool is_reserved(const char *name)
{
	static const char *const names[] = { "content-length", "transfer-encoding",
					     "connection",     "trailer",
					     "upgrade",	       "expect" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (weft__http_same(name, strlen(name), names[i], strlen(names[i])))
			return true;
	return false;
}

static int check_request(const char *method, const struct weft_http_fetch_options *o)
{
	if (!weft__http_is_token(method) || !strcmp(method, "CONNECT"))
		return weft_error_set(
			-EINVAL, "\"%.50s\" is not a method that can be sent", method);
	for (size_t i = 0; i < o->n_headers; i++) {
		const struct weft_http_header *header = &o->headers[i];

		if (!weft__http_is_token(header->name) ||
		    !weft__http_is_value(header->value))
			return weft_error_set(-EINVAL,
					      "header %zu has a bad name or value", i);
		if (is_reserved(header->name))
			return weft_error_set(
				-EINVAL, "the header %s is for the client itself to say",
				header->name);
	}
	if (o->type && !weft__http_is_value(o->type))
		return weft_error_set(-EINVAL, "a content type with control characters");
	return 0;
}

static int parse_url(struct http_url *url, const char *text, const struct http_url *base,
		     struct http_memory *memory)
{
	int r = base ? weft__http_url_resolve(url, base, text, memory)
		     : weft__http_url_parse(url, text, memory);

	if (r == 0 && url->is_https)
		return weft_error_set(-ENOTSUP,
				      "https is not supported by this version of weft");
	return r;
}

/* ---- Redirects ---- */

/* Where the response sends us; NULL if it does not. */
static const char *redirection(const struct weft_http_response *response)
{
	switch (response->head.status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return weft_http_response_header(response, "location");
	}
	return NULL;
}

/* What the next request is like, as browsers do it (RFC 9110 section 15.4). */
static void change_method(struct http_fetch *fetch, int status)
{
	bool becomes_get = false;

	if (status == 303)
		becomes_get = strcmp(fetch->method, "HEAD") != 0;
	else if (status == 301 || status == 302)
		becomes_get = !strcmp(fetch->method, "POST");
	if (!becomes_get)
		return;
	fetch->method = "GET";
	fetch->has_body = false;
}

/* Reads what little a redirect has to say, so that its connection can be used again. */
static int pass_over_body(struct weft_http_response *response)
{
	char buffer[1024];
	size_t size = 0;
	ssize_t n;

	while (size < REDIRECT_BODY_MAX) {
		n = weft_http_response_read(response, buffer, sizeof(buffer));
		if (n == -ECANCELED)
			return -ECANCELED;
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	weft__http_response_let_go(response);
	return 0;
}

static int follow(struct weft_http_response *response, struct http_fetch *fetch)
{
	const struct http_url first = fetch->url;
	const int max = response->client->options.max_redirects;
	const char *location;
	int r;

	for (int n = 0;; n++) {
		r = weft__http_exchange(response, fetch);
		if (r < 0)
			return r;
		location = max < 0 ? NULL : redirection(response);
		if (!location)
			return 0;
		if (n == max)
			return weft_error_set(
				-ELOOP, "more than %d redirects, the next one to %.200s",
				max, location);
		r = pass_over_body(response);
		if (r == 0)
			r = parse_url(&fetch->url, location, &fetch->url,
				      response->memory);
		if (r < 0)
			return r;
		fetch->is_same_origin = fetch->is_same_origin &&
					weft__http_url_same_origin(&fetch->url, &first);
		change_method(fetch, response->head.status);
	}
}

/* ---- Fetch ---- */

static int make_response(weft_http_client *client, struct weft_http_response **response)
{
	struct weft_http_response *made = weft__zalloc(sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->memory = weft__zalloc(sizeof(*made->memory));
	if (!made->memory) {
		free(made);
		return -ENOMEM;
	}
	made->client = client;
	*response = made;
	return 0;
}

static int follow_in_time(struct weft_http_response *response, struct http_fetch *fetch,
			  const char *url)
{
	const char *method = fetch->method; /* that of the first request */
	weft_time limit_ns = response->client->options.limit_ns;
	struct weft_timeout timeout;
	int done, r;

	weft_timeout_begin(&timeout, limit_ns);
	done = parse_url(&fetch->url, url, NULL, response->memory);
	if (done == 0)
		done = follow(response, fetch);
	r = weft_timeout_end(&timeout, done);
	if (r == done)
		return r;
	return weft_error_set(
		r,
		"no response to %s %.200s came within %g s: .limit_ns of the "
		"client says how long it may take",
		method, url, (double)limit_ns / WEFT_SEC);
}

int weft_http_fetch(weft_http_client *client, const char *method, const char *url,
		    const struct weft_http_fetch_options *options,
		    weft_http_response **response)
{
	static const struct weft_http_fetch_options no_options;
	struct http_fetch fetch = {
		.method = method,
		.options = options ? options : &no_options,
		.is_same_origin = true,
	};
	struct weft_http_response *made;
	int r;

	if (!task_current())
		return weft__task_none(__func__);
	r = loop_check(client->loop, __func__);
	if (r < 0)
		return r;
	r = check_request(method, fetch.options);
	if (r < 0)
		return r;
	fetch.has_body = fetch.options->body.size > 0;
	r = make_response(client, &made);
	if (r < 0)
		return r;

	r = follow_in_time(made, &fetch, url);
	if (r < 0) {
		weft_http_response_free(made);
		return r;
	}
	*response = made;
	return 0;
}
