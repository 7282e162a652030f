/*
 * Several short jobs at once.
 *
 * A worker that takes a streak of jobs, all of functions known to be short, pays for going to
 * the ring, for the clock and for the message to the loop once instead of each time. That is
 * only sound as long as they are short, so everything is there for the case that one is not:
 *
 *   - the jobs that it has not begun are still in their slots, where anybody may take them;
 *   - those it has finished are in its batch, and how many there are is in `progress`;
 *   - the keeper (keeper.c) looks every millisecond whether a streak has moved. From one that has
 *     not it takes what is finished and delivers it, and marks it as stuck: now the worker does
 *     not count as ready any more, and others take what it has not begun.
 *
 * Who has which of the finished jobs is decided by `run`, the word that the keeper marks by
 * compare-exchange and the worker takes back by exchange.
 *
 *   run:       number of the streak (32 bits) | state | places given back | finished jobs taken
 *   progress:  number of the streak (32 bits) | places to be given back | finished jobs
 *
 *   R1  the worker begins: run, seq_cst: what it has published of the streak; pairs with R2.
 *   R2  the keeper reads run and progress, acquire; then the batch.
 *   R3  the worker stores progress, release: the finished jobs before it; pairs with R2.
 *   R4  the keeper marks run: what it has read was of this streak, and is the keeper's. Both it and
 *       the worker's end are acquire and release: only one of them gives the places back.
 *
 * A streak that ends as it should travels to the loop as one message, the batch, in which the
 * loop finds the jobs: so it can fetch them all at once, instead of one after the other through
 * links that lie in them, and of each job only one cache line goes to the worker and back.
 *
 *   B1  the worker sends a batch: is_sent, then the message (I1, I2 of loop/inbox.h).
 *   B2  the loop has read it: is_sent, release; pairs with the acquire of the worker.
 */
#include "executor/lane.h"

enum { STATE_IDLE, STATE_RUNNING, STATE_STUCK };

static uint64_t pack(uint32_t number, unsigned state, unsigned given, unsigned taken)
{
	return (uint64_t)number << 32 | state << 16 | given << 8 | taken;
}

