/*
 * Tasks: making, running and ending them; task.h has the model. Loop thread.
 *
 * A stack's first frame is a loop that runs one task after the other, so a stack that
 * comes from the pool needs nothing laid out: the next task goes on where the last one
 * ended.
 *
 * A task that suspends switches straight to the next one of this turn, if that is what
 * comes next and no look is due; else back to the loop's own stack.
 */
#include "task/task.h"

#include <stdio.h>
#include <string.h>

#include "base/place.h"
#include "base/report.h"
#include "loop/control.h"
#include "task/future.h"
#include "task/group.h"
#include "task/layout.h"
#include "task/overflow.h"
#include "task/switch.h"

static void resume(void *task);

int weft__task_none(const char *function)
{
	if (weft__thread.loop)
		return weft_error_set(
			-EPERM,
			"%s() was called in a callback of loop \"%s\", which may not "
			"wait: call it in a task, started with weft_spawn()",
			function, weft__thread.loop->name);
	if (weft__thread_is_stale() || weft__thread.runs_job)
		return weft__loop_none(function);
	return weft_error_set(
		-EPERM,
		"%s() was called outside a task, where nothing can be awaited: start a "
		"task with weft_run() or weft_spawn()",
		function);
}

/* ---- Switching ---- */

enum {
	FAR_AHEAD = 7,
	NEAR_AHEAD = 3,
	AHEAD_FROM = 32, /* so many ready tasks may be too many for the first cache */
};

/*
 * What follows is known, so its memory is fetched while others run: first the block, then, when
 * that is there, the frames that the switch and the return from it will touch.
 *
 * Always inlined: gcc takes a function that only fetches for one without effect, and leaves the
 * call out.
 */
__attribute__((always_inline)) static inline void look_ahead(const struct ready *ready)
{
	const struct ready_slot *far, *near;
	const char *sp;

	if (ready->tail - ready->head < AHEAD_FROM)
		return;
	far = &ready->slots[(ready->head + FAR_AHEAD) & ready->mask];
	near = &ready->slots[(ready->head + NEAR_AHEAD) & ready->mask];
	__builtin_prefetch(far->arg);
	if (near->fn != resume)
		return;
	sp = ((const weft_task *)near->arg)->sp;
	/* The saved registers, which may begin on one line and end on the next; then frames. */
	__builtin_prefetch(sp);
	__builtin_prefetch(sp + SWITCH_SAVED - 1);
	__builtin_prefetch(sp + SWITCH_LEFT);
	__builtin_prefetch(sp + SWITCH_LEFT + CACHE_LINE);
}

/*
 * The loop of the running task, which is known before the task is: so finding the next one need
 * not wait for the last one's own memory, and steps of several tasks overlap.
 */
static inline weft_loop *loop_of_running(void)
{
	return weft__thread.loop;
}

static inline void about_to_run(weft_task *task)
{
	weft__thread.task = task;
	task->state = TASK_RUNNING;
	task->n_resumed++;
}

/* A task that was switched to is running again: `me`, on its own stack. */
static inline void arrived(weft_task *me)
{
	struct tasks *tasks = tasks_of(me->loop);

	fibre_arrive(&me->fibre, tasks->leaving ? NULL : &tasks->fibre);
	(void)tasks;
}

/*
 * May a task begin the next turn by itself? The loop does no more between two turns, unless
 * something came or was asked for.
 */
static inline bool begin_turn(weft_loop *loop)
{
	struct ready *ready = &loop->ready;

	if (ready->head == ready->tail || inbox_has_news(&loop->inbox) || loop->stop ||
	    loop->turns_apart || !list_is_empty(&ready->behind) ||
	    !list_is_empty(&loop->flushes))
		return false;
	ready->turn_end = ready->tail;
	return true;
}

/*
 * Leaves the running task, which has been queued, parked or ended. Inlined, so that a task comes
 * back to as few returns as can be: each is mispredicted, since the calls were another task's.
 */
