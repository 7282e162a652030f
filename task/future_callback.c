/*
 * Done-callbacks of futures: a handle that waits for a future to settle.
 *
 * The handle lies in the future's list, under its lock, and holds a reference to it. When the
 * future settles, those of a local one go to the ready queue, those of a shared one to the inbox
 * of the loop that added them: also if that is the loop that settles it, and also if the future
 * has settled before, so that one loop's callbacks keep their order. They are sent under the
 * lock: whoever finds the future settled comes after them. So a callback is never called inside
 * the call that settles, or adds it.
 *
 * The end of a loop drops the callbacks that it still waits for. It finds them by the futures:
 * each that ever had one is on a list, a local one on that of its loop, a shared one on that of
 * the process, whose lock is taken before a future's.
 */
#include "task/future.h"

static pthread_mutex_t called_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list called_futures = { &called_futures, &called_futures }; /* under it */

/* ---- Adding ---- */

/* The future will be found when a loop ends. Holds the list's lock, if it has one. */
static void show(weft_future *future)
{
	if (future->was_called)
		return;
	future->was_called = true;
	list_push_back(future->is_shared ? &called_futures
					 : &tasks_of(future->loop)->called,
		       &future->called_link);
}

/* Return: false if the future has settled. */
static bool enlist(weft_future *future, struct handle *handle)
{
	bool pending;

	if (future->is_shared)
		pthread_mutex_lock(&called_lock);
	weft__future_lock(future);
	pending = !future_is_settled(future);
	if (pending) {
		show(future);
		handle->future = weft_future_ref(future);
		handle_set_state(handle, HANDLE_AWAITS);
		list_push_back(&future->callbacks, &handle->link);
	}
	weft__future_unlock(future);
	if (future->is_shared)
		pthread_mutex_unlock(&called_lock);
	return pending;
}

static void add(weft_future *future, weft_loop *loop, struct handle *handle)
{
	if (!future->is_shared) {
		if (!enlist(future, handle))
			ready_push_handle(&loop->ready, handle);
		return;
	}
	handle->kind =
		handle->kind == HANDLE_RECYCLED ? HANDLE_DONE_RECYCLED : HANDLE_DONE;
	loop->n_foreign++; /* a test clock waits for it */
	if (!enlist(future, handle)) {
		handle->future = weft_future_ref(future);
		(void)weft__loop_send(handle); /* its inbox is open */
	}
}

int weft_future_add_done_callback(weft_future *future, weft_callback *fn, void *arg,
				  struct weft_handle *shown)
{
	weft_loop *loop = weft__thread.loop;
	struct handle *handle;

	if (!loop)
		return weft__loop_none(__func__);
	if (!future->is_shared && future->loop != loop)
		return weft__loop_refuse(future->loop, __func__);
	if (loop->inbox.closed)
		return weft_error_set(-ESHUTDOWN,
				      "loop \"%s\" is closed and takes nothing any more",
				      loop->name);
	handle = weft__handle_prepare(loop, shown, fn, arg, __func__);
	if (!handle)
		return -ENOMEM;
	add(future, loop, handle);
	return 0;
}

/* ---- Settling ---- */

void weft__future_call(weft_future *future)
{
	list_for_each_safe (link, &future->callbacks) {
		struct handle *handle = list_entry(link, struct handle, link);

		list_unlink(link);
		if (!future->is_shared) {
			ready_push_handle(&handle->loop->ready, handle);
			weft_future_unref(
				future); /* whoever settles it holds another one */
		} else if (weft__loop_send(handle) < 0) {
			/* Its loop is about to drop it, see weft__future_drop_callbacks(). */
			weft__error_forget();
			handle_set_state(handle, HANDLE_AWAITS);
			list_push_front(&future->callbacks, link);
		}
	}
}

void weft__future_callback_arrived(struct handle *handle)
{
	handle->loop->n_foreign--;
	weft_future_unref(handle->future);
}

/* ---- Taking back ---- */

bool weft__future_leave(struct handle *handle)
{
	weft_future *future = handle->future;
	bool waits;

	weft__future_lock(future); /* not gone: we hold the handle's reference */
	waits = handle_state(handle) == HANDLE_AWAITS;
	if (waits) {
		list_unlink(&handle->link);
		handle_set_state(handle, HANDLE_IDLE);
	}
	weft__future_unlock(future);
	if (!waits)
		return false;
	handle->loop->n_foreign -= future->is_shared;
	weft_future_unref(future);
	return true;
}

void weft__future_forget_calls(weft_future *future)
{
	if (future->is_shared)
		pthread_mutex_lock(&called_lock);
	list_unlink(&future->called_link);
	if (future->is_shared)
		pthread_mutex_unlock(&called_lock);
}

/* Those of the loop; they keep their references. */
static void take_callbacks(weft_future *future, const weft_loop *loop, struct list *taken)
{
	weft__future_lock(future);
	list_for_each_safe (link, &future->callbacks) {
		struct handle *handle = list_entry(link, struct handle, link);

		if (handle->loop != loop)
			continue;
		list_unlink(link);
		list_push_back(taken, link);
	}
	weft__future_unlock(future);
}

void weft__future_drop_callbacks(weft_loop *loop)
{
	struct list *called = &tasks_of(loop)->called;
	struct list taken;

	list_init(&taken);
	for (struct list *link = list_pop_front(called); link;
	     link = list_pop_front(called)) {
		weft_future *future = list_entry(link, weft_future, called_link);

		future->was_called = false;
		take_callbacks(future, loop, &taken);
	}
	pthread_mutex_lock(&called_lock);
	list_for_each (link, &called_futures)
		take_callbacks(list_entry(link, weft_future, called_link), loop, &taken);
	pthread_mutex_unlock(&called_lock);
	for (struct list *link = list_pop_front(&taken); link;
	     link = list_pop_front(&taken)) {
		struct handle *handle = list_entry(link, struct handle, link);

		context_drop(&handle->context);
		handle_set_state(handle, HANDLE_IDLE);
		weft_future_unref(handle->future);
		if (handle->kind == HANDLE_RECYCLED ||
		    handle->kind == HANDLE_DONE_RECYCLED)
			free(handle);
	}
}
