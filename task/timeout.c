/*
 * Limits on time, and stretches that cancellation must not cut; <weft/timeout.h> has the
 * model.
 *
 * Both are scopes with a timer. When it expires, the scope asks its task to end; at the
 * end the request is taken back, and if nobody else asked, -ECANCELED becomes -ETIMEDOUT.
 * Loop thread.
 */
#include <weft/timeout.h>

#include "task/task.h"

struct timeout {
	struct scope scope;
	struct handle timer;
	bool expired;
};

static_assert(sizeof(struct timeout) <= sizeof(struct weft_timeout), "the public size");
static_assert(sizeof(struct timeout) <= sizeof(struct weft_shield), "the public size");
static_assert(offsetof(struct timeout, scope) == 0, "weft__scope_may_expire()");

bool weft__scope_may_expire(const struct scope *scope)
{
	/* The scope is the first member of a timeout, and of a shield. */
	return (scope->kind == SCOPE_TIMEOUT || scope->kind == SCOPE_SHIELD) &&
	       handle_state(&((const struct timeout *)(const void *)scope)->timer) !=
		       HANDLE_IDLE;
}

static void expire(void *arg)
{
	struct timeout *timeout = arg;

	timeout->expired = true;
	weft__request_cancel(timeout->scope.task, &timeout->scope);
}

static void begin_at(struct timeout *timeout, enum scope_kind kind, weft_time deadline,
		     const char *function)
{
	weft_task *me = task_current();

	weft_assert(me,
		    "%s() was called outside a task: a limit covers the waits of a task",
		    function);
	weft__scope_open(&timeout->scope, kind, me);
	timeout->expired = false;
	handle_init(&timeout->timer, HANDLE_DIRECT, expire, timeout);
	timeout->timer.loop = me->loop;
	if (deadline != WEFT_FOREVER)
		loop_add_timer(me->loop, &timeout->timer, deadline);
}

static void begin(struct timeout *timeout, enum scope_kind kind, weft_time limit_ns,
		  const char *function)
{
	begin_at(timeout, kind,
		 limit_ns == WEFT_FOREVER || limit_ns <= 0
			 ? WEFT_FOREVER
			 : weft__time_add(weft_now(), limit_ns),
		 function);
	if (limit_ns <= 0) /* over already: at the first wait */
		expire(timeout);
}

static int end(struct timeout *timeout, enum scope_kind kind, int result,
	       const char *function)
{
	weft__scope_close(&timeout->scope, kind, function);
	loop_remove_timer(&timeout->timer);
	if (result == -ECANCELED && timeout->expired &&
	    weft__asked_alone(&timeout->scope))
		return -ETIMEDOUT;
	return result;
}

void weft_timeout_begin(struct weft_timeout *timeout, weft_time limit_ns)
{
	begin((struct timeout *)(void *)timeout, SCOPE_TIMEOUT, limit_ns, __func__);
}

void weft_timeout_begin_at(struct weft_timeout *timeout, weft_time deadline)
{
	begin_at((struct timeout *)(void *)timeout, SCOPE_TIMEOUT, deadline, __func__);
}

int weft_timeout_reschedule(struct weft_timeout *shown, weft_time deadline)
{
	struct timeout *timeout = (struct timeout *)(void *)shown;
	weft_loop *loop = timeout->timer.loop;
	int r = loop_check(loop, __func__);

	if (r < 0)
		return r;
	if (timeout->expired)
		return weft_error_set(-EALREADY, "the timeout has expired already");
	loop_remove_timer(&timeout->timer);
	if (deadline != WEFT_FOREVER)
		loop_add_timer(loop, &timeout->timer, deadline);
	return 0;
}

bool weft_timeout_expired(const struct weft_timeout *timeout)
{
	const struct timeout *mine = (const struct timeout *)(const void *)timeout;

	return loop_must_be_mine(mine->timer.loop, __func__) && mine->expired;
}

int weft_timeout_end(struct weft_timeout *timeout, int result)
{
	return end((struct timeout *)(void *)timeout, SCOPE_TIMEOUT, result, __func__);
}

int weft_wait_for(weft_fn *fn, void *arg, weft_time limit_ns)
{
	struct weft_timeout timeout;

	if (!task_current())
		return weft__task_none(__func__);
	weft_timeout_begin(&timeout, limit_ns);
	return weft_timeout_end(&timeout, fn(arg));
}

void weft_shield_begin(struct weft_shield *shield, weft_time limit_ns)
{
	begin((struct timeout *)(void *)shield, SCOPE_SHIELD, limit_ns, __func__);
}

int weft_shield_end(struct weft_shield *shield, int result)
{
	return end((struct timeout *)(void *)shield, SCOPE_SHIELD, result, __func__);
}
