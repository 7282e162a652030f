/*
 * Sockets: making them, and the options that all of ours have.
 *
 * TCP sockets send at once (TCP_NODELAY), and notice a peer that is gone: by keep-alive probes
 * while nothing is under way (60 s, then 3 at 10 s), and after 30 s without an acknowledgement
 * while something is. What a connection accepted has of these it inherits from its listener, so
 * accepting costs no call for them. Any thread.
 */
#ifndef WEFT_NET_SOCKET_H
#define WEFT_NET_SOCKET_H

#include <sys/socket.h>

#include "loop/poller.h"

/* So long a peer may take nothing before the connection is given up. */
#define SOCKET_STALL_NS (30 * WEFT_SEC)

/* Return: a stream socket, non-blocking and close-on-exec; or a negative errno. */
int weft__socket_new(int family);

/* Sets what the comment above says, as far as it can be set. */
void weft__socket_tune(int fd, int family);
/* Another limit than 30 s; WEFT_FOREVER leaves it to the kernel, some 15 minutes. */
void weft__socket_set_stall(int fd, weft_time stall_ns);

/* How many bytes the kernel has of what was sent that the peer does not; 0 if it cannot tell. */
int weft__socket_unsent(int fd);

/* Return: 0 or a negative errno. */
int weft__socket_set_nonblocking(int fd);

/* What the poller has to know of a socket of this family. */
static inline enum descriptor_kind socket_kind(int family)
{
	return family == AF_INET || family == AF_INET6 ? DESCRIPTOR_TCP
						       : DESCRIPTOR_SOCKET;
}

/* An integer option of the level SOL_SOCKET; -1 if it has none. */
int weft__socket_option(int fd, int option);

#endif
