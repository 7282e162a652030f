/*
 * A test that leaves a descriptor open or a child process behind fails.
 *
 * test_begin() notes which descriptors are open and what they refer to; test_end()
 * compares. A descriptor counts as leaked if its number was not open before, or now
 * refers to something else. What belongs to threads that are just ending gets a grace
 * period. Runs in the process of the test, on its main thread.
 */
#include "tests/test.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE (2 * WEFT_SEC)

struct descriptor {
	int fd;
	char target[128]; /* "socket:[1234]", or the beginning of a path */
};

struct descriptors {
	struct descriptor *all;
	size_t n;
};

static struct descriptors open_before;
static bool fini_ran;

static void descriptors_fini(struct descriptors *descriptors)
{
	free(descriptors->all);
	*descriptors = (struct descriptors){ 0 };
}

/* A sanitizer keeps the file of its reports open, which tests/run looks at. */
static bool is_report(const struct descriptor *descriptor)
{
	const char *reports = getenv("WEFT_TEST_REPORTS");

	return reports && strncmp(descriptor->target, reports, strlen(reports)) == 0;
}

static struct descriptors descriptors_read(void)
{
	struct descriptors found = { 0 };
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");

	if (!dir)
		return found;
	while ((entry = readdir(dir)) != NULL) {
		struct descriptor descriptor = { .fd = atoi(entry->d_name) };
		ssize_t length;

		if (entry->d_name[0] == '.' || descriptor.fd == dirfd(dir))
			continue;
		length = readlinkat(dirfd(dir), entry->d_name, descriptor.target,
				    sizeof(descriptor.target) - 1);
		if (length < 0 || is_report(&descriptor))
			continue; /* closed meanwhile, or not the test's */
		found.all = reallocarray(found.all, found.n + 1, sizeof(*found.all));
		if (!found.all)
			abort();
		found.all[found.n++] = descriptor;
	}
	closedir(dir);
	return found;
}

static bool was_open(const struct descriptor *descriptor)
{
	for (size_t i = 0; i < open_before.n; i++) {
		if (open_before.all[i].fd == descriptor->fd)
			return strcmp(open_before.all[i].target, descriptor->target) == 0;
	}
	return false;
}

static size_t count_leaks(const struct descriptors *now)
{
	size_t n = 0;

	for (size_t i = 0; i < now->n; i++)
		n += !was_open(&now->all[i]);
	return n;
}

static bool has_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) == 0;
}

static void check_descriptors(weft_time give_up)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	struct descriptors now = descriptors_read();

	while (count_leaks(&now) > 0 && weft__clock() < give_up) {
		(void)nanosleep(&pause, NULL); /* cut short is fine */
		descriptors_fini(&now);
		now = descriptors_read();
	}
	for (size_t i = 0; i < now.n; i++) {
		cr_expect(was_open(&now.all[i]), "the test leaves descriptor %d open: %s",
			  now.all[i].fd, now.all[i].target);
	}
	descriptors_fini(&now);
}

static void check_children(weft_time give_up)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };

	while (has_child() && weft__clock() < give_up)
		(void)nanosleep(&pause, NULL); /* cut short is fine */
	cr_expect(!has_child(), "the test leaves a child process behind");
}

void test_run(const struct test *test)
{
	weft_time give_up;

	open_before = descriptors_read();
	if (test->init)
		test->init();
	test->body();
	test_fini(test);
	give_up = weft__clock() + GRACE;
	check_descriptors(give_up);
	check_children(give_up);
	descriptors_fini(&open_before);
}

void test_fini(const struct test *test)
{
	if (fini_ran)
		return;
	fini_ran = true;
	if (test->fini)
		test->fini();
}

void test_keep_open(void)
{
	descriptors_fini(&open_before);
	open_before = descriptors_read();
}

static char about[128];

void test_about(const char *text)
{
	snprintf(about, sizeof(about), "%s", text ? text : "");
}

void test_note_failure(void)
{
	if (about[0])
		fprintf(stderr, "with %s\n", about);
}

bool test_build_is(const char *name)
{
	const char *build = getenv("WEFT_TEST_BUILD");

	return build && strcmp(build, name) == 0;
}
