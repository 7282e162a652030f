/*
 * Heads of responses, good and bad, cut in every way.
 */
#include "http/response_head.h"

#include "tests/test.h"

#define RAW(text) (text), sizeof(text) - 1

static const struct http_head_limits limits = { 100, 200, 5 };

static const struct row {
	const char *name;
	const char *data;
	size_t size;
	int result; /* HTTP_DONE, HTTP_MORE, -EBADMSG */
	int status;
	enum http_body_kind kind;
	bool keeps_alive;
} rows[] = {
	{ "the smallest", RAW("HTTP/1.1 200 OK\r\n\r\n"), HTTP_DONE, 200,
	  HTTP_BODY_TO_END, true },
	{ "a length", RAW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), HTTP_DONE, 200,
	  HTTP_BODY_LENGTH, true },
	{ "a length of zero", RAW("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
	  HTTP_DONE, 404, HTTP_BODY_NONE, true },
	{ "chunked", RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
	  HTTP_DONE, 200, HTTP_BODY_CHUNKED, true },
	{ "no content", RAW("HTTP/1.1 204 No Content\r\n\r\n"), HTTP_DONE, 204,
	  HTTP_BODY_NONE, true },
	{ "not modified, with a length",
	  RAW("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), HTTP_DONE, 304,
	  HTTP_BODY_NONE, true },
	{ "an interim response", RAW("HTTP/1.1 100 Continue\r\n\r\n"), HTTP_DONE, 100,
	  HTTP_BODY_NONE, true },
	{ "close", RAW("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), HTTP_DONE, 200,
	  HTTP_BODY_TO_END, false },
	{ "HTTP/1.0", RAW("HTTP/1.0 200 OK\r\n\r\n"), HTTP_DONE, 200, HTTP_BODY_TO_END,
	  false },
	{ "HTTP/1.0 that is kept",
	  RAW("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n"),
	  HTTP_DONE, 200, HTTP_BODY_LENGTH, true },
	{ "no reason", RAW("HTTP/1.1 200 \r\n\r\n"), HTTP_DONE, 200, HTTP_BODY_TO_END,
	  true },
	{ "no reason and no blank", RAW("HTTP/1.1 200\r\n\r\n"), HTTP_DONE, 200,
	  HTTP_BODY_TO_END, true },
	{ "a reason above ASCII", RAW("HTTP/1.1 200 \xc3\xa9\r\n\r\n"), HTTP_DONE, 200,
	  HTTP_BODY_TO_END, true },
	{ "incomplete", RAW("HTTP/1.1 200 OK\r\n"), HTTP_MORE, 0, 0, false },
	{ "nothing", RAW(""), HTTP_MORE, 0, 0, false },
	{ "bare LF", RAW("HTTP/1.1 200 OK\n\n"), -EBADMSG, 0, 0, false },
	{ "bare CR", RAW("HTTP/1.1 200 OK\rX: y\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "a letter behind the status", RAW("HTTP/1.1 200OK\r\n\r\n"), -EBADMSG, 0, 0,
	  false },
	{ "a tab behind the status", RAW("HTTP/1.1 200\tOK\r\n\r\n"), -EBADMSG, 0, 0,
	  false },
	{ "four digits", RAW("HTTP/1.1 2000 OK\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "two digits", RAW("HTTP/1.1 20 OK\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "a status below 100", RAW("HTTP/1.1 099 No\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "a status above 599", RAW("HTTP/1.1 600 No\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "HTTP/2.0", RAW("HTTP/2.0 200 OK\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "HTTP/1.2", RAW("HTTP/1.2 200 OK\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "in small letters", RAW("http/1.1 200 OK\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "a radio station", RAW("ICY 200 OK\r\n\r\n"), -EBADMSG, 0, 0, false },
	{ "an empty line before it", RAW("\r\nHTTP/1.1 200 OK\r\n\r\n"), -EBADMSG, 0, 0,
	  false },
	{ "a zero byte in the reason", RAW("HTTP/1.1 200 O\0K\r\n\r\n"), -EBADMSG, 0, 0,
	  false },
	{ "an SSH server", RAW("SSH-2.0-x\r\n"), -EBADMSG, 0, 0, false },
	{ "both lengths",
	  RAW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
	      "Transfer-Encoding: chunked\r\n\r\n"),
	  -EBADMSG, 0, 0, false },
	{ "two lengths",
	  RAW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n"
	      "\r\n"),
	  -EBADMSG, 0, 0, false },
	{ "a signed length", RAW("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n"),
	  -EBADMSG, 0, 0, false },
	{ "another coding", RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
	  -EBADMSG, 0, 0, false },
	{ "chunked in HTTP/1.0",
	  RAW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), -EBADMSG, 0, 0,
	  false },
	{ "a folded line", RAW("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"), -EBADMSG, 0, 0,
	  false },
	{ "a blank before the colon", RAW("HTTP/1.1 200 OK\r\nX : a\r\n\r\n"), -EBADMSG,
	  0, 0, false },
	{ "too many fields",
	  RAW("HTTP/1.1 200 OK\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n"), -EBADMSG, 0, 0,
	  false },
	{ "a status line that is too long",
	  RAW("HTTP/1.1 200 12345678901234567890123456789012345678901234567890"
	      "123456789012345678901234567890123456789\r\n"),
	  -EBADMSG, 0, 0, false },
	{ "a status line that just fits",
	  RAW("HTTP/1.1 200 12345678901234567890123456789012345678901234567890"
	      "1234567890123456789012345678901234567\r\n"),
	  HTTP_MORE, 0, 0, false },
};

/* A copy of exactly that size, so that a sanitizer sees who reads on. */
static int parse(struct http_response_head *head, const char *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, data, size);
	r = weft__http_response_head_parse(head, copy, size);
	free(copy);
	return r;
}

static void expect_row(const struct row *row, const struct http_response_head *head,
		       int r)
{
	cr_expect_eq(r, row->result, "%s: %d %s", row->name, r,
		     head->refusal.problem ? head->refusal.problem : "");
	if (r != HTTP_DONE || row->result != HTTP_DONE)
		return;
	cr_expect_eq(head->size, row->size, "%s", row->name);
	cr_expect_eq(head->status, row->status, "%s", row->name);
	cr_expect_eq(weft__http_response_body_kind(head, false), row->kind, "%s",
		     row->name);
	cr_expect_eq(weft__http_response_body_kind(head, true), HTTP_BODY_NONE, "%s",
		     row->name);
	cr_expect_eq(http_framing_keeps_alive(&head->framing, head->minor),
		     row->keeps_alive, "%s", row->name);
}

Test(response_head, rows_are_read_as_they_say_however_they_are_cut)
{
	struct http_response_head head = { 0 };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t at = 0; at <= rows[i].size; at++) {
			weft__http_response_head_begin(&head, &limits);
			r = parse(&head, rows[i].data, at);
			if (r == HTTP_MORE)
				r = parse(&head, rows[i].data, rows[i].size);
			expect_row(&rows[i], &head, r);
		}
		weft__http_response_head_begin(&head, &limits);
		r = HTTP_MORE;
		for (size_t at = 0; at <= rows[i].size && r == HTTP_MORE; at++)
			r = parse(&head, rows[i].data, at);
		expect_row(&rows[i], &head, r);
	}
	weft__http_response_head_fini(&head);
}

Test(response_head, stops_behind_its_empty_line)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
	struct http_response_head head = { 0 };
	size_t at;

	weft__http_response_head_begin(&head, &limits);
	cr_assert_eq(weft__http_response_head_parse(&head, text, sizeof(text) - 1),
		     HTTP_DONE);
	cr_expect_eq(head.status, 100);
	at = head.size;
	weft__http_response_head_begin(&head, &limits);
	cr_assert_eq(weft__http_response_head_parse(&head, text + at,
						    sizeof(text) - 1 - at),
		     HTTP_DONE);
	cr_expect_eq(head.status, 200);
	cr_expect_eq(at + head.size, sizeof(text) - 1);
	weft__http_response_head_fini(&head);
}
