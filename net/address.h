/*
 * Addresses as text, both ways.
 *
 *	example.org:80  127.0.0.1:0  [::1]:8080  :8080  *:8080
 *	unix:/run/app.sock  unix:@abstract  fd:3
 *
 * Nothing is looked up here: a name stays a name (net/resolver.c). What is too long is refused and
 * never cut, since what is left would be the address of somebody else. Any thread.
 */
#ifndef WEFT_NET_ADDRESS_H
#define WEFT_NET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"

enum {
	HOST_NAME_MAX_BYTES = 253, /* RFC 1035, without the dot at the end */
	ADDRESS_TEXT_SIZE = 128, /* enough for every address that has a socket */
};

union socket_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

enum address_kind {
	ADDRESS_SOCKET, /* a numeric or Unix address, in `socket` */
	ADDRESS_NAME, /* has to be looked up */
	ADDRESS_ANY, /* all interfaces */
	ADDRESS_FD, /* an open descriptor */
};

struct address {
	enum address_kind kind;
	union socket_address socket;
	socklen_t size; /* of `socket` */
	uint16_t port; /* ADDRESS_NAME, ADDRESS_ANY */
	int fd;
	char host[HOST_NAME_MAX_BYTES + 2]; /* ADDRESS_NAME */
};

/* Return: 0; -EINVAL or -ENAMETOOLONG, with a sentence that says what to change. */
int weft__address_parse(const char *text, struct address *address);

/*
 * As text that weft__address_parse() understands; "" for a socket without an address. An IPv4
 * address that came in by an IPv6 socket is shown as IPv4. Return: `buffer`.
 */
const char *weft__address_format(const struct sockaddr *address, socklen_t size,
				 char buffer[ADDRESS_TEXT_SIZE]);

/* Of an IPv4 or IPv6 address, in host order. */
uint16_t weft__address_port(const struct sockaddr *address);
void weft__address_set_port(struct sockaddr *address, uint16_t port);

#endif
