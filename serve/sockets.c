/*
 * The listening sockets of a service: all of its addresses.
 *
 * With workers a TCP address has a socket for each of them, bound with SO_REUSEPORT, so that the
 * kernel spreads connections evenly; of processes that watch one socket it wakes the same one
 * again and again. They stay the supervisor's, so that none is lost with a worker: serve/share.c.
 *
 * Looking a name up is for a task, so they are opened by a loop that lives just as long. After
 * that nothing of it is left in the process. On a plain thread.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/listener.h"
#include "serve/serve.h"

struct opening {
	struct sockets *sockets;
	const struct service *service;
};

static int add_fds(struct sockets *sockets, const struct listener *listener)
{
	size_t n = sockets->n_fds + listener->n_fds;
	int *fds;

	if (n > WEFT__SERVE_FDS_MAX)
		return weft_error_set(
			-EINVAL, "weft_serve(): the addresses take more than %d sockets",
			WEFT__SERVE_FDS_MAX);
	fds = weft__realloc_array(sockets->fds, n, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	memcpy(fds + sockets->n_fds, listener->fds, listener->n_fds * sizeof(*fds));
	sockets->fds = fds;
	sockets->n_fds = n;
	return 0;
}

/* A socket for each worker; those that have a path or are open already are shared. */
static size_t count_copies(const struct service *service, const char *address)
{
	bool is_shared =
		strncmp(address, "unix:", 5) == 0 || strncmp(address, "fd:", 3) == 0;

	return is_shared || service->options.workers < 1
		       ? 1
		       : (size_t)service->options.workers;
}

/*
 * SO_REUSEPORT would let a second service of this user in on the same port, and each would get a
 * part of the connections. So one socket without it is bound there first.
 */
static int check_that_nobody_listens(const char *address, int backlog)
{
	struct listener probe;
	int r = weft__listener_open(&probe, address, backlog, 1, false);

	if (r == 0)
		weft__listener_close(&probe);
	return r;
}

static int open_one(struct sockets *sockets, const struct service *service,
		    const char *address)
{
	struct listener *listeners = weft__realloc_array(
		sockets->listeners, sockets->n_listeners + 1, sizeof(*listeners));
	int backlog = service->options.listen.backlog, r = 0;
	struct listener *listener;
	size_t n;

	if (!listeners)
		return -ENOMEM;
	sockets->listeners = listeners;
	listener = &listeners[sockets->n_listeners];
	n = count_copies(service, address);
	if (n > 1)
		r = check_that_nobody_listens(address, backlog);
	if (r == 0)
		r = weft__listener_open(listener, address, backlog, n, n > 1);
	if (r < 0)
		return r;
	sockets->n_listeners++;
	return add_fds(sockets, listener);
}

/* A task: opens one address after the other. */
static int open_all(void *arg)
{
	struct opening *opening = arg;
	char *addresses = weft__strdup(opening->service->options.address);
	char *rest = addresses, *address;
	int r = 0;

	if (!addresses)
		return -ENOMEM;
	while (r == 0 && (address = strsep(&rest, ",")))
		r = open_one(opening->sockets, opening->service, address);
	free(addresses);
	return r;
}

bool weft__service_has_fds(const struct service *service)
{
	const char *address = service->options.address;

	return strncmp(address, "fd:", 3) == 0 || strstr(address, ",fd:");
}

static void tell(const struct service *service, const char *address)
{
	if (service->options.on_listening)
		service->options.on_listening(address, service->arg);
	else
		fprintf(stderr, "listening on %s\n", address);
}

int weft__sockets_open(struct sockets *sockets, const struct service *service)
{
	struct opening opening = { .sockets = sockets, .service = service };
	struct weft_run_options options = { .keep_signals = true };
	int r;

	*sockets = (struct sockets){ 0 };
	r = weft_run_with(open_all, &opening, &options);
	if (r < 0) {
		const struct weft_error *error = weft__error_take(r);

		weft__sockets_close(sockets);
		weft__error_give(error);
		return r;
	}
	for (size_t i = 0; i < sockets->n_listeners; i++)
		tell(service, sockets->listeners[i].text);
	return 0;
}

void weft__sockets_refuse(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->n_listeners; i++)
		weft__listener_refuse(&sockets->listeners[i]);
}

void weft__sockets_close(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->n_listeners; i++)
		weft__listener_close(&sockets->listeners[i]);
	free(sockets->listeners);
	free(sockets->fds);
	*sockets = (struct sockets){ 0 };
}
