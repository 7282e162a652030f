/*
 * Barrier: waiting until a number of tasks have come. <weft/sync.h> has the model. Loop
 * thread.
 *
 * The last to come hands all others their numbers at once and empties the line. So draining and
 * resetting, which are states elsewhere, take no time here: whoever comes after that belongs to
 * the next round, also while those of the last one have not run yet.
 */
#include <weft/sync.h>

#include "task/wait_list.h"

struct barrier {
	intptr_t n_parties;
	struct wait_list line;
	weft_loop *loop;
	uintptr_t n_waiting;
	uintptr_t is_broken;
};

static_assert(sizeof(struct barrier) <= sizeof(struct weft_barrier), "the public size");

static struct barrier *barrier_of(struct weft_barrier *shown)
{
	return (struct barrier *)(void *)shown;
}

static int check(struct barrier *barrier, const char *function)
{
	weft_assert(barrier->n_parties >= 1,
		    "%s(): the barrier was initialised for less than one task", function);
	return weft__belongs_here(&barrier->loop, function);
}

static enum cancel_answer leave_barrier(struct park *park)
{
	struct waiter *waiter = container_of(park, struct waiter, park);

	list_unlink(&waiter->link);
	((struct barrier *)waiter->item)->n_waiting--;
	return CANCEL_ENDS;
}

static int wait_for_others(struct barrier *barrier)
{
	struct waiter waiter = {
		.park = { .what = "barrier", .cancel = leave_barrier },
		.item = barrier,
	};
	int r = weft__cancel_point(task_current());

	if (r < 0)
		return r;
	weft__wait_list_push(&barrier->line, &waiter);
	barrier->n_waiting++;
	r = weft__park(&waiter.park);
	return r == -EPIPE ? weft_error_set(-EPIPE, "the barrier was reset or aborted "
						    "before all had come")
			   : r;
}

int weft_barrier_wait(struct weft_barrier *shown)
{
	struct barrier *barrier = barrier_of(shown);
	struct waiter *waiter;
	int index = 0, r;

	if (!task_current())
		return weft__task_none(__func__);
	r = check(barrier, __func__);
	if (r < 0)
		return r;
	if (barrier->is_broken)
		return weft_error_set(-EPIPE, "the barrier was aborted: it can be used "
					      "again after weft_barrier_reset()");
	if (barrier->n_waiting + 1 < (uintptr_t)barrier->n_parties)
		return wait_for_others(barrier);
	for (waiter = weft__wait_list_pop(&barrier->line); waiter;
	     waiter = weft__wait_list_pop(&barrier->line))
		weft__unpark(&waiter->park, index++);
	barrier->n_waiting = 0;
	return index;
}

static void send_away(struct weft_barrier *shown, bool is_broken, const char *function)
{
	struct barrier *barrier = barrier_of(shown);
	struct waiter *waiter;

	weft_assert(check(barrier, function) == 0,
		    "%s() was called on a thread that is not that of the barrier's loop",
		    function);
	barrier->is_broken = is_broken;
	barrier->n_waiting = 0;
	for (waiter = weft__wait_list_pop(&barrier->line); waiter;
	     waiter = weft__wait_list_pop(&barrier->line))
		weft__unpark(&waiter->park, -EPIPE);
}

void weft_barrier_reset(struct weft_barrier *barrier)
{
	send_away(barrier, false, __func__);
}

void weft_barrier_abort(struct weft_barrier *barrier)
{
	send_away(barrier, true, __func__);
}

size_t weft_barrier_waiting(const struct weft_barrier *shown)
{
	const struct barrier *barrier = (const struct barrier *)(const void *)shown;

	if (!barrier->loop || !loop_must_be_mine(barrier->loop, __func__))
		return 0;
	return barrier->n_waiting;
}

bool weft_barrier_is_broken(const struct weft_barrier *shown)
{
	const struct barrier *barrier = (const struct barrier *)(const void *)shown;

	return barrier->loop && loop_must_be_mine(barrier->loop, __func__) &&
	       barrier->is_broken;
}
