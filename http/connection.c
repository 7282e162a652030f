/*
 * A connection of the server: request after request, until one of the two sides has
 * enough.
 *
 * One task, one stream, one request at a time: the next head is looked at once the reply
 * before it is on its way, so replies keep their order, and a client that sends many
 * requests at once occupies the stream's buffer and nothing else.
 *
 * How long things may take: an idle connection keep_alive_ns; a head header_ns from its
 * first byte, however often bytes come; the handler request_ns; a body and a reply as the
 * client makes progress (http/request_body.c, net/). The handler runs in a shield, so
 * that cancelling this task lets it finish.
 *
 * How a connection ends: when the client has left, when it wants to ("Connection:
 * close"), when it has been idle for too long, when a request was refused, when its last
 * request is answered. As long as the client may still be sending, a plain close() would
 * answer its bytes with a reset, which can destroy the reply on its way; so we close our
 * side only, and read on for a while (linger). A reply that is not complete ends in a
 * reset on purpose: nobody shall take it for a whole one.
 */
#include <weft/task.h>
#include <weft/timeout.h>

#include "base/report.h"
#include "http/spare.h"
#include "http/watch.h"
#include "net/stream.h"
#include "task/timeout.h"

/* A client that was active so shortly before may be about to ask again. */
#define DRAIN_IDLE_NS (1 * WEFT_SEC)
/* Lingering: so long, so much. */
#define LINGER_NS  (2 * WEFT_SEC)
#define LINGER_MAX ((size_t)256 * 1024)

enum next {
	NEXT_REQUEST,
	NEXT_CLOSE, /* flush and close */
	NEXT_LINGER, /* the client may still be sending */
	NEXT_ABORT, /* reset */
};

struct connection {
	const struct weft_http_app *app;
	weft_stream *stream;
	struct weft_http_request *request; /* while one is being read or answered */
	struct weft_timeout idle; /* of every wait for a request */
	long n_requests;
	bool was_cancelled; /* our task: once is a request to drain, twice to end */
};

/* ---- Reading a head ---- */

/*
 * It has been idle for too long. But who has asked meanwhile, when nobody looked, was not told so.
 */
static ssize_t look_once_more(weft_stream *stream, const char **data)
{
	return weft__stream_has_unread(stream) ? weft__stream_peek(stream, data, 0) : 0;
}

/*
 * Waits for the first byte of a request: how many are there, 0 if none will come, or
 * negative. A connection that is being drained is given up once it has been idle for a
 * second.
 */
static ssize_t wait_for_request(struct connection *c, const char **data)
{
	weft_time idle_since = weft_now();
	weft_time limit_ns = c->app->options.keep_alive_ns;
	ssize_t n;
	int r;

	for (;;) {
		if (c->was_cancelled)
			limit_ns = MIN(limit_ns, DRAIN_IDLE_NS);
		weft__kept_timeout_begin_at(&c->idle,
					    weft__time_add(idle_since, limit_ns));
		n = weft__stream_peek(c->stream, data, 0);
		r = weft__kept_timeout_end(&c->idle, n < 0 ? (int)n : 0);
		if (r == -ETIMEDOUT)
			return look_once_more(c->stream, data);
		if (r != -ECANCELED || c->was_cancelled)
			return r < 0 ? r : n;
		c->was_cancelled = true;
	}
}

/* The head did not come whole with its first bytes: it has header_ns from now on. */
static int read_rest_of_head(struct connection *c, const char **data, size_t size)
{
	struct http_request_head *head = &c->request->head;
	struct weft_timeout timeout;
	ssize_t n;
	int r;

	weft_timeout_begin(&timeout, c->app->options.header_ns);
	do {
		n = weft__stream_peek(c->stream, data, size);
		if (n == -ECANCELED && weft_timeout_expired(&timeout)) {
			r = -ETIMEDOUT;
		} else if (n == -ECANCELED && !c->was_cancelled) {
			c->was_cancelled = true; /* but this one is still answered */
			r = HTTP_MORE;
		} else if (n < 0) {
			r = (int)n;
		} else if ((size_t)n <= size) {
			r = -ENODATA;
		} else {
			size = (size_t)n;
			r = weft__http_request_head_parse(head, *data, size);
		}
	} while (r == HTTP_MORE);
	return weft_timeout_end(&timeout, r);
}

