/*
 * Scheduling callbacks: soon, later, from other threads, and taking them back.
 *
 * handle.h says where a handle can be. Loop thread, but for posting and for cancelling
 * what was posted.
 */
#include "loop/handle.h"

#include <sched.h>
#include <unistd.h>

#include "loop/loop.h"
#include "loop/oneshot.h"

static inline struct handle *prepare(weft_loop *loop, struct weft_handle *shown,
				     weft_callback *fn, void *arg, const char *function)
{
	struct handle *handle = shown ? handle_of(shown) : weft__spare_get(&loop->spare);

	if (!handle)
		return NULL;
	weft_assert(
		!shown || handle_state(handle) == HANDLE_IDLE,
		"%s() was given a handle that is still scheduled: cancel it first, or use "
		"another one",
		function);
	handle_init(handle, shown ? HANDLE_USER : HANDLE_RECYCLED, fn, arg);
	handle->loop = loop;
	handle->context = context_capture();
	return handle;
}

struct handle *weft__handle_prepare(weft_loop *loop, struct weft_handle *shown,
				    weft_callback *fn, void *arg, const char *function)
{
	return prepare(loop, shown, fn, arg, function);
}

int weft_loop_call_soon(weft_loop *loop, weft_callback *fn, void *arg,
			struct weft_handle *shown)
{
	struct handle *handle;
	int r = loop_check(loop, __func__);

	if (r < 0)
		return r;
	/* A slot of the ring has no room for a context. */
	if (!shown && likely(!context_current()) &&
	    ready_push_plain(&loop->ready, fn, arg))
		return 0;
	handle = prepare(loop, shown, fn, arg, __func__);
	if (!handle)
		return -ENOMEM;
	ready_push_handle(&loop->ready, handle);
	return 0;
}

__attribute__((always_inline)) static inline int
call_at(weft_loop *loop, weft_time deadline, weft_callback *fn, void *arg,
	struct weft_handle *shown, const char *function)
{
	struct handle *handle = prepare(loop, shown, fn, arg, function);

	if (!handle)
		return -ENOMEM;
	loop_add_timer(loop, handle, deadline);
	return 0;
}

int weft_loop_call_later(weft_loop *loop, weft_time delay_ns, weft_callback *fn,
			 void *arg, struct weft_handle *shown)
{
	int r = loop_check(loop, __func__);

	if (r < 0)
		return r;
	if (delay_ns <= 0)
		loop_want_look(loop); /* due already: in the next turn, in the order of
					 deadlines */
	return call_at(loop, weft__time_add(loop_now(loop), delay_ns), fn, arg, shown,
		       __func__);
}

int weft_loop_call_at(weft_loop *loop, weft_time deadline, weft_callback *fn, void *arg,
		      struct weft_handle *shown)
{
	int r = loop_check(loop, __func__);

	return r < 0 ? r : call_at(loop, deadline, fn, arg, shown, __func__);
}

/* ---- From other threads ---- */

static void wake(int wake_fd)
{
	uint64_t one = 1;

	/* Cannot fail: the counter is 64 bits wide, and the descriptor lives until we
	 * were here. */
	(void)!write(wake_fd, &one, sizeof(one));
}

static int finish_post(weft_loop *loop, enum inbox_push pushed, int wake_fd)
{
	if (pushed == INBOX_CLOSED)
		return weft_error_set(-ESHUTDOWN,
				      "loop \"%s\" is closed and takes nothing any more",
				      loop->name);
	if (pushed == INBOX_WAKE)
		wake(wake_fd);
	return 0;
}

int weft__loop_send(struct handle *handle)
{
	weft_loop *loop = handle->loop;
	/* Read before the push: after it the loop may end at any moment. */
	int wake_fd = loop->wake_fd;

	handle_set_state(handle, HANDLE_POSTED);
	return finish_post(loop, weft__inbox_push(&loop->inbox, handle), wake_fd);
}

int weft__loop_post(weft_loop *loop, struct handle *handle)
{
	handle->loop = loop;
	return weft__loop_send(handle);
}

int weft__loop_post_chain(weft_loop *loop, struct handle *first, struct handle *last)
{
	int wake_fd = loop->wake_fd;

	return finish_post(loop, weft__inbox_push_chain(&loop->inbox, first, last),
			   wake_fd);
}

int weft_loop_call_soon_threadsafe(weft_loop *loop, weft_callback *fn, void *arg,
				   struct weft_handle *shown)
{
	struct handle *handle;
	int r;

