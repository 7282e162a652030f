/*
 * Addresses as text, both ways; address.h has the forms. Any thread.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

/* ---- Ports and numbers ---- */

/* Return: true if all of `text` is a number up to `max`. */
static bool parse_number(const char *text, unsigned max, unsigned *number)
{
	unsigned n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > max)
			return false;
	}
	*number = n;
	return true;
}

static int parse_port(const char *whole, const char *text, uint16_t *port)
{
	unsigned number;

	if (!parse_number(text, UINT16_MAX, &number))
		return weft_error_set(
			-EINVAL,
			"the port of the address \"%s\" is not a number from 0 to "
			"65535",
			whole);
	*port = (uint16_t)number;
	return 0;
}

uint16_t weft__address_port(const struct sockaddr *address)
{
	const union socket_address *of =
		(const union socket_address *)(const void *)address;

	return ntohs(address->sa_family == AF_INET6 ? of->in6.sin6_port
						    : of->in.sin_port);
}

void weft__address_set_port(struct sockaddr *address, uint16_t port)
{
	union socket_address *of = (union socket_address *)(void *)address;

	if (address->sa_family == AF_INET6)
		of->in6.sin6_port = htons(port);
	else
		of->in.sin_port = htons(port);
}

/* ---- Internet ---- */

static void set_ipv4(struct address *address, struct in_addr host, uint16_t port)
{
	address->kind = ADDRESS_SOCKET;
	address->socket.in = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = host,
		.sin_port = htons(port),
	};
	address->size = sizeof(address->socket.in);
}

static void set_ipv6(struct address *address, const struct in6_addr *host, unsigned scope,
		     uint16_t port)
{
	address->kind = ADDRESS_SOCKET;
	address->socket.in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_addr = *host,
		.sin6_port = htons(port),
		.sin6_scope_id = scope,
	};
	address->size = sizeof(address->socket.in6);
}

/* "eth0", or the number of an interface. */
static bool parse_scope(const char *text, unsigned *scope)
{
	*scope = if_nametoindex(text);
	return *scope || parse_number(text, INT32_MAX, scope);
}

/* "[::1]:8080", "[fe80::1%eth0]:8080". */
static int parse_ipv6(const char *text, struct address *address)
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE];
	const char *end = strchr(text, ']');
	struct in6_addr binary;
	unsigned scope = 0;
	size_t size;
	uint16_t port = 0;
	char *percent;
	int r;

	if (!end || end[1] != ':')
		return weft_error_set(
			-EINVAL,
			"the address \"%s\" begins with a bracket: write an IPv6 "
			"address as \"[::1]:8080\"",
			text);
	size = (size_t)(end - text - 1);
	if (size >= sizeof(host))
		goto not_ipv6;
	memcpy(host, text + 1, size);
	host[size] = '\0';
	percent = strchr(host, '%');
	if (percent)
		*percent++ = '\0';
	if (inet_pton(AF_INET6, host, &binary) != 1)
		goto not_ipv6;
	if (percent && !parse_scope(percent, &scope))
		return weft_error_set(
			-EINVAL,
			"the address \"%s\" names a network interface that this "
			"machine does not have",
			text);
	r = parse_port(text, end + 2, &port);
	if (r < 0)
		return r;
	set_ipv6(address, &binary, scope, port);
	return 0;
not_ipv6:
	return weft_error_set(
		-EINVAL,
		"what is in the brackets of the address \"%s\" is not an IPv6 "
		"address",
		text);
}

/* What a name may consist of; bytes beyond ASCII are left to the resolver. */
static bool is_host_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c >= 0x80;
}

static int check_host(const char *whole, const char *host, size_t size)
{
	/* A dot at the end is allowed on top: it only says that the name is complete. */
	if (size - (host[size - 1] == '.') > HOST_NAME_MAX_BYTES)
		return weft_error_set(
			-ENAMETOOLONG,
			"the host of an address has %zu bytes: a name has at most %d",
			size, HOST_NAME_MAX_BYTES);
	for (size_t i = 0; i < size; i++)
		if (!is_host_byte((unsigned char)host[i]))
			return weft_error_set(
				-EINVAL,
				"the host of the address \"%s\" has a character that "
				"no host name has",
				whole);
	return 0;
}

static int parse_host_port(const char *text, struct address *address)
{
	const char *colon = strchr(text, ':');
	struct in_addr binary;
	size_t size;
	uint16_t port = 0;
	int r;

	if (strstr(text, "://"))
		return weft_error_set(
			-EINVAL, "\"%s\" is a URL: write the address in it as HOST:PORT",
			text);
	if (!colon)
		return weft_error_set(
			-EINVAL,
			"the address \"%s\" has no port: write HOST:PORT, such as "
			"\"localhost:8080\", or unix:/PATH or fd:NUMBER",
			text);
	if (strchr(colon + 1, ':'))
		return weft_error_set(
			-EINVAL,
			"the address \"%s\" has more than one colon: write an IPv6 "
			"address in brackets, as \"[::1]:8080\"",
			text);
	r = parse_port(text, colon + 1, &port);
	if (r < 0)
		return r;
	size = (size_t)(colon - text);
	if (size == 0 || (size == 1 && *text == '*')) {
		address->kind = ADDRESS_ANY;
		address->port = port;
		return 0;
	}
	r = check_host(text, text, size);
	if (r < 0)
		return r;
	memcpy(address->host, text, size);
	address->host[size] = '\0';
	address->port = port;
	address->kind = ADDRESS_NAME;
	if (inet_pton(AF_INET, address->host, &binary) == 1)
		set_ipv4(address, binary, port);
	return 0;
}

