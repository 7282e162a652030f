/*
 * Condition: waiting until what a lock protects has changed. <weft/sync.h> has the model.
 * Loop thread.
 *
 * A waiter stands in two lines, one after the other: first in that of the condition, then,
 * without running in between, in that of the lock. A notification moves it from one to the other;
 * so does a cancellation, which then is what the wait returns. In the lock's line nothing can
 * call it back: whatever comes, it has the lock when it runs. Who was notified returns 0, so no
 * notification is ever used up by a wait that returns -ECANCELED.
 *
 * The condition keeps the lock that it was first used with, for whoever notifies.
 */
#include "task/lock.h"

struct condition {
	struct wait_list line;
	weft_loop *loop;
	struct lock *lock; /* NULL: nobody has waited yet */
};

static_assert(sizeof(struct condition) <= sizeof(struct weft_condition),
	      "the public size");

struct condition_wait {
	struct waiter waiter;
	struct lock *lock;
	bool wants_lock; /* it has left the condition's line */
	bool cancelled; /* and this is why */
};

static struct condition *condition_of(struct weft_condition *shown)
{
	return (struct condition *)(void *)shown;
}

/* Out of the condition's line; true if the lock was free and is the task's now. */
static bool go_for_lock(struct condition_wait *wait)
{
	wait->wants_lock = true;
	wait->waiter.park.what = "lock of a condition";
	return weft__lock_take_or_queue(wait->lock, &wait->waiter);
}

static enum cancel_answer leave_condition(struct park *park)
{
	struct condition_wait *wait =
		container_of(park, struct condition_wait, waiter.park);

	if (wait->wants_lock)
		return CANCEL_LATER; /* the lock is to be had first */
	list_unlink(&wait->waiter.link);
	wait->cancelled = true;
	return go_for_lock(wait) ? CANCEL_ENDS : CANCEL_PASSED;
}

static int check(struct condition *condition, struct lock *lock, const weft_task *me)
{
	int r = weft__belongs_here(&condition->loop, "weft_condition_wait");

	if (r < 0)
		return r;
	if (!lock_is_of(lock, me))
		return weft_error_set(-EPERM,
				      "weft_condition_wait() with a lock that the task "
				      "does not hold: acquire it first");
	if (condition->lock && condition->lock != lock)
		return weft_error_set(-EINVAL,
				      "weft_condition_wait() with another lock than "
				      "before: a condition belongs to one lock");
	return 0;
}

int weft_condition_wait(struct weft_condition *shown, struct weft_lock *shown_lock)
{
	struct condition *condition = condition_of(shown);
	weft_task *me = task_current();
	struct condition_wait wait = {
		.waiter.park = {
			.what = "condition",
			.cancel = leave_condition,
			.awaited_lock = lock_of(shown_lock),
			.outlasts_cancel = true,
		},
		.lock = lock_of(shown_lock),
	};
	int r;

	if (!me)
		return weft__task_none(__func__);
	r = check(condition, wait.lock, me);
	if (r < 0)
		return r;
	r = weft__cancel_point(me);
	if (r < 0)
		return r;
	condition->lock = wait.lock;
	weft__wait_list_push(&condition->line, &wait.waiter);
	weft_lock_release(shown_lock);
	(void)weft__park(&wait.waiter.park);
	if (!wait.cancelled)
		return 0;
	(void)weft__deliver(me); /* with what was asked for since */
	return -ECANCELED;
}

/* Their turn with the lock comes when this task, and who wants it already, have had it. */
static void notify(struct condition *condition, size_t n, const char *function)
{
	struct waiter *waiter;

	weft_assert(
		weft__belongs_here(&condition->loop, function) == 0,
		"%s() was called on a thread that is not that of the condition's loop",
		function);
	if (!condition->lock)
		return;
	weft_assert(task_current() && lock_is_of(condition->lock, task_current()),
		    "%s() was called by a task that does not hold the condition's lock: "
		    "acquire it before what it protects is changed",
		    function);
	for (; n > 0; n--) {
		waiter = weft__wait_list_pop(&condition->line);
		if (!waiter)
			return;
		(void)go_for_lock(container_of(waiter, struct condition_wait, waiter));
	}
}

void weft_condition_notify(struct weft_condition *shown, int n)
{
	notify(condition_of(shown), n > 0 ? (size_t)n : 0, __func__);
}

void weft_condition_notify_all(struct weft_condition *shown)
{
	notify(condition_of(shown), SIZE_MAX, __func__);
}
