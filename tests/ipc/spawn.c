/*
 * Tests of ipc/spawn.c: what a process that is executed anew inherits, and how failures
 * are told.
 */
#include "ipc/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/ipc/files.h"
#include "tests/ipc/run_app.h"
#include "tests/test.h"

Test(spawn, child_has_the_descriptors_it_is_given_and_no_others)
{
	/* Two that the host forgot to make close-on-exec. */
	int forgotten = dup(STDIN_FILENO), another = fcntl(STDIN_FILENO, F_DUPFD, 40);
	int given = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct weft__spawn_fd fds[] = { { given, 7 }, { given, 4 } };
	struct app app;

	app_start(&app, "probe", &(struct weft__spawn_options){ .fds = fds, .n_fds = 2 });
	cr_expect_str_eq(app_expect(&app, "fds "), "0 1 2 4 7");
	cr_expect_eq(app_end(&app), 0);
	close(forgotten);
	close(another);
	close(given);
}

/* A pipe that will give `text`. */
static int pipe_with(const char *text)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
	close(ends[1]);
	return ends[0];
}

Test(spawn, descriptors_may_trade_places)
{
	int first = pipe_with("first\n"), second = pipe_with("second\n");
	struct weft__spawn_fd fds[] = { { first, second }, { second, first } };
	struct weft__spawn_options options = { .fds = fds, .n_fds = 2 };
	struct app app;
	char arguments[32];

	snprintf(arguments, sizeof(arguments), "copy %d", first);
	app_start(&app, arguments, &options);
	app_expect(&app, "second");
	cr_expect_eq(app_end(&app), 0);
	snprintf(arguments, sizeof(arguments), "copy %d", second);
	app_start(&app, arguments, &options);
	app_expect(&app, "first");
	cr_expect_eq(app_end(&app), 0);
	close(first);
	close(second);
}

Test(spawn, descriptor_that_stays_at_its_number_is_inherited)
{
	int given = pipe_with("stayed\n");
	struct weft__spawn_fd fds[] = { { given, given } };
	struct app app;
	char arguments[32];

	snprintf(arguments, sizeof(arguments), "copy %d", given);
	app_start(&app, arguments,
		  &(struct weft__spawn_options){ .fds = fds, .n_fds = 1 });
	app_expect(&app, "stayed");
	cr_expect_eq(app_end(&app), 0);
	close(given);
}

static void on_signal(int signo)
{
	(void)signo;
}

Test(spawn, child_starts_with_an_empty_mask_and_default_dispositions)
{
	struct app app;
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, on_signal);
	app_start(&app, "probe", NULL);
	cr_expect_str_eq(app_expect(&app, "SigBlk "), "0000000000000000");
	cr_expect_str_eq(app_expect(&app, "SigIgn "), "0000000000000000");
	cr_expect_eq(app_end(&app), 0);
}

Test(spawn, parent_keeps_its_mask_and_dispositions)
{
	struct sigaction after;
	sigset_t mask;
	struct app app;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, on_signal);
	app_start(&app, "exit 0", NULL);
	cr_expect_eq(app_end(&app), 0);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	cr_expect_eq(sigismember(&mask, SIGTERM), 0);
	sigaction(SIGPIPE, NULL, &after);
	cr_expect_eq(after.sa_handler, SIG_IGN);
	sigaction(SIGHUP, NULL, &after);
	cr_expect_eq(after.sa_handler, on_signal);
}

Test(spawn, child_has_what_the_options_say)
{
	char *envp[] = { (char[]){ "COLOUR=blue" }, NULL };
	struct weft__spawn_options options = {
		.envp = envp,
		.death_signal = SIGUSR1,
		.own_group = true,
		.no_new_privs = true,
	};
	struct app app;

	app_start(&app, "probe", &options);
	cr_expect_str_eq(app_expect(&app, "NoNewPrivs "), "1");
	cr_expect_eq(atoi(app_expect(&app, "death_signal ")), SIGUSR1);
	cr_expect_str_eq(app_expect(&app, "leads_group "), "1");
	cr_expect_str_eq(app_expect(&app, "colour "), "blue");
	cr_expect_eq(app_end(&app), 0);
}

Test(spawn, options_left_out_change_nothing)
{
	struct app app;

	app_start(&app, "probe", NULL);
	cr_expect_str_eq(app_expect(&app, "NoNewPrivs "), "0");
	cr_expect_str_eq(app_expect(&app, "leads_group "), "0");
	cr_expect_eq(app_end(&app), 0);
}

static void skip_if_the_limit_of_descriptors_is_taken(void)
{
	if (test_build_is("valgrind"))
		cr_skip_test("valgrind keeps the limit of descriptors for itself");
}

