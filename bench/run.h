/*
 * Running a case: samples of all its sides, taken in turn, and their medians.
 */
#ifndef WEFT_BENCH_RUN_H
#define WEFT_BENCH_RUN_H

#include "bench/bench.h"

/* The sides of a case: the floor, weft, then the peers. */
enum { BENCH_FLOOR, BENCH_WEFT, BENCH_FIRST_PEER, BENCH_MAX_SIDES = 10 };

struct bench_plan {
	int repeats;
	bool quick;
	weft_time budget_ns; /* of one sample */
	weft_time patience_ns; /* to wait for others to leave the CPUs, in all */
	const char *peers[BENCH_MAX_SIDES - BENCH_FIRST_PEER]; /* up to the first NULL */
};

struct bench_outcome {
	double medians[BENCH_MAX_SIDES][BENCH_MAX_FIGURES]; /* NAN where there is none */
	bool is_disturbed; /* others used the CPUs meanwhile, in spite of repeats */
	bool has_failed; /* a sample ended in an error, already told */
};

void bench_run_case(const struct bench *bench, const struct bench_case *c,
		    struct bench_plan *plan, struct bench_outcome *outcome);

/*
 * The other end: what a process started for a sample does. `server` is the command of a
 * peer's server, if that is what is to be loaded. Prints a line for each figure: unit,
 * tab, value. Return: its exit status.
 */
int bench_sample(const struct bench *bench, const struct bench_case *c, const char *side,
		 char *const server[]);

/* The exit status of a sample that this machine or this build cannot take. */
enum { BENCH_EXIT_SKIP = 77 };

#endif
