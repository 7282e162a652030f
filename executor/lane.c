/*
 * Lanes; lane.h has the model.
 */
#include "executor/lane.h"

#include <string.h>

/* Short jobs that take so long together are worth another worker. */
#define WORTH_WAKING_NS (20 * WEFT_USEC)

static void leave_loop(struct loop_attachment *attachment);
static void hand_over(struct loop_flush *flush);

/* ---- Finding and making ---- */

static bool is_meant(const struct lane *lane, const weft_executor *executor)
{
	return executor ? lane->pool == executor : lane->pool->is_shared;
}

static struct lane *find(weft_loop *loop, const weft_executor *executor)
{
	list_for_each (link, &loop->attached) {
		struct loop_attachment *attachment =
			list_entry(link, struct loop_attachment, link);
		struct lane *lane = container_of(attachment, struct lane, attachment);

		if (attachment->detach == leave_loop && is_meant(lane, executor))
			return lane;
	}
	return NULL;
}

/* Lanes of pools that were closed: nobody can ask for them any more. */
static void drop_closed(weft_loop *loop)
{
	list_for_each_safe (link, &loop->attached) {
		struct loop_attachment *attachment =
			list_entry(link, struct loop_attachment, link);
		struct lane *lane = container_of(attachment, struct lane, attachment);

		/* Relaxed: one that is not seen as closed yet is dropped later. */
		if (attachment->detach != leave_loop || lane->n_in_flight ||
		    !atomic_load_explicit(&lane->pool->closing, memory_order_relaxed))
			continue;
		list_unlink(link);
		leave_loop(attachment);
	}
}

static uint64_t ring_slots(const weft_executor *pool)
{
	uint64_t n = 64;

	while (n < 2 * (uint64_t)pool->queue_limit)
		n *= 2;
	return n;
}

static struct lane *new_lane(weft_executor *pool, uint64_t n_slots)
{
	size_t size = sizeof(struct lane) + n_slots * sizeof(_Atomic uintptr_t);
	struct lane *lane = weft__aligned_alloc(
		CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

	if (!lane)
		return NULL;
	memset(lane, 0, sizeof(*lane));
	for (uint64_t i = 0; i < n_slots; i++)
		atomic_init(&lane->slots[i], 0);
	lane->mask = n_slots ? n_slots - 1 : 0;
	lane->is_listed = n_slots > 0;
	lane->pool = pool;
	list_init(&lane->flush.link);
	list_init(&lane->attachment.link);
	lane->flush.fn = hand_over;
	lane->attachment.detach = leave_loop;
	return lane;
}

/* Under the pool's lock: one that a loop gave back, or a new one; NULL without memory. */
static struct lane *take_lane(weft_executor *pool)
{
	/* Relaxed: both are written under the lock. */
	int n = atomic_load_explicit(&pool->n_lanes, memory_order_relaxed);
	struct lane *lane;

