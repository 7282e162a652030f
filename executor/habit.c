/*
 * What a pool knows of functions; habit.h has the model. Any thread.
 */
#include "executor/habit.h"

enum {
	PROOF = 32, /* short executions in a row that make a function known to be short */
};

static struct habit *entry_of(struct habits *habits, weft_fn *fn)
{
	uintptr_t address = (uintptr_t)fn;

	return &habits->entries[(address >> 4 ^ address >> 10) % HABIT_ENTRIES];
}

static bool is_short(const struct habit *habit, weft_fn *fn)
{
	return atomic_load_explicit(&habit->fn, memory_order_relaxed) == fn &&
	       atomic_load_explicit(&habit->n_short, memory_order_relaxed) >= PROOF;
}

int weft__habit_streak(struct habits *habits, weft_fn *fn)
{
	const struct habit *habit = entry_of(habits, fn);
	uint32_t average;

	if (!is_short(habit, fn))
		return 1;
	average = atomic_load_explicit(&habit->average_ns, memory_order_relaxed);
	/* Half of what would fit: the average is not all. */
	return (int)MAX(MIN((uint32_t)HABIT_SHORT_NS / (2 * MAX(average, 1u)),
			    (uint32_t)STREAK_MAX),
			1u);
}

weft_time weft__habit_average(struct habits *habits, weft_fn *fn)
{
	return atomic_load_explicit(&entry_of(habits, fn)->average_ns,
				    memory_order_relaxed);
}

/* Written only if it changes: all workers read it. */
static void set(_Atomic uint32_t *field, uint32_t value)
{
	if (atomic_load_explicit(field, memory_order_relaxed) != value)
		atomic_store_explicit(field, value, memory_order_relaxed);
}

void weft__habit_note(struct habits *habits, weft_fn *fn, int n, weft_time span)
{
	struct habit *habit = entry_of(habits, fn);
	uint32_t before, average, now = (uint32_t)(MIN(span, HABIT_SHORT_NS) / n);

	if (unlikely(atomic_load_explicit(&habit->fn, memory_order_relaxed) != fn)) {
		atomic_store_explicit(&habit->n_short, 0, memory_order_relaxed);
		atomic_store_explicit(&habit->average_ns, now, memory_order_relaxed);
		atomic_store_explicit(&habit->fn, fn, memory_order_relaxed);
	}
	if (span >= HABIT_SHORT_NS) {
		set(&habit->n_short, 0);
		return;
	}
	before = atomic_load_explicit(&habit->n_short, memory_order_relaxed);
	if (before < PROOF)
		set(&habit->n_short, before + (uint32_t)n);
	average = atomic_load_explicit(&habit->average_ns, memory_order_relaxed);
	/* Small changes are not worth taking the line away from the others. */
	if (now > average + average / 4 + 16 || now + average / 4 + 16 < average)
		set(&habit->average_ns, average - average / 4 + now / 4);
}
