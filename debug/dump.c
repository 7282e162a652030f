/*
 * The task dump: the process and its loops; dump.h has the model.
 */
#include "debug/dump.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loop/control.h"

#define PATIENCE (2 * WEFT_SEC)

/* Without a step for so long, a loop that is not idle is said not to move. */
#define STILL (20 * WEFT_MSEC)

/* ---- Slabs ---- */

struct slab_search {
	enum { OF_LOOP, OF_ALL, WITH_ADDRESS } which;
	const weft_loop *loop; /* OF_LOOP */
	uintptr_t address; /* WITH_ADDRESS */
	size_t n_before; /* so many others to be passed over */
	struct slab_view *found;
};

static bool is_wanted(struct slab_search *search, const struct slab *slab)
{
	if (search->found->loop)
		return false;
	if (search->which == OF_ALL)
		return search->n_before-- == 0;
	if (search->which == OF_LOOP)
		return slab->loop == search->loop && search->n_before-- == 0;
	return search->address >= (uintptr_t)slab->base &&
	       search->address - (uintptr_t)slab->base < slab->n_stacks * slab->stride;
}

/* Under the lock of the slabs. */
static void consider_slab(const struct slab *slab, void *arg)
{
	struct slab_search *search = arg;
	struct slab_view *found = search->found;

	if (!is_wanted(search, slab))
		return;
	found->loop = slab->loop;
	found->slab = (struct slab){ .base = slab->base,
				     .stride = slab->stride,
				     .guard = slab->guard,
				     .n_stacks = slab->n_stacks };
	/* K2: acquires the blocks of the stacks that K1 released. */
	atomic_init(&found->slab.n_cut,
		    atomic_load_explicit(&slab->n_cut, memory_order_acquire));
}

static bool search_slab(struct slab_search *search)
{
	search->found->loop = NULL;
	weft__slab_each(consider_slab, search);
	return search->found->loop != NULL;
}

bool weft__dump_find_slab(uintptr_t address, struct slab_view *view)
{
	struct slab_search search = { .which = WITH_ADDRESS,
				      .address = address,
				      .found = view };

	return search_slab(&search);
}

bool weft__dump_nth_slab(struct dump *dump, size_t n)
{
	struct slab_search search = { .which = OF_ALL,
				      .n_before = n,
				      .found = &dump->slab };

	return search_slab(&search);
}

/* The n-th slab of the loop at hand, into dump->slab. */
static bool find_slab_of_loop(struct dump *dump, size_t index)
{
	struct slab_search search = { .which = OF_LOOP,
				      .loop = dump->view.loop,
				      .n_before = index,
				      .found = &dump->slab };

	return search_slab(&search);
}

static void dump_tasks_of(struct dump *dump)
{
	for (size_t i = 0; find_slab_of_loop(dump, i); i++) {
		const struct slab *slab = &dump->slab.slab;
		/* Relaxed: a copy of ours. */
		size_t n = atomic_load_explicit(&slab->n_cut, memory_order_relaxed);

		for (size_t k = 0; k < n && !dump->out.error; k++)
			weft__dump_task(dump,
					weft__slab_block(slab, k, sizeof(weft_task)));
	}
}

/* ---- Loops ---- */

struct loop_search {
	struct dump *dump;
	const weft_loop *loop; /* NULL: the next one behind so many */
	size_t n_before;
	bool found;
};

/* Under the lock of the control thread, so the loop is not freed. */
static void consider_loop(weft_loop *loop, void *arg)
{
	struct loop_search *search = arg;
	struct loop_view *view = &search->dump->view;
	weft_time moved_at = 0;

	if (search->found || (search->loop ? loop != search->loop : search->n_before-- > 0))
		return;
	search->found = true;
	*view = (struct loop_view){ .loop = loop };
	/* Relaxed: each may have changed by the time it is read. */
	view->runs = atomic_load_explicit(&loop->running, memory_order_relaxed);
	view->is_idle = atomic_load_explicit(&loop->asleep, memory_order_relaxed);
	/* What its thread writes without an atomic is peeked at. */
	(void)weft__peek(&search->dump->peek, (uintptr_t)loop->name, view->name,
			 sizeof(view->name));
	(void)weft__peek(&search->dump->peek, (uintptr_t)&loop->tid, &view->tid,
			 sizeof(view->tid));
	(void)weft__peek(&search->dump->peek, (uintptr_t)&loop->moved_at, &moved_at,
			 sizeof(moved_at));
	if (moved_at)
		view->still_ns = weft__clock() - moved_at;
}

static bool is_own(const struct dump *dump)
{
	return dump->has_own && dump->view.loop == weft__thread.loop;
}

