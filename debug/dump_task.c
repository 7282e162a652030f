/*
 * The task dump: one task, and the stacks; dump.h has the model.
 *
 * What a task says of others (whom it waits for, who made it) are pointers that were right a
 * moment ago. Each is followed only if it leads where such a thing can lie: to a block in a slab,
 * or onto the stack of a task.
 */
#include "debug/dump.h"

#include <string.h>

#include "task/switch.h"

enum { MOST_LOOKS = 3, WHAT_BYTES = 48, MOST_AWAITERS = 4 };

/* So far above its stack pointer the thread's own stack is believed to reach. */
#define THREAD_STACK ((uintptr_t)8 << 20)

/* ---- Finding tasks ---- */

const weft_task *weft__dump_task_around(uintptr_t address)
{
	struct slab_view view;
	size_t index;

	if (!weft__dump_find_slab(address, &view))
		return NULL;
	index = (address - (uintptr_t)view.slab.base) / view.slab.stride;
	/* Relaxed: a copy of ours. */
	if (index >= atomic_load_explicit(&view.slab.n_cut, memory_order_relaxed))
		return NULL;
	return weft__slab_block(&view.slab, index, sizeof(weft_task));
}

static bool is_task(const weft_task *task)
{
	return task && weft__dump_task_around((uintptr_t)task) == task;
}

static void add_name(struct dump *dump, const weft_task *task)
{
	const char *name = task->name;

	if (!name[0])
		name = weft__names_function(&dump->names, task->name_of);
	weft__out_add(&dump->out, "\"");
	weft__out_foreign(&dump->out, name, MAX(sizeof(task->name), (size_t)NAME_BYTES));
	weft__out_add(&dump->out, "\"");
}

/* The name of another task, if it is one: with what stands before and behind it. */
static void add_other(struct dump *dump, const char *before, const weft_task *other,
		      const char *after)
{
	weft_task task;

	if (!is_task(other) ||
	    !weft__peek(&dump->peek, (uintptr_t)other, &task, sizeof(task)))
		return;
	task.name[sizeof(task.name) - 1] = '\0';
	weft__out_add(&dump->out, before);
	add_name(dump, &task);
	weft__out_add(&dump->out, after);
}

/* ---- Stacks ---- */

static const char *name_of_frame(struct dump *dump, const struct frame *frame)
{
	return weft__names_find(&dump->names, frame->pc, frame->is_return);
}

static bool begins_with(const char *text, const char *begin)
{
	return strncmp(text, begin, strlen(begin)) == 0;
}

/* How the library waits is no news, nor how it calls a task. */
static void leave_out_our_own(struct dump *dump, bool is_suspended)
{
	struct frames *frames = &dump->frames;
	size_t first = 0;

	while (first < frames->n && is_suspended) {
		const char *name = name_of_frame(dump, &frames->of[first]);

		if (!begins_with(name, "weft__") && !begins_with(name, "libweft.so"))
			break;
		first++;
	}
	while (frames->n > first && frames->is_complete) {
		const char *name = name_of_frame(dump, &frames->of[frames->n - 1]);

		if (!begins_with(name, "weft__stack_") &&
		    !begins_with(name, "weft__task_main") && !begins_with(name, "libweft.so"))
			break;
		frames->n--;
	}
	frames->n -= first;
	memmove(frames->of, frames->of + first, frames->n * sizeof(frames->of[0]));
}

static bool equals_last(const struct dump *dump)
{
	const struct frames *now = &dump->frames, *last = &dump->last_frames;

	if (now->n != last->n || now->is_complete != last->is_complete)
		return false;
	for (size_t i = 0; i < now->n; i++) {
		if (now->of[i].pc != last->of[i].pc)
			return false;
	}
	return now->n > 0;
}

static void add_indent(struct dump *dump, size_t n)
{
	for (n += 2 * dump->depth; n > 0; n--)
		weft__out_add(&dump->out, " ");
}

/* A line of a stack. */
static void add_line(struct dump *dump, const char *text)
{
	add_indent(dump, 6);
	weft__out_foreign(&dump->out, text, SIZE_MAX);
	weft__out_add(&dump->out, "\n");
}

static void add_frames(struct dump *dump)
{
	const struct frames *frames = &dump->frames;

	for (size_t i = 0; i < frames->n; i++) {
		if (frames->of[i].after_gap && i > 0)
			add_line(dump, "...");
		add_line(dump, name_of_frame(dump, &frames->of[i]));
	}
	if (!frames->is_complete)
		add_line(dump, "...");
}

static void add_stack(struct dump *dump, bool is_suspended)
{
	leave_out_our_own(dump, is_suspended);
	if (equals_last(dump)) {
		add_line(dump, "the same stack as the one above");
		return;
	}
	dump->last_frames = dump->frames;
	if (dump->frames.n == 0)
		add_line(dump, "has not begun");
	else
		add_frames(dump);
}

