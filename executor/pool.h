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
 *   streak.c   several short jobs at once; habit.c: which functions are short
 *   keeper.c   what the control thread does for a pool
 *   job.c      taking jobs out of their queues, and sending them back
 *   kept.c     jobs that outlive whoever asked for them; interrupt.c: their signal
 *   pool.c     beginning, memory, and the pool that the process shares
 *   close.c    the end
 *   run.c, submit.c   the calls of the public header
 *
 * Counts. `waiting` holds two numbers: the places taken in the queue, and how many of the jobs in
 * it may take long. n_ready: workers that look for a job, or will within microseconds, since all
 * they run is known to be short. The rule that no job is forgotten stands on these two: who begins
 * a job that may take long leaves n_ready first, looks at `waiting` then, and wakes or starts a
 * worker if there are fewer ready than wanted: one for each job that may take long, one for all
 * the short ones together. Who queues a job raises `waiting` first, looks at n_ready then, and
 * does the same. Both sides are sequentially consistent, so at least one of them sees the other
 * (D1 to D4 in idle.c).
 *
 * The memory of a pool is counted: its owner, each thread, each loop with a lane and each kept
 * job hold a reference. So whoever finds a pool may look at it, however closed it is.
 */
#ifndef WEFT_EXECUTOR_POOL_H
#define WEFT_EXECUTOR_POOL_H

#include <pthread.h>
#include <sched.h>

#include "executor/habit.h"
#include "executor/job.h"
#include "loop/control.h"

enum {
	MAX_THREADS = 1024,
	DEFAULT_MAX_THREADS = 64,
	MAX_QUEUE = 1 << 20,
	MAX_LANES = 64, /* loops beyond use the common queue */
	POOL_NAME_BYTES = 11,
};

struct closer;

/*
 * What came of a streak, as one message to the loop: B1 of streak.c says who has it.
 */
struct batch {
	struct handle message;
	atomic_bool is_sent;
	int first; /* of jobs, the first that is delivered by this message */
	int n; /* jobs in all */
	_Atomic(struct job *) jobs[STREAK_MAX];
};

/* So many messages of a worker may be under way; beyond, each job is one of its own. */
enum { BATCHES = 64 };

/*
 * Several short jobs that a worker has taken at once; streak.c. `run` and `progress` are words
 * of several numbers, beginning with the number of the streak.
 */
struct streak {
	alignas(CACHE_LINE) _Atomic uint64_t run;
	_Atomic uint64_t progress;
	_Atomic(struct lane *) lane;
	_Atomic uint64_t at; /* the first of its slots */
	_Atomic int n; /* how many */
	_Atomic(struct batch *) batch; /* where the finished jobs are noted */
	/* The worker's. */
	unsigned next_batch;
	struct batch *batches; /* BATCHES; made on first use, freed with the pool */
	/* The control thread's. */
	uint64_t seen;
	struct batch unsent; /* of a streak that finds none to send */
};

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
	uint32_t spin_skip, spins_skipped; /* idle.c: is there a point in spinning? */
	struct streak streak;
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
	cpu_set_t cpus; /* that they may use; empty if that is not known */
	int n_cpus;
	int n_slots; /* workers that there is room for */
	/* n_slots; made on first use, freed with the pool: T1 of thread.c. */
	_Atomic(struct worker *) *workers;
	_Atomic uint64_t *idle; /* a bit for each that sleeps; idle.c */

	/* ---- Any thread, without a lock. ---- */
	alignas(CACHE_LINE) _Atomic uint64_t waiting; /* see waiting_places() */
	alignas(CACHE_LINE) atomic_int n_ready;
	/* Seq_cst, with `waiting`: place.c and close.c. */
	alignas(CACHE_LINE) atomic_int n_in_line;
	atomic_bool closing;
	atomic_int n_stuck; /* streaks that others may take from */
	atomic_bool is_kept; /* the keeper watches streaks */
	atomic_bool interrupts; /* and jobs that are to end */
	atomic_bool retries; /* and asks for a thread that was refused */
	atomic_bool is_crowded; /* relaxed: it has one CPU, together with a loop */
	atomic_bool has_keeper; /* it can be woken: L3's pattern */
	struct habits habits;
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
	bool refusal_told;
	bool has_ended_thread; /* to be joined by the next one that ends */
	pthread_t ended_thread;
	bool released; /* by its owner: a thread that ends now is joined by nobody */
	struct closer *closer;
	int n_submitting; /* own jobs that wait for a place */
	struct list running; /* struct kept_job, by running_link */
	struct list timed; /* struct kept_job, by timed_link: the next one first */

	/* ---- Under keeper_lock. ---- */
	pthread_mutex_t keeper_lock; /* before the control lock */
	struct control_ticker keeper;
	weft_time keeper_refused_at; /* there is no control thread; 0: not lately */

	/* ---- Others. ---- */
	int n_quiet; /* the control thread's: ticks without anything to watch */
	int n_loops; /* that use the shared pool; under the lock of pool.c */
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
	int n_queued_long; /* of these, those that may take long */
	int n_abandoned;
};

void weft__pool_count(weft_executor *pool, struct pool_counts *counts);

/* ---- place.c ---- */

/*
 * A place; waits for one if the caller may: a task suspends, a plain thread blocks. Return: 0;
 * -EAGAIN, -ESHUTDOWN, -ECANCELED, -EDEADLK.
 */
int weft__place_take(weft_executor *pool);
/* Thread: any. A place beyond the limit, if need be. */
void weft__place_force(weft_executor *pool);
/*
 * Thread: any. Gives n places back, n_long of them of jobs that were counted as long, and serves
 * who waits.
 */
