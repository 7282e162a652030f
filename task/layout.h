/*
 * Where things lie, for debuggers: tools/weft-gdb.py reads this table in the program's
 * memory or core file, and so needs the library's symbols only, not its types.
 */
#ifndef WEFT_TASK_LAYOUT_H
#define WEFT_TASK_LAYOUT_H

#include "task/stack.h"
#include "task/switch.h"

/* A field of a struct, or a number that counts. */
struct layout_entry {
	char name[24]; /* "task.sp" */
	uint32_t offset; /* or the number */
	uint32_t size;
};

enum { LAYOUT_VERSION = 1 };

struct layout {
	uint32_t version; /* rises when old readers would read nonsense */
	uint32_t n_entries;
	const struct list *slabs; /* struct slab, by their first member */
	const struct switch_layout *saved; /* what task.sp points to */
	const struct layout_entry *entries;
};

extern const struct layout weft__layout;

#endif
