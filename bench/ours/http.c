/*
 * weft's side of the bench "http": an application with one route, served like any other:
 * each request is parsed, checked, routed, and answered with a date.
 */
#include <weft/http.h>

#include "bench/ours/ours.h"

static int hello(weft_http_request *request, void *unused)
{
	(void)unused;
	return weft_http_reply_text(request, 200, "hello world\n");
}

int ours_http_serve(void)
{
	/* The load keeps its connections for as long as it lasts. */
	struct weft_http_app_options options = { .max_requests = 1000 * 1000 * 1000 };
	weft_http_app *app;
	int r = weft_http_app_new(&options, &app);

	if (r < 0)
		return r;
	weft_http_app_route(app, "GET", "/", hello, NULL);
	r = ours_serve(weft_http_serve_connection, app);
	weft_http_app_free(app);
	return r;
}
