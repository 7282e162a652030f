/*
 * Floor of the bench "echo": a bare loop around epoll_wait, recv and send.
 *
 * Level-triggered, one buffer for all connections, one receive for each event. What a
 * send did not take is kept, and its connection is not read until that is gone. One
 * thread.
 */
#include "bench/floor/floors.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 128 * 1024 };

struct connection {
	int fd;
	char *rest; /* not sent yet; NULL: nothing */
	size_t rest_bytes;
};

static char buffer[BUFFER_BYTES];
static int epoll_fd;

static void drop(struct connection *c)
{
	(void)close(c->fd); /* the peer is gone or will see it */
	free(c->rest);
	free(c);
}

static int watch(struct connection *c, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	return epoll_ctl(epoll_fd, operation, c->fd, &event);
}

static void send_rest(struct connection *c)
{
	ssize_t n = send(c->fd, c->rest, c->rest_bytes, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN)
			drop(c);
		return;
	}
	c->rest_bytes -= (size_t)n;
	memmove(c->rest, c->rest + n, c->rest_bytes);
	if (c->rest_bytes > 0)
		return;
	free(c->rest);
	c->rest = NULL;
	if (watch(c, EPOLL_CTL_MOD, EPOLLIN) < 0)
		drop(c);
}

/* Keeps what was not sent, and stops reading. */
static void keep_rest(struct connection *c, const char *rest, size_t n)
{
	c->rest = weft__alloc(n);
	if (!c->rest || watch(c, EPOLL_CTL_MOD, EPOLLOUT) < 0) {
		drop(c);
		return;
	}
	memcpy(c->rest, rest, n);
	c->rest_bytes = n;
}

static void echo(struct connection *c)
{
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0), sent;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			drop(c);
		return;
	}
	sent = send(c->fd, buffer, (size_t)n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN) {
		drop(c);
		return;
	}
	sent = MAX(sent, 0);
	if (sent < n)
		keep_rest(c, buffer + sent, (size_t)(n - sent));
}

static void accept_all(int listener)
{
	int one = 1, fd;

	for (;;) {
		struct connection *c;

		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		/* Without it the bench would measure the kernel's delay; it does not
		 * fail. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = weft__zalloc(sizeof(*c));
		if (!c) {
			(void)close(fd); /* nothing was read from it */
			return;
		}
		c->fd = fd;
		if (watch(c, EPOLL_CTL_ADD, EPOLLIN) < 0)
			drop(c);
	}
}

int floor_echo_serve(void)
{
	struct epoll_event events[512], event = { .events = EPOLLIN, .data.ptr = NULL };
	int listener = bench_listen();

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) < 0)
		return -errno;
	for (;;) {
		int n = epoll_wait(epoll_fd, events, ARRAY_SIZE(events), -1);

		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (!c)
				accept_all(listener);
			else if (c->rest)
				send_rest(c);
			else
				echo(c);
		}
	}
}