Test(spawn, child_has_the_limit_of_descriptors_it_is_given)
{
	struct rlimit limit;
	struct app app;

	skip_if_the_limit_of_descriptors_is_taken();
	getrlimit(RLIMIT_NOFILE, &limit);
	app_start(&app, "probe", NULL);
	cr_expect_eq(strtoull(app_expect(&app, "files "), NULL, 10), limit.rlim_cur);
	cr_expect_eq(app_end(&app), 0);
	app_start(&app, "probe", &(struct weft__spawn_options){ .soft_files = 64 });
	cr_expect_str_eq(app_expect(&app, "files "), "64");
	cr_expect_eq(app_end(&app), 0);
}

/* Return: what weft__spawn() returns for this program; there must be no child. */
static int spawn_alone(const struct weft__program *program)
{
	char *argv[] = { (char[]){ "name" }, NULL };
	struct weft__spawn_options options = { .program = program,
					       .argv = argv,
					       .envp = environ };
	struct weft__child child;

	return weft__spawn(&options, &child);
}

Test(spawn, program_that_cannot_be_executed_is_an_error_with_a_sentence)
{
	static const struct {
		const char *name;
		const char *contents; /* NULL: a folder */
		mode_t mode;
		int result;
		const char *text;
	} cases[] = {
		{ "folder", NULL, 0755, -EACCES, "Permission denied" },
		{ "not executable", "#!/bin/sh\n", 0644, -EACCES, "Permission denied" },
		{ "neither program nor script", "\001\002\003", 0755, -ENOEXEC,
		  "Exec format error" },
		{ "script without its interpreter", "#!/no/such/interpreter\n", 0755,
		  -ENOENT, "No such file or directory" },
	};

	if (test_build_is("valgrind"))
		cr_skip_test("valgrind gives up when a program cannot be executed");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *path = scratch_path("program");
		struct weft__program program;
		char sentence[512];

		if (cases[i].contents)
			write_file(path, cases[i].contents, cases[i].mode);
		else
			cr_assert_eq(mkdir(path, cases[i].mode), 0);
		cr_assert_eq(weft__program_open(&program, path), 0);
		cr_expect_eq(spawn_alone(&program), cases[i].result, "%s", cases[i].name);
		snprintf(sentence, sizeof(sentence), "could not execute %s: %s", path,
			 cases[i].text);
		cr_expect_str_eq(weft_error_text(cases[i].result), sentence, "%s",
				 cases[i].name);
		weft__program_close(&program);
		cr_expect_eq(remove(path), 0);
	}
}

Test(spawn, script_is_executed)
{
	const char *path = scratch_path("script");
	struct weft__program program;
	char *argv[] = { (char[]){ "script" }, (char[]){ "5" }, NULL };
	struct weft__spawn_options options = { .program = &program,
					       .argv = argv,
					       .envp = environ };
	struct weft__child child;
	struct weft__child_end end;

	write_file(path, "#!/bin/sh\nexit $1\n", 0755);
	cr_assert_eq(weft__program_open(&program, path), 0);
	cr_assert_eq(weft__spawn(&options, &child), 0);
	weft__child_wait(&child, &end);
	cr_expect_eq(end.code, CLD_EXITED);
	cr_expect_eq(end.status, 5);
	weft__program_close(&program);
	remove(path);
}

Test(spawn, limits_are_errors_and_leave_nothing)
{
	struct weft__program program;
	struct rlimit before, limit;
	int top;

	skip_if_the_limit_of_descriptors_is_taken();
	cr_assert_eq(weft__program_open(&program, app_path()), 0);
	getrlimit(RLIMIT_NOFILE, &before);
	top = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_ge(top, 0);
	/*
	 * Room for so many descriptors more: none for the pipe, none for the pidfd, ...
	 */
	for (int room = 0; room < 4; room++) {
		limit = (struct rlimit){ (rlim_t)top + 1 + (rlim_t)room,
					 before.rlim_max };
		setrlimit(RLIMIT_NOFILE, &limit);
		cr_expect_eq(spawn_alone(&program), -EMFILE, "room for %d", room);
		cr_expect_not_null(
			strstr(weft_error_text(-EMFILE), "Too many open files"));
		setrlimit(RLIMIT_NOFILE, &before);
	}
	close(top);
	weft__program_close(&program);
}

Test(spawn, no_memory_is_an_error)
{
	struct weft__program program;

	cr_assert_eq(weft__program_open(&program, app_path()), 0);
	weft__fail_allocation(1);
	cr_expect_eq(spawn_alone(&program), -ENOMEM);
	weft__fail_allocation(0);
	weft__program_close(&program);
}

Test(spawn, many_starts_leave_no_descriptor_and_no_child)
{
	struct weft__program program;
	char *argv[] = { (char[]){ "app" }, (char[]){ "exit" }, (char[]){ "0" }, NULL };
	struct weft__spawn_options options = { .program = &program,
					       .argv = argv,
					       .envp = environ };

	cr_assert_eq(weft__program_open(&program, app_path()), 0);
	for (int i = 0; i < 50; i++) {
		struct weft__child child;
		struct weft__child_end end;

		app_assert_spawned(weft__spawn(&options, &child));
		weft__child_wait(&child, &end);
		cr_assert_eq(end.status, 0);
	}
	weft__program_close(&program);
}
