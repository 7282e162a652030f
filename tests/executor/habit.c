/*
 * What a pool knows of functions.
 */
#include "executor/habit.h"

#include "tests/test.h"

static int first(void *arg)
{
	(void)arg;
	return 1;
}

static int second(void *arg)
{
	(void)arg;
	return 2;
}

/* No initialiser: compilers disagree about those of atomic pointers. */
static void forget_all(struct habits *habits)
{
	memset(habits, 0, sizeof(*habits));
}

static void note_many(struct habits *habits, weft_fn *fn, int n, weft_time each)
{
	for (int i = 0; i < n; i++)
		weft__habit_note(habits, fn, 1, each);
}

Test(habit, a_function_proves_itself_by_short_executions)
{
	static const struct {
		const char *name;
		int n;
		weft_time each;
		int streak;
	} cases[] = {
		{ "unknown", 0, 0, 1 },
		{ "too few", 31, 100, 1 },
		{ "very short", 100, 100, 16 },
		{ "a microsecond: half of 20 us", 100, WEFT_USEC, 10 },
		{ "five microseconds", 100, 5 * WEFT_USEC, 2 },
		{ "short, but too long for two", 100, 15 * WEFT_USEC, 1 },
		{ "long", 100, 20 * WEFT_USEC, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct habits habits;
		int streak;

		forget_all(&habits);

		note_many(&habits, first, cases[i].n, cases[i].each);
		streak = weft__habit_streak(&habits, first);
		cr_expect(streak == cases[i].streak ||
				  (streak > 1 && streak == cases[i].streak - 1),
			  "%s: %d", cases[i].name, streak);
		cr_expect_eq(weft__habit_streak(&habits, second), 1, "%s", cases[i].name);
	}
}

Test(habit, one_long_execution_ends_the_trust)
{
	struct habits habits;

	forget_all(&habits);
	note_many(&habits, first, 100, 100);
	weft__habit_note(&habits, first, 1, WEFT_MSEC);
	cr_expect_eq(weft__habit_streak(&habits, first), 1);
	note_many(&habits, first, 31, 100);
	cr_expect_eq(weft__habit_streak(&habits, first), 1);
	note_many(&habits, first, 1, 100);
	cr_expect_gt(weft__habit_streak(&habits, first), 1);
}

Test(habit, several_that_took_too_long_together_end_the_trust)
{
	struct habits habits;

	forget_all(&habits);
	note_many(&habits, first, 100, 100);
	weft__habit_note(&habits, first, 16, 20 * WEFT_USEC);
	cr_expect_eq(weft__habit_streak(&habits, first), 1);
}

Test(habit, the_average_follows)
{
	struct habits habits;

	forget_all(&habits);
	note_many(&habits, first, 100, 100);
	cr_expect_eq(weft__habit_average(&habits, first), 100);
	note_many(&habits, first, 100, 4 * WEFT_USEC);
	cr_expect_gt(weft__habit_average(&habits, first), 3 * WEFT_USEC);
	cr_expect_le(weft__habit_streak(&habits, first), 3);
}

Test(habit, functions_that_share_an_entry_are_not_taken_for_each_other)
{
	struct habits habits;
	/* Addresses that nobody calls, of one entry. */
	weft_fn *one = (weft_fn *)(uintptr_t)0x100000;
	weft_fn *other = (weft_fn *)(uintptr_t)0x500000;

	forget_all(&habits);
	note_many(&habits, one, 100, 100);
	cr_expect_gt(weft__habit_streak(&habits, one), 1);
	cr_expect_eq(weft__habit_streak(&habits, other), 1);
	note_many(&habits, other, 1, 100);
	cr_expect_eq(weft__habit_streak(&habits, one), 1, "it was displaced");
}
