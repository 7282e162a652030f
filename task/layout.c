/*
 * The table for debuggers; layout.h has the model. The linker keeps it because the loop's
 * hooks point to it.
 */
#include "task/layout.h"

#include "task/lock.h"
#include "task/observe.h"

#define FIELD(text, type, member)                                            \
	{                                                                    \
		text, offsetof(type, member), sizeof(((type *)NULL)->member) \
	}
#define NUMBER(text, value)    \
	{                      \
		text, value, 0 \
	}

static_assert(offsetof(struct slab, link) == 0, "the list leads to the slab itself");

static const struct layout_entry entries[] = {
	NUMBER("cache_line", CACHE_LINE),
	NUMBER("stack.colours", STACK_COLOURS),
	NUMBER("stack.colour_bytes", STACK_COLOUR_BYTES),
	FIELD("slab.loop", struct slab, loop),
	FIELD("slab.base", struct slab, base),
	FIELD("slab.stride", struct slab, stride),
	FIELD("slab.guard", struct slab, guard),
	FIELD("slab.n_cut", struct slab, n_cut),
	FIELD("loop.name", struct weft_loop, name),
	FIELD("loop.tid", struct weft_loop, tid),
	NUMBER("task.bytes", sizeof(weft_task)),
	FIELD("task.sp", weft_task, sp),
	FIELD("task.loop", weft_task, loop),
	FIELD("task.state", weft_task, state),
	FIELD("task.park", weft_task, park),
	FIELD("task.group", weft_task, group),
	FIELD("task.joiner", weft_task, joiner),
	FIELD("task.result", weft_task, result),
	FIELD("task.place", weft_task, place),
	FIELD("task.name_of", weft_task, name_of),
	FIELD("task.name", weft_task, name),
	NUMBER("state.free", TASK_FREE),
	NUMBER("state.ready", TASK_READY),
	NUMBER("state.running", TASK_RUNNING),
	NUMBER("state.waiting", TASK_WAITING),
	NUMBER("state.done", TASK_DONE),
	FIELD("park.what", struct park, what),
	FIELD("park.awaited", struct park, awaited),
	FIELD("park.awaited_lock", struct park, awaited_lock),
	FIELD("lock.holder", struct lock, holder),
	FIELD("park.awaited_group", struct park, awaited_group),
	FIELD("park.awaited_future", struct park, awaited_future),
	FIELD("park.task", struct park, task),
	FIELD("park.awaited_all", struct park, awaited_all),
	FIELD("future.task", weft_future, task),
	FIELD("observer.all", struct observer, all),
	FIELD("observer.n", struct observer, n),
	NUMBER("observed.bytes", sizeof(struct observed)),
	FIELD("observed.future", struct observed, future),
	FIELD("observed.is_told", struct observed, is_told),
	NUMBER("saved.n_registers", offsetof(struct switch_layout, n_registers)),
	NUMBER("saved.pc_at", offsetof(struct switch_layout, pc_at)),
	NUMBER("saved.sp_at", offsetof(struct switch_layout, sp_at)),
	NUMBER("saved.sp_above", offsetof(struct switch_layout, sp_above)),
	NUMBER("saved.registers", offsetof(struct switch_layout, registers)),
};

const struct layout weft__layout = {
	.version = LAYOUT_VERSION,
	.n_entries = ARRAY_SIZE(entries),
	.slabs = &weft__slabs,
	.saved = &weft__switch_layout,
	.entries = entries,
};
