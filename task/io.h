/*
 * Awaiting operations of the poller in a task.
 */
#ifndef WEFT_TASK_IO_H
#define WEFT_TASK_IO_H

#include "task/task.h"

/*
 * After so many operations in a row that did not have to wait, a task lets others run; and after
 * so many bytes, of which an operation may move many.
 */
enum { IO_STREAK_MAX = 128, IO_STREAK_BYTES = 256 * 1024 };

/*
 * Starts an operation and waits for its end; `what` is for dumps. The operation's storage
 * and its buffer are free again on return, whatever it returns. Return: the operation's
 * result; -ECANCELED with nothing done; -ECONNABORTED, likewise, if somebody else ended it by
 * weft__op_cancel().
 */
ssize_t weft__op_await(struct op *op, const char *what);

/* A task that always finds its data there lets the others run now and then. */
static inline void io_count(weft_task *me, size_t bytes)
{
	size_t streak = me->io_streak + 1 + bytes / (IO_STREAK_BYTES / IO_STREAK_MAX);

	me->io_streak = (uint16_t)MIN(streak, (size_t)IO_STREAK_MAX);
	if (unlikely(streak >= IO_STREAK_MAX))
		weft__pass_turn(me);
}

#endif
