/*
 * Waiting for a future: in a task, or on a plain thread.
 *
 * Each is a waiter on the future's list. A task on the future's own thread is woken
 * directly, one of another loop by a message, since whoever settles a shared future is
 * anywhere. A waiter that is cancelled leaves the list; one that was taken off by the
 * settling in that moment has what it waited for, and stays until the message is there.
 */
#include "task/cycle.h"
#include "task/future.h"

#include <time.h>

/* ---- In a task ---- */

struct await {
	struct future_waiter waiter;
	struct park park;
	weft_future *future;
	weft_loop *loop; /* of the waiting task */
	struct handle message; /* to it, from another thread */
};

static void wake_here(void *arg)
{
	struct await *await = arg;

	if (await->future->is_shared)
		await->loop->n_foreign--;
	weft__unpark(&await->park, 0);
}

static void notify_task(struct future_waiter *waiter)
{
	struct await *await = container_of(waiter, struct await, waiter);

	if (await->future->is_shared)
		(void)weft__loop_post(await->loop,
				      &await->message); /* open: a task waits on it */
	else
		wake_here(await);
}

static enum cancel_answer leave_future(struct park *park)
{
	struct await *await = container_of(park, struct await, park);

	if (!weft__future_remove_waiter(await->future, &await->waiter))
		return CANCEL_LATER; /* the outcome is on its way, and comes first */
	if (await->future->is_shared)
		await->loop->n_foreign--;
	return CANCEL_ENDS;
}

int weft_future_await(weft_future *future)
{
	weft_task *me = task_current();
	struct await await = {
		.waiter.notify = notify_task,
		.park = { .what = "future", .cancel = leave_future, .awaited_future = future },
		.future = future,
	};
	int r;

	if (!me)
		return weft__task_none(__func__);
	if (!future->is_shared && !loop_is_mine(future->loop))
		return weft__loop_refuse(future->loop, __func__);
	if (future_is_settled(future))
		return 0;
	await.park.awaited = weft__future_task_here(future);
	r = cycle_check_task(&await.park);
	if (r < 0)
		return r;
	r = weft__cancel_point(me);
	if (r < 0)
		return r;
	await.loop = me->loop;
	handle_init(&await.message, HANDLE_DIRECT, wake_here, &await);
	if (!weft__future_add_waiter(future, &await.waiter))
		return 0;
	if (future->is_shared)
		me->loop->n_foreign++;
	return weft__park(&await.park);
}

/* ---- On a plain thread ---- */

struct block {
	struct future_waiter waiter;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done; /* under lock */
};

static void notify_thread(struct future_waiter *waiter)
{
	struct block *block = container_of(waiter, struct block, waiter);

	pthread_mutex_lock(&block->lock);
	block->done = true;
	pthread_cond_signal(
		&block->changed); /* under the lock: the waiter frees it next */
	pthread_mutex_unlock(&block->lock);
}

/* Return: false if the deadline came first. */
static bool block_until(struct block *block, weft_time deadline)
{
	struct timespec at = { .tv_sec = deadline / WEFT_SEC,
			       .tv_nsec = deadline % WEFT_SEC };
	int r = 0;

	pthread_mutex_lock(&block->lock);
	while (!block->done && r != ETIMEDOUT) {
		if (deadline == WEFT_FOREVER)
			pthread_cond_wait(&block->changed, &block->lock);
		else
			r = pthread_cond_clockwait(&block->changed, &block->lock,
						   CLOCK_MONOTONIC, &at);
	}
	r = block->done;
	pthread_mutex_unlock(&block->lock);
	return r;
}

int weft_future_wait(weft_future *future, weft_time timeout_ns)
{
	struct block block = {
		.waiter.notify = notify_thread,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	int r = 0;

	if (weft__thread.loop)
		return weft_error_set(
			-EDEADLK,
			"weft_future_wait() was called on the thread of loop \"%s\", "
			"which it would block for ever: use weft_future_await() in a task",
			weft__thread.loop->name);
	if (!future->is_shared)
		return weft__loop_refuse(future->loop, __func__);
	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	if (!weft__future_add_waiter(future, &block.waiter))
		return 0;
	if (!block_until(&block, timeout_ns <= 0 ? 0
				 : timeout_ns == WEFT_FOREVER
					 ? WEFT_FOREVER
					 : weft__time_add(weft__clock(), timeout_ns))) {
		if (weft__future_remove_waiter(future, &block.waiter))
			r = -ETIMEDOUT;
		else
			(void)block_until(&block, WEFT_FOREVER); /* it is being settled */
	}
	pthread_mutex_destroy(&block.lock);
	pthread_cond_destroy(&block.changed);
	return r;
}
