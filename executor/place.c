/*
 * Places in the queue of a pool: how many jobs may wait, and who waits for one.
 *
 * `waiting` counts the places taken. Whoever finds none free waits in line, first come first
 * served, and is given its place by whoever gives one back; so a place that is given back while
 * somebody waits never goes to one who comes later.
 *
 *   P1  a place is given back: `waiting` falls, then n_in_line is looked at.
 *   P2  somebody gets in line: n_in_line rises, then `waiting` is looked at.
 *
 * Both are sequentially consistent, so one of them sees the other.
 */
#include "executor/pool.h"

struct place_wait {
	struct list link; /* in pool->line, under its lock */
	weft_executor *pool;
	int result; /* -EINPROGRESS, then what was decided; under the lock */
	bool is_own; /* a job of this pool waits */
	/* A task. */
	weft_loop *loop;
	struct park park;
	struct handle message;
	/* A plain thread. */
	pthread_cond_t decided;
};

/* ---- Without waiting ---- */

/* A place, if one is free, whoever may wait. */
static inline bool grab(weft_executor *pool)
{
	/* Relaxed: only compared. */
	uint64_t waiting = atomic_load_explicit(&pool->waiting, memory_order_relaxed);

	do {
		if (waiting_places(waiting) >= pool->queue_limit)
			return false;
		/* D2, and P2 where somebody gets in line. */
	} while (!atomic_compare_exchange_weak_explicit(&pool->waiting, &waiting,
							waiting + 1, memory_order_seq_cst,
							memory_order_relaxed));
	return true;
}

static inline bool try_place(weft_executor *pool)
{
	/* Relaxed: who gets in line right now may as well have come after us. */
	return !atomic_load_explicit(&pool->n_in_line, memory_order_relaxed) &&
	       grab(pool);
}

void weft__place_force(weft_executor *pool)
{
	/* D2. */
	atomic_fetch_add_explicit(&pool->waiting, 1, memory_order_seq_cst);
}

/* ---- The line ---- */

/* Under the lock. */
static void leave(struct place_wait *wait, int result)
{
	list_unlink(&wait->link);
	atomic_fetch_sub_explicit(&wait->pool->n_in_line, 1, memory_order_seq_cst);
	wait->pool->n_submitting -= wait->is_own;
	wait->result = result;
}

/* Under the lock. The waiter may be gone afterwards, if it is a task. */
static void decide(struct place_wait *wait, int result)
{
	leave(wait, result);
	if (wait->loop)
		(void)weft__loop_post(wait->loop,
				      &wait->message); /* open: a task waits there */
	else
		pthread_cond_signal(&wait->decided);
}

/* Under the lock. */
static void serve(weft_executor *pool)
{
	while (!list_is_empty(&pool->line) && grab(pool))
		decide(list_entry(pool->line.next, struct place_wait, link), 0);
}

void weft__place_give(weft_executor *pool, int n, int n_long)
{
	uint64_t gone = (uint64_t)n_long << 32 | (uint64_t)n;
	/* P1. */
	int left = waiting_places(
		atomic_fetch_sub_explicit(&pool->waiting, gone, memory_order_seq_cst) -
		gone);

	if (unlikely(atomic_load_explicit(&pool->n_in_line, memory_order_seq_cst))) {
		pthread_mutex_lock(&pool->lock);
		serve(pool);
		pthread_mutex_unlock(&pool->lock);
	}
	/* C2: see close.c. */
	if (unlikely(left == 0 &&
		     atomic_load_explicit(&pool->closing, memory_order_seq_cst)))
		weft__pool_check_end(pool);
}

void weft__place_shut(weft_executor *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (!list_is_empty(&pool->line))
		decide(list_entry(pool->line.next, struct place_wait, link), -ESHUTDOWN);
	pthread_mutex_unlock(&pool->lock);
}

/* Gets in line. Return: -EINPROGRESS if there is something to wait for. Under the lock. */
static int queue_up(struct place_wait *wait)
{
	weft_executor *pool = wait->pool;

	wait->result = -EINPROGRESS;
	list_push_back(&pool->line, &wait->link);
	pool->n_submitting += wait->is_own;
	/* P2. */
	atomic_fetch_add_explicit(&pool->n_in_line, 1, memory_order_seq_cst);
	/* C1: see close.c. */
	if (atomic_load_explicit(&pool->closing, memory_order_seq_cst))
		leave(wait, -ESHUTDOWN);
	return wait->result;
}

