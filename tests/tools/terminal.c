/*
 * What a stream of text can show.
 */
#include "tools/terminal.h"
#include "tests/tools/capture.h"

#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

Test(terminal, pads_by_columns_and_not_by_bytes)
{
	static const struct {
		int width;
		const char *text;
		const char *padded;
	} cases[] = {
		{ 6, "abc", "[   abc]" },
		{ -6, "abc", "[abc   ]" },
		{ 6, "\303\2278.0", "[  \303\2278.0]" },
		{ -6, "\342\234\223 x", "[\342\234\223 x   ]" },
		{ 2, "abc", "[abc]" },
		{ 0, "abc", "[abc]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct capture capture;
		struct terminal terminal;

		capture_begin(&capture);
		terminal = capture_terminal(&capture, false, true, 80);
		fputc('[', capture.out);
		terminal_print_padded(&terminal, TERMINAL_RED, cases[i].width,
				      cases[i].text);
		fputc(']', capture.out);
		cr_expect_str_eq(capture_end(&capture), cases[i].padded);
		free(capture.text);
	}
}

Test(terminal, colours_only_where_it_can)
{
	static const char *const expected[] = { "a", "\033[31ma\033[0m" };

	for (int color = 0; color <= 1; color++) {
		struct capture capture;
		struct terminal terminal;

		capture_begin(&capture);
		terminal = capture_terminal(&capture, color, true, 80);
		terminal_print(&terminal, TERMINAL_RED, "a");
		cr_expect_str_eq(capture_end(&capture), expected[color]);
		free(capture.text);
	}
}

/* A pseudo-terminal of 100 columns, which knows what a terminal knows. */
static FILE *open_terminal(int *master)
{
	FILE *out;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0)
		cr_skip_test("no pseudo-terminals here");
	cr_assert_eq(grantpt(*master), 0);
	cr_assert_eq(unlockpt(*master), 0);
	out = fopen(ptsname(*master), "w");
	cr_assert_not_null(out);
	return out;
}

Test(terminal, takes_colour_from_the_environment)
{
	static const struct {
		const char *name, *term, *no_color;
		bool color;
	} cases[] = {
		{ "usual", "xterm", NULL, true },
		{ "NO_COLOR", "xterm", "1", false },
		{ "NO_COLOR empty", "xterm", "", true },
		{ "dumb", "dumb", NULL, false },
		{ "no TERM", NULL, NULL, false },
	};
	int master;
	FILE *out = open_terminal(&master);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct terminal terminal;

		unsetenv("TERM");
		unsetenv("NO_COLOR");
		if (cases[i].term)
			setenv("TERM", cases[i].term, 1);
		if (cases[i].no_color)
			setenv("NO_COLOR", cases[i].no_color, 1);
		terminal_init(&terminal, out);
		cr_expect(terminal.is_terminal, "%s", cases[i].name);
		cr_expect_eq(terminal.color, cases[i].color, "%s", cases[i].name);
	}
	fclose(out);
	close(master);
}

Test(terminal, that_is_a_file_is_plain_and_as_wide_as_columns_says)
{
	static const struct {
		const char *columns;
		int width;
	} cases[] = {
		{ NULL, 80 }, { "120", 120 }, { "0", 80 },
		{ "x", 80 },  { "10", 40 },   { "9999", 80 },
	};
	FILE *out = tmpfile();

	cr_assert_not_null(out);
	setenv("TERM", "xterm", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct terminal terminal;

		unsetenv("COLUMNS");
		if (cases[i].columns)
			setenv("COLUMNS", cases[i].columns, 1);
		terminal_init(&terminal, out);
		cr_expect_not(terminal.is_terminal);
		cr_expect_not(terminal.color);
		cr_expect_eq(terminal.width, cases[i].width, "COLUMNS %s",
			     cases[i].columns);
	}
	fclose(out);
}

Test(terminal, goes_beyond_ascii_only_in_utf8)
{
	static const struct {
		const char *locale;
		bool unicode;
	} cases[] = { { "C", false }, { "C.UTF-8", true } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct terminal terminal;

		if (!setlocale(LC_CTYPE, cases[i].locale))
			cr_skip_test("no locale in UTF-8 here");
		terminal_init(&terminal, stdout);
		cr_expect_eq(terminal.unicode, cases[i].unicode, "%s", cases[i].locale);
		cr_expect_str_eq(terminal_either(&terminal, "u", "a"),
				 cases[i].unicode ? "u" : "a");
	}
}
