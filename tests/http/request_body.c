/*
 * Bodies of requests: read whole, in parts, or not at all; in good time or too slowly.
 */
#include "tests/http/peer.h"

#include <stdio.h>

/* Does not look at the body. */
static int ignore_body(weft_http_request *request, void *arg)
{
	++*(int *)arg;
	return weft_http_reply_text(request, 200, "ok");
}

static void expect_unread(const char *name, const char *head, size_t size, bool is_kept)
{
	int n_calls = 0;
	weft_http_app *app = app_of(NULL);
	char *body = malloc(size + 1);
	struct peer_reply reply;
	struct peer peer;

	/* A body full of requests that nobody may run. */
	for (size_t at = 0; at < size; at += strlen(SMUGGLED))
		memcpy(body + at, SMUGGLED, MIN(strlen(SMUGGLED), size - at));
	weft_http_app_route(app, "POST", "/", ignore_body, &n_calls);
	weft_http_app_route(app, "GET", "/smuggled", must_not_run, NULL);
	peer_open(&peer, app);
	peer_send_text(&peer, head);
	peer_send(&peer, body, size);
	peer_send_text(&peer, POST "Content-Length: 0\r\n\r\n");
	peer_end(&peer);
	(void)peer_receive_all(&peer);
	reply = peer_next(&peer, false);
	cr_expect_eq(reply.status, 200, "%s", name);
	cr_expect_eq(reply_has(&reply, CLOSE), !is_kept, "%s", name);
	cr_expect_eq(peer_next(&peer, false).status, is_kept ? 200 : 0, "%s", name);
	cr_expect_eq(n_calls, is_kept ? 2 : 1, "%s", name);
	peer_close(&peer);
	weft_http_app_free(app);
	free(body);
}

static int leave_bodies(void *arg)
{
	(void)arg;
	expect_unread("small", POST "Content-Length: 1000\r\n\r\n", 1000, true);
	expect_unread("256 KiB", POST "Content-Length: 262144\r\n\r\n", 262144, true);
	expect_unread("256 KiB and a byte", POST "Content-Length: 262145\r\n\r\n", 262145,
		      false);
	expect_unread("expected, never asked for",
		      POST "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n", 1000,
		      false);
	return 0;
}

Test(request_body, reads_over_small_bodies_and_never_takes_one_for_a_request)
{
	run_virtual(leave_bodies, NULL);
}

