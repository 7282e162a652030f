/*
 * Running a case; see run.h.
 *
 * The sides take turns (A B, B A, A B …), so that what the machine does meanwhile hits
 * all of them. A sample is disturbed when processes other than its own used more than a
 * quarter of a CPU while it ran; it is taken again, up to as many times as a case has
 * repeats. With patience, each sample first waits for a quiet moment, and is taken again
 * for as long as the patience lasts.
 */
#include "bench/run.h"

#include "bench/peers.h"
#include "bench/process.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_REPEATS = 32, OUTPUT_BYTES = 4096, MAX_ARGS = 7 + BENCH_PEER_MAX_ARGS };

static const weft_time sample_limit = 60 * WEFT_SEC;

/* ---- Who else uses the machine ---- */

/* Seconds that all CPUs together have been busy, stolen time included. */
static double machine_busy_s(void)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
	FILE *file = fopen("/proc/stat", "re");
	int n;

	if (!file)
		return 0;
	n = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice,
		   &system, &idle, &iowait, &irq, &softirq, &steal);
	(void)fclose(file); /* was only read */
	if (n != 8)
		return 0;
	return (double)(user + nice + system + irq + softirq + steal) /
	       (double)sysconf(_SC_CLK_TCK);
}

/* Waits for a moment without others, but no longer than there is patience left. */
static void wait_for_quiet(weft_time *patience_ns)
{
	enum { LOOK_MS = 60 };

	while (*patience_ns > 0) {
		double busy = machine_busy_s();

		(void)poll(NULL, 0, LOOK_MS); /* a pause */
		if (machine_busy_s() - busy < 0.015) /* one tick */
			return;
		*patience_ns -= LOOK_MS * WEFT_MSEC;
	}
}

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

/* ---- One sample ---- */

struct sample {
	double values[BENCH_MAX_FIGURES];
	bool is_disturbed;
};

static const char *side_name(const struct bench_plan *plan, int side)
{
	if (side == BENCH_FLOOR)
		return "floor";
	if (side == BENCH_WEFT)
		return "weft";
	return plan->peers[side - BENCH_FIRST_PEER];
}

/* Fills argv with the command that takes the sample. Return: false if there is no such
 * side. */
static bool sample_command(const struct bench *bench, const struct bench_case *c,
			   int side, const struct bench_plan *plan, const char **argv)
{
	static char budget[32];

	if (side == BENCH_FLOOR && !c->floor)
		return false;
	if (side == BENCH_WEFT && !c->weft)
		return false;
	snprintf(budget, sizeof(budget), "%lld",
		 (long long)(plan->budget_ns / WEFT_MSEC));
	if (side >= BENCH_FIRST_PEER && !bench->load)
		return bench_peer_sample_command(side_name(plan, side), bench->name,
						 c->name, budget, argv);
	argv[0] = bench_program();
	argv[1] = "--budget";
	argv[2] = budget;
	argv[3] = "--sample";
	argv[4] = side_name(plan, side);
	argv[5] = bench->name;
	argv[6] = c->name;
	argv[7] = NULL;
	return side < BENCH_FIRST_PEER ||
	       bench_peer_serve_command(side_name(plan, side), bench->name, argv + 7);
}

/* Reads "unit, tab, value" lines. */
static void parse_values(const struct bench_case *c, char *text, double *values)
{
	char *rest = NULL;

	for (size_t i = 0; i < BENCH_MAX_FIGURES; i++)
		values[i] = NAN;
	for (char *line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *tab = strchr(line, '\t');

		if (!tab)
			continue;
		*tab = '\0';
		for (size_t i = 0; i < bench_n_figures(c); i++) {
			if (strcmp(c->figures[i].unit, line) == 0)
				values[i] = strtod(tab + 1, NULL);
		}
	}
}

/* Return: 0; -ENOTSUP if this machine cannot; another negative errno, told on stderr. */
static int take_sample(const struct bench_case *c, const char *const *argv,
		       struct sample *sample)
{
	struct bench_process process;
	struct rusage usage;
	char text[OUTPUT_BYTES];
	double busy = machine_busy_s();
	weft_time wall = weft__clock();
	ssize_t n;
	int status, r;