/* ---- Unix ---- */

/* "/run/app.sock"; "@name" is in the abstract name space, which begins with a zero byte. */
static int parse_unix(const char *path, struct address *address)
{
	struct sockaddr_un *un = &address->socket.un;
	bool is_abstract = *path == '@';
	size_t size = strlen(path);

	if (size == 0 || (is_abstract && size == 1))
		return weft_error_set(
			-EINVAL,
			"the address \"unix:%s\" has no path: write unix:/PATH or "
			"unix:@NAME",
			path);
	if (size > sizeof(un->sun_path) - 1)
		return weft_error_set(
			-ENAMETOOLONG,
			"the path of a Unix socket has %zu bytes, and may have %zu: "
			"use a shorter one, or one relative to the working folder",
			size, sizeof(un->sun_path) - 1);
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, size);
	if (is_abstract)
		un->sun_path[0] = '\0';
	address->size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + !is_abstract);
	address->kind = ADDRESS_SOCKET;
	return 0;
}

static int parse_fd(const char *text, struct address *address)
{
	unsigned number;

	if (!parse_number(text, INT32_MAX, &number))
		return weft_error_set(
			-EINVAL,
			"\"fd:%s\" does not name a descriptor: write its number, as "
			"\"fd:3\"",
			text);
	address->kind = ADDRESS_FD;
	address->fd = (int)number;
	return 0;
}

int weft__address_parse(const char *text, struct address *address)
{
	if (!text || !*text)
		return weft_error_set(-EINVAL,
				      "the address is empty: write HOST:PORT, :PORT, "
				      "unix:/PATH or fd:NUMBER");
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, address);
	if (strncmp(text, "fd:", 3) == 0)
		return parse_fd(text + 3, address);
	if (*text == '[')
		return parse_ipv6(text, address);
	return parse_host_port(text, address);
}

/* ---- Back to text ---- */

static void format_ipv4(const struct in_addr *host, in_port_t port, char *buffer)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, host, text, sizeof(text)); /* there is room: it cannot fail */
	snprintf(buffer, ADDRESS_TEXT_SIZE, "%s:%u", text, ntohs(port));
}

static void format_ipv6(const struct sockaddr_in6 *address, char *buffer)
{
	char text[INET6_ADDRSTRLEN], name[IF_NAMESIZE];
	const struct in6_addr *host = &address->sin6_addr;
	struct in_addr inner;

	if (IN6_IS_ADDR_V4MAPPED(host)) {
		memcpy(&inner, &host->s6_addr[12], sizeof(inner));
		format_ipv4(&inner, address->sin6_port, buffer);
		return;
	}
	inet_ntop(AF_INET6, host, text, sizeof(text));
	if (!address->sin6_scope_id)
		snprintf(buffer, ADDRESS_TEXT_SIZE, "[%s]:%u", text,
			 ntohs(address->sin6_port));
	else if (if_indextoname(address->sin6_scope_id, name))
		snprintf(buffer, ADDRESS_TEXT_SIZE, "[%s%%%s]:%u", text, name,
			 ntohs(address->sin6_port));
	else
		snprintf(buffer, ADDRESS_TEXT_SIZE, "[%s%%%u]:%u", text,
			 address->sin6_scope_id, ntohs(address->sin6_port));
}

static void format_unix(const struct sockaddr_un *un, socklen_t size, char *buffer)
{
	size_t length = size - MIN(size, offsetof(struct sockaddr_un, sun_path));
	bool is_abstract = length > 0 && un->sun_path[0] == '\0';

	if (!is_abstract)
		length = strnlen(un->sun_path, length);
	if (length == 0)
		return; /* most clients have no name */
	snprintf(buffer, ADDRESS_TEXT_SIZE, "unix:%s%.*s", is_abstract ? "@" : "",
		 (int)length - is_abstract, un->sun_path + is_abstract);
}

const char *weft__address_format(const struct sockaddr *address, socklen_t size,
				 char buffer[ADDRESS_TEXT_SIZE])
{
	const union socket_address *of =
		(const union socket_address *)(const void *)address;

	buffer[0] = '\0';
	if (size < sizeof(address->sa_family))
		return buffer;
	if (address->sa_family == AF_INET)
		format_ipv4(&of->in.sin_addr, of->in.sin_port, buffer);
	else if (address->sa_family == AF_INET6)
		format_ipv6(&of->in6, buffer);
	else if (address->sa_family == AF_UNIX)
		format_unix(&of->un, size, buffer);
	return buffer;
}
