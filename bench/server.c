/*
 * Servers under load; see server.h.
 *
 * The server has the first CPU to itself and the load the second, or both share the
 * second.
 */
#include "bench/server.h"

#include "bench/floor/floors.h"
#include "bench/ours/ours.h"
#include "bench/process.h"
#include "bench/run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

const struct bench_server_entry bench_servers[] = {
	{ "echo", ours_echo_serve },
	{ "echo-floor", floor_echo_serve },
	{ "http", ours_http_serve },
	{ "http-floor", floor_http_serve },
};
const size_t bench_n_servers = ARRAY_SIZE(bench_servers);

int bench_load_server(char *const argv[], enum bench_layout layout,
		      struct bench_load *load, double *values)
{
	struct bench_load_result result;
	struct bench_process server;
	int r, status;

	r = bench_process_start(&server, argv, layout == BENCH_ONE_CPU ? 1 : 0);
	if (r < 0)
		return r;
	load->server = server.pid;
	load->port = bench_process_port(&server);
	r = load->port;
	bench_pin(1);
	if (r > 0)
		r = bench_load_run(load, &result);
	status = bench_process_stop(&server);
	if (load->port < 0 && status == BENCH_EXIT_SKIP)
		return -ENOTSUP;
	if (r < 0)
		return r;
	values[0] = result.cpu_us;
	values[1] = result.requests_per_s / 1e3;
	values[2] = result.p50_us;
	values[3] = result.p99_us;
	return 0;
}

int bench_listen(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		bench_die("listen: %s", strerror(errno));
	printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	(void)fflush(stdout); /* the sample waits for this line */
	return fd;
}
