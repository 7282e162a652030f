/*
 * Connections of the server: in what order, for how long, and how they end.
 */
#include <weft/test.h>

#include "tests/http/peer.h"

#include <stdio.h>

/* ---- The rows of requests.h ---- */

/* How a row is sent. */
enum cut { WHOLE, BYTES };

static void expect_row(weft_http_app *app, const struct raw_request *row, enum cut cut)
{
	struct peer peer;

	peer_open(&peer, app);
	for (size_t at = 0; cut == BYTES && at < row->size; at++) {
		peer_send(&peer, row->data + at, 1);
		cr_assert_eq(weft_test_turns(2), 0);
	}
	if (cut == WHOLE)
		peer_send(&peer, row->data, row->size);
	peer_end(&peer);
	cr_expect_eq(peer_receive_all(&peer), 0, "%s", row->name);
	for (size_t i = 0; i < ARRAY_SIZE(row->statuses); i++) {
		struct peer_reply reply = peer_next(&peer, false);

		cr_expect_eq(reply.status, row->statuses[i],
			     "%s, reply %zu: %d instead of %d\n%s", row->name, i,
			     reply.status, row->statuses[i], peer.text);
		if (reply.status >= 400)
			cr_expect(reply_has(&reply, CLOSE), "%s", row->name);
		if (!row->statuses[i])
			break;
	}
	peer_close(&peer);
	cr_expect_eq(peer.result, 0, "%s", row->name);
}

static int answer_rows(void *arg)
{
	weft_http_app *app = echo_app(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(raw_requests); i++)
		expect_row(app, &raw_requests[i], *(enum cut *)arg);
	weft_http_app_free(app);
	return 0;
}

Test(connection, answers_rows_as_they_say)
{
	enum cut cut = WHOLE;

	run_virtual(answer_rows, &cut);
}

Test(connection, answers_rows_as_they_say_byte_by_byte)
{
	enum cut cut = BYTES;

	run_virtual(answer_rows, &cut);
}

/* ---- The time of handlers ---- */

static int sleep_then_reply(weft_http_request *request, void *arg)
{
	int r = weft_sleep(*(weft_time *)arg);

	return r < 0 ? r : weft_http_reply_text(request, 200, "slept");
}

static int read_late(weft_http_request *request, void *arg)
{
	int r = weft_sleep(100 * WEFT_SEC);

	return r < 0 ? r : echo(request, arg);
}

