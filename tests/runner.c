/*
 * The thin runner: what tests/test.h promises, without Criterion.
 *
 * Each test runs in a forked child with its output in a temporary file, which is shown if
 * the test fails. The child leads a process group, so that whatever a test leaves is
 * killed with it. Failures and the reason for a skip come back through shared memory:
 * they survive a crash, and any thread of the test may note one. A cr_assert() that fails
 * ends the child on the spot, since it may stand on a task's stack or in another thread,
 * from where nothing can be unwound.
 *
 * Options are those of Criterion that tests/run uses. The runner has one thread, always.
 */
#include "tests/test.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct outcome {
	atomic_int n_failures;
	atomic_bool skipped;
	char why[256]; /* written before `skipped`, read when the child is gone */
};

static struct test *tests;
static struct outcome *outcome;
static const struct test *running; /* in the child */
static pid_t running_pid; /* the child, which other processes may descend from */

static const char *filter = "*";
static double timeout_factor = 1; /* emulators and valgrind are slow */
static FILE *tap;

/* Keeps the order of the source files; called before main(). */
void test_register(struct test *test)
{
	struct test **at = &tests;

	while (*at)
		at = &(*at)->next;
	*at = test;
}

/* ---- In the child ---- */

/* From any thread. Not exit(): what the test leaves behind is no business of leak
 * checkers. */
_Noreturn static void end_child(void)
{
	if (getpid() == running_pid)
		test_fini(running);
	fflush(NULL);
	_exit(EXIT_SUCCESS);
}

void test_failed(bool fatal, const char *file, int line, const char *what,
		 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	flockfile(stderr);
	fprintf(stderr, "%s:%d: does not hold: %s:", file, line, what);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	funlockfile(stderr);
	va_end(args);
	test_note_failure();
	/* Relaxed: read when this process is gone. */
	atomic_fetch_add_explicit(&outcome->n_failures, 1, memory_order_relaxed);
	if (fatal)
		end_child();
}

_Noreturn void test_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(outcome->why, sizeof(outcome->why), format, args);
	va_end(args);
	/* Relaxed: read when this process is gone. */
	atomic_store_explicit(&outcome->skipped, true, memory_order_relaxed);
	end_child();
}

_Noreturn static void run_in_child(const struct test *test, int output)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0); /* the parent does so, too: whoever comes first */
	if (output >= 0) {
		dup2(output, STDOUT_FILENO);
		dup2(output, STDERR_FILENO);
		close(output);
	}
	running = test;
	running_pid = getpid();
	test_run(test);
	exit(EXIT_SUCCESS); /* not _exit(): leak checkers run at exit */
}

/* ---- In the runner ---- */

/* Waits for the child; false if it had to be killed because its time was over. */
static bool wait_for(pid_t pid, double seconds, int *status)
{
	weft_time deadline =
		weft__clock() + (weft_time)(seconds * timeout_factor * WEFT_SEC);
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		weft_time left = deadline - weft__clock();
		struct timespec wait = { .tv_sec = left / WEFT_SEC,
					 .tv_nsec = left % WEFT_SEC };

		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (left <= 0)
			break;
		(void)sigtimedwait(&child, NULL, &wait); /* either way look again */
	}
	kill(-pid, SIGKILL);
	waitpid(pid, status, 0);
	return false;
}

static bool was_skipped(void)
{
	/* Relaxed: the process that wrote it is gone. */
	return atomic_load_explicit(&outcome->skipped, memory_order_relaxed);
}

