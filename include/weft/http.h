/*
 * HTTP: a server that is a connection handler, and a client.
 *
 * An application is a table of routes. It becomes a server by weft_http_serve_connection, the
 * handler for weft_listen() or weft_serve(), with the application as its argument:
 *
 *	static int hello(weft_http_request *request, void *arg)
 *	{
 *		return weft_http_reply_text(request, 200, "hello %s\n",
 *					    weft_http_request_param(request, "name"));
 *	}
 *	…
 *	weft_http_app_route(app, "GET", "/hello/{name}", hello, NULL);
 *	weft_serve(&options, weft_http_serve_connection, app);
 *
 * Texts that a request or a response gives out are terminated strings, decoded once, borrowed
 * until the handler returns or the response is freed. Only the value of a query can hold line
 * breaks. Bodies are bytes.
 *
 * The server is strict: what leaves two readings open (both length headers, a bare line feed, no
 * Host, dots in the path …) is answered 400 and the connection closed, before any handler runs.
 */
#ifndef WEFT_HTTP_H
#define WEFT_HTTP_H

#include <weft/stream.h>

WEFT_BEGIN_DECLS

/** struct weft_http_header - a line of the head of a request or response */
struct weft_http_header {
	const char *name;
	const char *value;
};

/* ---- Server ---- */

typedef struct weft_http_app weft_http_app;
typedef struct weft_http_request weft_http_request;

/**
 * weft_http_handler - answers one request
 *
 * Returning a negative errno without having replied answers 500 (504 for -ETIMEDOUT), and is
 * reported. Returning 0 without having replied answers 204. An error that reading the body gave
 * is the client's, and answers 400, 408 or 413.
 *
 * A handler may wait, and runs to its end even when its server is stopped meanwhile, within
 * the limit of @request_ns.
 */
typedef int weft_http_handler(weft_http_request *request, void *arg);

/**
 * struct weft_http_app_options - zero stands for the default of each
 * @request_line_limit: bytes of the request line; beyond it 414 (8 KiB)
 * @header_limit:   bytes of all headers; beyond it 431 (32 KiB)
 * @header_count:   how many headers; beyond it 431 (100)
 * @body_limit:     bytes of a body that is read whole; beyond it 413 (1 MiB)
 * @max_requests:   per connection; the last is answered with "Connection: close" (1000)
 * @header_ns:      from the first byte until the headers are complete; then 408 (10 s)
 * @body_stall_ns:  a body without progress, that is below 1 KiB/s, for so long: 408 (10 s)
 * @write_stall_ns: a write without progress, of which the client takes no byte for so long: the
 *                  connection is aborted (30 s)
 * @request_ns:     until the handler has answered (300 s)
 * @keep_alive_ns:  an idle connection is closed after this (75 s)
 * @cancel_on_disconnect: cancel the handler when the client goes away
 *
 * Trailers have the limits of headers. After 408, 413, 414 and 431 the connection is closed.
 */
struct weft_http_app_options {
	size_t request_line_limit;
	size_t header_limit;
	size_t header_count;
	size_t body_limit;
	long max_requests;
	weft_time header_ns;
	weft_time body_stall_ns;
	weft_time write_stall_ns;
	weft_time request_ns;
	weft_time keep_alive_ns;
	bool cancel_on_disconnect;
	uintptr_t reserved[8];
};

