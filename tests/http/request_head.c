/*
 * Requests, as the parsers see them: each row of tests/http/requests.h, cut in every way.
 */
#include "http/request_head.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/chunked.h"
#include "tests/http/requests.h"
#include "tests/test.h"

static const struct http_head_limits default_limits = { 8192, 32768, 100 };

/* What came of some bytes, as text, so that two outcomes can be compared. */
struct outcome {
	char text[4096];
	size_t size;
	int statuses[4];
	int n_statuses;
};

static void WEFT_PRINTF(2, 3) note(struct outcome *outcome, const char *format, ...)
{
	size_t room = sizeof(outcome->text) - outcome->size;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(outcome->text + outcome->size, room, format, args);
	va_end(args);
	if (n > 0)
		outcome->size += MIN((size_t)n, room - 1);
}

/* Bytes of a body; a zero byte would end the text. */
static void note_body(struct outcome *outcome, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		note(outcome, "%c", data[i] ? data[i] : '0');
}

static void note_status(struct outcome *outcome, int status, const char *problem)
{
	note(outcome, "%d %s\n", status, problem);
	if (outcome->n_statuses < (int)ARRAY_SIZE(outcome->statuses))
		outcome->statuses[outcome->n_statuses++] = status;
}

#define SLICE(text, slice) (int)(slice).size, (text) + (slice).at

static void note_head(struct outcome *outcome, const struct http_request_head *head,
		      const char *text)
{
	note(outcome,
	     "%.*s %.*s ? %.*s 1.%d host %.*s length %d %llu chunked %d keep %d\n",
	     SLICE(text, head->method), SLICE(text, head->target.path),
	     SLICE(text, head->target.query), head->minor, SLICE(text, head->host),
	     head->framing.has_length, (unsigned long long)head->framing.length,
	     head->framing.is_chunked,
	     http_framing_keeps_alive(&head->framing, head->minor));
	for (uint32_t i = 0; i < head->fields.n; i++)
		note(outcome, "%.*s=%.*s|", SLICE(text, head->fields.items[i].field.name),
		     SLICE(text, head->fields.items[i].field.value));
}

/*
 * A connection: bytes arrive in segments, are parsed when they do, and are dropped once
 * they are done with. What has arrived lies in a block of exactly its size, another one
 * each time, so that a sanitizer sees whoever reads too far or keeps a pointer.
 */
struct connection {
	char *data;
	size_t size;
	bool in_body;
	bool is_over;
	uint64_t left;
	struct http_request_head head;
	struct http_chunk_decoder decoder;
	const struct http_head_limits *limits;
	struct outcome *outcome;
};

static void keep(struct connection *c, size_t from)
{
	size_t size = c->size - from;
	char *data = malloc(size ? size : 1);

	memcpy(data, c->data + from, size);
	free(c->data);
	c->data = data;
	c->size = size;
}

static void end_request(struct connection *c)
{
	note_status(c->outcome, 200, "");
	c->in_body = false;
	c->is_over = !http_framing_keeps_alive(&c->head.framing, c->head.minor);
	weft__http_request_head_begin(&c->head, c->limits);
}

static bool parse_head(struct connection *c)
{
	int r = weft__http_request_head_parse(&c->head, c->data, c->size);

	if (r == HTTP_MORE)
		return false;
	if (r < 0) {
		cr_assert_eq(r, -EBADMSG);
		note_status(c->outcome, c->head.refusal.status, c->head.refusal.problem);
		c->is_over = true;
		return false;
	}
	note_head(c->outcome, &c->head, c->data);
	c->in_body = true;
	c->left = c->head.framing.length;
	weft__http_chunk_decoder_init(&c->decoder, c->limits);
	keep(c, c->head.size);
	return true;
}

static bool parse_chunks(struct connection *c)
{
	struct http_chunk chunk;
	int r = weft__http_chunk_decode(&c->decoder, c->data, c->size, 3, &chunk);

	if (r < 0) {
		note_status(c->outcome, c->decoder.refusal.status,
			    c->decoder.refusal.problem);
		c->is_over = true;
		return false;
	}
	note_body(c->outcome, chunk.data, chunk.size);
	keep(c, chunk.taken);
	if (r == HTTP_DONE)
		end_request(c);
	return r == HTTP_DONE || chunk.size;
}

