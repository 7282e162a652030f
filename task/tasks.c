/*
 * The tasks of a loop: what it keeps for them, and what it asks of them when it opens and
 * closes. Loop thread.
 *
 * A loop that is closed cancels its tasks and waits for them. What does not end is
 * abandoned: reported, and left with all that it can reach.
 */
#include "base/report.h"
#include "task/future.h"
#include "task/layout.h"
#include "task/overflow.h"
#include "task/task.h"

static size_t n_alive(const weft_loop *loop)
{
	return tasks_alive(loop);
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

/* ---- For the loop ---- */

static int open_tasks(weft_loop *loop)
{
	struct tasks *tasks = weft__zalloc(sizeof(*tasks));

	if (!tasks)
		return -ENOMEM;
	list_init(&tasks->alive);
	list_init(&tasks->called);
	weft__stack_pool_init(&tasks->pool, loop);
	loop->tasks = tasks;
	return 0;
}

static void enter_tasks(weft_loop *loop)
{
	weft__overflow_watch();
	fibre_init_thread(&tasks_of(loop)->fibre);
}

struct slab_copy {
	const weft_loop *loop;
	size_t n_before; /* slabs of the loop to be passed over */
	bool found;
	struct slab slab;
};

/* Under the lock of the slabs. */
static void copy_slab(const struct slab *slab, void *arg)
{
	struct slab_copy *copy = arg;

	if (copy->found || slab->loop != copy->loop || copy->n_before-- > 0)
		return;
	copy->found = true;
	copy->slab.base = slab->base;
	copy->slab.stride = slab->stride;
	/* Relaxed: cut by this thread, or by one that left the loop to it. */
	atomic_init(&copy->slab.n_cut,
		    atomic_load_explicit(&slab->n_cut, memory_order_relaxed));
}

static void give_up_in(const struct slab *slab)
{
	size_t n = atomic_load_explicit(&slab->n_cut, memory_order_relaxed);

	for (size_t i = 0; i < n; i++) {
		weft_task *task = weft__slab_block(slab, i, sizeof(*task));

		if (task->state == TASK_DONE)
			weft__task_give_up(task);
	}
}

/*
 * Whoever still holds a task that has ended never asked for its result, and now cannot. Without
 * the lock while a report is sent: its hook may want a dump.
 */
static void give_up_unseen(weft_loop *loop)
{
	struct slab_copy copy = { .loop = loop };

	for (size_t n = 0;; n++) {
		copy.n_before = n;
		copy.found = false;
		weft__slab_each(copy_slab, &copy);
		if (!copy.found)
			return;
		give_up_in(&copy.slab);
	}
}

static void close_tasks(weft_loop *loop)
{
	struct tasks *tasks = tasks_of(loop);

	weft__future_drop_callbacks(loop);
	give_up_unseen(loop);
	if (!tasks->n_abandoned) /* what abandoned tasks can reach is kept, their stacks
				    included */
		weft__stack_pool_fini(&tasks->pool);
	free(tasks);
	loop->tasks = NULL;
}

static void report_left(const weft_task *task)
{
	struct weft_report like = { .loop = task->loop,
				    .task = task,
				    .place = task->place };
	char name[128];

	weft__report(
		WEFT_NOTE, &like,
		"task \"%s\" was left when loop \"%s\" was closed, and is cancelled (it "
		"waits for: %s)",
		weft__task_describe(task, name, sizeof(name)), task->loop->name,
		task->park ? task->park->what : "its turn");
}

static void cancel_all(weft_loop *loop)
{
	if (loop->is_debug) {
		list_for_each_safe (link, &tasks_of(loop)->alive)
			report_left(list_entry(link, weft_task, link));
	}
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

const struct loop_hooks weft__task_hooks = {
	.open = open_tasks,
	.enter = enter_tasks,
	.cancel_all = cancel_all,
	.n_alive = n_alive,
	.abandon_all = abandon_all,
	.close = close_tasks,
	.leave_future = weft__future_leave,
	.arrived = weft__future_callback_arrived,
	.resume = weft__resume,
	.suspend = suspend_running,
	.wake = wake_task,
	.layout = &weft__layout,
};