/**
 * weft_http_app_new() - make an application
 * @options: may be NULL
 * @app:     receives it; free it with weft_http_app_free() after serving
 *
 * Return: 0; -ENOMEM; -EINVAL for a limit that is negative, or beyond 256 MiB for a head.
 *
 * Thread: any; it can be used by all loops once its routes are complete.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_http_app_new(const struct weft_http_app_options *options, weft_http_app **app);

/**
 * weft_http_app_free() - release an application that is not being served
 * @app: may be NULL
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API void weft_http_app_free(weft_http_app *app);

/**
 * weft_http_app_route() - say who answers what
 * @app:     not yet served
 * @method:  "GET" (answers HEAD as well), "POST" …, "*" for any but TRACE
 * @pattern: "/users/{id}"; a name in braces is one segment, "{rest*}" all that follow. Where
 *           several fit, a text goes before a name, and a name before the rest.
 * @handler: who answers
 * @arg:     borrowed by @app
 *
 * A route that cannot be added is remembered, and serving answers with its error: there is
 * nothing to check here.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API void weft_http_app_route(weft_http_app *app, const char *method, const char *pattern,
				  weft_http_handler *handler, void *arg);

/**
 * weft_http_serve_connection() - a weft_connection_fn that speaks HTTP
 * @stream: borrowed
 * @app:    the application, as void * for weft_listen() and weft_serve()
 *
 * Cancelling its task is how a server drains: a request in progress is answered, with
 * "Connection: close"; one that comes within a second of the last is answered as well; then the
 * connection ends.
 *
 * Return: 0 when the connection is over; -ECONNRESET if it was cut, because the client left or
 * its reply could not be completed; -ENOMEM; the error of a route that could not be added.
 *
 * Thread: task.
 * Cancellation point: yes; a request in progress is answered first.
 */
WEFT_API int weft_http_serve_connection(weft_stream *stream, void *app);

/**
 * weft_http_request_method() - "GET", "POST" …
 * @request: the request
 *
 * Return: borrowed from @request.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_http_request_method(const weft_http_request *request);

/**
 * weft_http_request_path() - the path, decoded, without the query
 * @request: the request
 *
 * Return: borrowed from @request.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_http_request_path(const weft_http_request *request);

/**
 * weft_http_request_param() - what stood in the place of a {name} of the route
 * @request: the request
 * @name:    as in the pattern
 *
 * Return: borrowed from @request; NULL if the route has no such name, or without memory.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_http_request_param(const weft_http_request *request,
					     const char *name);

/**
 * weft_http_request_query() - a value of the query string
 * @request: the request
 * @name:    "q" of "?q=1"
 *
 * Return: borrowed from @request, the first if there are several; NULL if there is none, or
 * without memory.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_http_request_query(const weft_http_request *request,
					     const char *name);

/**
 * weft_http_request_query_string() - the query as it came, "q=1&lang=en"
 * @request: the request
 *
 * Return: borrowed from @request, not decoded, without the "?"; "" if there is none.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_http_request_query_string(const weft_http_request *request);

/**
 * weft_http_request_header() - a header
 * @request: the request
 * @name:    in any case
 *
 * Return: borrowed from @request, several joined by ", "; NULL if there is none, or without
 * memory.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_http_request_header(const weft_http_request *request,
					      const char *name);

/**
 * weft_http_request_headers() - all headers, in the order in which they came
 * @request:   the request
 * @n_headers: receives their number
 *
 * Return: an array, borrowed from @request; NULL if there are none.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const struct weft_http_header *
weft_http_request_headers(const weft_http_request *request, size_t *n_headers);

/**
 * weft_http_request_stream() - the connection, for weft_stream_peername() and the like
 * @request: the request
 *
 * Return: borrowed from @request; do not read, write or close it.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const weft_stream *weft_http_request_stream(const weft_http_request *request);

/**
 * weft_http_request_body() - the whole body
 * @request: the request
 * @body:    receives the bytes, borrowed from @request
 *
 * What weft_http_request_read() has taken before is not part of it.
 *
 * Return: 0; -EMSGSIZE beyond the limit (413); -EBADMSG for a body that breaks the rules (400);
 * -ETIMEDOUT if it comes too slowly (408): return it, and that is the answer. -ENODATA or
 * -ECONNRESET if the client left; -ECANCELED; -ENOMEM.
 *
 * Thread: task.
 * Cancellation point: yes, unless it has been read.
 */
WEFT_API WEFT_MUST_CHECK int
weft_http_request_body(weft_http_request *request, struct weft_bytes *body);

