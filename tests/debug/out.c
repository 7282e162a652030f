/*
 * debug/out: how a dump is written.
 */
#include "debug/out.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/test.h"

static struct out out;
static int pipe_fds[2];

static void begin_pipe(void)
{
	cr_assert_eq(pipe(pipe_fds), 0);
	weft__out_init(&out, NULL, pipe_fds[1], WEFT_SEC);
}

static void end_pipe(void)
{
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void expect_written(const char *expected, const char *name)
{
	char bytes[256];
	ssize_t n;

	cr_assert_eq(weft__out_flush(&out), 0);
	n = read(pipe_fds[0], bytes, sizeof(bytes) - 1);
	cr_assert_ge(n, 0);
	bytes[n] = '\0';
	cr_expect_str_eq(bytes, expected, "%s", name);
}

Test(out, writes_durations_as_people_say_them, .init = begin_pipe, .fini = end_pipe)
{
	static const struct {
		weft_time duration;
		const char *text;
	} cases[] = {
		{ -5, "0 ms" },
		{ 0, "0 ms" },
		{ 1999999, "1 ms" },
		{ WEFT_SEC - 1, "999 ms" },
		{ WEFT_SEC, "1.0 s" },
		{ 2345 * WEFT_MSEC, "2.3 s" },
		{ 99 * WEFT_SEC, "99.0 s" },
		{ 100 * WEFT_SEC, "100 s" },
		{ 86400 * WEFT_SEC, "86400 s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft__out_duration(&out, cases[i].duration);
		expect_written(cases[i].text, cases[i].text);
	}
}

Test(out, makes_foreign_text_harmless, .init = begin_pipe, .fini = end_pipe)
{
	weft__out_foreign(&out, "a\033[2Jb\nc\177 \303\244", 100);
	expect_written("a?[2Jb?c? \303\244", "control characters");
	weft__out_foreign(&out, "not all of this", 3);
	expect_written("not", "a limit");
}

Test(out, writes_whole_lines, .init = begin_pipe, .fini = end_pipe)
{
	char bytes[OUT_BYTES + 1];
	size_t n_lines = 0;
	ssize_t n;

	for (int i = 0; i < 60; i++) {
		for (int k = 0; k < 99; k++)
			weft__out_add(&out, "x");
		weft__out_add(&out, "\n");
	}
	n = read(pipe_fds[0], bytes, sizeof(bytes));
	cr_assert_gt(n, 0);
	cr_expect_eq(bytes[n - 1], '\n', "what has been written is %zd bytes", n);
	for (; n > 0; n--)
		n_lines += bytes[n - 1] == '\n';
	cr_expect_gt(n_lines, 30);
	cr_expect_eq(weft__out_flush(&out), 0);
}

Test(out, a_line_that_is_longer_than_its_buffer_is_written_too, .init = begin_pipe,
     .fini = end_pipe)
{
	static char bytes[3 * OUT_BYTES];
	size_t n = 0;

	for (int i = 0; i < 2 * OUT_BYTES; i++)
		weft__out_add(&out, "y");
	cr_expect_eq(weft__out_flush(&out), 0);
	close(pipe_fds[1]);
	for (ssize_t r = 1; r > 0; n += (size_t)r)
		r = read(pipe_fds[0], bytes + n, sizeof(bytes) - n);
	cr_expect_eq(n, 2 * OUT_BYTES);
	pipe_fds[1] = dup(pipe_fds[0]);
}

Test(out, stops_at_the_first_error)
{
	int null = open("/dev/full", O_WRONLY | O_CLOEXEC);

	weft__out_init(&out, NULL, null, WEFT_SEC);
	weft__out_add(&out, "lost");
	cr_expect_eq(weft__out_flush(&out), -ENOSPC);
	weft__out_add(&out, "lost as well");
	cr_expect_eq(weft__out_flush(&out), -ENOSPC);
	close(null);
}
