/*
 * A request of the client and its response, on a connection that may be an old one.
 */
#include "tests/http/script.h"

#include <stdio.h>

static int fetch_all_kinds(void *arg)
{
	static const struct {
		const char *name;
		const char *method;
		struct step step;
		int status;
		const char *body;
		bool is_kept;
	} cases[] = {
		{ "a length", "GET", { .reply = OK_TEXT }, 200, "hello", true },
		{ "no bytes",
		  "GET",
		  { .reply = OK "Content-Length: 0\r\n\r\n" },
		  200,
		  "",
		  true },
		{ "chunks",
		  "GET",
		  { .reply = OK
		    "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n"
		    "0\r\nX: y\r\n\r\n" },
		  200,
		  "hello",
		  true },
		{ "up to the end",
		  "GET",
		  { .reply = OK "\r\nhello", .closes = true },
		  200,
		  "hello",
		  false },
		{ "close",
		  "GET",
		  { .reply = OK "Connection: close\r\nContent-Length: 5\r\n\r\nhello" },
		  200,
		  "hello",
		  false },
		{ "HTTP/1.0",
		  "GET",
		  { .reply = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
		  200,
		  "hello",
		  false },
		{ "HTTP/1.0 kept",
		  "GET",
		  { .reply = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
			     "Content-Length: 5\r\n\r\nhello" },
		  200,
		  "hello",
		  true },
		{ "HEAD",
		  "HEAD",
		  { .reply = OK "Content-Length: 5\r\n\r\n" },
		  200,
		  "",
		  true },
		{ "HEAD of chunks",
		  "HEAD",
		  { .reply = OK "Transfer-Encoding: chunked\r\n\r\n" },
		  200,
		  "",
		  true },
		{ "204",
		  "GET",
		  { .reply = "HTTP/1.1 204 No Content\r\n\r\n" },
		  204,
		  "",
		  true },
		{ "304",
		  "GET",
		  { .reply = "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n" },
		  304,
		  "",
		  true },
		{ "404",
		  "GET",
		  { .reply = "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno" },
		  404,
		  "no",
		  true },
		{ "interim responses",
		  "GET",
		  { .reply =
			    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n"
			    "\r\n" OK_TEXT },
		  200,
		  "hello",
		  true },
		{ "something behind it",
		  "GET",
		  { .reply = OK_TEXT "HTTP/1.1 200 OK\r\n" },
		  200,
		  "hello",
		  false },
		{ "a body that HEAD cannot have",
		  "HEAD",
		  { .reply = OK_TEXT },
		  200,
		  "",
		  false },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct step steps[] = { cases[i].step, { .reply = OK_TEXT } };
		weft_http_client *client = client_of(NULL);
		weft_http_response *response;
		struct weft_bytes body;
		struct script script;
		char text[16];

		script_begin(&script, steps);
		cr_assert_eq(fetch_with(client, &script, cases[i].method, "/", NULL,
					&response),
			     0, "%s: %s", cases[i].name, weft_error_text(-EBADMSG));
		cr_expect_eq(weft_http_response_status(response), cases[i].status, "%s",
			     cases[i].name);
		cr_expect_eq(weft_http_response_body(response, 100, &body), 0, "%s",
			     cases[i].name);
		cr_expect_str_eq(body.data, cases[i].body, "%s", cases[i].name);
		weft_http_response_free(response);

		cr_expect_eq(get(client, &script, "/", text, sizeof(text)), 200, "%s",
			     cases[i].name);
		cr_expect_eq(script.n_connections, cases[i].is_kept ? 1 : 2,
			     "%s: %d connections", cases[i].name, script.n_connections);
		weft_http_client_free(client);
		script_end(&script);
	}
	return 0;
}

Test(exchange, reads_every_kind_of_response_and_keeps_what_can_be_kept)
{
	run_real(fetch_all_kinds, NULL);
}

static int fetch_parts(void *arg)
{
	static const struct step steps[] = {
		{ .reply = OK
		  "X-A: 1\r\nSet-Cookie: b\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello" },
		{ .reply = OK_TEXT },
	};
	const struct weft_http_header headers[] = { { "X-B", "c d" },
						    { "accept", "text/html" } };
	const struct weft_http_fetch_options options = {
		.headers = headers,
		.n_headers = 2,
		.body = weft_bytes_text("some text"),
		.type = "text/plain",
	};
	weft_http_client *client = client_of(NULL);
	const struct weft_http_header *got;
	weft_http_response *response;
	struct script script;
	char expected[1000];
	char text[3];
	size_t n;

	(void)arg;
	script_begin(&script, steps);
	cr_assert_eq(fetch_with(client, &script, "POST", "/a/../b?c=d#e", &options,
				&response),
		     0);
	snprintf(
		expected, sizeof(expected),
		"POST /b?c=d HTTP/1.1\r\nHost: %s\r\nUser-Agent: weft/%s\r\nX-B: c d\r\n"
		"accept: text/html\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n"
		"some text",
		script.host, weft_version());
	cr_expect_str_eq(script.last, expected);
	cr_expect_str_eq(weft_http_response_header(response, "X-A"), "1, 2");
	cr_expect_str_eq(weft_http_response_header(response, "set-cookie"), "b");
	cr_expect_null(weft_http_response_header(response, "Y"));
	got = weft_http_response_headers(response, &n);
	cr_assert_eq(n, 4);
	cr_expect_str_eq(got[1].name, "Set-Cookie");
	cr_expect_eq(weft_http_response_read(response, text, 3), 3);
	cr_expect_arr_eq(text, "hel", 3);
	cr_expect_eq(weft_http_response_read(response, text, 3), 2);
	cr_expect_arr_eq(text, "lo", 2);
	cr_expect_eq(weft_http_response_read(response, text, 3), 0);
	weft_http_response_free(response);

	cr_assert_eq(fetch_with(client, &script, "PUT", "", NULL, &response), 0);
	cr_expect(strstr(script.last, "PUT / HTTP/1.1\r\n") == script.last, "%s",
		  script.last);
	cr_expect(strstr(script.last, "\r\nAccept: */*\r\nContent-Length: 0\r\n\r\n"),
		  "%s", script.last);
	weft_http_response_free(response);
	weft_http_client_free(client);
	script_end(&script);
	return 0;
}

Test(exchange, sends_what_it_is_told_and_gives_out_what_came)
{
	run_real(fetch_parts, NULL);
}

/* ---- Servers that break the rules ---- */

static int fetch_bad(void *arg)
{
	static const struct {
		const char *name;
		struct step step;
		int error; /* of weft_http_fetch() */
		int body_error; /* or of the body */
	} cases[] = {
		{ "nothing", { .reply = NULL }, -ENODATA, 0 },
		{ "half a head", { .reply = OK "X: y", .closes = true }, -ENODATA, 0 },
		{ "no HTTP", { .reply = "SSH-2.0-x\r\n" }, -EBADMSG, 0 },
		{ "two lengths",
		  { .reply = OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx" },
		  -EBADMSG,
		  0 },
		{ "both lengths",
		  { .reply = OK
		    "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n" },
		  -EBADMSG,
		  0 },
		{ "a bare LF",
		  { .reply = "HTTP/1.1 200 OK\nX: y\r\n\r\n" },
		  -EBADMSG,
		  0 },
		{ "a control character", { .reply = OK "X: \x01\r\n\r\n" }, -EBADMSG, 0 },
		{ "another protocol",
		  { .reply = "HTTP/1.1 101 X\r\n\r\n" },
		  -EBADMSG,
		  0 },
		{ "a body that is cut",
		  { .reply = OK "Content-Length: 6\r\n\r\nhello", .closes = true },
		  0,
		  -ENODATA },
		{ "chunks that are cut",
		  { .reply = OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		    .closes = true },
		  0,
		  -ENODATA },
		{ "a bad chunk",
		  { .reply = OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX" },
		  0,
		  -EBADMSG },
		{ "a large body",
		  { .reply = OK "Content-Length: 1000\r\n\r\nhello" },
		  0,
		  -EMSGSIZE },
		{ "a large body of chunks",
		  { .reply =
			    OK "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n" },
		  0,
		  -EMSGSIZE },
	};
	weft_http_response *response;
	struct weft_bytes body;
	struct script script;
	char text[16];
	int r;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct step steps[] = { cases[i].step, { .reply = OK_TEXT } };
		weft_http_client *client = client_of(NULL);

		script_begin(&script, steps);
		r = fetch_with(client, &script, "GET", "/", NULL, &response);
		cr_expect_eq(r, cases[i].error, "%s: %d", cases[i].name, r);
		if (r == 0) {
			r = weft_http_response_body(response, 10, &body);
			cr_expect_eq(r, cases[i].body_error, "%s: %d", cases[i].name, r);
			if (r != -EMSGSIZE)
				cr_expect_eq(weft_http_response_read(response, text, 1),
					     r, "%s", cases[i].name);
			weft_http_response_free(response);
		}
		cr_expect_eq(get(client, &script, "/", text, sizeof(text)), 200, "%s",
			     cases[i].name);
		cr_expect_eq(script.n_connections, 2, "%s", cases[i].name);
		weft_http_client_free(client);
		script_end(&script);
	}
	return 0;
}

Test(exchange, refuses_what_breaks_the_rules_and_never_uses_its_connection_again)
{
	run_real(fetch_bad, NULL);
}

/* A reply of so many of `piece`, then `end`. */
static char *repeated(const char *begin, const char *piece, size_t n, const char *end)
{
	char *text = malloc(strlen(begin) + n * strlen(piece) + strlen(end) + 1);
	char *at = stpcpy(text, begin);

	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, piece);
	strcpy(at, end);
	return text;
}

static int fetch_too_much(void *arg)
{
	char *replies[] = {
		repeated("", "HTTP/1.1 103 Early Hints\r\n\r\n", 17, OK_TEXT),
		repeated(OK, "X: y\r\n", 101, "\r\n"),
		repeated(OK "X: ", "0123456789", 4000, "\r\n\r\n"),
		repeated("HTTP/1.1 200 ", "0123456789", 1000, "\r\n\r\n"),
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		struct step steps[] = { { .reply = replies[i] } };
		weft_http_client *client = client_of(NULL);
		struct script script;
		char text[16];

		script_begin(&script, steps);
		cr_expect_eq(get(client, &script, "/", text, sizeof(text)), -EBADMSG,
			     "%zu", i);
		weft_http_client_free(client);
		script_end(&script);
		free(replies[i]);
	}
	return 0;
}

Test(exchange, limits_what_a_server_may_say)
{
	run_real(fetch_too_much, NULL);
}

/* ---- Connections that were kept ---- */

static int fetch_on_stale(void *arg)
{
	static const struct step closed_between[] = {
		{ .reply = OK_TEXT, .closes = true }, { .reply = OK_TEXT }
	};
	static const struct step closed_instead[] = { { .reply = OK_TEXT },
						      { .reply = NULL },
						      { .reply = OK_TEXT } };
	static const struct step closed_twice[] = { { .reply = OK_TEXT },
						    { .reply = NULL },
						    { .reply = NULL } };
	static const struct step cut[] = { { .reply = OK_TEXT },
					   { .reply = "HTTP/1.1 2", .closes = true } };
	static const struct {
		const char *name;
		const struct step *steps;
		const char *method;
		int result;
		int n_requests;
	} cases[] = {
		{ "closed in between", closed_between, "POST", 0, 2 },
		{ "closed instead of an answer", closed_instead, "GET", 0, 3 },
		{ "closed instead of an answer, not to be repeated", closed_instead,
		  "POST", -ENODATA, 2 },
		{ "closed twice", closed_twice, "GET", -ENODATA, 3 },
		{ "an answer that is cut", cut, "GET", -ENODATA, 2 },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_http_client *client = client_of(NULL);
		weft_http_response *response = NULL;
		struct script script;
		char text[16];
		int r;

		script_begin(&script, cases[i].steps);
		cr_expect_eq(get(client, &script, "/", text, sizeof(text)), 200);
		/* What the server closed has to arrive. */
		while (cases[i].steps[0].closes && script.n_open)
			cr_assert_eq(weft_sleep(WEFT_MSEC), 0);
		cr_assert_eq(weft_sleep(5 * WEFT_MSEC), 0);
		r = fetch_with(client, &script, cases[i].method, "/", NULL, &response);
		cr_expect_eq(r, cases[i].result, "%s: %d", cases[i].name, r);
		cr_expect_eq(script.n_requests, cases[i].n_requests, "%s: %d",
			     cases[i].name, script.n_requests);
		weft_http_response_free(response);
		weft_http_client_free(client);
		script_end(&script);
	}
	return 0;
}

Test(exchange, repeats_once_what_may_be_repeated)
{
	run_real(fetch_on_stale, NULL);
}

/* ---- Uploads ---- */

static int upload_too_much(void *arg)
{
	static const struct step steps[] = {
		{ .reply = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n"
			   "Connection: close\r\n\r\nno",
		  .closes = true },
	};
	const size_t size = 20000000;
	const struct weft_http_fetch_options options = { .body = { calloc(1, size),
								   size } };
	weft_http_client *client = client_of(NULL);
	weft_http_response *response;
	struct script script;
	int r;

	(void)arg;
	script_begin(&script, steps);
	script.is_deaf = true;
	r = fetch_with(client, &script, "POST", "/", &options, &response);
	/* The reset may come before the answer was read: then there is none to give out. */
	if (r == 0) {
		cr_expect_eq(weft_http_response_status(response), 413);
		weft_http_response_free(response);
	} else {
		cr_expect(r == -EPIPE || r == -ECONNRESET, "%d", r);
	}
	free((void *)(uintptr_t)options.body.data);
	weft_http_client_free(client);
	script_end(&script);
	return 0;
}

Test(exchange, reads_an_answer_that_comes_before_everything_is_sent)
{
	run_real(upload_too_much, NULL);
}
