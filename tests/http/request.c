/*
 * What handlers are told about their requests.
 */
#include "tests/http/peer.h"

static int tell_all(weft_http_request *request, void *arg)
{
	const char *id = weft_http_request_param(request, "id");
	const char *q = weft_http_request_query(request, "q");
	const char *x = weft_http_request_header(request, "x-a");
	const struct weft_http_header *headers;
	size_t n;

	cr_expect_eq(id, weft_http_request_param(request, "id"), "made once");
	cr_expect_null(weft_http_request_param(request, "other"));
	cr_expect_null(weft_http_request_query(request, "other"));
	cr_expect_null(weft_http_request_header(request, "other"));
	headers = weft_http_request_headers(request, &n);
	cr_assert_ge(n, 1);
	cr_expect_str_eq(headers[0].name, "Host");
	cr_expect_str_eq(headers[0].value, "a");
	cr_expect_not_null(weft_http_request_stream(request));
	return weft_http_reply_text(request, 200, "%s|%s|%s|%s|%s|%s", (const char *)arg,
				    weft_http_request_path(request), id ? id : "-",
				    q ? q : "-", x ? x : "-",
				    weft_http_request_query_string(request));
}

static int ask_routes(void *arg)
{
	static const struct question questions[] = {
		{ "a name", "GET /u/7 HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL,
		  "get|/u/7|7|-|-|" },
		{ "an escaped name",
		  "GET /u/a%2Fb%20c?q=%41+1 HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL,
		  "get|/u/a/b c|a/b c|A 1|-|q=%41+1" },
		{ "an empty value", "GET /u/7?q HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL,
		  "get|/u/7|7||-|q" },
		{ "headers joined",
		  "GET /u/7 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nb: c\r\nx-a: 2\r\n\r\n", 200,
		  NULL, "get|/u/7|7|-|1, 2|" },
		{ "an empty header", "GET /u/7 HTTP/1.1\r\nHost: a\r\nX-A:\r\n\r\n", 200,
		  NULL, "get|/u/7|7|-||" },
		{ "another method", "POST /u/7 HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL,
		  "post|/u/7|7|-|-|" },
		{ "no such method", "PUT /u/7 HTTP/1.1\r\nHost: a\r\n\r\n", 405,
		  "Allow: GET, HEAD, POST", NULL },
		{ "no such method, escaped", "PUT /%75/7 HTTP/1.1\r\nHost: a\r\n\r\n",
		  405, "Allow: GET, HEAD, POST", NULL },
		{ "no such path", "GET /v HTTP/1.1\r\nHost: a\r\n\r\n", 404, NULL,
		  "404 Not Found\n" },
		{ "TRACE", "TRACE /u/7 HTTP/1.1\r\nHost: a\r\n\r\n", 405, NULL, NULL },
		{ "the server", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL, "" },
		{ "the root, absolutely", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  NULL, "root|/|-|-|-|" },
		{ "the root, by the wrong method",
		  "PUT http://a HTTP/1.1\r\nHost: a\r\n\r\n", 405, "Allow: GET, HEAD",
		  NULL },
		{ "the root, absolutely, asked",
		  "GET http://a?q=1 HTTP/1.1\r\nHost: a\r\n\r\n", 200, NULL,
		  "root|/|-|1|-|q=1" },
		{ "HEAD", "HEAD /u/7 HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Content-Length: 15", "" },
		{ "HEAD of nothing", "HEAD /v HTTP/1.1\r\nHost: a\r\n\r\n", 404,
		  "Content-Length: 14", "" },
	};
	weft_http_app *app = app_of(NULL);

	(void)arg;
	weft_http_app_route(app, "GET", "/u/{id}", tell_all, (char[]){ "get" });
	weft_http_app_route(app, "POST", "/u/{id}", tell_all, (char[]){ "post" });
	weft_http_app_route(app, "GET", "/", tell_all, (char[]){ "root" });
	expect_answers(app, questions, ARRAY_SIZE(questions));
	weft_http_app_free(app);
	return 0;
}

Test(request, routes_requests_and_tells_handlers_what_was_asked)
{
	run_virtual(ask_routes, NULL);
}

/* HTTP/1.0 may come without any. */
static int tell_headers(weft_http_request *request, void *arg)
{
	size_t n = 1;

	(void)arg;
	cr_expect_null(weft_http_request_header(request, "Host"));
	(void)weft_http_request_headers(request, &n);
	return weft_http_reply_text(request, 200, "%zu headers", n);
}

static int ask_without_headers(void *arg)
{
	static const struct question question = {
		"no headers", "GET / HTTP/1.0\r\n\r\n", 200, NULL, "0 headers",
	};
	weft_http_app *app = app_of(NULL);

	(void)arg;
	weft_http_app_route(app, "GET", "/", tell_headers, NULL);
	expect_answers(app, &question, 1);
	weft_http_app_free(app);
	return 0;
}

Test(request, may_have_no_headers)
{
	run_virtual(ask_without_headers, NULL);
}
