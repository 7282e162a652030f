/*
 * An application: options with their defaults filled in, and the table of routes.
 *
 * Built by one thread; not changed any more once it is served, so that all loops may read
 * it.
 */
#ifndef WEFT_HTTP_APP_H
#define WEFT_HTTP_APP_H

#include <weft/http.h>

#include "http/fields.h"
#include "http/route.h"

struct weft_http_app {
	struct weft_http_app_options options;
	struct http_head_limits limits; /* of heads and trailers; also in the options */
	struct http_route_table routes;
	/* The first route that could not be added: its code, and a sentence. */
	int error;
	char *problem; /* NULL without memory */
};

/* What a head may have where nobody says otherwise: that of a response as well. */
#define HTTP_LINE_LIMIT	  (8 * 1024)
#define HTTP_FIELDS_LIMIT (32 * 1024)
#define HTTP_FIELDS_MAX	  100

#endif
