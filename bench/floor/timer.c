/*
 * Floors of the bench "timer": a wheel, and the heap that most loops use.
 *
 * The wheel has 11 levels of 64 slots at 1 us, a bitmap for each level, and doubly linked
 * timers; the level of a timer is the highest group of 6 bits in which it differs from
 * now. The heap is 4-ary with its keys beside the pointers. Nothing is called when a
 * timer expires.
 */
#include "bench/floor/floors.h"
#include "bench/measure.h"

#include <string.h>

enum { LEVELS = 11, SLOTS = 64 };

static const uint64_t span_us = 60 * 1000 * 1000; /* deadlines lie within a minute */

struct timer {
	uint64_t at;
	struct timer *next;
	struct timer **link; /* what points at this one */
	uint32_t level;
	uint32_t slot; /* in the heap: its place */
};

static struct timer *wheel[LEVELS][SLOTS];
static uint64_t bitmaps[LEVELS];
static uint64_t wheel_now; /* all before it has expired */
static uint64_t expired_sum;

/* ---- The wheel ---- */

static void wheel_add(struct timer *timer)
{
	uint64_t at = MAX(timer->at, wheel_now), differs = at ^ wheel_now;
	uint32_t level = differs ? (63 - (uint32_t)__builtin_clzll(differs)) / 6 : 0;
	uint32_t slot = (uint32_t)(at >> (6 * level)) % SLOTS;
	struct timer **first = &wheel[level][slot];

	timer->level = level;
	timer->slot = slot;
	timer->next = *first;
	if (*first)
		(*first)->link = &timer->next;
	timer->link = first;
	*first = timer;
	bitmaps[level] |= (uint64_t)1 << slot;
}

static void wheel_remove(struct timer *timer)
{
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	if (!wheel[timer->level][timer->slot])
		bitmaps[timer->level] &= ~((uint64_t)1 << timer->slot);
}

static uint32_t lowest_level(void)
{
	uint32_t level = 0;

	while (level < LEVELS && !bitmaps[level])
		level++;
	return level;
}

/* When the first slot of a level comes due: not later than its first timer. */
static uint64_t level_due(uint32_t level)
{
	uint64_t slot = (uint64_t)__builtin_ctzll(bitmaps[level]);
	uint64_t below =
		level == LEVELS - 1 ? UINT64_MAX : ((uint64_t)1 << (6 * (level + 1))) - 1;
	uint64_t due = (wheel_now & ~below) | slot << (6 * level);

	return MAX(due, wheel_now);
}

static void wheel_run(uint64_t now)
{
	for (;;) {
		uint32_t level = lowest_level(), slot;
		struct timer *timer;

		if (level == LEVELS || level_due(level) > now) {
			wheel_now = MAX(wheel_now, now);
			return;
		}
		wheel_now = level_due(level);
		slot = (uint32_t)__builtin_ctzll(bitmaps[level]);
		timer = wheel[level][slot];
		wheel[level][slot] = NULL;
		bitmaps[level] &= ~((uint64_t)1 << slot);
		while (timer) {
			struct timer *next = timer->next;

			if (level == 0)
				expired_sum += timer->at;
			else
				wheel_add(timer);
			timer = next;
		}
	}
}

static void wheel_reset(void)
{
	memset(wheel, 0, sizeof(wheel));
	memset(bitmaps, 0, sizeof(bitmaps));
	wheel_now = 0;
	expired_sum = 0;
}

/* ---- Sides ---- */

static struct timer *new_timers(long n)
{
	struct timer *timers = weft__alloc_array((size_t)n, sizeof(*timers));
	uint64_t random = 88172645463325252u;

	if (!timers)
		bench_die("no memory for %ld timers", n);
	for (long i = 0; i < n; i++)
		timers[i].at = 1 + bench_random(&random) % span_us;
	return timers;
}

static void expire_all(void)
{
	for (uint64_t now = 1000; now <= span_us; now += 1000)
		wheel_run(now);
}

/* After every second one was cancelled. */
static void check_expired(const struct timer *timers, long n)
{
	uint64_t wanted = 0;

	for (long i = 1; i < n; i += 2)
		wanted += timers[i].at;
	if (expired_sum != wanted)
		bench_die("the floor's wheel lost a timer");
}

