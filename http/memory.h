/*
 * Memory that lives as long as one request or response: texts, decoded values, replies.
 *
 * A pointer that moves through a block. Giving all of it back keeps one block, so that a
 * connection whose requests are small allocates nothing from the second one on.
 *
 * Owned by a connection or a response; no locks.
 */
#ifndef WEFT_HTTP_MEMORY_H
#define WEFT_HTTP_MEMORY_H

#include "base/base.h"

struct http_block;

struct http_memory {
	struct http_block *blocks; /* the one in use first, the one that is kept last */
};

/* Aligned for anything; good until the next reset. NULL without memory. */
void *weft__http_memory_alloc(struct http_memory *memory, size_t size);
/* As a string, with its terminator. */
char *weft__http_memory_copy(struct http_memory *memory, const char *text, size_t size);
/* Gives everything back. */
void weft__http_memory_reset(struct http_memory *memory);
void weft__http_memory_fini(struct http_memory *memory);

#endif