static int be_slow_to_answer(void *arg)
{
	weft_time minutes = 4 * WEFT_MIN;
	weft_time too_long = 6 * WEFT_MIN;
	weft_http_app *app = app_of(NULL);
	struct peer_reply reply;
	weft_time begun;
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "GET", "/slow", sleep_then_reply, &minutes);
	weft_http_app_route(app, "GET", "/too-slow", sleep_then_reply, &too_long);
	weft_http_app_route(app, "POST", "/", read_late, NULL);
	reply = peer_ask(&peer, app, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(reply.status, 200);
	peer_close(&peer);

	begun = weft_now();
	reply = peer_ask(&peer, app,
			 "GET /too-slow HTTP/1.1\r\nHost: a\r\n\r\n" GET "\r\n");
	cr_expect_str_eq(elapsed(begun), "300.0 s");
	cr_expect_eq(reply.status, 504);
	cr_expect_eq(peer_next(&peer, false).status, 405, "the connection is kept");
	peer_close(&peer);

	reply = peer_ask(&peer, app, POST "Content-Length: 5\r\n\r\nhello");
	cr_expect_eq(reply.status, 200, "the time of the handler is not the client's");
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(connection, limits_the_time_of_handlers)
{
	count_reports();
	run_virtual(be_slow_to_answer, NULL);
	cr_expect_eq(n_reports, 1);
}

static int reply_much(weft_http_request *request, void *arg)
{
	static char part[65536];
	int r;

	(void)arg;
	r = weft_http_reply_begin(request, 200, NULL, -1);
	for (int i = 0; i < 1000 && r == 0; i++)
		r = weft_http_reply_write(request, part, sizeof(part));
	cr_expect_eq(r, -ETIMEDOUT);
	return r;
}

static int read_nothing(void *arg)
{
	weft_http_app *app = app_of(NULL);
	weft_time begun = weft_now();
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "GET", "/", reply_much, NULL);
	peer_open(&peer, app);
	peer_send_text(&peer, GET "\r\n");
	while (!peer.has_ended)
		cr_assert_eq(weft_sleep(WEFT_SEC), 0);
	cr_expect_eq(peer.result, -ECONNRESET);
	cr_expect_str_eq(elapsed(begun), "30.0 s");
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(connection, aborts_when_the_client_takes_nothing)
{
	count_reports();
	run_virtual(read_nothing, NULL);
	cr_expect_eq(n_reports, 0, "that is the client's fault");
}

/* ---- One after the other ---- */

static int reply_number(weft_http_request *request, void *arg)
{
	int *running = arg;
	const char *number = weft_http_request_param(request, "number");
	int r;

	cr_expect_eq(++*running, 1, "one at a time");
	r = weft_sleep((10 - atoi(number)) * WEFT_SEC);
	--*running;
	return r < 0 ? r : weft_http_reply_text(request, 200, "%s", number);
}

static int pipeline(void *arg)
{
	int running = 0;
	weft_http_app *app = app_of(NULL);
	struct peer_reply reply;
	struct peer peer;
	char text[64];

	(void)arg;
	weft_http_app_route(app, "GET", "/{number}", reply_number, &running);
	peer_open(&peer, app);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
		peer_send_text(&peer, text);
	}
	peer_end(&peer);
	cr_expect_eq(peer_receive_all(&peer), 0);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "%d", i);
		reply = peer_next(&peer, false);
		cr_expect(reply_body_is(&reply, text), "%d: %s", i, reply.body);
	}
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(connection, answers_in_order_and_one_at_a_time)
{
	run_virtual(pipeline, NULL);
}

