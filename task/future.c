/*
 * Futures: making, settling and looking; future.h has the model. Waiting is
 * future_wait.c.
 */
#include "task/future.h"

#include "base/report.h"

/* ---- Life ---- */

static weft_future *new_future(bool is_shared, const void *place)
{
	weft_future *future = weft__alloc(sizeof(*future));

	if (!future)
		return NULL;
	*future = (weft_future){ .is_shared = is_shared, .place = place };
	atomic_init(&future->references, 1);
	list_init(&future->waiters);
	list_init(&future->callbacks);
	list_init(&future->called_link);
	if (is_shared)
		pthread_mutex_init(&future->lock, NULL);
	return future;
}

int weft_future_new(weft_future **out)
{
	weft_future *future;

	if (!weft__thread.loop)
		return weft__loop_none(__func__);
	future = new_future(false, __builtin_return_address(0));
	if (!future)
		return -ENOMEM;
	future->loop = weft__thread.loop;
	*out = future;
	return 0;
}

int weft_future_new_shared(weft_future **out)
{
	weft_future *future;

	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	future = new_future(true, __builtin_return_address(0));
	if (!future)
		return -ENOMEM;
	*out = future;
	return 0;
}

weft_future *weft__future_of_task(weft_task *task)
{
	weft_future *future = new_future(false, task->place);

	if (!future)
		return NULL;
	future->loop = task->loop;
	future->task = task;
	if (task->state == TASK_DONE)
		weft__future_settle_task(future, task);
	return future;
}

weft_future *weft__future_new_work(const struct future_work *work, void *owner,
				   const void *place)
{
	weft_future *future = new_future(true, place);

	if (!future)
		return NULL;
	future->work = work;
	future->owner = owner;
	return future;
}

int weft__future_check(const weft_future *future, const char *function)
{
	if (future->is_shared)
		return unlikely(weft__thread_is_stale()) ? weft__loop_none(function) : 0;
	return loop_check(future->loop, function);
}

weft_future *weft_future_ref(weft_future *future)
{
	int n;

	if (future->is_shared) {
		/* Relaxed: the caller holds a reference already. */
		atomic_fetch_add_explicit(&future->references, 1, memory_order_relaxed);
		return future;
	}
	if (unlikely(weft__thread_is_stale()))
		return future;
	weft_assert(
		loop_is_mine(future->loop),
		"weft_future_ref() of a local future on a thread that is not its loop's: make a "
		"shared one with weft_future_new_shared()");
	n = atomic_load_explicit(&future->references, memory_order_relaxed);
	atomic_store_explicit(&future->references, n + 1, memory_order_relaxed);
	return future;
}

/* True for the last reference. */
static bool drop_reference(weft_future *future)
{
	int n;

	if (!future->is_shared) {
		n = atomic_load_explicit(&future->references, memory_order_relaxed) - 1;
		atomic_store_explicit(&future->references, n, memory_order_relaxed);
		return n == 0;
	}
	/* F3: releases this thread's use of the future to whoever frees it; pairs with
	 * F4. */
	if (atomic_fetch_sub_explicit(&future->references, 1, memory_order_release) > 1)
		return false;
	/* F4. Not a fence: ThreadSanitizer does not know those. */
	(void)atomic_load_explicit(&future->references, memory_order_acquire);
	return true;
}

static void report_unseen(const weft_future *future)
{
	struct weft_report report = {
		.error = future->error ? future->error : weft_error_of(future->result),
		.loop = future->is_shared ? NULL : future->loop,
		.place = future->place,
	};

	weft__report(WEFT_FAILURE, &report, "a future failed and nobody looked at it");
}

void weft_future_unref(weft_future *future)
{
	if (!future || unlikely(weft__thread_is_stale()))
		return; /* a forked child leaves alone what it inherited */
	weft_assert(
		future->is_shared || loop_is_mine(future->loop),
		"weft_future_unref() of a local future on a thread that is not its loop's: make "
		"a shared one with weft_future_new_shared()");
	if (!drop_reference(future))
		return;
	weft_assert(
		list_is_empty(&future->waiters),
		"the last reference to a future was given back while somebody waits for it: "
		"whoever waits must hold a reference");
	/* Relaxed: there is nobody else. */
	if (atomic_load_explicit(&future->settled, memory_order_relaxed) &&
	    future->result < 0 && future->result != -ECANCELED &&
	    !atomic_load_explicit(&future->was_seen, memory_order_relaxed))
		report_unseen(future);
	if (unlikely(future->was_called))
		weft__future_forget_calls(future);
	if (future->work && future->work->release)
		future->work->release(future);
	if (future->value && future->destroy)
		future->destroy(future->value);
	weft_error_unref(future->error);
	if (future->is_shared)
		pthread_mutex_destroy(&future->lock);
	free(future);
}

/* ---- Settling ---- */

void weft__future_lock(weft_future *future)
{
	if (future->is_shared)
		pthread_mutex_lock(&future->lock);
}

void weft__future_unlock(weft_future *future)
{
	if (future->is_shared)
		pthread_mutex_unlock(&future->lock);
}

