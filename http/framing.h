/*
 * Where a message ends and what becomes of its connection: what a head says about both.
 *
 * The fields are looked at one by one, as they are read. Whatever leaves two readings
 * open is refused (RFC 9112 section 6): both Content-Length and Transfer-Encoding, either
 * of them twice, a length that is not plain digits, any coding but "chunked", any coding
 * in HTTP/1.0.
 */
#ifndef WEFT_HTTP_FRAMING_H
#define WEFT_HTTP_FRAMING_H

#include "http/fields.h"

struct http_framing {
	uint64_t length; /* if has_length; below 2^63 */
	bool has_length; /* Content-Length */
	bool is_chunked; /* Transfer-Encoding: chunked */
	bool has_close; /* Connection: close */
	bool has_keep_alive; /* Connection: keep-alive */
};

/* How the end of a body is found. */
enum http_body_kind {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_TO_END, /* of the connection: responses only */
};

/*
 * Takes note of a field, if it is one of those. 0, or -EBADMSG. `minor` is the second
 * number of the message's HTTP version.
 */
int weft__http_framing_field(struct http_framing *framing, const char *text,
			     const struct http_field *field, int minor,
			     struct http_refusal *refusal);

/* May another message follow on the connection? */
static inline bool http_framing_keeps_alive(const struct http_framing *framing, int minor)
{
	if (framing->has_close)
		return false;
	return minor >= 1 || framing->has_keep_alive;
}

#endif
