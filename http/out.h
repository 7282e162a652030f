/*
 * Writing a head: bytes appended to a buffer of fixed size, which counts on when it is
 * full.
 *
 * Whoever writes a head does it once into a buffer on the stack; if that was too small,
 * `size` tells how large the one must be into which it is written again.
 */
#ifndef WEFT_HTTP_OUT_H
#define WEFT_HTTP_OUT_H

#include "base/base.h"

struct http_out {
	char *data;
	size_t capacity;
	size_t size; /* of all that was put; beyond `capacity` it is not complete */
};

static inline bool http_out_is_complete(const struct http_out *out)
{
	return out->size <= out->capacity;
}

static inline void http_put(struct http_out *out, const void *data, size_t size)
{
	if (size && out->size <= out->capacity && size <= out->capacity - out->size)
		memcpy(out->data + out->size, data, size);
	out->size += size;
}

static inline void http_put_text(struct http_out *out, const char *text)
{
	http_put(out, text, strlen(text));
}

/* In decimal digits. */
static inline void http_put_number(struct http_out *out, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	http_put(out, digits + at, sizeof(digits) - at);
}

static inline void http_put_field(struct http_out *out, const char *name,
				  const char *value)
{
	http_put_text(out, name);
	http_put(out, ": ", 2);
	http_put_text(out, value);
	http_put(out, "\r\n", 2);
}

#endif
