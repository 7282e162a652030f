/*
 * Bare stacks: slabs of 64 MiB cut into stacks of equal size, the lowest page of each a
 * guard marker, tops staggered so that they do not all fall into the same cache sets.
 *
 * They are never given back; whoever needs them again keeps them. One thread.
 */
#ifndef WEFT_BENCH_FLOOR_STACKS_H
#define WEFT_BENCH_FLOOR_STACKS_H

#include "base/base.h"

enum { FLOOR_STACK_BYTES = 64 * 1024 };

/*
 * A stack that was never used, its guards in place. Return: its top, where `room` bytes
 * have been left free for a control block, aligned to 64. NULL if there is no memory or
 * the kernel knows no guard markers (before 6.13).
 */
void *floor_stack_new(size_t room);

#endif
