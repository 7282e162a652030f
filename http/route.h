/*
 * The table of routes: which handler answers a method on a path.
 *
 * A pattern is a path whose segments are texts, {names}, or as the last one {rest*}.
 * Patterns are kept as a tree of segments. Where several fit, a text goes before a name,
 * and a name before the rest, from left to right; one that fits but does not have the
 * method gives way to the next that does. GET answers HEAD as well, "*" answers every
 * method but TRACE.
 *
 * Built by one thread, before anybody looks; then never changed, and read by any thread.
 */
#ifndef WEFT_HTTP_ROUTE_H
#define WEFT_HTTP_ROUTE_H

#include "http/text.h"

/* Names in one pattern: a match lies on a task's stack. */
#define HTTP_ROUTE_PARAMS_MAX 16
/* Longest text of a segment in a pattern: that of a path is decoded on the stack. */
#define HTTP_ROUTE_TEXT_MAX 255

struct weft_http_request;
typedef int http_route_fn(struct weft_http_request *request, void *arg);

struct http_route {
	struct http_route *next; /* of the same pattern, another method */
	char *method;
	http_route_fn *fn;
	void *arg;
	char *names[HTTP_ROUTE_PARAMS_MAX]; /* in the order of the pattern */
	int n_names;
};

struct http_route_node;

struct http_route_table {
	struct http_route_node *root; /* NULL while there are none */
};

/* What a path came to. */
struct http_route_match {
	const struct http_route *route; /* NULL: nobody answers this method here */
	/* What stands for its names, still encoded; positions in the path. */
	struct http_slice params[HTTP_ROUTE_PARAMS_MAX];
	bool is_known_path; /* somebody answers another method */
};

void weft__http_routes_fini(struct http_route_table *table);
/*
 * 0; -EINVAL for a bad method or pattern, -EEXIST for a second route of the same method
 * and pattern, both with a sentence in `problem`; -ENOMEM.
 */
int weft__http_routes_add(struct http_route_table *table, const char *method,
			  const char *pattern, http_route_fn *fn, void *arg,
			  const char **problem);
/* `path` begins with '/', and its escapes are right. */
void weft__http_routes_find(const struct http_route_table *table,
			    struct weft_bytes method, struct weft_bytes path,
			    struct http_route_match *match);
/*
 * The methods that somebody answers on that path, as "GET, HEAD, POST". Writes at most
 * `size` bytes with the terminator, leaving out what has no room.
 */
void weft__http_routes_allow(const struct http_route_table *table, struct weft_bytes path,
			     char *allow, size_t size);

#endif
