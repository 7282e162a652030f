/*
 * Replies: what handlers say and what is sent.
 */
#include "tests/http/peer.h"

#include <stdio.h>

static int reply_status(weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply(request, atoi(weft_http_request_param(request, "status")),
			       "text/plain", weft_bytes_text("some text"));
}

static int reply_pieces(weft_http_request *request, void *arg)
{
	int64_t length = *(int64_t *)arg;
	int r = weft_http_reply_begin(request, 200, "text/plain", length);

	for (int i = 0; i < 3 && r == 0; i++)
		r = weft_http_reply_write(request, "12345", 5);
	cr_expect_eq(weft_http_reply_write(request, "", 0), 0);
	if (length >= 0)
		cr_expect_eq(weft_http_reply_write(request, "6", 1), -EMSGSIZE);
	return r;
}

/* In pieces, as those who never write any may do it, too. */
static int reply_begun(weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply_begin(
		request, atoi(weft_http_request_param(request, "status")), NULL, -1);
}

static int reply_nothing(weft_http_request *request, void *arg)
{
	(void)request;
	(void)arg;
	return 0;
}

static int reply_headers(weft_http_request *request, void *arg)
{
	char name[16];

	(void)arg;
	weft_http_reply_header(request, "Date", "today");
	weft_http_reply_header(request, "content-type", "text/html");
	weft_http_reply_header(request, "X-Empty", "");
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "X-%d", i);
		weft_http_reply_header(request, name, "value");
	}
	return weft_http_reply(request, 200, "text/plain", weft_bytes_text("x"));
}

static int reply_close(weft_http_request *request, void *arg)
{
	(void)arg;
	weft_http_reply_header(request, "Connection", "close");
	return weft_http_reply_text(request, 200, "bye");
}

static int reply_long_text(weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply_text(request, 200, "%0100000d", 7);
}

