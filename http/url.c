/*
 * URLs. See http/url.h.
 */
#include <weft/base.h>

#include "http/url.h"

#include <stdio.h>

static int refuse_url(const char *text, const char *why)
{
	return weft_error_set(-EINVAL, "the URL \"%.200s\" %s", text, why);
}

/* ---- Parts ---- */

/* The scheme in front: how many bytes "http://" or "https://" has, 0 for none of them. */
static size_t scheme_size(const char *text, bool *is_https)
{
	*is_https = weft__http_same(text, strnlen(text, 8), "https://", 8);
	if (*is_https)
		return 8;
	return weft__http_same(text, strnlen(text, 7), "http://", 7) ? 7 : 0;
}

/* "host:port", in small letters: the name by which connections are kept, too. */
static char *make_address(const char *text, const struct http_authority *authority,
			  int default_port, struct http_memory *memory)
{
	size_t size = authority->host.size;
	char *address = weft__http_memory_alloc(memory, size + sizeof(":65535"));

	if (!address)
		return NULL;
	for (size_t i = 0; i < size; i++)
		address[i] = http_lower(text[authority->host.at + i]);
	sprintf(address + size, ":%d",
		authority->port < 0 ? default_port : authority->port);
	return address;
}

static int parse_authority(struct http_url *url, const char *text,
			   struct http_slice slice, struct http_memory *memory)
{
	int default_port = url->is_https ? 443 : 80;
	struct http_authority authority;
	size_t size;
	char *name;

	if (!weft__http_authority_parse(&authority, text, slice))
		return refuse_url(text, "has no host, or a bad one");
	url->address = make_address(text, &authority, default_port, memory);
	if (!url->address)
		return -ENOMEM;

	size = strlen(url->address);
	if (authority.port < 0 || authority.port == default_port)
		size = authority.host.size;
	name = weft__http_memory_copy(memory, url->address, size);
	url->authority = name;
	return name ? 0 : -ENOMEM;
}

/*
 * Takes "." and ".." out of a path, in place (RFC 3986 section 5.2.4). `path` begins with
 * '/' and ends at `end`. Returns the new end; the result begins with '/', too.
 */
static char *remove_dots(char *path, char *end)
{
	char *out = path;
	char *at = path;

	while (at < end) {
		char *segment = at + 1; /* behind the '/' */
		char *next = memchr(segment, '/', (size_t)(end - segment));
		size_t size = (size_t)((next ? next : end) - segment);
		bool is_up = size == 2 && segment[0] == '.' && segment[1] == '.';
		bool is_here = size == 1 && segment[0] == '.';

		if (is_up)
			while (out > path && *--out != '/')
				;
		if (!is_up && !is_here) {
			memmove(out, at, size + 1);
			out += size + 1;
		} else if (!next) {
			*out++ = '/'; /* "/a/.." is "/" */
		}
		at = segment + size;
	}
	return out;
}

/* text[at ... end) is a path and a query, or one of them, or nothing. */
static int parse_target(struct http_url *url, const char *text, size_t at, size_t end,
			struct http_memory *memory)
{
	size_t path_end = at + strcspn(text + at, "?#");
	char *target;
	char *out;

	/* An escape is not looked at: what the URL says is sent. */
	if (http_span(text, at, end, HTTP_PATH | HTTP_QUERY) != end)
		return refuse_url(text, "has characters that must be written as %XX");
	target = weft__http_memory_alloc(memory, end - at + 2);
	if (!target)
		return -ENOMEM;
	out = target;
	if (path_end == at)
		*out++ = '/';
	out = mempcpy(out, text + at, path_end - at);
	out = remove_dots(target, out);
	out = mempcpy(out, text + path_end, end - path_end);
	*out = '\0';
	url->target = target;
	return 0;
}

int weft__http_url_parse(struct http_url *url, const char *text,
			 struct http_memory *memory)
{
	struct http_url made = { 0 };
	size_t at = scheme_size(text, &made.is_https);
	size_t authority_end;
	size_t end;
	int r;

	if (!at)
		return refuse_url(text, "does not begin with http:// or https://");
	end = strcspn(text, "#");
	if (end > HTTP_HEAD_LIMIT_MAX)
		return refuse_url(text, "is too long");
	authority_end = at + strcspn(text + at, "/?#");
	r = parse_authority(&made, text, http_slice_of(at, authority_end), memory);
	if (r == 0)
		r = parse_target(&made, text, authority_end, end, memory);
	if (r == 0)
		*url = made;
	return r;
}

/* ---- References ---- */

/* "/path?query" out of a reference without scheme and authority. NULL without memory. */
static char *merge(const char *base, const char *reference, struct http_memory *memory)
{
	size_t base_path = strcspn(base, "?");
	size_t size = strcspn(reference, "#");
	size_t path = strcspn(reference, "?#");
	char *target = weft__http_memory_alloc(memory, strlen(base) + size + 2);
	char *at = target;
	char *end;

	if (!target)
		return NULL;
	if (!size) { /* nothing, or a fragment: the same again */
		strcpy(target, base);
		return target;
	}
	if (!path) /* only a query: for the same path */
		at = mempcpy(at, base, base_path);
	else if (reference[0] != '/') { /* for the base's last segment */
		while (base_path && base[base_path - 1] != '/')
			base_path--;
		at = mempcpy(at, base, base_path);
	}
	end = mempcpy(at, reference, size);
	*end = '\0';
	return target; /* with its dots: parse_target() takes them out */
}

/* Does it begin with a scheme, "word:"? */
static bool has_scheme(const char *reference)
{
	size_t n = strcspn(reference, ":/?#");

	return n && reference[n] == ':';
}

int weft__http_url_resolve(struct http_url *url, const struct http_url *base,
			   const char *reference, struct http_memory *memory)
{
	struct http_url made = *base;
	char *text;
	int r;

	if (has_scheme(reference))
		return weft__http_url_parse(url, reference, memory);
	if (!strncmp(reference, "//", 2)) {
		text = weft__http_memory_alloc(memory,
					       strlen(reference) + sizeof("https:"));
		if (!text)
			return -ENOMEM;
		stpcpy(stpcpy(text, base->is_https ? "https:" : "http:"), reference);
		return weft__http_url_parse(url, text, memory);
	}
	text = merge(base->target, reference, memory);
	if (!text)
		return -ENOMEM;
	r = parse_target(&made, text, 0, strlen(text), memory);
	if (r == 0)
		*url = made;
	return r;
}

bool weft__http_url_same_origin(const struct http_url *a, const struct http_url *b)
{
	return a->is_https == b->is_https && !strcmp(a->address, b->address);
}
