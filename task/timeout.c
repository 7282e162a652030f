/*
 * Limits on time, and stretches that cancellation must not cut; <weft/timeout.h> has the
 * model.
 *
 * Both are scopes with a timer. When it expires, the scope asks its task to end; at the
 * end the request is taken back, and if nobody else asked, -ECANCELED becomes -ETIMEDOUT.
 *
 * The timer is set when the task first leaves the CPU: no sooner could it expire, and many a
 * limit is around something that turns out not to wait. Loop thread.
 */
#include "task/timeout.h"

#include "task/task.h"

struct timeout {
	struct scope scope;
	struct handle timer;
	weft_time deadline;
	bool expired;
	bool is_unset; /* the timer is still to be set */
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
	timeout->is_unset = deadline != WEFT_FOREVER;
	handle_init(&timeout->timer, HANDLE_DIRECT, expire, timeout);
	timeout->timer.loop = me->loop;
	timeout->deadline = deadline;
	me->has_unset_timeouts |= timeout->is_unset;
}

static struct timeout *outermost_unset(const weft_task *me)
{
	struct timeout *found = NULL;

	for (struct scope *scope = me->scopes; scope; scope = scope->outer) {
		struct timeout *timeout = container_of(scope, struct timeout, scope);

		if ((scope->kind == SCOPE_TIMEOUT || scope->kind == SCOPE_SHIELD) &&
		    timeout->is_unset)
			found = timeout;
	}
	return found;
}

/* In the order in which they were begun, which is that of timers that expire together. */
void weft__timeouts_set(weft_task *me)
{
	struct timeout *timeout;

	me->has_unset_timeouts = false;
	while ((timeout = outermost_unset(me))) {
		timeout->is_unset = false;
		loop_add_timer(me->loop, &timeout->timer, timeout->deadline);
	}
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

/* The scope is closed: what does its result come to? */
static int result_of(const struct timeout *timeout, int result)
{
	if (result == -ECANCELED && timeout->expired &&
	    weft__asked_alone(&timeout->scope))
		return -ETIMEDOUT;
	return result;
}

static int end(struct timeout *timeout, enum scope_kind kind, int result,
	       const char *function)
{
	weft__scope_close(&timeout->scope, kind, function);
	loop_remove_timer(&timeout->timer);
	return result_of(timeout, result);
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
	timeout->is_unset = false; /* it may be that of a task which waits */
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

/* ---- Limits that are begun again and again ---- */

static void set_kept(struct timeout *timeout)
{
	if (timeout->deadline != WEFT_FOREVER)
		loop_add_timer(timeout->timer.loop, &timeout->timer, timeout->deadline);
}

static void on_kept_time(void *arg)
{
	struct timeout *timeout = arg;

	if (!timeout->scope.task) /* between two scopes; the next one sets it anew */
		return;
	if (loop_now(timeout->timer.loop) < timeout->deadline)
		set_kept(timeout);
	else
		expire(timeout);
}

void weft__kept_timeout_init(struct weft_timeout *shown)
{
	struct timeout *timeout = (struct timeout *)(void *)shown;

	*timeout = (struct timeout){ .deadline = WEFT_FOREVER };
	handle_init(&timeout->timer, HANDLE_DIRECT, on_kept_time, timeout);
	timeout->timer.loop = task_current()->loop;
}

void weft__kept_timeout_fini(struct weft_timeout *shown)
{
	loop_remove_timer(&((struct timeout *)(void *)shown)->timer);
}

void weft__kept_timeout_begin_at(struct weft_timeout *shown, weft_time deadline)
{
	struct timeout *timeout = (struct timeout *)(void *)shown;
	bool is_set = handle_state(&timeout->timer) == HANDLE_TIMER;

	weft__scope_open(&timeout->scope, SCOPE_TIMEOUT, task_current());
	timeout->expired = false;
	timeout->deadline = deadline;
	if (is_set && timeout->timer.deadline <= deadline)
		return;
	loop_remove_timer(&timeout->timer);
	set_kept(timeout);
}

int weft__kept_timeout_end(struct weft_timeout *shown, int result)
{
	struct timeout *timeout = (struct timeout *)(void *)shown;

	weft__scope_close(&timeout->scope, SCOPE_TIMEOUT, __func__);
	return result_of(timeout, result);
}
