/*
 * The letters of HTTP/1.1: the table of classes, and the scans and comparisons built on
 * it.
 *
 * No state. Any thread.
 *
 * Paths and queries take what RFC 3986 allows and the few bytes beyond it that browsers
 * send as they are (the URL standard of WHATWG does not have them encoded). None of these
 * plays a part in where a message ends.
 */
#include "http/text.h"

/* Classes of the bytes that RFC 3986 names in groups. */
#define UNRESERVED	    (HTTP_TOKEN | HTTP_VALUE | HTTP_PATH | HTTP_QUERY | HTTP_HOST)
#define IN_TOKEN_AND_TARGET (HTTP_TOKEN | HTTP_VALUE | HTTP_PATH | HTTP_QUERY)
#define IN_TARGET	    (HTTP_VALUE | HTTP_PATH | HTTP_QUERY)
#define IN_QUERY	    (HTTP_VALUE | HTTP_QUERY)

const uint8_t weft__http_classes[256] = {
	['\t'] = HTTP_VALUE,
	[' '] = HTTP_VALUE,
	['!'] = IN_TOKEN_AND_TARGET,
	['"'] = HTTP_VALUE,
	['#'] = HTTP_TOKEN | HTTP_VALUE,
	['$' ... '\''] = IN_TOKEN_AND_TARGET,
	['(' ... ')'] = IN_TARGET,
	['*' ... '+'] = IN_TOKEN_AND_TARGET,
	[','] = IN_TARGET,
	['-' ... '.'] = UNRESERVED,
	['/'] = IN_TARGET,
	['0' ... '9'] = UNRESERVED,
	[':' ... ';'] = IN_TARGET,
	['<'] = HTTP_VALUE,
	['='] = IN_TARGET,
	['>'] = HTTP_VALUE,
	['?'] = IN_QUERY,
	['@'] = IN_TARGET,
	['A' ... 'Z'] = UNRESERVED,
	['['] = IN_TARGET,
	['\\'] = IN_QUERY,
	[']'] = IN_TARGET,
	['^'] = IN_TOKEN_AND_TARGET,
	['_'] = UNRESERVED,
	['`'] = HTTP_TOKEN | IN_QUERY,
	['a' ... 'z'] = UNRESERVED,
	['{'] = IN_QUERY,
	['|'] = IN_TOKEN_AND_TARGET,
	['}'] = IN_QUERY,
	['~'] = UNRESERVED,
	[0x80 ... 0xff] = HTTP_VALUE,
};

int weft__http_hex_digit(char byte)
{
	if (http_is_digit(byte))
		return byte - '0';
	byte = http_lower(byte);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/*
 * The high bit is set in each byte of the result that is a control character, HTAB
 * included. A borrow may set it in bytes above such a one as well, so only the lowest is
 * certain. Bytes from 0x80 on never match.
 */
static uint64_t find_controls(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t delete = word ^ (ones * 0x7f);

	return (((word - ones * 0x20) & ~word) | ((delete - ones) & ~delete)) &
	       (ones * 0x80);
}

size_t weft__http_span_value(const char *text, size_t at, size_t end)
{
	uint64_t word;
	uint64_t controls;

	while (end - at >= sizeof(word)) {
		memcpy(&word, text + at, sizeof(word));
		controls = find_controls(word);
		if (!controls) {
			at += sizeof(word);
			continue;
		}
		/* Little-endian, as all of weft: the lowest byte came first. */
		at += (size_t)__builtin_ctzll(controls) / 8;
		if (text[at] != '\t')
			return at;
		at++;
	}
	return http_span(text, at, end, HTTP_VALUE);
}

bool weft__http_same(const char *a, size_t a_size, const char *b, size_t b_size)
{
	if (a_size != b_size)
		return false;
	for (size_t i = 0; i < a_size; i++)
		if (http_lower(a[i]) != http_lower(b[i]))
			return false;
	return true;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

bool weft__http_list_next(const char *list, size_t size, size_t *at,
			  struct http_slice *element)
{
	size_t begin;
	size_t end;

	while (*at < size) {
		begin = *at;
		while (*at < size && list[*at] != ',')
			(*at)++;
		end = *at;
		if (*at < size)
			(*at)++; /* the comma */

		while (begin < end && is_blank(list[begin]))
			begin++;
		while (begin < end && is_blank(list[end - 1]))
			end--;
		if (begin < end) {
			*element = http_slice_of(begin, end);
			return true;
		}
	}
	return false;
}

bool weft__http_number(const char *text, size_t size, uint64_t *number)
{
	uint64_t sum = 0;

	if (!size || (size > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!http_is_digit(text[i]))
			return false;
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(text[i] - '0'), &sum) ||
		    sum > INT64_MAX)
			return false;
	}
	*number = sum;
	return true;
}

bool weft__http_is_token(const char *text)
{
	size_t size = strlen(text);

	return size && http_span(text, 0, size, HTTP_TOKEN) == size;
}

bool weft__http_is_value(const char *text)
{
	size_t size = strlen(text);

	if (size && (is_blank(text[0]) || is_blank(text[size - 1])))
		return false;
	return weft__http_span_value(text, 0, size) == size;
}

size_t weft__http_percent_decode(char *out, const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '%') {
			out[n++] = (char)(weft__http_hex_digit(text[i + 1]) << 4 |
					  weft__http_hex_digit(text[i + 2]));
			i += 2;
		} else {
			out[n++] = text[i];
		}
	}
	return n;
}
