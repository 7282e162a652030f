/*
 * An HTTP server: routes, a part of the path, the query string, any status.
 *
 * An application is a table of routes. weft_http_serve_connection() makes a connection
 * handler of it, which is what weft_serve() wants: the rest is as in echo_server.c. A
 * handler may wait, for a database or in the executor; other requests go on meanwhile.
 *
 *	./http_server [--host HOST] [--port PORT] [--processes N] [--loops N] [--created]
 */
#include <stdio.h>
#include <weft/weft.h>

static int index_page(weft_http_request *request, void *arg)
{
	const int *status = arg;

	return weft_http_reply_text(request, *status, "hello from %s\n",
				    weft_http_request_path(request));
}

static int item_page(weft_http_request *request, void *arg)
{
	const char *name = weft_http_request_query(request, "name"); /* may be NULL */

	(void)arg;
	return weft_http_reply_text(request, 200, "item %s, name %s, query \"%s\"\n",
				    weft_http_request_param(request, "id"),
				    name ? name : "unknown",
				    weft_http_request_query_string(request));
}

int main(int argc, char **argv)
{
	const char *created = NULL;
	const struct weft_serve_flag flags[] = {
		{ "created", NULL, "answer / with status 201", &created },
		{ 0 },
	};
	struct weft_serve_options options = { .address = "127.0.0.1:8080",
					      .flags = flags };
	weft_http_app *app;
	int status, r;

	weft_init(&argc, &argv);
	weft_serve_parse(&options, argc, argv); /* --port, --workers, ..., and ours */
	status = created ? 201 : 200;

	r = weft_http_app_new(NULL, &app);
	if (r < 0)
		return weft_exit_status(r);

	weft_http_app_route(app, "GET", "/", index_page, &status);
	weft_http_app_route(app, "GET", "/{id}", item_page, NULL);
	r = weft_serve(&options, weft_http_serve_connection, app); /* until SIGTERM */
	weft_http_app_free(app);
	return weft_exit_status(r);
}

/*
 * Output, of the server and of clients:
 *
 *	$ ./http_server --port 8080 --processes 2 &
 *	listening on 127.0.0.1:8080
 *	$ ./http_client http://127.0.0.1:8080/
 *	200, text/plain; charset=utf-8
 *	hello from /
 *	$ ./http_client 'http://127.0.0.1:8080/12301?name=anna&lang=en'
 *	200, text/plain; charset=utf-8
 *	item 12301, name anna, query "name=anna&lang=en"
 *	$ kill %1
 *	$ ./http_server --port 8081 --created &
 *	listening on 127.0.0.1:8081
 *	$ ./http_client http://127.0.0.1:8081/
 *	201, text/plain; charset=utf-8
 *	hello from /
 */
