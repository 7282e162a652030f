/*
 * Wait cycles: a wait that could never end is refused at the moment it would close the ring.
 *
 * What a waiting task needs before it can go on is in its struct park: the end of a task (join,
 * or the future of a task), the holder of a lock, the end of all children (group), the ends of
 * several tasks (weft_wait() for all). From the tasks that a wait needs this goes on to those
 * that they need; if it comes back to the caller, none of them could ever go on.
 *
 * Only what is certain counts, so that there is never a false alarm:
 *
 *   - A semaphore, event, queue, barrier, plain future or notification may come from anybody.
 *   - The holder of a lock is the task that it was given to, until that releases it or ends.
 *   - A task inside a time limit may give up; it does not count while the limit is to come. One
 *     that waits for a lock to come back from weft_condition_wait() cannot, so it does.
 *   - One of several futures is not all of them: weft_wait() for the first, or for an error,
 *     and weft_as_completed count only for the last one.
 *
 * All on the thread of the loop, whose tasks these are: another loop's cannot be looked at, since
 * they go on meanwhile.
 */
#ifndef WEFT_TASK_CYCLE_H
#define WEFT_TASK_CYCLE_H

#include "task/task.h"

/*
 * Would the running task, if it waited as `park` says, wait for itself? Return: 0; -EDEADLK,
 * explained by who waits for whom.
 */
int weft__cycle_find(const struct park *park);

/* The same, for the usual case that the one task that is waited for does not wait itself. */
static inline int cycle_check_task(const struct park *park)
{
	return likely(!park->awaited || (park->awaited->state != TASK_WAITING &&
					 park->awaited->state != TASK_RUNNING))
		       ? 0
		       : weft__cycle_find(park);
}

/* For the ends of many: the usual case is that nobody could wait for the caller. */
static inline int cycle_check_many(const struct park *park)
{
	const weft_task *me = task_current();

	return likely(!me->joiner && !me->group && !me->future && !me->n_locks)
		       ? 0
		       : weft__cycle_find(park);
}

#endif
