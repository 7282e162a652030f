/*
 * What a run of `weft demo` found out, and what follows from it.
 */
#include "tools/demo.h"

#include "tools/number.h"
#include "tools/tool.h"

/* Below this a gain is not told from noise. */
#define GAIN_MIN 1.2

/*
 * A sleep and an fsync wait, so more of them at a time are more in a second. A hash needs
 * a CPU, and those are busy either way: only the loop gains.
 */
const struct demo_phase demo_phases[DEMO_N_PHASES] = {
	{ DEMO_SLEEP, DEMO_BLOCKING, false, false },
	{ DEMO_SLEEP, DEMO_EXECUTOR, true, true },
	{ DEMO_SLEEP, DEMO_ASYNC, true, true },
	{ DEMO_HASH, DEMO_BLOCKING, false, false },
	{ DEMO_HASH, DEMO_EXECUTOR, false, true },
	{ DEMO_FSYNC, DEMO_BLOCKING, false, false },
	{ DEMO_FSYNC, DEMO_EXECUTOR, true, true },
};

const char *demo_work_name(enum demo_work work)
{
	static const char *const names[DEMO_N_WORKS] = {
		[DEMO_SLEEP] = "sleep",
		[DEMO_HASH] = "hash",
		[DEMO_FSYNC] = "fsync",
	};

	return names[work];
}

const char *demo_mode_name(enum demo_mode mode)
{
	static const char *const names[DEMO_N_MODES] = {
		[DEMO_BLOCKING] = "blocking",
		[DEMO_EXECUTOR] = "executor",
		[DEMO_ASYNC] = "async",
	};

	return names[mode];
}

int demo_blocking_phase(int phase)
{
	while (demo_phases[phase].mode != DEMO_BLOCKING)
		phase--;
	return phase;
}

int demo_run_init(struct demo_run *run, const struct demo_setup *setup)
{
	memset(run, 0, sizeof(*run));
	run->setup = *setup;
	for (int i = 0; i < DEMO_N_PHASES; i++) {
		struct demo_result *result = &run->results[i];

		result->timelines =
			calloc((size_t)demo_n_loops(run), sizeof(*result->timelines));
		if (!result->timelines) {
			demo_run_fini(run);
			return -ENOMEM;
		}
	}
	return 0;
}

void demo_run_fini(struct demo_run *run)
{
	for (int i = 0; i < DEMO_N_PHASES; i++) {
		free(run->results[i].timelines);
		run->results[i].timelines = NULL;
	}
}

int demo_n_loops(const struct demo_run *run)
{
	return run->setup.processes * run->setup.loops;
}

double demo_rate(const struct demo_run *run, int phase)
{
	const struct demo_result *result = &run->results[phase];

	if (result->elapsed <= 0)
		return 0;
	return (double)(result->requests - result->failed) * (double)WEFT_SEC /
	       (double)result->elapsed;
}

weft_time demo_worst_lag(const struct demo_run *run, int phase)
{
	weft_time worst = 0;

	for (int i = 0; i < demo_n_loops(run); i++)
		worst = MAX(worst, run->results[phase].timelines[i].worst_lag);
	return worst;
}

double demo_free(const struct demo_run *run, int phase)
{
	double held = 0;

	for (int i = 0; i < demo_n_loops(run); i++)
		held += timeline_held(&run->results[phase].timelines[i], 0, 1);
	return 1 - held / demo_n_loops(run);
}

double demo_rate_gain(const struct demo_run *run, int phase)
{
	double blocking = demo_rate(run, demo_blocking_phase(phase));

	return blocking > 0 ? demo_rate(run, phase) / blocking : 1;
}

double demo_lag_gain(const struct demo_run *run, int phase)
{
	double blocking = (double)demo_worst_lag(run, demo_blocking_phase(phase));
	double lag = (double)demo_worst_lag(run, phase);

	return lag > 0 ? blocking / lag : 1;
}

/* An fsync that costs nothing holds nobody up, so there is nothing to gain. */
static enum demo_verdict verdict(const struct demo_run *run, int phase, bool expected,
				 double gain)
{
	if (!expected)
		return DEMO_NOT_EXPECTED;
	if (demo_phases[phase].work == DEMO_FSYNC && run->setup.fsync_is_free)
		return DEMO_NOT_EXPECTED;
	return gain >= GAIN_MIN ? DEMO_BETTER : DEMO_NOT_BETTER;
}

enum demo_verdict demo_rate_verdict(const struct demo_run *run, int phase)
{
	return verdict(run, phase, demo_phases[phase].expect_rate,
		       demo_rate_gain(run, phase));
}

enum demo_verdict demo_lag_verdict(const struct demo_run *run, int phase)
{
	return verdict(run, phase, demo_phases[phase].expect_lag,
		       demo_lag_gain(run, phase));
}

bool demo_all_answered(const struct demo_run *run)
{
	for (int i = 0; i < DEMO_N_PHASES; i++)
		if (run->results[i].requests <= 0 || run->results[i].failed)
			return false;
	return true;
}

void demo_describe_work(const struct demo_run *run, enum demo_work work, char *text,
			size_t size)
{
	int n = run->setup.fsyncs;

	switch (work) {
	case DEMO_SLEEP:
		snprintf(text, size, "%s", number_exact(DEMO_SLEEP_NS).text);
		break;
	case DEMO_HASH:
		snprintf(text, size, "crypt, SHA-512, %s rounds",
			 number_count(DEMO_HASH_ROUNDS).text);
		break;
	case DEMO_FSYNC:
		if (run->setup.fsync_is_free) {
			snprintf(text, size, "on tmpfs, where it costs nothing");
			break;
		}
		snprintf(text, size, "%d KiB and fsync, %d time%s",
			 DEMO_FSYNC_BYTES / 1024, n, n == 1 ? "" : "s");
		break;
	case DEMO_N_WORKS:
		break;
	}
}
