/*
 * Tasks and futures: code that waits without blocking its thread.
 *
 * A task runs int fn(void *arg) on a stack of its own. Where it waits, other tasks of its loop
 * run; between waits nobody does, so what belongs to one loop needs no locks. A task never
 * changes its loop.
 *
 * A task that is cancelled before it began begins nevertheless, and its first wait tells it: so
 * what its fn owns is never lost.
 *
 * fn returns 0 or a count for success, a negative errno for failure. Larger results go into
 * the struct behind arg, or through weft_return() to whoever holds the future.
 *
 * Two kinds of waits:
 *   - an owner waits for work of its own (weft_task_join, weft_group_end, weft_run_in_executor,
 *     reads and writes): the return value is the outcome of the work. Cancelling the owner
 *     cancels the work, and the wait ends when the work has ended.
 *   - an observer watches something that others may watch as well (weft_future_await,
 *     weft_wait): the return value speaks of the wait alone, the outcome is a second call, and
 *     cancelling the observer leaves the work alone. asyncio's shield() is this.
 *
 * Cancelling is a request. The task's next wait, or the one it is in, returns -ECANCELED, once:
 * waits after that work again, so clean-up may wait. Two requests before the first was delivered
 * give one -ECANCELED.
 *
 * Result first, everywhere: a waiter that was already given what it waits for (a result, a lock,
 * a permit, an item, a place, a notification) when its cancellation arrives returns success, and
 * -ECANCELED comes at its next wait. One that is cancelled before it was given anything leaves
 * the queue, and what comes goes to the next.
 *
 * A wait that would close a ring of tasks, each waiting for the next, could never end: it is
 * refused at that moment with -EDEADLK, and weft_error_of() names the tasks and their waits. What
 * counts is certain: a task waits for the end of another one (join, its future, the end of a
 * group, weft_wait() for all) or for a lock, whose holder is the task that it was given to (also
 * when it has yet to come back from weft_condition_wait()). Not counted are waits that anybody
 * may end (semaphore, event, queue, barrier, a plain future, a notification), waits for the first
 * of several, and waits of others within a time limit that is to come, since these may give up;
 * the caller's own limit does not count. A ring
 * through several loops is not found: by the time that one loop knows what the tasks of another
 * wait for, they may have gone on.
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <weft/loop.h>

WEFT_BEGIN_DECLS

typedef struct weft_task weft_task;
typedef struct weft_future weft_future;

/** weft_fn - the body of a task or of a job; returns >= 0 or a negative errno */
typedef int weft_fn(void *arg);

/** weft_destroy - frees a value that nobody is going to take; free() is one */
typedef void weft_destroy(void *value);

/**
 * weft_drop - releases what an item holds that nobody will get from a queue or channel
 *
 * @item is its place inside the queue, not the pointer that it may hold: free() does not fit,
 * and the compiler says so.
 */
typedef void weft_drop(void *item, void *arg);

/* ---- Running ---- */

/**
 * struct weft_run_options - zero stands for the default of each
 * @loop:           options of the loop; its .close_limit_ns (10 s) is the limit for tasks that
 *                  ignore cancellation at the end
 * @keep_signals:   leave SIGINT and SIGTERM alone (otherwise the first cancels main, the
 *                  second ends the process)
 * @grace_ns:       how long jobs of the executor may take at the end (300 s)
 */
struct weft_run_options {
	struct weft_loop_options loop;
	bool keep_signals;
	weft_time grace_ns;
	uintptr_t reserved[6];
};

