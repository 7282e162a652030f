/*
 * Headers as texts. See http/headers.h. On the thread of whoever owns the head.
 */
#include "http/headers.h"

void weft__http_headers_make(const struct http_fields *fields, char *text)
{
	for (uint32_t i = 0; i < fields->n; i++) {
		struct http_field field = fields->items[i].field;

		/* In place of the colon, and of a blank or the CR. */
		text[field.name.at + field.name.size] = '\0';
		text[field.value.at + field.value.size] = '\0';
		fields->items[i].header = (struct weft_http_header){
			.name = text + field.name.at,
			.value = text + field.value.at,
		};
	}
}

static bool same_name(const char *a, const char *b)
{
	while (*a && http_lower(*a) == http_lower(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

static const char *join(const struct weft_http_header *headers, size_t n,
			const char *name, struct http_memory *memory)
{
	size_t size = 0;
	char *value;
	char *at;

	for (size_t i = 0; i < n; i++)
		if (same_name(headers[i].name, name))
			size += strlen(headers[i].value) + 2;
	value = weft__http_memory_alloc(memory, size + 1);
	if (!value)
		return NULL;
	at = value;
	for (size_t i = 0; i < n; i++)
		if (same_name(headers[i].name, name))
			at = stpcpy(stpcpy(at, headers[i].value), ", ");
	at[-2] = '\0';
	return value;
}

const char *weft__http_headers_find(const struct weft_http_header *headers, size_t n,
				    const char *name, struct http_memory *memory)
{
	const char *value = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!same_name(headers[i].name, name))
			continue;
		if (value)
			return join(headers, n, name, memory);
		value = headers[i].value;
	}
	return value;
}
