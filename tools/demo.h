/*
 * What a run of `weft demo` is, and what it found out: plain data that the server and the
 * load fill and the pictures read.
 *
 * A run serves three kinds of work in up to three ways, one after the other: the phases.
 * In each, clients on keep-alive connections ask again as soon as they were answered, and
 * on each loop of the server a heartbeat measures how long the loop keeps everybody
 * waiting.
 */
#ifndef WEFT_TOOLS_DEMO_H
#define WEFT_TOOLS_DEMO_H

#include "tools/timeline.h"

enum demo_work { DEMO_SLEEP, DEMO_HASH, DEMO_FSYNC, DEMO_N_WORKS };

enum demo_mode {
	DEMO_BLOCKING, /* the blocking call, on the loop */
	DEMO_EXECUTOR, /* the same call, through weft_run_in_executor() */
	DEMO_ASYNC, /* the form that waits without blocking */
	DEMO_N_MODES,
};

/* A phase and what it is expected to make better than the blocking call does. */
struct demo_phase {
	enum demo_work work;
	enum demo_mode mode;
	bool expect_rate;
	bool expect_lag;
};

enum { DEMO_N_PHASES = 7 };

/* In the order in which they run; of each work the blocking phase comes first. */
extern const struct demo_phase demo_phases[DEMO_N_PHASES];

/* "sleep", "hash", "fsync"; "blocking", "executor", "async". */
const char *demo_work_name(enum demo_work work);
const char *demo_mode_name(enum demo_mode mode);

/* Where the same work is served by the blocking call. */
int demo_blocking_phase(int phase);

/*
 * What was asked for, and what was found before the start.
 *
 * `fsyncs` writes and fsyncs make up one request of that work, so that it takes a while
 * also on a fast disk; `fsync_ns` is what one took. `fsync_is_free` says that `directory`
 * lies in memory, where an fsync has nothing to do.
 */
struct demo_setup {
	int processes;
	int loops; /* of each process */
	int threads; /* at most, of each process */
	int connections;
	int cpus;
	weft_time phase_ns;
	const char *directory;
	bool fsync_is_free;
	int fsyncs;
	weft_time fsync_ns;
};

/* What a phase found out. `timelines` has one for each loop, process by process. */
struct demo_result {
	long requests; /* all that were sent */
	long failed; /* of these, not answered by 200 */
	weft_time elapsed; /* from the first request to the last answer */
	weft_time p50;
	weft_time p99;
	struct timeline *timelines;
};

struct demo_run {
	struct demo_setup setup;
	struct demo_result results[DEMO_N_PHASES];
};

/* Return: 0 or -ENOMEM. */
int demo_run_init(struct demo_run *run, const struct demo_setup *setup);
void demo_run_fini(struct demo_run *run);

/* Loops of the server, in all processes together. */
int demo_n_loops(const struct demo_run *run);

/* Requests answered by 200 in a second. */
double demo_rate(const struct demo_run *run, int phase);

/* The worst lag of any loop in a phase. */
weft_time demo_worst_lag(const struct demo_run *run, int phase);

/* The share of a phase in which its loops were free, on average. */
double demo_free(const struct demo_run *run, int phase);

/* How many times better than the blocking phase of the same work; 1 is no change. */
double demo_rate_gain(const struct demo_run *run, int phase);
double demo_lag_gain(const struct demo_run *run, int phase);

/* What is expected to get better in this run, and whether it did, by a fifth or more. */
enum demo_verdict { DEMO_NOT_EXPECTED, DEMO_BETTER, DEMO_NOT_BETTER };
enum demo_verdict demo_rate_verdict(const struct demo_run *run, int phase);
enum demo_verdict demo_lag_verdict(const struct demo_run *run, int phase);

/* Was every request of every phase answered, and was there at least one in each? */
bool demo_all_answered(const struct demo_run *run);

/* What one request of a work does, in a few words for a caption; cut to `size` bytes. */
void demo_describe_work(const struct demo_run *run, enum demo_work work, char *text,
			size_t size);

/* What a request costs. */
#define DEMO_SLEEP_NS	 (20 * WEFT_MSEC)
#define DEMO_HASH_ROUNDS 50000
#define DEMO_FSYNC_BYTES 4096

#endif
