/*
 * What surrounds the body of each test, the same under both runners; see tests/test.h.
 */
#ifndef WEFT_TESTS_FIXTURE_H
#define WEFT_TESTS_FIXTURE_H

#include <stdbool.h>

#include <weft/base.h>

/* A test and its options. Static storage; the runner only reads it. */
struct test {
	const char *suite;
	const char *name;
	void (*body)(void);
	void (*init)(void); /* before the body */
	void (*fini)(void); /* after the body, also when a cr_assert() ended that */
	int signal; /* the signal that must end the test */
	int exit_code; /* what the body must pass to exit() */
	bool disabled;
	const char *description;
	double timeout; /* seconds */
	struct test *next; /* tests/runner.c: the list of all */
};

/* init, body, fini; then the test fails if it left a descriptor or a child. */
void test_run(const struct test *test);
/* fini, unless it ran: a check that fails skips the rest of test_run(). */
void test_fini(const struct test *test);

/*
 * What is open now stays open as long as the process: it is no leak of this test. For
 * what the library starts once per process.
 */
void test_keep_open(void);

/*
 * The build and the machine that run the tests: "plain", "asan", "tsan", "valgrind",
 * "aarch64" … (WEFT_TEST_BUILD; quickstart names them). For cr_skip_test() where a tool
 * cannot do something.
 */
bool test_build_is(const char *name);

/* What a failure is to be told with, e.g. a seed: copied. NULL: nothing (more). */
void test_about(const char *text);
/* A check has failed. Any thread. */
void test_note_failure(void);

/* ---- The thin runner only ---- */

void test_register(struct test *test);
void test_failed(bool fatal, const char *file, int line, const char *what,
		 const char *format, ...) WEFT_PRINTF(5, 6);
_Noreturn void test_skip(const char *format, ...) WEFT_PRINTF(1, 2);

#endif
