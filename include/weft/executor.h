/*
 * Executors: threads for calls that would block the loop.
 *
 *	r = weft_run_in_executor(NULL, legacy_call, &request);
 *
 * runs legacy_call(&request) on a thread of a pool, while the loop goes on with its other tasks.
 * A pool has a name, a minimum and a maximum of threads, and a queue with a limit. NULL, wherever
 * an executor is asked for, is a pool that the whole process shares.
 *
 * A job is int fn(void *arg), as a task is, but it runs on a thread without a loop: calls of a
 * loop or a wait in it return -EPERM. weft_spawn_on(), shared futures and weft_future_wait() work
 * there.
 *
 * Cancelling. A job still queued is dropped and never runs. One that runs and is
 * WEFT_INTERRUPTIBLE gets a signal, so that its blocking call returns EINTR. Any other runs on: if
 * it owns its argument (_owned, .copy_arg_bytes, .destroy_arg), the caller returns at once with
 * -ECANCELED and the pool replaces the thread; if it only borrows it, the caller stays until the
 * job has ended, so that no job ever reads a stack frame that is gone.
 */
#ifndef WEFT_EXECUTOR_H
#define WEFT_EXECUTOR_H

#include <weft/task.h>

WEFT_BEGIN_DECLS

typedef struct weft_executor weft_executor;

/**
 * weft_init() - first call of main() in a program with worker processes
 * @argc: of main()
 * @argv: of main()
 *
 * In a process that was started as a worker it takes the worker's mark out of the environment;
 * elsewhere it does next to nothing.
 *
 * Thread: the only one.
 * Cancellation point: no.
 */
WEFT_API void weft_init(int *argc, char ***argv);

/* ---- Pools ---- */

/** enum weft_when_full - what a full queue does with one job more */
enum weft_when_full {
	WEFT_WAIT_WHEN_FULL,
	WEFT_REFUSE_WHEN_FULL, /* -EAGAIN */
};

/**
 * struct weft_thread_pool_options - zero stands for the default of each
 * @name:        thread names "NAME-3", its first 10 bytes ("exec")
 * @min_threads: kept when idle (4, or fewer if @max_threads is less)
 * @max_threads: at most 1024 (64, or more if @min_threads is more)
 * @idle_ns:     an idle thread above the minimum ends after this (10 s)
 * @queue_limit: jobs that may wait, at most 2^20 (1024)
 * @when_full:   wait
 */
struct weft_thread_pool_options {
	const char *name;
	int min_threads;
	int max_threads;
	weft_time idle_ns;
	int queue_limit;
	enum weft_when_full when_full;
	uintptr_t reserved[8];
};

/**
 * weft_thread_pool_new() - make a pool of threads
 * @options:  may be NULL
 * @executor: receives the pool; end it with weft_executor_close()
 *
 * A thread is started when a job finds none free, and has the signal mask (SIGPIPE blocked) and
 * the CPU affinity of the thread that made the pool. A thread that the system refuses is tried
 * again later, as long as there is another one; without any, the job fails with that error.
 *
 * Return: 0 or a negative errno.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int
weft_thread_pool_new(const struct weft_thread_pool_options *options,
		     weft_executor **executor);

/**
 * weft_executor_close() - take no more jobs, wait for the others, release the executor
 * @executor: the caller's; may be NULL
 * @grace_ns: after this, queued jobs fail with -ESHUTDOWN and running ones are abandoned: those
 *            that go on are reported by name
 *
 * Return: 0; -ETIMEDOUT if something was cut off. Released in either case. -EPERM in a callback
 * and -EDEADLK in a job of @executor itself: then it stays open.
 *
 * Thread: task, or a plain thread, which blocks.
 * Cancellation point: yes; acts as if the grace were over.
 */
WEFT_API int weft_executor_close(weft_executor *executor, weft_time grace_ns);

/* ---- Jobs ---- */

/**
 * weft_run_in_executor() - call a blocking function on a pool thread and wait for it
 * @executor: a thread pool, or NULL for the shared one
 * @fn:       must not use this loop's objects
 * @arg:      borrowed until this returns
 *
 * Return: what @fn returned, also to a caller cancelled while it ran, whose -ECANCELED comes at
 * its next wait; -ECANCELED if the caller was cancelled while the job was queued; -EAGAIN,
 * -ESHUTDOWN, or why no thread could be had.
 *
 * Thread: task.
 * Cancellation point: yes; a job that runs is waited for.
 */
WEFT_API WEFT_MUST_CHECK int weft_run_in_executor(weft_executor *executor, weft_fn *fn,
						  void *arg);

/**
 * weft_run_in_executor_owned() - weft_run_in_executor() for a job that owns its argument
 * @executor: a thread pool, or NULL for the shared one
 * @fn:       must not use this loop's objects
 * @arg:      the job's, also if this fails
 * @destroy:  called with @arg exactly once, when the job has ended or was dropped
 *
 * Return: as weft_run_in_executor(); -ECANCELED also while the job runs, which is then abandoned.
 *
 * Thread: task.
 * Cancellation point: yes.
 */
WEFT_API WEFT_MUST_CHECK int weft_run_in_executor_owned(weft_executor *executor,
							weft_fn *fn, void *arg,
							weft_destroy *destroy);

/** enum weft_submit_flags - what may be done with a job */
enum weft_submit_flags {
	WEFT_INTERRUPTIBLE = 1 << 0, /* cancelling interrupts its system calls */
};

/**
 * struct weft_submit_options - zero stands for the default of each
 * @name:           for dumps and reports, static (the function's)
 * @flags:          enum weft_submit_flags
 * @deadline:       on the loop clock; a job still queued then settles with -ETIMEDOUT and never
 *                  starts (never)
 * @copy_arg_bytes: the job gets a copy of so many bytes at arg, which goes with it
 * @destroy_arg:    the job owns arg; called with it, or with the copy, exactly once, after the
 *                  job and on its thread (where the job is dropped, if it never runs)
 */
struct weft_submit_options {
	const char *name;
	unsigned flags;
	weft_time deadline;
	size_t copy_arg_bytes;
	weft_destroy *destroy_arg;
	uintptr_t reserved[8];
};

/**
 * weft_executor_submit() - weft_run_in_executor() without waiting: gives the future
 * @executor: a thread pool, or NULL for the shared one
 * @fn:       as above
 * @arg:      the job's by @options, or borrowed until the future settles
 * @options:  may be NULL
 * @future:   receives a reference; its result is what @fn returned, its value what @fn gave to
 *            weft_return(). NULL if nobody waits: a failure is reported
 *
 * Return: 0; -ESHUTDOWN; -EAGAIN if full and refusing, or full and called from a callback;
 * -ECANCELED while waiting for a place; -EDEADLK in a job, if all threads of the pool would wait
 * for a place; -ENOTSUP if it is to be interruptible and the program uses every real-time signal;
 * -ENOMEM; why no thread could be had. On failure @arg stays the caller's.
 *
 * Thread: any; a plain thread blocks while the queue is full.
 * Cancellation point: yes, while the queue is full.
 */
WEFT_API WEFT_MUST_CHECK int
weft_executor_submit(weft_executor *executor, weft_fn *fn, void *arg,
		     const struct weft_submit_options *options, weft_future **future);

WEFT_END_DECLS

#endif
