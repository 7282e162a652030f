/*
 * A list of strings as main() and exec() know it (argv, environ), copied into one block.
 * Any thread.
 */
#ifndef WEFT_IPC_STRINGS_H
#define WEFT_IPC_STRINGS_H

#include "base/base.h"

/*
 * weft__strings_copy() - copy a list that NULL ends
 * @from:    the list; NULL, which is environ after clearenv(), has nothing in it
 * @without: variables to leave out: "NAME" drops "NAME=..."; NULL ends it; may be NULL
 * @n_spare: so many more NULLs at the end, for what the caller adds
 * @n:       receives how many strings were copied; may be NULL
 *
 * Return: the copy, to be freed by one free(); NULL without memory.
 */
char **weft__strings_copy(char *const *from, const char *const *without, size_t n_spare,
			  size_t *n);

#endif
