/*
 * Listening sockets; listener.h has the model.
 */
#include "net/listener.h"

#include <weft/resolver.h>

#include <stdio.h>
#include <unistd.h>

#include "net/socket.h"

/* With the kernel picking a port, all sockets must get it: somebody may be faster with one. */
enum { PORT_TRIES = 16, DEFAULT_BACKLOG = 128 };

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int explain(int r, const struct sockaddr *address, socklen_t size)
{
	char text[ADDRESS_TEXT_SIZE];

	weft__address_format(address, size, text);
	if (r == -EACCES && address->sa_family != AF_UNIX &&
	    weft__address_port(address) < 1024)
		return weft_error_set(
			r,
			"cannot listen on %s: ports below 1024 are for root, or for "
			"who has CAP_NET_BIND_SERVICE",
			text);
	if (r == -EADDRINUSE)
		return weft_error_set(
			r, "cannot listen on %s: the address is in use already", text);
	return weft_error_set(r, "cannot listen on %s: %s", text, strerrordesc_np(-r));
}

/* ---- Paths ---- */

static bool is_path(const union socket_address *address)
{
	return address->any.sa_family == AF_UNIX && address->un.sun_path[0];
}

/* Does nobody listen there any more? */
static bool is_stale(const union socket_address *address, socklen_t size)
{
	struct stat status;
	bool is_refused;
	int fd;

	if (lstat(address->un.sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	fd = weft__socket_new(AF_UNIX);
	if (fd < 0)
		return false;
	is_refused = connect(fd, &address->any, size) < 0 && errno == ECONNREFUSED;
	(void)close(fd);
	return is_refused;
}

static int bind_path(int fd, const union socket_address *address, socklen_t size)
{
	/* Of the socket, before it has a path: so there is no moment with another mode. */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, &address->any, size) == 0)
		return 0;
	if (errno != EADDRINUSE || !is_stale(address, size))
		return -errno;
	if (unlink(address->un.sun_path) < 0 && errno != ENOENT)
		return -EADDRINUSE;
	return bind(fd, &address->any, size) < 0 ? -errno : 0;
}

static int remember_path(struct listener *listener, const char *path)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return -errno;
	listener->path = weft__strdup(path);
	if (!listener->path)
		return -ENOMEM;
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;
}

static void remove_path(struct listener *listener)
{
	struct stat status;

	if (!listener->path)
		return;
	if (lstat(listener->path, &status) == 0 && status.st_dev == listener->device &&
	    status.st_ino == listener->inode)
		(void)unlink(
			listener->path); /* if we may not, it is found to be stale later */
	free(listener->path);
	listener->path = NULL;
}

/* ---- One socket ---- */

static bool is_any_ipv6(const union socket_address *address)
{
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

static int set_options(int fd, const union socket_address *address, bool reuse_port)
{
	int r = 0;

	weft__socket_tune(fd, address->any.sa_family);
	if (address->any.sa_family == AF_UNIX)
		return 0;
	/* Connections of the server before this one may still be in TIME_WAIT. */
	r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && reuse_port)
		r = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && address->any.sa_family == AF_INET6)
		/* All interfaces are those of IPv4, too. */
		r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any_ipv6(address));
	return r;
}

/* Return: the listening socket, or a negative errno. */
static int open_socket(const union socket_address *address, socklen_t size, int backlog,
		       bool reuse_port)
{
	int fd = weft__socket_new(address->any.sa_family), r;

	if (fd < 0)
		return fd;
	r = set_options(fd, address, reuse_port);
	if (r < 0)
		goto close_fd;
	if (is_path(address))
		r = bind_path(fd, address, size);
	else
		r = bind(fd, &address->any, size) < 0 ? -errno : 0;
	if (r < 0)
		goto close_fd;
	if (listen(fd, backlog) < 0) {
		r = -errno;
		goto close_fd;
	}
	return fd;
close_fd:
	(void)close(fd);
	return r;
}

/* ---- All sockets of some addresses ---- */

struct addresses {
	union socket_address *all;
	socklen_t *sizes;
	size_t n;
};

static void close_all(struct listener *listener)
{
	while (listener->n_fds)
		(void)close(listener->fds[--listener->n_fds]);
}