/**
 * weft_run() - run a task on a new loop, and all that it started, to the end
 * @fn:  the main task
 * @arg: borrowed until weft_run() returns
 *
 * When @fn returns, tasks left over are cancelled and waited for, their errors reported, the
 * executor drained, the loop closed. Tasks that ignore their cancellation are abandoned after a
 * limit, as by weft_loop_close().
 *
 * Return: what @fn returned, also when tasks were abandoned; -EBUSY if a loop already runs on
 * this thread. Details are at weft_error_of().
 *
 * Thread: a plain thread.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_run(weft_fn *fn, void *arg);

/**
 * weft_run_with() - weft_run() with options
 * @fn:      the main task
 * @arg:     borrowed until this returns
 * @options: may be NULL
 *
 * Return: as weft_run().
 *
 * Thread: a plain thread.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_run_with(weft_fn *fn, void *arg, const struct weft_run_options *options);

typedef struct weft_runner weft_runner;

/**
 * weft_runner_new() - weft_run() in pieces: one loop and one context for several runs
 * @options: may be NULL
 * @runner:  receives the runner; end it with weft_runner_close()
 *
 * Return: 0 or a negative errno.
 *
 * Thread: a plain thread.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_runner_new(const struct weft_run_options *options, weft_runner **runner);

/**
 * weft_runner_run() - run one task to its end; what it started stays for the next run
 * @runner: the runner
 * @fn:     the task
 * @arg:    borrowed until this returns
 *
 * Return: what @fn returned, or -EBUSY.
 *
 * Thread: the one that made the runner.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_runner_run(weft_runner *runner, weft_fn *fn, void *arg);

/**
 * weft_runner_loop() - the runner's loop
 * @runner: the runner
 *
 * Return: borrowed from @runner.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API weft_loop *weft_runner_loop(weft_runner *runner);

/**
 * weft_runner_close() - what weft_run() does after its main task returned
 * @runner: may be NULL
 *
 * Return: as weft_loop_close(); released in either case.
 *
 * Thread: the one that made the runner.
 * Cancellation point: no.
 */
WEFT_API int weft_runner_close(weft_runner *runner);

/**
 * weft_loop_run_until() - run a loop until a future settles
 * @loop:   not running
 * @future: borrowed
 *
 * Return: 0 once @future has settled; -EINTR if the loop was stopped first; -EBUSY.
 *
 * Thread: as weft_loop_run().
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_loop_run_until(weft_loop *loop, weft_future *future);

/* ---- Tasks ---- */

/**
 * struct weft_spawn_options - zero stands for the default of each
 * @name:           for dumps and messages, copied, its first 31 bytes; default is the name of
 *                  the function
 * @stack_bytes:    address space of the stack (256 KiB, 64 KiB of it guard)
 * @copy_arg_bytes: if not 0, so many bytes at arg are copied, and the task gets the address of
 *                  the copy, which goes with it
 * @eager:          run at once, inside the call that spawns it, up to the first wait or the end;
 *                  one that is nested too deeply (64 eager tasks) is queued as usual
 */
struct weft_spawn_options {
	const char *name;
	size_t stack_bytes;
	size_t copy_arg_bytes;
	bool eager;
	uintptr_t reserved[4];
};

/**
 * weft_spawn() - start a task on this thread's loop
 * @fn:   its body
 * @arg:  borrowed until the task ends
 * @task: receives a reference, given back by weft_task_join() or weft_task_detach(); NULL
 *        detaches at once
 *
 * The loop keeps the task alive whoever holds it. Prefer weft_group_spawn(), which cannot lose
 * a child or its error.
 *
 * Return: 0, -ENOMEM, -ESHUTDOWN, or -EPERM without a loop.
 *
 * Thread: loop; a task or a callback.
 * Cancellation point: no.
 */
WEFT_API int weft_spawn(weft_fn *fn, void *arg, weft_task **task);

/**
 * weft_spawn_with() - weft_spawn() with options
 * @fn:      its body
 * @arg:     borrowed until the task ends, or copied
 * @options: may be NULL
 * @task:    as for weft_spawn()
 *
 * Return: as weft_spawn().
 *
 * Thread: loop; a task or a callback.
 * Cancellation point: no.
 */
WEFT_API int weft_spawn_with(weft_fn *fn, void *arg, const struct weft_spawn_options *options,
			     weft_task **task);

