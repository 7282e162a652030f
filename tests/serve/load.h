/*
 * Load on a service, by threads with a blocking client each, and a strict account of it.
 *
 * A client connects, asks a few times, as long as the server does not say "Connection: close", and
 * connects again. A request that gets no answer is a failure, unless the death of a worker explains
 * it: whoever kills one says so before, by load_will_kill(). A connection whose worker is known, from
 * an answer before, is explained by the death of that worker only; of one that was never answered
 * nobody knows whose it was, so any death while it lasted explains it.
 */
#ifndef WEFT_TESTS_SERVE_LOAD_H
#define WEFT_TESTS_SERVE_LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum { LOAD_CLIENTS = 8, LOAD_MAX_KILLS = 1000 };

struct load {
	const char *address;
	pthread_t threads[LOAD_CLIENTS];
	atomic_bool stopping;
	atomic_long n_answers;
	atomic_long n_connections;
	atomic_long n_excused; /* explained by a death */
	atomic_long n_failures;
	atomic_int first_failure; /* its code */
	_Atomic pid_t killed[LOAD_MAX_KILLS];
	atomic_int n_killed;
};

void load_start(struct load *load, const char *address);
void load_will_kill(struct load *load, pid_t pid);
void load_stop(struct load *load);

#endif