	for (int i = 0; i < n; i++) {
		lane = atomic_load_explicit(&pool->lanes[i], memory_order_relaxed);
		if (!lane->loop)
			return lane;
	}
	if (n == MAX_LANES)
		return new_lane(pool, 0);
	lane = new_lane(pool, ring_slots(pool));
	if (!lane)
		return NULL;
	/* L3, and a worker that sees the number sees the lane. */
	atomic_store_explicit(&pool->lanes[n], lane, memory_order_release);
	atomic_store_explicit(&pool->n_lanes, n + 1, memory_order_release);
	return lane;
}

/* Where a loop and the pool have the same one CPU, a worker that spins holds up what it awaits. */
static void notice_crowd(weft_executor *pool)
{
	cpu_set_t ours;

	if (CPU_COUNT(&pool->cpus) == 1 &&
	    sched_getaffinity(0, sizeof(ours), &ours) == 0 &&
	    CPU_EQUAL(&ours, &pool->cpus))
		atomic_store_explicit(&pool->is_crowded, true, memory_order_relaxed);
}

static int attach(weft_loop *loop, weft_executor *executor, struct lane **out)
{
	weft_executor *pool;
	struct lane *lane;
	int r = weft__pool_get(executor, true, &pool);

	if (r < 0)
		return r;
	pthread_mutex_lock(&pool->lock);
	lane = take_lane(pool);
	if (lane)
		lane->loop = weft_loop_ref(loop);
	pthread_mutex_unlock(&pool->lock);
	if (!lane) {
		weft__pool_loop_left(pool);
		weft__pool_unref(pool);
		return -ENOMEM;
	}
	notice_crowd(pool);
	list_push_front(&loop->attached, &lane->attachment.link);
	*out = lane;
	return 0;
}

int weft__lane_get(weft_loop *loop, weft_executor *executor, struct lane **out)
{
	struct lane *lane = find(loop, executor);

	if (likely(lane)) {
		*out = lane;
		return 0;
	}
	drop_closed(loop);
	return attach(loop, executor, out);
}

/*
 * Tasks were abandoned while jobs of theirs run, whose messages still come: the loop's memory is
 * kept, and the lane, which no other loop may have. The list is for tools that look for leaks.
 */
static void keep_for_ever(struct lane *lane)
{
	static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
	static struct lane *kept;

	pthread_mutex_lock(&kept_lock);
	lane->next_kept = kept;
	kept = lane;
	pthread_mutex_unlock(&kept_lock);
}

/* The loop ends, or the pool has: the loop's side lets go. */
static void leave_loop(struct loop_attachment *attachment)
{
	struct lane *lane = container_of(attachment, struct lane, attachment);
	weft_executor *pool = lane->pool;
	weft_loop *loop = lane->loop;
	bool is_listed = lane->is_listed;

	if (list_is_linked(&lane->flush.link)) {
		list_unlink(&lane->flush.link);
		hand_over(&lane->flush);
	}
	weft__pool_loop_left(pool);
	if (lane->n_in_flight) {
		keep_for_ever(lane);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	lane->loop = NULL;
	pthread_mutex_unlock(&pool->lock);
	if (!is_listed)
		free(lane);
	weft_loop_unref(loop);
	weft__pool_unref(pool);
}

/* ---- The loop's side ---- */

/* What is known of the job's function is noted with it. Return: what goes into its slot. */
static uintptr_t appraise(struct lane *lane, struct job *job)
{
	weft_executor *pool = lane->pool;
	int n = weft__habit_streak(&pool->habits, job->fn);

	job->is_long = n == 1;
	if (n == 1)
		count_as_long(pool, job);
	else
		lane->short_ns += weft__habit_average(&pool->habits, job->fn);
	return (uintptr_t)job | (uintptr_t)(n - 1);
}

void weft__lane_put(struct lane *lane, struct job *job)
{
	_Atomic uintptr_t *slot = &lane->slots[lane->next & lane->mask];

	loop_want_flush(lane->loop, &lane->flush);
	/* Relaxed: a full slot is an old one, and stays full until somebody empties it. */
	if (unlikely(!lane->is_listed ||
		     atomic_load_explicit(slot, memory_order_relaxed))) {
		weft__queue_put(lane->pool, job);
		return;
	}
	job->lane = lane;
	job->position = lane->next++;
	/* L4. */
	atomic_store_explicit(slot, appraise(lane, job), memory_order_release);
}

/* There is no thread at all: what this loop has queued learns why. */
static void fail_all(struct lane *lane, int code)
{
	const struct weft_error *error = weft__error_take(code);

	(void)weft__lane_fail(lane, code, error);
	(void)weft__queue_fail(lane->pool, code, error);
	weft_error_unref(error);
}

/* The end of a turn. A loop starts one thread itself at most, which sees to the rest. */
static void hand_over(struct loop_flush *flush)
{
	struct lane *lane = container_of(flush, struct lane, flush);
	/* A worker for each so much of work, as long as there are CPUs for them. */
	int n_short = (int)MIN(lane->short_ns / WORTH_WAKING_NS, lane->pool->n_cpus - 1);
	int r;

	lane->short_ns = 0;
	/* L1. */
	atomic_store_explicit(&lane->tail, lane->next, memory_order_seq_cst);
	r = weft__spread(lane->pool, n_short, 1);
	if (unlikely(r < 0))
		fail_all(lane, r);
}

/* ---- The workers' side ---- */

static struct job *job_in(uintptr_t slot)
{
	return (struct job *)(slot & ~(uintptr_t)(JOB_ALIGNMENT - 1));
}

/*
 * How many of the `n` slots from `head` on may be taken at once? What is read may be old: it only
 * says how many, and L5 says what.
 */
static int streak_at(struct lane *lane, uint64_t head, uint64_t n)
{
	/* Leave as much to others as is taken, and no more than a streak's worth. */
	int limit = (int)MIN(n / 2 + 1, (uint64_t)STREAK_MAX);

	for (int i = 0; i < limit; i++) {
		uintptr_t slot = atomic_load_explicit(
			&lane->slots[(head + (uint64_t)i) & lane->mask],
			memory_order_relaxed);
		int allowed = (int)(slot & (JOB_ALIGNMENT - 1)) + 1;

		if (allowed <= i)
			return MAX(i, 1);
		job_prefetch(job_in(slot));
		limit = MIN(limit, allowed);
	}
	return limit;
}

struct job *weft__lane_empty(struct lane *lane, uint64_t position)
{
	/* L5. */
	return job_in(atomic_exchange_explicit(&lane->slots[position & lane->mask], 0,
					       memory_order_acquire));
}

bool weft__lane_claim(struct lane *lane, bool streaks, struct claim *claim)
{
	/* L6. */
	uint64_t head = atomic_load_explicit(&lane->head, memory_order_acquire);

	for (;;) {
		/* L2. */
		uint64_t n =
			atomic_load_explicit(&lane->tail, memory_order_acquire) - head;
		int take;

		if (n == 0)
			return false;
		take = streaks && n > 1 ? streak_at(lane, head, n) : 1;
		/* L6, both. */
		if (!atomic_compare_exchange_weak_explicit(
			    &lane->head, &head, head + (uint64_t)take,
			    memory_order_acq_rel, memory_order_acquire))
			continue;
		do {
			claim->job = weft__lane_empty(lane, head++);
			take--;
		} while (!claim->job && take > 0);
		if (!claim->job)
			continue;
		claim->lane = lane;
		claim->at = head;
		claim->n = take;
		return true;
	}
}

bool weft__lane_withdraw(struct lane *lane, struct job *job)
{
	_Atomic uintptr_t *slot = &lane->slots[job->position & lane->mask];
	/* Relaxed: if it is this job's, it stays so until somebody takes it, as below. */
	uintptr_t seen = atomic_load_explicit(slot, memory_order_relaxed);

	/* L5. */
	return job_in(seen) == job &&
	       atomic_compare_exchange_strong_explicit(
		       slot, &seen, 0, memory_order_acquire, memory_order_relaxed);
}

int weft__lane_fail(struct lane *lane, int code, const struct weft_error *error)
{
	int n_failed = 0;

	if (!lane->is_listed)
		return 0;
	for (uint64_t i = 0; i <= lane->mask; i++) {
		struct job *job = weft__lane_empty(lane, i);

		if (!job)
			continue;
		weft__job_fail(lane->pool, job, code, error);
		n_failed++;
	}
	return n_failed;
}
