/*
 * Headers as texts: what a request or response gives out of its head.
 */
#ifndef WEFT_HTTP_HEADERS_H
#define WEFT_HTTP_HEADERS_H

#include "http/fields.h"
#include "http/memory.h"

/*
 * Turns the fields into headers, in their place and once: a header is as large as a
 * field. `text` is what the slices refer to; it gets terminators.
 */
void weft__http_headers_make(const struct http_fields *fields, char *text);
/*
 * The value of that name, in any case; several are joined by ", ". NULL if there is none,
 * or no memory to join them.
 */
const char *weft__http_headers_find(const struct weft_http_header *headers, size_t n,
				    const char *name, struct http_memory *memory);

#endif