static bool parse_body(struct connection *c)
{
	size_t n = MIN(c->size, c->left);

	if (c->head.framing.is_chunked)
		return parse_chunks(c);
	note_body(c->outcome, c->data, n);
	keep(c, n);
	c->left -= n;
	if (c->left)
		return false;
	end_request(c);
	return true;
}

static void arrive(struct connection *c, const char *data, size_t size)
{
	char *grown;

	if (c->is_over)
		return;
	grown = malloc(c->size + size + !size);
	memcpy(grown, c->data, c->size);
	memcpy(grown + c->size, data, size);
	free(c->data);
	c->data = grown;
	c->size += size;
	while (!c->is_over && (c->in_body ? parse_body(c) : parse_head(c)))
		;
}

/* The outcome when the first segment has `first` bytes, and each other one `step`. */
static void run(const char *data, size_t size, size_t first, size_t step,
		const struct http_head_limits *limits, struct outcome *outcome)
{
	struct connection c = { .limits = limits, .outcome = outcome, .data = malloc(1) };

	*outcome = (struct outcome){ 0 };
	weft__http_request_head_begin(&c.head, limits);
	first = MIN(first, size);
	arrive(&c, data, first);
	for (size_t at = first; at < size; at += step)
		arrive(&c, data + at, MIN(step, size - at));
	weft__http_request_head_fini(&c.head);
	free(c.data);
}

Test(request_head, rows_are_answered_as_they_say)
{
	struct outcome outcome;

	for (size_t i = 0; i < ARRAY_SIZE(raw_requests); i++) {
		const struct raw_request *row = &raw_requests[i];

		run(row->data, row->size, row->size, 1, &default_limits, &outcome);
		for (size_t k = 0; k < ARRAY_SIZE(row->statuses); k++)
			cr_expect_eq(outcome.statuses[k], row->statuses[k],
				     "%s, answer %zu: %d instead of %d\n%s", row->name, k,
				     outcome.statuses[k], row->statuses[k], outcome.text);
	}
	cr_expect_ge(ARRAY_SIZE(raw_requests), 150);
}

Test(request_head, does_not_depend_on_where_the_bytes_are_cut)
{
	struct outcome whole;
	struct outcome cut;

	for (size_t i = 0; i < ARRAY_SIZE(raw_requests); i++) {
		const struct raw_request *row = &raw_requests[i];

		run(row->data, row->size, row->size, 1, &default_limits, &whole);
		run(row->data, row->size, 1, 1, &default_limits, &cut);
		cr_expect_str_eq(cut.text, whole.text, "%s, byte by byte", row->name);
		for (size_t at = 0; at < row->size; at++) {
			run(row->data, row->size, at, row->size, &default_limits, &cut);
			cr_expect_str_eq(cut.text, whole.text, "%s, cut at %zu",
					 row->name, at);
		}
	}
}

/* xorshift64: the same numbers in each run. */
static size_t next_number(uint64_t *state, size_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % below;
}

/* Replaces, takes out or puts in a byte, one that matters somewhere in HTTP. */
static size_t mutate(char *data, size_t size, uint64_t *state)
{
	static const char bytes[] =
		"\r\n\r\n \t:;,=\0\x01\x7f\x80\xff%/?#*.\"\\0159afgxAZ+-_[]@";
	size_t at = next_number(state, size + 1);
	char byte = bytes[next_number(state, sizeof(bytes) - 1)];

	switch (next_number(state, 3)) {
	case 0:
		memmove(data + at + 1, data + at, size - at);
		data[at] = byte;
		return size + 1;
	case 1:
		if (at < size) {
			memmove(data + at, data + at + 1, size - at - 1);
			return size - 1;
		}
		return size;
	default:
		if (at < size)
			data[at] = byte;
		return size;
	}
}

Test(request_head, does_not_depend_on_where_broken_bytes_are_cut_either)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	struct outcome whole;
	struct outcome cut;
	char data[2048];
	int n_refused = 0;

	for (int i = 0; i < 20000; i++) {
		const struct raw_request *row =
			&raw_requests[next_number(&state, ARRAY_SIZE(raw_requests))];
		size_t size = row->size;

		memcpy(data, row->data, size);
		for (size_t n = next_number(&state, 4); n; n--)
			size = mutate(data, size, &state);
		run(data, size, size, 1, &default_limits, &whole);
		run(data, size, next_number(&state, size + 1),
		    1 + next_number(&state, size + 1), &default_limits, &cut);
		cr_assert_str_eq(cut.text, whole.text, "round %d, from %s", i, row->name);
		n_refused += whole.statuses[0] >= 400;
	}
	cr_expect(n_refused > 5000 && n_refused < 19000, "%d", n_refused);
}