/* The registers of a stack that was left; false if nobody knows where they are. */
static bool read_saved(struct dump *dump, uint64_t saved_sp, struct registers *registers)
{
	const struct switch_layout *layout = &weft__switch_layout;
	uint64_t word;

	*registers = (struct registers){ 0 };
	if (layout->n_registers == 0 ||
	    !weft__peek_word(&dump->peek, saved_sp + layout->pc_at, &registers->pc))
		return false;
	word = saved_sp + layout->sp_above;
	if (layout->sp_at &&
	    !weft__peek_word(&dump->peek, saved_sp + layout->sp_at, &word))
		return false;
	register_set(registers, CFI_STACK_POINTER, word);
	for (size_t i = 0; i < layout->n_registers; i++) {
		if (!weft__peek_word(&dump->peek, saved_sp + layout->registers[i].at,
				     &word))
			return false;
		register_set(registers, layout->registers[i].number, word);
	}
	return true;
}

/* The registers of a thread that sleeps: few. */
static struct registers asleep_at(const struct thread_look *thread)
{
	struct registers registers = { .pc = thread->pc };

	register_set(&registers, CFI_STACK_POINTER, thread->sp);
	return registers;
}

static bool is_still(struct dump *dump)
{
	struct thread_look now = weft__thread_look(dump->view.tid);

	return now.is == THREAD_ASLEEP && now.pc == dump->view.thread.pc &&
	       now.sp == dump->view.thread.sp;
}

void weft__dump_thread_stack(struct dump *dump)
{
	const struct thread_look *thread = &dump->view.thread;
	struct registers registers = asleep_at(thread);

	weft__peek_again(&dump->peek);
	weft__frames_walk(&dump->cfi, &dump->peek, &registers, thread->sp,
			  thread->sp + THREAD_STACK, &dump->frames);
	if (is_still(dump))
		add_stack(dump, false);
}

/* ---- One task ---- */

/* A task's block, copied, and where its stack is. */
struct task_view {
	const weft_task *block;
	weft_task task;
	uintptr_t low, high;
};

static bool read_task(struct dump *dump, const weft_task *block, struct task_view *view)
{
	const struct slab *slab = &dump->slab.slab;

	view->block = block;
	view->low = (uintptr_t)weft__stack_low(slab, block);
	view->high = (uintptr_t)block;
	weft__peek_again(&dump->peek);
	if (!weft__peek(&dump->peek, (uintptr_t)block, &view->task, sizeof(view->task)))
		return false;
	view->task.name[sizeof(view->task.name) - 1] = '\0';
	return view->task.loop == dump->view.loop && view->task.state > TASK_FREE &&
	       view->task.state <= TASK_DONE;
}

/* Did it stay as it was when it was read? */
static bool is_unchanged(struct dump *dump, const struct task_view *view)
{
	struct {
		char bytes[offsetof(weft_task, state) + 1];
	} now;
	uint64_t n_resumed;

	if (!weft__peek(&dump->peek, (uintptr_t)view->block, &now, sizeof(now)))
		return false;
	memcpy(&n_resumed, now.bytes + offsetof(weft_task, n_resumed), sizeof(n_resumed));
	return n_resumed == view->task.n_resumed &&
	       (uint8_t)now.bytes[offsetof(weft_task, state)] == view->task.state;
}

static bool is_on_stack(const struct task_view *view, uint64_t sp)
{
	return sp >= view->low && sp < view->high;
}

bool weft__dump_read_park(struct dump *dump, const weft_task *block, struct park *park)
{
	weft_task task;

	return weft__peek(&dump->peek, (uintptr_t)block, &task, sizeof(task)) &&
	       task.state == TASK_WAITING &&
	       weft__peek(&dump->peek, (uintptr_t)task.park, park, sizeof(*park)) &&
	       park->task == block;
}

static void add_wait(struct dump *dump, const struct task_view *view)
{
	char what[WHAT_BYTES] = "";
	struct out *out = &dump->out;
	struct park park;
	weft_time since;

	weft__out_add(out, "waits");
	if (!weft__dump_read_park(dump, view->block, &park))
		return;
	/* A string in a library is followed by something; one at its very end is read in part. */
	for (size_t n = sizeof(what) - 1; n > 0; n /= 2) {
		if (weft__peek(&dump->peek, (uintptr_t)park.what, what, n))
			break;
	}
	weft__out_add(out, ": ");
	weft__out_foreign(out, what, sizeof(what) - 1);
	add_other(dump, " (", weft__graph_awaited(dump, &park), ")");
	since = weft__clock() - park.since;
	if (park.since > 0 && since >= 0) {
		weft__out_add(out, ", for ");
		weft__out_duration(out, since);
	}
}