__attribute__((always_inline)) static inline void switch_away(weft_task *me)
{
	weft_loop *loop = loop_of_running();
	struct tasks *tasks = tasks_of(loop);
	struct ready *ready = &loop->ready;

	if (!loop_look_is_due(loop) &&
	    (ready->head != ready->turn_end || begin_turn(loop))) {
		struct ready_slot *slot = &ready->slots[ready->head & ready->mask];

		if (slot->fn == resume) {
			weft_task *next = slot->arg;

			ready->head++;
			look_ahead(ready);
			loop_count_step(loop);
			about_to_run(next);
			if (next == me)
				return;
			tasks->leaving = me;
			fibre_leave(&me->fibre, &next->fibre);
			(void)switch_stacks(&me->sp, next->sp, next);
			arrived(me);
			return;
		}
	}
	weft__thread.task = NULL;
	fibre_leave(&me->fibre, &tasks->fibre);
	(void)switch_stacks(&me->sp, tasks->sp, NULL);
	arrived(me);
}

/* From the loop's own stack into a task. */
static void switch_in(struct tasks *tasks, weft_task *task)
{
	about_to_run(task);
	tasks->leaving = NULL;
	fibre_leave(&tasks->fibre, &task->fibre);
	(void)switch_stacks(&tasks->sp, task->sp, task);
	fibre_arrive(&tasks->fibre, NULL);
}

/* The entry of the ready queue for a task; on the loop's own stack. */
static void resume(void *arg)
{
	weft_task *task = arg;
	struct tasks *tasks = tasks_of(task->loop);

	switch_in(tasks, task);
	while (unlikely(tasks->call)) { /* weft_call_on_thread_stack() */
		struct stack_call *call = tasks->call;

		tasks->call = NULL;
		call->result = call->fn(call->arg);
		switch_in(tasks, call->task);
	}
}

static inline void make_ready(weft_loop *loop, weft_task *task)
{
	task->state = TASK_READY;
	ready_push_promised(&loop->ready, resume, task, &task->spare);
}

void weft__make_ready(weft_task *task)
{
	make_ready(task->loop, task);
}

void weft__suspend(weft_task *me)
{
	me->state = TASK_WAITING;
	switch_away(me);
}

int weft__park(struct park *park)
{
	weft_task *me = task_current();

	park->task = me;
	park->since = control_clock();
	me->park = park;
	me->io_streak = 0;
	me->state = TASK_WAITING;
	switch_away(me);
	if (unlikely(park->result == -ECANCELED))
		(void)weft__deliver(me); /* with what was asked for since */
	return park->result;
}

void weft__pass_turn(weft_task *me)
{
	me->io_streak = 0;
	make_ready(loop_of_running(), me);
	switch_away(me);
}

int weft_yield(void)
{
	weft_task *me = task_current();
	int r;

	if (unlikely(!me))
		return weft__task_none(__func__);
	r = weft__cancel_point(me);
	if (unlikely(r < 0))
		return r;
	me->io_streak = 0;
	make_ready(loop_of_running(), me);
	switch_away(me);
	return 0;
}

int weft_call_on_thread_stack(weft_fn *fn, void *arg)
{
	weft_task *me = task_current();
	struct stack_call call = { .fn = fn, .arg = arg, .task = me };
	struct tasks *tasks;

	if (!me)
		return weft__task_none(__func__);
	tasks = tasks_of(me->loop);
	tasks->call = &call;
	weft__thread.task = NULL;
	fibre_leave(&me->fibre, &tasks->fibre);
	(void)switch_stacks(&me->sp, tasks->sp, NULL);
	arrived(me);
	return call.result;
}

/* ---- Ending ---- */

static size_t n_alive(const weft_loop *loop)
{
	return atomic_load_explicit(&loop->n_tasks, memory_order_relaxed);
}

/* What most tasks never had. */
static void release_extras(weft_task *task)
{
	weft_error_unref(task->error);
	weft_error_unref(task->reason);
	if (task->value && task->destroy_value)
		task->destroy_value(task->value);
	if (task->future) {
		weft__future_forget_task(task->future);
		weft_future_unref(task->future);
	}
	free(task->copied_arg);
}

static void recycle(weft_task *task)
{
	struct tasks *tasks = tasks_of(task->loop);

	if (unlikely(task->error || task->reason || task->value || task->future ||
		     task->copied_arg))
		release_extras(task);
	task->state = TASK_FREE;
	list_push_front(&tasks->pool.classes[task->stack_class].free, &task->link);
}