Test(request_head, says_what_is_wrong)
{
	static const struct {
		const char *name;
		const char *data;
		const char *problem;
	} cases[] = {
		{ "fold", GET "X: a\r\n b\r\n\r\n", "goes on in the next line" },
		{ "blank", GET "X : a\r\n\r\n", "a blank before the colon" },
		{ "no Host", "GET / HTTP/1.1\r\n\r\n", "no Host" },
		{ "two", POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
		  "more than one Content-Length" },
		{ "dots", "GET /../a HTTP/1.1\r\n", "a dot segment" },
		{ "line feed", "GET / HTTP/1.1\n", "without a carriage return" },
	};
	struct outcome outcome;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		run(cases[i].data, strlen(cases[i].data), SIZE_MAX, 1, &default_limits,
		    &outcome);
		cr_expect(strstr(outcome.text, cases[i].problem), "%s: %s", cases[i].name,
			  outcome.text);
	}
}

/* ---- Limits ---- */

/* "GET /aaa… HTTP/1.1", so many bytes without its end, and "X: bbb…" of so many with it.
 */
static char *request_of(size_t line, size_t field, size_t n_fields, size_t *size)
{
	static const char end[] = " HTTP/1.1\r\n";
	char *data = malloc(line + field + 16 * n_fields + 64);
	char *at = data;

	at += sprintf(at, "GET /");
	memset(at, 'a', line - strlen("GET / HTTP/1.1"));
	at += line - strlen("GET / HTTP/1.1");
	at += sprintf(at, "%sHost: a\r\n", end);
	for (size_t i = 1; i < n_fields; i++)
		at += sprintf(at, "A: b\r\n");
	if (field) {
		at += sprintf(at, "X: ");
		memset(at, 'b', field - strlen("X: \r\n"));
		at += field - strlen("X: \r\n");
		at += sprintf(at, "\r\n");
	}
	at += sprintf(at, "\r\n");
	*size = (size_t)(at - data);
	return data;
}

static void expect_status(const char *name, size_t line, size_t field, size_t n_fields,
			  int status)
{
	static const size_t steps[] = { SIZE_MAX, 1460, 64, 7, 1 };
	struct outcome outcome;
	size_t size;
	char *data = request_of(line, field, n_fields, &size);

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		/* Byte by byte is quadratic here: only where the request is short. */
		if (steps[i] < 64 && size > 2000)
			continue;
		run(data, size, steps[i], MIN(steps[i], size), &default_limits, &outcome);
		cr_expect_eq(outcome.statuses[0], status, "%s, %zu at a time: %d", name,
			     steps[i], outcome.statuses[0]);
	}
	free(data);
}

Test(request_head, limits_count_bytes_over_any_segments)
{
	const size_t host = strlen("Host: a\r\n");

	expect_status("a line of 8 KiB", 8192, 0, 1, 200);
	expect_status("a line of 8 KiB and a byte", 8193, 0, 1, 414);
	expect_status("a line of 70,000 bytes", 70000, 0, 1, 414);
	expect_status("fields of 32 KiB", 100, 32768 - host, 1, 200);
	expect_status("fields of 32 KiB and a byte", 100, 32768 - host + 1, 1, 431);
	expect_status("fields of 100,000 bytes", 100, 100000, 1, 431);
	expect_status("100 fields", 100, 0, 100, 200);
	expect_status("101 fields", 100, 0, 101, 431);
	expect_status("20,000 fields", 100, 0, 20000, 431);
}

