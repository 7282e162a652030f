/*
 * A plain blocking HTTP client: what the tests of serve/ ask their service with.
 *
 * It runs on any thread, checks nothing by itself and hangs no longer than 30 s. It says how each
 * request ended, so that a test can count.
 */
#ifndef WEFT_TESTS_SERVE_CLIENT_H
#define WEFT_TESTS_SERVE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/* "127.0.0.1:PORT" or "unix:PATH". Return: a connected socket, or a negative errno. */
int client_connect(const char *address);
/* The same without waiting for it: it is connected once it can be written to. */
int client_connect_soon(const char *address);

/* Does nobody listen at this address, a const char *? For wait_until(). */
bool client_is_refused(void *address);

struct reply {
	int status; /* 200 ... */
	bool closes; /* the server ends the connection with it */
	char body[1024]; /* its beginning */
};

/* Return: 0 or a negative errno. */
int client_send(int fd, const char *path);
/*
 * Return: 0, with the whole of one reply; -ENODATA if the connection ended before its first byte,
 * -EPIPE later on; -EBADMSG; or another negative errno.
 */
int client_receive(int fd, struct reply *reply);
/* Both. */
int client_ask(int fd, const char *path, struct reply *reply);
/* Both, on a connection of its own. */
int client_ask_once(const char *address, const char *path, struct reply *reply);

/* Is the connection at its end, with nothing more to read? Waits for it. */
bool client_sees_end(int fd);

#endif