	r = bench_process_start(&process, (char *const *)(uintptr_t)argv, BENCH_ANYWHERE);
	if (r < 0)
		return r;
	n = bench_process_read(&process, text, sizeof(text), sample_limit);
	if (n < 0) {
		(void)bench_process_stop(&process); /* too late, however it ended */
		return (int)n;
	}
	status = bench_process_wait(&process, &usage);
	if (status != 0)
		return status == BENCH_EXIT_SKIP ? -ENOTSUP : -EIO;
	wall = weft__clock() - wall;
	busy = machine_busy_s() - busy - seconds_of(&usage.ru_utime) -
	       seconds_of(&usage.ru_stime);
	/* The kernel counts in ticks of 10 ms: two of them prove nothing. */
	sample->is_disturbed = busy > 0.02 && busy > 0.25 * (double)wall / WEFT_SEC;
	parse_values(c, text, sample->values);
	return 0;
}

/* ---- All samples of a case ---- */

struct side_samples {
	struct sample samples[MAX_REPEATS];
	int n;
	bool is_absent;
};

/* Takes the samples of one side until it has one more good one. */
static void add_sample(const struct bench *bench, const struct bench_case *c, int side,
		       struct bench_plan *plan, struct side_samples *s, int *retries_left,
		       struct bench_outcome *outcome)
{
	const char *argv[MAX_ARGS];
	struct sample sample;
	int r;

	if (s->is_absent || !sample_command(bench, c, side, plan, argv)) {
		s->is_absent = true;
		return;
	}
	do {
		wait_for_quiet(&plan->patience_ns);
		r = take_sample(c, argv, &sample);
		if (r == 0 && sample.is_disturbed)
			plan->patience_ns -= plan->budget_ns;
	} while (r == 0 && sample.is_disturbed &&
		 (plan->patience_ns > 0 || (*retries_left)-- > 0));
	if (r < 0) {
		s->is_absent = true;
		if (r == -ENOTSUP)
			return;
		outcome->has_failed = true;
		fprintf(stderr, "weft-bench: %s, %s: the sample of %s failed (%s)\n",
			bench->name, c->name, side_name(plan, side), strerror(-r));
		return;
	}
	if (sample.is_disturbed)
		outcome->is_disturbed = true;
	s->samples[s->n++] = sample;
}

static double median_of_figure(const struct side_samples *s, size_t figure)
{
	double values[MAX_REPEATS];
	int n = 0;

	for (int i = 0; i < s->n; i++) {
		if (!isnan(s->samples[i].values[figure]))
			values[n++] = s->samples[i].values[figure];
	}
	return n > 0 ? bench_median_of(values, n) : NAN;
}

void bench_run_case(const struct bench *bench, const struct bench_case *c,
		    struct bench_plan *plan, struct bench_outcome *outcome)
{
	struct side_samples sides[BENCH_MAX_SIDES];
	int repeats = MIN(plan->repeats, MAX_REPEATS), retries,
	    n_sides = BENCH_FIRST_PEER;

	memset(sides, 0, sizeof(sides));
	memset(outcome, 0, sizeof(*outcome));
	while (n_sides < BENCH_MAX_SIDES && plan->peers[n_sides - BENCH_FIRST_PEER])
		n_sides++;
	if (c->repeats > 0)
		repeats = MIN(repeats, c->repeats);
	if (c->is_slow && plan->quick)
		repeats = 1;
	retries = repeats;
	for (int i = 0; i < repeats; i++) {
		for (int k = 0; k < n_sides; k++) {
			int side = i % 2 ? n_sides - 1 - k : k;

			add_sample(bench, c, side, plan, &sides[side], &retries, outcome);
		}
	}
	for (int side = 0; side < BENCH_MAX_SIDES; side++) {
		for (size_t i = 0; i < BENCH_MAX_FIGURES; i++)
			outcome->medians[side][i] = median_of_figure(&sides[side], i);
	}
}

/* ---- Inside the process of a sample ---- */

int bench_sample(const struct bench *bench, const struct bench_case *c, const char *side,
		 char *const server[])
{
	double values[BENCH_MAX_FIGURES];
	int r = -EINVAL;

	for (size_t i = 0; i < BENCH_MAX_FIGURES; i++)
		values[i] = NAN;
	if (strcmp(side, "floor") == 0 && c->floor)
		r = c->floor(c, values);
	else if (strcmp(side, "weft") == 0 && c->weft)
		r = c->weft(c, values);
	else if (bench->load && server[0])
		r = bench->load(c, server, values);
	if (r == -ENOTSUP)
		return BENCH_EXIT_SKIP;
	if (r < 0) {
		fprintf(stderr, "weft-bench: %s, %s, %s: %s\n", bench->name, c->name,
			side, strerror(-r));
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < bench_n_figures(c); i++) {
		if (!isnan(values[i]))
			printf("%s\t%.9g\n", c->figures[i].unit, values[i]);
	}
	return EXIT_SUCCESS;
}
