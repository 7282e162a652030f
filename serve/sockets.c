/*
 * The listening sockets of a service: all of its addresses.
 *
 * With workers a TCP address has a socket for each of them, bound with SO_REUSEPORT, so that the
 * kernel spreads connections evenly; of processes that watch one socket it wakes the same one
 * again and again. They stay the supervisor's, so that none is lost with a worker: serve/share.c.
 * Each worker is handed down all of them, so there is a limit: beyond it some share one.
 * The socket of a worker that is not wanted any more (SIGTTOU) stays open, too, since closing it
 * would reset who waits in its queue; but the kernel is told to put nobody there any more.
 *
 * Looking a name up is for a task, so they are opened by a loop that lives just as long. After
 * that nothing of it is left in the process. On a plain thread.
 */
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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
			-EINVAL,
			"weft_serve(): .address takes more than %d sockets: name fewer "
			"addresses, or \":PORT\" for all interfaces",
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
 * part of the connections. So one socket without it is bound there first. Tells how many sockets
 * the address takes: a name may stand for several.
 */
static int check_that_nobody_listens(const char *address, int backlog, size_t *n_sockets)
{
	struct listener probe;
	int r = weft__listener_open(&probe, address, backlog, 1, false);

	if (r < 0)
		return r;
	*n_sockets = probe.n_fds;
	weft__listener_close(&probe);
	return 0;
}

/* How many copies there is room for, if this one and the addresses that follow get their share. */
static size_t count_room(const struct sockets *sockets, size_t n_addresses,
			 size_t n_sockets)
{
	size_t n = (WEFT__SERVE_FDS_MAX - sockets->n_fds) / n_addresses / n_sockets;

	return MAX(n, (size_t)1);
}

/* The first of so many addresses that are to be opened. */
static int open_one(struct sockets *sockets, const struct service *service,
		    const char *address, size_t n_addresses)
{
	struct listener *listeners = weft__realloc_array(
		sockets->listeners, sockets->n_listeners + 1, sizeof(*listeners));
	int backlog = service->options.listen.backlog, r = 0;
	size_t n = count_copies(service, address), n_sockets = 1;
	struct listener *listener;

	if (!listeners)
		return -ENOMEM;
	sockets->listeners = listeners;
	listener = &listeners[sockets->n_listeners];
	if (n > 1) {
		r = check_that_nobody_listens(address, backlog, &n_sockets);
		n = MIN(n, count_room(sockets, n_addresses, n_sockets));
	}
	if (r == 0)
		r = weft__listener_open(listener, address, backlog, n, n > 1);
	if (r < 0)
		return r;
	sockets->n_listeners++;
	return add_fds(sockets, listener);
}

static size_t count_addresses(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

/* A task: opens one address after the other. */
static int open_all(void *arg)
{
	struct opening *opening = arg;
	char *addresses = weft__strdup(opening->service->options.address);
	size_t n = count_addresses(opening->service->options.address);
	char *rest = addresses, *address;
	int r = 0;

	if (!addresses)
		return -ENOMEM;
	while (r == 0 && (address = strsep(&rest, ",")))
		r = open_one(opening->sockets, opening->service, address, n--);
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

void weft__sockets_tell(const struct sockets *sockets, const struct service *service)
{
	for (size_t i = 0; i < sockets->n_listeners; i++)
		tell(service, sockets->listeners[i].text);
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
	return 0;
}

/* Of a group of sockets that share an address, those from number n on get nothing. */
static void spread_over(int fd, size_t n)
{
	struct sock_filter any_of_n[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, (uint32_t)n),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = { ARRAY_SIZE(any_of_n), any_of_n };

	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
			 sizeof(program)); /* see the header */
}

static void spread_over_all(int fd)
{
	int unused = 0;

	/* If there is nothing to take back, that is how it is. */
	(void)setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &unused,
			 sizeof(unused));
}

void weft__sockets_spread(const struct sockets *sockets, int n_workers)
{
	size_t n = (size_t)n_workers, n_first;

	for (size_t i = 0; i < sockets->n_listeners; i++) {
		const struct listener *listener = &sockets->listeners[i];
		const int *first = listener_copy(listener, 0, &n_first);

		/* The numbers of a group are in the order in which its sockets were opened. */
		for (size_t k = 0; k < n_first && listener->n_copies > 1; k++) {
			if (n < listener->n_copies)
				spread_over(first[k], n);
			else
				spread_over_all(first[k]);
		}
	}
}

void weft__sockets_refuse(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->n_listeners; i++)
		weft__listener_refuse(&sockets->listeners[i], false);
}

void weft__sockets_close(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->n_listeners; i++)
		weft__listener_close(&sockets->listeners[i]);
	free(sockets->listeners);
	free(sockets->fds);
	*sockets = (struct sockets){ 0 };
}
