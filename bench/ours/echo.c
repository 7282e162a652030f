/*
 * weft's side of the bench "echo": a server as one would write it, with a buffer on the
 * stack of each connection's task.
 */
#include <weft/stream.h>

#include <stdio.h>

#include "bench/ours/ours.h"

enum { BUFFER_BYTES = 64 * 1024, BACKLOG = 4096 };

static int echo(weft_stream *stream, void *unused)
{
	char buffer[BUFFER_BYTES];
	ssize_t n;

	(void)unused;
	while ((n = weft_stream_read(stream, buffer, sizeof(buffer))) > 0) {
		int r = weft_stream_write(stream, buffer, (size_t)n);

		if (r < 0)
			return r;
	}
	return (int)n;
}

static int serve(void *unused)
{
	struct weft_listen_options options = { .backlog = BACKLOG };
	weft_server *server;
	int r = weft_listen("127.0.0.1:0", &options, echo, unused, &server);

	if (r < 0)
		return r;
	printf("listening on %s\n", weft_server_address(server));
	(void)fflush(stdout); /* the sample waits for this line */
	return weft_server_serve_forever(server, 0);
}

int ours_echo_serve(void)
{
	return weft_run(serve, NULL);
}
