/*
 * The event loop: callbacks, timers, descriptors. Useful without any task.
 *
 * One loop per thread. A turn runs the callbacks that were ready when it began, then takes what
 * other threads sent. Timers and descriptors get a look when nothing is ready, and often enough
 * when something always is; with nothing to do the loop sleeps until the next deadline.
 * Callbacks run to their end, one at a time, on the loop's thread; one that blocks stops all.
 *
 * Order: local callbacks (weft_loop_call_soon) are FIFO among themselves, posts
 * (weft_loop_call_soon_threadsafe) FIFO per posting thread; there is no order between the two
 * kinds.
 *
 * What is scheduled is a struct weft_handle. Put it inside your own object and scheduling
 * allocates nothing and cannot fail for want of memory; pass NULL and the loop uses a recycled
 * one that can no longer be cancelled. The handle stays the loop's until its callback starts
 * or it is cancelled; the callback may free or reuse it.
 *
 * Any thread may send to a loop (weft_loop_call_soon_threadsafe) or stop it. Everything else
 * here answers -EPERM on a thread that is not the loop's. Until a loop first runs, that is the
 * thread that made it; who hands it to another thread leaves it alone, but for these two, until
 * it runs there.
 */
#ifndef WEFT_LOOP_H
#define WEFT_LOOP_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

typedef struct weft_loop weft_loop;

/** weft_callback - runs on the loop's thread and must not block */
typedef void weft_callback(void *arg);

/** weft_fd_callback - a descriptor is ready, has reached its end, or failed */
typedef void weft_fd_callback(int fd, void *arg);

/** struct weft_handle - a callback to come; all zero is idle */
struct weft_handle {
	uintptr_t opaque[8];
};

/**
 * struct weft_loop_options - zero stands for the default of each
 * @name:             for thread names, dumps and metrics; copied
 * @close_limit_ns:   at close, for tasks that ignore their cancellation (10 s)
 * @slow_step_ns:     in debug mode, what is reported as slow (100 ms)
 * @debug:            debug mode, which WEFT_DEBUG=1 in the environment turns on for each loop
 *
 * In debug mode a loop reports each callback, and each stretch of a task between two waits, that
 * took long; waits inside a C++ catch; tasks that swallowed their cancellation; and, when it is
 * closed, what was left: tasks, and callbacks that were scheduled. It costs some 100 ns a step.
 */
struct weft_loop_options {
	const char *name;
	weft_time close_limit_ns;
	weft_time slow_step_ns;
	bool debug;
	uintptr_t reserved[8];
};

/**
 * weft_loop_new() - make a loop; it goes to the thread that first runs it
 * @options: may be NULL
 * @loop:    receives the loop; end it with weft_loop_close()
 *
 * Return: 0, or a negative errno (-ENOMEM, -EMFILE, -EINVAL).
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_loop_new(const struct weft_loop_options *options, weft_loop **loop);

/**
 * weft_loop_close() - end what is left on a loop, close it and release it
 * @loop: not running; may be NULL
 *
 * Tasks left over are cancelled and run to their end, and what other threads sent in time is
 * run. Timers and local callbacks are dropped. Each object that is still open is reported, with
 * the place that opened it.
 *
 * Tasks that ignore their cancellation for .close_limit_ns are named in the report hook and
 * abandoned: they never run again, and what they can reach is kept.
 *
 * Return: 0; -EBUSY if tasks were abandoned. Closed in either case. -ESTALE in a forked child.
 *
 * Thread: the loop's, or any once it has stopped.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_close(weft_loop *loop);

/**
 * weft_loop_ref() - keep the memory of a loop that another thread may free
 * @loop: borrowed
 *
 * A loop that was freed meanwhile answers -ESHUTDOWN to whoever still holds a reference.
 *
 * Return: @loop.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API weft_loop *weft_loop_ref(weft_loop *loop);

/**
 * weft_loop_unref() - give back what weft_loop_ref() kept
 * @loop: may be NULL
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API void weft_loop_unref(weft_loop *loop);

/**
 * weft_loop_run() - run on this thread until weft_loop_stop()
 * @loop: not running
 *
 * Return: 0; -EBUSY if this or another loop already runs on this thread.
 *
 * Thread: a plain thread, which becomes the loop's.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_run(weft_loop *loop);

/**
 * weft_loop_run_once() - one turn
 * @loop:       not running
 * @timeout_ns: longest sleep; 0 only looks
 *
 * Return: the number of steps (callbacks, stretches of tasks, messages of the library's own),
 * or -EBUSY.
 *
 * Thread: as weft_loop_run().
 * Cancellation point: no.
 */
