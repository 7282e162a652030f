/*
 * Several things at once.
 *
 *   weft_group        children that never outlive a block; the first failure cancels the rest.
 *                     The usual choice.
 *   weft_gather       run some functions side by side, each to its end, keep every result
 *   weft_wait         watch futures of others until one, one failure, or all are there
 *   weft_as_completed take futures in the order in which they settle
 *
 * A group lies on the stack of the task that begins it. The first failure of a child cancels the
 * other children and the block itself: its wait in progress, or its next, returns -ECANCELED,
 * and weft_group_end() returns the failure instead. A child that ends with -ECANCELED because
 * somebody cancelled that child alone, or it cancelled itself, is no failure: its siblings go on.
 *
 * Whatever happens between begin and end, reach the end: leave the block by goto, not by return.
 * As with every scope of weft, _end takes the result of the block and gives back the result of
 * the whole. Ending an outer scope first, or a task with one open, is an assertion.
 */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <weft/task.h>

WEFT_BEGIN_DECLS

/** struct weft_group - a scope that owns tasks */
struct weft_group {
	uintptr_t opaque[16];
};

/**
 * weft_group_begin() - open a group
 * @group: any contents
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API void weft_group_begin(struct weft_group *group);

/**
 * weft_group_spawn() - start a child
 * @group: begun by this task or an ancestor that is still inside
 * @fn:    the child's body
 * @arg:   borrowed until the child ends; so locals of the block are fine, loop variables not
 *
 * A child that cannot be started fails the group, as one that started and failed would: there
 * is nothing to check here. After the group failed or was cancelled a child is started and
 * cancelled: it begins, and its first wait returns -ECANCELED, because @fn may own its argument.
 *
 * Return: borrowed until the caller's next wait, to name or cancel the child; a child that has
 * ended leaves nothing behind, however long the group lasts. To reach it later keep
 * weft_future_ref(weft_task_future(child)). NULL if it was not started or has ended already.
 *
 * Thread: task or callback, on the group's loop.
 * Cancellation point: no.
 */
WEFT_API weft_task *weft_group_spawn(struct weft_group *group, weft_fn *fn, void *arg);

/**
 * weft_group_spawn_with() - weft_group_spawn() with options
 * @group:   as above
 * @fn:      the child's body
 * @arg:     borrowed until the child ends, or copied
 * @options: may be NULL
 *
 * Return: as weft_group_spawn().
 *
 * Thread: task or callback, on the group's loop.
 * Cancellation point: no.
 */
WEFT_API weft_task *weft_group_spawn_with(struct weft_group *group, weft_fn *fn, void *arg,
					  const struct weft_spawn_options *options);

/**
 * weft_group_cancel() - end the group early, without calling that an error
 * @group: begun; its children and its block are cancelled
 *
 * Thread: task or callback, on the group's loop.
 * Cancellation point: no.
 */
WEFT_API void weft_group_cancel(struct weft_group *group);

/**
 * weft_group_end() - wait for the children and close the group
 * @group:  begun by this task
 * @result: of the block: negative cancels the children
 *
 * A request from outside that arrives while the group is failing stays pending: this returns the
 * failure, the next wait -ECANCELED. weft_task_cancelling() is what it was without the group.
 *
 * Return: @result if it and all children succeeded; the code of the first failure, whose
 * weft_error_of() is that failure, or, of several, has all of them as children; -ECANCELED if the caller was cancelled and
 * nothing failed; -EDEADLK, as a failure, if a child waits for the caller, see <weft/task.h>: then
 * the children are cancelled. What ends with -ECANCELED because of weft_group_cancel(), or a child that was
 * cancelled alone, has not failed; if @result is -ECANCELED by weft_group_cancel(), 0 is returned.
 *
 * Thread: task.
 * Cancellation point: yes; passes it on to the children and returns when all have ended.
 */
WEFT_API WEFT_MUST_CHECK int weft_group_end(struct weft_group *group, int result);

/**
 * struct weft_call - a function, its argument, and afterwards what it returned
 * @fn:     runs in a task
 * @arg:    borrowed until the gather returns; "&i" of a loop variable is the same for all
 * @name:   of that task, borrowed; NULL for the name of the function
 * @result: set by the gather
 */
struct weft_call {
	weft_fn *fn;
	void *arg;
	const char *name;
	int result;
};

/**
 * weft_gather() - run functions side by side until each has ended
 * @calls:   each in a task of its own; .result is set for all of them
 * @n_calls: their number; 0 is nothing to do
 *
 * A failure leaves the others running (a group would cancel them). As in a group, a call that
 * ends with -ECANCELED because it alone was cancelled has not failed.
 *
 * Return: 0, or the code of the first failure; of several, with all of them as children.
 *
 * Thread: task.
 * Cancellation point: yes; cancels all calls and returns when they have ended.
 */
WEFT_API WEFT_MUST_CHECK int weft_gather(struct weft_call *calls, size_t n_calls);

/** enum weft_return_when - when weft_wait() returns */
enum weft_return_when {
	WEFT_ALL_COMPLETED,
	WEFT_FIRST_COMPLETED,
	WEFT_FIRST_ERROR,	/* a failure that is not a cancellation, or all */
};

/**
 * weft_wait() - watch several futures
 * @futures:     borrowed; ask each with weft_future_is_done()
 * @n_futures:   at least 1; the same one twice counts twice
 * @return_when: when to return
 *
 * Cancels nothing, and a failure of a future is no failure of this. For a limit, put it into a
 * weft_timeout.
 *
 * Return: how many have settled; -ECANCELED; -EINVAL; -EDEADLK if it waits for all, or the last,
 * and one of these waits for the caller; -EPERM for a local future of another loop; -ENOMEM for
 * many futures.
 *
 * Thread: task, on any loop for shared futures.
 * Cancellation point: yes, unless the condition already holds.
 */
WEFT_API WEFT_MUST_CHECK int weft_wait(weft_future *const *futures, size_t n_futures,
				       enum weft_return_when return_when);

/** struct weft_as_completed - a scope that hands out futures as they settle */
struct weft_as_completed {
	uintptr_t opaque[8];
};

/**
 * weft_as_completed_begin() - start watching
 * @scope:     any contents
 * @futures:   the array is copied, the futures are borrowed until the end
 * @n_futures: their number; one that is there twice is handed out once
 *
 * Those that have settled already come first, in the order of the array.
 *
 * Return: 0; -ENOMEM, or -EPERM for a local future of another loop, then there is nothing to end.
 *
 * Thread: task, on any loop for shared futures.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_as_completed_begin(struct weft_as_completed *scope,
						     weft_future *const *futures,
						     size_t n_futures);

/**
 * weft_as_completed_next() - the next future that has settled
 * @scope:  begun by this task
 * @future: receives a borrowed future
 *
 * Return: 1; 0 when each was handed out; -ECANCELED, then nothing was taken out; -EDEADLK if the
 * last of them waits for the caller.
 *
 * Thread: task.
 * Cancellation point: yes, unless one is ready.
 */
WEFT_API WEFT_MUST_CHECK int weft_as_completed_next(struct weft_as_completed *scope,
						    weft_future **future);

/**
 * weft_as_completed_end() - stop watching; the futures go on
 * @scope:  begun by this task
 * @result: of the block
 *
 * Return: @result.
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_as_completed_end(struct weft_as_completed *scope,
						   int result);

WEFT_END_DECLS

#endif
