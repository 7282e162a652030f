/*
 * Stacks for tasks: slabs of equal stacks, each with a guard below.
 *
 *   low                                                                  high
 *   | guard | usable, grows down …                   | frames | task block |
 *
 * A slab is one mapping, cut into stacks of one size; sizes are powers of two. The first
 * slab of a size is 1 MiB, each further one twice as large up to 64 MiB. Memory is
 * touched when a stack is first used, one page for a task that only waits, and a stack
 * that is free again is the next to be taken, because it is warm. One that stays free gives
 * its memory back (trim.c) and is bare: only its guard is left.
 *
 * The guard is 64 KiB, so that a frame smaller than that cannot step over it; larger ones
 * are built with -fstack-clash-protection, which touches every page. Guards are
 * page-table markers (MADV_GUARD_INSTALL, Linux 6.13), which need no mapping of their
 * own; they are installed a few at a time, ahead of their stacks. Older kernels get
 * mprotect() guards, of which there may be some 24,000 before the limit on mappings is
 * near (vm.max_map_count); then no more stacks are made.
 * WEFT_STACK_GUARD=markers|mprotect|none forces one.
 *
 * The tops of neighbouring stacks lie at different offsets ("coloured"), since equal ones
 * would all compete for the same lines of the cache.
 *
 * A pool belongs to one loop. Slabs are also on a list of the process, so that a dump finds
 * every task: that list has a lock, and slabs leave it only with their loop.
 */
#ifndef WEFT_TASK_STACK_H
#define WEFT_TASK_STACK_H

#include <weft/task.h>

#include "base/list.h"

enum {
	STACK_GUARD = 64 * 1024,
	STACK_DEFAULT = 256 * 1024,
	STACK_MIN = 128 * 1024, /* of which half is guard */
	STACK_CLASSES = 12, /* 128 KiB … 256 MiB */
	STACK_COLOURS = 8,
	STACK_COLOUR_BYTES = 4 * CACHE_LINE, /* from one to the next */
	STACK_CLASS_DEFAULT = 1, /* that of STACK_DEFAULT */
	SLAB_STACKS_MAX = 512, /* of 128 KiB in 64 MiB */
};

struct slab {
	struct list link; /* in the process' list, under its lock */
	weft_loop *loop;
	char *base;
	size_t stride; /* bytes from stack to stack */
	size_t guard;
	size_t n_stacks; /* how many it holds */
	size_t n_guarded; /* their guards are there; loop thread */
	struct list bare_link; /* in class->bare, while it has bare stacks */
	uint64_t bare[SLAB_STACKS_MAX / 64]; /* a bit for each stack without a block */
	/* Release when a stack is cut, acquire by a reader on another thread (K1, K2). */
	atomic_size_t n_cut;
};

/* All slabs of the process, by link; see weft__slab_each(). For layout.h. */
extern struct list weft__slabs;

struct stack_class {
	size_t stride;
	size_t next_slab; /* bytes of the next slab */
	struct slab *slab; /* the one being cut; NULL: none */
	struct list free; /* tasks, by their link, warmest first */
	struct list bare; /* slabs, by bare_link */
};

struct stack_pool {
	weft_loop *loop;
	uint32_t epoch; /* counts trim.c's looks; 0: it does not look */
	bool is_trimming; /* a look goes on, in steps */
	struct stack_class classes[STACK_CLASSES];
};

void weft__stack_pool_init(struct stack_pool *pool, weft_loop *loop);
/* Unmaps all; nothing may run on any of its stacks. */
void weft__stack_pool_fini(struct stack_pool *pool);

/* The class for a size in bytes, guard included; -EINVAL if it is too large. 0 is the
 * default. */
int weft__stack_class(size_t stack_bytes);

/*
 * Cuts a new stack. Return: 0 with the place of its task block, whose size is given, or
 * -ENOMEM, with the reason. Nobody else sees the stack before weft__stack_commit(), for
 * when the block has been filled in; without that the next cut gives the same stack
 * again.
 */
int weft__stack_cut(struct stack_pool *pool, int index, size_t block_bytes, void **block);
void weft__stack_commit(struct stack_pool *pool, int index);

/*
 * The stack of this block has given its memory back, block included; and one of those is to be
 * used again: the place of its block, with the slab, or NULL if there is none.
 */
void weft__stack_lay_bare(struct stack_pool *pool, int index, struct slab *slab,
			  const void *block);
void *weft__stack_dress(struct stack_pool *pool, int index, size_t block_bytes,
			struct slab **slab);

/* The stack's lowest usable byte, from its slab and any address on it. */
char *weft__stack_low(const struct slab *slab, const void *address);

/* Where the block of the stack with this number lies. */
void *weft__slab_block(const struct slab *slab, size_t index, size_t block_bytes);

/* Any thread: calls fn for each slab with the lock held, so that none is unmapped
 * meanwhile. */
void weft__slab_each(void (*fn)(const struct slab *slab, void *arg), void *arg);

#endif