static uint32_t number_of(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static unsigned state_of(uint64_t run)
{
	return run >> 16 & 0xff;
}

static int places_of(uint64_t word)
{
	return word >> 8 & 0xff;
}

static int finished_of(uint64_t word)
{
	return word & 0xff;
}

/* ---- Stuck ---- */

/* Return: false if it has ended meanwhile. */
static bool mark_stuck(struct worker *worker, uint64_t run, int given, int taken)
{
	weft_executor *pool = worker->pool;
	uint64_t stuck =
		pack(number_of(run), STATE_STUCK, (unsigned)given, (unsigned)taken);

	/* R4. */
	if (!atomic_compare_exchange_strong_explicit(&worker->streak.run, &run, stuck,
						     memory_order_seq_cst,
						     memory_order_relaxed))
		return false;
	atomic_fetch_add_explicit(&pool->n_stuck, 1, memory_order_seq_cst);
	/* D1. */
	atomic_fetch_sub_explicit(&pool->n_ready, 1, memory_order_seq_cst);
	(void)weft__spread(pool, 0, 1); /* there is a thread, if a stuck one */
	return true;
}

/* ---- The worker ---- */

/* The worker's own view of the streak it runs. */
struct own {
	uint32_t number;
	int n_got; /* jobs that it took out of slots */
	int n_owed; /* places that are still to be given back */
	int n_finished; /* jobs in the batch */
	int n_delivered; /* of these */
	bool is_stuck; /* the keeper has marked it, and we know */
	bool is_mixed; /* of several functions */
	struct batch *batch;
	weft_fn *fns[STREAK_MAX];
};

/* One that can be sent: not under way. Else the one that is never sent. */
static struct batch *pick_batch(struct streak *streak)
{
	struct batch *batch;

	if (unlikely(!streak->batches)) {
		streak->batches = weft__alloc_array(BATCHES, sizeof(*batch));
		if (!streak->batches)
			return &streak->unsent;
	}
	batch = &streak->batches[streak->next_batch % BATCHES];
	/* B2. */
	if (atomic_load_explicit(&batch->is_sent, memory_order_acquire))
		return &streak->unsent;
	streak->next_batch++;
	return batch;
}

static void begin(struct worker *worker, struct own *own, const struct claim *claim)
{
	struct streak *streak = &worker->streak;
	/* Relaxed: between streaks it is the worker's alone. */
	uint64_t last = atomic_load_explicit(&streak->run, memory_order_relaxed);

	own->number = number_of(last) + 1;
	own->batch = pick_batch(streak);
	/* Relaxed: R1 publishes them; what a late thief mixes up leads to slots all the same. */
	atomic_store_explicit(&streak->lane, claim->lane, memory_order_relaxed);
	atomic_store_explicit(&streak->at, claim->at, memory_order_relaxed);
	atomic_store_explicit(&streak->n, claim->n, memory_order_relaxed);
	atomic_store_explicit(&streak->batch, own->batch, memory_order_relaxed);
	atomic_store_explicit(&streak->progress, pack(own->number, 0, 0, 0),
			      memory_order_relaxed);
	/* R1, and Q1 of keeper.c. */
	atomic_store_explicit(&streak->run, pack(own->number, STATE_RUNNING, 0, 0),
			      memory_order_seq_cst);
	weft__keeper_watch(worker->pool);
}

/* On the loop: all jobs of a batch have come back. */
static void on_batch(void *arg)
{
	struct batch *batch = arg;
	struct job *jobs[STREAK_MAX];
	int n = 0;

	for (int i = batch->first; i < batch->n; i++) {
		/* Relaxed: B1. */
		jobs[n] = atomic_load_explicit(&batch->jobs[i], memory_order_relaxed);
		job_prefetch(jobs[n++]);
	}
	/* B2. */
	atomic_store_explicit(&batch->is_sent, false, memory_order_release);
	for (int i = 0; i < n; i++)
		jobs[i]->done.fn(jobs[i]->done.arg);
}

static void send_batch(struct own *own, int first)
{
	struct batch *batch = own->batch;
	/* Relaxed: R3, it is the worker's own. */
	struct job *job = atomic_load_explicit(&batch->jobs[first], memory_order_relaxed);

	batch->first = first;
	batch->n = own->n_finished;
	handle_init(&batch->message, HANDLE_DIRECT, on_batch, batch);
	/* B1. Relaxed: the message orders it. */
	atomic_store_explicit(&batch->is_sent, true, memory_order_relaxed);
	if (weft__loop_post(job->done.loop, &batch->message) < 0) {
		weft__error_forget(); /* closed, and its tasks are abandoned */
		atomic_store_explicit(&batch->is_sent, false, memory_order_relaxed);
	}
}

/* What has come of it since the last time, if the keeper has not been faster. */
static void deliver(struct worker *worker, struct own *own, bool may_send)
{
	int first = own->n_delivered;

	/* First the places: whoever has a result finds room for the next job. */
	if (own->n_owed)
		weft__place_give(worker->pool, own->n_owed, 0);
	own->n_owed = 0;
	own->n_delivered = own->n_finished;
	if (first == own->n_finished)
		return;
	if (may_send && own->batch != &worker->streak.unsent)
		send_batch(own, first);
	else
		weft__job_deliver_all(own->batch->jobs + first, own->n_finished - first);
}

/* The keeper found the streak stuck; from now on each job is delivered at once. */
static void learn(struct own *own, uint64_t run)
{
	own->is_stuck = true;
	own->n_owed -= places_of(run);
	own->n_delivered = finished_of(run);
}

static void run_one(struct worker *worker, struct own *own, struct job *job)
{
	struct streak *streak = &worker->streak;
	uint64_t run;

	own->fns[own->n_got++] = job->fn;
	own->is_mixed |= job->fn != own->fns[0];
	/* A long one is of the ring's next round, see lane.h; a kept one tells its waiter itself. */
	if (unlikely(job->is_long || job->is_kept))
		place_give_of(worker->pool, job);
	else
		own->n_owed++;
	/* R3. */
	atomic_store_explicit(&streak->progress,
			      pack(own->number, 0, (unsigned)own->n_owed,
				   (unsigned)own->n_finished),
			      memory_order_release);
	job = weft__worker_run(worker, job);
	if (job) /* Relaxed: R3 publishes it. */
		atomic_store_explicit(&own->batch->jobs[own->n_finished++], job,
				      memory_order_relaxed);
	/* Acquire: R4. */
	run = atomic_load_explicit(&streak->run, memory_order_acquire);
	if (unlikely(state_of(run) == STATE_STUCK)) {
		if (!own->is_stuck)
			learn(own, run);
		deliver(worker, own, false); /* the batch goes on being filled */
	}
}

/* Of different functions only this is known: all are short, or any of them may not be. */
static void note_habits(weft_executor *pool, const struct own *own, weft_time span)
{
	if (likely(!own->is_mixed)) {
		weft__habit_note(&pool->habits, own->fns[0], own->n_got, span);
		return;
	}
	if (span < HABIT_SHORT_NS)
		return;
	for (int i = 0; i < own->n_got; i++)
		weft__habit_note(&pool->habits, own->fns[i], 1, span);
}

static void end(struct worker *worker, struct own *own, weft_time span)
{
	weft_executor *pool = worker->pool;
	/* R4. */
	uint64_t run = atomic_exchange_explicit(&worker->streak.run,
						pack(own->number, STATE_IDLE, 0, 0),
						memory_order_acq_rel);

	if (unlikely(state_of(run) == STATE_STUCK)) {
		if (!own->is_stuck)
			learn(own, run);
		atomic_fetch_sub_explicit(&pool->n_stuck, 1, memory_order_seq_cst);
		atomic_fetch_add_explicit(&pool->n_ready, 1, memory_order_seq_cst);
	}
	deliver(worker, own, true);
	note_habits(pool, own, span);
}

void weft__streak_run(struct worker *worker, const struct claim *claim)
{
	weft_time start = weft__clock();
	struct job *job = claim->job;
	struct own own = { .number = 0 };

	begin(worker, &own, claim);
	/* What was known when it was queued may have changed since. */
	if (unlikely(weft__habit_streak(&worker->pool->habits, job->fn) == 1))
		(void)mark_stuck(worker, pack(own.number, STATE_RUNNING, 0, 0), 0, 0);
	for (int i = 0;; i++) {
		if (likely(job))
			run_one(worker, &own, job);
		if (i == claim->n)
			break;
		job = weft__lane_empty(claim->lane, claim->at + (uint64_t)i);
	}
	end(worker, &own, weft__clock() - start);
}

/* ---- The others ---- */

static struct worker *worker_at(weft_executor *pool, int index)
{
	/* T1. */
	return atomic_load_explicit(&pool->workers[index], memory_order_acquire);
}

/* The slots of a streak that is stuck; n is 0 if it is not. Old values lead to other slots. */
static struct claim stuck_slots(struct worker *worker)
{
	struct claim claim = { .job = NULL };
	struct streak *streak;

	if (!worker)
		return claim;
	streak = &worker->streak;
	/* R1, and D3 where it is the last look. */
	if (state_of(atomic_load_explicit(&streak->run, memory_order_seq_cst)) !=
	    STATE_STUCK)
		return claim;
	claim.lane = atomic_load_explicit(&streak->lane, memory_order_relaxed);
	claim.at = atomic_load_explicit(&streak->at, memory_order_relaxed);
	claim.n = atomic_load_explicit(&streak->n, memory_order_relaxed);
	return claim;
}

static bool is_full(const struct claim *claim, int i)
{
	/* Relaxed: a hint; whoever empties it has an edge. */
	return atomic_load_explicit(
		&claim->lane->slots[(claim->at + (uint64_t)i) & claim->lane->mask],
		memory_order_relaxed);
}

bool weft__streak_can_steal(weft_executor *pool)
{
	for (int k = 0; k < pool->n_slots; k++) {
		struct claim claim = stuck_slots(worker_at(pool, k));

		for (int i = 0; i < claim.n; i++) {
			if (is_full(&claim, i))
				return true;
		}
	}
	return false;
}

struct job *weft__streak_steal(weft_executor *pool)
{
	for (int k = 0; k < pool->n_slots; k++) {
		struct claim claim = stuck_slots(worker_at(pool, k));

		for (int i = 0; i < claim.n; i++) {
			struct job *job =
				is_full(&claim, i)
					? weft__lane_empty(claim.lane,
							   claim.at + (uint64_t)i)
					: NULL;

			if (job)
				return job;
		}
	}
	return NULL;
}

/* ---- The keeper ---- */

static void rescue(struct worker *worker, uint64_t run, uint64_t progress)
{
	_Atomic(struct job *) finished[STREAK_MAX];
	struct batch *batch =
		atomic_load_explicit(&worker->streak.batch, memory_order_relaxed);
	int n = finished_of(progress);

	for (int i = 0; i < n; i++) /* Relaxed: ordered by R3; good if R4 succeeds. */
		atomic_init(&finished[i],
			    atomic_load_explicit(&batch->jobs[i], memory_order_relaxed));
	if (!mark_stuck(worker, run, places_of(progress), n))
		return;
	if (places_of(progress))
		weft__place_give(worker->pool, places_of(progress), 0);
	weft__job_deliver_all(finished, n);
}

bool weft__streak_rescue(weft_executor *pool)
{
	bool any = false;

	for (int k = 0; k < pool->n_slots; k++) {
		struct worker *worker = worker_at(pool, k);
		uint64_t run, progress;

		if (!worker)
			continue;
		/* R2, and Q2 of keeper.c. */
		run = atomic_load_explicit(&worker->streak.run, memory_order_seq_cst);
		if (state_of(run) != STATE_RUNNING)
			continue;
		any = true;
		/* R2. */
		progress = atomic_load_explicit(&worker->streak.progress,
						memory_order_acquire);
		if (progress == worker->streak.seen &&
		    number_of(run) == number_of(progress))
			rescue(worker, run, progress);
		worker->streak.seen = progress;
	}
	return any;
}