static void describe_loop(struct dump *dump)
{
	const struct loop_view *view = &dump->view;
	struct out *out = &dump->out;

	weft__out_add(out, "\nloop \"");
	weft__out_foreign(out, view->name, sizeof(view->name));
	weft__out_add(out, "\"");
	if (!view->runs) {
		weft__out_add(out, ": does not run\n");
		return;
	}
	weft__out_add(out, ", thread ");
	weft__out_number(out, (uint64_t)view->tid);
	if (is_own(dump))
		weft__out_add(out, ": makes this dump");
	else if (view->is_idle)
		weft__out_add(out, ": idle");
	else if (view->thread.is == THREAD_ASLEEP)
		weft__out_add(out, ": asleep in a system call");
	else if (view->thread.is == THREAD_RUNNING)
		weft__out_add(out, ": on the CPU");
	else
		weft__out_add(out, ": runs");
	if (!view->is_idle && !is_own(dump) && view->still_ns >= STILL) {
		weft__out_add(out, ", without a step for ");
		weft__out_duration(out, view->still_ns);
	}
	weft__out_add(out, "\n");
}

static bool look_at_loop(struct loop_search *search)
{
	struct dump *dump = search->dump;
	struct loop_view *view = &dump->view;

	weft__control_each_loop(consider_loop, search);
	if (!search->found)
		return false;
	if (view->runs && !view->is_idle && !is_own(dump))
		view->thread = weft__thread_look(view->tid);
	return true;
}

bool weft__dump_look_at_loop(struct dump *dump, const weft_loop *loop)
{
	struct loop_search search = { .dump = dump, .loop = loop };

	return look_at_loop(&search);
}

static bool dump_loop(struct dump *dump, size_t index)
{
	struct loop_search search = { .dump = dump, .n_before = index };
	struct slab_view slab;
	struct loop_view *view = &dump->view;

	if (!look_at_loop(&search))
		return false;
	describe_loop(dump);
	if (view->thread.is == THREAD_ASLEEP &&
	    !weft__dump_find_slab(view->thread.sp, &slab))
		weft__dump_thread_stack(dump);
	dump_tasks_of(dump);
	return true;
}

/* ---- ---- */

static void add_count(struct out *out, size_t n, const char *what)
{
	weft__out_number(out, n);
	weft__out_add(out, what);
	if (n != 1)
		weft__out_add(out, "s");
}

static int dump_all(struct dump *dump)
{
	struct out *out = &dump->out;
	int r;

	weft__graph_build(dump);
	weft__out_add(out, "tasks of process ");
	weft__out_number(out, (uint64_t)getpid());
	weft__out_add(out, ":\n");
	while (!out->error && dump_loop(dump, dump->n_loops))
		dump->n_loops++;
	weft__out_add(out, "\n");
	add_count(out, dump->n_loops, " loop");
	weft__out_add(out, ", ");
	add_count(out, dump->n_tasks, " task");
	weft__out_add(out, "\n");
	r = weft__out_flush(out);
	return r < 0 ? r : (int)MIN(dump->n_tasks, (size_t)INT32_MAX);
}

/* Not malloc(): its lock may be what everybody waits for. */
struct dump *weft__dump_new(FILE *file, int fd)
{
	struct dump *dump = mmap(NULL, sizeof(*dump), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (dump == MAP_FAILED)
		return NULL;
	weft__out_init(&dump->out, file, fd, PATIENCE);
	weft__peek_init(&dump->peek);
	weft__cfi_init(&dump->cfi);
	return dump;
}

void weft__dump_free(struct dump *dump)
{
	weft__peek_fini(&dump->peek);
	weft__cfi_fini(&dump->cfi);
	weft__graph_fini(&dump->graph);
	(void)munmap(dump, sizeof(*dump)); /* it was mapped so */
}

/* The record holds the caller's frame pointer, and where the call returns to. */
void weft__dump_note_caller(struct dump *dump, const uint64_t *record)
{
	dump->own = (struct registers){ .pc = record[1], .is_return = true };
	register_set(&dump->own, CFI_FRAME_POINTER, record[0]);
	register_set(&dump->own, CFI_STACK_POINTER, (uintptr_t)(record + 2));
	dump->has_own = true;
}

/* Not inlined, so that its frame is where the caller's begins. */
__attribute__((noinline)) int weft_dump_tasks(FILE *out)
{
	struct dump *dump;
	int r;

	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	if (!out)
		return weft_error_set(-EINVAL,
				      "weft_dump_tasks() needs a FILE to write to");
	dump = weft__dump_new(out, -1);
	if (!dump)
		return -ENOMEM;
	if (weft__thread.loop)
		weft__dump_note_caller(dump, __builtin_frame_address(0));
	r = dump_all(dump);
	weft__dump_free(dump);
	return r < 0 ? weft_error_set(r, "the dump of the tasks could not be written")
		     : r;
}

int weft__dump_tasks_fd(int fd)
{
	struct dump *dump = weft__dump_new(NULL, fd);
	int r;

	if (!dump)
		return -ENOMEM;
	r = dump_all(dump);
	weft__dump_free(dump);
	return r;
}

static void dump_to(int fd)
{
	(void)weft__dump_tasks_fd(fd); /* nobody is left to tell if this fails */
}

__attribute__((constructor)) static void hook_into_control(void)
{
	weft__control_set_dump(dump_to);
}
