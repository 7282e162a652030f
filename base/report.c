/*
 * Reports: what went wrong and found nobody to return to.
 *
 * One hook for the process, called under a lock, so that its lines never mix. A report
 * made inside the hook goes straight to stderr: the lock is held already. So a hook that fails
 * is not called for its own failure, and one that wants the usual line sends the report on.
 * Any thread.
 */
#include "base/report.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weft_report_hook *hook; /* under lock */
static void *hook_arg; /* under lock */
static _Thread_local bool inside;

/* Puts text behind the n bytes that are there, as far as there is room; counts all of it. */
static size_t add(char *buffer, size_t size, size_t n, const char *text)
{
	return n + (size_t)snprintf(n < size ? buffer + n : NULL, n < size ? size - n : 0,
				    "%s", text);
}

static const char *lead_of(enum weft_severity severity)
{
	switch (severity) {
	case WEFT_NOTE:
		return "weft: note: ";
	case WEFT_WARNING:
		return "weft: warning: ";
	case WEFT_FAILURE:
		break;
	}
	return "weft: ";
}

size_t weft_report_format(const struct weft_report *report, char *buffer, size_t size)
{
	char place[256];
	size_t n = add(buffer, size, 0, lead_of(report->severity));

	n = add(buffer, size, n, report->message ? report->message : "(no message)");
	if (report->error) {
		n = add(buffer, size, n, ": ");
		n += weft_error_format(report->error, n < size ? buffer + n : NULL,
				       n < size ? size - n : 0);
	}
	if (report->place) {
		weft_describe_place(report->place, place, sizeof(place));
		n = add(buffer, size, n, ", made at ");
		n = add(buffer, size, n, place);
	}
	return n;
}

/* Whoever reads stderr may have stopped (less, Ctrl-S): then a report is lost after so long. */
enum { PATIENCE_MS = 1000 };

/*
 * Nobody is left to tell if this fails; and if whoever read stderr has gone, that is no reason for
 * SIGPIPE to end the process.
 */
static void write_to_stderr(const char *text, size_t n)
{
	static const struct timespec no_time;
	struct pollfd stderr_fd = { .fd = STDERR_FILENO, .events = POLLOUT };
	sigset_t pipe_signal, pending, before;

	if (poll(&stderr_fd, 1, PATIENCE_MS) == 0)
		return;
	(void)sigemptyset(&pipe_signal);
	(void)sigaddset(&pipe_signal, SIGPIPE);
	(void)sigpending(&pending);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	if (write(STDERR_FILENO, text, n) < 0 && errno == EPIPE &&
	    !sigismember(&pending, SIGPIPE))
		(void)sigtimedwait(&pipe_signal, NULL, &no_time); /* takes it back */
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void print(const struct weft_report *report)
{
	char text[2048];
	size_t n = weft_report_format(report, text, sizeof(text) - 1);

	n = MIN(n, sizeof(text) - 2);
	text[n++] = '\n';
	write_to_stderr(text, n);
}

void weft_set_report_hook(weft_report_hook *new_hook, void *arg)
{
	if (!inside)
		pthread_mutex_lock(&lock);
	hook = new_hook;
	hook_arg = arg;
	if (!inside)
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
