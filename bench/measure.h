/*
 * What every sample needs: clocks, CPUs, rounds and their median, percentiles.
 *
 * A sample has a time to spend (bench_budget()). Most spend it in rounds, equal stretches
 * of work of which the median counts, so that one interrupt or page fault moves nothing.
 */
#ifndef WEFT_BENCH_MEASURE_H
#define WEFT_BENCH_MEASURE_H

#include "base/base.h"

#include <sys/types.h>

/* ---- Time ---- */

weft_time bench_thread_cpu(void); /* this thread's time on a CPU */
weft_time bench_process_cpu(void); /* that of all threads of this process */
/* That of another process, its ended threads included; negative errno if it is gone. */
weft_time bench_cpu_of(pid_t pid);

/* How long one sample should measure; shorter with --quick. */
weft_time bench_budget(void);
void bench_set_budget(weft_time budget_ns);

/* ---- CPUs ---- */

/*
 * Places: 0 and 1 are the first two CPUs that this process may use (the same one if there
 * is only one), BENCH_ANYWHERE all of them.
 */
enum { BENCH_ANYWHERE = -1 };
void bench_pin(int place); /* the calling thread, and what it starts from now on */
int bench_n_cpus(void);

/* Spins, on the CPU, for so long. */
void bench_busy(weft_time span_ns);

/* ---- Rounds ---- */

struct bench_rounds {
	double values[64];
	int n;
	weft_time end;
};

/* while (bench_more(&rounds)) { …; bench_add(&rounds, figure); } return
 * bench_median(&rounds); */
bool bench_more(struct bench_rounds *rounds);
void bench_add(struct bench_rounds *rounds, double value);
double bench_median(struct bench_rounds *rounds);

double bench_median_of(double *values, int n); /* sorts */

/* ---- Latencies ---- */

/* Counts by size: 64 steps to each power of two, so a percentile is right to within 1.6
 * %. */
struct bench_histogram {
	uint64_t counts[64 * 40];
	uint64_t total;
};

void bench_record(struct bench_histogram *histogram, weft_time latency_ns);
double bench_percentile(const struct bench_histogram *histogram, double percent); /* ns */

/* ---- Random numbers, the same in each run ---- */

static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* ---- Memory ---- */

/* A figure of /proc/self/status such as "VmRSS:", in bytes; 0 if there is none. */
double bench_status_bytes(const char *key);

/* Ends the process with a sentence: a bench that cannot measure has nothing to add. */
_Noreturn void bench_die(const char *format, ...) WEFT_PRINTF(1, 2);

#endif
