/*
 * The program that worker processes execute: a path, and the file that lay there.
 *
 * The file is kept open, so that every restart runs the same one, whatever is installed
 * over the path meanwhile. A reload opens the path anew: weft__program_reopen(). Any
 * thread, one at a time.
 */
#ifndef WEFT_IPC_PROGRAM_H
#define WEFT_IPC_PROGRAM_H

#include "base/base.h"

struct weft__program {
	char *path; /* absolute; owned */
	int fd; /* O_PATH; owned */
};

/*
 * weft__program_open() - find and open a program
 * @program: receives it; closed with weft__program_close()
 * @path:    a relative one counts from here; NULL is the program that runs here
 *
 * Return: 0; -ENOMEM; or why the file cannot be opened, with a sentence.
 */
int weft__program_open(struct weft__program *program, const char *path);

/* Opens what lies at the path of `program` by now. Return: as weft__program_open(). */
int weft__program_reopen(const struct weft__program *program,
			 struct weft__program *reopened);

/* May be called for all zero and twice. */
void weft__program_close(struct weft__program *program);

#endif