bool weft__future_settle(weft_future *future, int result, void *value,
			 weft_destroy *destroy, const struct weft_error *error)
{
	struct list told;

	weft__future_lock(future);
	/* Relaxed: under the lock, or on the only thread. */
	if (atomic_load_explicit(&future->settled, memory_order_relaxed)) {
		weft__future_unlock(future);
		return false;
	}
	future->result = result;
	future->value = value;
	future->destroy = destroy;
	future->error = error;
	/* F1. */
	atomic_store_explicit(&future->settled, true, memory_order_release);
	list_init(&told);
	list_splice(&told, &future->waiters);
	/* Nobody on `told` can be taken off any more: see weft__future_remove_waiter().
	 */
	list_for_each (link, &told)
		list_entry(link, struct future_waiter, link)->taken = true;
	if (unlikely(!list_is_empty(&future->callbacks)))
		weft__future_call(future);
	weft__future_unlock(future);

	list_for_each_safe (link, &told) { /* each may be gone once it was notified */
		struct future_waiter *waiter =
			list_entry(link, struct future_waiter, link);

		waiter->notify(waiter);
	}
	return true;
}

/* Whoever waits may give the last reference back while we are still inside: we need one. */
static bool settle_borrowed(weft_future *future, int result, void *value,
			    weft_destroy *destroy, const struct weft_error *error)
{
	bool settled;

	weft_future_ref(future);
	settled = weft__future_settle(future, result, value, destroy, error);
	weft_future_unref(future);
	return settled;
}

static int settle_by_user(weft_future *future, int result, void *value,
			  weft_destroy *destroy, const char *function)
{
	const struct weft_error *error;
	int r = weft__future_check(future, function);

	if (r < 0)
		return r;
	if (future->work || future->task || future->was_task)
		return weft_error_set(
			-EPERM,
			"%s() of the future of a task or job, which settles when its "
			"work ends: cancel it instead",
			function);
	error = result < 0 ? weft__error_copy(result) : NULL;
	if (settle_borrowed(future, result, value, destroy, error))
		return 0;
	weft_error_unref(error);
	return weft_error_set(-EALREADY, "%s() of a future that is settled already",
			      function);
}

int weft_future_set_result(weft_future *future, void *value, weft_destroy *destroy)
{
	return settle_by_user(future, 0, value, destroy, __func__);
}

int weft_future_set_error(weft_future *future, int code)
{
	if (code >= 0)
		return weft_error_set(
			-EINVAL,
			"weft_future_set_error() takes a negative errno, and "
			"%d is none",
			code);
	return settle_by_user(future, code, NULL, NULL, __func__);
}

void weft__future_settle_task(weft_future *future, weft_task *task)
{
	const struct weft_error *error =
		task->error && task->error->code == task->result ? task->error : NULL;

	if (weft__future_settle(future, task->result, task->value, task->destroy_value,
				weft_error_ref(error))) {
		task->value = NULL;
		task->was_seen = true; /* whoever holds the future is told */
	} else {
		weft_error_unref(error);
	}
}

void weft__future_forget_task(weft_future *future)
{
	future->was_task = true;
	future->task = NULL;
}

void weft__future_seen(weft_future *future)
{
	/* Relaxed: the last reference to go orders it before the look in
	 * weft_future_unref(). */
	atomic_store_explicit(&future->was_seen, true, memory_order_relaxed);
}

bool weft_future_cancel(weft_future *future)
{
	if (weft__future_check(future, __func__) < 0 || future_is_settled(future))
		return false;
	if (future->work) {
		future->work->cancel(future);
		return true;
	}
	if (future->task)
		return weft_task_cancel(future->task, NULL);
	return settle_borrowed(future, -ECANCELED, NULL, NULL, NULL);
}

/* ---- Looking ---- */

bool weft_future_is_done(const weft_future *future)
{
	return weft__future_check(future, __func__) == 0 && future_is_settled(future);
}

int weft_future_result(weft_future *future)
{
	int r = weft__future_check(future, __func__);

	if (r < 0)
		return r;
	if (!future_is_settled(future))
		return -EINPROGRESS;
	weft__future_seen(future);
	if (future->result < 0)
		weft__error_give(weft_error_ref(future->error));
	return future->result;
}

void *weft_future_value(weft_future *future)
{
	void *value;

	if (weft__future_check(future, __func__) < 0 || !future_is_settled(future))
		return NULL;
	weft__future_lock(future);
	value = future->value;
	weft__future_unlock(future);
	return value;
}

void *weft_future_take_value(weft_future *future)
{
	void *value;

	if (weft__future_check(future, __func__) < 0 || !future_is_settled(future))
		return NULL;
	weft__future_lock(future);
	value = future->value;
	future->value = NULL;
	weft__future_unlock(future);
	return value;
}

/* ---- Waiters ---- */

bool weft__future_add_waiter(weft_future *future, struct future_waiter *waiter)
{
	bool added = false;

	waiter->taken = false;
	list_init(&waiter->link);
	weft__future_lock(future);
	/* Relaxed: under the lock, or on the only thread. */
	if (!atomic_load_explicit(&future->settled, memory_order_relaxed)) {
		list_push_back(&future->waiters, &waiter->link);
		added = true;
	}
	weft__future_unlock(future);
	return added;
}

bool weft__future_remove_waiter(weft_future *future, struct future_waiter *waiter)
{
	bool removed = false;

	weft__future_lock(future);
	if (!waiter->taken) {
		list_unlink(&waiter->link);
		removed = true;
	}
	weft__future_unlock(future);
	return removed;
}
