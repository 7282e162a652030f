/*
 * Child processes: samples, servers and peers.
 *
 * One is started, read from (its standard output), and always ended by its pid. It dies
 * with the thread that started it, so that nothing is left when a bench is interrupted.
 */
#ifndef WEFT_BENCH_PROCESS_H
#define WEFT_BENCH_PROCESS_H

#include "bench/measure.h"

#include <sys/resource.h>
#include <sys/types.h>

struct bench_process {
	pid_t pid;
	int out_fd; /* what it prints */
};

/* Starts argv (found in PATH) with its output to us, on the CPU of `place`. */
int bench_process_start(struct bench_process *process, char *const argv[], int place);

/*
 * Reads what it prints until it ends its output, fills the buffer, or `limit_ns` has
 * passed. Return: bytes, with a zero behind them; -ETIMEDOUT.
 */
ssize_t bench_process_read(struct bench_process *process, char *buffer, size_t size,
			   weft_time limit_ns);

/* Reads its first line, "listening on HOST:PORT". Return: the port, or a negative errno.
 */
int bench_process_port(struct bench_process *process);

/* Waits for its end. Return: its exit status; 128 + the signal that ended it. */
int bench_process_wait(struct bench_process *process, struct rusage *usage);

/* SIGTERM, and SIGKILL if that does not help; then as bench_process_wait(). */
int bench_process_stop(struct bench_process *process);

/* Does this command (of at most 11 words) run and end with 0? What it says is not shown.
 */
bool bench_process_succeeds(const char *const argv[]);

/* The path of this program. */
const char *bench_program(void);

#endif
