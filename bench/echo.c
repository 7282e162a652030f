/*
 * The bench "echo": a TCP server that returns what it receives, beside the bare epoll
 * loop.
 *
 * One message in flight on each connection. The server has the first CPU, the load the
 * second; in "one CPU" they share it. CPU time for each request tells more than requests
 * per second: with these servers the load generator is as busy as they are.
 */
#include "bench/floor/floors.h"
#include "bench/ours/ours.h"
#include "bench/process.h"

#include <string.h>

/* n: bytes of a message; m: connections, negative when server and load share a CPU. */
static int load_echo(const struct bench_case *c, char *const server[], double *values)
{
	size_t n = (size_t)c->n;
	char *message = weft__alloc(n);
	struct bench_load load = {
		.connections = (int)labs(c->m),
		.request = message,
		.request_bytes = n,
	};

	if (!message)
		return -ENOMEM;
	memset(message, 'x', n);
	return bench_load_server(server, c->m < 0 ? BENCH_ONE_CPU : BENCH_TWO_CPUS, &load,
				 values);
}

static int load_own(const struct bench_case *c, const char *name, double *values)
{
	const char *argv[] = { bench_program(), "--serve", name, NULL };

	return load_echo(c, (char *const *)(uintptr_t)argv, values);
}

static int load_floor(const struct bench_case *c, double *values)
{
	return load_own(c, "echo-floor", values);
}

static int load_ours(const struct bench_case *c, double *values)
{
	return load_own(c, "echo", values);
}

#define ECHO(case_name, bytes, connections, reference_cpu, ratio, figure)      \
	{                                                                      \
		.name = case_name, .n = bytes, .m = connections, .repeats = 3, \
		.floor = load_floor, .weft = load_ours, .figures = {           \
			{ .unit = "CPU us",                                    \
			  .reference = reference_cpu,                          \
			  .target_ratio = ratio,                               \
			  .target_figure = figure },                           \
			{ .unit = "k req/s", .more_is_better = true },         \
			{ .unit = "p50 us" },                                  \
			{ .unit = "p99 us" }                                   \
		}                                                              \
	}

static const struct bench_case cases[] = {
	ECHO("64 B x 1", 64, 1, 24.5, 1.15, 0),
	ECHO("64 B x 50", 64, 50, 3.9, 1.15, 0),
	ECHO("64 B x 500", 64, 500, 3.59, 1.15, 0),
	ECHO("1 KiB x 1", 1024, 1, 27.4, 1.15, 0),
	ECHO("1 KiB x 50", 1024, 50, 3.8, 1.15, 4.2),
	ECHO("1 KiB x 50, one CPU", 1024, -50, 2.14, 1.15, 2.45),
	ECHO("1 KiB x 500", 1024, 500, 3.69, 1.15, 0),
	ECHO("16 KiB x 1", 16 * 1024, 1, 30.8, 1.15, 0),
	ECHO("16 KiB x 50", 16 * 1024, 50, 5.16, 1.15, 0),
	ECHO("16 KiB x 500", 16 * 1024, 500, 5.34, 1.15, 0),
	ECHO("100 KiB x 1", 100 * 1024, 1, 38.3, 1.15, 0),
	ECHO("100 KiB x 50", 100 * 1024, 50, 17.5, 1.15, 0),
	ECHO("100 KiB x 500", 100 * 1024, 500, 20, 1.15, 0),
};

const struct bench bench_echo = {
	.name = "echo",
	.what = "a TCP echo server under load: bytes x connections",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
	.load = load_echo,
};
