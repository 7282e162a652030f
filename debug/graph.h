/*
 * Who waits for whom, over all loops; part of a dump (dump.h).
 *
 * A task that waits says in its struct park for whom: the end of a task, a future, several, a group, a lock. The
 * other direction nobody keeps, since a wait is to cost nothing for it: so a dump first gathers
 * all waits, sorted by who is waited for. Like all that a dump reads, each was true a moment
 * ago, and whom it leads to is looked at before it is shown.
 */
#ifndef WEFT_DEBUG_GRAPH_H
#define WEFT_DEBUG_GRAPH_H

#include "task/task.h"

struct dump;

/* `waiter` waits for `awaited`. */
struct graph_edge {
	const weft_task *awaited, *waiter;
};

/* All zero is an empty one. */
struct graph {
	struct graph_edge *edges; /* a mapping; sorted by whom, then by who */
	size_t n, n_max;
};

/* Gathers all waits; without memory there are none, or not all. */
void weft__graph_build(struct dump *dump);
void weft__graph_fini(struct graph *graph);

/* The first edge of those who wait for this task: where it is, or would be. */
size_t weft__graph_find(const struct graph *graph, const weft_task *awaited);

/* The one task that a wait is for, which may be none any more; NULL: nobody, or several. */
const weft_task *weft__graph_awaited(struct dump *dump, const struct park *park);

#endif
