/*
 * Signals as callbacks.
 *
 * A thread of the library's own receives signals and tells the loop. weft_run() handles SIGINT
 * and SIGTERM unless asked not to. Children are not found through SIGCHLD; SIGPIPE is blocked on
 * threads that run a loop or jobs, and left alone elsewhere.
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <weft/loop.h>

WEFT_BEGIN_DECLS

/** weft_signal_callback - runs on the loop, as any callback: nothing is forbidden in it */
typedef void weft_signal_callback(int signo, void *arg);

/**
 * weft_loop_add_signal_handler() - call when a signal arrives
 * @loop:  the loop
 * @signo: not SIGKILL, SIGSTOP or SIGCHLD; adding again replaces
 * @fn:    what to call; signals that come together may be one call
 * @arg:   borrowed until the handler is removed
 *
 * Return: 0; -EINVAL; -EBUSY if another loop handles @signo; -ENOMEM.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_add_signal_handler(weft_loop *loop, int signo, weft_signal_callback *fn,
					  void *arg);

/**
 * weft_loop_remove_signal_handler() - go back to what was set before
 * @loop:  the loop
 * @signo: may be unknown
 *
 * Return: true if there was a handler.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_loop_remove_signal_handler(weft_loop *loop, int signo);

WEFT_END_DECLS

#endif