/**
 * weft_spawn_on() - start a task on any loop, from any thread
 * @loop:   where it is to run
 * @fn:     its body
 * @arg:    borrowed until the future settles
 * @future: receives a reference to its future: await it in a task, weft_future_wait() for it
 *          on a plain thread; cancelling it cancels the task. NULL if nobody waits.
 *
 * Return: 0, -ENOMEM, -ESHUTDOWN.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_spawn_on(weft_loop *loop, weft_fn *fn, void *arg, weft_future **future);

/**
 * weft_return() - hand a value to whoever holds the future of the running task or job
 * @value:   becomes the future's
 * @destroy: frees @value when the future goes and nobody has taken it; NULL if nothing need
 *           be freed
 *
 * Return: 0, so that a task ends with "return weft_return(page, free);"; -EPERM elsewhere, with
 * @value still the caller's.
 *
 * Thread: task, or a job of a thread pool.
 * Cancellation point: no.
 */
WEFT_API int weft_return(void *value, weft_destroy *destroy);

/**
 * weft_task_join() - wait for a task as its owner
 * @task: the reference is given back, whatever is returned
 *
 * Cancelling the joiner cancels @task; the join still lasts until @task has ended. If @task
 * finished with a value all the same, the join returns it, and the joiner's request is still
 * pending: -ECANCELED comes at its next wait.
 *
 * Return: what the task returned; -EDEADLK, before waiting, if @task waits for the caller.
 *
 * Thread: task, on the same loop.
 * Cancellation point: yes, by way of @task.
 */
WEFT_API WEFT_MUST_CHECK int weft_task_join(weft_task *task);

/**
 * weft_task_detach() - give the reference back; the task goes on, its failure is reported
 * @task: may be NULL
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_task_detach(weft_task *task);

/**
 * weft_task_cancel() - ask a task to end
 * @task:   may be the caller
 * @reason: copied, found in the message of its -ECANCELED; may be NULL
 *
 * Each call counts; see weft_task_uncancel(). Two before the first was delivered still give one
 * -ECANCELED.
 *
 * Return: true unless the task had already ended.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API bool weft_task_cancel(weft_task *task, const char *reason);

/**
 * weft_task_uncancel() - take back one request; only for whoever made it
 * @task: borrowed
 *
 * Groups and timeouts do this by themselves.
 *
 * Return: the number of requests that remain.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_task_uncancel(weft_task *task);

/**
 * weft_task_cancelling() - how many requests to cancel are outstanding
 * @task: borrowed
 *
 * Return: the number.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_task_cancelling(const weft_task *task);

/**
 * weft_task_current() - the running task
 *
 * Return: borrowed; NULL in a callback and on a plain thread.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API weft_task *weft_task_current(void);

/**
 * weft_task_future() - the future that settles when the task ends
 * @task: borrowed; may be NULL
 *
 * Made on first use, so that a task nobody watches costs no future.
 *
 * Return: borrowed from @task; weft_future_ref() keeps it. NULL if @task is NULL or there is no
 * memory.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API weft_future *weft_task_future(weft_task *task);

/**
 * weft_task_set_name() - rename a task
 * @task: NULL is ignored
 * @name: copied, its first 31 bytes
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API void weft_task_set_name(weft_task *task, const char *name);

/**
 * weft_task_name() - a task's name
 * @task: borrowed
 *
 * Return: borrowed from @task until it is renamed.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API const char *weft_task_name(const weft_task *task);

/**
 * weft_loop_tasks() - a snapshot of the tasks that have not ended
 * @loop:  this thread's loop; weft_dump_tasks() shows all loops, from anywhere
 * @tasks: array to fill, borrowed until the caller's next wait
 * @n_max: places in @tasks
 *
 * Return: the number of tasks there are, which may exceed @n_max.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API int weft_loop_tasks(weft_loop *loop, weft_task **tasks, size_t n_max);

/* ---- Waiting for time and for foreign descriptors ---- */

/**
 * weft_sleep() - suspend the calling task for a while
 * @delay_ns: zero or less is weft_yield()
 *
 * Return: 0, or -ECANCELED.
 *
 * Thread: task.
 * Cancellation point: yes.
 */
WEFT_API WEFT_MUST_CHECK int weft_sleep(weft_time delay_ns);

