/*
 * URLs of requests: "http://host:port/path?query", and references to them in redirects.
 *
 * Pure functions of their text. What is made is a string of the caller's memory.
 */
#ifndef WEFT_HTTP_URL_H
#define WEFT_HTTP_URL_H

#include "http/memory.h"
#include "http/target.h"

struct http_url {
	bool is_https;
	const char *address; /* "host:port", for weft_connect() */
	const char *
		authority; /* what Host says: without the port that goes without saying */
	const char *target; /* path and query, at least "/" */
};

/*
 * Takes an absolute URL apart, without its fragment. 0; -EINVAL, explained, for what is
 * none, for other schemes, user names and characters that have to be escaped; -ENOMEM.
 */
int weft__http_url_parse(struct http_url *url, const char *text,
			 struct http_memory *memory);
/*
 * Resolves a reference, as in "Location: ../next?page=2", against the URL whose response
 * said so (RFC 3986 section 5.2). As weft__http_url_parse().
 */
int weft__http_url_resolve(struct http_url *url, const struct http_url *base,
			   const char *reference, struct http_memory *memory);
/* Is it the same scheme, host and port? */
bool weft__http_url_same_origin(const struct http_url *a, const struct http_url *b);

#endif