/* HTTP_DONE: there is a head, at `data`. 0: nothing more will come. Or what went wrong. */
static int read_head(struct connection *c, const char **data)
{
	ssize_t n = wait_for_request(c, data);
	int r;

	if (n <= 0)
		return (int)n;
	c->request = weft__http_spare_take(c->app, c->stream);
	if (!c->request)
		return -ENOMEM;
	r = weft__http_request_head_parse(&c->request->head, *data, (size_t)n);
	return r == HTTP_MORE ? read_rest_of_head(c, data, (size_t)n) : r;
}

/* ---- Answers of our own ---- */

/* In a shield: an answer is given, also while the server is being drained. */
static enum next reply_error(struct weft_http_request *request, int status,
			     const char *problem, enum next next)
{
	struct weft_shield shield;
	int r;

	weft_shield_begin(&shield, request->app->options.request_ns);
	r = weft__http_reply_error(request, status, problem);
	r = weft_shield_end(&shield, r);
	return r < 0 ? NEXT_ABORT : next;
}

/* Answers what cannot be a request, as far as somebody is there to be answered. */
static enum next refuse_head(struct connection *c, int error)
{
	struct weft_http_request *request = c->request;
	struct http_refusal refusal;

	if (!request) /* nothing has come, or there is no memory even to say so */
		return NEXT_CLOSE;
	refusal = request->head.refusal;
	weft__http_request_distrust(request);
	switch (error) {
	case -EBADMSG:
		return reply_error(request, refusal.status, refusal.problem, NEXT_LINGER);
	case -ETIMEDOUT:
		return reply_error(request, 408, "the request comes too slowly",
				   NEXT_LINGER);
	case -ENOMEM:
		return reply_error(request, 503, NULL, NEXT_LINGER);
	default: /* the client has left, or we have been cancelled a second time */
		return NEXT_CLOSE;
	}
}

/* Nobody answers the method on this path. */
static enum next answer_without_route(struct weft_http_request *request)
{
	char *allow = request->text_scratch;

	if (!request->match.is_known_path)
		return reply_error(request, 404, NULL, NEXT_REQUEST);
	weft__http_routes_allow(&request->app->routes,
				weft__http_request_raw_path(request), allow,
				sizeof(request->text_scratch));
	weft_http_reply_header(request, "Allow", allow);
	return reply_error(request, 405, NULL, NEXT_REQUEST);
}

/* ---- Answers of handlers ---- */

static int call_handler(struct weft_http_request *request)
{
	const struct http_route *route = request->match.route;
	int r = route->fn(request, route->arg);

	if (r < 0)
		return r;
	if (request->reply.state == HTTP_REPLY_NONE)
		return weft_http_reply(request, 204, NULL, weft_bytes_of("", 0));
	return weft__http_reply_end(request);
}

static int call_watched_handler(struct weft_http_request *request)
{
	struct http_watch watch;

	weft__http_watch_begin(&watch, request);
	return weft__http_watch_end(&watch, call_handler(request));
}

static int run_handler(struct weft_http_request *request)
{
	const struct weft_http_app_options *options = &request->app->options;
	struct weft_shield shield;
	int r;

	weft_shield_begin(&shield, options->request_ns);
	if (options->cancel_on_disconnect)
		r = call_watched_handler(request);
	else
		r = call_handler(request);
	return weft_shield_end(&shield, r);
}

/* Did the stream fail under the handler? What it returns may come from elsewhere. */
static bool client_left(const struct weft_http_request *request)
{
	const struct http_body *body = &request->body;

	return request->has_left || request->has_lost_writes ||
	       (body->error < 0 && body->error != -EBADMSG);
}

/* What an error of the body says to the client. */
static int status_of_body(int error)
{
	switch (error) {
	case -EMSGSIZE:
		return 413;
	case -ETIMEDOUT:
		return 408;
	default:
		return 400;
	}
}

static void report_failure(const struct weft_http_request *request, int error)
{
	struct weft_bytes path = weft__http_request_raw_path(request);

	/* The path as it came: all of its bytes can be printed. */
	weft__report(WEFT_FAILURE,
		     &(struct weft_report){ .error = weft_error_of(error),
					    .loop = weft_loop_current(),
					    .task = weft_task_current() },
		     "the handler of %.50s %.*s failed: %s", request->method,
		     (int)MIN(path.size, 200), (const char *)path.data,
		     weft_error_text(error));
}