/* A failure that no future, group or joiner will ever tell anybody. */
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

void weft__task_unref(weft_task *task)
{
	if (--task->references > 0)
		return;
	if (task->state != TASK_DONE)
		return; /* it goes on, and the end finds that nobody holds it */
	if (task->result < 0 && task->result != -ECANCELED && !task->was_seen &&
	    !task->future)
		report_failure(task);
	recycle(task);
}

static void end_of_task(weft_task *task)
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
	atomic_store_explicit(
		&task->loop->n_tasks,
		atomic_load_explicit(&task->loop->n_tasks, memory_order_relaxed) - 1,
		memory_order_relaxed);
	if (unlikely(task->is_main || (task->loop->closing && !n_alive(task->loop))))
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

/* The first frame of every stack. */
static void task_main(void *arg)
{
	weft_task *task = arg;

	arrived(task);
	for (;;) {
		task->result = task->fn(task->arg);
		end_of_task(task);
		switch_away(task);
	}
}

/* ---- Making ---- */

static int new_block(weft_loop *loop, int class, weft_task **out)
{
	struct tasks *tasks = tasks_of(loop);
	const struct slab *slab;
	weft_task *task;
	void *block;
	char *low;
	int r = weft__ready_reserve(&loop->ready); /* kept as long as the block exists */

	if (r < 0)
		return r;
	r = weft__stack_cut(&tasks->pool, class, sizeof(*task), &block);
	if (r < 0) {
		weft__ready_release(&loop->ready);
		return r;
	}
	task = memset(block, 0, sizeof(*task));
	task->loop = loop;
	task->stack_class = (uint8_t) class;
	handle_init(&task->spare, HANDLE_DIRECT, resume, task);
	task->spare.loop = loop;
	task->sp = weft__switch_prepare(task, task_main);
	weft__stack_commit(&tasks->pool, class);
	slab = tasks->pool.classes[class].slab;
	low = weft__stack_low(slab, task);
	fibre_init(&task->fibre, low, (size_t)((char *)task - low));
	*out = task;
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

static void begin(weft_task *task, weft_fn *fn, void *arg, const void *place)
{
	weft_loop *loop = task->loop;

	memset((char *)task + offsetof(weft_task, state), 0,
	       offsetof(weft_task, link) - offsetof(weft_task, state));
	task->fn = fn;
	task->arg = arg;
	task->place = place;
	task->name_of = (const void *)(uintptr_t)fn;
	task->name[0] = '\0';
	list_push_back(&tasks_of(loop)->alive, &task->link);
	atomic_store_explicit(&loop->n_tasks,
			      atomic_load_explicit(&loop->n_tasks, memory_order_relaxed) +
				      1,
			      memory_order_relaxed);
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
	begin(task, fn, arg, place);
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
	if (r == 0 && out)
		*out = task;
	return r;
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

	if (!task->name[0] && loop_check(task->loop, __func__) == 0)
		weft__symbol_name(task->name_of, named->name, sizeof(named->name));
	return task->name;
}

int weft_loop_tasks(weft_loop *loop, weft_task **out, size_t n_max)
{
	size_t n = 0;
	int r = loop_check(loop, __func__);

	if (r < 0)
		return r;
	list_for_each (link, &tasks_of(loop)->alive) {
		if (n < n_max)
			out[n] = list_entry(link, weft_task, link);
		n++;
	}
	return (int)MIN(n, (size_t)INT32_MAX);
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

/* ---- Waiting for the end of a task ---- */

struct join {
	struct park park;
	bool passed; /* a request was passed on to the task */
};

static enum cancel_answer pass_to_task(struct park *park)
{
	struct join *join = container_of(park, struct join, park);

	join->passed = true;
	(void)weft_task_cancel(park->awaited, NULL);
	return CANCEL_PASSED;
}

static int await_end(weft_task *me, weft_task *task)
{
	struct join join = {
		.park = { .what = "join", .cancel = pass_to_task, .awaited = task },
	};
	unsigned told_before = me->n_told;
	char name[128];

	if (weft__is_cycle(me, task))
		return weft_error_set(-EDEADLK,
				      "joining task \"%s\" would never end: it waits for "
				      "the task that joins it",
				      weft__task_describe(task, name, sizeof(name)));
	weft_assert(!task->joiner,
		    "task \"%s\" is joined twice: only its owner joins a task, others "
		    "await weft_task_future()",
		    weft__task_describe(task, name, sizeof(name)));
	/* A request that is pending already goes to the task, as one that comes while we
	 * wait. */
	if (weft__deliver(me)) {
		join.passed = true;
		(void)weft_task_cancel(task, NULL);
	}
	task->joiner = &join.park;
	(void)weft__park(&join.park);
	task->joiner = NULL;
	if (join.passed && task->result == -ECANCELED)
		(void)weft__deliver(me); /* with what was asked for since */
	else if (join.passed) /* it finished all the same: the request is still to come */
		weft__put_back(me, told_before);
	return 0;
}

int weft_task_join(weft_task *task)
{
	weft_task *me = task_current();
	int r;

	if (!me)
		return weft__task_none(__func__);
	if (!loop_is_mine(task->loop))
		return weft__loop_refuse(task->loop, __func__);
	if (task->state != TASK_DONE) {
		r = await_end(me, task);
		if (r < 0) {
			weft__task_unref(task);
			return r;
		}
	}
	r = task->result;
	task->was_seen = true;
	if (task->future)
		weft__future_seen(task->future);
	if (r < 0 && task->error && task->error->code == r) {
		weft__error_give(task->error);
		task->error = NULL;
	}
	weft__task_unref(task);
	return r;
}

void weft_task_detach(weft_task *task)
{
	if (task && loop_check(task->loop, __func__) == 0)
		weft__task_unref(task);
}

weft_future *weft_task_future(weft_task *task)
{
	if (!task || loop_check(task->loop, __func__) < 0)
		return NULL;
	if (!task->future)
		task->future = weft__future_of_task(task);
	return task->future;
}

/* ---- For the loop ---- */

static int open_tasks(weft_loop *loop)
{
	struct tasks *tasks = weft__zalloc(sizeof(*tasks));

	if (!tasks)
		return -ENOMEM;
	list_init(&tasks->alive);
	weft__stack_pool_init(&tasks->pool, loop);
	loop->tasks = tasks;
	return 0;
}

static void enter_tasks(weft_loop *loop)
{
	weft__overflow_watch();
	fibre_init_thread(&tasks_of(loop)->fibre);
}

static void close_tasks(weft_loop *loop)
{
	struct tasks *tasks = tasks_of(loop);

	if (!tasks->n_abandoned) /* what abandoned tasks can reach is kept, their stacks
				    included */
		weft__stack_pool_fini(&tasks->pool);
	free(tasks);
	loop->tasks = NULL;
}

static void cancel_all(weft_loop *loop)
{
	list_for_each_safe (link, &tasks_of(loop)->alive)
		(void)weft_task_cancel(list_entry(link, weft_task, link), NULL);
}

static void abandon_all(weft_loop *loop)
{
	list_for_each_safe (link, &tasks_of(loop)->alive) {
		weft_task *task = list_entry(link, weft_task, link);
		struct weft_report report = { .loop = loop,
					      .task = task,
					      .place = task->place };
		char name[128];

		weft__report(
			WEFT_FAILURE, &report,
			"task \"%s\" ignored its cancellation (it waits for: %s) and was "
			"abandoned",
			weft__task_describe(task, name, sizeof(name)),
			task->park ? task->park->what : "its turn");
		tasks_of(loop)->n_abandoned++;
	}
}

static void suspend_running(void)
{
	weft__suspend(task_current());
}

static void wake_task(void *task)
{
	weft__make_ready(task);
}

static const struct weft_error **error_slot(void)
{
	weft_task *task = task_current();

	return task ? &task->error : NULL;
}

__attribute__((constructor)) static void hook_into_loops(void)
{
	static const struct loop_hooks hooks = {
		.open = open_tasks,
		.enter = enter_tasks,
		.cancel_all = cancel_all,
		.n_alive = n_alive,
		.abandon_all = abandon_all,
		.close = close_tasks,
		.suspend = suspend_running,
		.wake = wake_task,
		.layout = &weft__layout,
	};

	weft__loop_set_hooks(&hooks);
	weft__error_set_task_slot(error_slot);
}
