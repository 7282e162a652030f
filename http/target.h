/*
 * The target of a request: "/path?query", "http://host/path?query" or "*".
 *
 * Percent-encoding is undone once. A path that decodes to something that could mislead
 * whoever opens a file by it is refused: zero bytes and control characters, and "." and
 * ".." between slashes, however they were written. No pages are lost by that: clients
 * resolve dots themselves.
 *
 * Pure functions of their bytes. Any thread.
 */
#ifndef WEFT_HTTP_TARGET_H
#define WEFT_HTTP_TARGET_H

#include "http/fields.h"

struct http_target {
	struct http_slice authority; /* of "http://authority/"; otherwise empty */
	struct http_slice path; /* as it came; "*" for the server, "" for "/" */
	struct http_slice query; /* as it came, without the '?' */
	bool is_encoded; /* the path has a '%' */
};

/* Takes text[slice] apart; its bytes are of HTTP_PATH or HTTP_QUERY. 0, or -EBADMSG. */
int weft__http_target_parse(struct http_target *target, const char *text,
			    struct http_slice slice, struct http_refusal *refusal);

/* ---- Authorities: "example.org", "127.0.0.1:80", "[::1]:8080" ---- */

struct http_authority {
	struct http_slice host; /* "[::1]" with its brackets */
	int port; /* -1: none */
};

/* False if it is anything else: user names, blanks, lists, empty ones. */
bool weft__http_authority_parse(struct http_authority *authority, const char *text,
				struct http_slice slice);

/* Do both name the same place, where no port means `default_port`? Both were parsed. */
bool weft__http_authority_same(const struct http_authority *a, const char *a_text,
			       const struct http_authority *b, const char *b_text,
			       int default_port);

/* ---- Queries: "q=1&lang=en" ---- */

/*
 * The first value of that name, still encoded, in `value`. False if there is none; a name
 * without '=' has an empty value.
 */
bool weft__http_query_find(const char *query, size_t size, const char *name,
			   struct http_slice *value);
/*
 * Decodes it into `out`, which takes value.size bytes at most, and returns how many: '+'
 * is a blank, and a '%' without two digits stands for itself, as browsers have it.
 */
size_t weft__http_query_decode(char *out, const char *query, struct http_slice value);

#endif
