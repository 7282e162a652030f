/*
 * A job: a function, its argument, and where its outcome goes.
 *
 * A plain job lies on the stack of the task that waits for it. It is filled in by the loop,
 * claimed and run by one worker, and comes back as a message (`done`) to the loop; nobody
 * touches it after that. So it needs no lock, no state and no allocation.
 *
 * A kept job is one that can outlive whoever asked for it: it has a future, or it owns its
 * argument. It is on the heap and counted: the pool holds one reference until the job has ended
 * or was dropped, the waiter (the future, or the task of weft_run_in_executor_owned()) another.
 *
 * Who may run or drop a job is decided where it is queued: the slot of the ring that holds its
 * address is the job's state, and whoever exchanges it for nothing has the job.
 */
#ifndef WEFT_EXECUTOR_JOB_H
#define WEFT_EXECUTOR_JOB_H

#include <weft/executor.h>

#include "loop/loop.h"
#include "task/future.h"

struct lane;
struct worker;

/* What malloc() gives: a slot has room for a number below STREAK_MAX beside the address. */
enum { JOB_ALIGNMENT = 16 };

/*
 * Two cache lines, if it is aligned: the loop's, and the one that goes to a worker and comes back.
 */
struct job {
	/* To the loop that waits; before that, its place in the common queue. */
	alignas(JOB_ALIGNMENT) struct handle done;
	weft_fn *fn;
	void *arg;
	const struct weft_error *error; /* of the failure `result`; the receiver's */
	struct lane *lane; /* whose ring it is in; NULL: the common queue */
	uint64_t position; /* in that ring */
	struct context *context; /* to run in: the waiting task's; a kept job's own */
	int result;
	bool is_kept; /* it is the head of a struct kept_job */
	bool is_long; /* counted as one that may take long, while it is queued */
};

static_assert(offsetof(struct job, fn) == CACHE_LINE, "the line that travels");

/* What happened to a kept job, as bits, so that each side sees what came before it. */
enum {
	KEPT_STARTED = 1 << 0, /* a worker has it */
	KEPT_ENDED = 1 << 1, /* its function has returned */
	KEPT_CANCELLED = 1 << 2, /* whoever waited has given up */
	KEPT_EXPIRED = 1 << 3, /* the keeper has told the future that it was too late */
	KEPT_QUEUED = 1 << 4, /* its deadline is watched, and it can be found now */
};

struct kept_job {
	struct job job;
	/*
	 * K1: acquire and release on both sides. Of CANCELLED and STARTED the later one finds
	 * the other: it never runs; and of CANCELLED and ENDED: it was abandoned, or it
	 * was too late.
	 */
	atomic_uint state;
	/* K2: each unref is a release; the last one is an acquire of all others. */
	atomic_int references;
	weft_executor *pool; /* with a reference */
	weft_future *future; /* with a reference until it is settled; or NULL */
	weft_loop *outside; /* a test clock waits for this job there; with a reference */
	weft_destroy *destroy;
	void *copy; /* of the argument */
	const char *name; /* NULL: the function's */
	const void *place; /* who asked for it */
	weft_time deadline; /* of its start; WEFT_FOREVER: none */
	bool owns_arg; /* it can be abandoned */
	bool is_interruptible;
	bool has_waiter; /* a task waits for `done` */
	bool was_abandoned; /* what `done` says in that case */
	/* Under the pool's lock. */
	struct list running_link; /* in pool->running, if it can be cut short */
	struct list timed_link; /* in pool->timed, if it has a deadline */
	pid_t tid; /* where it runs, if it is interruptible */
	bool is_interrupted; /* it is being asked to end */
	bool is_shut; /* the closer has dealt with it */
	/* Of weft_return(). */
	void *value;
	weft_destroy *destroy_value;
};

static inline struct kept_job *kept_of(struct job *job)
{
	return container_of(job, struct kept_job, job);
}

/*
 * One with two references, the pool's and the waiter's; NULL without memory. `copy_bytes` at arg
 * are copied, if not 0.
 */
struct kept_job *weft__kept_new(weft_executor *pool, weft_fn *fn, void *arg,
				size_t copy_bytes, weft_destroy *destroy);
void weft__kept_unref(struct kept_job *kept);

/*
 * Thread: the worker's. What comes before and after the function. begin: false if the job was
 * cancelled meanwhile and has ended by that.
 */
bool weft__kept_begin(struct kept_job *kept);
void weft__kept_end(struct kept_job *kept);

/* Thread: whoever took it from its queue. Ends it without running it. */
void weft__kept_drop(struct kept_job *kept, int code, const struct weft_error *error);

/*
 * Thread: any. The waiter gives up. Return: true if nothing more will come: the job was dropped,
 * or is abandoned.
 */
bool weft__kept_cancel(struct kept_job *kept);
/* Thread: any. The pool gives up a job that runs: as far as can be it is cut short. */
void weft__kept_shut(struct kept_job *kept);

/* Thread: any. The deadline of a job that is about to be queued is watched; and no more. */
void weft__kept_watch(struct kept_job *kept);
void weft__kept_unwatch(struct kept_job *kept);
/* Thread: the control thread's. Ends jobs whose time is over. Return: when the next one is. */
weft_time weft__kept_expire(weft_executor *pool, weft_time now);
/* Thread: the control thread's. Asks again. Return: is there a job that has not answered? */
bool weft__kept_interrupt(weft_executor *pool);

/* The message to the loop that waits. Thread: any. */
void weft__job_deliver(struct job *job);
/* The messages of n plain jobs to the one loop that waits for all of them. */
void weft__job_deliver_all(_Atomic(struct job *) *jobs, int n);

/*
 * Fetches the part of a job that travels. Nothing of it is read, so the job may be anybody's, or
 * gone.
 */
static inline void job_prefetch(const struct job *job)
{
	__builtin_prefetch((const char *)job + CACHE_LINE, 1);
}
/* Thread: whoever took it from its queue. Ends any job without running it. */
void weft__job_drop(struct job *job, int code, const struct weft_error *error);

/* The future of a kept job: its reference to the job. NULL without memory. */
weft_future *weft__kept_future(struct kept_job *kept);

#endif
