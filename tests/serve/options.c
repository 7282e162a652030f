/*
 * Flags and environment of a program that serves.
 */
#include <weft/serve.h>

#include <stdio.h>
#include <stdlib.h>

#include "tests/ipc/run_app.h"
#include "tests/test.h"

/* A command line, "NAME=VALUE ... -- FLAG ...": first the environment, then the arguments. */
struct line {
	char text[512];
	char *argv[20];
	int argc;
};

/* Sets the environment too. */
static void read_line(struct line *line, const char *text)
{
	bool is_flag = false;
	char *rest;
	static char name[] = "app";

	*line = (struct line){ .argv = { name }, .argc = 1 };
	snprintf(line->text, sizeof(line->text), "%s", text);
	for (char *word = strtok_r(line->text, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		if (is_flag)
			line->argv[line->argc++] = word;
		else if (strcmp(word, "--") == 0)
			is_flag = true;
		else
			putenv(word); /* stays ours: until forget_environment() */
	}
}

static void forget_environment(void)
{
	static const char *const names[] = {
		"WEFT_HOST",  "WEFT_PORT",    "WEFT_UDS",
		"WEFT_FD",    "WEFT_BIND",    "WEB_CONCURRENCY",
		"WEFT_LOOPS", "WEFT_THREADS", "WEFT_GRACEFUL_TIMEOUT",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
}

/* What the options hold as text, the defaults left out. */
static const char *describe(const struct weft_serve_options *options)
{
	static char text[512];
	size_t n = 0;

	text[0] = '\0';
	if (options->address)
		n += (size_t)sprintf(text + n, "%s ", options->address);
	if (options->workers)
		n += (size_t)sprintf(text + n, "workers=%d ", options->workers);
	if (options->loops)
		n += (size_t)sprintf(text + n, "loops=%d ", options->loops);
	if (options->threads)
		n += (size_t)sprintf(text + n, "threads=%d ", options->threads);
	if (options->grace_ns)
		n += (size_t)sprintf(text + n, "grace=%lld ",
				     (long long)options->grace_ns);
	if (n)
		text[n - 1] = '\0';
	return text;
}

static void expect_parsed(const char *name, const struct weft_serve_options *before,
			  const char *text, const char *expected)
{
	struct weft_serve_options options = *before;
	struct line line;

	read_line(&line, text);
	cr_expect_eq(weft_serve_parse(&options, line.argc, line.argv), line.argc, "%s",
		     name);
	cr_expect_str_eq(describe(&options), expected, "%s", name);
	forget_environment();
}

Test(options, each_flag_and_each_variable_is_understood)
{
	static const struct weft_serve_options none;
	static const struct {
		const char *name, *line, *expected;
	} cases[] = {
		{ "nothing", "", "" },
		{ "host", "-- --host 10.0.0.1", "10.0.0.1:8000" },
		{ "host in the environment", "WEFT_HOST=10.0.0.1", "10.0.0.1:8000" },
		{ "a name", "-- --host example.org", "example.org:8000" },
		{ "IPv6", "-- --host ::1", "[::1]:8000" },
		{ "IPv6 in brackets", "-- --host [::1]", "[::1]:8000" },
		{ "port", "-- --port 80", "127.0.0.1:80" },
		{ "port with zeros", "-- --port 0080", "127.0.0.1:80" },
		{ "port in the environment", "WEFT_PORT=80", "127.0.0.1:80" },
		{ "any port", "-- --port 0", "127.0.0.1:0" },
		{ "host and port", "-- --host ::1 --port 80", "[::1]:80" },
		{ "host here, port there", "WEFT_HOST=h -- --port 80", "h:80" },
		{ "uds", "-- --uds /run/app", "unix:/run/app" },
		{ "uds in the environment", "WEFT_UDS=/run/app", "unix:/run/app" },
		{ "fd", "-- --fd 3", "fd:3" },
		{ "fd in the environment", "WEFT_FD=3", "fd:3" },
		{ "bind", "-- --bind :80,unix:/run/app", ":80,unix:/run/app" },
		{ "bind in the environment", "WEFT_BIND=:80", ":80" },
		{ "workers", "-- --workers 3", "workers=3" },
		{ "processes", "-- --processes 3", "workers=3" },
		{ "workers in the environment", "WEB_CONCURRENCY=3", "workers=3" },
		{ "loops", "-- --loops 2", "loops=2" },
		{ "loops in the environment", "WEFT_LOOPS=2", "loops=2" },
		{ "threads", "-- --threads 8", "threads=8" },
		{ "threads in the environment", "WEFT_THREADS=8", "threads=8" },
		{ "grace", "-- --graceful-timeout 1.5", "grace=1500000000" },
		{ "grace in the environment", "WEFT_GRACEFUL_TIMEOUT=2",
		  "grace=2000000000" },
		{ "no grace", "-- --graceful-timeout 0", "grace=1" },
		{ "hardly any grace", "-- --graceful-timeout 1e-12", "grace=1" },
		{ "an empty variable is none", "WEFT_PORT= WEB_CONCURRENCY=", "" },
		{ "with an equals sign", "-- --workers=3 --host=h", "h:8000 workers=3" },
		{ "several", "-- --workers 2 --loops 3 --threads 4 --host h --port 5",
		  "h:5 workers=2 loops=3 threads=4" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_parsed(cases[i].name, &none, cases[i].line, cases[i].expected);
}

Test(options, flags_beat_the_environment_which_beats_the_program)
{
	static const struct {
		const char *name, *address, *line, *expected;
	} cases[] = {
		{ "nothing", "h:1", "", "h:1 workers=9" },
		{ "variable", "h:1", "WEB_CONCURRENCY=2", "h:1 workers=2" },
		{ "flag", "h:1", "WEB_CONCURRENCY=2 -- --workers 3", "h:1 workers=3" },
		{ "last flag", "h:1", "-- --workers 3 --workers 4", "h:1 workers=4" },
		{ "port of the program", "h:1", "-- --host g", "g:1 workers=9" },
		{ "host of the program", "h:1", "-- --port 2", "h:2 workers=9" },
		{ "IPv6 of the program", "[::1]:1", "-- --port 2", "[::1]:2 workers=9" },
		{ "any host of the program", ":1", "-- --port 2", ":2 workers=9" },
		{ "a path of the program", "unix:/a:1", "-- --port 2",
		  "127.0.0.1:2 workers=9" },
		{ "several of the program", "a:1,b:2", "-- --port 3",
		  "127.0.0.1:3 workers=9" },
		{ "path instead of host", "h:1", "WEFT_HOST=g -- --uds /a",
		  "unix:/a workers=9" },
		{ "host instead of path", "h:1", "WEFT_UDS=/a -- --host g",
		  "g:8000 workers=9" },
		{ "bind instead of port", "h:1", "WEFT_PORT=2 -- --bind g:3",
		  "g:3 workers=9" },
		{ "port after bind", "h:1", "-- --bind g:3 --port 4", "g:4 workers=9" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct weft_serve_options before = { .address = cases[i].address,
							   .workers = 9 };

		expect_parsed(cases[i].name, &before, cases[i].line, cases[i].expected);
	}
}

Test(options, it_stops_at_the_first_argument_that_is_no_flag)
{
	struct weft_serve_options options = { 0 };
	struct line line;

	read_line(&line, "-- --workers 2 file --loops 3");
	cr_expect_eq(weft_serve_parse(&options, line.argc, line.argv), 3);
	cr_expect_eq(options.workers, 2);
	cr_expect_eq(options.loops, 0);
	cr_expect_str_eq(line.argv[3], "file", "arguments stay where they are");
}

/* Or are both nothing? */
static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

Test(options, own_flags_are_taken_too)
{
	static const struct {
		const char *line, *loud, *file, *loops;
		int rest, n_loops;
	} cases[] = {
		{ "", NULL, NULL, NULL, 1, 0 },
		{ "-- --loud", "", NULL, NULL, 2, 0 },
		{ "-- --loud --file a --workers 2", "", "a", NULL, 6, 0 },
		{ "-- --workers 2 --file=a b", NULL, "a", NULL, 4, 0 },
		{ "-- --file a --file b", NULL, "b", NULL, 5, 0 },
		{ "-- --fi a", NULL, "a", NULL, 3, 0 },
		{ "WEFT_LOOPS=3 -- --loops many", NULL, NULL, "many", 3, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *loud = NULL, *file = NULL, *loops = NULL;
		const struct weft_serve_flag flags[] = {
			{ "loud", NULL, "say more", &loud },
			{ "file", "FILE", "say it there", &file },
			{ "loops", "HOW", "one of ours", &loops },
			{ 0 },
		};
		struct weft_serve_options options = { .flags = flags };
		const char *name = cases[i].line;
		struct line line;

		read_line(&line, cases[i].line);
		cr_expect_eq(weft_serve_parse(&options, line.argc, line.argv),
			     cases[i].rest, "%s", name);
		cr_expect_eq(options.loops, cases[i].n_loops, "%s", name);
		cr_expect(is_same(loud, cases[i].loud), "%s", name);
		cr_expect(is_same(file, cases[i].file), "%s", name);
		cr_expect(is_same(loops, cases[i].loops), "%s", name);
		forget_environment();
	}
}

/* ---- What ends the program ---- */

/* Starts a program with that command line. */
static void start(struct app *app, const char *text)
{
	const char *flags = strstr(text, "-- ");
	struct line line;

	read_line(&line, text);
	app_start(app, flags ? flags : "--", NULL);
	forget_environment();
}

Test(options, mistakes_end_the_program_with_a_sentence)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ "-- --workers 0",
		  "app: --workers takes a number from 1 to 1024, not \"0\"" },
		{ "-- --workers 1025",
		  "app: --workers takes a number from 1 to 1024, not \"1025\"" },
		{ "-- --workers many",
		  "app: --workers takes a number from 1 to 1024, not \"many\"" },
		{ "-- --workers 2x",
		  "app: --workers takes a number from 1 to 1024, not \"2x\"" },
		{ "-- --processes 0",
		  "app: --processes takes a number from 1 to 1024, not \"0\"" },
		{ "WEB_CONCURRENCY=0",
		  "app: WEB_CONCURRENCY takes a number from 1 to 1024, not \"0\"" },
		{ "WEB_CONCURRENCY=0 -- --workers 1",
		  "app: WEB_CONCURRENCY takes a number from 1 to 1024, not \"0\"" },
		{ "-- --loops -1",
		  "app: --loops takes a number from 1 to 1024, not \"-1\"" },
		{ "-- --threads 99999",
		  "app: --threads takes a number from 1 to 1024, not \"99999\"" },
		{ "-- --port 65536",
		  "app: --port takes a number from 0 to 65535, not \"65536\"" },
		{ "-- --port http",
		  "app: --port takes a number from 0 to 65535, not \"http\"" },
		{ "-- --fd x",
		  "app: --fd takes a number from 0 to 2147483647, not \"x\"" },
		{ "-- --graceful-timeout soon",
		  "app: --graceful-timeout takes a number of seconds, not \"soon\"" },
		{ "-- --graceful-timeout -1",
		  "app: --graceful-timeout takes a number of seconds, not \"-1\"" },
		{ "-- --graceful-timeout nan",
		  "app: --graceful-timeout takes a number of seconds, not \"nan\"" },
		{ "-- --graceful-timeout inf",
		  "app: --graceful-timeout takes a number of seconds, not \"inf\"" },
		{ "-- --wrokers 2", "Try \"app --help\"" },
		{ "-- --workers", "Try \"app --help\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct app app;

		start(&app, cases[i].line);
		cr_expect_str_eq(app_expect(&app, cases[i].text), "", "%s",
				 cases[i].line);
		cr_expect_eq(app_end(&app), 2, "%s", cases[i].line);
	}
}

Test(options, help_says_what_there_is)
{
	static const char *const lines[] = {
		"Usage: app [OPTION...]",
		"  --loud HOW                   print more",
		"  --host HOST ",
		"  --port PORT ",
		"  --uds PATH ",
		"  --fd N ",
		"  --bind ADDRESS ",
		"  --workers N ",
		"  --processes N ",
		"  --loops N ",
		"  --threads N ",
		"  --graceful-timeout SECONDS ",
		"  --help ",
		"  --version ",
	};
	struct app app;

	start(&app, "-- --help");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		app_expect(&app, lines[i]);
	cr_expect_eq(app_end(&app), 0);
}

Test(options, help_says_what_holds_without_the_flag)
{
	static const struct {
		const char *line, *flag, *text;
	} cases[] = {
		{ "-- --help", "bind", "several with commas (127.0.0.1:0) [WEFT_BIND]" },
		{ "-- --help", "workers", "processes (one per CPU) [WEB_CONCURRENCY]" },
		{ "-- --help", "loops", "loops per process (1) [WEFT_LOOPS]" },
		{ "-- --help", "threads", "threads per process (64) [WEFT_THREADS]" },
		{ "-- --help", "graceful-timeout", " (30) [WEFT_GRACEFUL_TIMEOUT]" },
		{ "WEFT_LOOPS=3 -- --help", "loops", "loops per process (3) " },
		{ "WEFT_PORT=3 -- --help", "port", "0 picks one (3) " },
		{ "WEFT_HOST=h -- --help", "host", "listen on (h) " },
		{ "-- --workers 2 --help", "workers", "processes (2) " },
		{ "-- --threads 2 --help", "threads", " (2) " },
		{ "-- --graceful-timeout 2.5 --help", "graceful-timeout", " (2.5) " },
		{ "-- --bind :80 --help", "bind", "several with commas (:80) " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char beginning[64];
		const char *line;
		struct app app;

		start(&app, cases[i].line);
		snprintf(beginning, sizeof(beginning), "  --%s ", cases[i].flag);
		line = app_expect(&app, beginning);
		cr_expect_not_null(strstr(line, cases[i].text), "%s: %s", cases[i].line,
				   line);
		cr_expect_eq(app_end(&app), 0);
	}
}

Test(options, version_is_the_librarys)
{
	struct app app;

	start(&app, "-- --version");
	cr_expect_str_eq(app_expect(&app, "weft "), weft_version());
	cr_expect_eq(app_end(&app), 0);
}
