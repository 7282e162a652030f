/*
 * Awaiting operations of the poller; io.h has the contract. Loop thread, in a task.
 *
 * An operation that was cancelled ends by its own completion, which is what wakes the
 * task: so nobody touches the buffer afterwards, and a result that came first is not
 * lost. The request is delivered only if the result says that it had an effect.
 */
#include "task/io.h"

struct op_wait {
	struct park park;
	struct op *op;
};

static enum cancel_answer cancel_op(struct park *park)
{
	struct op_wait *wait = container_of(park, struct op_wait, park);

	weft__op_cancel(wait->op);
	return CANCEL_LATER;
}

static void end_wait(struct op *op)
{
	struct op_wait *wait = op->owner;

	weft__unpark(&wait->park, 0);
}

/* A task that always finds its data there lets the others run now and then. */
static void count_streak(weft_task *me)
{
	if (likely(++me->io_streak < IO_STREAK_MAX))
		return;
	weft__pass_turn(me);
}

ssize_t weft__op_await(struct op *op, const char *what)
{
	struct op_wait wait = { .park = { .what = what, .cancel = cancel_op }, .op = op };
	weft_task *me = task_current();
	ssize_t n = weft__cancel_point(me);

	if (n < 0)
		return n;
	op->done = end_wait;
	op->owner = &wait;
	n = weft__op_start(op);
	if (n != -EINPROGRESS) {
		count_streak(me);
		return n;
	}
	(void)weft__park(&wait.park);
	if (op->result == -ECANCELED)
		(void)weft__deliver(me);
	return op->result;
}
