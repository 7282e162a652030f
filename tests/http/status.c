/*
 * Reasons and dates.
 */
#include "http/status.h"

#include "tests/test.h"

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

Test(date, is_now)
{
	char before[HTTP_DATE_SIZE];
	char after[HTTP_DATE_SIZE];
	struct timespec now;
	const char *date;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	weft__http_date_format(now.tv_sec, before);
	date = weft__http_date();
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	weft__http_date_format(now.tv_sec, after);
	cr_expect(!strcmp(date, before) || !strcmp(date, after), "%s", date);
	cr_expect_eq(weft__http_date(), date, "made in place");
}