/* What is wrong with the way the child ended; NULL if nothing. */
static const char *judge(const struct test *test, bool in_time, int status, char *text,
			 size_t size)
{
	/* Relaxed: the process that wrote it is gone. */
	int n = atomic_load_explicit(&outcome->n_failures, memory_order_relaxed);

	if (was_skipped() && n == 0)
		return NULL;
	if (!in_time)
		snprintf(text, size, "not finished after %g s",
			 test->timeout * timeout_factor);
	else if (n > 0)
		snprintf(text, size, "%d failed checks", n);
	else if (WIFSIGNALED(status) && WTERMSIG(status) != test->signal)
		snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (test->signal && !WIFSIGNALED(status))
		snprintf(text, size, "ended without signal %d", test->signal);
	else if (!test->signal && WEXITSTATUS(status) != test->exit_code)
		snprintf(text, size, "exit status %d instead of %d", WEXITSTATUS(status),
			 test->exit_code);
	else
		return NULL;
	return text;
}

static void show_output(FILE *output)
{
	char line[1024];

	rewind(output);
	while (fgets(line, sizeof(line), output))
		fprintf(stderr, "  %s", line);
}

/* Returns whether the test did not fail. */
static bool run(const struct test *test)
{
	char text[256];
	const char *wrong;
	FILE *output = tmpfile();
	bool in_time;
	int status;
	pid_t pid;

	if (!output)
		abort();
	memset(outcome, 0, sizeof(*outcome));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		run_in_child(test, fileno(output));
	(void)setpgid(pid, pid); /* the child does so, too: whoever comes first */
	in_time = wait_for(pid, test->timeout, &status);
	kill(-pid, SIGKILL); /* what the test left behind */
	wrong = judge(test, in_time, status, text, sizeof(text));
	if (wrong) {
		fprintf(stderr, "FAILED %s::%s: %s\n", test->suite, test->name, wrong);
		show_output(output);
		fprintf(tap, "not ok - %s::%s\n  %s\n", test->suite, test->name, wrong);
	} else if (was_skipped()) {
		fprintf(tap, "ok - %s::%s # SKIP%s\n", test->suite, test->name,
			outcome->why);
	} else {
		fprintf(tap, "ok - %s::%s\n", test->suite, test->name);
	}
	fclose(output);
	return !wrong;
}

static bool is_wanted(const struct test *test)
{
	char name[512];

	snprintf(name, sizeof(name), "%s/%s", test->suite, test->name);
	return fnmatch(filter, name, 0) == 0;
}

static int run_all(void)
{
	int n_failed = 0, n = 0;

	for (const struct test *test = tests; test; test = test->next)
		n += is_wanted(test);
	fprintf(tap, "1..%d\n", n);
	for (const struct test *test = tests; test; test = test->next) {
		if (!is_wanted(test))
			continue;
		if (test->disabled)
			fprintf(tap, "ok - %s::%s # SKIP disabled\n", test->suite,
				test->name);
		else
			n_failed += !run(test);
	}
	fprintf(stderr, "%d tests, %d failed\n", n, n_failed);
	return n_failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* For a debugger: the test runs in this process. */
static int run_unforked(void)
{
	for (const struct test *test = tests; test; test = test->next) {
		if (is_wanted(test))
			run_in_child(test, -1);
	}
	fprintf(stderr, "no test is called %s\n", filter);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "debug", no_argument, NULL, 'd' },
		{ "filter", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "list", no_argument, NULL, 'l' },
		{ "tap", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	const char *factor = getenv("WEFT_TEST_TIMEOUT_FACTOR");
	bool debug = false;
	sigset_t child;
	int option;

	tap = stdout;
	if (factor)
		timeout_factor = strtod(factor, NULL);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			debug = true;
			break;
		case 'f':
			filter = optarg;
			break;
		case 'l':
			for (const struct test *test = tests; test; test = test->next)
				printf("%s/%s\n", test->suite, test->name);
			return EXIT_SUCCESS;
		case 't':
			tap = fopen(optarg, "we");
			if (!tap) {
				perror(optarg);
				return EXIT_FAILURE;
			}
			break;
		default:
			fprintf(stderr,
				"usage: %s [--filter 'SUITE/NAME'] [--list] [--debug] "
				"[--tap=FILE]\n",
				argv[0]);
			return option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
		}
	}
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outcome == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	if (debug)
		return run_unforked();
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL); /* for sigtimedwait() */
	return run_all();
}