static int send_large_chunks(void *arg)
{
	static char chunk[65536];
	int n_calls = 0;
	weft_http_app *app = app_of(NULL);
	struct peer peer;

	(void)arg;
	memset(chunk, 'G', sizeof(chunk));
	weft_http_app_route(app, "POST", "/", ignore_body, &n_calls);
	peer_open(&peer, app);
	peer_send_text(&peer, CHUNKED);
	for (int i = 0; i < 6; i++) {
		peer_send_text(&peer, "10000\r\n");
		peer_send(&peer, chunk, sizeof(chunk));
		peer_send_text(&peer, "\r\n");
	}
	peer_send_text(&peer, "0\r\n\r\n" POST "Content-Length: 0\r\n\r\n");
	peer_end(&peer);
	(void)peer_receive_all(&peer);
	cr_expect_eq(peer_next(&peer, false).status, 200);
	cr_expect_eq(peer_next(&peer, false).status, 0);
	cr_expect_eq(n_calls, 1);
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(request_body, closes_after_a_large_chunked_body_that_nobody_read)
{
	run_virtual(send_large_chunks, NULL);
}

static int read_in_parts(weft_http_request *request, void *arg)
{
	unsigned int sum = 0;
	size_t size = 0;
	char buffer[100];
	ssize_t n;

	(void)arg;
	while ((n = weft_http_request_read(request, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)buffer[i];
		size += (size_t)n;
	}
	if (n < 0)
		return (int)n;
	cr_expect_eq(weft_http_request_read(request, buffer, sizeof(buffer)), 0);
	return weft_http_reply_text(request, 200, "%zu %u", size, sum);
}

static int stream_bodies(void *arg)
{
	const size_t size = 3000000; /* beyond the limit for bodies that are read whole */
	weft_http_app *app = app_of(NULL);
	char *body = malloc(size);
	unsigned int sum = 0;
	char expected[64];
	char line[64];
	struct peer_reply reply;
	struct peer peer;

	(void)arg;
	for (size_t i = 0; i < size; i++) {
		body[i] = (char)(i * 7 + i / 1000);
		sum = sum * 31 + (unsigned char)body[i];
	}
	snprintf(expected, sizeof(expected), "%zu %u", size, sum);
	weft_http_app_route(app, "POST", "/", read_in_parts, NULL);
	for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
		peer_open(&peer, app);
		if (!is_chunked) {
			snprintf(line, sizeof(line), "Content-Length: %zu\r\n\r\n", size);
			peer_send_text(&peer, POST);
			peer_send_text(&peer, line);
			peer_send(&peer, body, size);
		} else {
			peer_send_text(&peer, CHUNKED);
			for (size_t at = 0, n = 1; at < size;
			     at += n, n = n * 3 % 70001 + 1) {
				n = MIN(n, size - at);
				snprintf(line, sizeof(line), "%zx\r\n", n);
				peer_send_text(&peer, line);
				peer_send(&peer, body + at, n);
				peer_send_text(&peer, "\r\n");
			}
			peer_send_text(&peer, "0\r\nTrailer: x\r\n\r\n");
		}
		peer_end(&peer);
		(void)peer_receive_all(&peer);
		reply = peer_next(&peer, false);
		cr_expect(reply_body_is(&reply, expected), "%d: %s, not %s", is_chunked,
			  reply.body, expected);
		peer_close(&peer);
	}
	free(body);
	weft_http_app_free(app);
	return 0;
}

Test(request_body, streams_bodies_of_any_size)
{
	run_virtual(stream_bodies, NULL);
}

static int ask_sizes(void *arg)
{
	static const struct weft_http_app_options options = { .request_line_limit = 100,
							      .header_limit = 200,
							      .header_count = 5,
							      .body_limit = 10 };
	static const struct question questions[] = {
		{ "a body that fits", POST "Content-Length: 10\r\n\r\n0123456789", 200,
		  NULL, "POST /?, 10 bytes" },
		{ "a body that does not", POST "Content-Length: 11\r\n\r\n0123456789a",
		  413, CLOSE, NULL },
		{ "a body that is only announced",
		  POST "Content-Length: 9223372036854775807\r\n\r\n", 413, CLOSE, NULL },
		{ "a chunked body that fits", CHUNKED "a\r\n0123456789\r\n0\r\n\r\n", 200,
		  NULL, "POST /?, 10 bytes" },
		{ "a chunked body that does not",
		  CHUNKED "9\r\n012345678\r\n2\r\n9a\r\n0\r\n\r\n", 413, CLOSE, NULL },
		{ "no 100 for what is too large",
		  POST "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n", 413, CLOSE,
		  NULL },
		{ "a long line",
		  "GET /0123456789012345678901234567890123456789012345678901234567890123456789"
		  "012345678901234567890 HTTP/1.1\r\nHost: a\r\n\r\n",
		  414, CLOSE, NULL },
		{ "many headers", GET "A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n", 431,
		  CLOSE, NULL },
		{ "trailers are headers",
		  CHUNKED "0\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n",
		  400, CLOSE, NULL },
	};
	weft_http_app *app = echo_app(&options);

	(void)arg;
	expect_answers(app, questions, ARRAY_SIZE(questions));
	weft_http_app_free(app);
	return 0;
}

Test(request_body, limits_sizes)
{
	run_virtual(ask_sizes, NULL);
}

/* ---- Expect ---- */

static int expect_continue(void *arg)
{
	int n_calls = 0;
	weft_http_app *app = echo_app(NULL);
	struct peer_reply reply;
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "POST", "/ignore", ignore_body, &n_calls);
	peer_open(&peer, app);
	peer_send_text(&peer, POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	cr_expect(!peer_receive(&peer, WEFT_SEC));
	cr_expect_str_eq(peer.text, "HTTP/1.1 100 Continue\r\n\r\n");
	peer_send_text(&peer, "hello" GET "\r\n");
	cr_expect(!peer_receive(&peer, WEFT_SEC));
	cr_expect_eq(peer_next(&peer, false).status, 100);
	reply = peer_next(&peer, false);
	cr_expect_eq(reply.status, 200);
	cr_expect(reply_body_is(&reply, "POST /?, 5 bytes"));
	cr_expect_eq(peer_next(&peer, false).status, 200, "the connection is kept");
	peer_close(&peer);

	peer_open(&peer, app);
	peer_send_text(&peer,
		       "POST /ignore HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
		       "Content-Length: 5\r\n\r\n");
	cr_expect_eq(peer_receive_all(&peer), 0,
		     "nobody knows whether the body will come");
	reply = peer_next(&peer, false);
	cr_expect_eq(reply.status, 200, "and no 100 before it");
	cr_expect(reply_has(&reply, CLOSE));
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(request_body, says_continue_only_when_the_handler_reads)
{
	run_virtual(expect_continue, NULL);
}

/* Sends a byte of `text`, again and again, until the server closes. */
static void drip(struct peer *peer, const char *text, weft_time every_ns)
{
	for (size_t i = 0;; i = text[i + 1] ? i + 1 : i) {
		peer_send(peer, text + i, 1);
		if (peer_receive(peer, every_ns))
			return;
	}
}

static int be_slow(void *arg)
{
	weft_http_app *app = echo_app(NULL);
	weft_time begun;
	struct peer peer;

	(void)arg;
	peer_open(&peer, app);
	begun = weft_now();
	cr_expect_eq(peer_receive_all(&peer), 0);
	cr_expect_str_eq(elapsed(begun), "75.0 s", "idle from the beginning");
	cr_expect_eq(peer.size, 0);
	peer_close(&peer);

	peer_open(&peer, app);
	peer_send_text(&peer, GET "\r\n");
	begun = weft_now();
	cr_expect_eq(peer_receive_all(&peer), 0);
	cr_expect_str_eq(elapsed(begun), "75.0 s", "idle after a request");
	cr_expect_eq(peer_next(&peer, false).status, 200);
	cr_expect_eq(peer_next(&peer, false).status, 0);
	peer_close(&peer);

	peer_open(&peer, app);
	begun = weft_now();
	drip(&peer, GET "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", WEFT_SEC / 2);
	cr_expect_str_eq(elapsed(begun), "10.0 s",
			 "a byte of the head every half second");
	cr_expect_eq(peer_next(&peer, false).status, 408);
	peer_close(&peer);

	peer_open(&peer, app);
	peer_send_text(&peer, POST "Content-Length: 10000\r\n\r\nhello");
	begun = weft_now();
	cr_expect_eq(peer_receive_all(&peer), 0);
	cr_expect_str_eq(elapsed(begun), "10.0 s", "a body that stops");
	cr_expect_eq(peer_next(&peer, false).status, 408);
	peer_close(&peer);

	peer_open(&peer, app);
	peer_send_text(&peer, POST "Content-Length: 100000\r\n\r\n");
	begun = weft_now();
	drip(&peer, "x", WEFT_SEC / 100);
	cr_expect_eq(peer_next(&peer, false).status, 408);
	cr_expect_lt(weft_now() - begun, 12 * WEFT_SEC, "a body of 100 bytes a second");
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(request_body, gives_up_on_clients_that_are_too_slow)
{
	run_virtual(be_slow, NULL);
}

static int be_patient(void *arg)
{
	static char part[1200];
	weft_http_app *app = echo_app(NULL);
	struct peer_reply reply;
	struct peer peer;

	(void)arg;
	memset(part, 'x', sizeof(part));
	peer_open(&peer, app);
	peer_send_text(&peer, POST "Content-Length: 120000\r\n\r\n");
	for (int i = 0; i < 100; i++) {
		peer_send(&peer, part, sizeof(part));
		cr_expect(!peer_receive(&peer, WEFT_SEC));
	}
	reply = peer_next(&peer, false);
	cr_expect(reply_body_is(&reply, "POST /?, 120000 bytes"),
		  "1.2 KB/s for 100 s: %s", peer.text);
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(request_body, is_patient_with_clients_that_make_progress)
{
	run_virtual(be_patient, NULL);
}
