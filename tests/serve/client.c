/*
 * A plain blocking HTTP client; see the header.
 */
#include "tests/serve/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"

#define HANG_LIMIT_S 30

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_un un;
};

static socklen_t parse(const char *text, union address *address)
{
	memset(address, 0, sizeof(*address));
	if (strncmp(text, "unix:", 5) == 0) {
		address->un.sun_family = AF_UNIX;
		snprintf(address->un.sun_path, sizeof(address->un.sun_path), "%s",
			 text + 5);
		return sizeof(address->un);
	}
	address->in.sin_family = AF_INET;
	address->in.sin_port = htons((uint16_t)atoi(strrchr(text, ':') + 1));
	address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(address->in);
}

static int begin(const char *text, int flags)
{
	const struct timeval limit = { .tv_sec = HANG_LIMIT_S };
	union address address;
	socklen_t size = parse(text, &address);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), r;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, &address.any, size) == 0 || errno == EINPROGRESS)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

int client_connect(const char *address)
{
	return begin(address, 0);
}

int client_connect_soon(const char *address)
{
	int fd = begin(address, SOCK_NONBLOCK);

	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

bool client_is_refused(void *address)
{
	int fd = client_connect(address);

	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

int client_send(int fd, const char *path)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: test\r\n\r\n",
			 path);

	return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -errno;
}

/* Return: 1 if text[0..size) holds a whole reply, 0 if not yet, -EBADMSG. */
static int parse_reply(const char *text, struct reply *reply)
{
	const char *end = strstr(text, "\r\n\r\n"), *length;
	size_t n;

	if (!end)
		return 0;
	if (sscanf(text, "HTTP/1.1 %d ", &reply->status) != 1)
		return -EBADMSG;
	length = strcasestr(text, "\r\nContent-Length: ");
	if (!length || length > end)
		return -EBADMSG;
	n = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
	if (strlen(end + 4) < n)
		return 0;
	snprintf(reply->body, sizeof(reply->body), "%.*s", (int)n, end + 4);
	length = strcasestr(text, "\r\nConnection: close");
	reply->closes = length && length <= end;
	return 1;
}

int client_receive(int fd, struct reply *reply)
{
	char text[2048];
	size_t have = 0;
	int r = 0;

	while (r == 0) {
		ssize_t n = recv(fd, text + have, sizeof(text) - 1 - have, 0);

		if (n < 0)
			return -errno;
		if (n == 0)
			return have ? -EPIPE : -ENODATA;
		have += (size_t)n;
		text[have] = '\0';
		r = parse_reply(text, reply);
	}
	return MIN(r, 0);
}

int client_ask(int fd, const char *path, struct reply *reply)
{
	int r = client_send(fd, path);

	return r < 0 ? r : client_receive(fd, reply);
}

int client_ask_once(const char *address, const char *path, struct reply *reply)
{
	int fd = client_connect(address), r;

	if (fd < 0)
		return fd;
	r = client_ask(fd, path, reply);
	(void)close(fd);
	return r;
}

bool client_sees_end(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0) == 0;
}
