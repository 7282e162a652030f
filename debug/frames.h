/*
 * The calls that led to where a stack stands, seen from another thread.
 *
 * A step goes by the unwind tables (cfi.h), else by the chain of frame pointers. A thread
 * that sleeps in the kernel shows its stack pointer and pc alone; where its frame pointer
 * would be needed, the stack is searched upwards for the first frame that a chain to the
 * end begins with, and whose return address stands behind a call of the function in
 * question. What was left out on the way is marked as a gap.
 *
 * All addresses are checked against the bounds of the stack, and it is read by peeks, so
 * a stack that changes meanwhile gives nonsense at worst; the caller finds out whether it
 * did.
 */
#ifndef WEFT_DEBUG_FRAMES_H
#define WEFT_DEBUG_FRAMES_H

#include "debug/cfi.h"

enum { MOST_FRAMES = 64 };

struct frame {
	uint64_t pc;
	bool is_return; /* the call is before pc */
	bool after_gap; /* frames between this one and the last may be missing */
};

struct frames {
	size_t n;
	bool is_complete; /* the last one is where the stack begins */
	struct frame of[MOST_FRAMES];
};

/* The frames of a stack with these bounds, from its registers; at least the first. */
void weft__frames_walk(struct cfi *cfi, struct peek *peek,
		       const struct registers *registers, uintptr_t low, uintptr_t high,
		       struct frames *frames);

#endif
