/*
 * Field lines: the machine that reads them, and the table that keeps them. See
 * http/fields.h.
 */
#include "http/fields.h"

/* A request of a browser has some 15 fields. */
#define FIELDS_AT_FIRST 16

void weft__http_fields_fini(struct http_fields *fields)
{
	free(fields->items);
	*fields = (struct http_fields){ 0 };
}

int weft__http_fields_add(struct http_fields *fields, const struct http_field *field)
{
	uint32_t capacity = fields->capacity;
	union http_field_item *items;

	if (fields->n == capacity) {
		capacity = capacity ? capacity * 2 : FIELDS_AT_FIRST;
		items = weft__realloc_array(fields->items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		fields->items = items;
		fields->capacity = capacity;
	}
	fields->items[fields->n++].field = *field;
	return 0;
}

int weft__http_fields_find(const struct http_fields *fields, const char *text,
			   const char *name, uint32_t from)
{
	size_t size = strlen(name);
	const struct http_field *field;

	for (uint32_t i = from; i < fields->n; i++) {
		field = &fields->items[i].field;
		if (weft__http_same(text + field->name.at, field->name.size, name, size))
			return (int)i;
	}
	return -1;
}

void weft__http_field_reader_init(struct http_field_reader *reader, size_t at,
				  size_t bytes_max, size_t n_max)
{
	*reader = (struct http_field_reader){
		.step = HTTP_FIELD_BEGIN,
		.at = (uint32_t)at,
		/* The empty line is not part of the sum. */
		.limit = (uint32_t)(at + bytes_max + 2),
		.n_max = (uint32_t)n_max,
	};
}

/* Every byte before `at` was fine. Are more bytes missing, or are there too many? */
static int stop_at(struct http_field_reader *reader, enum http_field_step step, size_t at,
		   struct http_refusal *refusal)
{
	reader->step = step;
	reader->at = (uint32_t)at;
	if (at < reader->limit)
		return HTTP_MORE;
	return http_refuse(refusal, 431, "the header fields are too long");
}

static int refuse_name(struct http_refusal *refusal, char byte, bool is_empty)
{
	if (is_empty && (byte == ' ' || byte == '\t'))
		return http_refuse(refusal, 400,
				   "a header field goes on in the next line");
	if (byte == ' ' || byte == '\t')
		return http_refuse(refusal, 400,
				   "a blank before the colon of a header field");
	if (byte == '\n')
		return http_refuse(refusal, 400, "a line ends without a carriage return");
	if (byte == ':')
		return http_refuse(refusal, 400, "a header field has no name");
	return http_refuse(refusal, 400, "a bad character in the name of a header field");
}

static int refuse_value(struct http_refusal *refusal, char byte)
{
	if (byte == '\n')
		return http_refuse(refusal, 400, "a line ends without a carriage return");
	return http_refuse(refusal, 400, "a control character in a header field");
}

static int refuse_line_end(struct http_refusal *refusal)
{
	return http_refuse(refusal, 400, "a carriage return without a line feed");
}

/* The value ends at `end`, where the CR is; the blanks before it are not part of it. */
static struct http_slice value_slice(const char *text, size_t mark, size_t end)
{
	while (end > mark && (text[end - 1] == ' ' || text[end - 1] == '\t'))
		end--;
	return http_slice_of(mark, end);
}

int weft__http_field_read(struct http_field_reader *reader, const char *text, size_t size,
			  struct http_refusal *refusal)
{
	size_t end = MIN(size, reader->limit);
	size_t at = reader->at;

	switch (reader->step) {
	case HTTP_FIELD_BEGIN:
		if (at >= end)
			return stop_at(reader, HTTP_FIELD_BEGIN, at, refusal);
		if (text[at] == '\r') {
			at++;
			goto last_lf;
		}
		if (reader->n == reader->n_max)
			return http_refuse(refusal, 431, "too many header fields");
		reader->mark = (uint32_t)at;
		/* fall through */
	case HTTP_FIELD_NAME:
		at = http_span(text, at, end, HTTP_TOKEN);
		if (at >= end)
			return stop_at(reader, HTTP_FIELD_NAME, at, refusal);
		if (text[at] != ':' || at == reader->mark)
			return refuse_name(refusal, text[at], at == reader->mark);
		reader->field.name = http_slice_of(reader->mark, at);
		at++;
		/* fall through */
	case HTTP_FIELD_BLANK:
		while (at < end && (text[at] == ' ' || text[at] == '\t'))
			at++;
		if (at >= end)
			return stop_at(reader, HTTP_FIELD_BLANK, at, refusal);
		reader->mark = (uint32_t)at;
		/* fall through */
	case HTTP_FIELD_VALUE:
		at = weft__http_span_value(text, at, end);
		if (at >= end)
			return stop_at(reader, HTTP_FIELD_VALUE, at, refusal);
		if (text[at] != '\r')
			return refuse_value(refusal, text[at]);
		reader->field.value = value_slice(text, reader->mark, at);
		at++;
		/* fall through */
	case HTTP_FIELD_LF:
		if (at >= end)
			return stop_at(reader, HTTP_FIELD_LF, at, refusal);
		if (text[at] != '\n')
			return refuse_line_end(refusal);
		reader->step = HTTP_FIELD_BEGIN;
		reader->at = (uint32_t)at + 1;
		reader->n++;
		return HTTP_FIELD;
last_lf:
	case HTTP_FIELD_LAST_LF:
		if (at >= end)
			return stop_at(reader, HTTP_FIELD_LAST_LF, at, refusal);
		if (text[at] != '\n')
			return refuse_line_end(refusal);
		reader->at = (uint32_t)at + 1;
		return HTTP_DONE;
	}
	__builtin_unreachable(); /* each step returns */
}
