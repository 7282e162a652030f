/*
 * Loading a server: what echo and http have in common.
 */
#ifndef WEFT_BENCH_SERVER_H
#define WEFT_BENCH_SERVER_H

#include "bench/bench.h"
#include "bench/load.h"

/* Serves until it is ended. Prints "listening on 127.0.0.1:PORT" once it does. */
typedef int bench_server(void);

struct bench_server_entry {
	const char *name; /* for weft-bench --serve NAME */
	bench_server *serve;
};

extern const struct bench_server_entry bench_servers[];
extern const size_t bench_n_servers;

/* Places of server and load: a CPU each, or both on one. */
enum bench_layout { BENCH_TWO_CPUS, BENCH_ONE_CPU };

/* The four figures of a loaded server. `argv` starts it. */
int bench_load_server(char *const argv[], enum bench_layout layout,
		      struct bench_load *load, double *values);

/* A listening socket on 127.0.0.1, any port; prints the line. Never returns in failure.
 */
int bench_listen(void);

#endif
