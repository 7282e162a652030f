/*
 * The peers: other libraries and languages that give the same service.
 *
 * A peer is a program of its own that knows two commands. "--sample BENCH CASE" measures
 * once and prints lines of unit, tab, value; "--serve BENCH" serves and prints where it
 * listens. A peer that is not installed is not found, and left out.
 */
#ifndef WEFT_BENCH_PEERS_H
#define WEFT_BENCH_PEERS_H

#include "base/base.h"

enum { BENCH_PEER_MAX_ARGS = 12 };

/* Fills `names` with the peers found here, then NULL. Starts programs to find out. */
void bench_peers_find(const char **names, size_t n_max);

/*
 * Its commands, into an argv of BENCH_PEER_MAX_ARGS; the texts are static. Return: false
 * if this peer takes no part in that bench. It may still lack a case.
 */
bool bench_peer_sample_command(const char *peer, const char *bench, const char *case_name,
			       const char *budget_ms, const char **argv);
bool bench_peer_serve_command(const char *peer, const char *bench, const char **argv);

#endif
