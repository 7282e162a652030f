/*
 * Code addresses as text; <weft/report.h> has the public half.
 */
#ifndef WEFT_BASE_PLACE_H
#define WEFT_BASE_PLACE_H

#include "base/base.h"

/*
 * The name of the function that begins at `address`, or around it, also a static one. In a file
 * without symbols "file+0x1234"; "0x…" if it lies in none. Any thread, also in a signal handler.
 */
void weft__symbol_name(const void *address, char *buffer, size_t size);

/* weft_describe_place() for the instruction at `address` itself, not a return to it. */
void weft__describe_code(const void *address, char *buffer, size_t size);

/* Does the address lie in a file that was loaded as code? */
bool weft__is_code(const void *address);

/*
 * Where the unwind tables of the code at `address` begin (.eh_frame_hdr); NULL if that cannot be
 * found without a lock.
 */
const void *weft__unwind_header(const void *address);

#endif