/**
 * weft_sleep_until() - suspend the calling task until a deadline
 * @deadline: on the loop clock
 *
 * Return: 0, or -ECANCELED.
 *
 * Thread: task.
 * Cancellation point: yes.
 */
WEFT_API WEFT_MUST_CHECK int weft_sleep_until(weft_time deadline);

/**
 * weft_yield() - let every other ready task run once
 *
 * Return: 0, or -ECANCELED.
 *
 * Thread: task.
 * Cancellation point: yes.
 */
WEFT_API WEFT_MUST_CHECK int weft_yield(void);

/**
 * weft_poll() - wait until a descriptor of another library is ready
 * @fd:     stays the caller's; must stay open meanwhile
 * @events: POLLIN, POLLOUT, or both, as for poll(2)
 *
 * Return: the events that hold, as poll(2) reports them; -ECANCELED; -EBADF; -EINVAL for a
 * regular file; -EBUSY if a stream, or another task for the same event, waits on @fd.
 *
 * Thread: task.
 * Cancellation point: yes, unless @fd is ready.
 */
WEFT_API WEFT_MUST_CHECK int weft_poll(int fd, short events);

/**
 * weft_call_on_thread_stack() - call something that needs a deep stack, on the thread's own
 * @fn:  must not wait: waits inside it return -EPERM
 * @arg: borrowed
 *
 * Return: what @fn returned.
 *
 * Thread: task.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_call_on_thread_stack(weft_fn *fn, void *arg);

/* ---- Futures ---- */

/**
 * weft_future_new() - make a local future: settled and awaited on this loop
 * @future: receives the only reference; give it back with weft_future_unref()
 *
 * It costs no atomic operation, and answers -EPERM to any other thread.
 *
 * Return: 0, -ENOMEM, or -EPERM without a loop.
 *
 * Thread: loop.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_future_new(weft_future **future);

/**
 * weft_future_new_shared() - make a future that any thread may settle and any loop await
 * @future: receives the only reference; give it back with weft_future_unref()
 *
 * Those of weft_spawn_on() and of executors are such; whatever takes a future takes both.
 *
 * Return: 0, or -ENOMEM.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_future_new_shared(weft_future **future);

/**
 * weft_future_ref() - share a future
 * @future: borrowed
 *
 * Return: @future.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API weft_future *weft_future_ref(weft_future *future);

/**
 * weft_future_unref() - give a reference back
 * @future: may be NULL
 *
 * A failure that nobody looked at is reported when the last reference goes.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API void weft_future_unref(weft_future *future);

/**
 * weft_future_set_result() - settle with success
 * @future:  borrowed
 * @value:   becomes the future's if this returns 0; may be NULL
 * @destroy: frees @value when the future goes and nobody has taken it; may be NULL
 *
 * Waiters run in their loop's next turn, never inside this call.
 *
 * Return: 0; -EPERM for the future of a task or job, which settles with its work; -EALREADY if
 * it was settled or cancelled.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API int weft_future_set_result(weft_future *future, void *value, weft_destroy *destroy);

/**
 * weft_future_set_error() - settle with failure
 * @future: borrowed
 * @code:   negative errno; details that the caller holds go with it
 *
 * Return: 0; -EPERM for the future of a task or job, which settles with its work; -EALREADY if
 * it was settled or cancelled.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API int weft_future_set_error(weft_future *future, int code);

/**
 * weft_future_cancel() - ask whoever works for this future to give up
 * @future: borrowed
 *
 * A plain future settles with -ECANCELED at once. That of a task settles when the task ends;
 * that of a job as its executor allows.
 *
 * Return: true unless it had settled.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API bool weft_future_cancel(weft_future *future);

/**
 * weft_future_is_done() - has it settled?
 * @future: borrowed
 *
 * Return: true once there is a value, an error or a cancellation.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API bool weft_future_is_done(const weft_future *future);

/**
 * weft_future_await() - suspend the calling task until a future settles
 * @future: borrowed; the caller keeps its reference
 *
 * The return value speaks of the wait alone. The outcome of the awaited work is
 * weft_future_result(), valid once this has returned 0.
 *
 * Return: 0 once @future has settled; -ECANCELED if the calling task was cancelled before that
 * (if after, 0, and -ECANCELED at its next wait); -EDEADLK if @future waits for the caller.
 * After an error @future is unchanged and may be awaited again.
 *
 * Thread: task; on any loop for a shared future.
 * Cancellation point: yes, unless @future had settled before the call.
 */
