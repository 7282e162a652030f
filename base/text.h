/*
 * Text put together piece by piece, without stdio: for signal handlers and dumps.
 *
 * What does not fit is cut off; the buffer always holds a string. Nothing is allocated,
 * locked or looked up, so this may run anywhere.
 */
#ifndef WEFT_BASE_TEXT_H
#define WEFT_BASE_TEXT_H

#include "base/base.h"

struct text {
	char *buffer;
	size_t size; /* at least 1 */
	size_t length; /* without the NUL */
};

static inline struct text weft__text(char *buffer, size_t size)
{
	buffer[0] = '\0';
	return (struct text){ .buffer = buffer, .size = size };
}

/* At most n_max bytes of a string that may lack its end. */
void weft__text_add_part(struct text *text, const char *string, size_t n_max);
void weft__text_add_number(struct text *text, uint64_t number);
/* "0x1f" */
void weft__text_add_hex(struct text *text, uint64_t number);

static inline void weft__text_add(struct text *text, const char *string)
{
	weft__text_add_part(text, string, SIZE_MAX);
}

#endif
