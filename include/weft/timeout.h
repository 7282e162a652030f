/*
 * Limits on time, and stretches that cancellation must not cut.
 *
 * A weft_timeout covers every wait between its begin and its end, however deep: when it
 * expires, the wait in progress returns -ECANCELED, the code unwinds as for any cancellation,
 * and weft_timeout_end() turns the code into -ETIMEDOUT. So no wait needs a timeout of its own.
 *
 * A weft_shield holds cancellation back from the waits inside it, for a bounded time: what was
 * asked for meanwhile is delivered at the first wait after its end. Timeouts begun inside it
 * work as usual.
 *
 * Both lie on the caller's stack and nest. Leave the block by goto, not by return: an open scope
 * at the end of its task, or of an outer scope, is an assertion.
 */
#ifndef WEFT_TIMEOUT_H
#define WEFT_TIMEOUT_H

#include <weft/task.h>

WEFT_BEGIN_DECLS

/** struct weft_timeout - a scope with a deadline */
struct weft_timeout {
	uintptr_t opaque[16];
};

/**
 * weft_timeout_begin() - limit the waits that follow to a span of time
 * @timeout:  any contents
 * @limit_ns: from now; zero or less expires at the first wait; WEFT_FOREVER never
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API void weft_timeout_begin(struct weft_timeout *timeout, weft_time limit_ns);

/**
 * weft_timeout_begin_at() - limit the waits that follow by a deadline
 * @timeout:  any contents
 * @deadline: on the loop clock
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API void weft_timeout_begin_at(struct weft_timeout *timeout, weft_time deadline);

/**
 * weft_timeout_reschedule() - move the deadline
 * @timeout:  begun by this task
 * @deadline: on the loop clock
 *
 * Return: 0; -EALREADY if it has expired.
 *
 * Thread: task or callback, on the same loop.
 * Cancellation point: no.
 */
WEFT_API int weft_timeout_reschedule(struct weft_timeout *timeout, weft_time deadline);

/**
 * weft_timeout_expired() - did the deadline pass inside the scope?
 * @timeout: begun, or ended
 *
 * Return: true if it did, whatever came of it.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_timeout_expired(const struct weft_timeout *timeout);

/**
 * weft_timeout_end() - close the scope
 * @timeout: begun by this task
 * @result:  of the block
 *
 * Return: -ETIMEDOUT if @result is -ECANCELED and only this timeout asked for that; otherwise
 * @result, so work that was done in time, or in spite of the limit, keeps its result.
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_timeout_end(struct weft_timeout *timeout, int result);

/**
 * weft_wait_for() - call a function in this task, within a limit
 * @fn:       called directly
 * @arg:      borrowed
 * @limit_ns: as for weft_timeout_begin()
 *
 * Return: what @fn returned, or -ETIMEDOUT; in either case @fn has ended.
 *
 * Thread: task.
 * Cancellation point: yes, where @fn waits.
 */
WEFT_API WEFT_MUST_CHECK int weft_wait_for(weft_fn *fn, void *arg, weft_time limit_ns);

/** struct weft_shield - a scope that holds cancellation back */
struct weft_shield {
	uintptr_t opaque[16];
};

/**
 * weft_shield_begin() - hold cancellation back from the waits that follow
 * @shield:   any contents
 * @limit_ns: how long the stretch may take; then its waits return -ECANCELED after all
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API void weft_shield_begin(struct weft_shield *shield, weft_time limit_ns);

/**
 * weft_shield_end() - close the scope
 * @shield: begun by this task
 * @result: of the block
 *
 * Return: @result, or -ETIMEDOUT as weft_timeout_end() would for @limit_ns.
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_shield_end(struct weft_shield *shield, int result);

WEFT_END_DECLS

#endif
