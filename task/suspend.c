/*
 * Suspending and resuming tasks; task.h has the model. Loop thread.
 *
 * A stack's first frame is a loop that runs one task after the other, so a stack that
 * comes from the pool needs nothing laid out: the next task goes on where the last one
 * ended.
 *
 * A task that suspends switches straight to the next one of this turn, if that is what
 * comes next and no look is due; else back to the loop's own stack.
 *
 * An eager task runs inside the call that spawns it. Who spawned it is queued first of all, so
 * that it is what comes next when the eager one suspends; in a callback, which lies on the loop's
 * own stack, an entry that is no task leads back there. So suspending knows nothing of it.
 */
#include "loop/control.h"
#include "task/switch.h"
#include "task/task.h"
#include "task/watch.h"

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
 * So many eager tasks within each other. Each has a stack of its own, so one that spawns itself
 * eagerly would else take all memory instead of overflowing a stack.
 */
enum { EAGER_MAX = 64 };

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
	if (near->fn != weft__resume)
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

		if (slot->fn == weft__resume) {
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

static void resume(weft_task *task)
{
	struct tasks *tasks = tasks_of(task->loop);

	switch_in(tasks, task);
	while (unlikely(tasks->call)) { /* weft_call_on_thread_stack() */
		struct stack_call *call = tasks->call;

		tasks->call = NULL;
		call->result = call->fn(call->arg);
		switch_in(tasks, call->task);
	}
}

void weft__resume(void *arg)
{
	weft_task *task = arg;

	if (unlikely(task->loop->is_debug))
		weft__watch_stretch(task, resume);
	else
		resume(task);
}

/* Between two tasks: `me` is queued, or will be. */
static void switch_over(struct tasks *tasks, weft_task *me, weft_task *next)
{
	about_to_run(next);
	tasks->leaving = me;
	fibre_leave(&me->fibre, &next->fibre);
	(void)switch_stacks(&me->sp, next->sp, next);
	arrived(me);
}

void weft__task_run_eagerly(weft_task *task)
{
	weft_task *me = task_current();
	struct tasks *tasks = tasks_of(task->loop);
	struct ready *ready = &task->loop->ready;
	typeof(ready->head) base;

	/* A callback has no slot of its own to be found again by. */
	if (tasks->n_eager >= EAGER_MAX || (!me && weft__ready_reserve(ready) < 0)) {
		weft__make_ready(task);
		return;
	}
	tasks->n_eager++;
	if (me) {
		me->state = TASK_READY;
		ready_push_next(ready, weft__resume, me);
		switch_over(tasks, me, task);
	} else {
		ready_push_next(ready, weft__ready_nothing, NULL);
		base = ready->head;
		resume(task);
		/*
		 * Those that spawned eager ones in their turn, and were passed over because a look
		 * was due.
		 */
		while (ready->head != base) {
			struct ready_slot slot =
				ready->slots[ready->head++ & ready->mask];

			slot.fn(slot.arg);
		}
		ready->head++;
		weft__ready_release(ready);
	}
	tasks->n_eager--;
}

static inline void make_ready(weft_loop *loop, weft_task *task)
{
	task->state = TASK_READY;
	ready_push_promised(&loop->ready, weft__resume, task, &task->spare);
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
	set_timeouts(me);
	me->state = TASK_WAITING;
	switch_away(me);
	if (unlikely(park->result == -ECANCELED))
		(void)weft__deliver(me); /* with what was asked for since */
	return park->result;
}

void weft__pass_turn(weft_task *me)
{
	me->io_streak = 0;
	set_timeouts(me);
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
	set_timeouts(me);
	make_ready(loop_of_running(), me);
	switch_away(me);
	return 0;
}

int weft_call_on_thread_stack(weft_fn *fn, void *arg)
{
	weft_task *me = task_current();
	struct stack_call call = { .fn = fn, .arg = arg, .task = me };
	struct context *outer;
	struct tasks *tasks;

	if (!me)
		return weft__task_none(__func__);
	tasks = tasks_of(me->loop);
	tasks->call = &call;
	/* It runs as what it is a part of, though not on its stack. */
	outer = weft__thread.context;
	weft__thread.context = me->carrier.context;
	weft__thread.task = NULL;
	fibre_leave(&me->fibre, &tasks->fibre);
	(void)switch_stacks(&me->sp, tasks->sp, NULL);
	arrived(me);
	me->carrier.context = weft__thread.context;
	weft__thread.context = outer;
	return call.result;
}

/* ---- The first frame of every stack ---- */

void weft__task_main(void *arg)
{
	weft_task *task = arg;

	arrived(task);
	for (;;) {
		task->result = task->fn(task->arg);
		weft__task_end(task);
		switch_away(task);
	}
}
