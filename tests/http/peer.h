/*
 * A scripted client of the HTTP server: both ends of a socket, in tasks of one loop.
 *
 * On a pair of Unix sockets bytes are there at once, so that a test can run on the virtual clock:
 * it jumps only when both sides wait. On a TCP connection a reset is what it is in real life.
 */
#ifndef WEFT_TESTS_HTTP_PEER_H
#define WEFT_TESTS_HTTP_PEER_H

#include <weft/http.h>

#include "tests/http/requests.h"
#include "tests/test.h"

#define CLOSE "Connection: close"

struct peer {
	weft_http_app *app;
	weft_stream *stream; /* the client's end */
	weft_task *server; /* serves the other one */
	int result; /* what weft_http_serve_connection() returned */
	bool has_ended; /* it has */
	/* All that was received, terminated. */
	char *text;
	size_t size;
	size_t at; /* where the next reply begins */
};

/* A reply in peer->text. */
struct peer_reply {
	int status; /* 0: there is none */
	const char *head;
	size_t head_size;
	const char *body; /* chunks are put together */
	size_t body_size;
	bool is_complete;
};

/* Runs a test in a task on the virtual clock, and fails it if it fails. */
void run_virtual(weft_fn *fn, void *arg);
/* On the real clock. */
void run_real(weft_fn *fn, void *arg);

void peer_open(struct peer *peer, weft_http_app *app);
void peer_open_tcp(struct peer *peer, weft_http_app *app);
void peer_send(struct peer *peer, const char *data, size_t size);
void peer_send_text(struct peer *peer, const char *text);
/* Ends our side. */
void peer_end(struct peer *peer);
/* Receives what comes within a (virtual) while; true at the end of the stream. */
bool peer_receive(struct peer *peer, weft_time limit_ns);
/* Receives up to the end of the stream, or -ECONNRESET. */
int peer_receive_all(struct peer *peer);
/* The next reply among what was received; `is_head` if it has no body for that reason. */
struct peer_reply peer_next(struct peer *peer, bool is_head);
/* Closes our side, waits for the server's task, releases what was received. */
void peer_close(struct peer *peer);

/* Sends a request, ends our side, receives all: the first reply. Close the peer afterwards. */
struct peer_reply peer_ask(struct peer *peer, weft_http_app *app, const char *request);

/* A request and what has to come of it. */
struct question {
	const char *name;
	const char *request;
	int status;
	const char *line; /* that the head must have; or NULL */
	const char *body; /* or NULL */
};

/* Asks each question on a connection of its own. */
void expect_answers(weft_http_app *app, const struct question *questions, size_t n);

/* Does the head have that line? */
bool reply_has(const struct peer_reply *reply, const char *line);
bool reply_body_is(const struct peer_reply *reply, const char *text);

/* ---- Applications ---- */

weft_http_app *app_of(const struct weft_http_app_options *options);
/* Reads the body and replies "METHOD /path?query, N bytes". */
int echo(weft_http_request *request, void *arg);
/* Fails the test. */
int must_not_run(weft_http_request *request, void *arg);
/* echo() on every path but /smuggled, which nobody may reach. */
weft_http_app *echo_app(const struct weft_http_app_options *options);

/* Counts the reports from now on. */
void count_reports(void);
extern int n_reports;

/* How long ago that was, as "1.5 s". */
const char *elapsed(weft_time since);

#endif
