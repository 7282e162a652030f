/*
 * Waiting, and being asked to stop waiting; task.h has the model. Loop thread.
 *
 * Marks and scopes. The scopes of a task are a list, the innermost first. Going outwards,
 * every mark up to the first shield can be delivered; the task's own mark lies outside of
 * all scopes. A timeout or group inside a shield thus works as usual, and what comes from
 * beyond waits for the shield's end.
 *
 * One delivery takes all the marks that it can, also those that came while the task had been
 * woken and did not run yet; it has a number, by which the marks that it took are found again.
 */
#include "task/task.h"

/* ---- Parking ---- */

void weft__unpark(struct park *park, int result)
{
	weft_task *task = park->task;

	park->result = result;
	task->park = NULL;
	weft__make_ready(task);
}

/* ---- Marks ---- */

bool weft__has_deliverable(const weft_task *task)
{
	for (const struct scope *scope = task->scopes; scope; scope = scope->outer) {
		if (scope->pending)
			return true;
		if (scope->kind == SCOPE_SHIELD)
			return false;
	}
	return task->cancel_pending;
}

bool weft__deliver(weft_task *task)
{
	unsigned number = task->n_told + 1;

	if (likely(!task->n_pending))
		return false;
	for (struct scope *scope = task->scopes; scope; scope = scope->outer) {
		if (scope->pending) {
			scope->pending = false;
			task->n_pending--;
			scope->told_at = task->n_told = number;
		}
		if (scope->kind == SCOPE_SHIELD)
			return task->n_told == number;
	}
	if (task->cancel_pending) {
		task->cancel_pending = false;
		task->n_pending--;
		task->told_at = task->n_told = number;
		if (task->reason) { /* whoever receives the -ECANCELED finds it */
			weft_error_unref(task->error);
			task->error = task->reason;
			task->reason = NULL;
		}
	}
	return task->n_told == number;
}

/* Asks the wait in progress to end, if something can be delivered to it. */
static void ask_wait(weft_task *task)
{
	struct park *park = task->park;

	if (!park || !park->cancel || !weft__has_deliverable(task))
		return;
	switch (park->cancel(park)) {
	case CANCEL_ENDS:
		(void)weft__deliver(task);
		weft__unpark(park, -ECANCELED);
		break;
	case CANCEL_PASSED:
		(void)weft__deliver(task);
		break;
	case CANCEL_LATER:
		break;
	}
}

/*
 * A wait may pass the request on to another task, whose wait may do so, too: that one is queued
 * instead of asked at once, so that a chain of any length needs no stack.
 */
static void ask(weft_task *task)
{
	struct tasks *tasks = tasks_of(task->loop);

	if (tasks->is_asking) {
		if (task->is_asked)
			return;
		task->is_asked = true;
		task->asked_next = NULL;
		if (tasks->asked_first)
			tasks->asked_last->asked_next = task;
		else
			tasks->asked_first = task;
		tasks->asked_last = task;
		return;
	}
	tasks->is_asking = true;
	ask_wait(task);
	while (unlikely(tasks->asked_first)) {
		weft_task *next = tasks->asked_first;

		tasks->asked_first = next->asked_next;
		next->is_asked = false;
		ask_wait(next);
	}
	tasks->is_asking = false;
}

void weft__request_cancel(weft_task *task, struct scope *scope)
{
	bool *pending = scope ? &scope->pending : &task->cancel_pending;

	if (scope)
		scope->requested = true;
	task->cancelling++;
	if (!*pending) {
		*pending = true;
		task->n_pending++;
	}
	ask(task);
}

/* The requests that are not those of open scopes. */
static int own_requests(const weft_task *task)
{
	int n = task->cancelling;

	for (const struct scope *scope = task->scopes; scope; scope = scope->outer)
		n -= scope->requested;
	return n;
}

void weft__put_back(weft_task *task, unsigned told_before)
{
	for (struct scope *scope = task->scopes; scope; scope = scope->outer) {
		if (scope->requested && !scope->pending && scope->told_at > told_before) {
			scope->pending = true;
			task->n_pending++;
		}
		if (scope->kind == SCOPE_SHIELD)
			return;
	}
	if (!task->cancel_pending && task->told_at > told_before &&
	    own_requests(task) > 0) {
		task->cancel_pending = true;
		task->n_pending++;
	}
}

/* Was anything delivered since then that came from outside of the scopes that are closed? */
static bool told_since(const weft_task *task, unsigned told_before)
{
	for (const struct scope *scope = task->scopes; scope; scope = scope->outer) {
		if (scope->told_at > told_before)
			return true;
		if (scope->kind == SCOPE_SHIELD)
			return false;
	}
	return task->told_at > told_before;
}

bool weft__asked_alone(const struct scope *scope)
{
	const weft_task *me = task_current();

	return me->cancelling <= scope->cancelling_before &&
	       !(scope->found_pending && told_since(me, scope->told_before));
}

void weft__take_back(struct scope *scope)
{
	weft_task *task = scope->task;

	if (!scope->requested)
		return;
	scope->requested = false;
	task->cancelling--;
	if (scope->pending) {
		scope->pending = false;
		task->n_pending--;
	}
}

/* ---- Scopes ---- */

const char *weft__scope_name(enum scope_kind kind)
{
	static const char *const names[] = {
		[SCOPE_TIMEOUT] = "timeout",
		[SCOPE_SHIELD] = "shield",
		[SCOPE_GROUP] = "group",
		[SCOPE_AS_COMPLETED] = "weft_as_completed",
	};

	return names[kind];
}

void weft__scope_open(struct scope *scope, enum scope_kind kind, weft_task *task)
{
	*scope = (struct scope){
		.outer = task->scopes,
		.task = task,
		.kind = kind,
		.found_pending = task->n_pending > 0 && weft__has_deliverable(task),
		.cancelling_before = task->cancelling,
		.told_before = task->n_told,
	};
	task->scopes = scope;
}

void weft__scope_close(struct scope *scope, enum scope_kind kind, const char *end)
{
	weft_task *me = task_current();

	weft_assert(me && scope->task == me && scope->kind == kind,
		    "%s() was called by a task that did not begin this scope", end);
	weft_assert(
		me->scopes == scope,
		"%s() was called while an inner %s is still open: end the inner scope first",
		end, me->scopes ? weft__scope_name(me->scopes->kind) : "scope");
	weft__take_back(scope);
	me->scopes = scope->outer;
	scope->task = NULL;
}

/* ---- Requests from outside ---- */

bool weft_task_cancel(weft_task *task, const char *reason)
{
	if (loop_check(task->loop, __func__) < 0 || task->state == TASK_DONE ||
	    task->state == TASK_FREE)
		return false;
	if (reason && !task->cancel_pending) {
		weft_error_unref(task->reason);
		task->reason = weft__error_new(-ECANCELED, "%s", reason);
	}
	weft__request_cancel(task, NULL);
	return true;
}

int weft_task_uncancel(weft_task *task)
{
	int r = loop_check(task->loop, __func__);

	if (r < 0)
		return r;
	if (own_requests(task) > 0)
		task->cancelling--;
	if (task->cancel_pending && own_requests(task) == 0) {
		task->cancel_pending = false;
		task->n_pending--;
		weft_error_unref(task->reason);
		task->reason = NULL;
	}
	return task->cancelling;
}

int weft_task_cancelling(const weft_task *task)
{
	int r = loop_check(task->loop, __func__);

	return r < 0 ? r : task->cancelling;
}
