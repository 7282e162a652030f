/*
 * Running a task on a virtual clock, in an order that a seed decides. <weft/test.h> has
 * the model; the clock itself and the shuffling are the loop's.
 */
#include <weft/test.h>

#include "base/error.h"
#include "loop/loop.h"
#include "task/task.h"

/* A test begins at a round hour, so that its times are easy to read. */
#define FIRST_HOUR (3600 * WEFT_SEC)

/* splitmix64 (S. Vigna): a good first state from any seed, and never zero. */
static uint64_t state_of_seed(uint64_t seed)
{
	uint64_t z = seed + 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return z ? z : 1;
}

static void use_test_clock(weft_loop *loop, uint64_t seed)
{
	loop->is_virtual = true;
	loop->turns_apart = true; /* a turn is what the seed shuffles */
	loop->virtual_now = FIRST_HOUR;
	weft__timers_init(&loop->timers, FIRST_HOUR);
	loop->shuffle = seed ? state_of_seed(seed) : 0;
}

static _Thread_local uint64_t running_seed;

uint64_t weft_test_seed(void)
{
	return running_seed;
}

/* Nothing may be left; what there is has been reported. */
static int close_all(weft_runner *runner)
{
	weft_loop *loop = weft_loop_ref(weft_runner_loop(runner));
	int r = weft_runner_close(runner);

	if (r == 0 && loop->n_left_open)
		r = weft_error_set(-EBUSY,
				   "the test left %zu things open, which reports name",
				   loop->n_left_open);
	weft_loop_unref(loop);
	return r;
}

static int run_once(weft_fn *fn, void *arg, uint64_t seed)
{
	struct weft_run_options options = { .keep_signals = true };
	const struct weft_error *error;
	weft_runner *runner;
	int r, closed;

	r = weft_runner_new(&options, &runner);
	if (r < 0)
		return r;
	use_test_clock(weft_runner_loop(runner), seed);
	running_seed = seed;
	r = weft_runner_run(runner, fn, arg);
	error = weft__error_take(r);
	closed = close_all(runner);
	running_seed = 0;
	if (r >= 0 && closed < 0)
		return closed;
	weft__error_give(error);
	return r;
}

/* Which seeds: those of the options, or the one that somebody wants to see again. */
static uint64_t first_seed(const struct weft_test_options *options, int *n)
{
	const char *text = getenv("WEFT_SEED");

	*n = text || !options->n_seeds ? 1 : options->n_seeds;
	return text ? strtoull(text, NULL, 0) : options->seed;
}

int weft_test_run(weft_fn *fn, void *arg, const struct weft_test_options *options)
{
	static const struct weft_test_options defaults;
	uint64_t seed;
	int n, r = 0;

	if (!options)
		options = &defaults;
	if (weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)) ||
	    options->n_seeds < 0 || options->fail_allocation < 0)
		return weft_error_set(
			-EINVAL, "weft_test_run(): the options are not valid: set all "
				 "fields that you do not use to zero");
	seed = first_seed(options, &n);
	for (int i = 0; i < n && r >= 0; i++) {
		if (options->fail_allocation)
			weft__fail_allocation(options->fail_allocation);
		r = run_once(fn, arg, seed + (uint64_t)i);
		if (options->fail_allocation)
			weft__fail_allocation(0);
		if (r < 0 && seed + (uint64_t)i)
			r = weft_error_wrap(r, "with seed %ju (WEFT_SEED=%ju repeats it)",
					    (uintmax_t)(seed + (uint64_t)i),
					    (uintmax_t)(seed + (uint64_t)i));
	}
	return r;
}

int weft_test_turns(int n)
{
	int r = 0;

	if (!task_current())
		return weft__task_none(__func__);
	for (int i = 0; i < n && r == 0; i++)
		r = weft_yield();
	return r;
}
