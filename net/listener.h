/*
 * Listening sockets: opening those of an address, and giving them up.
 *
 * An address may take several sockets: a name may stand for several addresses, and with
 * SO_REUSEPORT each loop gets its own copies. A port that the kernel picks is the same for all.
 *
 * A path in the file system belongs to one server: it is made with mode 0600 before anybody can
 * connect, replaces a socket only if nobody listens on that any more, and is removed at the end if
 * it is still ours. (To let others connect, chmod it after weft_listen().)
 *
 * Thread: opening: a task, since a name may have to be looked up; the rest: any, one at a time.
 */
#ifndef WEFT_NET_LISTENER_H
#define WEFT_NET_LISTENER_H

#include <sys/stat.h>

#include "net/address.h"

struct listener {
	int *fds; /* of the first copy, then of the second ... */
	size_t n_fds; /* all of them */
	size_t n_copies;
	bool reuse_port;
	bool is_ours; /* nobody else accepts from these sockets */
	bool is_borrowed; /* they stay the caller's; that of "fd:3" until its owner says otherwise */
	char *path; /* to remove at the end, or NULL */
	dev_t device; /* of the path; as long as the socket is open nobody else gets that inode */
	ino_t inode;
	char text[ADDRESS_TEXT_SIZE]; /* the first one's address, with the real port */
};

/* A backlog of 0 is 128. Return: 0; -EADDRINUSE, -EACCES, -EINVAL ... with the address in the
 * message. */
int weft__listener_open(struct listener *listener, const char *text, int backlog,
			size_t n_copies, bool reuse_port);
/* Sockets that listen already and stay the caller's. */
int weft__listener_borrow(struct listener *listener, const int *fds, size_t n_fds,
			  size_t n_copies);
/*
 * From now on nobody can connect. Sockets that are not ours are left alone, since others may accept
 * from them as well, unless `nobody_else_accepts`.
 */
void weft__listener_refuse(struct listener *listener, bool nobody_else_accepts);
/* The sockets go; nobody watches them any more. May be called again. */
void weft__listener_close(struct listener *listener);

/* The sockets of a copy. */
static inline const int *listener_copy(const struct listener *listener, size_t copy,
				       size_t *n)
{
	*n = listener->n_fds / listener->n_copies;
	return listener->fds + (copy % listener->n_copies) * *n;
}

#endif
