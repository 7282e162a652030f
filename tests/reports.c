/*
 * A report hook that keeps what it is told. See tests/reports.h.
 */
#include "tests/reports.h"

#include <pthread.h>
#include <stdio.h>

#include <weft/task.h>

#include "tests/test.h"

#define N_MAX 64

struct kept {
	enum weft_severity severity;
	char text[1024];
	char place[256];
};

/* Under lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept kept[N_MAX];
static int n_kept; /* those beyond N_MAX are only counted */

static void keep(const struct weft_report *report, void *arg)
{
	char error[512] = "";
	struct kept *to;

	(void)arg;
	if (report->error)
		weft_error_format(report->error, error, sizeof(error));
	pthread_mutex_lock(&lock);
	if (n_kept < N_MAX) {
		to = &kept[n_kept];
		to->severity = report->severity;
		snprintf(to->text, sizeof(to->text), "%s; %s; task %s", report->message,
			 error, report->task ? weft_task_name(report->task) : "(none)");
		to->place[0] = '\0';
		if (report->place)
			weft_describe_place(report->place, to->place, sizeof(to->place));
	}
	n_kept++;
	pthread_mutex_unlock(&lock);
}

void reports_begin(void)
{
	pthread_mutex_lock(&lock);
	n_kept = 0;
	pthread_mutex_unlock(&lock);
	weft_set_report_hook(keep, NULL);
}

int reports_count(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = n_kept;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Under lock. NULL if there is none after the first `n_skipped`. */
static const struct kept *find(const char *part, int n_skipped)
{
	for (int i = 0; i < MIN(n_kept, N_MAX); i++) {
		if (strstr(kept[i].text, part) && n_skipped-- == 0)
			return &kept[i];
	}
	return NULL;
}

int reports_with(const char *part)
{
	int n = 0;

	pthread_mutex_lock(&lock);
	while (find(part, n))
		n++;
	pthread_mutex_unlock(&lock);
	return n;
}

int reports_severity(const char *part)
{
	const struct kept *found;
	int severity;

	pthread_mutex_lock(&lock);
	found = find(part, 0);
	severity = found ? (int)found->severity : -1;
	pthread_mutex_unlock(&lock);
	return severity;
}

/* Entries never change once they are there, but for reports_begin(). */
const char *reports_place(const char *part)
{
	const struct kept *found;

	pthread_mutex_lock(&lock);
	found = find(part, 0);
	pthread_mutex_unlock(&lock);
	return found ? found->place : "";
}

void expect_no_reports(void)
{
	int n = reports_count();

	cr_expect_eq(n, 0);
	for (int i = 0; i < MIN(n, N_MAX); i++)
		cr_expect_fail("reported: %s", kept[i].text);
}
