/*
 * Messages over the control socket between a supervisor and a worker; see the header.
 *
 * Numbers are in the order of this machine, which both sides share. The receiver trusts
 * nothing: a worker may be out of its mind, and the supervisor has to survive it.
 */
#include "ipc/control.h"

#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAGIC 0x77656674u /* "weft" */

struct header {
	/* The same in every version. */
	uint32_t magic;
	uint16_t protocol;
	uint16_t kind;
	/* Of this version. */
	uint64_t value;
};
static_assert(sizeof(struct header) == 16, "no padding goes over the wire");

int weft__control_pair(int *supervisor_end, int *worker_end)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) <
	    0)
		return weft_error_set(-errno, "could not make a control socket: %s",
				      strerror(errno));
	*supervisor_end = fds[0];
	*worker_end = fds[1];
	return 0;
}

int weft__control_send(int fd, enum weft__control_kind kind, uint64_t value,
		       struct weft_bytes bytes)
{
	struct header header = { MAGIC, WEFT__CONTROL_PROTOCOL, (uint16_t)kind, value };
	/* The cast drops a const that sendmsg() respects. */
	struct iovec parts[2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.size },
	};
	struct msghdr packet = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };
	ssize_t n;

	if (bytes.size > WEFT__CONTROL_MOST_BYTES)
		return -EMSGSIZE;
	do
		n = sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

int weft__control_receive(int fd, struct weft__control_message *message)
{
	struct header header = { 0 };
	struct iovec parts[2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = message->bytes, .iov_len = sizeof(message->bytes) },
	};
	struct msghdr packet = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };
	ssize_t n;

	do
		n = recvmsg(fd, &packet, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE; /* an empty packet looks like this too, and nobody sends
				  one */
	if ((size_t)n < offsetof(struct header, value) || header.magic != MAGIC)
		return -EPROTO;
	message->protocol = header.protocol;
	if (header.protocol != WEFT__CONTROL_PROTOCOL)
		return -EPROTONOSUPPORT;
	if ((size_t)n < sizeof(header) || (packet.msg_flags & MSG_TRUNC))
		return -EPROTO;
	message->kind = header.kind;
	message->value = header.value;
	message->size = (size_t)n - sizeof(header);
	return 0;
}

bool weft__control_is_from(int fd, pid_t supervisor)
{
	struct ucred peer;
	socklen_t size = sizeof(int);
	int domain, type;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
	    domain != AF_UNIX)
		return false;
	size = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    type != SOCK_SEQPACKET)
		return false;
	size = sizeof(peer);
	/* Of a socket pair this is who made it. */
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       peer.pid == supervisor;
}
