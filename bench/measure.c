/*
 * Clocks, CPUs, rounds and percentiles; see measure.h.
 *
 * Nothing here is shared between threads but the budget, which is set once at start.
 */
#include "bench/measure.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static weft_time budget = 150 * WEFT_MSEC;

void bench_die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "weft-bench: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(EXIT_FAILURE);
}

/* ---- Time ---- */

static weft_time read_clock(clockid_t clock)
{
	struct timespec time;

	if (clock_gettime(clock, &time) < 0)
		return -errno;
	return (weft_time)time.tv_sec * WEFT_SEC + time.tv_nsec;
}

weft_time bench_thread_cpu(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

weft_time bench_process_cpu(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

weft_time bench_cpu_of(pid_t pid)
{
	clockid_t clock;
	int r = clock_getcpuclockid(pid, &clock);

	return r ? -r : read_clock(clock);
}

weft_time bench_budget(void)
{
	return budget;
}

void bench_set_budget(weft_time budget_ns)
{
	budget = budget_ns;
}

/* ---- CPUs ---- */

/* What this process could use before it pinned anything. */
static const cpu_set_t *allowed(void)
{
	static cpu_set_t set;
	static bool known;

	if (!known && sched_getaffinity(0, sizeof(set), &set) < 0)
		bench_die("sched_getaffinity: %s", strerror(errno));
	known = true;
	return &set;
}

int bench_n_cpus(void)
{
	return CPU_COUNT(allowed());
}

/* The place-th CPU of those allowed, or the last one. */
static int cpu_at(int place)
{
	int found = -1;

	for (int cpu = 0; cpu < CPU_SETSIZE && place >= 0; cpu++) {
		if (CPU_ISSET(cpu, allowed())) {
			found = cpu;
			place--;
		}
	}
	return found;
}

void bench_pin(int place)
{
	cpu_set_t set = *allowed();

	if (place != BENCH_ANYWHERE) {
		int cpu = cpu_at(place);

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
	}
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		bench_die("sched_setaffinity: %s", strerror(errno));
}

void bench_busy(weft_time span_ns)
{
	weft_time end = weft__clock() + span_ns;

	while (weft__clock() < end)
		weft__cpu_relax();
}

/* ---- Rounds ---- */

bool bench_more(struct bench_rounds *rounds)
{
	if (rounds->n == 0)
		rounds->end = weft__clock() + budget;
	if (rounds->n == ARRAY_SIZE(rounds->values))
		return false;
	return rounds->n < 3 || weft__clock() < rounds->end;
}

void bench_add(struct bench_rounds *rounds, double value)
{
	rounds->values[rounds->n++] = value;
}

double bench_median(struct bench_rounds *rounds)
{
	return bench_median_of(rounds->values, rounds->n);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median_of(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), compare_doubles);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* ---- Latencies ---- */

void bench_record(struct bench_histogram *histogram, weft_time latency_ns)
{
	uint64_t value = latency_ns > 0 ? (uint64_t)latency_ns : 0;
	unsigned int group = value < 64 ? 0 : 58 - (unsigned int)__builtin_clzll(value);
	size_t index = (size_t)value;

	if (group > 0)
		index = group * 64 + (size_t)(value >> (group - 1)) - 64;
	histogram->counts[MIN(index, ARRAY_SIZE(histogram->counts) - 1)]++;
	histogram->total++;
}

double bench_percentile(const struct bench_histogram *histogram, double percent)
{
	double wanted = (double)histogram->total * percent / 100, seen = 0;

	for (size_t i = 0; i < ARRAY_SIZE(histogram->counts); i++) {
		seen += (double)histogram->counts[i];
		if (seen < wanted || seen == 0)
			continue;
		if (i < 64)
			return (double)i;
		return (double)((uint64_t)(64 + i % 64) << (i / 64 - 1));
	}
	return 0;
}

/* ---- Memory ---- */

double bench_status_bytes(const char *key)
{
	char line[256];
	double bytes = 0;
	FILE *file = fopen("/proc/self/status", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) == 0)
			bytes = strtod(line + strlen(key), NULL) * 1024;
	}
	(void)fclose(file); /* was only read */
	return bytes;
}
