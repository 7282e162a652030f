/*
 * A TCP server that sends back what it receives, on every core.
 *
 * echo() is written as if there were one connection: weft_serve() runs it in a task for
 * each, in worker processes with event loops of their own. It opens the socket, starts
 * the workers by executing this program anew, replaces one that dies, and on SIGINT or
 * SIGTERM lets all of them finish. weft_init() is how a worker knows what it is.
 *
 *	./echo_server [--host HOST] [--port PORT] [--processes N] [--loops N] [--greet]
 */
#include <stdio.h>
#include <weft/weft.h>

static int echo(weft_stream *stream, void *arg)
{
	const char *peer = weft_stream_peername(stream);
	const bool *greets = arg;
	char message[4096];
	ssize_t n;
	int r;

	weft_stream_finish_on_cancel(stream); /* being stopped ends our wait for more */
	while ((n = weft_stream_read(stream, message, sizeof(message))) > 0) {
		r = *greets ? weft_stream_printf(stream, "%s Your msg %.*s", peer, (int)n,
						 message)
			    : weft_stream_write(stream, message, (size_t)n);
		if (r < 0)
			return r; /* the connection is cut */
	}
	return n == -ECANCELED ? 0 : (int)n; /* 0: it is flushed and closed for us */
}

int main(int argc, char **argv)
{
	const char *greet = NULL;
	const struct weft_serve_flag flags[] = {
		{ "greet", NULL, "answer with a sentence", &greet },
		{ 0 },
	};
	struct weft_serve_options options = { .address = "127.0.0.1:8888",
					      .flags = flags };
	bool greets;

	weft_init(&argc, &argv);
	weft_serve_parse(&options, argc, argv); /* --port, --workers, ..., and ours */
	greets = greet != NULL;
	return weft_exit_status(weft_serve(&options, echo, &greets));
}

/*
 * Output, of the server and of a client (see echo_client.c):
 *
 *	$ ./echo_server --port 8888 --greet &
 *	listening on 127.0.0.1:8888
 *	$ ./echo_client 127.0.0.1:8888 hello
 *	127.0.0.1:52346 Your msg hello
 *	$ kill %1
 */
