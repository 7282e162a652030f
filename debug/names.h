/*
 * What code addresses are called, for a dump: looked up once, since ten thousand stacks are
 * mostly of the same few functions.
 *
 * Looking up reads files and allocates nothing; the table is a fixed one, in which a new
 * name replaces one that was looked up before.
 */
#ifndef WEFT_DEBUG_NAMES_H
#define WEFT_DEBUG_NAMES_H

#include "base/base.h"

enum { N_NAMES = 256, NAME_BYTES = 104 };

struct name {
	uint64_t address; /* 0: not used */
	bool is_return;
	char text[NAME_BYTES];
};

/* All zero is an empty one. */
struct names {
	struct name of[N_NAMES];
};

/* "serve (server.c:42)"; valid until the next call. */
const char *weft__names_find(struct names *names, uint64_t address, bool is_return);
/* The name of a function, "serve"; likewise. */
const char *weft__names_function(struct names *names, const void *function);

#endif
