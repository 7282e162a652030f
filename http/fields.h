/*
 * Field lines ("Name: value"), as they end the head of a request or response, and
 * trailers.
 *
 * The reader is a machine that looks at each byte once, in order, and stops where the
 * bytes stop: so its answers do not depend on how they were cut into segments. It keeps
 * positions, not pointers, and may be given a buffer that has moved and grown.
 *
 * Strict, RFC 9112 section 5: a line ends with CR LF and nothing else, a name is a token
 * with the colon right behind it, a value has no control characters, and a line never
 * continues on the next one.
 *
 * Owned by whoever owns the head; no locks. Only remembering a field can fail for want of
 * memory.
 */
#ifndef WEFT_HTTP_FIELDS_H
#define WEFT_HTTP_FIELDS_H

#include <weft/http.h>

#include "http/text.h"

/* ---- Refusals ---- */

/* Why a message is refused: the status that says so, and a sentence. */
struct http_refusal {
	int status;
	const char *problem;
};

/* Always -EBADMSG, to be returned. */
static inline int http_refuse(struct http_refusal *refusal, int status,
			      const char *problem)
{
	refusal->status = status;
	refusal->problem = problem;
	return -EBADMSG;
}

/* ---- Limits of a head ---- */

/* Bytes of its first line, and bytes and number of its fields: beyond them 414 and 431.
 */
struct http_head_limits {
	size_t line;
	size_t fields;
	size_t n_fields;
};

/* What any of them may be set to, so that positions fit into 32 bits. */
#define HTTP_HEAD_LIMIT_MAX ((size_t)1 << 28)

/* ---- Fields ---- */

struct http_field {
	struct http_slice name;
	struct http_slice value; /* without the blanks around it */
};

/* A field; in a head that somebody has asked for its headers, what they are told. */
union http_field_item {
	struct http_field field;
	struct weft_http_header header;
};

_Static_assert(sizeof(union http_field_item) == sizeof(struct weft_http_header),
	       "an array of items is an array of headers");

/* The fields of one head. `items` is kept for the next head. */
struct http_fields {
	union http_field_item *items;
	uint32_t n;
	uint32_t capacity;
};

/* Releases the memory. */
void weft__http_fields_fini(struct http_fields *fields);
/* 0 or -ENOMEM. */
int weft__http_fields_add(struct http_fields *fields, const struct http_field *field);
/*
 * The first field of that name, in any case, from the `from`-th on; its index, or -1.
 * `text` is what the slices refer to.
 */
int weft__http_fields_find(const struct http_fields *fields, const char *text,
			   const char *name, uint32_t from);

/* ---- Reading ---- */

/* What the reader looks for next. */
enum http_field_step {
	HTTP_FIELD_BEGIN, /* a name, or the CR of the empty line */
	HTTP_FIELD_NAME,
	HTTP_FIELD_BLANK, /* before the value */
	HTTP_FIELD_VALUE,
	HTTP_FIELD_LF,
	HTTP_FIELD_LAST_LF,
};

struct http_field_reader {
	enum http_field_step step;
	uint32_t at; /* the first byte that was not looked at */
	uint32_t mark; /* where the name or the value begins */
	uint32_t limit; /* the section must have ended before this position */
	uint32_t n; /* fields so far */
	uint32_t n_max;
	struct http_field field; /* in progress */
};

enum {
	HTTP_MORE = 0, /* every byte was looked at, more are needed */
	HTTP_FIELD = 1, /* a field is complete */
	HTTP_DONE = 2, /* the empty line is complete: ->at is behind it */
};

/* `at` is where the section begins, `bytes_max` the sum of its lines. */
void weft__http_field_reader_init(struct http_field_reader *reader, size_t at,
				  size_t bytes_max, size_t n_max);
/*
 * Looks at text[reader->at ... size) up to the end of the next field, which is in
 * reader->field then. HTTP_MORE, HTTP_FIELD, HTTP_DONE, or -EBADMSG with the reason in
 * `refusal`.
 */
int weft__http_field_read(struct http_field_reader *reader, const char *text, size_t size,
			  struct http_refusal *refusal);

#endif