static int ask_replies(void *arg)
{
	static const struct question questions[] = {
		{ "200", "GET /status/200 HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Content-Length: 9", "some text" },
		{ "a type", "GET /status/200 HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Content-Type: text/plain", "some text" },
		{ "a status without a name",
		  "GET /status/299 HTTP/1.1\r\nHost: a\r\n\r\n", 299, NULL, "some text" },
		{ "204", "GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n", 204, NULL, "" },
		{ "205", "GET /status/205 HTTP/1.1\r\nHost: a\r\n\r\n", 205,
		  "Content-Length: 0", "" },
		{ "304", "GET /status/304 HTTP/1.1\r\nHost: a\r\n\r\n", 304,
		  "Content-Length: 9", "" },
		{ "HEAD", "HEAD /status/200 HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Content-Length: 9", "" },
		{ "no status", "GET /status/99 HTTP/1.1\r\nHost: a\r\n\r\n", 500, NULL,
		  "500 Internal Server Error\n" },
		{ "an interim status", "GET /status/100 HTTP/1.1\r\nHost: a\r\n\r\n", 500,
		  NULL, NULL },
		{ "too high a status", "GET /status/600 HTTP/1.1\r\nHost: a\r\n\r\n", 500,
		  NULL, NULL },
		{ "nothing", "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 204, NULL, "" },
		{ "pieces", "GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Transfer-Encoding: chunked", "123451234512345" },
		{ "pieces of a length", "GET /length HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Content-Length: 15", "123451234512345" },
		{ "200 without a piece", "GET /begun/200 HTTP/1.1\r\nHost: a\r\n\r\n",
		  200, "Transfer-Encoding: chunked", "" },
		{ "204 begun", "GET /begun/204 HTTP/1.1\r\nHost: a\r\n\r\n", 204, NULL,
		  "" },
		{ "205 begun", "GET /begun/205 HTTP/1.1\r\nHost: a\r\n\r\n", 205,
		  "Content-Length: 0", "" },
		{ "304 begun", "GET /begun/304 HTTP/1.1\r\nHost: a\r\n\r\n", 304, NULL,
		  "" },
		{ "HEAD of pieces", "HEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Transfer-Encoding: chunked", "" },
		{ "HEAD of a length", "HEAD /length HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Content-Length: 15", "" },
		{ "pieces for HTTP/1.0",
		  "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, CLOSE,
		  "123451234512345" },
		{ "HTTP/1.0", "GET /length HTTP/1.0\r\n\r\n", 200, CLOSE,
		  "123451234512345" },
		{ "HTTP/1.0 kept",
		  "GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200,
		  "Connection: keep-alive", "123451234512345" },
		{ "headers", "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "X-199: value", "x" },
		{ "a date of its own", "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "Date: today", "x" },
		{ "a type of its own", "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "content-type: text/html", "x" },
		{ "an empty header", "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n", 200,
		  "X-Empty: ", "x" },
		{ "close", "GET /close HTTP/1.1\r\nHost: a\r\n\r\n" SMUGGLED, 200, CLOSE,
		  "bye" },
	};
	int64_t chunked = -1;
	int64_t fifteen = 15;
	weft_http_app *app = app_of(NULL);
	struct peer_reply reply;
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "GET", "/status/{status}", reply_status, NULL);
	weft_http_app_route(app, "GET", "/begun/{status}", reply_begun, NULL);
	weft_http_app_route(app, "GET", "/nothing", reply_nothing, NULL);
	weft_http_app_route(app, "GET", "/pieces", reply_pieces, &chunked);
	weft_http_app_route(app, "GET", "/length", reply_pieces, &fifteen);
	weft_http_app_route(app, "GET", "/headers", reply_headers, NULL);
	weft_http_app_route(app, "GET", "/close", reply_close, NULL);
	weft_http_app_route(app, "GET", "/long", reply_long_text, NULL);
	weft_http_app_route(app, "GET", "/smuggled", must_not_run, NULL);
	expect_answers(app, questions, ARRAY_SIZE(questions));

	reply = peer_ask(&peer, app, "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect(!reply_has(&reply, "Content-Type: text/plain"));
	cr_expect(!strstr(peer.text + strlen("Date: today") + 17, "Date: "));
	peer_close(&peer);
	reply = peer_ask(&peer, app, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(reply.body_size, 100000);
	cr_expect(reply.is_complete);
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(reply, sends_what_handlers_reply)
{
	count_reports();
	run_virtual(ask_replies, NULL);
	cr_expect_eq(n_reports, 3, "one for each bad status");
}

/* ---- Replies that go wrong ---- */

static int reply_bad_header(weft_http_request *request, void *arg)
{
	const char *const *header = arg;

	weft_http_reply_header(request, header[0], header[1]);
	weft_http_reply_header(request, "Secret", "must not be sent");
	cr_expect_eq(weft_http_reply_text(request, 200, "fine"), -EINVAL);
	cr_expect_eq(weft_http_reply_text(request, 200, "fine"), -EALREADY);
	return 0;
}

static int ask_bad_headers(void *arg)
{
	static const char *headers[][2] = {
		{ "X", "a\r\nY: b" },
		{ "X", "a\nb" },
		{ "X", "a\rb" },
		{ "X", " a" },
		{ "X", "a\x01" },
		{ "X\r\nY", "a" },
		{ "X Y", "a" },
		{ "X:", "a" },
		{ "", "a" },
		{ "Content-Length", "3" },
		{ "transfer-encoding", "chunked" },
		{ "Connection", "keep-alive" },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		weft_http_app *app = app_of(NULL);
		struct peer_reply reply;
		struct peer peer;

		weft_http_app_route(app, "GET", "/", reply_bad_header, headers[i]);
		reply = peer_ask(&peer, app, GET "\r\n");
		cr_expect_eq(reply.status, 500, "%zu: %s", i, peer.text);
		cr_expect(reply_body_is(&reply, "500 Internal Server Error\n"), "%zu", i);
		cr_expect(!strstr(peer.text, "Secret") && !strstr(peer.text, "Y"), "%s",
			  peer.text);
		peer_close(&peer);
		weft_http_app_free(app);
	}
	return 0;
}

Test(reply, never_sends_a_header_that_could_end_a_line)
{
	run_virtual(ask_bad_headers, NULL);
}

/* ---- Without memory ---- */

/* Too long for the buffer, and one that does not look at what came of it. */
static int reply_careless(weft_http_request *request, void *arg)
{
	char type[2000];

	(void)arg;
	memset(type, 'x', sizeof(type) - 1);
	type[sizeof(type) - 1] = '\0';
	weft__fail_allocation(1);
	cr_expect_eq(weft_http_reply(request, 403, type, weft_bytes_text("no")), -ENOMEM);
	return 0;
}

static int begin_careless(weft_http_request *request, void *arg)
{
	char type[2000];

	(void)arg;
	memset(type, 'x', sizeof(type) - 1);
	type[sizeof(type) - 1] = '\0';
	weft__fail_allocation(1);
	cr_expect_eq(weft_http_reply_begin(request, 403, type, -1), -ENOMEM);
	return 0;
}

static int print_careless(weft_http_request *request, void *arg)
{
	(void)arg;
	weft__fail_allocation(1);
	cr_expect_eq(weft_http_reply_text(request, 403, "%02000d", 7), -ENOMEM);
	return 0;
}

static int ask_without_memory(void *arg)
{
	static const struct question questions[] = {
		{ "a reply", "GET /reply HTTP/1.1\r\nHost: a\r\n\r\n", 500, NULL,
		  "500 Internal Server Error\n" },
		{ "one in pieces", "GET /begin HTTP/1.1\r\nHost: a\r\n\r\n", 500, NULL,
		  "500 Internal Server Error\n" },
		{ "a text", "GET /print HTTP/1.1\r\nHost: a\r\n\r\n", 500, NULL,
		  "500 Internal Server Error\n" },
	};
	weft_http_app *app = app_of(NULL);

	(void)arg;
	weft_http_app_route(app, "GET", "/reply", reply_careless, NULL);
	weft_http_app_route(app, "GET", "/begin", begin_careless, NULL);
	weft_http_app_route(app, "GET", "/print", print_careless, NULL);
	expect_answers(app, questions, ARRAY_SIZE(questions));
	weft__fail_allocation(0);
	weft_http_app_free(app);
	return 0;
}

Test(reply, that_finds_no_memory_becomes_500_and_no_other)
{
	count_reports();
	run_virtual(ask_without_memory, NULL);
}

/* ---- Handlers that fail ---- */

static int fail(weft_http_request *request, void *arg)
{
	(void)request;
	return weft_error_set(*(int *)arg, "secret details");
}

static int reply_then_fail(weft_http_request *request, void *arg)
{
	int r = weft_http_reply_text(request, 200, "done");

	cr_expect_eq(r, 0);
	return *(int *)arg;
}

static int cut_short(weft_http_request *request, void *arg)
{
	int r = weft_http_reply_begin(request, 200, NULL, *(int64_t *)arg);

	return r < 0 ? r : weft_http_reply_write(request, "123", 3);
}

static int begin_then_fail(weft_http_request *request, void *arg)
{
	int r = cut_short(request, arg);

	return r < 0 ? r : -EIO;
}

static void expect_cut(weft_http_app *app, const char *path)
{
	struct peer_reply reply;
	struct peer peer;
	char text[100];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n" SMUGGLED, path);
	reply = peer_ask(&peer, app, text);
	cr_expect_eq(reply.status, 200, "%s", path);
	cr_expect(!reply.is_complete, "%s", path);
	peer_close(&peer);
	cr_expect_eq(peer.result, -ECONNRESET, "%s", path);
}

static int ask_failures(void *arg)
{
	static const struct question questions[] = {
		{ "an error", "GET /io HTTP/1.1\r\nHost: a\r\n\r\n", 500, NULL,
		  "500 Internal Server Error\n" },
		{ "a timeout", "GET /timeout HTTP/1.1\r\nHost: a\r\n\r\n", 504, NULL,
		  "504 Gateway Timeout\n" },
		{ "a lost connection elsewhere", "GET /lost HTTP/1.1\r\nHost: a\r\n\r\n",
		  500, NULL, NULL },
		{ "an error after the reply", "GET /late HTTP/1.1\r\nHost: a\r\n\r\n",
		  200, NULL, "done" },
	};
	int io = -EIO;
	int timeout = -ETIMEDOUT;
	int lost = -ECONNRESET;
	int64_t chunked = -1;
	int64_t ten = 10;
	weft_http_app *app = app_of(NULL);

	(void)arg;
	weft_http_app_route(app, "GET", "/io", fail, &io);
	weft_http_app_route(app, "GET", "/timeout", fail, &timeout);
	weft_http_app_route(app, "GET", "/lost", fail, &lost);
	weft_http_app_route(app, "GET", "/late", reply_then_fail, &io);
	weft_http_app_route(app, "GET", "/short", cut_short, &ten);
	weft_http_app_route(app, "GET", "/cut", begin_then_fail, &chunked);
	weft_http_app_route(app, "GET", "/smuggled", must_not_run, NULL);
	expect_answers(app, questions, ARRAY_SIZE(questions));
	cr_expect_eq(n_reports, 4);
	expect_cut(app, "/short");
	expect_cut(app, "/cut");
	cr_expect_eq(n_reports, 6);
	weft_http_app_free(app);
	return 0;
}

Test(reply, answers_for_handlers_that_fail_and_reports_them)
{
	count_reports();
	run_virtual(ask_failures, NULL);
}
