/*
 * Tasks: making, naming and ending them; task.h has the model. Loop thread.
 *
 * A task that ends tells, in this order: its future, its joiner, its group. Its stack then
 * goes back to the pool, or, while somebody holds a reference, when that is given back.
 */
#include "task/task.h"

#include <stdio.h>
#include <string.h>

#include "base/place.h"
#include "base/report.h"
#include "task/future.h"
#include "task/group.h"
#include "task/switch.h"

/* ---- Ending ---- */

/* What most tasks never had. */
static void release_extras(weft_task *task)
{
	const struct weft_error *error, *reason;

	if (task->value && task->destroy_value)
		task->destroy_value(task->value);
	if (task->future) {
		weft__future_forget_task(task->future);
		weft_future_unref(task->future);
	}
	free(task->copied_arg);
	context_drop(&task->carrier.context);
	/* Last, since what was called up to here may have failed at something. */
	error = task->error;
	reason = task->reason;
	task->error = task->reason = NULL;
	weft_error_unref(error);
	weft_error_unref(reason);
}

static void recycle(weft_task *task)
{
	struct tasks *tasks = tasks_of(task->loop);
	uint32_t epoch;

	if (unlikely(task->error || task->reason || task->value || task->future ||
		     task->copied_arg || task->carrier.context))
		release_extras(task);
	task->state = TASK_FREE;
	epoch = tasks->pool.epoch;
	task->freed_at = likely(epoch) ? epoch : weft__trim_wake(task->loop);
	list_push_front(&tasks->pool.classes[task->stack_class].free, &task->link);
}

static void report_failure(const weft_task *task)
{
	struct weft_report report = {
		.error = task->error && task->error->code == task->result
				 ? task->error
				 : weft_error_of(task->result),
		.loop = task->loop,
		.task = task,
		.place = task->place,
	};
	char name[128];

	weft__report(WEFT_FAILURE, &report,
		     "task \"%s\" failed and nobody was waiting for it",
		     weft__task_describe(task, name, sizeof(name)));
}

void weft__task_report_unseen(const weft_task *task)
{
	if (unlikely(task->result < 0) && task->result != -ECANCELED && !task->was_seen &&
	    !task->future)
		report_failure(task);
}

void weft__task_give_up(weft_task *task)
{
	weft__task_report_unseen(task);
	release_extras(task);
	task->state = TASK_FREE;
}

void weft__task_unref(weft_task *task)
{
	if (--task->references > 0)
		return;
	if (task->state != TASK_DONE)
		return; /* it goes on, and the end finds that nobody holds it */
	weft__task_report_unseen(task);
	recycle(task);
}

void weft__task_end(weft_task *task)
{
	char name[128];

	weft_assert(
		!task->scopes,
		"task \"%s\" ended with a %s still open: leave its block by goto, not by return, "
		"so that its end is reached",
		weft__task_describe(task, name, sizeof(name)),
		weft__scope_name(task->scopes->kind));
	task->state = TASK_DONE;
	list_unlink(&task->link);
	atomic_store_explicit(&task->loop->n_tasks, tasks_alive(task->loop) - 1,
			      memory_order_relaxed);
	if (unlikely(task->is_main || (task->loop->closing && !tasks_alive(task->loop))))
		task->loop->stop = true; /* somebody runs the loop until this moment */
	task->references++; /* keeps the block until everybody was told */
	if (task->future)
		weft__future_settle_task(task->future, task);
	if (task->joiner)
		weft__unpark(task->joiner, 0);
	if (task->group)
		weft__group_child_ended(task->group, task);
	weft__task_unref(task);
}

/* ---- Making ---- */

static void lay_out(weft_loop *loop, int class, struct slab *slab, weft_task *task)
{
	char *low = weft__stack_low(slab, task);

	memset(task, 0, sizeof(*task));
	task->loop = loop;
	task->slab = slab;
	task->stack_class = (uint8_t) class;
	handle_init(&task->spare, HANDLE_DIRECT, weft__resume, task);
	task->spare.loop = loop;
	task->n_resumed = tasks_of(loop)->resumed_floor;
	task->sp = weft__switch_prepare(task, weft__task_main);
	fibre_init(&task->fibre, low, (size_t)((char *)task - low));
}

/* On a stack that was trimmed, or else on a new one. */
static int new_block(weft_loop *loop, int class, weft_task **out)
{
	struct stack_pool *pool = &tasks_of(loop)->pool;
	struct slab *slab;
	void *block;
	int r = weft__ready_reserve(&loop->ready); /* kept as long as the block exists */

	if (r < 0)
		return r;
	block = weft__stack_dress(pool, class, sizeof(weft_task), &slab);
	if (block) {
		lay_out(loop, class, slab, block);
		*out = block;
		return 0;
	}
	r = weft__stack_cut(pool, class, sizeof(weft_task), &block);
	if (r < 0) {
		weft__ready_release(&loop->ready);
		return r;
	}
	lay_out(loop, class, pool->classes[class].slab, block);
	weft__stack_commit(pool, class);
	*out = block;
	return 0;
}

static int take_block(weft_loop *loop, int class, weft_task **out)
{
	struct list *link = list_pop_front(&tasks_of(loop)->pool.classes[class].free);

	if (likely(link)) {
		*out = list_entry(link, weft_task, link);
		return 0;
	}
	return new_block(loop, class, out);
}

/*
 * What begins at zero, in pieces that are single stores: of one large memset() gcc makes a
 * "rep stos", which takes longer than all the rest.
 */