WEFT_API int weft_loop_run_once(weft_loop *loop, weft_time timeout_ns);

/**
 * weft_loop_is_running() - is it inside weft_loop_run(), or in a turn?
 * @loop: borrowed
 *
 * Return: true if so; it may have changed by the time another thread looks at the answer.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API bool weft_loop_is_running(const weft_loop *loop);

/**
 * weft_loop_stop() - let the loop finish its turn and return from weft_loop_run()
 * @loop: borrowed
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API void weft_loop_stop(weft_loop *loop);

/**
 * weft_loop_current() - the loop that runs on this thread
 *
 * Return: borrowed; NULL on a plain thread and in a forked child.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API weft_loop *weft_loop_current(void);

/**
 * weft_loop_call_soon() - call in the next turn, in the order of these calls
 * @loop:   the loop
 * @fn:     what to call
 * @arg:    borrowed until @fn returns
 * @handle: idle storage of the caller's, or NULL
 *
 * Return: 0; with a NULL @handle also -ENOMEM.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_call_soon(weft_loop *loop, weft_callback *fn, void *arg,
				 struct weft_handle *handle);

/**
 * weft_loop_call_later() - call once a span of time has passed
 * @loop:     the loop
 * @delay_ns: from now; zero or less is the next turn, after what is ready now
 * @fn:       what to call; never early, equal deadlines in the order of these calls
 * @arg:      borrowed until @fn returns
 * @handle:   idle storage of the caller's, or NULL
 *
 * Return: as weft_loop_call_soon().
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_call_later(weft_loop *loop, weft_time delay_ns, weft_callback *fn,
				  void *arg, struct weft_handle *handle);

/**
 * weft_loop_call_at() - as weft_loop_call_later(), at a point on the loop clock
 * @loop:     the loop
 * @deadline: nanoseconds as weft_now() counts them; WEFT_FOREVER never comes
 * @fn:       what to call
 * @arg:      borrowed until @fn returns
 * @handle:   idle storage of the caller's, or NULL
 *
 * Return: as weft_loop_call_soon().
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_call_at(weft_loop *loop, weft_time deadline, weft_callback *fn, void *arg,
			       struct weft_handle *handle);

/**
 * weft_loop_call_soon_threadsafe() - call on the loop's thread, from wherever you are
 * @loop:   alive, or closed and held by weft_loop_ref()
 * @fn:     what to call
 * @arg:    borrowed until @fn returns
 * @handle: idle storage of the caller's, which makes this lock-free and free of allocation;
 *          or NULL for a recycled one
 *
 * Calls from one thread keep their order; towards other threads and weft_loop_call_soon() there
 * is none. Once this returned 0, @fn runs exactly once, if need be from weft_loop_close(), unless
 * its handle is cancelled.
 *
 * Return: 0; -ESHUTDOWN if the loop is closed (@fn never runs); with a NULL @handle also
 * -ENOMEM.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_call_soon_threadsafe(weft_loop *loop, weft_callback *fn, void *arg,
					    struct weft_handle *handle);

/**
 * weft_handle_cancel() - take a callback back
 * @handle: may be idle
 *
 * On return @handle is idle and its storage the caller's again. One that has run, or was dropped
 * by weft_loop_close(), is idle: cancelling it is harmless, but for a posted one, whose loop has
 * to be there still (weft_loop_ref()). Away from its loop this waits
 * until the loop lets go of it, in its next turn or when the callback ends: a plain thread
 * blocks, a task suspends. From inside its own callback it returns at once.
 *
 * Return: true if this call prevented the callback.
 *
 * Thread: loop; for a handle of weft_loop_call_soon_threadsafe() also a plain thread or a task
 * of another loop, but no callback there, which may not wait.
 * Cancellation point: no.
 */
