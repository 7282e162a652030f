/*
 * Servers that follow a script, for tests of the client; all in tasks of one loop.
 */
#ifndef WEFT_TESTS_HTTP_SCRIPT_H
#define WEFT_TESTS_HTTP_SCRIPT_H

#include <weft/http.h>

#include "tests/http/peer.h"

#define OK	"HTTP/1.1 200 OK\r\n"
#define OK_TEXT OK "Content-Length: 5\r\n\r\nhello"

/* What is sent to a request, and what comes then. */
struct step {
	const char *reply;
	size_t size; /* 0: up to the terminator */
	bool closes; /* the connection ends behind it */
	bool is_deaf; /* it comes at once, and the request's body is not read */
};

/* A server on a port of its own. Each request, on whatever connection, gets the next step. */
struct script {
	const struct step *steps;
	weft_server *server;
	char host[64];
	int n_requests;
	int n_connections;
	int n_open;
	int n_open_max;
	weft_time delay_ns; /* before each reply */
	bool is_deaf; /* bodies are not read */
	char last[4096]; /* the last request, head and body */
};

void script_begin(struct script *script, const struct step *steps);
void script_end(struct script *script);

/* ---- Fetching ---- */

weft_http_client *client_of(const struct weft_http_client_options *options);
int fetch_with(weft_http_client *client, const struct script *script, const char *method,
	       const char *path, const struct weft_http_fetch_options *options,
	       weft_http_response **response);
/* Gets the body as text; returns the status, or what went wrong. */
int get(weft_http_client *client, const struct script *script, const char *path,
	char *text, size_t size);

#endif