/**
 * weft_http_request_read() - the next part of the body, of any length
 * @request: the request
 * @buffer:  filled
 * @size:    bytes at @buffer
 *
 * Return: the number of bytes, 0 at the end; and as weft_http_request_body(), but that there is no
 * limit.
 *
 * Thread: task.
 * Cancellation point: yes, unless some are there.
 */
WEFT_API WEFT_MUST_CHECK ssize_t
weft_http_request_read(weft_http_request *request, void *buffer, size_t size);

/**
 * weft_http_reply_header() - add a header to the reply to come
 * @request: not yet replied to
 * @name:    a token
 * @value:   without line breaks
 *
 * What the reply says by itself is refused: lengths and codings, and of "Connection" all but
 * "close". "Date" and "Content-Type" replace its own. A header that is refused is remembered: the
 * reply becomes 500, and weft_http_reply() returns the error.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_http_reply_header(weft_http_request *request, const char *name,
				     const char *value);

/**
 * weft_http_reply() - send a reply
 * @request: not yet replied to
 * @status:  200 to 599
 * @type:    content type; may be NULL
 * @body:    the caller's again on return; HEAD and 304 send its length alone, 204 not even that
 *
 * Return: 0; -EPIPE or -ECONNRESET if the client left; -ETIMEDOUT if it takes nothing; -EALREADY;
 * -EINVAL for a bad status, type or header, or -ENOMEM, for which it becomes 500; -ECANCELED.
 *
 * Thread: task.
 * Cancellation point: yes, above the stream's high-water mark.
 */
WEFT_API int weft_http_reply(weft_http_request *request, int status, const char *type,
			     struct weft_bytes body);

/**
 * weft_http_reply_text() - send formatted text as text/plain in UTF-8
 * @request: not yet replied to
 * @status:  200 to 599
 * @format:  as for printf(3)
 *
 * Return: as weft_http_reply().
 *
 * Thread: task.
 * Cancellation point: yes, above the stream's high-water mark.
 */
WEFT_API int weft_http_reply_text(weft_http_request *request, int status, const char *format,
				  ...) WEFT_PRINTF(3, 4);

/**
 * weft_http_reply_begin() - send the head of a reply whose body follows in pieces
 * @request: not yet replied to
 * @status:  200 to 599
 * @type:    content type; may be NULL
 * @length:  bytes of the body, declared as Content-Length; -1 for chunked
 *
 * The body ends when the handler returns; with an error, or short of @length, the connection is
 * cut, so that the client sees that it is not complete. HEAD and 304 keep the declared length,
 * and what is written is not sent.
 *
 * Return: as weft_http_reply(); -EINVAL for a @length below -1.
 *
 * Thread: task.
 * Cancellation point: yes, above the stream's high-water mark.
 */
WEFT_API int weft_http_reply_begin(weft_http_request *request, int status, const char *type,
				   int64_t length);

/**
 * weft_http_reply_write() - send a piece
 * @request: begun
 * @data:    the caller's again on return
 * @size:    bytes at @data
 *
 * Return: as weft_http_reply(); -EMSGSIZE beyond the declared length, with nothing sent.
 *
 * Thread: task.
 * Cancellation point: yes, above the stream's high-water mark.
 */
WEFT_API int weft_http_reply_write(weft_http_request *request, const void *data, size_t size);

/* ---- Client ---- */

typedef struct weft_http_client weft_http_client;
typedef struct weft_http_response weft_http_response;

/**
 * struct weft_http_client_options - zero stands for the default of each
 * @max_connections: in all (100)
 * @max_per_host:    (no limit)
 * @max_redirects:   (10); -1 follows none, and gives out the redirecting response
 * @keep_alive_ns:   an idle connection is closed after this (15 s)
 * @limit_ns:        for a request up to its headers (300 s)
 *
 * Heads have the limits of struct weft_http_app_options.
 */
struct weft_http_client_options {
	int max_connections;
	int max_per_host;
	int max_redirects;
	weft_time keep_alive_ns;
	weft_time limit_ns;
	uintptr_t reserved[8];
};