WEFT_API WEFT_MUST_CHECK int weft_future_await(weft_future *future);

/**
 * weft_future_wait() - weft_future_await() for plain threads: blocks
 * @future:     borrowed
 * @timeout_ns: longest wait, or WEFT_FOREVER; running out cancels nothing
 *
 * Return: 0 once @future has settled; -ETIMEDOUT; -EDEADLK on a thread that runs a loop.
 *
 * Thread: a plain thread.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_future_wait(weft_future *future, weft_time timeout_ns);

/**
 * weft_future_result() - the outcome of the work
 * @future: borrowed
 *
 * Return: what the work returned, 0 for weft_future_set_result(), or its negative errno;
 * -EINPROGRESS if it has not settled.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API int weft_future_result(weft_future *future);

/**
 * weft_future_value() - the value that the work handed over
 * @future: borrowed
 *
 * Return: borrowed from @future; NULL without a value, or before it settled.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API void *weft_future_value(weft_future *future);

/**
 * weft_future_take_value() - as weft_future_value(), but it becomes the caller's
 * @future: borrowed
 *
 * Return: owned by the caller; NULL for everybody after the first.
 *
 * Thread: any; the loop's for a local future.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK void *weft_future_take_value(weft_future *future);

/**
 * weft_future_add_done_callback() - be called on this loop once a future has settled
 * @future: borrowed; kept until the callback is on its way or was taken back
 * @fn:     called in a turn of its own, also if @future has settled already; in the context of
 *          the code that adds it
 * @arg:    borrowed until @fn returns
 * @handle: idle storage of the caller's, for weft_handle_cancel(); or NULL
 *
 * Those of one future that one loop adds run in the order in which they were added. A loop that
 * is closed drops what has not run, as it drops timers.
 *
 * Return: 0; -EPERM without a loop; -ESHUTDOWN while the loop closes; with a NULL @handle also
 * -ENOMEM.
 *
 * Thread: loop; any loop for a shared future.
 * Cancellation point: no.
 */
WEFT_API int weft_future_add_done_callback(weft_future *future, weft_callback *fn, void *arg,
					   struct weft_handle *handle);

/* ---- Context ---- */

/**
 * struct weft_context_var - a variable that each task inherits from its maker
 * @name:    for dumps
 * @destroy: called when the last context that holds a value goes, on whatever thread that is;
 *           may be NULL
 *
 * Define it once, static, and use its address. What a task, callback or job sets is seen by itself
 * and by the tasks, callbacks and jobs that it starts afterwards, and by nobody else. The runs of
 * a weft_runner share one context. A callback (timer,
 * descriptor, post, done) runs in the context of the code that registered it, as it was then; one
 * registered by a plain thread in an empty one.
 */
struct weft_context_var {
	const char *name;
	weft_destroy *destroy;
};

/**
 * weft_context_set() - set a variable for the running task and what it starts
 * @var:   the variable
 * @value: becomes the context's if this returns 0; NULL unsets the variable
 *
 * What the variable held before lives on in the contexts that inherited it.
 *
 * Return: 0; -ENOMEM, with @value still the caller's; -EPERM on a plain thread.
 *
 * Thread: task, callback or job.
 * Cancellation point: no.
 */
WEFT_API int weft_context_set(const struct weft_context_var *var, void *value);

/**
 * weft_context_get() - look a variable up
 * @var: the variable
 *
 * Return: borrowed from the context, until the variable is set anew or what runs has ended; NULL
 * if it was not set.
 *
 * Thread: task, callback or job.
 * Cancellation point: no.
 */
WEFT_API void *weft_context_get(const struct weft_context_var *var);

WEFT_END_DECLS

#endif
