/*
 * The keeper of a pool: what has to be done even if every worker is busy.
 *
 * It ticks on the control thread: once a millisecond while there are streaks to watch, when the
 * deadline of a job passes, while a job is being asked to end, and while the system refuses a
 * thread. It never runs anybody's code: no job, no destructor, no report hook. It is added to the control thread
 * when the pool first needs it, and removed before the last of owner and threads lets go of the
 * pool. The control lock is held in a tick, so nothing here may be called with a lock of the pool
 * held, but weft__control_want_tick().
 *
 *   Q1  a streak begins; then is_kept is looked at.
 *   Q2  is_kept is taken back; then the streaks are looked at.
 *
 *   Q3  a worker leaves n_ready, and is refused another; then retries is set.
 *   Q4  retries is taken back; then n_ready is looked at.
 *
 * All are sequentially consistent, so in each pair one sees the other.
 */
#include "executor/pool.h"

#define TICK_NS WEFT_MSEC
/* How often a job is asked to end. */
#define INTERRUPT_NS (5 * WEFT_MSEC)
/* How long the control thread is not asked again if it could not be started. */
#define RETRY_NS WEFT_SEC

enum { QUIET_TICKS = 20 };

/* Return: must it tick again soon? */
static bool watch_streaks(weft_executor *pool)
{
	if (weft__streak_rescue(pool)) {
		pool->n_quiet = 0;
		return true;
	}
	if (pool->n_quiet++ < QUIET_TICKS)
		return true;
	/* Q2. */
	atomic_store_explicit(&pool->is_kept, false, memory_order_seq_cst);
	if (!weft__streak_rescue(pool))
		return false;
	pool->n_quiet = 0;
	atomic_store_explicit(&pool->is_kept, true, memory_order_seq_cst);
	return true;
}

/* Return: must it be tried again? */
static bool retry(weft_executor *pool)
{
	/* Q4. */
	atomic_store_explicit(&pool->retries, false, memory_order_seq_cst);
	(void)weft__spread(pool, 0, 1); /* there is a thread, if a busy one */
	return weft__spread_is_due(pool);
}

static weft_time tick(struct control_ticker *ticker, weft_time now)
{
	weft_executor *pool = container_of(ticker, weft_executor, keeper);
	weft_time next = weft__kept_expire(pool, now);

	/* Relaxed: ordered by the wish for this tick. */
	if (atomic_load_explicit(&pool->interrupts, memory_order_relaxed) &&
	    weft__kept_interrupt(pool))
		next = MIN(next, now + INTERRUPT_NS);
	if (atomic_load_explicit(&pool->is_kept, memory_order_seq_cst) &&
	    watch_streaks(pool))
		next = MIN(next, now + TICK_NS);
	if (atomic_load_explicit(&pool->retries, memory_order_relaxed) && retry(pool)) {
		atomic_store_explicit(&pool->retries, true, memory_order_relaxed);
		next = MIN(next, now + THREAD_RETRY_NS);
	}
	return next;
}

int weft__keeper_start(weft_executor *pool)
{
	int r = -EAGAIN;

	/* L3's pattern: who sees it sees the ticker. */
	if (likely(atomic_load_explicit(&pool->has_keeper, memory_order_acquire)))
		return 0;
	pthread_mutex_lock(&pool->keeper_lock);
	if (atomic_load_explicit(&pool->has_keeper, memory_order_relaxed)) {
		r = 0;
	} else if (!pool->keeper_refused_at ||
		   weft__clock() - pool->keeper_refused_at >= RETRY_NS) {
		pool->keeper.tick = tick;
		r = weft__control_add_ticker(&pool->keeper);
		pool->keeper_refused_at = r < 0 ? weft__clock() : 0;
		atomic_store_explicit(&pool->has_keeper, r == 0, memory_order_release);
	}
	pthread_mutex_unlock(&pool->keeper_lock);
	return r;
}

void weft__keeper_retry(weft_executor *pool)
{
	/* In a tick it is known, and adding a ticker would wait for the tick. */
	if (weft__thread.is_control || weft__keeper_start(pool) < 0)
		return;
	/* Q3. */
	if (!atomic_exchange_explicit(&pool->retries, true, memory_order_seq_cst))
		weft__control_want_tick(&pool->keeper);
}

void weft__keeper_watch(weft_executor *pool)
{
	/* Q1. */
	if (likely(atomic_load_explicit(&pool->is_kept, memory_order_seq_cst)))
		return;
	if (!atomic_exchange_explicit(&pool->is_kept, true, memory_order_seq_cst))
		weft__control_want_tick(&pool->keeper);
}

void weft__keeper_stop(weft_executor *pool)
{
	bool has;

	pthread_mutex_lock(&pool->keeper_lock);
	/* Relaxed: under the lock. */
	has = atomic_load_explicit(&pool->has_keeper, memory_order_relaxed);
	atomic_store_explicit(&pool->has_keeper, false, memory_order_relaxed);
	pthread_mutex_unlock(&pool->keeper_lock);
	if (has)
		weft__control_remove_ticker(&pool->keeper);
}