int floor_wheel(const struct bench_case *c, double *values)
{
	struct bench_rounds insert = { .n = 0 }, cancel = { .n = 0 }, expire = { .n = 0 };
	struct timer *timers = new_timers(c->n);

	bench_pin(1);
	while (bench_more(&insert)) {
		weft_time at[4];

		wheel_reset();
		at[0] = bench_thread_cpu();
		for (long i = 0; i < c->n; i++)
			wheel_add(&timers[i]);
		at[1] = bench_thread_cpu();
		for (long i = 0; i < c->n; i += 2)
			wheel_remove(&timers[i]);
		at[2] = bench_thread_cpu();
		expire_all();
		at[3] = bench_thread_cpu();
		check_expired(timers, c->n);
		bench_add(&insert, (double)(at[1] - at[0]) / (double)c->n);
		bench_add(&cancel, (double)(at[2] - at[1]) / ((double)c->n / 2));
		bench_add(&expire, (double)(at[3] - at[2]) / ((double)c->n / 2));
	}
	values[0] = bench_median(&insert);
	values[1] = bench_median(&cancel);
	values[2] = bench_median(&expire);
	return 0;
}

int floor_wheel_set_and_cancel(const struct bench_case *c, double *values)
{
	enum { ROUND = 100 * 1000 };
	struct bench_rounds rounds = { .n = 0 };
	struct timer *timers = new_timers(c->n), *more = new_timers(ROUND);

	bench_pin(1);
	wheel_reset();
	for (long i = 0; i < c->n; i++)
		wheel_add(&timers[i]);
	while (bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (long i = 0; i < ROUND; i++) {
			more[i].at = span_us / 2 + (uint64_t)i % 1000;
			wheel_add(&more[i]);
			wheel_remove(&more[i]);
		}
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / ROUND);
	}
	values[0] = bench_median(&rounds);
	return 0;
}

/* ---- The heap ---- */

struct heap_entry {
	uint64_t at;
	struct timer *timer;
};

static struct heap_entry
	*heap; /* so aligned that the children of one share a cache line */
static uint32_t heap_size;

static void heap_put(uint32_t place, struct heap_entry entry)
{
	heap[place] = entry;
	entry.timer->slot = place;
}

static void heap_up(uint32_t place, struct heap_entry entry)
{
	while (place > 0) {
		uint32_t parent = (place - 1) / 4;

		if (heap[parent].at <= entry.at)
			break;
		heap_put(place, heap[parent]);
		place = parent;
	}
	heap_put(place, entry);
}

static void heap_down(uint32_t place, struct heap_entry entry)
{
	for (;;) {
		uint32_t first = 4 * place + 1, least = first;
		uint32_t end = MIN(first + 4, heap_size);

		if (first >= heap_size)
			break;
		for (uint32_t i = first + 1; i < end; i++)
			least = heap[i].at < heap[least].at ? i : least;
		if (entry.at <= heap[least].at)
			break;
		heap_put(place, heap[least]);
		place = least;
	}
	heap_put(place, entry);
}

static void heap_remove(struct timer *timer)
{
	uint32_t place = timer->slot;
	struct heap_entry last = heap[--heap_size];

	if (last.timer == timer)
		return;
	if (place > 0 && heap[(place - 1) / 4].at > last.at)
		heap_up(place, last);
	else
		heap_down(place, last);
}

int floor_heap_cancel(const struct bench_case *c, double *values)
{
	struct bench_rounds rounds = { .n = 0 };
	struct timer *timers = new_timers(c->n);
	size_t bytes = ((size_t)c->n + 8) * sizeof(*heap) / CACHE_LINE * CACHE_LINE;
	struct heap_entry *memory = weft__aligned_alloc(CACHE_LINE, bytes);

	if (!memory)
		return -ENOMEM;
	heap = memory + 3;
	bench_pin(1);
	while (bench_more(&rounds)) {
		weft_time start;

		heap_size = 0;
		for (long i = 0; i < c->n; i++)
			heap_up(heap_size++,
				(struct heap_entry){ timers[i].at, &timers[i] });
		start = bench_thread_cpu();
		for (long i = 0; i < c->n; i += 2)
			heap_remove(&timers[i]);
		bench_add(&rounds,
			  (double)(bench_thread_cpu() - start) / ((double)c->n / 2));
	}
	values[0] = bench_median(&rounds);
	return 0;
}
