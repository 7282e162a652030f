/*
 * Awaiting operations of the poller; io.h has the contract. Loop thread, in a task.
 *
 * The task itself makes the call once it can work, right before it uses what came of it.
 *
 * An operation that was cancelled ends by its own completion, which is what wakes the
 * task: so nobody touches the buffer afterwards, and a result that came first is not
 * lost. The request is delivered only if the result says that it had an effect.
 */
#include "task/io.h"

struct op_wait {
	struct park park;
	struct op *op;
	bool asked; /* the task was cancelled, and not the operation by its owner */
};

static enum cancel_answer cancel_op(struct park *park)
{
	struct op_wait *wait = container_of(park, struct op_wait, park);

	wait->asked = true;
	weft__op_cancel(wait->op);
	return CANCEL_LATER;
}

static void end_wait(struct op *op)
{
	struct op_wait *wait = op->owner;

	weft__unpark(&wait->park, 0);
}

ssize_t weft__op_await(struct op *op, const char *what)
{
	struct op_wait wait = { .park = { .what = what, .cancel = cancel_op }, .op = op };
	weft_task *me = task_current();
	ssize_t n;

	op->done = end_wait;
	op->owner = &wait;
	op->is_finished_by_owner = true;
	do {
		n = weft__cancel_point(me);
		if (n < 0)
			return n;
		n = weft__op_start(op);
		if (n != -EINPROGRESS) {
			io_count(me, n > 0 ? (size_t)n : 0);
			return n;
		}
		(void)weft__park(&wait.park);
		n = weft__op_finish(op);
	} while (unlikely(n == -EAGAIN));
	if (n == -ECANCELED && !weft__deliver(me) && !wait.asked)
		return -ECONNABORTED;
	return n;
}