static void add_state(struct dump *dump, const struct task_view *view, bool is_own)
{
	const struct thread_look *thread = &dump->view.thread;
	struct out *out = &dump->out;

	switch (view->task.state) {
	case TASK_READY:
		weft__out_add(out, "ready to run");
		break;
	case TASK_RUNNING:
		if (is_own)
			weft__out_add(out, "makes this dump");
		else if (thread->is == THREAD_ASLEEP && is_on_stack(view, thread->sp))
			weft__out_add(out, "asleep in a system call");
		else if (thread->is == THREAD_ASLEEP)
			weft__out_add(out, "made a call on the thread's stack");
		else if (thread->is == THREAD_RUNNING)
			weft__out_add(out, "on the CPU, where its stack cannot be seen");
		else
			weft__out_add(out, "runs, and its stack cannot be seen");
		break;
	case TASK_WAITING:
		add_wait(dump, view);
		break;
	case TASK_DONE:
		if (view->task.result < 0) {
			weft__out_add(out, "failed with -");
			weft__out_number(out, (uint64_t) - (int64_t)view->task.result);
		} else {
			weft__out_add(out, "ended");
		}
		weft__out_add(out, ", and nobody has asked for its result");
	}
}

/* Those who wait for it: the first few by name. */
static void add_awaiters(struct dump *dump, const weft_task *block)
{
	const struct graph *graph = &dump->graph;
	size_t first = weft__graph_find(graph, block), n = 0;

	while (first + n < graph->n && graph->edges[first + n].awaited == block) {
		if (n < MOST_AWAITERS)
			add_other(dump, n ? ", " : "; awaited by ",
				  graph->edges[first + n].waiter, "");
		n++;
	}
	if (n > MOST_AWAITERS) {
		weft__out_add(&dump->out, " and ");
		weft__out_number(&dump->out, n - MOST_AWAITERS);
		weft__out_add(&dump->out, " more");
	}
}

/* Who made it, and who wants it. */
static void add_relations(struct dump *dump, const struct task_view *view)
{
	if (view->task.group) /* it lies on the stack of the task that began it */
		add_other(dump, "; child of ",
			  weft__dump_task_around((uintptr_t)view->task.group), "");
	add_awaiters(dump, view->block);
	if (view->task.place) {
		weft__out_add(&dump->out, "; spawned at ");
		weft__out_foreign(&dump->out,
				  weft__names_find(&dump->names,
						   (uintptr_t)view->task.place, true),
				  SIZE_MAX);
	}
	weft__out_add(&dump->out, "\n");
}

enum seen { SEEN, SEEN_NOTHING, SEEN_CHANGED };

/* Reads the stack into dump->frames. */
static enum seen look_at_stack(struct dump *dump, const struct task_view *view,
			       bool is_own)
{
	const struct thread_look *thread = &dump->view.thread;
	bool is_asleep = thread->is == THREAD_ASLEEP && is_on_stack(view, thread->sp);
	struct registers registers;

	if (view->task.state == TASK_DONE)
		return SEEN_NOTHING;
	if (is_own)
		registers = dump->own;
	else if (view->task.state == TASK_RUNNING && is_asleep)
		registers = asleep_at(thread);
	else if (view->task.state == TASK_RUNNING && thread->is != THREAD_ASLEEP)
		return SEEN_NOTHING;
	else if (!is_on_stack(view, (uintptr_t)view->task.sp) ||
		 !read_saved(dump, (uintptr_t)view->task.sp, &registers))
		return SEEN_NOTHING;
	weft__frames_walk(&dump->cfi, &dump->peek, &registers, view->low, view->high,
			  &dump->frames);
	if (is_asleep && view->task.state == TASK_RUNNING && !is_still(dump))
		return SEEN_CHANGED;
	return is_unchanged(dump, view) ? SEEN : SEEN_CHANGED;
}

void weft__dump_task(struct dump *dump, const weft_task *block)
{
	enum seen seen = SEEN_CHANGED;
	struct task_view view;
	bool is_own = false;

	for (int i = 0; i < MOST_LOOKS && seen == SEEN_CHANGED; i++) {
		if (i > 0 && dump->view.thread.is != THREAD_HIDDEN)
			dump->view.thread = weft__thread_look(dump->view.tid);
		if (!read_task(dump, block, &view))
			return;
		is_own = dump->has_own && weft__thread.task == block;
		seen = look_at_stack(dump, &view, is_own);
	}
	dump->n_tasks++;
	add_indent(dump, 2);
	add_name(dump, &view.task);
	weft__out_add(&dump->out, " ");
	weft__out_hex(&dump->out, (uintptr_t)block);
	if (dump->is_tree) {
		weft__out_add(&dump->out, ", loop \"");
		weft__out_foreign(&dump->out, dump->view.name, sizeof(dump->view.name));
		weft__out_add(&dump->out, "\"");
	}
	weft__out_add(&dump->out, ": ");
	add_state(dump, &view, is_own);
	add_relations(dump, &view);
	if (seen == SEEN)
		add_stack(dump, !is_own && view.task.state != TASK_RUNNING);
	else if (seen == SEEN_CHANGED)
		add_line(dump, "ran whenever its stack was looked at");
}
