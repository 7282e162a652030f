/*
 * Tasks that wait in line: what locks, queues and their like are made of.
 *
 * First come, first served. Whoever has something to give takes the first waiter off and
 * wakes it with a result; a waiter that is cancelled before that leaves the line and was
 * given nothing. So nothing that was handed over can be lost: who was taken off has it,
 * also if a cancellation follows. A zeroed list is an empty one, so that objects start
 * from zeroed memory. Loop thread.
 */
#ifndef WEFT_TASK_WAIT_LIST_H
#define WEFT_TASK_WAIT_LIST_H

#include "task/task.h"

struct wait_list {
	struct list waiters; /* both NULL: not used yet */
};

struct waiter {
	struct park park;
	struct list link;
	void *item; /* what the waiter brings or wants, for whoever wakes it */
};

static inline bool wait_list_is_empty(const struct wait_list *list)
{
	return !list->waiters.next || list_is_empty(&list->waiters);
}

/* The one that waits longest, taken off; NULL if nobody waits. Wake it with
 * weft__unpark(). */
struct waiter *weft__wait_list_pop(struct wait_list *list);

/* To the end of the line. */
void weft__wait_list_push(struct wait_list *list, struct waiter *waiter);

/*
 * Waits in line; `waiter` says what for. Return: what weft__unpark() was given; -ECANCELED, then
 * nothing was given.
 */
int weft__wait_in_line(struct wait_list *list, struct waiter *waiter);
/* The same for what anybody may give; `what` is for dumps. */
int weft__wait_in_line_for(struct wait_list *list, const char *what, void *item);

/*
 * The object's loop is the one that first uses it; on another one this explains and
 * returns -EPERM.
 */
int weft__belongs_here(weft_loop **loop, const char *function);

#endif