static inline void clear(weft_task *task)
{
	enum {
		PIECE = 8,
		FROM = offsetof(weft_task, state),
		N = (offsetof(weft_task, link) - FROM) / PIECE,
		REST = offsetof(weft_task, link) - FROM - N * PIECE,
	};

#pragma GCC unroll 16
	for (int i = 0; i < N; i++)
		memset((char *)task + FROM + i * PIECE, 0, PIECE);
	memset((char *)task + FROM + N * PIECE, 0, REST);
}

static void begin(weft_task *task, weft_fn *fn, void *arg, const void *place, bool eager)
{
	weft_loop *loop = task->loop;

	clear(task);
	task->began_at = task->n_resumed;
	if (unlikely(context_current()))
		task->carrier.context = context_capture(); /* a free block has none */
	task->fn = fn;
	task->arg = arg;
	task->place = place;
	task->name_of = (const void *)(uintptr_t)fn;
	task->name[0] = '\0';
	list_push_back(&tasks_of(loop)->alive, &task->link);
	atomic_store_explicit(&loop->n_tasks, tasks_alive(loop) + 1,
			      memory_order_relaxed);
	if (unlikely(eager))
		task->state = TASK_READY;
	else
		weft__make_ready(task);
	if (unlikely(loop->closing))
		(void)weft_task_cancel(task,
				       NULL); /* it begins, and its first wait says so */
}

int weft__task_new(weft_loop *loop, weft_fn *fn, void *arg,
		   const struct weft_spawn_options *options, const void *place, bool keep,
		   weft_task **out)
{
	int class =
		options ? weft__stack_class(options->stack_bytes) : STACK_CLASS_DEFAULT;
	weft_task *task;
	void *copy = NULL;
	int r;

	if (unlikely(class < 0))
		return class;
	if (unlikely(loop->inbox.closed))
		return weft_error_set(-ESHUTDOWN,
				      "loop \"%s\" is closed and starts no task",
				      loop->name);
	r = take_block(loop, class, &task);
	if (unlikely(r < 0))
		return r;
	if (unlikely(options && options->copy_arg_bytes)) {
		copy = weft__alloc(options->copy_arg_bytes);
		if (!copy) {
			list_push_front(&tasks_of(loop)->pool.classes[class].free,
					&task->link);
			return -ENOMEM;
		}
		arg = memcpy(copy, arg, options->copy_arg_bytes);
	}
	begin(task, fn, arg, place, options && options->eager);
	task->references = keep;
	task->copied_arg = copy;
	if (options && options->name)
		weft_task_set_name(task, options->name);
	*out = task;
	return 0;
}

/* Not inlined, so that the return address is the caller's. */
__attribute__((noinline)) int weft_spawn_with(weft_fn *fn, void *arg,
					      const struct weft_spawn_options *options,
					      weft_task **out)
{
	weft_loop *loop = weft__thread.loop;
	weft_task *task;
	int r;

	if (unlikely(!loop))
		return weft__loop_none(__func__);
	if (options &&
	    weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)))
		return weft_error_set(
			-EINVAL, "weft_spawn_with(): set the reserved options to zero");
	r = weft__task_new(loop, fn, arg, options, __builtin_return_address(0),
			   out != NULL, &task);
	if (r < 0)
		return r;
	if (out)
		*out = task;
	if (unlikely(options && options->eager))
		weft__task_run_eagerly(task);
	return 0;
}

__attribute__((noinline)) int weft_spawn(weft_fn *fn, void *arg, weft_task **out)
{
	weft_loop *loop = weft__thread.loop;
	weft_task *task;
	int r;

	if (unlikely(!loop))
		return weft__loop_none(__func__);
	r = weft__task_new(loop, fn, arg, NULL, __builtin_return_address(0), out != NULL,
			   &task);
	if (r == 0 && out)
		*out = task;
	return r;
}

/* ---- Asking and naming ---- */

weft_task *weft_task_current(void)
{
	return task_current();
}

void weft_task_set_name(weft_task *task, const char *name)
{
	if (task && loop_check(task->loop, __func__) == 0)
		snprintf(task->name, sizeof(task->name), "%s", name);
}

const char *weft__task_describe(const weft_task *task, char *buffer, size_t size)
{
	if (task->name[0])
		snprintf(buffer, size, "%s", task->name);
	else
		weft__symbol_name(task->name_of, buffer, size);
	return buffer;
}

const char *weft_task_name(const weft_task *task)
{
	weft_task *named =
		(weft_task *)(uintptr_t)task; /* its default name is looked up once */

	if (loop_check(task->loop, __func__) < 0)
		return "";
	if (!task->name[0])
		weft__symbol_name(task->name_of, named->name, sizeof(named->name));
	return task->name;
}

int weft_return(void *value, weft_destroy *destroy)
{
	weft_task *task = task_current();

	if (!task)
		return weft__thread.return_value
			       ? weft__thread.return_value(value, destroy)
			       : weft__task_none(__func__);
	if (task->value && task->destroy_value)
		task->destroy_value(task->value);
	task->value = value;
	task->destroy_value = destroy;
	return 0;
}

/* ---- For the layers below ---- */

static const struct weft_error **error_slot(void)
{
	weft_task *task = task_current();

	return task ? &task->error : NULL;
}

/* In this file, because a program that has tasks gets it from an archive, too. */
__attribute__((constructor)) static void hook_into_loops(void)
{
	weft__loop_set_hooks(&weft__task_hooks);
	weft__error_set_task_slot(error_slot);
}
