/*
 * What the peers written in C have in common: their main program; see bench/peers.h.
 */
#ifndef WEFT_BENCH_PEERS_PEER_H
#define WEFT_BENCH_PEERS_PEER_H

#include "bench/measure.h"

enum { PEER_EXIT_SKIP = 77 }; /* a case that this peer does not have */

struct peer_case {
	const char *bench;
	const char *name;
	long n; /* what the function makes of it is its own */
	long m;
	void (*measure)(const struct peer_case *c); /* calls peer_put() */
};

struct peer_server {
	const char *bench;
	int (*serve)(void);
};

/* Both lists end with an entry of all zero. */
int peer_main(int argc, char *argv[], const struct peer_case *cases,
	      const struct peer_server *servers);

/* Prints one figure of a case. */
void peer_put(const char *unit, double value);

/* Prints where a listening socket listens. */
void peer_listening(int fd);

#endif
