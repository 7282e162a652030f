/*
 * From a code address to file and line, by the line tables that -g leaves in a program
 * (DWARF 2 to 5).
 *
 * The tables of all compilation units are run through until one has the address; there is
 * no index that every compiler writes. That takes a millisecond for each few hundred
 * kilobytes of them, and neither memory nor locks, so it works where things have gone
 * wrong already. Tables that are compressed, or in a file of their own, are not read. Any
 * thread, also in a signal handler.
 */
#ifndef WEFT_BASE_LINE_H
#define WEFT_BASE_LINE_H

#include "base/image.h"

struct line {
	const char *file; /* without folders; in the image */
	unsigned number;
};

/* Which line the instruction at `address` belongs to; false if nobody knows. */
bool weft__line_find(const struct image *image, uintptr_t address, struct line *line);

#endif
