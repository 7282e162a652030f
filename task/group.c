/*
 * Groups: children that never outlive a block. <weft/group.h> has the model.
 *
 * A group is a scope, so its failure is a request to the block like an expired timeout.
 * It keeps its children that have not ended, and of the others their errors alone. It
 * lies on the stack of the task that began it and ends there. Loop thread.
 */
#include "task/group.h"

#include <string.h>

#include "base/report.h"
#include "task/cycle.h"
#include "task/future.h"

struct group {
	struct scope scope;
	struct list children; /* weft_task, by sibling */
	struct park *ending; /* weft_group_end() waits for the last child */
	int failure; /* code of the first one; 0: none */
	bool cancelled; /* by weft_group_cancel() */
	bool passed; /* a request to the owner was passed on to the children */
	bool is_gather; /* a failure stops nobody */
	size_t n_errors;
	const struct weft_error **errors; /* in the order in which they happened */
};

static_assert(sizeof(struct group) <= sizeof(struct weft_group), "the public size");

weft_task *weft__group_owner(const struct group *group)
{
	return group->scope.task;
}

bool weft__group_is_ending(const struct group *group)
{
	return group->ending != NULL;
}

const struct list *weft__group_children(const struct group *group)
{
	return &group->children;
}

void weft_group_begin(struct weft_group *shown)
{
	struct group *group = (struct group *)(void *)shown;
	weft_task *me = task_current();

	weft_assert(
		me,
		"weft_group_begin() was called outside a task: a group belongs to one");
	*group = (struct group){ 0 };
	weft__scope_open(&group->scope, SCOPE_GROUP, me);
	list_init(&group->children);
}

/* ---- Cancelling and failing ---- */

static void cancel_children(struct group *group)
{
	list_for_each_safe (link, &group->children)
		(void)weft_task_cancel(list_entry(link, weft_task, sibling), NULL);
}

/* Has it been told to end? */
static bool is_over(const struct group *group)
{
	return (group->failure && !group->is_gather) || group->cancelled;
}

/* Children and block are asked to end, once. */
static void stop(struct group *group)
{
	cancel_children(group);
	if (!group->ending && !group->scope.requested)
		weft__request_cancel(group->scope.task, &group->scope);
}

/* Keeps the reference to `error`. Without memory the code is kept at least. */
static void add_error(struct group *group, int code, const struct weft_error *error)
{
	const struct weft_error **errors;

	if (!error)
		error = weft_error_of(code);
	errors = weft__realloc_array(group->errors, group->n_errors + 1, sizeof(*errors));
	if (!errors) {
		weft_error_unref(error);
		return;
	}
	errors[group->n_errors++] = error;
	group->errors = errors;
}

static void fail(struct group *group, int code, const struct weft_error *error)
{
	bool first = !group->failure;

	add_error(group, code, error);
	if (!first)
		return;
	group->failure = code;
	if (!group->is_gather)
		stop(group);
}

void weft_group_cancel(struct weft_group *shown)
{
	struct group *group = (struct group *)(void *)shown;

	weft_assert(
		group->scope.task && loop_is_mine(group->scope.task->loop),
		"weft_group_cancel() was called on another thread, or after the group's end");
	if (is_over(group))
		return;
	group->cancelled = true;
	stop(group);
}

/* ---- Children ---- */

void weft__group_child_ended(struct group *group, weft_task *child)
{
	const struct weft_error *error = NULL;

	list_unlink(&child->sibling);
	child->was_seen = true;
	if (child->future)
		weft__future_seen(child->future);
	child->group = NULL;
	if (child->result < 0 && child->result != -ECANCELED) {
		if (child->error && child->error->code == child->result)
			error = weft_error_ref(child->error);
		fail(group, child->result, error);
	}
	if (list_is_empty(&group->children) && group->ending) {
		struct park *park = group->ending;

		group->ending =
			NULL; /* once, whatever is spawned before the owner runs */
		weft__unpark(park, 0);
	}
}

/* Return: the child, or NULL if it has ended by that. */
static weft_task *run_eagerly(weft_task *child)
{
	bool ended;

	child->references++;
	weft__task_run_eagerly(child);
	ended = child->state == TASK_DONE;
	weft__task_unref(child);
	return ended ? NULL : child;
}

static weft_task *spawn(struct group *group, weft_fn *fn, void *arg,
			const struct weft_spawn_options *options, const void *place,
			const char *function)
{
	weft_task *child;
	int r;

	weft_assert(group->scope.task && loop_is_mine(group->scope.task->loop),
		    "%s() was called on another thread, or after the group's end",
		    function);
	if (options &&
	    weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)))
		r = weft_error_set(
			-EINVAL,
			"weft_group_spawn_with(): set the reserved options to zero");
	else
		r = weft__task_new(group->scope.task->loop, fn, arg, options, place,
				   false, &child);
	if (r < 0) {
		fail(group, r, weft__error_copy(r));
		return NULL;
	}
	child->group = group;
	list_push_back(&group->children, &child->sibling);
	if (is_over(group) || group->passed)
		(void)weft_task_cancel(child, NULL);
	return unlikely(options && options->eager) ? run_eagerly(child) : child;
}

