/*
 * Fetch pages: status, type, body.
 *
 * A response is three things: a head that is there when weft_http_fetch() returns, a body
 * that may still be on its way, and the connection, which goes back to the client for the
 * next request once the body was read. All pages of one host come over one connection.
 *
 *	./http_client URL...
 */
#include <stdio.h>
#include <weft/weft.h>

static int show(weft_http_client *client, const char *url)
{
	weft_http_response *response;
	struct weft_bytes body;
	const char *type;
	int r;

	r = weft_http_fetch(client, "GET", url, NULL, &response);
	if (r < 0)
		return weft_error_wrap(r, "cannot fetch %s", url); /* 404 is no error */

	r = weft_http_response_body(response, 1 << 20, &body); /* 1 MiB at most */
	if (r == 0) {
		type = weft_http_response_header(response, "content-type");
		printf("%d, %s\n%s", weft_http_response_status(response),
		       type ? type : "no type", (const char *)body.data);
	}
	weft_http_response_free(response);
	return r;
}

static int app(void *arg)
{
	weft_http_client *client;
	char **urls = arg;
	int r;

	r = weft_http_client_new(NULL, &client);
	if (r < 0)
		return r;

	for (; *urls && r == 0; urls++)
		r = show(client, *urls);
	weft_http_client_free(client);
	return r;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s URL...\n", argv[0]);
		return 2;
	}
	return weft_exit_status(weft_run(app, argv + 1));
}

/*
 * Output, with a server to ask:
 *
 *	$ ./http_server --port 8080 &
 *	listening on 127.0.0.1:8080
 *	$ ./http_client http://127.0.0.1:8080/7 http://127.0.0.1:8080/no/such/page
 *	200, text/plain; charset=utf-8
 *	item 7, name unknown, query ""
 *	404, text/plain; charset=utf-8
 *	404 Not Found
 *	$ kill %1
 *	$ ./http_client http://127.0.0.1:8080/7
 *	http_client: cannot fetch http://127.0.0.1:8080/7
 *	  because: cannot connect to 127.0.0.1:8080: Connection refused
 *	$ echo $?
 *	1
 */
