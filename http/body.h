/*
 * The body of a message, read from a stream: so many bytes, chunks, or all up to the end.
 *
 * Used by the server for requests and by the client for responses. Owned by the request
 * or response; on the stream's loop.
 */
#ifndef WEFT_HTTP_BODY_H
#define WEFT_HTTP_BODY_H

#include <weft/stream.h>

#include "http/chunked.h"
#include "http/framing.h"

struct http_body {
	weft_stream *stream;
	enum http_body_kind kind;
	bool has_ended; /* nothing of it is left in the stream */
	int error; /* of the last read: the body cannot be read any more */
	uint64_t left; /* HTTP_BODY_LENGTH */
	struct http_chunk_decoder decoder; /* HTTP_BODY_CHUNKED */
};

/* `length` is for HTTP_BODY_LENGTH; `limits` are those of trailers. */
void weft__http_body_init(struct http_body *body, weft_stream *stream,
			  enum http_body_kind kind, uint64_t length,
			  const struct http_head_limits *limits);
/*
 * The next bytes, up to `size`, at least 1. 0 at the end; -ENODATA if the stream ends
 * before; -EBADMSG with body->decoder.refusal; and as weft_stream_read(). A read that was
 * cancelled took nothing and may be repeated; any other failure is final. Cancellation
 * point: unless bytes are there.
 */
ssize_t weft__http_body_read(struct http_body *body, void *buffer, size_t size);

#endif