	if (unlikely(weft__thread_is_stale()))
		return weft__loop_none(__func__);
	if (shown) {
		handle = handle_of(shown);
		weft_assert(
			handle_state(handle) == HANDLE_IDLE,
			"weft_loop_call_soon_threadsafe() was given a handle that is still "
			"scheduled: cancel it first, or use another one");
	} else {
		handle = weft__spare_get_remote(&loop->spare);
		if (!handle)
			return -ENOMEM;
	}
	handle_init(handle, shown ? HANDLE_SENT : HANDLE_RECYCLED, fn, arg);
	handle->context = context_capture();
	r = weft__loop_post(loop, handle);
	if (r < 0) {
		handle_set_state(handle, HANDLE_IDLE);
		context_drop(&handle->context);
		if (!shown)
			free(handle);
	}
	return r;
}

/* ---- Taking back ---- */

/*
 * On the loop's thread everything can be unlinked at once, once the stack was turned into
 * the list of what was taken.
 */
static bool unlink_here(weft_loop *loop, struct handle *handle)
{
	switch (handle_state(handle)) {
	case HANDLE_READY:
	case HANDLE_BEHIND:
		weft__ready_remove(&loop->ready, handle);
		return true;
	case HANDLE_TIMER:
		loop_remove_timer(handle);
		return true;
	case HANDLE_AWAITS:
		if (weft__loop_hooks()->leave_future(handle))
			return true;
		/* It has settled in this moment, on another thread. */
		__attribute__((fallthrough));
	case HANDLE_POSTED:
		/* Of a future: under its lock, so that whoever settles it is through with the push. */
		if (handle_is_done(handle) && weft__loop_hooks()->leave_future(handle))
			return true; /* the loop takes no more, so it was not sent */
		weft__inbox_take(&loop->inbox);
		list_unlink(&handle->link);
		handle_set_state(handle, HANDLE_IDLE);
		if (handle_is_done(handle))
			weft__loop_hooks()->arrived(handle);
		return true;
	default:
		return false;
	}
}

static bool cancel_here(weft_loop *loop, struct handle *handle)
{
	if (!unlink_here(loop, handle))
		return false;
	context_drop(&handle->context);
	return true;
}

/* ---- Taking back on another thread ---- */

static void pass(void *passed)
{
	weft__oneshot_set(passed);
}

/* Waits until `loop` has dealt with all that was sent to it by now. */
static void await_turn(weft_loop *loop)
{
	struct oneshot passed;
	struct handle barrier;

	weft__oneshot_init(&passed);
	handle_init(&barrier, HANDLE_DIRECT, pass, &passed);
	if (weft__loop_post(loop, &barrier) < 0) {
		/* C1: closed, but its end may still run what came before; pairs with C2. */
		while (!atomic_load_explicit(&loop->let_go, memory_order_acquire))
			sched_yield();
		weft__oneshot_set(&passed);
	}
	weft__oneshot_wait(&passed);
}

/*
 * Marks the handle, so that the loop will drop it, and then waits until a post of our own
 * has run: what was sent before it has been dealt with by then, and a callback that ran
 * has ended.
 */
static bool cancel_elsewhere(weft_loop *loop, struct handle *handle)
{
	uint32_t posted = HANDLE_POSTED;
	bool withdrawn;

	weft_assert(
		!weft__thread.loop || weft__thread.task,
		"weft_handle_cancel() was called in a callback of another loop, which may not "
		"wait: call it in a task, or where the handle's loop is \"%s\"",
		loop->name);
	/* H2: a failure acquires what the loop stored before it ran the handle,
	 * running_post. */
	withdrawn = atomic_compare_exchange_strong_explicit(&handle->state, &posted,
							    HANDLE_WITHDRAWN,
							    memory_order_acquire,
							    memory_order_acquire);
	/* H3: by H2 this is the handle, or something later: then the callback has ended, and what
	 * it did is acquired. */
	if (atomic_load_explicit(&loop->running_post, memory_order_acquire) == handle ||
	    withdrawn)
		await_turn(loop);
	return withdrawn;
}

bool weft_handle_cancel(struct weft_handle *shown)
{
	struct handle *handle = handle_of(shown);
	weft_loop *loop = handle->loop;

	/* An idle one of this thread's has nothing to do with its loop, which may be gone. */
	if (!loop || (handle->kind != HANDLE_SENT && handle_state(handle) == HANDLE_IDLE))
		return false;
	if (handle->kind != HANDLE_SENT)
		return loop_must_be_mine(loop, __func__) && cancel_here(loop, handle);
	if (loop_is_mine(loop) &&
	    (weft__thread.loop == loop || !weft_loop_is_running(loop)))
		return cancel_here(loop, handle);
	return !weft__thread_is_stale() && cancel_elsewhere(loop, handle);
}

bool weft_handle_is_pending(const struct weft_handle *shown)
{
	const struct handle *handle = (const struct handle *)(const void *)shown;

	switch (handle_state(handle)) {
	case HANDLE_IDLE:
	case HANDLE_WITHDRAWN:
		return false;
	default:
		return loop_must_be_mine(handle->loop, __func__);
	}
}
