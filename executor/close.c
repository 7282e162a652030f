/*
 * The end of a pool.
 *
 * It takes nothing more from the moment it is closing. Workers end when nothing is queued any
 * more; the last one tells the closer, who waits as a task or as a plain thread. When the grace
 * is over, what is queued is dropped, jobs that own their argument are abandoned, and what still
 * runs is named; its threads end when it does, and the pool's memory stays until then.
 *
 *   C1  closing is raised, then `waiting` is looked at; who takes a place raises `waiting`, then
 *       looks at closing.
 *   C2  `waiting` falls to nothing, then closing is looked at; the closer raises closing, then
 *       looks at `waiting`. A worker that goes to sleep has set its bit before it looks at both.
 *
 * All are sequentially consistent, so in each pair one sees the other.
 */
#include <sched.h>
#include <time.h>

#include "base/place.h"
#include "base/report.h"
#include "executor/lane.h"

/* A job that is being started shows its function within this time. */
#define SETTLING_NS WEFT_SEC

struct closer {
	weft_executor *pool;
	bool is_done; /* under the pool's lock */
	/* A task. */
	weft_loop *loop;
	struct park park;
	struct handle message;
	struct handle timer;
	/* A plain thread. */
	pthread_cond_t done;
};

/* ---- Telling the closer ---- */

static void tell(struct closer *closer)
{
	closer->is_done = true;
	closer->pool->closer = NULL;
	if (closer->loop)
		(void)weft__loop_post(closer->loop,
				      &closer->message); /* open: a task waits there */
	else
		pthread_cond_signal(&closer->done);
}

void weft__pool_check_end(weft_executor *pool)
{
	if (!atomic_load_explicit(&pool->closing, memory_order_seq_cst) ||
	    waiting_places(load_waiting(pool)))
		return;
	weft__wake_all(pool); /* so that they end */
	pthread_mutex_lock(&pool->lock);
	if (pool->closer && pool->n_threads == 0 && !waiting_places(load_waiting(pool)))
		tell(pool->closer);
	pthread_mutex_unlock(&pool->lock);
}

void weft__pool_let_go(weft_executor *pool)
{
	bool is_over;

	pthread_mutex_lock(&pool->lock);
	is_over = pool->released && pool->n_threads == 0;
	pthread_mutex_unlock(&pool->lock);
	if (is_over)
		weft__keeper_stop(pool);
	weft__pool_unref(pool);
}

/* ---- Waiting as a task ---- */

static void on_done(void *arg)
{
	struct closer *closer = arg;

	loop_remove_timer(&closer->timer);
	loop_outside_came(closer->loop);
	weft__unpark(&closer->park, 0);
}

/* False if the message is on its way. */
static bool leave_pool(struct closer *closer)
{
	weft_executor *pool = closer->pool;
	bool left;

	pthread_mutex_lock(&pool->lock);
	left = !closer->is_done;
	if (left)
		pool->closer = NULL;
	pthread_mutex_unlock(&pool->lock);
	if (left)
		loop_outside_came(closer->loop);
	return left;
}

static void on_grace_over(void *arg)
{
	struct closer *closer = arg;

	if (leave_pool(closer))
		weft__unpark(&closer->park, -ETIMEDOUT);
}

/* The request stays for the next wait: here it only ends the grace. */
static enum cancel_answer on_cancel(struct park *park)
{
	struct closer *closer = container_of(park, struct closer, park);

	if (leave_pool(closer)) {
		loop_remove_timer(&closer->timer);
		weft__unpark(&closer->park, -ETIMEDOUT);
	}
	return CANCEL_LATER;
}

static void prepare_task(struct closer *closer, weft_task *me)
{
	closer->loop = weft_loop_ref(me->loop); /* should this task be abandoned there */
	closer->park = (struct park){ .what = "end of a pool", .cancel = on_cancel };
	handle_init(&closer->message, HANDLE_DIRECT, on_done, closer);
	handle_init(&closer->timer, HANDLE_DIRECT, on_grace_over, closer);
	loop_expect_outside(me->loop);
}

static bool wait_as_task(struct closer *closer, weft_task *me, weft_time grace_ns)
{
	if (grace_ns <= 0 || weft__has_deliverable(me)) {
		if (leave_pool(closer))
			return false;
	} else if (grace_ns != WEFT_FOREVER) {
		loop_add_timer(me->loop, &closer->timer,
			       weft__time_add(loop_now(me->loop), grace_ns));
	}
	return weft__park(&closer->park) == 0;
}

/* ---- Waiting as a plain thread ---- */

static bool wait_as_thread(struct closer *closer, weft_time grace_ns)
{
	weft_executor *pool = closer->pool;
	weft_time deadline = weft__time_add(weft__clock(), grace_ns);
	struct timespec at = { .tv_sec = deadline / WEFT_SEC,
			       .tv_nsec = deadline % WEFT_SEC };
	int r = 0;

	pthread_mutex_lock(&pool->lock);
	while (!closer->is_done && r != ETIMEDOUT) {
		if (deadline == WEFT_FOREVER)
			r = pthread_cond_wait(&closer->done, &pool->lock);
		else
			r = pthread_cond_clockwait(&closer->done, &pool->lock,
						   CLOCK_MONOTONIC, &at);
	}
	if (!closer->is_done)
		pool->closer = NULL;
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_destroy(&closer->done);
	return closer->is_done;
}

/* ---- Cutting off ---- */

