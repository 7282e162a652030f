/*
 * The head of a request: request line and header fields, up to the empty line.
 *
 * The parser is a machine over the bytes of the head, which must all be there from its
 * first one: it is called again, with more of them, until it is done. It looks at each
 * byte once and keeps positions, so nothing depends on how the bytes were cut, and the
 * buffer may move between two calls. The first thing that is wrong, in the order of the
 * bytes, decides the answer.
 *
 * Strict (RFC 9112): see http/fields.h and http/framing.h for the fields; the request
 * line is method, one blank, target, one blank, HTTP/1.0 or HTTP/1.1; one empty line may
 * come before it.
 *
 * Owned by the connection. Can fail for want of memory, where there are many fields.
 */
#ifndef WEFT_HTTP_REQUEST_HEAD_H
#define WEFT_HTTP_REQUEST_HEAD_H

#include "http/framing.h"
#include "http/target.h"

enum http_request_step {
	HTTP_REQUEST_BEGIN,
	HTTP_REQUEST_EMPTY_LINE,
	HTTP_REQUEST_METHOD,
	HTTP_REQUEST_TARGET,
	HTTP_REQUEST_VERSION,
	HTTP_REQUEST_FIELDS,
};

struct http_request_head {
	/* Known once the parser is done. Slices refer to the text that it was given. */
	uint32_t size; /* of the head: what follows is the body */
	int minor; /* of HTTP/1.minor: 0 or 1 */
	struct http_slice method;
	struct http_target target;
	struct http_slice host; /* value of the Host field */
	struct http_fields fields;
	struct http_framing framing;
	bool expects_continue; /* Expect: 100-continue */
	/* Known once it has returned -EBADMSG. */
	struct http_refusal refusal;
	/* The parser's own. */
	enum http_request_step step;
	uint32_t at; /* the first byte that was not looked at */
	uint32_t mark; /* where the current part begins */
	uint32_t limit; /* the request line must have ended before this position */
	bool has_host;
	bool has_other_expectation;
	struct http_field_reader reader;
	struct http_head_limits limits;
};

/* All zero, or used before: what fields it had room for is kept. */
void weft__http_request_head_begin(struct http_request_head *head,
				   const struct http_head_limits *limits);
void weft__http_request_head_fini(struct http_request_head *head);
/*
 * Goes on with the bytes of `text` that were not there before. HTTP_MORE; HTTP_DONE;
 * -EBADMSG with ->refusal; -ENOMEM.
 */
int weft__http_request_head_parse(struct http_request_head *head, const char *text,
				  size_t size);

#endif
