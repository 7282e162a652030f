/*
 * Where a dump is written: a descriptor, without stdio, or a FILE.
 *
 * A descriptor that nobody reads from must not stop the control thread for ever: waiting
 * for it has a limit for the whole dump, after which the rest is dropped. Text goes out in
 * pieces of a few kilobytes, so that those of several processes do not mix within a line.
 */
#ifndef WEFT_DEBUG_OUT_H
#define WEFT_DEBUG_OUT_H

#include <stdio.h>

#include "base/text.h"

enum { OUT_BYTES = 4096, OUT_LINE = 512 };

struct out {
	FILE *file; /* NULL: to fd */
	int fd;
	weft_time patience_ns; /* how long it may still be waited for */
	int error; /* the first one; nothing is written after it */
	size_t n;
	size_t n_lines_end; /* up to where there are whole lines */
	char bytes[OUT_BYTES];
};

void weft__out_init(struct out *out, FILE *file, int fd, weft_time patience_ns);

void weft__out_add(struct out *out, const char *text);
void weft__out_number(struct out *out, uint64_t number);
void weft__out_hex(struct out *out, uint64_t number);
/* Text from elsewhere: at most n_max bytes, and what would upset a terminal is a '?'. */
void weft__out_foreign(struct out *out, const char *text, size_t n_max);
/* "3.2 s", "15 ms" */
void weft__out_duration(struct out *out, weft_time duration);

/* Return: 0 once all has been written, else the first error. */
int weft__out_flush(struct out *out);

#endif
