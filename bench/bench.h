/*
 * What a bench is made of.
 *
 * A bench has cases, a case has figures (rows of the table) and sides: the floor (the
 * least that hardware and kernel need for the same service), weft, and peers. One
 * measurement of one side of one case is a sample. Each sample runs in a process of its
 * own (weft-bench starts itself anew), so that none inherits another one's heap, threads
 * or pinning, a crash costs one figure, and perf or valgrind can be put around exactly
 * one of them:
 *
 *     perf record build/bench/weft-bench --sample weft yield "10 tasks"
 *
 * So a side is a function that measures once and need not clean up after itself.
 */
#ifndef WEFT_BENCH_BENCH_H
#define WEFT_BENCH_BENCH_H

#include "base/base.h"

enum { BENCH_MAX_FIGURES = 4 };

/*
 * One row of the table. `reference` is what the floor gave on the reference machine (see
 * README.md); a floor far above it says that this machine, or this moment, is no place to
 * judge weft. A target is met by the ratio weft / floor or, where a figure is named as
 * well, by that.
 */
struct bench_figure {
	const char *unit;
	double reference; /* 0: not known */
	double target_ratio; /* 0: none */
	double target_figure; /* in `unit`; 0: none */
	bool more_is_better; /* then a target is "at least" */
};

struct bench_case;

/* Measures once: a value for each figure of the case. Return: 0, or a negative errno. */
typedef int bench_side(const struct bench_case *c, double *values);

struct bench_case {
	const char *name;
	long n; /* what the sides make of it is theirs */
	long m;
	bench_side *floor; /* NULL: there is none */
	bench_side *weft;
	int repeats; /* at most so many samples a side; 0: as many as the others */
	bool is_slow; /* takes seconds: once with --quick */
	/* Up to the first without a unit. */
	struct bench_figure figures[BENCH_MAX_FIGURES];
};

/* Starts a server, loads it as the case says, and stops it. */
typedef int bench_load_fn(const struct bench_case *c, char *const server[],
			  double *values);

struct bench {
	const char *name;
	const char *what; /* a line for --list */
	const struct bench_case *cases;
	size_t n_cases;
	/* How a peer is measured, which then is a server; NULL: it measures itself. */
	bench_load_fn *load;
};

extern const struct bench bench_call_soon;
extern const struct bench bench_channel;
extern const struct bench bench_echo;
extern const struct bench bench_executor;
extern const struct bench bench_http;
extern const struct bench bench_memory;
extern const struct bench bench_post;
extern const struct bench bench_spawn;
extern const struct bench bench_switch;
extern const struct bench bench_timer;
extern const struct bench bench_yield;

static inline size_t bench_n_figures(const struct bench_case *c)
{
	size_t n = 0;

	while (n < BENCH_MAX_FIGURES && c->figures[n].unit)
		n++;
	return n;
}

#endif
