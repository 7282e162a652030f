/*
 * The client inside: what a client and a response are made of.
 *
 * A response owns its connection from the pool until its body has been read, and the
 * texts of its head until it is freed. Everything on the client's loop.
 */
#ifndef WEFT_HTTP_CLIENT_H
#define WEFT_HTTP_CLIENT_H

#include <weft/http.h>

#include "http/body.h"
#include "http/headers.h"
#include "http/pool.h"
#include "http/response_head.h"
#include "http/url.h"

struct weft_http_client {
	weft_loop *loop;
	struct weft_http_client_options options; /* defaults filled in */
	struct http_pool pool;
};

struct weft_http_response {
	weft_http_client *client;
	struct http_link
		*link; /* NULL once the body has been read, or the connection is lost */
	struct http_memory *memory; /* its own; also of its const functions */
	struct http_response_head head; /* its fields are headers */
	struct http_body body;
	/* The body, once it has been asked for as a whole. */
	char *whole;
	size_t whole_size;
	size_t whole_capacity;
};

/* A request, and what becomes of it by redirects. */
struct http_fetch {
	const char *method;
	struct http_url url;
	const struct weft_http_fetch_options *options;
	bool has_body; /* the redirects have not taken it away */
	bool is_same_origin; /* as the URL that the caller gave */
};

/* 0; or negative, then it is unchanged. Cancellation point. */
int weft__http_exchange(struct weft_http_response *response,
			const struct http_fetch *fetch);
/* Gives the connection back, keeping it if the body has been read. */
void weft__http_response_let_go(struct weft_http_response *response);

#endif
