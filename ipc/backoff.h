/*
 * When to start again what has died: a delay that grows, and a budget.
 *
 *   died before it was ready   the delay doubles, from first_ns up to most_ns
 *   died after it was ready    the delay is first_ns again
 *   died too often             the delay doubles, whether it was ready or not
 *
 * Too often is `budget` times within window_ns: then the budget is spent. Each delay is
 * varied by a fifth, so that slots which died together do not start together. Pure
 * computation: time comes in as an argument. One thread.
 */
#ifndef WEFT_IPC_BACKOFF_H
#define WEFT_IPC_BACKOFF_H

#include "base/base.h"

/* Zero stands for the default of each. */
struct weft__backoff_options {
	int budget; /* deaths (5) ... */
	weft_time window_ns; /* ... in so much time (10 s) */
	weft_time first_ns; /* (100 ms) */
	weft_time most_ns; /* (30 s) */
};

struct weft__backoff {
	struct weft__backoff_options options;
	weft_time *deaths; /* the last options.budget, a ring; owned */
	int next; /* where the next one goes: the oldest */
	int n_deaths; /* up to options.budget */
	int doublings;
	uint64_t random; /* state of the variation */
};

/* `seed` makes the variation repeatable. Return: 0 or -ENOMEM. */
int weft__backoff_init(struct weft__backoff *backoff,
		       const struct weft__backoff_options *options, uint64_t seed);
void weft__backoff_fini(struct weft__backoff *backoff);

/*
 * weft__backoff_death() - note a death
 * @backoff:   of the slot
 * @now:       the time
 * @was_ready: had it been ready?
 *
 * Return: how long to wait before the next start.
 */
weft_time weft__backoff_death(struct weft__backoff *backoff, weft_time now,
			      bool was_ready);

/* Forgets all deaths: what died is not what runs now. */
void weft__backoff_reset(struct weft__backoff *backoff);

/* Did `budget` deaths fall into the window that ends now? */
bool weft__backoff_is_spent(const struct weft__backoff *backoff, weft_time now);

#endif