void weft__place_give(weft_executor *pool, int n, int n_long);
/* Everybody in line is refused. */
void weft__place_shut(weft_executor *pool);

static inline void place_give_of(weft_executor *pool, const struct job *job)
{
	weft__place_give(pool, 1, job->is_long);
}

/* The two numbers in pool->waiting. */
static inline int waiting_places(uint64_t waiting)
{
	return (int)(uint32_t)waiting;
}

static inline int waiting_long(uint64_t waiting)
{
	return (int)(waiting >> 32);
}

static inline uint64_t load_waiting(weft_executor *pool)
{
	return atomic_load_explicit(&pool->waiting, memory_order_seq_cst);
}

/* D2: a queued job that has a place may take long. */
static inline void count_as_long(weft_executor *pool, struct job *job)
{
	job->is_long = true;
	atomic_fetch_add_explicit(&pool->waiting, UINT64_C(1) << 32,
				  memory_order_seq_cst);
}

/* ---- queue.c ---- */

void weft__queue_put(weft_executor *pool, struct job *job);
/* The first one, or NULL. */
struct job *weft__queue_claim(weft_executor *pool);
/* Takes this job out; false if somebody has it. */
bool weft__queue_withdraw(weft_executor *pool, struct job *job);

/* Drops all of them. Return: how many. */
int weft__queue_fail(weft_executor *pool, int code, const struct weft_error *error);

static inline bool queue_has_work(weft_executor *pool)
{
	return atomic_load_explicit(&pool->n_in_queue, memory_order_seq_cst) > 0;
}

/* Takes a queued job out, wherever it is; its place is given back. False if somebody has it. */
bool weft__job_withdraw(weft_executor *pool, struct job *job);
/* Drops a job that was taken out; its place is given back. */
void weft__job_fail(weft_executor *pool, struct job *job, int code,
		    const struct weft_error *error);

/* ---- idle.c ---- */

enum idle_end { IDLE_AGAIN, IDLE_TIMEOUT };

/* Thread: a worker's, which is ready; ready again when this returns IDLE_AGAIN. */
enum idle_end weft__idle(struct worker *worker, weft_time timeout_ns);
/* Thread: any. Wakes one, which is ready then; false if none sleeps. */
bool weft__wake_one(weft_executor *pool);
void weft__wake_all(weft_executor *pool);
/*
 * Thread: any. Jobs were queued, or a worker is about to be busy: sees to it that the others are
 * looked after. Wakes up to `n_short` for short jobs, and starts at most `max_new` threads.
 * Return: 0, or why there is no thread at all.
 */
int weft__spread(weft_executor *pool, int n_short, int max_new);

/* Are there fewer workers ready than jobs want? */
bool weft__spread_is_due(weft_executor *pool);

/* Is there a job that a worker could claim? Seq_cst, for the last look before sleeping. */
bool weft__pool_has_work(weft_executor *pool);

/* ---- thread.c ---- */

/* How long the system is not asked again for a thread that it refused. */
#define THREAD_RETRY_NS (50 * WEFT_MSEC)

/* Return: 1 if a thread was started; 0 if none is due; why there is none at all. */
int weft__thread_add(weft_executor *pool);
/* Under the lock. How many there may be. */
int weft__thread_limit(const weft_executor *pool);
/* Thread: a worker's, ready, which found nothing. True: it must end. */
bool weft__thread_retire(struct worker *worker, bool timed_out);
/* A thread is lost to a job that nobody waits for; and comes back. */
void weft__thread_lost(weft_executor *pool);
void weft__thread_found(struct worker *worker);
/* From now on the system refuses threads with this code; 0: it does not. For tests. */
void weft__refuse_threads(int code);

/* ---- worker.c ---- */

void *weft__worker_main(void *worker);
/* Runs it. Return: the job if it is still to be delivered, NULL if its outcome has been told. */
struct job *weft__worker_run(struct worker *worker, struct job *job);
/* The one that runs on this thread; NULL elsewhere. */
struct worker *weft__worker_current(void);

/* ---- streak.c ---- */

/* What a worker took from a queue. */
struct claim {
	struct job *job; /* the worker's */
	struct lane *lane;
	uint64_t at; /* further slots that the worker may empty: [at, at + n) */
	int n;
};

/* Thread: a worker's, ready, and ready again afterwards. Runs the job and the further ones. */
void weft__streak_run(struct worker *worker, const struct claim *claim);
/* Thread: any. A job out of a streak that is stuck; NULL if there is none. */
struct job *weft__streak_steal(weft_executor *pool);
bool weft__streak_can_steal(weft_executor *pool);
/*
 * Thread: the control thread's. Takes what is finished out of streaks that have not moved since
 * the last call, and lets others take the rest. Return: are there streaks?
 */
bool weft__streak_rescue(weft_executor *pool);

/* ---- keeper.c ---- */

/* Thread: any. From now on the pool has a keeper. Return: 0, or why it has none. */
int weft__keeper_start(weft_executor *pool);
/* Thread: a worker's. A streak has begun. */
void weft__keeper_watch(weft_executor *pool);
/* Thread: any. A thread was refused: the keeper asks again, if there is one. */
void weft__keeper_retry(weft_executor *pool);
/* Thread: any. Before the last reference of owner and threads goes. */
void weft__keeper_stop(weft_executor *pool);

/* ---- close.c ---- */

/* The closer is told if nothing is left. */
void weft__pool_check_end(weft_executor *pool);
/* Gives the reference of a thread or of the owner back. */
void weft__pool_let_go(weft_executor *pool);
int weft__pool_close(weft_executor *pool, weft_time grace_ns);

#endif
