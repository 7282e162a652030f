/*
 * The head of a response. See http/response_head.h.
 */
#include "http/response_head.h"

void weft__http_response_head_begin(struct http_response_head *head,
				    const struct http_head_limits *limits)
{
	struct http_fields fields = head->fields;

	fields.n = 0;
	*head = (struct http_response_head){ .fields = fields, .limits = *limits };
}

void weft__http_response_head_fini(struct http_response_head *head)
{
	weft__http_fields_fini(&head->fields);
}

static int refuse(struct http_response_head *head, const char *problem)
{
	return http_refuse(&head->refusal, 502, problem);
}

/* Every byte before `at` was fine. Are more bytes missing, or are there too many? */
static int stop_at(struct http_response_head *head, enum http_response_step step,
		   size_t at)
{
	head->step = step;
	head->at = (uint32_t)at;
	if (at < head->limits.line + 2)
		return HTTP_MORE;
	return refuse(head, "the status line is too long");
}

/* "HTTP/1.1 200", twelve bytes that are looked at together: HTTP_DONE if all are there.
 */
static int parse_status(struct http_response_head *head, const char *text, size_t end)
{
	static const char shape[] = "HTTP/0.0 000"; /* 0 stands for any digit */
	size_t n = MIN(end, sizeof(shape) - 1);

	for (size_t i = 0; i < n; i++)
		if (shape[i] == '0' ? !http_is_digit(text[i]) : text[i] != shape[i])
			return refuse(head, "a status line that does not begin with "
					    "HTTP/1.1 and three digits");
	if (n < sizeof(shape) - 1)
		return stop_at(head, HTTP_RESPONSE_STATUS, n);
	if (text[5] != '1' || text[7] > '1')
		return refuse(head, "a version that is neither HTTP/1.0 nor HTTP/1.1");
	head->minor = text[7] - '0';
	head->status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
	if (head->status < 100 || head->status > 599)
		return refuse(head, "a status that is not between 100 and 599");
	return HTTP_DONE;
}

/* HTTP_DONE once the line and its end are there. */
static int parse_line(struct http_response_head *head, const char *text, size_t size)
{
	const size_t reason_at = sizeof("HTTP/1.1 200") - 1;
	size_t end = MIN(size, head->limits.line + 2);
	size_t at = head->at;
	int r;

	switch (head->step) {
	case HTTP_RESPONSE_STATUS:
		r = parse_status(head, text, end);
		if (r != HTTP_DONE)
			return r;
		at = reason_at;
		/* fall through */
	case HTTP_RESPONSE_REASON:
		at = weft__http_span_value(text, at, end);
		if (at > reason_at && text[reason_at] != ' ')
			return refuse(head, "no blank behind the status");
		if (at >= end)
			return stop_at(head, HTTP_RESPONSE_REASON, at);
		if (text[at] != '\r')
			return refuse(head, "a control character in the status line");
		at++;
		/* fall through */
	case HTTP_RESPONSE_LF:
		if (at >= end)
			return stop_at(head, HTTP_RESPONSE_LF, at);
		if (text[at] != '\n')
			return refuse(head, "a carriage return without a line feed");
		head->at = (uint32_t)at + 1;
		break;
	case HTTP_RESPONSE_FIELDS:
		break;
	}
	return HTTP_DONE;
}

int weft__http_response_head_parse(struct http_response_head *head, const char *text,
				   size_t size)
{
	const struct http_field *field = &head->reader.field;
	int r;

	if (head->step != HTTP_RESPONSE_FIELDS) {
		r = parse_line(head, text, size);
		if (r != HTTP_DONE)
			return r;
		head->step = HTTP_RESPONSE_FIELDS;
		weft__http_field_reader_init(&head->reader, head->at, head->limits.fields,
					     head->limits.n_fields);
	}
	while ((r = weft__http_field_read(&head->reader, text, size, &head->refusal)) ==
	       HTTP_FIELD) {
		r = weft__http_framing_field(&head->framing, text, field, head->minor,
					     &head->refusal);
		if (r == 0)
			r = weft__http_fields_add(&head->fields, field);
		if (r < 0)
			return r;
	}
	if (r == HTTP_DONE)
		head->size = head->reader.at;
	return r;
}

enum http_body_kind weft__http_response_body_kind(const struct http_response_head *head,
						  bool is_head)
{
	if (is_head || head->status < 200 || head->status == 204 || head->status == 304)
		return HTTP_BODY_NONE;
	if (head->framing.is_chunked)
		return HTTP_BODY_CHUNKED;
	if (head->framing.has_length)
		return head->framing.length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	return HTTP_BODY_TO_END;
}