/* The handler failed. What can the client still be told? */
static enum next answer_failure(struct weft_http_request *request, int error)
{
	enum http_reply_state state = request->reply.state;

	if (client_left(request))
		return NEXT_ABORT;
	if (state == HTTP_REPLY_NONE)
		weft__http_reply_reset(request); /* what the handler has said is void */
	if (error == request->body_failure && state == HTTP_REPLY_NONE) {
		request->must_close = true;
		return reply_error(request, status_of_body(error), weft_error_text(error),
				   NEXT_LINGER);
	}
	report_failure(request, error);
	if (state == HTTP_REPLY_DONE)
		return NEXT_REQUEST;
	if (state == HTTP_REPLY_BEGUN)
		return NEXT_ABORT;
	return reply_error(request, error == -ETIMEDOUT ? 504 : 500, NULL, NEXT_REQUEST);
}

/* Reads what the handler left of the body. Being asked to drain does not end that. */
static int pass_over_body(struct connection *c)
{
	int r = weft__http_request_drain(c->request);

	if (r != -ECANCELED || c->was_cancelled)
		return r;
	c->was_cancelled = true;
	return weft__http_request_drain(c->request);
}

/* The reply is complete. What becomes of the connection? */
static enum next finish_request(struct connection *c)
{
	struct weft_http_request *request = c->request;
	bool client_closes;

	if (!request->must_close)
		return pass_over_body(c) < 0 ? NEXT_LINGER : NEXT_REQUEST;
	/* Who asked for the end and has sent all that it said sends nothing more. */
	client_closes =
		!http_framing_keeps_alive(&request->head.framing, request->head.minor);
	if (client_closes && request->body.has_ended &&
	    !weft__stream_has_unread(request->stream))
		return NEXT_CLOSE;
	return NEXT_LINGER;
}

static enum next answer(struct connection *c, const char *data)
{
	struct weft_http_request *request = c->request;
	enum next next = NEXT_REQUEST;
	int r;

	r = weft__http_request_begin(request, data);
	if (r < 0)
		return refuse_head(c, r);
	c->n_requests++;
	request->must_close |=
		c->was_cancelled || c->n_requests >= c->app->options.max_requests;
	if (weft__http_request_route(request)) {
		r = run_handler(request);
		if (r < 0)
			next = answer_failure(request, r);
	} else {
		next = answer_without_route(request);
	}
	if (request->has_lost_writes)
		next = NEXT_ABORT;
	return next == NEXT_REQUEST ? finish_request(c) : next;
}

/* ---- The connection ---- */

static enum next serve_request(struct connection *c)
{
	const char *data;
	enum next next;
	int r;

	r = read_head(c, &data);
	if (r == 0)
		return NEXT_CLOSE;
	next = r < 0 ? refuse_head(c, r) : answer(c, data);
	weft__http_spare_give(c->request);
	c->request = NULL;
	return next;
}

/*
 * Ends the connection. First the kernel has to have the reply, also while the server is being
 * drained, which is what the shield is for. False if bytes of the reply were lost.
 */
static bool end_connection(struct connection *c, enum next next)
{
	weft_stream *stream = c->stream;
	struct weft_shield shield;
	int r;

	if (next == NEXT_ABORT)
		return false;
	weft_shield_begin(&shield, c->app->options.request_ns);
	r = weft_stream_flush(stream);
	r = weft_shield_end(&shield, r);
	if (r == 0 && next == NEXT_LINGER)
		r = weft__stream_linger(stream, LINGER_NS, LINGER_MAX);
	return r == 0;
}

int weft_http_serve_connection(weft_stream *stream, void *arg)
{
	const struct weft_http_app *app = arg;
	struct connection c = { .app = app, .stream = stream };
	enum next next;
	int r = weft__stream_check(stream, __func__);

	if (r < 0)
		return r;
	if (app->error < 0)
		return weft_error_set(app->error, "%s",
				      app->problem ? app->problem
						   : "a route could not be added");
	weft__stream_set_write_stall(stream, app->options.write_stall_ns);
	weft_stream_finish_on_cancel(stream);
	weft__kept_timeout_init(&c.idle);
	do
		next = serve_request(&c);
	while (next == NEXT_REQUEST);
	weft__kept_timeout_fini(&c.idle);
	return end_connection(&c, next) ? 0 : -ECONNRESET;
}
