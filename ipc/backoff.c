/*
 * When to start again what has died; see the header.
 */
#include "ipc/backoff.h"

#define DEFAULT_BUDGET	  5
#define DEFAULT_WINDOW	  (10 * WEFT_SEC)
#define DEFAULT_FIRST	  (100 * WEFT_MSEC)
#define DEFAULT_MOST	  (30 * WEFT_SEC)
#define VARIATION_PERCENT 20

int weft__backoff_init(struct weft__backoff *backoff,
		       const struct weft__backoff_options *options, uint64_t seed)
{
	struct weft__backoff_options o = *options;

	if (o.budget <= 0)
		o.budget = DEFAULT_BUDGET;
	if (o.window_ns <= 0)
		o.window_ns = DEFAULT_WINDOW;
	if (o.first_ns <= 0)
		o.first_ns = DEFAULT_FIRST;
	if (o.most_ns <= 0)
		o.most_ns = MAX(DEFAULT_MOST, o.first_ns);
	*backoff = (struct weft__backoff){ .options = o, .random = seed | 1 };
	backoff->deaths = weft__alloc_array((size_t)o.budget, sizeof(*backoff->deaths));
	return backoff->deaths ? 0 : -ENOMEM;
}

void weft__backoff_fini(struct weft__backoff *backoff)
{
	free(backoff->deaths);
	backoff->deaths = NULL;
}

/* Marsaglia's xorshift: enough to keep two slots apart. */
static uint64_t next_random(struct weft__backoff *backoff)
{
	uint64_t x = backoff->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	backoff->random = x;
	return x;
}

static weft_time vary(struct weft__backoff *backoff, weft_time delay)
{
	int percent = (int)(next_random(backoff) % (2 * VARIATION_PERCENT + 1));

	return delay / 100 * (100 - VARIATION_PERCENT + percent);
}

/* first_ns * 2^doublings, or most_ns. */
static weft_time grown(const struct weft__backoff *backoff)
{
	weft_time delay = backoff->options.first_ns;

	for (int i = 0; i < backoff->doublings && delay < backoff->options.most_ns; i++)
		delay = weft__time_add(delay, delay);
	return MIN(delay, backoff->options.most_ns);
}

bool weft__backoff_is_spent(const struct weft__backoff *backoff, weft_time now)
{
	return backoff->n_deaths == backoff->options.budget &&
	       now - backoff->deaths[backoff->next] < backoff->options.window_ns;
}

weft_time weft__backoff_death(struct weft__backoff *backoff, weft_time now,
			      bool was_ready)
{
	weft_time delay;

	backoff->deaths[backoff->next] = now;
	backoff->next = (backoff->next + 1) % backoff->options.budget;
	backoff->n_deaths = MIN(backoff->n_deaths + 1, backoff->options.budget);
	if (was_ready && !weft__backoff_is_spent(backoff, now))
		backoff->doublings = 0;
	delay = vary(backoff, grown(backoff));
	if (grown(backoff) < backoff->options.most_ns)
		backoff->doublings++;
	return delay;
}

void weft__backoff_reset(struct weft__backoff *backoff)
{
	backoff->n_deaths = 0;
	backoff->next = 0;
	backoff->doublings = 0;
}