Test(request_head, limits_are_told_before_the_end_has_come)
{
	struct http_head_limits limits = { 20, 20, 5 };
	struct outcome outcome;
	static const struct {
		const char *name;
		const char *data;
		int status;
	} cases[] = {
		{ "a method", "GETGETGETGETGETGETGETG", 414 },
		{ "a target", "GET /aaaaaaaaaaaaaaaaaaaa", 414 },
		{ "a version", "GET /aaaaaaaaaaaa HTTP", 414 },
		{ "a version in good time", "GET /aaaaaaaaaaaa HTT", 0 },
		{ "a line that just fits", "GET /aaaaaa HTTP/1.1\r\n", 0 },
		{ "a name", "GET / HTTP/1.1\r\nHost: a\r\nXXXXXXXXXXXXX", 431 },
		{ "a name in good time", "GET / HTTP/1.1\r\nHost: a\r\nXXXXXXXXXX", 0 },
		{ "a value", "GET / HTTP/1.1\r\nHost: a\r\nX: aaaaaaaaaaaaa", 431 },
		{ "blanks", "GET / HTTP/1.1\r\nHost: a\r\nX:              ", 431 },
		{ "fields that just fit",
		  "GET / HTTP/1.1\r\nHost: a\r\nX: aaaaaa\r\n\r\n", 200 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = strlen(cases[i].data);

		run(cases[i].data, size, size, 1, &limits, &outcome);
		cr_expect_eq(outcome.statuses[0], cases[i].status, "%s: %d",
			     cases[i].name, outcome.statuses[0]);
		run(cases[i].data, size, 1, 1, &limits, &outcome);
		cr_expect_eq(outcome.statuses[0], cases[i].status, "%s, byte by byte: %d",
			     cases[i].name, outcome.statuses[0]);
	}
}

Test(request_head, without_memory_for_its_fields_fails)
{
	struct http_request_head head = { 0 };
	size_t size;
	char *data = request_of(100, 0, 20, &size);

	for (long nth = 1; nth <= 2; nth++) {
		weft__http_request_head_begin(&head, &default_limits);
		weft__fail_allocation(nth);
		cr_expect_eq(weft__http_request_head_parse(&head, data, size), -ENOMEM);
		weft__fail_allocation(0);
		weft__http_request_head_fini(&head);
	}
	weft__http_request_head_begin(&head, &default_limits);
	cr_expect_eq(weft__http_request_head_parse(&head, data, size), HTTP_DONE);
	cr_expect_eq(head.fields.n, 20);
	weft__http_request_head_fini(&head);
	free(data);
}

/* ---- What is found ---- */

Test(request_head, gives_its_parts)
{
	static const char text[] =
		"POST /a/b%20c?d=e HTTP/1.1\r\nhost: Example.org:81\r\n"
		"Expect: 100-Continue\r\nX-A:  1 2 \r\nx-a: 3\r\n"
		"Content-Length: 12\r\n\r\nbody";
	struct http_request_head head = { 0 };
	int i;

	weft__http_request_head_begin(&head, &default_limits);
	cr_assert_eq(weft__http_request_head_parse(&head, text, sizeof(text) - 1),
		     HTTP_DONE);
	cr_expect_eq(head.size, sizeof(text) - 1 - strlen("body"));
	cr_expect_eq(head.minor, 1);
	cr_expect(head.expects_continue);
	cr_expect(head.target.is_encoded);
	cr_expect(!memcmp(text + head.host.at, "Example.org:81", head.host.size));
	cr_expect_eq(head.framing.length, 12);

	i = weft__http_fields_find(&head.fields, text, "X-a", 0);
	cr_assert_eq(i, 2);
	cr_expect_eq(head.fields.items[i].field.value.size, 3);
	cr_expect(!memcmp(text + head.fields.items[i].field.value.at, "1 2", 3));
	cr_expect_eq(weft__http_fields_find(&head.fields, text, "X-A", 3), 3);
	cr_expect_eq(weft__http_fields_find(&head.fields, text, "X-A", 4), -1);
	cr_expect_eq(weft__http_fields_find(&head.fields, text, "X", 0), -1);
	weft__http_request_head_fini(&head);
}

Test(request_head, can_be_begun_again_after_anything)
{
	struct http_request_head head = { 0 };

	for (int i = 0; i < 3; i++) {
		weft__http_request_head_begin(&head, &default_limits);
		cr_expect_eq(weft__http_request_head_parse(&head, RAW(GET "X: y")),
			     HTTP_MORE);
		weft__http_request_head_begin(&head, &default_limits);
		cr_expect_eq(weft__http_request_head_parse(&head, RAW("G(")), -EBADMSG);
		weft__http_request_head_begin(&head, &default_limits);
		cr_expect_eq(weft__http_request_head_parse(&head, RAW(GET "\r\n")),
			     HTTP_DONE);
		cr_expect_eq(head.fields.n, 1);
	}
	weft__http_request_head_fini(&head);
}
