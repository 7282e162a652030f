/*
 * Applications. See http/app.h.
 */
#include "http/app.h"

#include <stdio.h>

#define BODY_LIMIT	((size_t)1024 * 1024)
#define MAX_REQUESTS	1000
#define HEADER_LIMIT_NS (10 * WEFT_SEC)
#define BODY_STALL_NS	(10 * WEFT_SEC)
#define WRITE_STALL_NS	(30 * WEFT_SEC)
#define REQUEST_NS	(300 * WEFT_SEC)
#define KEEP_ALIVE_NS	(75 * WEFT_SEC)

static int check_options(const struct weft_http_app_options *o)
{
	if (weft__has_reserved(o->reserved, ARRAY_SIZE(o->reserved)))
		return weft_error_set(-EINVAL,
				      "the reserved fields of weft_http_app_options are "
				      "not zero: begin with = { 0 }");
	if (o->request_line_limit > HTTP_HEAD_LIMIT_MAX ||
	    o->header_limit > HTTP_HEAD_LIMIT_MAX ||
	    o->header_count > HTTP_HEAD_LIMIT_MAX)
		return weft_error_set(-EINVAL,
				      "a limit of a request's head is above 256 MiB");
	if (o->max_requests < 0 || o->header_ns < 0 || o->body_stall_ns < 0 ||
	    o->write_stall_ns < 0 || o->request_ns < 0 || o->keep_alive_ns < 0)
		return weft_error_set(-EINVAL,
				      "a limit in weft_http_app_options is negative: 0 "
				      "is the default, WEFT_FOREVER is no limit");
	return 0;
}

#define SET_DEFAULT(field, value) ((field) = (field) ? (field) : (value))

static void set_defaults(struct weft_http_app_options *o)
{
	SET_DEFAULT(o->request_line_limit, HTTP_LINE_LIMIT);
	SET_DEFAULT(o->header_limit, HTTP_FIELDS_LIMIT);
	SET_DEFAULT(o->header_count, HTTP_FIELDS_MAX);
	SET_DEFAULT(o->body_limit, BODY_LIMIT);
	o->body_limit = MIN(o->body_limit, SIZE_MAX / 4); /* sums stay sums */
	SET_DEFAULT(o->max_requests, MAX_REQUESTS);
	SET_DEFAULT(o->header_ns, HEADER_LIMIT_NS);
	SET_DEFAULT(o->body_stall_ns, BODY_STALL_NS);
	SET_DEFAULT(o->write_stall_ns, WRITE_STALL_NS);
	SET_DEFAULT(o->request_ns, REQUEST_NS);
	SET_DEFAULT(o->keep_alive_ns, KEEP_ALIVE_NS);
}

int weft_http_app_new(const struct weft_http_app_options *options, weft_http_app **app)
{
	weft_http_app *made;
	int r;

	if (options) {
		r = check_options(options);
		if (r < 0)
			return r;
	}
	made = weft__zalloc(sizeof(*made));
	if (!made)
		return -ENOMEM;
	if (options)
		made->options = *options;
	set_defaults(&made->options);
	made->limits = (struct http_head_limits){
		.line = made->options.request_line_limit,
		.fields = made->options.header_limit,
		.n_fields = made->options.header_count,
	};
	*app = made;
	return 0;
}

void weft_http_app_free(weft_http_app *app)
{
	if (!app)
		return;
	weft__http_routes_fini(&app->routes);
	free(app->problem);
	free(app);
}

void weft_http_app_route(weft_http_app *app, const char *method, const char *pattern,
			 weft_http_handler *handler, void *arg)
{
	const char *problem = "there is no memory for it";
	int r;

	r = weft__http_routes_add(&app->routes, method, pattern, handler, arg, &problem);
	if (r == 0 || app->error < 0)
		return;
	app->error = r;
	if (asprintf(&app->problem, "route %s %s: %s", method, pattern, problem) < 0)
		app->problem = NULL;
}
