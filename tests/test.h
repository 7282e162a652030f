/*
 * What every test file includes: Test() and the cr_*() checks, by one of two runners.
 *
 * Criterion runs the tests where it can. Under -DWEFT_THIN_RUNNER the same test sources
 *are run by tests/runner.c instead: Criterion does not start under ThreadSanitizer, is
 *slow under valgrind, and does not exist for the emulated AArch64. What both understand:
 *
 *	Test(suite, name)
 *	Test(suite, name, .init = fn, .fini = fn, .timeout = seconds, .signal = SIGABRT,
 *	     .exit_code = n, .disabled = true)
 *
 *	cr_assert(condition, ...)          ends the test if it does not hold
 *	cr_expect(condition, ...)          notes the failure and goes on
 *	..._eq _neq _lt _le _gt _ge        (actual, expected, ...)
 *	..._null _not_null                 (pointer, ...)
 *	..._str_eq _str_neq                (text, text, ...)
 *	..._arr_eq _arr_neq                (array, array, bytes, ...)
 *	..._float_eq                       (actual, expected, epsilon, ...)
 *	cr_assert_fail(...) cr_expect_fail(...)
 *	cr_skip_test("why it cannot run here")    not with .signal or .exit_code
 *
 * Each takes a printf format and its arguments at the end, or nothing. A test runs in a
 *process of its own, so it may leave threads and signal handlers behind; but it fails if
 *it leaves a descriptor open or a child process (see tests/fixture.c). It fails after
 *.timeout seconds, by default TEST_TIMEOUT, which is a limit for hangs, not a
 *measurement.
 *
 * In a process that a test forks, check nothing by these macros: report through a pipe or
 *the exit status (Criterion would hang).
 */
#ifndef WEFT_TESTS_TEST_H
#define WEFT_TESTS_TEST_H

/* What Criterion's header brings along is there with the thin runner, too. */
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "tests/fixture.h"

#ifndef WEFT_THIN_RUNNER
#include <criterion/criterion.h>
#endif

/* Seconds. A loaded machine under a sanitizer is still far below. */
#define TEST_TIMEOUT 300

/* Options given to Test() replace the defaults that stand before them. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

#undef Test
#undef TestSuite

#define TEST_DECLARE(suite_, name_, ...)                           \
	static void suite_##_##name_##_body(void);                 \
	static struct test suite_##_##name_##_test = {             \
		.suite = #suite_,                                  \
		.name = #name_,                                    \
		.body = suite_##_##name_##_body,                   \
		.timeout = TEST_TIMEOUT __VA_OPT__(, ) __VA_ARGS__ \
	};

#ifndef WEFT_THIN_RUNNER

/* Criterion's own names for these end in q, which nobody remembers. */
#define cr_assert_le(...) cr_assert_leq(__VA_ARGS__)
#define cr_assert_ge(...) cr_assert_geq(__VA_ARGS__)
#define cr_expect_le(...) cr_expect_leq(__VA_ARGS__)
#define cr_expect_ge(...) cr_expect_geq(__VA_ARGS__)

/* What its checks call when they fail. */
#define criterion_abort_test()	  (test_note_failure(), (criterion_abort_test)())
#define criterion_continue_test() (test_note_failure(), (criterion_continue_test)())

