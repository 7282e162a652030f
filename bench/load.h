/*
 * The load generator: one thread, one request in flight on each of n connections.
 *
 * It runs in the sample's process, pinned away from the server it loads. Replies must all
 * have the same size: the request's own in echo, in HTTP that of the first reply.
 */
#ifndef WEFT_BENCH_LOAD_H
#define WEFT_BENCH_LOAD_H

#include "bench/measure.h"

struct bench_load {
	pid_t server; /* whose CPU time is read */
	int port; /* on 127.0.0.1 */
	int connections;
	const char *request;
	size_t request_bytes;
	bool is_http; /* else the reply is the request */
};

struct bench_load_result {
	double requests_per_s;
	double cpu_us; /* of the server, per request */
	double p50_us;
	double p99_us;
};

/* Return: 0, or a negative errno: a connection that failed, a reply that was wrong. */
int bench_load_run(const struct bench_load *load, struct bench_load_result *result);

#endif
