/*
 * Serving, inside the library; <weft/serve.h> has the model for callers.
 *
 *   serve.c    which of the three this process is: supervisor, worker, or both in one
 *   supervise.c the supervisor: opens the sockets, tells what happens
 *   sockets.c  the listening sockets of all addresses
 *   share.c    which of them are a worker's own
 *   worker.c   the worker: loops, server, heartbeats, the way out
 *   options.c  flags and environment
 */
#ifndef WEFT_SERVE_SERVE_H
#define WEFT_SERVE_SERVE_H

#include <weft/serve.h>

#include "base/base.h"
#include "ipc/worker.h"

/* So many sockets are handed down to a worker. */
enum { WEFT__SERVE_FDS_MAX = 256 };

enum { WEFT__SERVE_DEFAULT_LOOPS = 1 };
#define WEFT__SERVE_DEFAULT_ADDRESS "127.0.0.1:8000"
#define WEFT__SERVE_DEFAULT_GRACE   (30 * WEFT_SEC)

/* What a process serves, with the defaults filled in. */
struct service {
	struct weft_serve_options options;
	weft_connection_fn *handler;
	void *arg;
	const void *place; /* who called weft_serve() */
};

/* The listening sockets of all addresses; owned. */
struct sockets {
	int *fds;
	size_t n_fds;
	struct listener *listeners;
	size_t n_listeners;
};

/*
 * Opens all addresses, or none. On a plain thread; names are looked up, so this may take a moment.
 * Return: 0 or a negative errno.
 */
int weft__sockets_open(struct sockets *sockets, const struct service *service);
/*
 * Tells service->options.on_listening of each. To be called when signals do what they are to do:
 * who waits for that line may send one at once.
 */
void weft__sockets_tell(const struct sockets *sockets, const struct service *service);
/* Is one of the addresses "fd:N", a socket that somebody else has opened? */
bool weft__service_has_fds(const struct service *service);
/*
 * New connections go to the sockets of the first n workers only; others have none any more. Where
 * the kernel does not let us say so, they go to all, and wait there until a worker looks around.
 */
void weft__sockets_spread(const struct sockets *sockets, int n_workers);
/* From now on nobody can connect; those who wait in the queues are turned away. */
void weft__sockets_refuse(struct sockets *sockets);
void weft__sockets_close(struct sockets *sockets);

/* A worker's share of the sockets that all workers were handed down; owned. */
struct share {
	int *own;
	size_t n_own;
	int *foreign; /* of other workers, which may be gone or busy */
	size_t n_foreign;
};

int weft__share_init(struct share *share, const int *fds, size_t n_fds, int worker_index);
void weft__share_fini(struct share *share);
/* Which of the others' sockets has somebody waiting; -1: none. */
int weft__share_find_waiting(const struct share *share);

/* On a plain thread, until told to stop. `argv`: the program's own arguments. */
int weft__supervise(const struct service *service, char *const *argv);

/*
 * Serves on these sockets in this process, on a plain thread. `worker`: NULL without a
 * supervisor; then SIGINT and SIGTERM are what ends it, and it tells of the sockets. If jobs of the
 * shared pool still run in the end, *left_jobs_behind is set: then main() must not go on.
 */
int weft__serve_here(const struct service *service, const struct sockets *sockets,
		     struct weft__worker *worker, bool *left_jobs_behind);

#endif
