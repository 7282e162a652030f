/*
 * The bench "http": hello world on keep-alive connections, beside a bare epoll loop that
 * does not even parse. Placed as in echo.c.
 */
#include "bench/floor/floors.h"
#include "bench/process.h"

#include <string.h>

static const char request[] = "GET / HTTP/1.1\r\n"
			      "Host: 127.0.0.1\r\n"
			      "\r\n";

/* m: connections */
static int load_http(const struct bench_case *c, char *const server[], double *values)
{
	struct bench_load load = {
		.connections = (int)c->m,
		.request = request,
		.request_bytes = sizeof(request) - 1,
		.is_http = true,
	};

	return bench_load_server(server, BENCH_TWO_CPUS, &load, values);
}

static int load_own(const struct bench_case *c, const char *name, double *values)
{
	const char *argv[] = { bench_program(), "--serve", name, NULL };

	return load_http(c, (char *const *)(uintptr_t)argv, values);
}

static int load_floor(const struct bench_case *c, double *values)
{
	return load_own(c, "http-floor", values);
}

static int load_ours(const struct bench_case *c, double *values)
{
	return load_own(c, "http", values);
}

#define HTTP(case_name, connections, reference_cpu)                       \
	{                                                                 \
		.name = case_name, .m = connections, .floor = load_floor, \
		.weft = load_ours, .figures = {                           \
			{ .unit = "CPU us",                               \
			  .reference = reference_cpu,                     \
			  .target_ratio = 1.15 },                         \
			{ .unit = "k req/s", .more_is_better = true },    \
			{ .unit = "p50 us" },                             \
			{ .unit = "p99 us" }                              \
		}                                                         \
	}

static const struct bench_case cases[] = {
	HTTP("hello x 50", 50, 4.17),
	HTTP("hello x 500", 500, 3.81),
};

const struct bench bench_http = {
	.name = "http",
	.what = "an HTTP server that says hello: connections",
	.cases = cases,
	.n_cases = ARRAY_SIZE(cases),
	.load = load_http,
};