static int ask_often(void *arg)
{
	static const struct weft_http_app_options options = { .max_requests = 3 };
	weft_http_app *app = echo_app(&options);
	struct peer_reply reply;
	struct peer peer;

	(void)arg;
	peer_open(&peer, app);
	for (int i = 0; i < 5; i++)
		peer_send_text(&peer, i < 3 ? GET "\r\n" : SMUGGLED);
	cr_expect_eq(peer_receive_all(&peer), 0);
	for (int i = 0; i < 3; i++) {
		reply = peer_next(&peer, false);
		cr_expect_eq(reply.status, 200);
		cr_expect_eq(reply_has(&reply, CLOSE), i == 2);
	}
	cr_expect_eq(peer_next(&peer, false).status, 0);
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(connection, closes_after_so_many_requests)
{
	run_virtual(ask_often, NULL);
}

/* ---- Draining ---- */

static int drain_idle(void *arg)
{
	weft_http_app *app = echo_app(NULL);
	weft_time begun;
	struct peer peer;

	(void)arg;
	peer_open(&peer, app);
	peer_send_text(&peer, GET "\r\n");
	cr_expect(!peer_receive(&peer, 10 * WEFT_SEC));
	begun = weft_now();
	weft_task_cancel(peer.server, NULL);
	cr_expect_eq(peer_receive_all(&peer), 0);
	cr_expect_str_eq(elapsed(begun), "0.0 s", "idle for long");
	peer_close(&peer);

	peer_open(&peer, app);
	peer_send_text(&peer, GET "\r\n");
	cr_expect(!peer_receive(&peer, 300 * WEFT_MSEC));
	begun = weft_now();
	weft_task_cancel(peer.server, NULL);
	cr_expect_eq(peer_receive_all(&peer), 0);
	cr_expect_str_eq(elapsed(begun), "0.7 s", "idle for 0.3 s");
	peer_close(&peer);
	cr_expect_eq(peer.result, 0);
	weft_http_app_free(app);
	return 0;
}

Test(connection, drains_idle_connections_after_a_second)
{
	run_virtual(drain_idle, NULL);
}

static int drain_busy(void *arg)
{
	weft_time minute = WEFT_MIN;
	weft_http_app *app = echo_app(NULL);
	struct peer_reply reply;
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "GET", "/slow", sleep_then_reply, &minute);
	peer_open(&peer, app);
	peer_send_text(&peer, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" SMUGGLED);
	cr_expect(!peer_receive(&peer, WEFT_SEC));
	weft_task_cancel(peer.server, NULL);
	cr_expect(!peer_receive(&peer, WEFT_SEC));
	weft_task_cancel(peer.server, NULL);
	cr_expect_eq(peer_receive_all(&peer), 0);
	reply = peer_next(&peer, false);
	cr_expect(reply_body_is(&reply, "slept"), "%s", peer.text);
	cr_expect(reply_has(&reply, CLOSE));
	cr_expect_eq(peer_next(&peer, false).status, 0);
	peer_close(&peer);

	peer_open(&peer, app);
	peer_send_text(&peer, GET);
	cr_expect(!peer_receive(&peer, WEFT_SEC));
	weft_task_cancel(peer.server, NULL);
	cr_expect(!peer_receive(&peer, 2 * WEFT_SEC));
	peer_send_text(&peer, "\r\n" SMUGGLED);
	cr_expect_eq(peer_receive_all(&peer), 0);
	reply = peer_next(&peer, false);
	cr_expect_eq(reply.status, 200, "a head in progress is a request in progress");
	cr_expect(reply_has(&reply, CLOSE));
	cr_expect_eq(peer_next(&peer, false).status, 0);
	peer_close(&peer);

	peer_open(&peer, app);
	weft_task_cancel(peer.server, NULL);
	cr_expect(!peer_receive(&peer, WEFT_SEC / 2));
	peer_send_text(&peer, GET "\r\n");
	cr_expect_eq(peer_receive_all(&peer), 0);
	reply = peer_next(&peer, false);
	cr_expect_eq(reply.status, 200, "a request within the second");
	cr_expect(reply_has(&reply, CLOSE));
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(connection, answers_what_is_in_progress_before_it_drains)
{
	run_virtual(drain_busy, NULL);
}

/* Does not read what it is sent. */
static int reply_unread(weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply_text(request, 200, "unread");
}

/* What is left of a body is read before the next request, as if nobody wanted us to end. */
static int drain_between(void *arg)
{
	weft_http_app *app = echo_app(NULL);
	struct peer_reply reply;
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "POST", "/unread", reply_unread, NULL);
	peer_open(&peer, app);
	peer_send_text(&peer, "POST /unread HTTP/1.1\r\nHost: a\r\n"
			      "Content-Length: 10\r\n\r\nhello");
	cr_expect(!peer_receive(&peer, WEFT_SEC / 2));
	weft_task_cancel(peer.server, NULL);
	cr_expect(!peer_receive(&peer, WEFT_SEC / 2));
	peer_send_text(&peer, "world" GET "\r\n");
	cr_expect_eq(peer_receive_all(&peer), 0);
	reply = peer_next(&peer, false);
	cr_expect(reply_body_is(&reply, "unread"));
	cr_expect(!reply_has(&reply, CLOSE));
	reply = peer_next(&peer, false);
	cr_expect_eq(reply.status, 200, "who was not told of the end is answered");
	cr_expect(reply_has(&reply, CLOSE));
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(connection, that_drains_reads_on_to_the_next_request)
{
	run_virtual(drain_between, NULL);
}

/* A request that has come is answered, also if nobody has looked at it yet. */
static int ask_in_the_last_moment(void *arg)
{
	weft_time limits[] = { 75 * WEFT_SEC, WEFT_SEC };
	weft_http_app *app = echo_app(NULL);
	struct peer_reply reply;
	struct peer peer;

	(void)arg;
	for (int is_drained = 0; is_drained < 2; is_drained++) {
		peer_open(&peer, app);
		if (is_drained)
			weft_task_cancel(peer.server, NULL);
		/* Our timer is the first of the two, and the server finds its own in the past. */
		cr_assert_eq(weft_sleep(limits[is_drained]), 0);
		peer_send_text(&peer, GET "\r\n");
		(void)peer_receive(&peer, 10 * WEFT_SEC);
		reply = peer_next(&peer, false);
		cr_expect_eq(reply.status, 200, "%d", is_drained);
		cr_expect_eq(reply_has(&reply, CLOSE), is_drained);
		peer_close(&peer);
	}
	weft_http_app_free(app);
	return 0;
}

Test(connection, that_was_idle_for_too_long_answers_what_has_come)
{
	run_virtual(ask_in_the_last_moment, NULL);
}

/* ---- Clients that leave ---- */

static int reply_until_error(weft_http_request *request, void *arg)
{
	static char part[65536];
	int r;

	r = weft_http_reply_begin(request, 200, NULL, -1);
	while (r == 0)
		r = weft_http_reply_write(request, part, sizeof(part));
	*(int *)arg = r;
	return r;
}

static int read_until_error(weft_http_request *request, void *arg)
{
	struct weft_bytes body;

	*(int *)arg = weft_http_request_body(request, &body);
	return *(int *)arg;
}

static int leave(void *arg)
{
	int r = 0;
	weft_http_app *app = app_of(NULL);
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "GET", "/", reply_until_error, &r);
	weft_http_app_route(app, "POST", "/", read_until_error, &r);
	peer_open(&peer, app);
	peer_send_text(&peer, GET "\r\n");
	cr_assert_eq(weft_test_turns(10), 0);
	peer_close(&peer);
	cr_expect(r == -EPIPE || r == -ECONNRESET, "%d", r);
	cr_expect_eq(peer.result, -ECONNRESET);

	peer_open(&peer, app);
	peer_send_text(&peer, POST "Content-Length: 5\r\n\r\nhell");
	peer_end(&peer);
	(void)peer_receive_all(&peer);
	cr_expect_eq(peer.size, 0, "an incomplete request is not answered");
	peer_close(&peer);
	cr_expect_eq(r, -ENODATA);
	weft_http_app_free(app);
	return 0;
}

Test(connection, gives_up_quietly_when_the_client_leaves)
{
	count_reports();
	run_virtual(leave, NULL);
	cr_expect_eq(n_reports, 0);
}

/* ---- Error replies survive ---- */

static int send_on_after_error(void *arg)
{
	static char garbage[100000];
	weft_http_app *app = echo_app(NULL);
	struct peer peer;

	(void)arg;
	memset(garbage, 'x', sizeof(garbage));
	for (int i = 0; i < 20; i++) {
		peer_open_tcp(&peer, app);
		peer_send_text(&peer, "GET / HTTP/1.1\nHost: a\r\n\r\n");
		peer_send(&peer, garbage, sizeof(garbage));
		/* The reply lies behind the bytes that the server does not want. */
		cr_expect_eq(peer_receive_all(&peer), 0,
			     "a reset would have destroyed the reply");
		cr_expect_eq(peer_next(&peer, false).status, 400);
		peer_close(&peer);
	}
	weft_http_app_free(app);
	return 0;
}

Test(connection, lingers_so_that_an_error_reply_is_not_lost_to_a_reset)
{
	run_real(send_on_after_error, NULL);
}

static int begin_then_fail(weft_http_request *request, void *arg)
{
	int r = weft_http_reply_begin(request, 200, NULL, -1);

	(void)arg;
	if (r == 0)
		r = weft_http_reply_write(request, "123", 3);
	return r < 0 ? r : -EIO;
}

static int cut_by_reset(void *arg)
{
	weft_http_app *app = app_of(NULL);
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "GET", "/", begin_then_fail, NULL);
	peer_open_tcp(&peer, app);
	peer_send_text(&peer, "GET / HTTP/1.0\r\n\r\n");
	cr_expect_eq(peer_receive_all(&peer), -ECONNRESET,
		     "an end would look like a whole reply");
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(connection, ends_an_incomplete_reply_by_a_reset)
{
	count_reports();
	run_real(cut_by_reset, NULL);
	cr_expect_eq(n_reports, 1);
}

/* ---- Memory ---- */

static int count_allocations(void *arg)
{
	weft_http_app *app = echo_app(NULL);
	struct peer peer;
	long before;

	(void)arg;
	peer_open(&peer, app);
	weft__fail_allocation(1000000000);
	for (int i = 0; i < 3; i++) {
		before = weft__allocations();
		for (int k = 0; k < 100; k++) {
			peer_send_text(&peer, "POST /a%20b?c=d HTTP/1.1\r\nHost: a\r\n"
					      "Content-Length: 5\r\nX: y\r\n\r\nhello");
			cr_expect(!peer_receive(&peer, WEFT_SEC));
		}
		if (i > 0)
			cr_expect_eq(weft__allocations(), before, "%ld in 100 requests",
				     weft__allocations() - before);
	}
	weft__fail_allocation(0);
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(connection, allocates_nothing_for_a_small_request)
{
	run_virtual(count_allocations, NULL);
}

/* Uses everything that needs memory. */
static int use_much(weft_http_request *request, void *arg)
{
	const char *id = weft_http_request_param(request, "id");
	const char *q = weft_http_request_query(request, "q");
	const char *x = weft_http_request_header(request, "X");
	char name[16];

	(void)arg;
	if (!id || !q || !x)
		return -ENOMEM;
	cr_expect_str_eq(weft_http_request_path(request), "/u/A");
	cr_expect_str_eq(id, "A");
	cr_expect_str_eq(q, "A");
	cr_expect_str_eq(x, "1, 2");
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "X-%d", i);
		weft_http_reply_header(request, name, "value");
	}
	return weft_http_reply_text(request, 200, "%01000d", 1);
}

