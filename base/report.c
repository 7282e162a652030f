/*
 * Reports: what went wrong and found nobody to return to.
 *
 * One hook for the process, called under a lock, so that its lines never mix. A report
 * made inside the hook goes straight to stderr: the lock is held already. Any thread.
 */
#include "base/report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weft_report_hook *hook; /* under lock */
static void *hook_arg; /* under lock */
static _Thread_local bool inside;

static void print(const struct weft_report *report)
{
	static const char *const lead[] = {
		[WEFT_NOTE] = "note: ",
		[WEFT_WARNING] = "warning: ",
		[WEFT_FAILURE] = "",
	};
	char text[2048], place[256];
	size_t n = 0, room = sizeof(text) - 1;

	n += (size_t)snprintf(text, room, "weft: %s%s", lead[report->severity],
			      report->message);
	n = MIN(n, room - 1);
	if (report->error) {
		n += (size_t)snprintf(text + n, room - n, ": ");
		n = MIN(n, room - 1);
		n += weft_error_format(report->error, text + n, room - n);
		n = MIN(n, room - 1);
	}
	if (report->place) {
		n += (size_t)snprintf(text + n, room - n, ", made at %s",
				      weft_describe_place(report->place, place,
							  sizeof(place)));
		n = MIN(n, room - 1);
	}
	text[n++] = '\n';
	(void)!write(STDERR_FILENO, text, n); /* nobody is left to tell if this fails */
}

void weft_set_report_hook(weft_report_hook *new_hook, void *arg)
{
	pthread_mutex_lock(&lock);
	hook = new_hook;
	hook_arg = arg;
	pthread_mutex_unlock(&lock);
}

void weft_report_send(const struct weft_report *report)
{
	if (inside) {
		print(report);
		return;
	}
	pthread_mutex_lock(&lock);
	inside = true;
	if (hook)
		hook(report, hook_arg);
	else
		print(report);
	inside = false;
	pthread_mutex_unlock(&lock);
}

void weft__report(enum weft_severity severity, const struct weft_report *like,
		  const char *format, ...)
{
	struct weft_report report = { 0 };
	char message[512];
	va_list args;

	if (like)
		report = *like;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	report.severity = severity;
	report.message = message;
	weft_report_send(&report);
}
