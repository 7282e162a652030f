/*
 * Clients that leave while they are being answered.
 */
#include <weft/timeout.h>

#include <sys/socket.h>

#include "http/watch.h"
#include "tests/http/peer.h"

struct long_work {
	int result;
	bool has_ended;
};

static int work_long(weft_http_request *request, void *arg)
{
	struct long_work *work = arg;
	struct weft_bytes body;

	work->result = weft_http_request_body(request, &body);
	if (work->result == 0)
		work->result = weft_sleep(WEFT_MIN);
	work->has_ended = true;
	return work->result < 0 ? work->result
				: weft_http_reply_text(request, 200, "worked");
}

static void expect_left(weft_http_app *app, struct long_work *work, const char *request,
			bool is_cancelled)
{
	weft_time begun = weft_now();
	struct peer peer;

	*work = (struct long_work){ 0 };
	peer_open(&peer, app);
	peer_send_text(&peer, request);
	cr_expect(!peer_receive(&peer, WEFT_SEC));
	peer_close(&peer);
	cr_expect(work->has_ended);
	cr_expect_eq(work->result, is_cancelled ? -ECANCELED : 0, "%s", request);
	cr_expect_str_eq(elapsed(begun), is_cancelled ? "1.0 s" : "60.0 s", "%s",
			 request);
}

static int leave_work(void *arg)
{
	static const struct weft_http_app_options options = { .cancel_on_disconnect =
								      true };
	struct long_work work;
	struct peer_reply reply;
	struct peer peer;
	weft_http_app *app = app_of(NULL);

	(void)arg;
	weft_http_app_route(app, "*", "/", work_long, &work);
	expect_left(app, &work, GET "\r\n", false);
	weft_http_app_free(app);

	app = app_of(&options);
	weft_http_app_route(app, "*", "/", work_long, &work);
	expect_left(app, &work, GET "\r\n", true);
	expect_left(app, &work, POST "Content-Length: 5\r\n\r\nhello", true);
	expect_left(app, &work, CHUNKED "5\r\nhello\r\n0\r\n\r\n", true);
	expect_left(app, &work, GET "\r\n" SMUGGLED, true);

	peer_open(&peer, app);
	peer_send_text(&peer, GET "\r\n" POST "Content-Length: 5\r\n\r\nhello");
	cr_expect(!peer_receive(&peer, 3 * WEFT_MIN));
	reply = peer_next(&peer, false);
	cr_expect(reply_body_is(&reply, "worked"), "who stays gets an answer");
	reply = peer_next(&peer, false);
	cr_expect(reply_body_is(&reply, "worked"), "and another one");
	peer_close(&peer);
	weft_http_app_free(app);
	return 0;
}

Test(watch, cancels_handlers_of_clients_that_left_if_it_is_to)
{
	count_reports();
	run_virtual(leave_work, NULL);
	cr_expect_eq(n_reports, 0);
}

/* ---- Handlers that do not wait ---- */

static int reply_fast(weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply_text(request, 200, "fast");
}

static int work_fast(void *arg)
{
	static const struct weft_http_app_options options = { .cancel_on_disconnect =
								      true };
	static const struct question question = { "fast", GET "\r\n", 200, NULL, "fast" };
	weft_http_app *app = app_of(&options);

	(void)arg;
	weft_http_app_route(app, "GET", "/", reply_fast, NULL);
	expect_answers(app, &question, 1);
	weft_http_app_free(app);
	return 0;
}

Test(watch, that_has_not_begun_changes_nothing)
{
	count_reports();
	run_virtual(work_fast, NULL);
	cr_expect_eq(n_reports, 0);
}

/* ---- The limit on time in the last moment ---- */

/* The handler has done its work, and its time is over before its end is. */
static int end_late(void *arg)
{
	struct weft_http_request *request = calloc(1, sizeof(*request));
	struct http_watch watch;
	struct weft_shield shield;
	weft_stream *client;
	char byte;
	int ends[2];

	(void)arg;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(weft_stream_adopt(ends[0], &client), 0);
	cr_assert_eq(weft_stream_adopt(ends[1], &request->stream), 0);
	request->body.has_ended = true;

	weft__http_watch_begin(&watch, request);
	cr_assert_eq(weft_sleep(WEFT_SEC), 0);
	cr_expect_eq(weft_stream_write(client, "x", 1), 0);
	(void)weft_task_cancel(weft_task_current(), NULL);
	cr_expect_eq(weft__http_watch_end(&watch, 7), 7, "its result counts");

	weft_shield_begin(&shield, WEFT_SEC);
	cr_expect_eq(weft_stream_read(request->stream, &byte, 1), 1,
		     "nobody else reads any more");
	cr_expect_eq(weft_shield_end(&shield, 0), 0);
	cr_expect_eq(weft_sleep(0), -ECANCELED, "and it is not forgotten");
	weft_stream_abort(request->stream);
	weft_stream_abort(client);
	free(request);
	return 0;
}

Test(watch, has_ended_before_its_handler_does_however_that_ends)
{
	run_virtual(end_late, NULL);
}
