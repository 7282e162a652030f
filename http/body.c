/*
 * Reading bodies. See http/body.h.
 */
#include "http/body.h"

#include "net/stream.h"

void weft__http_body_init(struct http_body *body, weft_stream *stream,
			  enum http_body_kind kind, uint64_t length,
			  const struct http_head_limits *limits)
{
	/* Not all of it is zeroed: the decoder is large, and most requests have no body.
	 */
	body->stream = stream;
	body->kind = kind;
	body->has_ended = kind == HTTP_BODY_NONE;
	body->error = 0;
	body->left = length;
	if (kind == HTTP_BODY_CHUNKED)
		weft__http_chunk_decoder_init(&body->decoder, limits);
}

static ssize_t read_length(struct http_body *body, void *buffer, size_t size)
{
	ssize_t n = weft_stream_read(body->stream, buffer, MIN(size, body->left));

	if (n == 0)
		return -ENODATA;
	if (n > 0) {
		body->left -= (uint64_t)n;
		body->has_ended = !body->left;
	}
	return n;
}

static ssize_t read_chunked(struct http_body *body, void *buffer, size_t size)
{
	struct http_chunk chunk;
	const char *data;
	size_t known = 0; /* bytes in the stream's buffer that were not enough */
	ssize_t n;
	int r;

	for (;;) {
		n = weft__stream_peek(body->stream, &data, known);
		if (n < 0)
			return n;
		if ((size_t)n <= known)
			return -ENODATA;
		r = weft__http_chunk_decode(&body->decoder, data, (size_t)n, size,
					    &chunk);
		if (r < 0)
			return r;
		if (chunk.size)
			memcpy(buffer, chunk.data, chunk.size);
		weft__stream_consume(body->stream, chunk.taken);
		body->has_ended = r == HTTP_DONE;
		if (chunk.size || body->has_ended)
			return (ssize_t)chunk.size;
		known = (size_t)n - chunk.taken;
	}
}

static ssize_t read_to_end(struct http_body *body, void *buffer, size_t size)
{
	ssize_t n = weft_stream_read(body->stream, buffer, size);

	if (n == 0)
		body->has_ended = true;
	return n;
}

ssize_t weft__http_body_read(struct http_body *body, void *buffer, size_t size)
{
	ssize_t n;

	if (body->error < 0)
		return body->error;
	if (body->has_ended || !size)
		return 0;
	switch (body->kind) {
	case HTTP_BODY_LENGTH:
		n = read_length(body, buffer, size);
		break;
	case HTTP_BODY_CHUNKED:
		n = read_chunked(body, buffer, size);
		break;
	default:
		n = read_to_end(body, buffer, size);
	}
	if (n < 0 && n != -ECANCELED)
		body->error = (int)n;
	return n;
}
