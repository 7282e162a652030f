/*
 * Reports: who is told, and what becomes of a hook that fails.
 */
#include "base/report.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/test.h"

static void place_of_it(void)
{
}

/* A report with all that is shown of one. */
static struct weft_report whole_report(void)
{
	(void)weft_error_set(-EIO, "the disk is gone");
	return (struct weft_report){
		.severity = WEFT_WARNING,
		.message = "nobody listened",
		.error = weft_error_of(-EIO),
		.place = (const char *)(const void *)(uintptr_t)place_of_it + 1,
	};
}

/* ---- Without a hook ---- */

static int send_to_stderr(void *arg)
{
	struct weft_report report = whole_report();

	(void)arg;
	weft_report_send(&report);
	return 0;
}

Test(report, is_a_line_on_stderr)
{
	struct child child;

	child_run(&child, send_to_stderr, NULL);
	cr_expect_eq(child.status, 0);
	cr_expect_eq(strncmp(child.text,
			     "weft: warning: nobody listened: the disk is gone", 48),
		     0, "%s", child.text);
	cr_expect(strstr(child.text, ", made at place_of_it"), "%s", child.text);
	cr_expect_eq(strchr(child.text, '\n') + 1, child.text + strlen(child.text));
}

static int send_to_nobody(void *arg)
{
	struct weft_report report = { .message = "is anybody there?" };
	int fds[2];

	(void)arg;
	if (pipe(fds) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
		return 1;
	(void)close(fds[0]);
	(void)close(fds[1]);
	(void)signal(SIGPIPE, SIG_DFL);
	weft_report_send(&report);
	return 0;
}

Test(report, that_nobody_reads_any_more_ends_no_process)
{
	struct child child;

	child_run(&child, send_to_nobody, NULL);
	cr_expect_eq(child.status, 0);
}

static int send_to_full_pipe(void *arg)
{
	struct weft_report report = { .message = "are you still reading?" };
	int fds[2];

	(void)arg;
	if (pipe2(fds, O_NONBLOCK) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
		return 1;
	while (write(STDERR_FILENO, "x", 1) == 1)
		;
	if (fcntl(STDERR_FILENO, F_SETFL, 0) < 0)
		return 2;
	weft_report_send(&report);
	return 0;
}

Test(report, that_nobody_takes_stops_no_process)
{
	struct child child;

	child_run(&child, send_to_full_pipe, NULL);
	cr_expect_eq(child.status, 0);
}

Test(report, says_how_bad_it_is)
{
	static const struct {
		const char *name;
		enum weft_severity severity;
		const char *text;
	} cases[] = {
		{ "a note", WEFT_NOTE, "weft: note: it rains" },
		{ "a warning", WEFT_WARNING, "weft: warning: it rains" },
		{ "a failure", WEFT_FAILURE, "weft: it rains" },
		{ "nonsense", (enum weft_severity)77, "weft: it rains" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_report report = { .severity = cases[i].severity,
					      .message = "it rains" };
		char text[64];

		cr_expect_eq(weft_report_format(&report, text, sizeof(text)),
			     strlen(cases[i].text), "%s", cases[i].name);
		cr_expect_str_eq(text, cases[i].text, "%s", cases[i].name);
	}
}

Test(report, is_cut_to_the_buffer_and_says_how_long_it_is)
{
	struct weft_report report = whole_report();
	char whole[512], cut[512];
	size_t length = weft_report_format(&report, whole, sizeof(whole));

	cr_assert_eq(strlen(whole), length);
	cr_expect_eq(weft_report_format(&report, NULL, 0), length);
	for (size_t size = 1; size <= length + 1; size++) {
		memset(cut, 'x', sizeof(cut));
		cr_assert_eq(weft_report_format(&report, cut, size), length, "%d",
			     (int)size);
		cr_assert_eq(strlen(cut), size - 1, "%d", (int)size);
		cr_assert_eq(memcmp(cut, whole, size - 1), 0, "%d", (int)size);
		cr_assert_eq(cut[size], 'x', "%d", (int)size);
	}
}

static int send_a_long_one(void *arg)
{
	static char message[5000];
	struct weft_report report = { .message = message };

	(void)arg;
	memset(message, 'm', sizeof(message) - 1);
	weft_report_send(&report);
	return 0;
}

Test(report, that_is_too_long_is_still_one_line)
{
	struct child child;

	child_run(&child, send_a_long_one, NULL);
	cr_expect_eq(child.status, 0);
	cr_expect_gt(strlen(child.text), 2000);
	cr_expect_eq(strchr(child.text, '\n') + 1, child.text + strlen(child.text));
}

/* ---- The hook ---- */

struct seen {
	int n;
	struct weft_report last;
	char message[64];
};

static void see(const struct weft_report *report, void *arg)
{
	struct seen *seen = arg;

	seen->n++;
	seen->last = *report;
	snprintf(seen->message, sizeof(seen->message), "%s", report->message);
}

Test(report_hook, gets_all_of_it)
{
	struct weft_report report = whole_report();
	struct seen seen = { 0 };

	weft_set_report_hook(see, &seen);
	weft_report_send(&report);
	cr_expect_eq(seen.n, 1);
	cr_expect_eq(seen.last.severity, WEFT_WARNING);
	cr_expect_eq(seen.last.error, report.error);
	cr_expect_eq(seen.last.place, report.place);
	cr_expect_str_eq(seen.message, "nobody listened");
	weft_set_report_hook(NULL, NULL);
}

static void fail_itself(const struct weft_report *report, void *arg)
{
	struct seen *seen = arg;

	see(report, arg);
	if (seen->n < 100)
		weft__report(WEFT_FAILURE, NULL, "the hook failed as well");
}

static int with_a_hook_that_fails(void *arg)
{
	struct weft_report report = whole_report();
	struct seen seen = { 0 };

	(void)arg;
	weft_set_report_hook(fail_itself, &seen);
	weft_report_send(&report);
	weft_report_send(&report);
	return seen.n;
}

Test(report_hook, that_fails_itself_is_not_called_for_that)
{
	struct child child;

	child_run(&child, with_a_hook_that_fails, NULL);
	cr_expect_eq(child.status, 2 << 8);
	cr_expect_str_eq(child.text, "weft: the hook failed as well\n"
				     "weft: the hook failed as well\n");
}

static void send_on(const struct weft_report *report, void *arg)
{
	see(report, arg);
	weft_report_send(report);
}

static int with_a_hook_that_sends_on(void *arg)
{
	struct weft_report report = { .severity = WEFT_FAILURE,
				      .message = "for everybody" };
	struct seen seen = { 0 };

	(void)arg;
	weft_set_report_hook(send_on, &seen);
	weft_report_send(&report);
	return seen.n;
}

Test(report_hook, may_send_it_on_to_stderr)
{
	struct child child;

	child_run(&child, with_a_hook_that_sends_on, NULL);
	cr_expect_eq(child.status, 1 << 8);
	cr_expect_str_eq(child.text, "weft: for everybody\n");
}

static struct seen second;

static void replace_itself(const struct weft_report *report, void *arg)
{
	see(report, arg);
	weft_set_report_hook(see, &second);
}

Test(report_hook, may_replace_itself)
{
	struct weft_report report = whole_report();
	struct seen first = { 0 };

	weft_set_report_hook(replace_itself, &first);
	weft_report_send(&report);
	weft_report_send(&report);
	cr_expect_eq(first.n, 1);
	cr_expect_eq(second.n, 1);
	weft_set_report_hook(NULL, NULL);
}

/* ---- From several threads ---- */

enum { N_THREADS = 4, N_REPORTS = 500 };

struct alone {
	atomic_int inside;
	int n, n_met; /* only touched in the hook, which nobody else may be in */
};

static void be_alone(const struct weft_report *report, void *arg)
{
	struct alone *alone = arg;

	(void)report;
	if (atomic_fetch_add(&alone->inside, 1) > 0)
		alone->n_met++;
	alone->n++;
	atomic_fetch_sub(&alone->inside, 1);
}

static void *send_many(void *arg)
{
	for (int i = 0; i < N_REPORTS; i++)
		weft_report_send(arg);
	return NULL;
}

Test(report_hook, is_called_by_one_thread_at_a_time)
{
	struct weft_report report = { .message = "me too" };
	struct alone alone = { 0 };
	pthread_t threads[N_THREADS];

	weft_set_report_hook(be_alone, &alone);
	for (int i = 0; i < N_THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, send_many, &report), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	weft_set_report_hook(NULL, NULL);
	cr_expect_eq(alone.n, N_THREADS * N_REPORTS);
	cr_expect_eq(alone.n_met, 0);
}
