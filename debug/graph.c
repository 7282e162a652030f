/*
 * Gathering who waits for whom; graph.h has the model.
 */
#include "debug/dump.h"

#include <sys/mman.h>

#include "task/lock.h"
#include "task/observe.h"

/* ---- Sorting, without malloc() ---- */

static bool is_before(const struct graph_edge *a, const struct graph_edge *b)
{
	if (a->awaited != b->awaited)
		return (uintptr_t)a->awaited < (uintptr_t)b->awaited;
	return (uintptr_t)a->waiter < (uintptr_t)b->waiter;
}

/* Lets the edge at `i` sink to its place in the heap of the first n. */
static void sink(struct graph_edge *edges, size_t i, size_t n)
{
	struct graph_edge edge = edges[i];

	for (size_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
		if (child + 1 < n && is_before(&edges[child], &edges[child + 1]))
			child++;
		if (!is_before(&edge, &edges[child]))
			break;
		edges[i] = edges[child];
		i = child;
	}
	edges[i] = edge;
}

static void sort(struct graph_edge *edges, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sink(edges, i, n);
	while (n-- > 1) {
		struct graph_edge last = edges[n];

		edges[n] = edges[0];
		edges[0] = last;
		sink(edges, 0, n);
	}
}

size_t weft__graph_find(const struct graph *graph, const weft_task *awaited)
{
	size_t low = 0, high = graph->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((uintptr_t)graph->edges[middle].awaited < (uintptr_t)awaited)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- Gathering ---- */

static void add_edge(struct graph *graph, const weft_task *waiter,
		     const weft_task *awaited)
{
	if (awaited && waiter && graph->n < graph->n_max)
		graph->edges[graph->n++] =
			(struct graph_edge){ .awaited = awaited, .waiter = waiter };
}

/* The task that settles a future by its end: of whatever loop, and NULL if it has not begun. */
static const weft_task *task_of_future(struct dump *dump, const weft_future *future)
{
	weft_task *task = NULL;

	if (!future ||
	    !weft__peek(&dump->peek, (uintptr_t)&future->task, &task, sizeof(task)))
		return NULL;
	return task;
}

static const weft_task *holder_of(struct dump *dump, const struct lock *lock)
{
	weft_task *holder = NULL;

	if (!lock ||
	    !weft__peek(&dump->peek, (uintptr_t)&lock->holder, &holder, sizeof(holder)))
		return NULL;
	return holder;
}

const weft_task *weft__graph_awaited(struct dump *dump, const struct park *park)
{
	if (park->awaited)
		return park->awaited;
	if (park->awaited_lock)
		return holder_of(dump, park->awaited_lock);
	return task_of_future(dump, park->awaited_future);
}

/* Those of the futures that it observes, and has not been told of. */
static void gather_all(struct dump *dump, const weft_task *block, const struct park *park)
{
	struct observer observer;

	if (!park->awaited_all || !weft__peek(&dump->peek, (uintptr_t)park->awaited_all,
					      &observer, sizeof(observer)))
		return;
	for (size_t i = 0; i < observer.n; i++) {
		struct observed one;

		if (!weft__peek(&dump->peek, (uintptr_t)&observer.all[i], &one,
				sizeof(one)))
			return;
		if (!one.is_told)
			add_edge(&dump->graph, block, task_of_future(dump, one.future));
	}
}

/* Children know their group, which lies on the stack of the task that may wait for it. */
static const weft_task *waits_for_group(struct dump *dump, const struct group *group)
{
	const weft_task *owner = weft__dump_task_around((uintptr_t)group);
	struct park park;

	return owner && weft__dump_read_park(dump, owner, &park) &&
			       park.awaited_group == group
		       ? owner
		       : NULL;
}

static void gather(struct dump *dump, const weft_task *block)
{
	struct graph *graph = &dump->graph;
	struct park park;
	weft_task task;

	if (!weft__peek(&dump->peek, (uintptr_t)block, &task, sizeof(task)))
		return;
	if (task.state == TASK_WAITING && weft__dump_read_park(dump, block, &park)) {
		add_edge(graph, block, weft__graph_awaited(dump, &park));
		gather_all(dump, block, &park);
	}
	if (task.state != TASK_FREE && task.group)
		add_edge(graph, waits_for_group(dump, task.group), block);
}

static size_t n_cut(const struct dump *dump)
{
	/* Relaxed: a copy of ours. */
	return atomic_load_explicit(&dump->slab.slab.n_cut, memory_order_relaxed);
}

/*
 * Mostly a task waits for one other, and is waited for by its group's owner. Who observes more
 * futures than there is room for is shown without some.
 */
static bool make_room(struct dump *dump)
{
	struct graph *graph = &dump->graph;
	void *room;
	size_t n = 0;

	for (size_t i = 0; weft__dump_nth_slab(dump, i); i++)
		n += n_cut(dump);
	if (n == 0)
		return false;
	n = 4 * n + 4096;
	room = mmap(NULL, n * sizeof(*graph->edges), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return false;
	graph->edges = room;
	graph->n_max = n;
	return true;
}

void weft__graph_build(struct dump *dump)
{
	if (!make_room(dump))
		return;
	for (size_t i = 0; weft__dump_nth_slab(dump, i); i++) {
		const struct slab_view slab = dump->slab;
		size_t n = n_cut(dump);

		for (size_t k = 0; k < n; k++)
			gather(dump, weft__slab_block(&slab.slab, k, sizeof(weft_task)));
	}
	sort(dump->graph.edges, dump->graph.n);
}

void weft__graph_fini(struct graph *graph)
{
	if (graph->edges)
		(void)munmap(graph->edges,
			     graph->n_max * sizeof(*graph->edges)); /* mapped so */
}