static int fail_each_allocation(void *arg)
{
	char number[1001];
	const char *const bodies[] = { number, "POST /b?, 5 bytes", number };
	weft_http_app *app = app_of(NULL);
	bool was_failed = true;
	struct peer peer;

	(void)arg;
	snprintf(number, sizeof(number), "%01000d", 1);
	weft_http_app_route(app, "POST", "/{id}", echo, NULL);
	weft_http_app_route(app, "GET", "/u/{id}", use_much, NULL);
	for (long nth = 1; was_failed; nth++) {
		cr_assert_lt(nth, 1000);
		peer_open(&peer, app);
		weft__fail_allocation(nth);
		peer_send_text(
			&peer,
			"GET /u/%41?q=%41 HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n"
			"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
			"5\r\nhello\r\n0\r\n\r\n"
			"GET /u/A?q=A HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n");
		peer_end(&peer);
		(void)peer_receive_all(&peer);
		was_failed = weft__allocations() >= nth;
		weft__fail_allocation(0);
		for (int i = 0; i < 3; i++) {
			struct peer_reply reply = peer_next(&peer, false);

			if (!was_failed)
				cr_expect_eq(reply.status, 200);
			if (reply.status)
				cr_expect(reply.is_complete);
			if (reply.status == 200)
				cr_expect(reply_body_is(&reply, bodies[i]),
					  "%ld: reply %d is that of another request", nth,
					  i);
		}
		peer_close(&peer);
	}
	weft_http_app_free(app);
	return 0;
}

Test(connection, survives_the_failure_of_each_allocation)
{
	count_reports();
	run_virtual(fail_each_allocation, NULL);
}