#define Test(suite_, name_, ...)                                                        \
	TEST_DECLARE(suite_, name_, __VA_ARGS__)                                        \
	static void suite_##_##name_##_fini(void)                                       \
	{                                                                               \
		test_fini(&suite_##_##name_##_test);                                    \
	}                                                                               \
	CR_TEST_BASE(suite_, name_, .timeout = TEST_TIMEOUT __VA_OPT__(, ) __VA_ARGS__, \
		     .init = NULL, .fini = suite_##_##name_##_fini, .sentinel_ = 0)     \
	{                                                                               \
		test_run(&suite_##_##name_##_test);                                     \
	}                                                                               \
	static void suite_##_##name_##_body(void)

#else

#define Test(suite_, name_, ...)                                                   \
	TEST_DECLARE(suite_, name_, __VA_ARGS__)                                   \
	__attribute__((constructor)) static void suite_##_##name_##_register(void) \
	{                                                                          \
		test_register(&suite_##_##name_##_test);                           \
	}                                                                          \
	static void suite_##_##name_##_body(void)

#define TEST_CHECK(fatal, holds, what, ...)                                            \
	do {                                                                           \
		if (unlikely(!(holds)))                                                \
			test_failed(fatal, __FILE__, __LINE__, what, " " __VA_ARGS__); \
	} while (0)

#define TEST_COMPARE(fatal, a, op, b, ...) \
	TEST_CHECK(fatal, (a)op(b), #a " " #op " " #b, __VA_ARGS__)
#define TEST_STRINGS(fatal, a, op, b, ...) \
	TEST_CHECK(fatal, strcmp(a, b) op 0, "strings " #a " " #op " " #b, __VA_ARGS__)
#define TEST_ARRAYS(fatal, a, op, b, size, ...)                                \
	TEST_CHECK(fatal, memcmp(a, b, size) op 0, "bytes " #a " " #op " " #b, \
		   __VA_ARGS__)
#define TEST_FLOATS(fatal, a, b, epsilon, ...)                              \
	TEST_CHECK(fatal, (a) - (b) <= (epsilon) && (b) - (a) <= (epsilon), \
		   #a " == " #b " within " #epsilon, __VA_ARGS__)

#define cr_assert(condition, ...) TEST_CHECK(true, condition, #condition, __VA_ARGS__)
#define cr_assert_not(condition, ...) \
	TEST_CHECK(true, !(condition), "!" #condition, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)		   TEST_COMPARE(true, a, ==, b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)	   TEST_COMPARE(true, a, !=, b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)		   TEST_COMPARE(true, a, <, b, __VA_ARGS__)
#define cr_assert_le(a, b, ...)		   TEST_COMPARE(true, a, <=, b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)	   TEST_COMPARE(true, a, <=, b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)		   TEST_COMPARE(true, a, >, b, __VA_ARGS__)
#define cr_assert_ge(a, b, ...)		   TEST_COMPARE(true, a, >=, b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)	   TEST_COMPARE(true, a, >=, b, __VA_ARGS__)
#define cr_assert_null(a, ...)		   TEST_COMPARE(true, a, ==, NULL, __VA_ARGS__)
#define cr_assert_not_null(a, ...)	   TEST_COMPARE(true, a, !=, NULL, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)	   TEST_STRINGS(true, a, ==, b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)	   TEST_STRINGS(true, a, !=, b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)  TEST_ARRAYS(true, a, ==, b, size, __VA_ARGS__)
#define cr_assert_arr_neq(a, b, size, ...) TEST_ARRAYS(true, a, !=, b, size, __VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...)   TEST_FLOATS(true, a, b, e, __VA_ARGS__)
#define cr_assert_fail(...)		   TEST_CHECK(true, false, "never reached", __VA_ARGS__)
#define cr_fatal(...)			   cr_assert_fail(__VA_ARGS__)

#define cr_expect(condition, ...) TEST_CHECK(false, condition, #condition, __VA_ARGS__)
#define cr_expect_not(condition, ...) \
	TEST_CHECK(false, !(condition), "!" #condition, __VA_ARGS__)
#define cr_expect_eq(a, b, ...)		   TEST_COMPARE(false, a, ==, b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...)	   TEST_COMPARE(false, a, !=, b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...)		   TEST_COMPARE(false, a, <, b, __VA_ARGS__)
#define cr_expect_le(a, b, ...)		   TEST_COMPARE(false, a, <=, b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...)	   TEST_COMPARE(false, a, <=, b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...)		   TEST_COMPARE(false, a, >, b, __VA_ARGS__)
#define cr_expect_ge(a, b, ...)		   TEST_COMPARE(false, a, >=, b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...)	   TEST_COMPARE(false, a, >=, b, __VA_ARGS__)
#define cr_expect_null(a, ...)		   TEST_COMPARE(false, a, ==, NULL, __VA_ARGS__)
#define cr_expect_not_null(a, ...)	   TEST_COMPARE(false, a, !=, NULL, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)	   TEST_STRINGS(false, a, ==, b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...)	   TEST_STRINGS(false, a, !=, b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, size, ...)  TEST_ARRAYS(false, a, ==, b, size, __VA_ARGS__)
#define cr_expect_arr_neq(a, b, size, ...) TEST_ARRAYS(false, a, !=, b, size, __VA_ARGS__)
#define cr_expect_float_eq(a, b, e, ...)   TEST_FLOATS(false, a, b, e, __VA_ARGS__)
#define cr_expect_fail(...)		   TEST_CHECK(false, false, "never reached", __VA_ARGS__)

#define cr_skip_test(...) test_skip(" " __VA_ARGS__)

#endif

#endif