/**
 * weft_http_client_new() - make a client with its pool of connections
 * @options: may be NULL
 * @client:  receives it; free it with weft_http_client_free()
 *
 * Return: 0; -ENOMEM; -EINVAL for a negative limit; -EPERM without a loop.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_http_client_new(const struct weft_http_client_options *options,
		     weft_http_client **client);

/**
 * weft_http_client_free() - close its connections; responses must have been freed
 * @client: may be NULL
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_http_client_free(weft_http_client *client);

/**
 * struct weft_http_fetch_options - zero stands for the default of each
 * @headers:   @n_headers of them; lengths and codings are not for them to say
 * @n_headers: their number
 * @body:      none
 * @type:      content type of @body
 */
struct weft_http_fetch_options {
	const struct weft_http_header *headers;
	size_t n_headers;
	struct weft_bytes body;
	const char *type;
	uintptr_t reserved[6];
};

/**
 * weft_http_fetch() - send a request and wait for the head of its response
 * @client:   the client
 * @method:   "GET", "POST" …
 * @url:      "http://host:port/path?query"
 * @options:  may be NULL; borrowed until this returns
 * @response: receives it; free it with weft_http_response_free()
 *
 * A status such as 404 is a response, not an error. A redirect is followed: 303 by GET, 301 and
 * 302 by GET instead of POST, 307 and 308 by the same again; Authorization and Cookie do not go
 * to another host. A request on a kept connection that turns out to be closed is sent once
 * more on a new one, if nothing came back and its method may be repeated.
 *
 * Return: 0; -EINVAL for a bad method, URL or header; -ENOTSUP for https; -ENOENT, -ECONNREFUSED,
 * -ETIMEDOUT … of the connection; -ENODATA if it ended before the response; -EBADMSG for a
 * response that breaks the rules; -ELOOP for too many redirects; -ENOMEM; -ECANCELED.
 *
 * Thread: task, on the client's loop.
 * Cancellation point: yes.
 */
WEFT_API WEFT_MUST_CHECK int
weft_http_fetch(weft_http_client *client, const char *method, const char *url,
		const struct weft_http_fetch_options *options,
		weft_http_response **response);

/**
 * weft_http_response_free() - release a response; its connection is kept if it was read
 * @response: may be NULL
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_http_response_free(weft_http_response *response);

/**
 * weft_http_response_status() - 200, 404 …
 * @response: the response
 *
 * Return: the number.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_http_response_status(const weft_http_response *response);

/**
 * weft_http_response_header() - a header
 * @response: the response
 * @name:     in any case
 *
 * Return: borrowed from @response, several joined by ", "; NULL if there is none, or without
 * memory.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_http_response_header(const weft_http_response *response,
					       const char *name);

/**
 * weft_http_response_headers() - all headers, in the order in which they came
 * @response:  the response
 * @n_headers: receives their number
 *
 * Return: an array, borrowed from @response; NULL if there are none.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const struct weft_http_header *
weft_http_response_headers(const weft_http_response *response, size_t *n_headers);

/**
 * weft_http_response_read() - the next part of the body
 * @response: the response
 * @buffer:   filled
 * @size:     bytes at @buffer
 *
 * Return: the number of bytes, 0 at the end; -ENODATA if it was cut; -EBADMSG; -ECANCELED.
 *
 * Thread: task, on the client's loop.
 * Cancellation point: yes, unless some are there.
 */
WEFT_API WEFT_MUST_CHECK ssize_t
weft_http_response_read(weft_http_response *response, void *buffer, size_t size);

/**
 * weft_http_response_body() - the whole body
 * @response:  the response
 * @max_bytes: beyond it, -EMSGSIZE
 * @body:      receives the bytes, borrowed from @response, a zero byte after them
 *
 * Return: 0; -ENOMEM; and as weft_http_response_read().
 *
 * Thread: task, on the client's loop.
 * Cancellation point: yes, unless it has been read.
 */
WEFT_API WEFT_MUST_CHECK int
weft_http_response_body(weft_http_response *response, size_t max_bytes,
			struct weft_bytes *body);

WEFT_END_DECLS

#endif
