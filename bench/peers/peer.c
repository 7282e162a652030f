/*
 * The main program of the peers written in C; see peer.h.
 */
#include "bench/peers/peer.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void peer_put(const char *unit, double value)
{
	printf("%s\t%.9g\n", unit, value);
}

void peer_listening(int fd)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		bench_die("getsockname: %s", strerror(errno));
	printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	(void)fflush(stdout); /* the sample waits for this line */
}

/* --sample BENCH CASE BUDGET_MS, or --serve BENCH */
int peer_main(int argc, char *argv[], const struct peer_case *cases,
	      const struct peer_server *servers)
{
	(void)bench_n_cpus(); /* remembers the CPUs allowed before anything is pinned */
	if (argc == 5 && strcmp(argv[1], "--sample") == 0) {
		bench_set_budget(strtol(argv[4], NULL, 10) * WEFT_MSEC);
		for (; cases->bench; cases++) {
			if (strcmp(cases->bench, argv[2]) != 0 ||
			    strcmp(cases->name, argv[3]) != 0)
				continue;
			cases->measure(cases);
			return EXIT_SUCCESS;
		}
		return PEER_EXIT_SKIP;
	}
	if (argc == 3 && strcmp(argv[1], "--serve") == 0) {
		for (; servers->bench; servers++) {
			if (strcmp(servers->bench, argv[2]) == 0)
				return servers->serve() ? EXIT_FAILURE : EXIT_SUCCESS;
		}
	}
	bench_die("a peer is started by weft-bench --peers");
}