WEFT_API bool weft_handle_cancel(struct weft_handle *handle);

/**
 * weft_handle_is_pending() - is a callback still to come?
 * @handle: borrowed
 *
 * Return: true until the callback starts.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_handle_is_pending(const struct weft_handle *handle);

/**
 * weft_loop_add_reader() - call whenever a descriptor is readable
 * @loop: the loop
 * @fd:   stays the caller's; remove it before closing it
 * @fn:   called each turn as long as data waits (level-triggered)
 * @arg:  borrowed until the reader is removed or replaced
 *
 * One reader and one writer per descriptor; adding again replaces.
 *
 * Return: 0, -EBADF, -ENOMEM, -EINVAL for a regular file, -EBUSY if a stream owns @fd.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_add_reader(weft_loop *loop, int fd, weft_fd_callback *fn, void *arg);

/**
 * weft_loop_remove_reader() - stop calling; also takes back a call already queued
 * @loop: the loop
 * @fd:   may be unknown
 *
 * Return: true if there was a reader.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_loop_remove_reader(weft_loop *loop, int fd);

/**
 * weft_loop_add_writer() - call whenever a descriptor is writable; see weft_loop_add_reader()
 * @loop: the loop
 * @fd:   stays the caller's
 * @fn:   what to call
 * @arg:  borrowed until the writer is removed or replaced
 *
 * Return: as weft_loop_add_reader().
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_add_writer(weft_loop *loop, int fd, weft_fd_callback *fn, void *arg);

/**
 * weft_loop_remove_writer() - see weft_loop_remove_reader()
 * @loop: the loop
 * @fd:   may be unknown
 *
 * Return: true if there was a writer.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_loop_remove_writer(weft_loop *loop, int fd);

/* ---- Loop threads ---- */

typedef struct weft_loops weft_loops;

/**
 * weft_loops_new() - start threads with a running loop each
 * @n_loops: 0 for one per CPU this process may use
 * @options: may be NULL
 * @loops:   receives the set; end it with weft_loops_close()
 *
 * Return: 0 or a negative errno; all threads run, or none.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_loops_new(int n_loops, const struct weft_loop_options *options, weft_loops **loops);

/**
 * weft_loops_close() - cancel the tasks of all loops at once, wait for them, end the threads
 * @loops: may be NULL
 *
 * In a task this suspends; on a plain thread it blocks. The limit for tasks that ignore their
 * cancellation is that of weft_loop_close(), once for all loops.
 *
 * Return: as weft_loop_close().
 *
 * Thread: any but those of the set.
 * Cancellation point: no.
 */
WEFT_API int weft_loops_close(weft_loops *loops);

/**
 * weft_loops_count() - how many loops there are
 * @loops: the set
 *
 * Return: the number, at least 1.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API int weft_loops_count(const weft_loops *loops);

/**
 * weft_loops_get() - one loop of the set
 * @loops: the set
 * @index: from 0; counted modulo their number
 *
 * Return: borrowed from @loops.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API weft_loop *weft_loops_get(weft_loops *loops, int index);

/**
 * weft_loops_pick() - the least busy loop of the set
 * @loops: the set
 *
 * Return: borrowed from @loops.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API weft_loop *weft_loops_pick(weft_loops *loops);

WEFT_END_DECLS

#endif