static int drop_queued(weft_executor *pool)
{
	/* Acquire: L3. */
	int n_lanes = atomic_load_explicit(&pool->n_lanes, memory_order_acquire);
	int code = weft__pool_refuse(pool), n_dropped;
	const struct weft_error *error = weft__error_take(code);

	n_dropped = weft__queue_fail(pool, code, error);
	for (int i = 0; i < n_lanes; i++) /* Relaxed: ordered by n_lanes. */
		n_dropped += weft__lane_fail(atomic_load_explicit(&pool->lanes[i],
								  memory_order_relaxed),
					     code, error);
	weft_error_unref(error);
	return n_dropped;
}

/* One that runs, with a reference, which the closer has not dealt with; or NULL. */
static struct kept_job *next_running(weft_executor *pool)
{
	struct kept_job *found = NULL;

	pthread_mutex_lock(&pool->lock);
	list_for_each (link, &pool->running) {
		struct kept_job *kept = list_entry(link, struct kept_job, running_link);

		if (kept->is_shut)
			continue;
		kept->is_shut = true;
		/* Relaxed: it is listed, so the worker's reference is there. */
		atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
		found = kept;
		break;
	}
	pthread_mutex_unlock(&pool->lock);
	return found;
}

static void shut_running(weft_executor *pool)
{
	for (struct kept_job *kept = next_running(pool); kept;
	     kept = next_running(pool)) {
		weft__kept_shut(kept);
		weft__kept_unref(kept);
	}
}

/* Calls `fn`, which may be NULL, for what runs. Return: how many jobs run. */
static int each_running(weft_executor *pool,
			void (*fn)(const weft_executor *pool, const char *name))
{
	int n = 0;

	for (int i = 0; i < pool->n_slots; i++) {
		/* T1; the rest is relaxed, as its fields say. */
		struct worker *worker =
			atomic_load_explicit(&pool->workers[i], memory_order_acquire);
		weft_fn *job =
			worker ? atomic_load_explicit(&worker->fn, memory_order_relaxed)
			       : NULL;
		char symbol[128];
		const char *name;

		if (!job)
			continue;
		n++;
		if (!fn)
			continue;
		name = atomic_load_explicit(&worker->name, memory_order_relaxed);
		if (!name)
			weft__symbol_name((const void *)(uintptr_t)job, symbol,
					  sizeof(symbol));
		fn(pool, name ? name : symbol);
	}
	return n;
}

static void report_running(const weft_executor *pool, const char *name)
{
	weft__report(
		WEFT_WARNING, NULL,
		"job \"%s\" still runs at the end of pool \"%s\", and is left behind",
		name, pool->name);
}

static bool has_ended(weft_executor *pool)
{
	bool ended;

	pthread_mutex_lock(&pool->lock);
	ended = pool->n_threads == 0;
	pthread_mutex_unlock(&pool->lock);
	return ended;
}

/* The grace is over. Return: true if all has ended all the same. */
static bool cut_off(weft_executor *pool, weft_task *me)
{
	weft_time limit = weft__clock() + SETTLING_NS;
	bool is_clean = drop_queued(pool) == 0;

	while (!has_ended(pool)) {
		if (each_running(pool, NULL) > 0 || weft__clock() > limit) {
			(void)each_running(pool, report_running);
			shut_running(pool);
			return false;
		}
		/* Threads that have nothing to do are on their way out. */
		if (me)
			weft__pass_turn(me);
		else
			sched_yield();
	}
	return is_clean;
}

/* ---- The end ---- */

/* Gives the owner's reference back. */
static void release(weft_executor *pool)
{
	bool must_join;
	pthread_t last;

	pthread_mutex_lock(&pool->lock);
	must_join = pool->has_ended_thread;
	last = pool->ended_thread;
	pool->has_ended_thread = false;
	pool->released = true;
	pthread_mutex_unlock(&pool->lock);
	if (must_join)
		pthread_join(last, NULL);
	weft__pool_let_go(pool);
}

int weft__pool_close(weft_executor *pool, weft_time grace_ns)
{
	struct closer closer = { .pool = pool };
	weft_task *me = task_current();
	bool is_clean;

	if (me)
		prepare_task(&closer, me);
	else
		pthread_cond_init(&closer.done, NULL);
	/* C1, C2. */
	atomic_store_explicit(&pool->closing, true, memory_order_seq_cst);
	weft__place_shut(pool);
	pthread_mutex_lock(&pool->lock);
	pool->closer = &closer;
	pthread_mutex_unlock(&pool->lock);
	weft__pool_check_end(pool);

	is_clean = me ? wait_as_task(&closer, me, grace_ns)
		      : wait_as_thread(&closer, MAX(grace_ns, 0));
	if (!is_clean)
		is_clean = cut_off(pool, me);
	release(pool);
	weft_loop_unref(closer.loop);
	return is_clean ? 0
			: weft_error_set(-ETIMEDOUT,
					 "jobs of the executor had not ended when its "
					 "grace was over, and were cut off");
}

int weft_executor_close(weft_executor *executor, weft_time grace_ns)
{
	const struct worker *self = weft__worker_current();

	if (!executor)
		return 0;
	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	if (weft__thread.loop && !task_current())
		return weft__task_none(__func__);
	if (self && self->pool == executor)
		return weft_error_set(-EDEADLK,
				      "weft_executor_close() was called in a job of that "
				      "executor, \"%s\", which would wait for itself",
				      executor->name);
	return weft__pool_close(executor, grace_ns);
}
