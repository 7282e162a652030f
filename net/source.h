/*
 * A message that is being written: what is left of it, in the caller's memory.
 */
#ifndef WEFT_NET_SOURCE_H
#define WEFT_NET_SOURCE_H

#include <sys/uio.h>

#include "base/base.h"

/* What is left of a message. */
struct source {
	const struct iovec *parts;
	size_t n;
	size_t at; /* in the first part */
	size_t left; /* in all of them */
};

static inline void source_skip_empty(struct source *source)
{
	while (source->n && source->at == source->parts[0].iov_len) {
		source->parts++;
		source->n--;
		source->at = 0;
	}
}

/* So many bytes of it have gone, or were copied. */
static inline void source_advance(struct source *source, size_t size)
{
	source->left -= size;
	while (size) {
		size_t step = MIN(size, source->parts[0].iov_len - source->at);

		source->at += step;
		size -= step;
		source_skip_empty(source);
	}
}

#endif
