/*
 * The head of a request. See http/request_head.h.
 */
#include "http/request_head.h"

void weft__http_request_head_begin(struct http_request_head *head,
				   const struct http_head_limits *limits)
{
	struct http_fields fields = head->fields;

	fields.n = 0;
	*head = (struct http_request_head){ .fields = fields, .limits = *limits };
}

void weft__http_request_head_fini(struct http_request_head *head)
{
	weft__http_fields_fini(&head->fields);
}

static int refuse(struct http_request_head *head, int status, const char *problem)
{
	return http_refuse(&head->refusal, status, problem);
}

/* ---- Request line ---- */

static int refuse_length(struct http_request_head *head)
{
	return refuse(head, 414, "the request line is too long");
}

/* Every byte before `at` was fine. Are more bytes missing, or are there too many? */
static int stop_at(struct http_request_head *head, enum http_request_step step, size_t at)
{
	head->step = step;
	head->at = (uint32_t)at;
	return at < head->limit ? HTTP_MORE : refuse_length(head);
}

static int refuse_version(struct http_request_head *head, char byte)
{
	if (byte == '\n')
		return refuse(head, 400, "a line ends without a carriage return");
	return refuse(head, 400, "a request line that does not end in HTTP/1.1");
}

/* "HTTP/1.1" CR LF, ten bytes that are looked at together: HTTP_DONE if all are there. */
static int parse_version(struct http_request_head *head, const char *text, size_t at,
			 size_t end)
{
	static const char shape[] = "HTTP/0.0\r\n"; /* 0 stands for any digit */
	const char *version = text + at;
	size_t n = MIN(end - at, sizeof(shape) - 1);

	/* What nearly everybody sends. */
	if (n == 10 && !memcmp(version, "HTTP/1.1\r\n", 10)) {
		head->at = (uint32_t)(at + n);
		head->minor = 1;
		return HTTP_DONE;
	}
	for (size_t i = 0; i < n; i++)
		if (shape[i] == '0' ? !http_is_digit(version[i]) : version[i] != shape[i])
			return refuse_version(head, version[i]);
	if (n < sizeof(shape) - 1) {
		head->step = HTTP_REQUEST_VERSION;
		head->at = (uint32_t)at;
		return end < head->limit ? HTTP_MORE : refuse_length(head);
	}
	if (version[5] != '1' || version[7] > '1')
		return refuse(head, 505,
			      "a version that is neither HTTP/1.0 nor HTTP/1.1");
	head->at = (uint32_t)(at + n);
	head->minor = version[7] - '0';
	return HTTP_DONE;
}

static bool text_is(const char *text, struct http_slice slice, const char *other)
{
	return slice.size == strlen(other) && !memcmp(text + slice.at, other, slice.size);
}

/* The line is complete. Is its target one that the method can have? Then HTTP_DONE. */
static int finish_line(struct http_request_head *head, const char *text,
		       struct http_slice target)
{
	int r;

	if (text_is(text, head->method, "CONNECT"))
		return refuse(head, 501, "CONNECT is not supported");
	r = weft__http_target_parse(&head->target, text, target, &head->refusal);
	if (r < 0)
		return r;
	if (target.size == 1 && text[target.at] == '*' &&
	    !text_is(text, head->method, "OPTIONS"))
		return refuse(head, 400, "a target that only OPTIONS can have");
	return HTTP_DONE;
}

static int refuse_target(struct http_request_head *head, char byte)
{
	if (byte == '\r' || byte == '\n')
		return refuse(head, 400, "a request line that does not end in HTTP/1.1");
	return refuse(head, 400, "a bad character in the target");
}

