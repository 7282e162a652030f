/*
 * Telling a return address from other words: a call stands before it.
 */
#ifndef WEFT_DEBUG_CALL_H
#define WEFT_DEBUG_CALL_H

#include "debug/peek.h"

enum call_kind {
	CALL_NONE, /* no return address */
	CALL_DIRECT, /* *target is the function called, also by way of a linkage table */
	CALL_UNKNOWN, /* a call, to what it found in a register or in memory */
};

enum call_kind weft__call_before(struct peek *peek, uint64_t address, uint64_t *target);

#endif
