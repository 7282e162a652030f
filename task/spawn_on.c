/*
 * Starting a task on any loop, from any thread.
 *
 * The order travels as one message that is also the owner of the shared future: it waits
 * in the inbox, makes the task where it arrives, and settles the future if that fails.
 * Cancelling the future sends another message, since only the loop may touch its task.
 */
#include "base/report.h"
#include "task/future.h"

/* Alive until the task has ended and the future was released. */
struct order {
	struct handle message;
	weft_loop *loop; /* with a reference */
	weft_fn *fn;
	void *arg;
	const void *place;
	struct context *context; /* of the caller, with a reference */
	weft_future *future; /* with a reference until it is settled; NULL: none */
};

/* A request to cancel, on its way to the loop. */
struct cancel_message {
	struct handle message;
	weft_future *future; /* with a reference */
};

static void deliver_cancel(void *arg)
{
	struct cancel_message *cancel = arg;

	/* future->task is this loop's: NULL before the task begins and after it ended. */
	if (cancel->future->task)
		(void)weft_task_cancel(cancel->future->task, NULL);
	weft_future_unref(cancel->future);
	free(cancel);
}

static void cancel_order(weft_future *future)
{
	struct cancel_message *cancel = weft__alloc(sizeof(*cancel));
	weft_loop *loop = future->owner;

	if (!cancel)
		return; /* a request can be repeated; it is no promise */
	cancel->future = weft_future_ref(future);
	handle_init(&cancel->message, HANDLE_DIRECT, deliver_cancel, cancel);
	if (weft__loop_post(loop, &cancel->message) < 0) {
		weft_future_unref(cancel->future); /* closed: the task has ended, too */
		free(cancel);
	}
}

static void release_order(weft_future *future)
{
	weft_loop_unref(future->owner);
}

static const struct future_work spawned = {
	.cancel = cancel_order,
	.release = release_order,
};

weft_task *weft__future_task_here(const weft_future *future)
{
	bool is_here = future->is_shared ? future->work == &spawned &&
						   future->owner == weft__thread.loop
					 : loop_is_mine(future->loop);

	return is_here ? future->task : NULL;
}

/* On the loop that it was sent to. */
static void carry_out(void *arg)
{
	struct order *order = arg;
	weft_loop *loop = order->loop;
	weft_future *future = order->future;
	weft_task *task;
	int r;

	atomic_fetch_sub_explicit(&loop->n_arriving, 1,
				  memory_order_relaxed); /* only a count */
	r = weft__task_new(loop, order->fn, order->arg, NULL, order->place, false, &task);
	if (r == 0) {
		task->carrier.context = order->context;
		task->future = future; /* and its reference */
		if (future)
			future->task = task;
	} else if (future) {
		weft__context_unref(order->context);
		weft__future_settle(future, r, NULL, NULL, weft__error_take(r));
		weft_future_unref(future);
	} else {
		struct weft_report report = {
			.error = weft_error_of(r),
			.loop = loop,
			.place = order->place,
		};

		weft__context_unref(order->context);
		weft__report(WEFT_FAILURE, &report,
			     "a task sent by weft_spawn_on() did not start");
	}
	weft_loop_unref(loop);
	free(order);
}

static void drop_order(struct order *order)
{
	weft_future_unref(order->future);
	weft_loop_unref(order->loop);
	weft__context_unref(order->context);
	free(order);
}

__attribute__((noinline)) int weft_spawn_on(weft_loop *loop, weft_fn *fn, void *arg,
					    weft_future **out)
{
	const void *place = __builtin_return_address(0);
	weft_future *future = NULL;
	struct order *order;
	int r;

	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	order = weft__alloc(sizeof(*order));
	if (!order)
		return -ENOMEM;
	*order = (struct order){
		.loop = weft_loop_ref(loop),
		.fn = fn,
		.arg = arg,
		.place = place,
		.context = context_capture(),
	};
	handle_init(&order->message, HANDLE_DIRECT, carry_out, order);
	if (out) {
		future = weft__future_new_work(&spawned, loop, place);
		if (!future) {
			drop_order(order);
			return -ENOMEM;
		}
		weft_loop_ref(loop); /* the future's own, given back by release_order() */
		order->future = weft_future_ref(future);
	}
	/* Relaxed: only a count. */
	atomic_fetch_add_explicit(&loop->n_arriving, 1, memory_order_relaxed);
	r = weft__loop_post(loop, &order->message);
	if (r < 0) {
		atomic_fetch_sub_explicit(&loop->n_arriving, 1, memory_order_relaxed);
		drop_order(order);
		weft_future_unref(future);
		return r;
	}
	if (out)
		*out = future;
	return 0;
}
