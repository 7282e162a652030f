/*
 * The task dump, inside the library; <weft/debug.h> has the public half.
 *
 * A dump shows every task of every loop while the loops run, or are blocked for ever. It is
 * made on a thread of its own choice and stops nobody: the lists of loops and of slabs have
 * locks, each held for one look at the list; all else is read by peeks and believed only
 * as far as it can be checked. A task that ran while its stack was read is looked at again,
 * a few times.
 *
 * All that a dump needs is one mapping, and another one for who waits for whom (graph.h), so
 * that it works when malloc() does not.
 */
#ifndef WEFT_DEBUG_DUMP_H
#define WEFT_DEBUG_DUMP_H

#include <weft/debug.h>

#include "debug/frames.h"
#include "debug/graph.h"
#include "debug/names.h"
#include "debug/out.h"
#include "debug/thread_look.h"
#include "task/task.h"

/*
 * As weft_dump_tasks(), to a descriptor, without stdio and malloc(); weft__control_dump() calls
 * it. Waits for a reader for two seconds in all, then gives up. Return: the number of tasks; a
 * negative errno.
 *
 * Thread: any, the control thread's handlers included.
 */
int weft__dump_tasks_fd(int fd);

/* ---- Between the files of the dump ---- */

/* A loop, as it was a moment ago. */
struct loop_view {
	const weft_loop *loop;
	char name[sizeof(((weft_loop *)NULL)->name)];
	pid_t tid;
	bool runs;
	bool is_idle; /* in its poller */
	weft_time still_ns; /* without a step for so long */
	struct thread_look thread;
};

/* A slab, likewise: base, stride, guard and n_cut. */
struct slab_view {
	const weft_loop *loop;
	struct slab slab;
};

struct dump {
	struct out out;
	struct peek peek; /* of data and stacks */
	struct cfi cfi;
	struct names names;
	struct frames frames, last_frames; /* of this task, and of the one before */
	struct registers own; /* of the caller, if a task makes the dump */
	bool has_own;
	struct loop_view view; /* the loop at hand */
	struct slab_view slab; /* the slab at hand */
	struct graph graph;
	bool is_tree; /* a call graph; then: */
	size_t depth;
	size_t n_loops, n_tasks;
};

/* For a descriptor, or for a FILE; NULL without memory. */
struct dump *weft__dump_new(FILE *file, int fd);
void weft__dump_free(struct dump *dump);

/* Where the caller of a dump stands, if a task does; `record` is its callee's frame pointer. */
void weft__dump_note_caller(struct dump *dump, const uint64_t *record);

/* Looks at this loop, into dump->view; false if it is gone. */
bool weft__dump_look_at_loop(struct dump *dump, const weft_loop *loop);

/* Looks at the n-th slab of all loops, into dump->slab; false if there are fewer. */
bool weft__dump_nth_slab(struct dump *dump, size_t n);

/* The slab that an address lies in; false if it is in none. */
bool weft__dump_find_slab(uintptr_t address, struct slab_view *view);

/* The block of the task on whose stack the address lies, the block included; NULL: none. */
const weft_task *weft__dump_task_around(uintptr_t address);

/* What a task waits for, if it does: its own word for that, wherever it lies. */
bool weft__dump_read_park(struct dump *dump, const weft_task *block, struct park *park);

/* The lines of one task, whose block lies at `block` in dump->slab; nothing if there is none. */
void weft__dump_task(struct dump *dump, const weft_task *block);

/* The stack of a loop's thread that sleeps, but not in a task. */
void weft__dump_thread_stack(struct dump *dump);

#endif
