/*
 * Code addresses as text; <weft/report.h> has the public half.
 */
#ifndef WEFT_BASE_PLACE_H
#define WEFT_BASE_PLACE_H

#include "base/base.h"

/*
 * The name of the function that begins at `address`, or around it; "0x…" if nobody knows.
 * Reads the symbol table of the file that the address comes from, also that of static
 * functions.
 */
void weft__symbol_name(const void *address, char *buffer, size_t size);

/*
 * "function+0x12" without allocating or locking: for a signal handler.
 */
void weft__symbol_offset(const void *address, char *buffer, size_t size);

#endif