/* The kernel has picked a port: it is that of all. */
static void adopt_port(struct addresses *addresses, int fd)
{
	union socket_address real;
	socklen_t size = sizeof(real);

	if (getsockname(fd, &real.any, &size) < 0)
		return;
	for (size_t i = 0; i < addresses->n; i++)
		if (addresses->all[i].any.sa_family != AF_UNIX)
			weft__address_set_port(&addresses->all[i].any,
					       weft__address_port(&real.any));
}

/* One try; what was opened is closed if it fails. */
static int open_sockets(struct listener *listener, struct addresses *addresses,
			int backlog)
{
	int fd;

	for (size_t copy = 0; copy < listener->n_copies; copy++) {
		for (size_t i = 0; i < addresses->n; i++) {
			fd = open_socket(&addresses->all[i], addresses->sizes[i], backlog,
					 listener->reuse_port);
			if (fd < 0) {
				close_all(listener);
				return explain(fd, &addresses->all[i].any,
					       addresses->sizes[i]);
			}
			listener->fds[listener->n_fds++] = fd;
			if (listener->n_fds == 1)
				adopt_port(addresses, fd);
		}
	}
	return 0;
}

static bool has_port(const struct addresses *addresses)
{
	return addresses->all[0].any.sa_family == AF_UNIX ||
	       weft__address_port(&addresses->all[0].any);
}

static int open_addresses(struct listener *listener, struct addresses *addresses,
			  int backlog)
{
	int n_tries = has_port(addresses) ? 1 : PORT_TRIES, r;

	listener->fds = weft__alloc_array(addresses->n * listener->n_copies, sizeof(int));
	if (!listener->fds)
		return -ENOMEM;
	do {
		r = open_sockets(listener, addresses, backlog);
		if (r == -EADDRINUSE && --n_tries)
			for (size_t i = 0; i < addresses->n; i++)
				weft__address_set_port(&addresses->all[i].any, 0);
	} while (r == -EADDRINUSE && n_tries);
	if (r < 0)
		return r;
	weft__address_format(&addresses->all[0].any, addresses->sizes[0], listener->text);
	if (is_path(&addresses->all[0]))
		r = remember_path(listener, addresses->all[0].un.sun_path);
	return r;
}

/* ---- From text to addresses ---- */

static int open_one(struct listener *listener, const union socket_address *socket,
		    socklen_t size, int backlog)
{
	union socket_address copy = *socket;
	struct addresses one = { .all = &copy, .sizes = &size, .n = 1 };

	return open_addresses(listener, &one, backlog);
}

static int open_any(struct listener *listener, uint16_t port, int backlog)
{
	union socket_address both = { .in6 = { .sin6_family = AF_INET6,
					       .sin6_port = htons(port) } };
	union socket_address ipv4 = { .in = { .sin_family = AF_INET,
					      .sin_port = htons(port) } };
	int r = open_one(listener, &both, sizeof(both.in6), backlog);

	if (r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL)
		return r;
	free(listener->fds); /* a machine without IPv6 */
	listener->fds = NULL;
	return open_one(listener, &ipv4, sizeof(ipv4.in), backlog);
}

static bool has_address(const struct addresses *addresses, const struct addrinfo *entry)
{
	for (size_t i = 0; i < addresses->n; i++)
		if (addresses->sizes[i] == entry->ai_addrlen &&
		    memcmp(&addresses->all[i], entry->ai_addr, entry->ai_addrlen) == 0)
			return true;
	return false;
}

static int open_list(struct listener *listener, const struct addrinfo *list,
		     uint16_t port, int backlog)
{
	struct addresses addresses = { 0 };
	size_t n = 0;
	int r = -ENOMEM;

	for (const struct addrinfo *entry = list; entry; entry = entry->ai_next)
		n++;
	addresses.all = weft__alloc_array(n, sizeof(*addresses.all));
	addresses.sizes = weft__alloc_array(n, sizeof(*addresses.sizes));
	if (!addresses.all || !addresses.sizes)
		goto free_addresses;
	for (const struct addrinfo *entry = list; entry; entry = entry->ai_next) {
		weft__address_set_port(entry->ai_addr, port);
		if (has_address(&addresses, entry))
			continue; /* some lists say everything twice */
		memcpy(&addresses.all[addresses.n], entry->ai_addr, entry->ai_addrlen);
		addresses.sizes[addresses.n++] = entry->ai_addrlen;
	}
	r = open_addresses(listener, &addresses, backlog);
free_addresses:
	free(addresses.all);
	free(addresses.sizes);
	return r;
}

