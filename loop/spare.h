/*
 * Spare handles, for callers that bring none of their own.
 *
 * What a loop scheduled for itself goes back to its own list. What another thread posted goes
 * back to the posting threads, in chains: the loop puts a chain onto a stack when it has enough,
 * and a poster that has none left takes the whole stack and lives on it. So a steady stream of
 * posts allocates nothing, and the stack's line changes hands once for a chain. Only the loop
 * pushes and only whole stacks are taken, so there is no ABA problem.
 *
 *   P1  push of a chain, release: the loop is done with its handles; pairs with P2.
 *   P2  take, acquire.
 */
#ifndef WEFT_LOOP_SPARE_H
#define WEFT_LOOP_SPARE_H

#include "loop/handle.h"

struct spare {
	/* Any thread. */
	alignas(CACHE_LINE) _Atomic(struct handle *) returned;
	/* Loop thread. */
	alignas(CACHE_LINE) struct list kept;
	size_t n_kept;
	struct handle *chain; /* to be returned, linked by link.next */
	struct handle *chain_end;
	size_t n_chain;
};

void weft__spare_init(struct spare *spare);
/* Loop thread; nobody posts any more. */
void weft__spare_fini(struct spare *spare);

/* A handle, not initialised; NULL without memory. */
struct handle *weft__spare_get(struct spare *spare); /* loop thread */
struct handle *weft__spare_get_remote(struct spare *spare); /* any thread */

/* Loop thread: a handle that the loop, or another thread, had got. */
void weft__spare_keep(struct spare *spare, struct handle *handle);
void weft__spare_return(struct spare *spare, struct handle *handle);

#endif
