/*
 * weft's side of the bench "echo": a server as one would write it, with a buffer for
 * each connection.
 */
#include <stdlib.h>

#include <weft/stream.h>

#include "bench/ours/ours.h"

enum { BUFFER_BYTES = 128 * 1024 }; /* as in the floor, which has one for all */

static int echo(weft_stream *stream, void *unused)
{
	char *buffer = malloc(BUFFER_BYTES);
	ssize_t n = -ENOMEM;

	(void)unused;
	while (buffer && (n = weft_stream_read(stream, buffer, BUFFER_BYTES)) > 0) {
		int r = weft_stream_write(stream, buffer, (size_t)n);

		if (r < 0) {
			n = r;
			break;
		}
	}
	free(buffer);
	return (int)n;
}

int ours_echo_serve(void)
{
	return ours_serve(echo, NULL);
}
