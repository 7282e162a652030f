/*
 * Status reasons and dates. See http/status.h.
 */
#include "http/status.h"

#include "http/out.h"

static const char *const reasons[] = {
	[100] = "Continue",
	[101] = "Switching Protocols",
	[102] = "Processing",
	[103] = "Early Hints",
	[200] = "OK",
	[201] = "Created",
	[202] = "Accepted",
	[203] = "Non-Authoritative Information",
	[204] = "No Content",
	[205] = "Reset Content",
	[206] = "Partial Content",
	[207] = "Multi-Status",
	[208] = "Already Reported",
	[226] = "IM Used",
	[300] = "Multiple Choices",
	[301] = "Moved Permanently",
	[302] = "Found",
	[303] = "See Other",
	[304] = "Not Modified",
	[305] = "Use Proxy",
	[307] = "Temporary Redirect",
	[308] = "Permanent Redirect",
	[400] = "Bad Request",
	[401] = "Unauthorized",
	[402] = "Payment Required",
	[403] = "Forbidden",
	[404] = "Not Found",
	[405] = "Method Not Allowed",
	[406] = "Not Acceptable",
	[407] = "Proxy Authentication Required",
	[408] = "Request Timeout",
	[409] = "Conflict",
	[410] = "Gone",
	[411] = "Length Required",
	[412] = "Precondition Failed",
	[413] = "Content Too Large",
	[414] = "URI Too Long",
	[415] = "Unsupported Media Type",
	[416] = "Range Not Satisfiable",
	[417] = "Expectation Failed",
	[418] = "I'm a teapot",
	[421] = "Misdirected Request",
	[422] = "Unprocessable Content",
	[423] = "Locked",
	[424] = "Failed Dependency",
	[425] = "Too Early",
	[426] = "Upgrade Required",
	[428] = "Precondition Required",
	[429] = "Too Many Requests",
	[431] = "Request Header Fields Too Large",
	[451] = "Unavailable For Legal Reasons",
	[500] = "Internal Server Error",
	[501] = "Not Implemented",
	[502] = "Bad Gateway",
	[503] = "Service Unavailable",
	[504] = "Gateway Timeout",
	[505] = "HTTP Version Not Supported",
	[506] = "Variant Also Negotiates",
	[507] = "Insufficient Storage",
	[508] = "Loop Detected",
	[511] = "Network Authentication Required",
};

const char *weft__http_reason(int status)
{
	static const char *const classes[] = { "Unknown",      "Informational",
					       "Success",      "Redirection",
					       "Client Error", "Server Error" };

	if (status < 0 || status >= 600)
		return classes[0];
	if (status < (int)ARRAY_SIZE(reasons) && reasons[status])
		return reasons[status];
	return classes[status / 100];
}

static void put_two(char *at, int number)
{
	at[0] = (char)('0' + number / 10);
	at[1] = (char)('0' + number % 10);
}

/* By hand, because strftime() follows the locale of the host program. */
void weft__http_date_format(time_t when, char date[HTTP_DATE_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { 0 };
	int year;

	(void)gmtime_r(&when, &tm); /* fails for years that no clock shows */
	year = (tm.tm_year + 1900) % 10000;
	memcpy(date, "Day, 00 Mon 0000 00:00:00 GMT", HTTP_DATE_SIZE);
	memcpy(date, days + 3 * tm.tm_wday, 3);
	put_two(date + 5, tm.tm_mday);
	memcpy(date + 8, months + 3 * tm.tm_mon, 3);
	put_two(date + 12, year / 100);
	put_two(date + 14, year % 100);
	put_two(date + 17, tm.tm_hour);
	put_two(date + 20, tm.tm_min);
	put_two(date + 23, tm.tm_sec);
}

struct reply_start {
	int status;
	time_t date;
	size_t line_size; /* up to the date */
	struct http_out out;
	char text[128];
};

static void make_start(struct reply_start *start, int status, time_t date)
{
	char date_text[HTTP_DATE_SIZE];

	start->status = status;
	start->date = date;
	start->out =
		(struct http_out){ .data = start->text, .capacity = sizeof(start->text) };
	http_put_text(&start->out, "HTTP/1.1 ");
	http_put_number(&start->out, (uint64_t)status);
	http_put_text(&start->out, " ");
	http_put_text(&start->out, weft__http_reason(status));
	http_put_text(&start->out, "\r\n");
	start->line_size = start->out.size;
	weft__http_date_format(date, date_text);
	http_put_field(&start->out, "Date", date_text);
}

struct weft_bytes weft__http_reply_start(int status, bool dated)
{
	static _Thread_local struct reply_start start;
	struct timespec now;

	/* Cannot fail. The coarse clock is exact enough, and read without a system call.
	 */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (unlikely(start.status != status || start.date != now.tv_sec))
		make_start(&start, status, now.tv_sec);
	return weft_bytes_of(start.text, dated ? start.out.size : start.line_size);
}
