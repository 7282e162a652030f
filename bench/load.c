/*
 * The load generator; see load.h.
 *
 * Level-triggered epoll. A reply that is whole is timed, and its connection sends again
 * at once. After a warm-up the same connections are measured for bench_budget(). One
 * thread.
 */
#include "bench/load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PREFIX_BYTES = 15, RECEIVE_BYTES = 256 * 1024 }; /* 15: "HTTP/1.1 200 OK" */

struct connection {
	int fd;
	size_t sent;
	size_t received;
	weft_time started;
	uint32_t events; /* watched for */
};

struct generator {
	const struct bench_load *load;
	struct connection *connections;
	char *received; /* RECEIVE_BYTES, what has just come on any connection */
	char prefix[PREFIX_BYTES]; /* how each reply begins */
	size_t reply_bytes;
	int epoll_fd;
	uint64_t n_done;
	struct bench_histogram *latencies;
};

static int connect_to(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port) };
	int one = 1, r;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0) {
		r = -errno;
		(void)close(fd); /* never used */
		return r;
	}
	return fd;
}

/* ---- What a reply looks like ---- */

/* The size of the reply whose first n bytes these are; 0 while that cannot be told. */
static size_t http_reply_bytes(const char *reply, size_t n)
{
	static const char field[] = "\r\ncontent-length:";
	const char *end = memmem(reply, n, "\r\n\r\n", 4);

	if (!end)
		return 0;
	for (const char *at = reply; at < end; at++) {
		if (strncasecmp(at, field, sizeof(field) - 1) == 0)
			return (size_t)(end + 4 - reply) +
			       (size_t)strtol(at + sizeof(field) - 1, NULL, 10);
	}
	return 0;
}

/* A server that could not say when it listens may need a moment. */
static int connect_at_first(int port)
{
	weft_time end = weft__clock() + 5 * WEFT_SEC;
	int fd = connect_to(port);

	while (fd == -ECONNREFUSED && weft__clock() < end) {
		(void)poll(NULL, 0, 1); /* a pause */
		fd = connect_to(port);
	}
	return fd;
}

/* Asks once, on a connection of its own. */
static int learn_http_reply(struct generator *g)
{
	size_t have = 0, size = 0;
	int fd = connect_at_first(g->load->port), r = 0;

	if (fd < 0)
		return fd;
	if (send(fd, g->load->request, g->load->request_bytes, MSG_NOSIGNAL) < 0)
		r = -errno;
	while (r == 0 && (size == 0 || have < size)) {
		ssize_t n = recv(fd, g->received + have, RECEIVE_BYTES - 1 - have, 0);

		if (n <= 0) {
			r = n < 0 ? -errno : -ENODATA;
			break;
		}
		have += (size_t)n;
		g->received[have] = '\0';
		size = http_reply_bytes(g->received, have);
	}
	(void)close(fd); /* the server sees the end of the connection */
	if (r < 0)
		return r;
	if (size < PREFIX_BYTES ||
	    memcmp(g->received, "HTTP/1.1 200 OK", PREFIX_BYTES) != 0)
		return -EPROTO;
	memcpy(g->prefix, g->received, PREFIX_BYTES);
	g->reply_bytes = size;
	return 0;
}

static int learn_reply(struct generator *g)
{
	if (g->load->is_http)
		return learn_http_reply(g);
	g->reply_bytes = g->load->request_bytes;
	memcpy(g->prefix, g->load->request, MIN(g->reply_bytes, (size_t)PREFIX_BYTES));
	return 0;
}

/* ---- One request after the other ---- */

static int watch(struct generator *g, struct connection *c, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (c->events == events)
		return 0;
	if (epoll_ctl(g->epoll_fd, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd,
		      &event) < 0)
		return -errno;
	c->events = events;
	return 0;
}

static int send_rest(struct generator *g, struct connection *c)
{
	size_t size = g->load->request_bytes;

	while (c->sent < size) {
		ssize_t n = send(c->fd, g->load->request + c->sent, size - c->sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		c->sent += (size_t)n;
	}
	return watch(g, c, c->sent < size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int send_next(struct generator *g, struct connection *c, weft_time now)
{
	c->sent = 0;
	c->received = 0;
	c->started = now;
	return send_rest(g, c);
}

static int receive(struct generator *g, struct connection *c)
{
	weft_time now;

	do {
		ssize_t n = recv(c->fd, g->received, RECEIVE_BYTES, 0);

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		if (c->received == 0 && n >= PREFIX_BYTES &&
		    memcmp(g->received, g->prefix, PREFIX_BYTES) != 0)
			return -EPROTO;
		c->received += (size_t)n;
		if (c->received > g->reply_bytes)
			return -EPROTO;
		if (c->received < g->reply_bytes && n < RECEIVE_BYTES)
			return 0;
	} while (c->received < g->reply_bytes);

	now = weft__clock();
	bench_record(g->latencies, now - c->started);
	g->n_done++;
	return send_next(g, c, now);
}

static int run_until(struct generator *g, weft_time end)
{
	struct epoll_event events[512];

	while (weft__clock() < end) {
		int n = epoll_wait(g->epoll_fd, events, ARRAY_SIZE(events), 100);

		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			int r = 0;

			if (events[i].events & EPOLLOUT)
				r = send_rest(g, c);
			if (r == 0 &&
			    (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
				r = receive(g, c);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- The whole ---- */

static int open_connections(struct generator *g)
{
	for (int i = 0; i < g->load->connections; i++) {
		struct connection *c = &g->connections[i];

		c->fd = connect_to(g->load->port);
		if (c->fd < 0)
			return c->fd;
		if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
			return -errno;
	}
	for (int i = 0; i < g->load->connections; i++) {
		int r = send_next(g, &g->connections[i], weft__clock());

		if (r < 0)
			return r;
	}
	return 0;
}

static int measure(struct generator *g, struct bench_load_result *result)
{
	weft_time wall = weft__clock(), cpu = bench_cpu_of(g->load->server);
	int r;

	if (cpu < 0)
		return (int)cpu;
	memset(g->latencies, 0, sizeof(*g->latencies));
	g->n_done = 0;
	r = run_until(g, wall + bench_budget());
	if (r < 0)
		return r;
	cpu = bench_cpu_of(g->load->server) - cpu;
	wall = weft__clock() - wall;
	if (g->n_done == 0)
		return -ENODATA;
	result->requests_per_s = (double)g->n_done * WEFT_SEC / (double)wall;
	result->cpu_us = (double)cpu / WEFT_USEC / (double)g->n_done;
	result->p50_us = bench_percentile(g->latencies, 50) / WEFT_USEC;
	result->p99_us = bench_percentile(g->latencies, 99) / WEFT_USEC;
	return 0;
}

int bench_load_run(const struct bench_load *load, struct bench_load_result *result)
{
	struct generator g = { .load = load, .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	int r;

	g.connections =
		weft__alloc_array((size_t)load->connections, sizeof(*g.connections));
	g.received = weft__alloc(RECEIVE_BYTES);
	g.latencies = weft__zalloc(sizeof(*g.latencies));
	if (g.epoll_fd < 0 || !g.connections || !g.received || !g.latencies)
		return -ENOMEM; /* the sample ends here, and with it all that it holds */
	r = learn_reply(&g);
	if (r == 0)
		r = open_connections(&g);
	if (r == 0)
		r = run_until(&g, weft__clock() + bench_budget() / 2); /* warm-up */
	if (r == 0)
		r = measure(&g, result);
	return r;
}
