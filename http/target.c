/*
 * Targets, authorities and queries. See http/target.h.
 */
#include "http/target.h"

/* ---- Paths ---- */

/* Reads the byte at `*at`, decoding, and moves on. The bytes were checked before. */
static char decode_one(const char *text, size_t *at)
{
	char byte = text[*at];

	if (byte != '%') {
		(*at)++;
		return byte;
	}
	byte = (char)(weft__http_hex_digit(text[*at + 1]) << 4 |
		      weft__http_hex_digit(text[*at + 2]));
	*at += 3;
	return byte;
}

/* Is each '%' followed by two hexadecimal digits? */
static bool has_good_escapes(const char *text, size_t at, size_t end)
{
	const char *percent;

	while ((percent = memchr(text + at, '%', end - at))) {
		at = (size_t)(percent - text);
		if (end - at < 3 || weft__http_hex_digit(text[at + 1]) < 0 ||
		    weft__http_hex_digit(text[at + 2]) < 0)
			return false;
		at += 3;
	}
	return true;
}

/* Looks at the decoded path for control characters and for segments made of dots. */
static int check_decoded(const char *text, size_t at, size_t end,
			 struct http_refusal *refusal)
{
	size_t n_bytes = 0; /* of the segment */
	size_t n_dots = 0;
	char byte;

	while (at < end) {
		byte = decode_one(text, &at);
		if ((unsigned char)byte < 0x20 || byte == 0x7f)
			return http_refuse(refusal, 400,
					   "a control character in the path");
		if (byte == '/') {
			if (n_bytes && n_bytes <= 2 && n_dots == n_bytes)
				break;
			n_bytes = n_dots = 0;
			continue;
		}
		n_bytes++;
		n_dots += byte == '.';
	}
	if (n_bytes && n_bytes <= 2 && n_dots == n_bytes)
		return http_refuse(refusal, 400, "a dot segment in the path");
	return 0;
}

static int parse_path(struct http_target *target, const char *text, size_t at, size_t end,
		      struct http_refusal *refusal)
{
	const char *path = text + at;
	size_t size = end - at;

	target->path = http_slice_of(at, end);
	if (http_span(text, at, end, HTTP_PATH) != end)
		return http_refuse(refusal, 400, "a bad character in the path");

	target->is_encoded = memchr(path, '%', size);
	if (!target->is_encoded && !memmem(path, size, "/.", 2))
		return 0;
	if (!has_good_escapes(text, at, end))
		return http_refuse(refusal, 400, "a bad escape in the path");
	return check_decoded(text, at, end, refusal);
}

/* "%00" would end a text early, so it is refused here and no value ever holds one. */
static int parse_query(struct http_target *target, const char *text, size_t at,
		       size_t end, struct http_refusal *refusal)
{
	target->query = http_slice_of(at, end);
	if (http_span(text, at, end, HTTP_QUERY) != end)
		return http_refuse(refusal, 400, "a bad character in the query");
	if (memmem(text + at, end - at, "%00", 3))
		return http_refuse(refusal, 400, "a zero byte in the query");
	return 0;
}

/* The path, and the query after it. */
static int parse_origin(struct http_target *target, const char *text, size_t at,
			size_t end, struct http_refusal *refusal)
{
	const char *mark = memchr(text + at, '?', end - at);
	size_t path_end = mark ? (size_t)(mark - text) : end;
	int r;

	r = parse_path(target, text, at, path_end, refusal);
	if (r < 0 || !mark)
		return r;
	return parse_query(target, text, path_end + 1, end, refusal);
}

/* ---- Targets ---- */

/* Behind "http://" or "https://"; 0 if it begins with neither. */
static size_t skip_scheme(const char *text, size_t at, size_t end)
{
	if (end - at >= 7 && weft__http_same(text + at, 7, "http://", 7))
		return at + 7;
	if (end - at >= 8 && weft__http_same(text + at, 8, "https://", 8))
		return at + 8;
	return 0;
}

static int parse_absolute(struct http_target *target, const char *text, size_t at,
			  size_t end, struct http_refusal *refusal)
{
	struct http_authority authority;
	size_t begin = at;

	while (at < end && text[at] != '/' && text[at] != '?')
		at++;
	target->authority = http_slice_of(begin, at);
	if (!weft__http_authority_parse(&authority, text, target->authority))
		return http_refuse(refusal, 400, "a bad host in the target");
	return parse_origin(target, text, at, end, refusal);
}

