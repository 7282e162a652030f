/*
 * Reports: what went wrong and found nobody to return to.
 *
 * The library prints nothing by itself, but for weft_exit_status() and the "listening on" of
 * weft_serve(). What nobody received as an error is a report, and goes to the report hook;
 * without one, a line on stderr.
 */
#ifndef WEFT_REPORT_H
#define WEFT_REPORT_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

struct weft_loop;
struct weft_task;

/** enum weft_severity - how bad a report is */
enum weft_severity {
	WEFT_NOTE,
	WEFT_WARNING,
	WEFT_FAILURE,
};

/**
 * struct weft_report - something that nobody else was told; lent for the call of the hook
 * @severity: how bad
 * @message:  one sentence
 * @error:    may be NULL
 * @loop:     may be NULL
 * @task:     may be NULL; only its name may be asked for
 * @place:    where the object that it is about was made, for weft_describe_place(); or NULL
 */
struct weft_report {
	enum weft_severity severity;
	const char *message;
	const struct weft_error *error;
	struct weft_loop *loop;
	const struct weft_task *task;
	const void *place;
};

/**
 * weft_report_hook - called on any thread, one call at a time; must not block for long
 *
 * What is reported while the hook runs on the same thread goes to stderr: its own failures, and
 * a report that it sends on by weft_report_send(), for the line that it would have been without
 * a hook. A hook must not wait, not even in a task, and not longjmp() out of itself.
 */
typedef void weft_report_hook(const struct weft_report *report, void *arg);

/**
 * weft_set_report_hook() - say where reports of the process go
 * @hook: NULL for stderr
 * @arg:  its second argument
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API void weft_set_report_hook(weft_report_hook *hook, void *arg);

/**
 * weft_report_send() - report something yourself
 * @report: borrowed
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API void weft_report_send(const struct weft_report *report);

/**
 * weft_report_format() - a report as text, as it is printed where there is no hook
 * @report: borrowed
 * @buffer: receives the text, always terminated
 * @size:   bytes at @buffer; 0 only counts
 *
 * Return: bytes the whole text needs, without the terminator.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API size_t weft_report_format(const struct weft_report *report, char *buffer, size_t size);

/**
 * weft_describe_place() - a code address as text, "serve (server.c:42)"
 * @place:  as found in an error or a report
 * @buffer: receives the text
 * @size:   bytes at @buffer
 *
 * File and line are known of programs that were compiled with -g; else it is function and offset,
 * "serve+0x2a", or, stripped, "server+0x1234". Allocates nothing and takes no lock, so a signal
 * handler may call it.
 *
 * Return: @buffer.
 *
 * Thread: any; reads the files of the program.
 * Cancellation point: no.
 */
WEFT_API const char *weft_describe_place(const void *place, char *buffer, size_t size);

WEFT_END_DECLS

#endif
