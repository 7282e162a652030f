/*
 * weft's side of the bench "echo": a server as one would write it, with a buffer on the
 * stack of each connection's task.
 */
#include <weft/stream.h>

#include "bench/ours/ours.h"

enum { BUFFER_BYTES = 64 * 1024 };

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

int ours_echo_serve(void)
{
	return ours_serve(echo, NULL);
}
