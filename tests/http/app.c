/*
 * Applications and their options.
 */
#include "tests/http/peer.h"

static int serve_bad_route(void *arg)
{
	weft_http_app *app = app_of(NULL);
	struct peer peer;

	(void)arg;
	weft_http_app_route(app, "GET", "/a{b}", echo, NULL);
	weft_http_app_route(app, "GET", "/", echo, NULL);
	weft_http_app_route(app, "GET", "/", echo, NULL);
	peer_open(&peer, app);
	peer_send_text(&peer, GET "\r\n");
	(void)peer_receive_all(&peer);
	cr_expect_eq(peer.size, 0);
	peer_close(&peer);
	cr_expect_eq(peer.result, -EINVAL, "the first error counts");
	weft_http_app_free(app);
	return 0;
}

Test(app, remembers_a_route_that_cannot_be_added)
{
	run_virtual(serve_bad_route, NULL);
}

Test(app, options_are_checked)
{
	static const struct weft_http_app_options bad[] = {
		{ .header_ns = -1 },
		{ .max_requests = -1 },
		{ .request_line_limit = SIZE_MAX },
		{ .reserved = { 1 } },
	};
	weft_http_app *app = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_expect_eq(weft_http_app_new(&bad[i], &app), -EINVAL, "%zu", i);
		cr_expect_null(app);
	}
	weft__fail_allocation(1);
	cr_expect_eq(weft_http_app_new(NULL, &app), -ENOMEM);
	weft__fail_allocation(0);
	weft_http_app_free(NULL);
}
