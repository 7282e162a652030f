/*
 * The call graph of a task: it, who waits for it, who waits for those, as a tree.
 *
 * A dump of some tasks instead of all (dump.h), and as careful. The tree is walked without
 * recursion, since a chain of waits may be as long as there are tasks: what is still to be
 * shown is a stack in a mapping of its own. Each task is shown once, so a ring of waits ends,
 * and a task that awaits many others is not shown for each of them.
 */
#include "debug/dump.h"

#include <sys/mman.h>

struct node {
	const weft_task *task;
	size_t depth;
};

struct walk {
	struct dump *dump;
	struct node *nodes; /* to be shown, the next one last */
	const weft_task **shown; /* a hash table; its size is a power of two */
	size_t n_nodes, n_max, n_shown, shown_mask;
};

/* Where the task is in the table of those that were shown, or would be. */
static const weft_task **find_shown(const struct walk *walk, const weft_task *task)
{
	size_t i =
		((uintptr_t)task * 0x9e3779b97f4a7c15u) >> 20; /* blocks lie far apart */

	while (walk->shown[i & walk->shown_mask] &&
	       walk->shown[i & walk->shown_mask] != task)
		i++;
	return &walk->shown[i & walk->shown_mask];
}

static void push(struct walk *walk, const weft_task *task, size_t depth)
{
	if (walk->n_nodes < walk->n_max)
		walk->nodes[walk->n_nodes++] =
			(struct node){ .task = task, .depth = depth };
}

/* Those who wait for it, so that they come off in the order of the graph. */
static void push_awaiters(struct walk *walk, const struct node *node)
{
	const struct graph *graph = &walk->dump->graph;
	size_t first = weft__graph_find(graph, node->task), end = first;

	while (end < graph->n && graph->edges[end].awaited == node->task)
		end++;
	while (end-- > first)
		push(walk, graph->edges[end].waiter, node->depth + 1);
}

/* False if there is no such task, or not any more. */
static bool show(struct walk *walk, const struct node *node)
{
	struct dump *dump = walk->dump;
	size_t n_before = dump->n_tasks;

	if (weft__dump_task_around((uintptr_t)node->task) != node->task ||
	    !weft__dump_find_slab((uintptr_t)node->task, &dump->slab) ||
	    !weft__dump_look_at_loop(dump, dump->slab.loop))
		return false;
	dump->depth = node->depth;
	weft__dump_task(dump, node->task);
	return dump->n_tasks > n_before;
}

static int walk(struct walk *walk, const weft_task *task)
{
	push(walk, task, 0);
	while (walk->n_nodes > 0 && !walk->dump->out.error) {
		struct node node = walk->nodes[--walk->n_nodes];

		if (*find_shown(walk, node.task) || !show(walk, &node))
			continue;
		*find_shown(walk, node.task) = node.task;
		walk->n_shown++;
		push_awaiters(walk, &node);
	}
	return weft__out_flush(&walk->dump->out);
}

/*
 * Each edge is pushed once at most, since each task is shown once. So there is room for all, and
 * at least half of the table stays empty.
 */
static int walk_from(struct dump *dump, const weft_task *task)
{
	struct walk it = { .dump = dump, .n_max = dump->graph.n + 1, .shown_mask = 3 };
	size_t bytes;
	void *room;
	int r;

	while (it.shown_mask < 2 * it.n_max)
		it.shown_mask = 2 * it.shown_mask + 1;
	bytes = it.n_max * sizeof(*it.nodes) + (it.shown_mask + 1) * sizeof(*it.shown);
	room = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return -ENOMEM;
	it.nodes = room;
	it.shown = (const weft_task **)(it.nodes + it.n_max);
	r = walk(&it, task);
	(void)munmap(room, bytes); /* it was mapped so */
	return r < 0 ? r : (int)MIN(it.n_shown, (size_t)INT32_MAX);
}

/* Not inlined, so that its frame is where the caller's begins. */
__attribute__((noinline)) int weft_dump_call_graph(const weft_task *task, FILE *out)
{
	struct dump *dump;
	int r;

	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	if (!out)
		return weft_error_set(-EINVAL,
				      "weft_dump_call_graph() needs a FILE to write to");
	if (!task)
		task = task_current();
	if (!task)
		return weft__task_none(__func__);
	dump = weft__dump_new(out, -1);
	if (!dump)
		return -ENOMEM;
	if (weft__thread.loop)
		weft__dump_note_caller(dump, __builtin_frame_address(0));
	dump->is_tree = true;
	weft__graph_build(dump);
	r = walk_from(dump, task);
	weft__dump_free(dump);
	return r < 0 ? weft_error_set(r, "the call graph could not be written") : r;
}
