/*
 * Names and addresses, without blocking the loop.
 *
 * A look-up runs on a thread of a small pool of its own, so a dead name server delays nobody else.
 * It may take 5 s; one that is given up, then or because its task was cancelled, goes on in memory
 * of its own. weft_connect() and weft_listen() use this by themselves.
 */
#ifndef WEFT_RESOLVER_H
#define WEFT_RESOLVER_H

#include <netdb.h>
#include <sys/socket.h>

#include <weft/task.h>

WEFT_BEGIN_DECLS

struct addrinfo; /* netdb.h hides it from a strictly standard C program */

/**
 * weft_getaddrinfo() - getaddrinfo(3), awaited
 * @host:    name or number; NULL as for getaddrinfo(3)
 * @service: name or number, or NULL
 * @hints:   may be NULL
 * @result:  receives the list; free it with freeaddrinfo()
 *
 * Return: 0; -ENOENT for an unknown name; -EAGAIN if no name server answered, -ETIMEDOUT if none
 * did within 5 s; -EIO if it refused; -EINVAL, also for a name that is too long; -ECANCELED.
 *
 * Thread: task.
 * Cancellation point: yes, unless @host and @service are numeric.
 */
WEFT_API WEFT_MUST_CHECK int
weft_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		 struct addrinfo **result);

/**
 * weft_getnameinfo() - getnameinfo(3), awaited
 * @address:       socket address
 * @size:          its size
 * @host:          receives the name; may be NULL
 * @host_bytes:    room there; NI_MAXHOST is enough
 * @service:       receives the service; may be NULL
 * @service_bytes: room there; NI_MAXSERV is enough
 * @flags:         as for getnameinfo(3)
 *
 * Return: as weft_getaddrinfo(); -EMSGSIZE if something does not fit.
 *
 * Thread: task.
 * Cancellation point: yes, unless @flags ask for numbers.
 */
WEFT_API WEFT_MUST_CHECK int
weft_getnameinfo(const struct sockaddr *address, socklen_t size, char *host,
		 size_t host_bytes, char *service, size_t service_bytes, int flags);

WEFT_END_DECLS

#endif
