/*
 * The end of a loop: its tasks end, what was sent to it runs, and what is left open is named.
 * Loop thread, which may be another one than before.
 */
#include <sched.h>
#include <unistd.h>

#include "base/report.h"
#include "loop/control.h"
#include "loop/step.h"
#include "loop/turn.h"

static void pass(void *passed)
{
	*(bool *)passed = true;
}

/* What was sent before the close began runs; tasks among it begin, and are cancelled. */
static void run_sent(weft_loop *loop)
{
	struct handle last;
	bool passed = false;

	handle_init(&last, HANDLE_DIRECT, pass, &passed);
	(void)weft__loop_post(loop, &last); /* open */
	while (!passed)
		weft__loop_run_posts(loop);
}

/* Runs turns until no task is left or the limit has passed, on the clock of the loop or ours. */
static bool end_tasks(weft_loop *loop)
{
	weft_time limit = weft__time_add(weft__clock(), loop->close_limit_ns);
	weft_time limit_here = weft__time_add(loop_now(loop), loop->close_limit_ns);

	if (!weft__loop_hooks() || !weft__loop_hooks()->n_alive(loop))
		return true;
	loop->deadlocked = false; /* they are woken to be cancelled */
	weft__loop_hooks()->cancel_all(loop);
	while (weft__loop_hooks()->n_alive(loop)) {
		if (weft__clock() >= limit || loop_now(loop) >= limit_here ||
		    loop->deadlocked)
			return false;
		weft__loop_round(loop, limit);
		loop->stop = false;
	}
	return true;
}

static void detach_all(weft_loop *loop)
{
	loop_flush(loop);
	for (struct list *link = list_pop_front(&loop->attached); link;
	     link = list_pop_front(&loop->attached)) {
		struct loop_attachment *attachment =
			list_entry(link, struct loop_attachment, link);

		attachment->detach(attachment);
	}
}

void weft__loop_report_open(weft_loop *loop, struct open_object *object)
{
	struct weft_report like = { .loop = loop, .place = object->place };

	weft__report(WEFT_WARNING, &like, "loop \"%s\" was closed with %s still open",
		     loop->name, object->what);
	loop_untrack(object);
	loop->n_left_open++;
}

static void report_open(weft_loop *loop)
{
	list_for_each_safe (link, &loop->open)
		weft__loop_report_open(loop, list_entry(link, struct open_object, link));
}

static void drop_handle(struct handle *handle)
{
	context_drop(&handle->context);
	handle_set_state(handle, HANDLE_IDLE);
	if (handle->kind == HANDLE_RECYCLED)
		free(handle);
}

/* What is queued or due later is dropped; recycled handles are freed. */
static void drop_handles(weft_loop *loop)
{
	struct ready *ready = &loop->ready;

	for (; ready->head != ready->tail; ready->head++) {
		struct ready_slot *slot = &ready->slots[ready->head & ready->mask];

		if (slot->fn == weft__ready_run_handle) {
			weft__step_report_dropped(loop, slot->arg, NULL);
			drop_handle(slot->arg);
		} else {
			weft__step_report_dropped(loop, NULL, slot->fn);
		}
	}
	for (int level = 0; level < TIMER_LEVELS; level++) {
		for (int slot = 0; slot < TIMER_SLOTS; slot++)
			list_splice(&ready->behind, &loop->timers.slots[level][slot]);
	}
	for (struct list *link = list_pop_front(&ready->behind); link;
	     link = list_pop_front(&ready->behind)) {
		struct handle *handle = list_entry(link, struct handle, link);

		weft__step_report_dropped(loop, handle, NULL);
		drop_handle(handle);
	}
}

/*
 * A sender that found the mark may still be on its way into the wake-up's write. Each
 * such write adds one to the eventfd, which nobody ever read, so its sum says when all
 * have been.
 */
static void await_senders(weft_loop *loop)
{
	uint64_t seen = 0, n;

	while (seen < loop->inbox.wakes_owed) {
		if (read(loop->wake_fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
			seen += n;
		else
			sched_yield();
	}
}

int weft_loop_close(weft_loop *loop)
{
	bool ended;
	int r;

	if (!loop)
		return 0;
	r = weft__loop_enter(loop);
	if (r == -ESTALE || r == -ESHUTDOWN)
		return r;
	weft_assert(
		r == 0,
		"weft_loop_close() was called while a loop runs on this thread, or the "
		"loop on another one: stop it and let weft_loop_run() return first");

	loop->closing = true;
	run_sent(loop);
	ended = end_tasks(loop);
	weft__loop_remove_signals(loop);
	weft__inbox_close(&loop->inbox);
	while (!list_is_empty(
		&loop->inbox.taken)) /* what was accepted runs exactly once */
		weft__loop_run_posts(loop);
	/* C2: lets go of all that was sent; pairs with C1. */
	atomic_store_explicit(&loop->let_go, true, memory_order_release);
	if (!ended) {
		weft__loop_hooks()->abandon_all(loop);
		weft_loop_ref(
			loop); /* what they wait for may still look for their loop */
	}
	detach_all(loop);
	report_open(loop);
	drop_handles(loop); /* those of watchers, too */
	weft__loop_remove_watchers(loop);
	if (weft__loop_hooks())
		weft__loop_hooks()->close(loop);
	await_senders(loop);
	weft__spare_fini(&loop->spare);
	weft__poller_free(loop->poller);
	(void)close(loop->wake_fd); /* an eventfd has nothing to lose */
	weft__ready_fini(&loop->ready);
	weft__control_remove(loop);
	atomic_store_explicit(&loop->owner, LOOP_CLOSED, memory_order_relaxed);
	weft__loop_leave(loop);
	weft_loop_unref(loop);
	return ended ? 0
		     : weft_error_set(
			       -EBUSY,
			       "tasks ignored their cancellation until the limit of "
			       "the loop's close and were abandoned");
}
