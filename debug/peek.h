/*
 * Reading memory that may go away, change or never have been there.
 *
 * A dump follows pointers while other threads run. So it reads the way a debugger does,
 * by a system call: an address that is not mapped is an error and no crash, and what is
 * being written meanwhile is merely wrong, which the reader finds by checking. Where
 * reading one's own process is forbidden (some sandboxes, emulators), the bytes go through
 * a pipe, whose write() refuses bad addresses as well.
 *
 * One thread uses a struct peek. It allocates nothing.
 */
#ifndef WEFT_DEBUG_PEEK_H
#define WEFT_DEBUG_PEEK_H

#include <sys/types.h>

#include "base/base.h"

enum { PEEK_WINDOW = 2048 };

struct peek {
	/* What was read last, since words next to each other are read one by one. */
	uintptr_t window_at;
	size_t window_size;
	pid_t pid;
	int pipe[2]; /* -1: not needed so far */
	char window[PEEK_WINDOW];
};

void weft__peek_init(struct peek *peek);
void weft__peek_fini(struct peek *peek);

/* Copies memory as it is now; false if not all of it is there. */
bool weft__peek(struct peek *peek, uintptr_t at, void *to, size_t size);
/* One word, perhaps out of the window: as it was since the last weft__peek_again(). */
bool weft__peek_word(struct peek *peek, uintptr_t at, uint64_t *word);
/* A few bytes, likewise; at most 16. */
bool weft__peek_bytes(struct peek *peek, uintptr_t at, void *to, size_t size);
/* Forgets the window: what is read from now on is new. */
void weft__peek_again(struct peek *peek);

#endif