static int open_name(struct listener *listener, const struct address *address,
		     int backlog)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_ADDRCONFIG,
	};
	struct addrinfo *list;
	int r = weft_getaddrinfo(address->host, NULL, &hints, &list);

	if (r < 0)
		return r;
	r = open_list(listener, list, address->port, backlog);
	freeaddrinfo(list);
	return r;
}

/* ---- Sockets that are there already ---- */

/* Is it a stream socket, and does it listen, or can it? */
static int prepare_socket(int fd, int backlog)
{
	if (weft__socket_option(fd, SO_TYPE) != SOCK_STREAM)
		return weft_error_set(
			weft__socket_option(fd, SO_TYPE) < 0 && errno == EBADF ? -EBADF
									       : -EINVAL,
			"cannot listen on descriptor %d: it is not an open stream "
			"socket",
			fd);
	if (weft__socket_option(fd, SO_ACCEPTCONN) != 1 && listen(fd, backlog) < 0)
		return weft_error_set(-errno, "cannot listen on descriptor %d: %s", fd,
				      strerrordesc_np(errno));
	weft__socket_tune(fd, weft__socket_option(fd, SO_DOMAIN));
	return weft__socket_set_nonblocking(fd);
}

static void set_text(struct listener *listener)
{
	union socket_address address;
	socklen_t size = sizeof(address);

	if (getsockname(listener->fds[0], &address.any, &size) == 0)
		weft__address_format(&address.any, size, listener->text);
}

static int adopt_sockets(struct listener *listener, const int *fds, size_t n_fds,
			 int backlog)
{
	int r;

	for (size_t i = 0; i < n_fds; i++) {
		r = prepare_socket(fds[i], backlog);
		if (r < 0)
			return r;
	}
	listener->fds = weft__alloc_array(n_fds, sizeof(int));
	if (!listener->fds)
		return -ENOMEM;
	memcpy(listener->fds, fds, n_fds * sizeof(int));
	listener->n_fds = n_fds;
	listener->is_ours = false;
	listener->is_borrowed = true;
	set_text(listener);
	return 0;
}

/* ---- The whole ---- */

static int open_parsed(struct listener *listener, const struct address *address,
		       int backlog)
{
	switch (address->kind) {
	case ADDRESS_SOCKET:
		return open_one(listener, &address->socket, address->size, backlog);
	case ADDRESS_NAME:
		return open_name(listener, address, backlog);
	case ADDRESS_ANY:
		return open_any(listener, address->port, backlog);
	case ADDRESS_FD:
		return adopt_sockets(listener, &address->fd, 1, backlog);
	}
	return -EINVAL;
}

static bool is_tcp(const struct address *address)
{
	return address->kind != ADDRESS_FD && (address->kind != ADDRESS_SOCKET ||
					       address->socket.any.sa_family != AF_UNIX);
}

int weft__listener_open(struct listener *listener, const char *text, int backlog,
			size_t n_copies, bool reuse_port)
{
	struct address address;
	int r;

	*listener = (struct listener){
		.n_copies = n_copies,
		.reuse_port = reuse_port,
		.is_ours = true,
	};
	r = weft__address_parse(text, &address);
	if (r < 0)
		return r;
	if (reuse_port && !is_tcp(&address))
		return weft_error_set(
			-EINVAL,
			"\"%s\" cannot have a socket for each loop: set .reuse_port "
			"for TCP only",
			text);
	r = open_parsed(listener, &address, backlog ? backlog : DEFAULT_BACKLOG);
	if (r < 0)
		weft__listener_close(listener);
	return r;
}

int weft__listener_borrow(struct listener *listener, const int *fds, size_t n_fds,
			  size_t n_copies)
{
	int r;

	*listener = (struct listener){ .n_copies = n_copies };
	r = adopt_sockets(listener, fds, n_fds, SOMAXCONN);
	if (r < 0)
		weft__listener_close(listener);
	return r;
}

void weft__listener_refuse(struct listener *listener, bool nobody_else_accepts)
{
	bool shuts = listener->is_ours || nobody_else_accepts;

	remove_path(listener);
	for (size_t i = 0; shuts && i < listener->n_fds; i++)
		(void)shutdown(listener->fds[i],
			       SHUT_RDWR); /* a socket that broke refuses, too */
}

void weft__listener_close(struct listener *listener)
{
	remove_path(listener);
	if (!listener->is_borrowed)
		close_all(listener);
	free(listener->fds);
	listener->fds = NULL;
	listener->n_fds = 0;
}
