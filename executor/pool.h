/*
 * Thread pools, inside the library; <weft/executor.h> has the model for callers.
 *
 * Who does what:
 *
 *   lane.c     a ring per loop: the loop puts jobs in, workers claim them
 *   queue.c    one locked queue for all who have no lane: plain threads
 *   place.c    how many jobs may wait, and who waits for a place
 *   idle.c     workers that sleep, and who wakes them
 *   thread.c   threads: one more, and one less
 *   worker.c   what a thread of the pool does
 *   job.c      jobs that outlive whoever asked for them
 *   pool.c     beginning, memory, and the pool that the process shares
 *   close.c    the end
 *   run.c, submit.c   the calls of the public header
 *
 * Counts. n_queued: jobs that have a place in the queue and were not started. n_ready: workers
 * that look for a job, or will within microseconds. The rule that no job is forgotten stands
 * on these two: who starts a job that may take long leaves n_ready first, looks at n_queued then,
 * and wakes or starts a worker if jobs wait and nobody is ready; who queues a job raises
 * n_queued first, looks at n_ready then, and does the same. Both sides are sequentially
 * consistent, so at least one of them sees the other (D1 to D4).
 *
 * The memory of a pool is counted: its owner, each thread, each loop with a lane and each kept
 * job hold a reference. So whoever finds a pool may look at it, however closed it is.
 */
#ifndef WEFT_EXECUTOR_POOL_H
#define WEFT_EXECUTOR_POOL_H

#include <pthread.h>

#include "executor/job.h"

enum {
	MAX_THREADS = 1024,
	MAX_QUEUE = 1 << 20,
	MAX_LANES = 64, /* loops beyond use the common queue */
	POOL_NAME_BYTES = 11,
};

struct closer;

struct worker {
	/* W1: set with release by who wakes it; pairs with the acquire of the sleeper. */
	alignas(CACHE_LINE) _Atomic uint32_t awake; /* a futex */
	/* Relaxed: what runs here, for reports and dumps. fn is NULL between jobs. */
	_Atomic(weft_fn *) fn;
	_Atomic(const char *) name;
	/* Under the pool's lock. */
	bool in_use; /* a thread has it */
	/* The worker's own. */
	int index;
	weft_executor *pool;
	pthread_t thread;
	unsigned next_source; /* where to look for a job first */
	bool is_surplus; /* there may be a thread too many: this one */
	struct job *job; /* that runs */
	void *value; /* of weft_return() in a plain job */
	weft_destroy *destroy_value;
};

struct weft_executor {
	/* ---- Set at creation. ---- */
	char name[POOL_NAME_BYTES];
	bool is_shared;
	bool refuses; /* when full */
	int min_threads;
	int max_threads;
	int queue_limit;
	weft_time idle_ns;
	pthread_attr_t attributes; /* of its threads */
	int n_slots; /* workers that there is room for */
	_Atomic(struct worker *)
		*workers; /* n_slots; made on first use, freed with the pool */
	_Atomic uint64_t *idle; /* a bit for each that sleeps; idle.c */

	/* ---- Any thread, without a lock. ---- */
	alignas(CACHE_LINE) atomic_int n_queued;
	alignas(CACHE_LINE) atomic_int n_ready;
	/* Seq_cst, with n_queued: place.c and close.c. */
	alignas(CACHE_LINE) atomic_int n_in_line;
	atomic_bool closing;
	/* L3: a lane is put into the array with release, and found with acquire. */
	_Atomic(struct lane *) lanes[MAX_LANES];
	atomic_int n_lanes;
	alignas(CACHE_LINE) atomic_int references; /* K2 */

	/* ---- Under queue_lock, which is taken after `lock` or alone. ---- */
	pthread_mutex_t queue_lock;
	struct list queue; /* struct job, by done.link */
	atomic_int n_in_queue; /* written under the lock */

	/* ---- Under lock. ---- */
	pthread_mutex_t lock;
	struct list line; /* struct place_wait, by link */
	int n_threads;
	int n_abandoned; /* threads in jobs that nobody waits for */
	weft_time refused_at; /* the system refused a thread; 0: not lately */
	bool has_ended_thread; /* to be joined by the next one that ends */
	pthread_t ended_thread;
	bool released; /* by its owner: a thread that ends now is joined by nobody */
	struct closer *closer;
	int n_submitting; /* own jobs that wait for a place */
	struct list
		running; /* struct kept_job that own their argument, by running_link */
	/* Of the shared pool, under the lock of pool.c. */
	int n_loops;
};

