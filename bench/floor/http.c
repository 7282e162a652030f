/*
 * Floor of the bench "http": answers whatever ends in an empty line with one fixed reply.
 *
 * Level-triggered epoll, one buffer, no parsing, no headers that depend on anything. One
 * thread.
 */
#include "bench/floor/floors.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char reply[] = "HTTP/1.1 200 OK\r\n"
			    "Content-Type: text/plain\r\n"
			    "Content-Length: 12\r\n"
			    "\r\n"
			    "hello world\n";

static void answer(int fd)
{
	static char buffer[64 * 1024];
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		(void)close(fd); /* the peer is gone */
		return;
	}
	if (n >= 4 && memcmp(buffer + n - 4, "\r\n\r\n", 4) == 0)
		(void)!send(fd, reply, sizeof(reply) - 1,
			    MSG_NOSIGNAL); /* fits, or fd ends */
}

static void accept_all(int epoll_fd, int listener)
{
	struct epoll_event event = { .events = EPOLLIN };
	int one = 1;

	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		/* Without it the bench would measure the kernel's delay; it does not
		 * fail. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		event.data.fd = fd;
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			(void)close(fd); /* nothing was read from it */
	}
}

int floor_http_serve(void)
{
	int listener = bench_listen(), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[512],
		event = { .events = EPOLLIN, .data.fd = listener };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) < 0)
		return -errno;
	for (;;) {
		int n = epoll_wait(epoll_fd, events, ARRAY_SIZE(events), -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll_fd, listener);
			else
				answer(events[i].data.fd);
		}
	}
}
