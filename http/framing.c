/*
 * Content-Length, Transfer-Encoding and Connection. See http/framing.h. Any thread.
 */
#include "http/framing.h"

static int take_length(struct http_framing *framing, const char *value, size_t size,
		       struct http_refusal *refusal)
{
	if (framing->has_length)
		return http_refuse(refusal, 400, "more than one Content-Length");
	if (framing->is_chunked)
		return http_refuse(refusal, 400,
				   "both Content-Length and Transfer-Encoding");
	if (!weft__http_number(value, size, &framing->length))
		return http_refuse(refusal, 400, "a bad Content-Length");
	framing->has_length = true;
	return 0;
}

/*
 * With "chunked" last the end of the message is known, but we do not undo the codings
 * before it: 501. Otherwise nobody can tell where the message ends: 400.
 */
static int refuse_coding(const char *value, size_t size, struct http_refusal *refusal)
{
	struct http_slice coding = { 0 };
	bool is_chunked = false;
	size_t at = 0;

	while (weft__http_list_next(value, size, &at, &coding)) {
		if (is_chunked)
			return http_refuse(refusal, 400, "chunked before another coding");
		is_chunked = http_token_is(value + coding.at, coding.size, "chunked");
	}
	if (is_chunked)
		return http_refuse(refusal, 501, "a Transfer-Encoding beside chunked");
	return http_refuse(refusal, 400, "a Transfer-Encoding that is not chunked");
}

static int take_coding(struct http_framing *framing, const char *value, size_t size,
		       int minor, struct http_refusal *refusal)
{
	if (framing->is_chunked)
		return http_refuse(refusal, 400, "more than one Transfer-Encoding");
	if (framing->has_length)
		return http_refuse(refusal, 400,
				   "both Content-Length and Transfer-Encoding");
	if (minor < 1)
		return http_refuse(refusal, 400, "a Transfer-Encoding in HTTP/1.0");
	if (!http_token_is(value, size, "chunked"))
		return refuse_coding(value, size, refusal);
	framing->is_chunked = true;
	return 0;
}

static void take_connection(struct http_framing *framing, const char *value, size_t size)
{
	struct http_slice option;
	size_t at = 0;

	while (weft__http_list_next(value, size, &at, &option)) {
		if (http_token_is(value + option.at, option.size, "close"))
			framing->has_close = true;
		else if (http_token_is(value + option.at, option.size, "keep-alive"))
			framing->has_keep_alive = true;
	}
}

int weft__http_framing_field(struct http_framing *framing, const char *text,
			     const struct http_field *field, int minor,
			     struct http_refusal *refusal)
{
	const char *name = text + field->name.at;
	const char *value = text + field->value.at;
	size_t size = field->value.size;

	switch (field->name.size) {
	case sizeof("Connection") - 1:
		if (http_token_is(name, field->name.size, "connection"))
			take_connection(framing, value, size);
		return 0;
	case sizeof("Content-Length") - 1:
		if (http_token_is(name, field->name.size, "content-length"))
			return take_length(framing, value, size, refusal);
		return 0;
	case sizeof("Transfer-Encoding") - 1:
		if (http_token_is(name, field->name.size, "transfer-encoding"))
			return take_coding(framing, value, size, minor, refusal);
		return 0;
	}
	return 0;
}
