/*
 * What the tests of net/ share: a stream and the plain socket at its other end.
 *
 * The other end is used by blocking calls on the same thread: on loopback what was sent is there
 * when send() returns, so a test needs no second thread as long as it does not fill a buffer.
 */
#ifndef WEFT_TESTS_NET_NET_H
#define WEFT_TESTS_NET_NET_H

#include <weft/stream.h>

#include "tests/test.h"

/* Runs a test as a task; fails the test if it fails. On the real clock. */
void run_net(weft_fn *fn, void *arg);

enum pair_kind { PAIR_TCP, PAIR_TCP6, PAIR_UNIX, N_PAIR_KINDS };

struct pair {
	const char *name; /* "tcp" */
	weft_stream *stream;
	int peer;
};

/* Makes a connection, with small buffers if `is_narrow`; ends the test if that is not possible. */
void pair_open(struct pair *pair, enum pair_kind kind, bool is_narrow);
/* Aborts the stream if it is still there, and closes the peer. */
void pair_close(struct pair *pair);

/* Sends all of it from the peer. */
void peer_send(const struct pair *pair, const void *data, size_t size);
void peer_send_text(const struct pair *pair, const char *text);
/* Ends the peer's side. */
void peer_end(const struct pair *pair);
/* Ends the peer by a reset (TCP). */
void peer_reset(struct pair *pair);
/* Receives exactly so many bytes at the peer, and checks them. */
void peer_expect(const struct pair *pair, const void *data, size_t size);
/* Does the peer see the end, or a reset, and nothing before that? */
bool peer_sees_end(const struct pair *pair);
bool peer_sees_reset(const struct pair *pair);

/* A plain blocking connection to "127.0.0.1:PORT"; ends the test if it fails. */
int connect_plain(const char *address);
/* How many descriptors of this process are open. */
int count_descriptors(void);

/* In a task: yields until fn(arg) is true. Fails the test after a while. */
void await_true(bool (*fn)(void *arg), void *arg, const char *what);

/* What was reported meanwhile, one line each. */
void reports_begin(void);
const char *reports_end(void);

/* A pattern that differs in every place where a mistake could be made. */
void fill_pattern(char *data, size_t size);

#endif