/* HTTP_DONE once the line and its end are there. */
static int parse_line(struct http_request_head *head, const char *text, size_t size)
{
	size_t end = size;
	size_t at = head->at;
	int r;

	switch (head->step) {
	case HTTP_REQUEST_BEGIN:
		if (at >= size)
			return HTTP_MORE;
		if (text[at] != '\r')
			goto method;
		at++;
		/* fall through */
	case HTTP_REQUEST_EMPTY_LINE:
		head->step = HTTP_REQUEST_EMPTY_LINE;
		head->at = (uint32_t)at;
		if (at >= size)
			return HTTP_MORE;
		if (text[at] != '\n')
			return refuse(head, 400, "a carriage return without a line feed");
		at++;
method:
		head->mark = (uint32_t)at;
		head->limit = (uint32_t)(at + head->limits.line + 2);
		/* fall through */
	case HTTP_REQUEST_METHOD:
		end = MIN(size, head->limit);
		at = http_span(text, at, end, HTTP_TOKEN);
		if (at >= end)
			return stop_at(head, HTTP_REQUEST_METHOD, at);
		if (text[at] != ' ' || at == head->mark)
			return refuse(head, 400, "a bad character in the method");
		head->method = http_slice_of(head->mark, at);
		head->mark = (uint32_t)++at;
		/* fall through */
	case HTTP_REQUEST_TARGET:
		end = MIN(size, head->limit);
		at = http_span(text, at, end, HTTP_PATH | HTTP_QUERY);
		if (at >= end)
			return stop_at(head, HTTP_REQUEST_TARGET, at);
		if (text[at] != ' ' || at == head->mark)
			return refuse_target(head, text[at]);
		at++;
		/* fall through */
	case HTTP_REQUEST_VERSION:
		end = MIN(size, head->limit);
		r = parse_version(head, text, at, end);
		if (r != HTTP_DONE)
			return r;
		return finish_line(head, text, http_slice_of(head->mark, at - 1));
	case HTTP_REQUEST_FIELDS:
		break;
	}
	return HTTP_DONE;
}

/* ---- Fields ---- */

static int take_host(struct http_request_head *head, const char *text,
		     struct http_slice value)
{
	struct http_authority authority;

	if (head->has_host)
		return refuse(head, 400, "more than one Host");
	if (!weft__http_authority_parse(&authority, text, value))
		return refuse(head, 400, "a bad Host");
	head->has_host = true;
	head->host = value;
	return 0;
}

/* Only looked at in HTTP/1.1, and only once everything else is known to be right. */
static void take_expectation(struct http_request_head *head, const char *text,
			     struct http_slice value)
{
	if (http_token_is(text + value.at, value.size, "100-continue"))
		head->expects_continue = true;
	else
		head->has_other_expectation = true;
}

static int take_field(struct http_request_head *head, const char *text,
		      const struct http_field *field)
{
	const char *name = text + field->name.at;
	size_t size = field->name.size;
	int r = 0;

	if (size == sizeof("Host") - 1 && http_token_is(name, size, "host"))
		r = take_host(head, text, field->value);
	else if (size == sizeof("Expect") - 1 && http_token_is(name, size, "expect"))
		take_expectation(head, text, field->value);
	else
		r = weft__http_framing_field(&head->framing, text, field, head->minor,
					     &head->refusal);
	return r < 0 ? r : weft__http_fields_add(&head->fields, field);
}

/* "GET http://a/ HTTP/1.1" with "Host: b" has two readings. */
static int check_host(struct http_request_head *head, const char *text)
{
	const struct http_slice *named = &head->target.authority;
	struct http_authority target;
	struct http_authority host;
	bool is_https;

	if (!head->has_host)
		return head->minor < 1 ? 0 : refuse(head, 400, "no Host");
	if (!named->size)
		return 0;
	(void)weft__http_authority_parse(&target, text, *named);
	(void)weft__http_authority_parse(&host, text, head->host);
	is_https = text[named->at - 4] == 's' || text[named->at - 4] == 'S';
	if (!weft__http_authority_same(&target, text, &host, text, is_https ? 443 : 80))
		return refuse(head, 400, "a target on another host than Host");
	return 0;
}

/* The empty line has come. */
static int finish_fields(struct http_request_head *head, const char *text)
{
	int r;

	head->size = head->reader.at;
	r = check_host(head, text);
	if (r < 0)
		return r;
	if (head->minor < 1)
		head->expects_continue = false;
	else if (head->has_other_expectation)
		return refuse(head, 417, "an unknown expectation");
	return HTTP_DONE;
}

int weft__http_request_head_parse(struct http_request_head *head, const char *text,
				  size_t size)
{
	int r;

	if (head->step != HTTP_REQUEST_FIELDS) {
		r = parse_line(head, text, size);
		if (r != HTTP_DONE)
			return r;
		head->step = HTTP_REQUEST_FIELDS;
		weft__http_field_reader_init(&head->reader, head->at, head->limits.fields,
					     head->limits.n_fields);
	}
	while ((r = weft__http_field_read(&head->reader, text, size, &head->refusal)) ==
	       HTTP_FIELD) {
		r = take_field(head, text, &head->reader.field);
		if (r < 0)
			return r;
	}
	return r == HTTP_DONE ? finish_fields(head, text) : r;
}
