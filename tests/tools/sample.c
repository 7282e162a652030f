/*
 * A recorded run, made from a formula.
 *
 * Each phase plays heartbeats every 2 ms. In a blocking phase the loop is held again and
 * again for about as long as the phase's `hold`; elsewhere heartbeats are late by up to
 * `late`.
 */
#include "tests/tools/sample.h"

#include "tools/tool.h"

static const struct {
	long requests;
	weft_time hold;
	weft_time late;
	weft_time p50;
	weft_time p99;
} phases[DEMO_N_PHASES] = {
	{ 392, 331 * WEFT_MSEC, 0, 328 * WEFT_MSEC, 341 * WEFT_MSEC },
	{ 3142, 0, 1240 * WEFT_USEC, 40700 * WEFT_USEC, 42 * WEFT_MSEC },
	{ 6257, 0, 860 * WEFT_USEC, 20400 * WEFT_USEC, 21300 * WEFT_USEC },
	{ 408, 318 * WEFT_MSEC, 0, 309 * WEFT_MSEC, 402 * WEFT_MSEC },
	{ 401, 0, 6400 * WEFT_USEC, 314 * WEFT_MSEC, 377 * WEFT_MSEC },
	{ 452, 143 * WEFT_MSEC, 0, 140 * WEFT_MSEC, 171 * WEFT_MSEC },
	{ 1180, 0, 3100 * WEFT_USEC, 54 * WEFT_MSEC, 71 * WEFT_MSEC },
};

static void play(struct timeline *timeline, int phase, int loop, weft_time length)
{
	weft_time due = 2 * WEFT_MSEC + loop * 5 * WEFT_MSEC;
	unsigned seed = 7u * (unsigned)phase + (unsigned)loop;

	timeline_begin(timeline, 0, length);
	while (due < length) {
		weft_time lag = phases[phase].late;

		seed = seed * 1103515245u + 12345u;
		if (phases[phase].hold)
			lag = phases[phase].hold -
			      (weft_time)(seed >> 16) % 20 * WEFT_MSEC;
		else
			lag = lag * (weft_time)(seed >> 16) / 65536;
		if (!timeline->worst_lag)
			lag = MAX(phases[phase].late, phases[phase].hold);
		timeline_beat(timeline, due, due + lag);
		due += lag + 2 * WEFT_MSEC;
	}
}

void sample_run(struct demo_run *run, int processes, int loops)
{
	const struct demo_setup setup = {
		.processes = processes,
		.loops = loops,
		.threads = 16,
		.connections = 64,
		.cpus = 2,
		.phase_ns = 2 * WEFT_SEC,
		.directory = "/var/tmp",
		.fsyncs = 87,
		.fsync_ns = 116 * WEFT_USEC,
	};

	if (demo_run_init(run, &setup) < 0)
		abort();

	for (int i = 0; i < DEMO_N_PHASES; i++) {
		struct demo_result *result = &run->results[i];

		result->requests = phases[i].requests;
		result->elapsed = setup.phase_ns;
		result->p50 = phases[i].p50;
		result->p99 = phases[i].p99;
		for (int j = 0; j < demo_n_loops(run); j++)
			play(&result->timelines[j], i, j, setup.phase_ns);
	}
}
