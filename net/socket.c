/*
 * Sockets and their options; socket.h says which. Any thread.
 */
#include "net/socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

/* An option that cannot be set is one that this socket does not need: it works without. */
static void set(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

int weft__socket_new(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

void weft__socket_tune(int fd, int family)
{
	if (family != AF_INET && family != AF_INET6)
		return;
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	weft__socket_set_stall(fd, SOCKET_STALL_NS);
}

void weft__socket_set_stall(int fd, weft_time stall_ns)
{
	weft_time ms = stall_ns == WEFT_FOREVER ? 0 : stall_ns / WEFT_MSEC;

	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)MIN(ms, (weft_time)INT32_MAX));
}

int weft__socket_unsent(int fd)
{
	int n;

	return ioctl(fd, SIOCOUTQ, &n) < 0 ? 0 : n;
}

int weft__socket_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int weft__socket_option(int fd, int option)
{
	int value;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}
