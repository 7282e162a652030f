/*
 * The head of a response, as a client reads it: status line and header fields.
 *
 * The same kind of machine as the one for requests, and as strict: a client that guesses
 * where a response ends hands the rest of it to the next request. One thing is taken that
 * the grammar does not have, since many servers send it and nothing depends on it: a
 * status line without the blank before its missing reason.
 *
 * Interim responses (1xx) are heads of their own: begin again behind them.
 *
 * Owned by the client's connection. Can fail for want of memory, where there are many
 * fields.
 */
#ifndef WEFT_HTTP_RESPONSE_HEAD_H
#define WEFT_HTTP_RESPONSE_HEAD_H

#include "http/framing.h"

enum http_response_step {
	HTTP_RESPONSE_STATUS,
	HTTP_RESPONSE_REASON,
	HTTP_RESPONSE_LF,
	HTTP_RESPONSE_FIELDS,
};

struct http_response_head {
	/* Known once the parser is done. Slices refer to the text that it was given. */
	uint32_t size; /* of the head: what follows is the body */
	int minor; /* of HTTP/1.minor: 0 or 1 */
	int status; /* 100 to 599 */
	struct http_fields fields;
	struct http_framing framing;
	/* Known once it has returned -EBADMSG; its status is for servers. */
	struct http_refusal refusal;
	/* The parser's own. */
	enum http_response_step step;
	uint32_t at; /* the first byte that was not looked at */
	struct http_head_limits limits;
	struct http_field_reader reader;
};

/* All zero, or used before: what fields it had room for is kept. */
void weft__http_response_head_begin(struct http_response_head *head,
				    const struct http_head_limits *limits);
void weft__http_response_head_fini(struct http_response_head *head);
/*
 * Goes on with the bytes of `text` that were not there before. HTTP_MORE; HTTP_DONE;
 * -EBADMSG with ->refusal; -ENOMEM.
 */
int weft__http_response_head_parse(struct http_response_head *head, const char *text,
				   size_t size);

/* How the end of its body is found. `is_head`: the request's method was HEAD. */
enum http_body_kind weft__http_response_body_kind(const struct http_response_head *head,
						  bool is_head);

#endif