/* ---- In a task ---- */

static void on_decided(void *arg)
{
	struct place_wait *wait = arg;

	loop_outside_came(wait->loop);
	weft__unpark(&wait->park, wait->result);
}

static enum cancel_answer leave_line(struct park *park)
{
	struct place_wait *wait = container_of(park, struct place_wait, park);
	weft_executor *pool = wait->pool;
	bool in_line;

	pthread_mutex_lock(&pool->lock);
	in_line = wait->result == -EINPROGRESS;
	if (in_line)
		leave(wait, -ECANCELED);
	pthread_mutex_unlock(&pool->lock);
	if (!in_line)
		return CANCEL_LATER; /* it has a place: the message is on its way */
	loop_outside_came(wait->loop);
	return CANCEL_ENDS;
}

static int wait_as_task(struct place_wait *wait, weft_task *me)
{
	weft_executor *pool = wait->pool;
	int r = weft__cancel_point(me);

	if (r < 0)
		return r;
	wait->loop = weft_loop_ref(me->loop); /* should this task be abandoned there */
	wait->park.what = "place in a queue of jobs";
	wait->park.cancel = leave_line;
	handle_init(&wait->message, HANDLE_DIRECT, on_decided, wait);
	loop_expect_outside(me->loop);
	pthread_mutex_lock(&pool->lock);
	r = queue_up(wait);
	if (r == -EINPROGRESS)
		serve(pool); /* by a message even to us: others may be before us */
	pthread_mutex_unlock(&pool->lock);
	if (r == -EINPROGRESS)
		r = weft__park(&wait->park);
	else
		loop_outside_came(me->loop);
	weft_loop_unref(wait->loop);
	return r;
}

/* ---- On a plain thread ---- */

/* A job that waits for a place in its own pool holds up a thread that could make one. */
static bool would_never_end(const weft_executor *pool)
{
	return pool->n_submitting >= pool->n_threads &&
	       (pool->n_threads >= weft__thread_limit(pool) || pool->refused_at);
}

static int wait_as_thread(struct place_wait *wait)
{
	weft_executor *pool = wait->pool;
	struct worker *self = weft__worker_current();

	wait->is_own = self && self->pool == pool;
	pthread_cond_init(&wait->decided, NULL);
	pthread_mutex_lock(&pool->lock);
	if (queue_up(wait) == -EINPROGRESS)
		serve(pool);
	if (wait->result == -EINPROGRESS && wait->is_own && would_never_end(pool))
		leave(wait, -EDEADLK);
	while (wait->result == -EINPROGRESS)
		pthread_cond_wait(&wait->decided, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_destroy(&wait->decided);
	if (wait->result == -EDEADLK)
		return weft_error_set(
			-EDEADLK,
			"every thread of pool \"%s\" would wait for a place in its full "
			"queue: submit from elsewhere, or raise .queue_limit or .max_threads",
			pool->name);
	return wait->result;
}

/* What remains when no place is to be had at once, or the pool was closed. */
__attribute__((noinline)) static int take_slowly(weft_executor *pool, bool has_place)
{
	struct place_wait wait = { .pool = pool };
	weft_task *me = task_current();
	int r = 0;

	if (!has_place) {
		if (pool->refuses || (weft__thread.loop && !me))
			return -EAGAIN;
		r = me ? wait_as_task(&wait, me) : wait_as_thread(&wait);
	}
	/* C1: the pool may have been closed before we had the place. */
	if (r == 0 && atomic_load_explicit(&pool->closing, memory_order_seq_cst)) {
		weft__place_give(pool, 1, 0);
		r = -ESHUTDOWN;
	}
	return r == -ESHUTDOWN ? weft__pool_refuse(pool) : r;
}

int weft__place_take(weft_executor *pool)
{
	bool has_place = try_place(pool);

	/* C1. */
	if (likely(has_place &&
		   !atomic_load_explicit(&pool->closing, memory_order_seq_cst)))
		return 0;
	return take_slowly(pool, has_place);
}