/* ---- pool.c ---- */

void weft__pool_ref(weft_executor *pool);
void weft__pool_unref(weft_executor *pool);
/* Thread: any, before the shared pool is made: most threads of it. */
void weft__pool_limit_shared(int max_threads);
/*
 * Closes the shared pool if there is one that no loop uses any more; whoever asks later gets a
 * new one. Return: as weft_executor_close().
 */
int weft__pool_close_shared(weft_time grace_ns);
/*
 * The executor that is meant, with a reference: NULL is the shared one, which is made if there
 * is none. `for_loop`: counts a loop that uses it, until weft__pool_loop_left().
 */
int weft__pool_get(weft_executor *executor, bool for_loop, weft_executor **pool);
void weft__pool_loop_left(weft_executor *pool);
int weft__pool_refuse(const weft_executor *pool); /* -ESHUTDOWN, with a sentence */

/* What a pool is doing, for tests, dumps and metrics. Thread: any. */
struct pool_counts {
	int n_threads;
	int n_idle;
	int n_queued;
	int n_abandoned;
};

void weft__pool_count(weft_executor *pool, struct pool_counts *counts);

/* ---- place.c ---- */

/* Thread: any. Takes a place if one is free and nobody waits for one. */
bool weft__place_try(weft_executor *pool);
/*
 * A place; waits for one if the caller may: a task suspends, a plain thread blocks. Return: 0;
 * -EAGAIN, -ESHUTDOWN, -ECANCELED, -EDEADLK.
 */
int weft__place_take(weft_executor *pool);
/* Thread: any. Gives n places back, and serves who waits. */
void weft__place_give(weft_executor *pool, int n);
/* Everybody in line is refused. */
void weft__place_shut(weft_executor *pool);

/* ---- queue.c ---- */

void weft__queue_put(weft_executor *pool, struct job *job);
/* The first one, or NULL. */
struct job *weft__queue_claim(weft_executor *pool);
/* Takes this job out; false if somebody has it. */
bool weft__queue_withdraw(weft_executor *pool, struct job *job);

static inline bool queue_has_work(weft_executor *pool)
{
	return atomic_load_explicit(&pool->n_in_queue, memory_order_seq_cst) > 0;
}

/* Takes a queued job out, wherever it is; its place is given back. False if somebody has it. */
bool weft__job_withdraw(weft_executor *pool, struct job *job);

/* ---- idle.c ---- */

enum idle_end { IDLE_AGAIN, IDLE_TIMEOUT };

/* Thread: a worker's, which is ready; ready again when this returns IDLE_AGAIN. */
enum idle_end weft__idle(struct worker *worker, weft_time timeout_ns);
/* Thread: any. Wakes one, which is ready then; false if none sleeps. */
bool weft__wake_one(weft_executor *pool);
void weft__wake_all(weft_executor *pool);
/*
 * Thread: any. Jobs were queued, or a worker is about to be busy: sees to it that the others are
 * looked after. Starts at most `max_new` threads. Return: 0, or why there is no thread at all.
 */
int weft__spread(weft_executor *pool, int max_new);

/* Is there a job that a worker could claim? Seq_cst, for the last look before sleeping. */
bool weft__pool_has_work(weft_executor *pool);

/* ---- thread.c ---- */

/* Return: 1 if a thread was started; 0 if none is due; why there is none at all. */
int weft__thread_add(weft_executor *pool);
/* Thread: a worker's, ready, which found nothing. True: it must end. */
bool weft__thread_retire(struct worker *worker, bool timed_out);
/* A thread is lost to a job that nobody waits for; and comes back. */
void weft__thread_lost(weft_executor *pool);
void weft__thread_found(struct worker *worker);
/* From now on the system refuses threads with this code; 0: it does not. For tests. */
void weft__refuse_threads(int code);

/* ---- worker.c ---- */

void *weft__worker_main(void *worker);
/* The one that runs on this thread; NULL elsewhere. */
struct worker *weft__worker_current(void);

/* ---- close.c ---- */

/* The closer is told if nothing is left. */
void weft__pool_check_end(weft_executor *pool);
int weft__pool_close(weft_executor *pool, weft_time grace_ns);

#endif
