/*
 * Ask several hosts at the same time, and print their header lines as they come.
 *
 * wget() reads like a program that talks to one host and blocks. Run in a task per host
 * it waits for all of them at once, on one thread; the slowest host decides how long it
 * takes. One host that fails does not stop the others: weft_gather() runs each call to
 * its end, and returns the first failure with all of them below it.
 *
 *	./wget HOST[:PORT]...
 */
#include <stdio.h>
#include <weft/weft.h>

enum { MOST = 16 };

static int print_head(weft_stream *stream, const char *host)
{
	char *line;
	ssize_t n;
	int r;

	r = weft_stream_printf(stream, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", host);
	if (r < 0)
		return r;
	while ((n = weft_stream_read_line(stream, &line)) > 0 && *line)
		printf("%s > %s\n", host, line);
	return (int)n; /* an empty line ends the head */
}

static int wget(void *arg)
{
	const char *host = arg;
	weft_stream *stream;
	char address[256];
	int r;

	snprintf(address, sizeof(address), "%s%s", host, strchr(host, ':') ? "" : ":80");
	r = weft_connect(address, NULL, &stream); /* also looks the name up */
	if (r < 0)
		return weft_error_wrap(r, "cannot reach %s", host);

	r = print_head(stream, host);
	weft_stream_abort(stream); /* we have what we want: no need to be polite */
	return r;
}

static int app(void *arg)
{
	struct weft_call calls[MOST];
	char **hosts = arg;
	size_t n;

	for (n = 0; hosts[n]; n++)
		calls[n] = (struct weft_call){ .fn = wget, .arg = hosts[n] };
	return weft_gather(calls, n);
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 1 + MOST) {
		fprintf(stderr, "usage: %s HOST[:PORT]... (%d at most)\n", argv[0], MOST);
		return 2;
	}
	return weft_exit_status(weft_run(app, argv + 1));
}

/*
 * Output, with two servers of our own for hosts; ./wget example.com example.org does too:
 *
 *	$ ./http_server --port 8001 &
 *	listening on 127.0.0.1:8001
 *	$ ./http_server --port 8002 --created &
 *	listening on 127.0.0.1:8002
 *	$ ./wget 127.0.0.1:8001 127.0.0.1:8002
 *	127.0.0.1:8001 > HTTP/1.1 200 OK
 *	127.0.0.1:8001 > Date: Fri, 20 Nov 2026 13:42:33 GMT
 *	127.0.0.1:8001 > Content-Type: text/plain; charset=utf-8
 *	127.0.0.1:8001 > Content-Length: 13
 *	127.0.0.1:8001 > Connection: close
 *	127.0.0.1:8002 > HTTP/1.1 201 Created
 *	127.0.0.1:8002 > Date: Fri, 20 Nov 2026 13:42:33 GMT
 *	127.0.0.1:8002 > Content-Type: text/plain; charset=utf-8
 *	127.0.0.1:8002 > Content-Length: 13
 *	127.0.0.1:8002 > Connection: close
 */