__attribute__((noinline)) weft_task *weft_group_spawn(struct weft_group *group,
						      weft_fn *fn, void *arg)
{
	return spawn((struct group *)(void *)group, fn, arg, NULL,
		     __builtin_return_address(0), __func__);
}

__attribute__((noinline)) weft_task *
weft_group_spawn_with(struct weft_group *group, weft_fn *fn, void *arg,
		      const struct weft_spawn_options *options)
{
	return spawn((struct group *)(void *)group, fn, arg, options,
		     __builtin_return_address(0), __func__);
}

/* ---- The end ---- */

struct group_end {
	struct park park;
	struct group *group;
};

/*
 * A request from outside goes to the children, and the wait goes on. If the group has
 * failed they are on their way out already, and the request stays for the owner's next
 * wait.
 */
static enum cancel_answer pass_to_children(struct park *park)
{
	struct group *group = container_of(park, struct group_end, park)->group;

	if (is_over(group))
		return CANCEL_LATER;
	group->passed = true;
	cancel_children(group);
	return CANCEL_PASSED;
}

/*
 * A child needs the caller before it can end. The wait cannot be refused, since children do not
 * outlive the block: they are told to end, so that the caller learns of it. One that even so
 * needs a lock of the caller's is reported, for nobody else would tell.
 */
static void break_cycle(struct group *group, const struct park *park, int r)
{
	fail(group, r, weft__error_take(r));
	cancel_children(group);
	r = weft__cycle_find(park);
	if (r < 0) {
		struct weft_report report = {
			.error = weft_error_of(r),
			.loop = group->scope.task->loop,
			.task = group->scope.task,
			.place = group->scope.task->place,
		};

		weft__report(WEFT_FAILURE, &report,
			     "the end of a group waits for a lock that its task holds");
	}
}

static void await_children(struct group *group)
{
	struct group_end end = {
		.park = {
			.what = "group",
			.cancel = pass_to_children,
			.awaited_group = group,
		},
		.group = group,
	};
	int r;

	/* A callback may have spawned another child after the last one had ended. */
	while (!list_is_empty(&group->children)) {
		r = cycle_check_many(&end.park);
		if (r < 0)
			break_cycle(group, &end.park, r);
		if (!is_over(group) && weft__deliver(group->scope.task)) {
			group->passed = true;
			cancel_children(group);
		}
		group->ending = &end.park;
		(void)weft__park(&end.park);
	}
}

/* The errors become the owner's; one alone is handed on as it is. */
static void give_errors(struct group *group)
{
	if (group->n_errors == 1)
		weft__error_give(group->errors[0]);
	else if (group->n_errors > 1)
		(void)weft__error_set_children(
			group->failure, group->errors, group->n_errors,
			"%zu of the group's tasks failed, this one first: %s",
			group->n_errors, group->errors[0]->message);
	free(group->errors);
}

/* Did the block fail by itself, and not because the group told it to end? */
static bool block_failed(const struct group *group, int result)
{
	return result < 0 && result != -ECANCELED &&
	       !(group->failure && result == group->failure);
}

int weft_group_end(struct weft_group *shown, int result)
{
	struct group *group = (struct group *)(void *)shown;
	weft_task *me = task_current();
	bool asked_by_group;
	unsigned told_before;

	weft_assert(
		me && group->scope.task == me,
		"weft_group_end() was called by a task that did not begin the group, or twice");
	asked_by_group = group->scope.requested;
	/* A block that was told of a request, and hands that on, has not dealt with it. */
	told_before = result == -ECANCELED ? group->scope.told_before : me->n_told;
	if (block_failed(group, result))
		fail(group, result, weft__error_take(result));
	else if (result < 0 && !is_over(group)) /* else they have been told, once */
		cancel_children(group);
	await_children(group);
	weft__scope_close(&group->scope, SCOPE_GROUP, __func__);
	if (group->failure) {
		weft__put_back(me, told_before); /* the request is still to come */
		give_errors(group);
		return group->failure;
	}
	free(group->errors);
	if (group->passed) {
		(void)weft__deliver(me); /* with what was asked for since */
		return -ECANCELED;
	}
	if (result == -ECANCELED && group->cancelled && asked_by_group &&
	    weft__asked_alone(&group->scope))
		return 0;
	return result;
}

/* ---- Gather ---- */

/* A function of a gather, in a task of its own. */
static int run_call(void *arg)
{
	struct weft_call *call = arg;

	call->result = call->fn(call->arg);
	return call->result;
}

static void spawn_call(struct group *group, struct weft_call *call, const void *place)
{
	struct weft_spawn_options options = { .name = call->name };
	weft_task *child = spawn(group, run_call, call, &options, place, "weft_gather");

	if (child)
		child->name_of = (const void *)(uintptr_t)call->fn;
	else
		call->result = group->failure;
}

/* A group whose children do not mind each other's failures. */
__attribute__((noinline)) int weft_gather(struct weft_call *calls, size_t n_calls)
{
	const void *place = __builtin_return_address(0);
	struct weft_group shown;
	struct group *group = (struct group *)(void *)&shown;

	if (!task_current())
		return weft__task_none(__func__);
	weft_group_begin(&shown);
	group->is_gather = true;
	for (size_t i = 0; i < n_calls; i++)
		spawn_call(group, &calls[i], place);
	return weft_group_end(&shown, 0);
}