int weft__http_target_parse(struct http_target *target, const char *text,
			    struct http_slice slice, struct http_refusal *refusal)
{
	size_t at = slice.at;
	size_t end = at + slice.size;
	size_t authority_at;

	*target = (struct http_target){ 0 };
	if (slice.size && text[at] == '/')
		return parse_origin(target, text, at, end, refusal);
	if (slice.size == 1 && text[at] == '*') {
		target->path = slice;
		return 0;
	}
	authority_at = skip_scheme(text, at, end);
	if (authority_at)
		return parse_absolute(target, text, authority_at, end, refusal);
	return http_refuse(refusal, 400, "a bad target");
}

/* ---- Authorities ---- */

/* Behind "[...]", or 0. What is inside is looked at by whoever connects. */
static size_t skip_bracketed(const char *text, size_t at, size_t end)
{
	size_t begin = ++at;

	while (at < end && (weft__http_hex_digit(text[at]) >= 0 || text[at] == ':' ||
			    text[at] == '.'))
		at++;
	return at - begin >= 2 && at < end && text[at] == ']' ? at + 1 : 0;
}

/* The digits after the colon; -1 if there are none, -2 for a bad port. */
static int parse_port(const char *text, size_t at, size_t end)
{
	int port = 0;

	if (at == end)
		return -1;
	if (end - at > 5)
		return -2;
	for (; at < end; at++) {
		if (!http_is_digit(text[at]))
			return -2;
		port = port * 10 + (text[at] - '0');
	}
	return port >= 1 && port <= 65535 ? port : -2;
}

bool weft__http_authority_parse(struct http_authority *authority, const char *text,
				struct http_slice slice)
{
	size_t at = slice.at;
	size_t end = at + slice.size;

	if (slice.size && text[at] == '[')
		at = skip_bracketed(text, at, end);
	else
		at = http_span(text, at, end, HTTP_HOST);
	if (at <= slice.at)
		return false;

	authority->host = http_slice_of(slice.at, at);
	authority->port = -1;
	if (at == end)
		return true;
	if (text[at] != ':')
		return false;
	authority->port = parse_port(text, at + 1, end);
	return authority->port >= -1;
}

bool weft__http_authority_same(const struct http_authority *a, const char *a_text,
			       const struct http_authority *b, const char *b_text,
			       int default_port)
{
	int a_port = a->port < 0 ? default_port : a->port;
	int b_port = b->port < 0 ? default_port : b->port;

	return a_port == b_port && weft__http_same(a_text + a->host.at, a->host.size,
						   b_text + b->host.at, b->host.size);
}

/* ---- Queries ---- */

/* Reads the byte at `*at`, decoding, and moves on. A bad escape stands for itself. */
static char query_byte(const char *query, size_t *at, size_t end)
{
	char byte = query[(*at)++];
	int high;
	int low;

	if (byte == '+')
		return ' ';
	if (byte != '%' || end - *at < 2)
		return byte;
	high = weft__http_hex_digit(query[*at]);
	low = weft__http_hex_digit(query[*at + 1]);
	if (high < 0 || low < 0)
		return byte;
	*at += 2;
	return (char)(high << 4 | low);
}

/* Does query[at ... end) decode to `name`? */
static bool is_name(const char *query, size_t at, size_t end, const char *name)
{
	while (at < end)
		if (!*name || query_byte(query, &at, end) != *name++)
			return false;
	return !*name;
}

size_t weft__http_query_decode(char *out, const char *query, struct http_slice value)
{
	size_t end = value.at + value.size;
	size_t n = 0;

	for (size_t at = value.at; at < end;)
		out[n++] = query_byte(query, &at, end);
	return n;
}

bool weft__http_query_find(const char *query, size_t size, const char *name,
			   struct http_slice *value)
{
	const char *mark;
	size_t end;
	size_t name_end;

	for (size_t at = 0; at < size; at = end + 1) {
		mark = memchr(query + at, '&', size - at);
		end = mark ? (size_t)(mark - query) : size;
		mark = memchr(query + at, '=', end - at);
		name_end = mark ? (size_t)(mark - query) : end;
		if (!is_name(query, at, name_end, name))
			continue;
		*value = http_slice_of(mark ? name_end + 1 : end, end);
		return true;
	}
	return false;
}
