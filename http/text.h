/*
 * The letters of HTTP/1.1: which bytes may stand where, and parts of a text by position.
 *
 * Everything here looks at bytes and keeps nothing. Any thread.
 *
 * A slice is a position and a size instead of a pointer, because a head is parsed while
 * it still arrives: its bytes move when the buffer that holds them grows.
 */
#ifndef WEFT_HTTP_TEXT_H
#define WEFT_HTTP_TEXT_H

#include "base/base.h"

/* ---- Slices ---- */

struct http_slice {
	uint32_t at;
	uint32_t size;
};

static inline struct http_slice http_slice_of(size_t at, size_t end)
{
	return (struct http_slice){ (uint32_t)at, (uint32_t)(end - at) };
}

/* ---- Classes of bytes ---- */

enum {
	HTTP_TOKEN = BIT(0), /* method, field name: RFC 9110 tchar */
	HTTP_VALUE = BIT(1), /* field value: all but control characters, HTAB allowed */
	HTTP_PATH = BIT(2), /* path of a target, '%' and '/' included */
	HTTP_QUERY = BIT(3), /* query of a target */
	HTTP_HOST = BIT(4), /* name or IPv4 address in an authority */
};

extern const uint8_t weft__http_classes[256];

static inline bool http_is(char byte, unsigned int class)
{
	return weft__http_classes[(unsigned char)byte] & class;
}

static inline bool http_is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static inline char http_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* 0 to 15, or -1. */
int weft__http_hex_digit(char byte);

/* The first position in [at, end) whose byte is not of `class`, or `end`. */
static inline size_t http_span(const char *text, size_t at, size_t end,
			       unsigned int class)
{
	while (at < end && http_is(text[at], class))
		at++;
	return at;
}

/* http_span() of HTTP_VALUE, eight bytes at a time: values are most of a head. */
size_t weft__http_span_value(const char *text, size_t at, size_t end);

/* ---- Comparing, whatever the locale is ---- */

/*
 * Is this the given name, in any case? `name` is in lower case, and made of letters and
 * '-'. Setting bit 5 is exact here: of the bytes without control characters only letters
 * turn into letters by it, and only '-' becomes '-'.
 */
static inline bool http_token_is(const char *token, size_t size, const char *name)
{
	for (size_t i = 0; i < size; i++)
		if ((token[i] | 0x20) != name[i])
			return false;
	return !name[size];
}

/* Equal but for the case of ASCII letters. */
bool weft__http_same(const char *a, size_t a_size, const char *b, size_t b_size);

/*
 * The next element of a comma-separated list, without the blanks around it. `*at` starts
 * at 0 and moves on. False at the end; empty elements are passed over.
 */
bool weft__http_list_next(const char *list, size_t size, size_t *at,
			  struct http_slice *element);

/* 1*DIGIT without a leading zero, below 2^63; false if it is anything else. */
bool weft__http_number(const char *text, size_t size, uint64_t *number);

/* ---- What may be sent ---- */

/* A method or field name that can be sent: a token, not empty. */
bool weft__http_is_token(const char *text);
/* A field value that can be sent: no control characters, no blank at either end. */
bool weft__http_is_value(const char *text);

/* ---- Percent-decoding ---- */

/*
 * Decodes once, into `out`, which may be `text` itself: the result is never longer.
 * Returns its size. Each '%' is followed by two hexadecimal digits, which was checked
 * before.
 */
size_t weft__http_percent_decode(char *out, const char *text, size_t size);

#endif
