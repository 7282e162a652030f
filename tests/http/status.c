/*
 * Reasons, dates and how replies begin.
 */
#include "http/status.h"

#include "tests/test.h"

#include <stdio.h>

Test(status, has_a_reason)
{
	static const struct {
		int status;
		const char *reason;
	} cases[] = {
		{ 200, "OK" },
		{ 404, "Not Found" },
		{ 505, "HTTP Version Not Supported" },
		{ 299, "Success" },
		{ 499, "Client Error" },
		{ 599, "Server Error" },
		{ 600, "Unknown" },
		{ 0, "Unknown" },
		{ -1, "Unknown" },
		{ 99, "Unknown" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(weft__http_reason(cases[i].status), cases[i].reason,
				 "%d", cases[i].status);
}

Test(date, is_that_of_the_standard)
{
	static const struct {
		time_t when;
		const char *date;
	} cases[] = {
		{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 951827696, "Tue, 29 Feb 2000 12:34:56 GMT" },
		{ 4102444799, "Thu, 31 Dec 2099 23:59:59 GMT" },
	};
	char date[HTTP_DATE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft__http_date_format(cases[i].when, date);
		cr_expect_str_eq(date, cases[i].date);
	}
}

/* What a reply of this status and date begins with. */
static void put_expected(char *text, size_t size, const char *line, time_t when)
{
	char date[HTTP_DATE_SIZE];

	weft__http_date_format(when, date);
	snprintf(text, size, "%s\r\nDate: %s\r\n", line, date);
}

static bool is_start(struct weft_bytes start, const char *text)
{
	return start.size == strlen(text) && !memcmp(start.data, text, start.size);
}

Test(reply_start, has_status_and_date_of_now)
{
	static const struct {
		int status;
		const char *line;
	} cases[] = {
		{ 200, "HTTP/1.1 200 OK" },
		{ 404, "HTTP/1.1 404 Not Found" },
		{ 200, "HTTP/1.1 200 OK" },
		{ 511, "HTTP/1.1 511 Network Authentication Required" },
		{ 599, "HTTP/1.1 599 Server Error" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char before[128], after[128];
		struct weft_bytes start;
		struct timespec now;

		(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
		put_expected(before, sizeof(before), cases[i].line, now.tv_sec);
		start = weft__http_reply_start(cases[i].status, true);
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
		put_expected(after, sizeof(after), cases[i].line, now.tv_sec);
		cr_expect(is_start(start, before) || is_start(start, after), "%.*s",
			  (int)start.size, (const char *)start.data);
	}
}

Test(reply_start, without_a_date_is_the_status_line)
{
	cr_expect(
		is_start(weft__http_reply_start(201, false), "HTTP/1.1 201 Created\r\n"));
	cr_expect_gt(weft__http_reply_start(201, true).size,
		     weft__http_reply_start(201, false).size);
}

Test(reply_start, is_made_in_place)
{
	struct weft_bytes start = weft__http_reply_start(200, true);

	cr_expect_eq(weft__http_reply_start(200, true).data, start.data);
}
