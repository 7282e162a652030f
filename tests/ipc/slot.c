/*
 * Tests of ipc/slot.c: restarts, replacements, reloads, more workers and fewer.
 */
#include "ipc/slot.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/ipc/files.h"
#include "tests/ipc/run_app.h"
#include "tests/test.h"

static int stop(struct app *app)
{
	app_signal(app, SIGTERM);
	return app_end(app);
}

/* ---- Restarts ---- */

Test(slot, worker_that_dies_is_started_again)
{
	static const struct {
		const char *name;
		const char *arguments;
		const char *how;
	} cases[] = {
		{ "exit", "supervise first=1 on-usr1=exit", "exited with status 7" },
		{ "signal", "supervise first=1 on-usr1=abort", "was killed by SIGABRT" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct app app;
		const char *how;

		app_start(&app, cases[i].arguments, NULL);
		app_expect(&app, "READY 0");
		app_signal(&app, SIGUSR1);
		how = app_expect(&app, "DIED 0");
		cr_expect_not_null(strstr(how, cases[i].how), "%s: %s", cases[i].name,
				   how);
		cr_expect_not_null(strstr(how, "; next try in 0.00"), "%s", how);
		app_expect(&app, "READY 0");
		cr_expect_eq(stop(&app), 0);
	}
}

Test(slot, sibling_does_not_notice_a_death)
{
	struct app app;

	app_start(&app, "supervise workers=3 first=1 only=1 on-usr1=exit", NULL);
	app_expect(&app, "ALL_READY 3");
	app_signal(&app, SIGUSR1);
	app_expect(&app, "DIED 1");
	app_expect(&app, "READY 1");
	cr_expect_eq(app_count(&app, "STARTED 0"), 1);
	cr_expect_eq(app_count(&app, "STARTED 2"), 1);
	cr_expect_eq(stop(&app), 0);
}

Test(slot, worker_that_leaves_without_getting_ready_is_reported_in_these_words)
{
	struct app app;

	app_start(&app, "supervise first=1 budget=2 exit-unready=0", NULL);
	cr_expect_not_null(strstr(app_expect(&app, "DIED 0"),
				  "exited with status 0 without reaching app_serve()"));
	app_expect(&app, "GAVE_UP");
	cr_expect_eq(app_end(&app), 1);
}

Test(slot, crash_loop_before_anything_was_ready_ends_the_supervisor)
{
	const char *why;
	struct app app;

	app_start(&app, "supervise workers=2 first=1 exit-unready=3", NULL);
	app_expect(&app, "GAVE_UP");
	why = app_expect(&app,
			 "result -10 gave up: worker "); /* -ECHILD; either of them */
	cr_expect_str_eq(why + 1,
			 " was lost 5 times within 10 s before any worker was ready; at "
			 "last it exited with status 3 without reaching app_serve()");
	cr_expect_eq(app_count(&app, "READY"), 0);
	cr_expect_eq(app_end(&app), 1);
}

Test(slot, crash_before_the_first_word_counts_too)
{
	struct app app;

	app_start(&app, "supervise first=1 budget=3 exit-early=4", NULL);
	for (int i = 0; i < 3; i++)
		app_expect(&app, "DIED 0");
	app_expect(&app, "result -10");
	cr_expect_eq(app_end(&app), 1);
}

Test(slot, crash_loop_beside_a_worker_that_is_ready_backs_off)
{
	struct app app;
	int n_spent = 0;

	app_start(&app,
		  "supervise workers=2 first=5 most=60 budget=3 only=1 exit-unready=3",
		  NULL);
	app_expect(&app, "READY 0");
	while (n_spent < 3) {
		app_expect(&app, "SPENT 1");
		n_spent++;
	}
	cr_expect_eq(app_count(&app, "GAVE_UP"), 0);
	cr_expect_eq(app_count(&app, "DIED 0"), 0);
	cr_expect_eq(stop(&app), 0);
}

Test(slot, start_that_fell_due_while_the_supervisor_was_stopped_is_made_good)
{
	struct app app;

	app_start(&app, "supervise workers=2 first=200 most=200 only=1 exit-unready=1", NULL);
	app_expect(&app, "READY 0");
	app_expect(&app, "DIED 1");
	app_signal(&app, SIGSTOP);
	cr_assert_eq(usleep(1500000),
		     0); /* the time that is slept through is what is tested */
	app_signal(&app, SIGCONT);
	app_expect(&app, "STARTED 1");
	cr_expect_eq(stop(&app), 0);
}

Test(slot, program_that_cannot_be_executed_ends_the_supervisor_with_the_reason)
{
	const char *path = scratch_path("garbage");
	char arguments[4200];
	struct app app;

	write_file(path, "\001\002\003", 0755);
	snprintf(arguments, sizeof(arguments), "supervise first=1 budget=2 program=%s",
		 path);
	app_start(&app, arguments, NULL);
	cr_expect_not_null(
		strstr(app_expect(&app, "NOT_STARTED 0"), "Exec format error"));
	cr_expect_not_null(strstr(app_expect(&app, "result -8 "), /* -ENOEXEC */
				  "could not be started: could not execute"));
	cr_expect_eq(app_end(&app), 1);
	remove(path);
}

Test(slot, program_that_is_not_there_is_told_at_once)
{
	struct app app;

	app_start(&app, "supervise program=/no/such/program", NULL);
	cr_expect_str_eq(
		app_expect(&app, "result -2 "),
		"could not open the program /no/such/program: No such file or directory");
	cr_expect_eq(app_end(&app), 1);
}

Test(slot, start_that_the_system_refuses_is_tried_again)
{
	struct app app;

	/*
	 * Room for the supervisor's own descriptors, none for a worker; undone when that
	 * is told.
	 */
	app_start(&app, "supervise first=1 max-files=7", NULL);
	cr_expect_not_null(
		strstr(app_expect(&app, "NOT_STARTED 0"), "Too many open files"));
	app_expect(&app, "READY 0");
	cr_expect_eq(stop(&app), 0);
}

Test(slot, storm_of_kills_leaves_everything_as_it_was)
{
	struct app app;

	app_start(&app, "supervise workers=2 storm=200 budget=1000000 first=1 most=1",
		  NULL);
	/* 0 to 2, the program, the signals' pipe, and two for each worker. */
	cr_expect_str_eq(app_expect(&app, "before the storm: "), "children 2 fds 10");
	cr_expect_str_eq(app_expect(&app, "after the storm: "), "children 2 fds 10");
	cr_expect_eq(stop(&app), 0);
}

/* ---- Replacement ---- */

Test(slot, worker_that_asks_for_it_is_replaced_new_before_old)
{
	struct app app;
	pid_t old, new;

	app_start(&app, "supervise workers=2 only=0 on-usr1=retire", NULL);
	old = app_pid(app_expect(&app, "READY 0"));
	app_expect(&app, "ALL_READY");
	app_signal(&app, SIGUSR1);
	app_expect(&app, "REPLACING 0");
	new = app_pid(app_expect(&app, "READY 0"));
	cr_expect_neq(new, old);
	app_find(&app, "worker 0 drain");
	cr_expect_eq(app_pid(app_expect(&app, "LEFT 0")), old);
	cr_expect_eq(app_count(&app, "STARTED 1"), 1);
	cr_expect_eq(app_count(&app, "DIED"), 0);
	cr_expect_eq(stop(&app), 0);
}

Test(slot, successor_that_fails_leaves_the_old_worker_serving)
{
	const char *wait_file = scratch_path("ready");
	char arguments[4200];
	struct app app;
	pid_t old;

	/* The first one gets ready; its successor does not while the file is away. */
	write_file(wait_file, "", 0644);
	snprintf(arguments, sizeof(arguments),
		 "supervise start=200 dump=10 first=1 on-usr1=retire wait-file=%s",
		 wait_file);
	app_start(&app, arguments, NULL);
	old = app_pid(app_expect(&app, "READY 0"));
	remove(wait_file);
	app_signal(&app, SIGUSR1);
	app_expect(&app, "REPLACING 0");
	cr_expect_neq(app_pid(app_expect(&app, "LATE 0")), old);
	cr_expect_not_null(strstr(app_expect(&app, "DIED 0"), "the old one goes on"));
	write_file(wait_file, "", 0644);
	app_expect(&app, "READY 0");
	cr_expect_eq(app_pid(app_expect(&app, "LEFT 0")), old);
	cr_expect_eq(stop(&app), 0);
	remove(wait_file);
}

/* ---- Reload ---- */

/* A copy of the app that workers execute; the tests put others in its place. */
static const char *installed;

static void install_app(void)
{
	installed = scratch_path("installed");
	copy_file(app_path(), installed);
}

static long inode_of(const char *path)
{
	struct stat file;

	cr_assert_eq(stat(path, &file), 0);
	return (long)file.st_ino;
}

static void start_installed(struct app *app, const char *arguments)
{
	char text[4200];

	snprintf(text, sizeof(text), "supervise program=%s %s", installed, arguments);
	app_start(app, text, NULL);
}

/* Puts a script in the place of the app. */
static void install_script(const char *script)
{
	const char *path = scratch_path("script");

	write_file(path, script, 0755);
	cr_assert_eq(rename(path, installed), 0);
}

/* Puts another copy of the app in its place. Return: its inode. */
static long install_another(void)
{
	const char *newer = scratch_path("newer");

	copy_file(app_path(), newer);
	cr_assert_eq(rename(newer, installed), 0);
	return inode_of(installed);
}

Test(slot, restart_runs_the_same_file_whatever_lies_at_the_path)
{
	struct app app;
	long inode;

	install_app();
	inode = inode_of(installed);
	start_installed(&app, "first=1 on-usr1=exit");
	cr_expect_eq(atol(app_expect(&app, "worker 0 inode ")), inode);
	app_expect(&app, "READY 0");
	cr_expect_neq(install_another(), inode);
	app_signal(&app, SIGUSR1);
	app_expect(&app, "DIED 0");
	cr_expect_eq(atol(app_expect(&app, "worker 0 inode ")), inode);
	app_expect(&app, "READY 0");
	cr_expect_eq(stop(&app), 0);
	remove(installed);
}

Test(slot, reload_runs_the_new_program_and_has_it_ready_before_the_old_one_drains)
{
	struct app app;
	long inode;

	install_app();
	start_installed(&app, "workers=2 first=1 only=0 on-usr1=exit");
	app_expect(&app, "ALL_READY");
	inode = install_another();
	app_signal(&app, SIGHUP);
	app_expect(&app, "RELOADING");
	app_expect(&app, "READY");
	app_expect(&app, "READY");
	cr_expect_eq(app_count_passed(&app, "worker 0 drain"), 0,
		     "not before all are ready");
	cr_expect_eq(app_count_passed(&app, "worker 1 drain"), 0,
		     "not before all are ready");
	cr_expect_not_null(strstr(app_expect(&app, "RELOADED"), "generation 2 serves"));
	app_expect(&app, "LEFT");
	app_expect(&app, "LEFT");
	cr_expect_eq(app_count(&app, "DIED"), 0);
	cr_expect_eq(app_count(&app, "STARTED"), 4);
	app_signal(&app, SIGUSR1); /* what dies now is started again from the new file */
	app_expect(&app, "DIED 0");
	cr_expect_eq(atol(app_expect(&app, "worker 0 inode ")), inode);
	cr_expect_eq(stop(&app), 0);
	remove(installed);
}

Test(slot, reload_that_fails_keeps_the_old_generation)
{
	static const struct {
		const char *name;
		const char *script; /* NULL: nothing at all */
		const char *why;
	} cases[] = {
		{ "ends before it is ready", "#!/bin/sh\nexit 3\n",
		  "exited with status 3 without reaching app_serve()" },
		{ "never gets ready", "#!/bin/sh\nexec sleep 1000\n",
		  "was not ready within 0.3 s and never said hello" },
		{ "cannot be executed", "\001\002\003", "Exec format error" },
		{ "is not there", NULL, "No such file or directory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct app app;
		const char *why;

		install_app();
		start_installed(
			&app,
			"workers=2 first=1 start=300 dump=10 stop=10 on-usr1=bytes");
		app_expect(&app, "ALL_READY");
		if (cases[i].script)
			install_script(cases[i].script);
		else
			remove(installed);
		app_signal(&app, SIGHUP);
		why = app_expect(&app, "RELOAD_FAILED");
		cr_expect_not_null(strstr(why, "reload failed, generation 1 goes on: "),
				   "%s: %s", cases[i].name, why);
		cr_expect_not_null(strstr(why, cases[i].why), "%s: %s", cases[i].name,
				   why);
		app_signal(&app, SIGUSR1);
		app_expect(&app, "BYTES");
		app_expect(&app, "BYTES");
		cr_expect_eq(app_count(&app, "worker 0 drain"), 0, "%s", cases[i].name);
		cr_expect_eq(stop(&app), 0, "%s", cases[i].name);
		remove(installed);
	}
}

Test(slot, reload_that_fails_in_one_slot_fails_in_all)
{
	char text[8200];
	struct app app;

	install_app();
	start_installed(&app, "workers=2 stop=1000");
	app_expect(&app, "ALL_READY");
	snprintf(
		text, sizeof(text),
		"#!/bin/sh\ncase $WEFT_WORKER in *index=1*) exit 3 ;; esac\nexec %s \"$@\"\n",
		app_path());
	install_script(text);
	app_signal(&app, SIGHUP);
	app_expect(&app, "RELOAD_FAILED");
	app_expect(&app, "LEFT 0");
	cr_expect_eq(
		app_count(&app, "worker 0 drain") + app_count(&app, "worker 1 drain"), 0);
	cr_expect_eq(stop(&app), 0);
	remove(installed);
}

Test(slot, death_during_a_reload_is_made_good_by_the_old_program)
{
	const char *go = scratch_path("go");
	char text[8200];
	struct app app;
	long inode;
	pid_t old;

	install_app();
	inode = inode_of(installed);
	start_installed(&app, "workers=1 first=1");
	old = app_pid(app_expect(&app, "READY 0"));
	/* The new generation is started, and waits. */
	snprintf(text, sizeof(text),
		 "#!/bin/sh\nwhile [ ! -e %s ]; do sleep 0.01; done\nexec %s \"$@\"\n",
		 go, app_path());
	install_script(text);
	app_signal(&app, SIGHUP);
	app_expect(&app, "STARTED 0");
	cr_assert_eq(kill(old, SIGKILL), 0);
	app_expect(&app, "DIED 0");
	cr_expect_eq(atol(app_expect(&app, "worker 0 inode ")), inode);
	app_expect(&app, "READY 0");
	write_file(go, "", 0644);
	app_expect(&app, "RELOADED");
	app_expect(&app, "LEFT 0");
	cr_expect_eq(stop(&app), 0);
	remove(installed);
	remove(go);
}

Test(slot, reload_asked_for_during_a_reload_comes_after_it)
{
	struct app app;

	app_start(&app, "supervise workers=2", NULL);
	app_expect(&app, "ALL_READY");
	app_signal(&app, SIGHUP);
	app_expect(&app, "RELOADING");
	app_signal(&app, SIGHUP);
	app_expect(&app, "RELOADED");
	app_expect(&app, "RELOADING");
	cr_expect_not_null(strstr(app_expect(&app, "RELOADED"), "generation 3 serves"));
	cr_expect_eq(stop(&app), 0);
}

Test(slot, reload_saves_a_program_that_crashes)
{
	const char *go = scratch_path("go");
	char text[8400];
	struct app app;

	installed = scratch_path("installed");
	/* Slot 1 crashes, from a certain moment on, until the program is replaced. */
	snprintf(text, sizeof(text),
		 "#!/bin/sh\n"
		 "case $WEFT_WORKER in *index=0*) exec %s \"$@\" ;; esac\n"
		 "while [ ! -e %s ]; do sleep 0.01; done\nexit 3\n",
		 app_path(), go);
	write_file(installed, text, 0755);
	start_installed(&app, "workers=2 first=1 most=3600000 budget=3");
	app_expect(&app, "READY 0");
	write_file(go, "", 0644);
	app_expect(&app, "SPENT 1");
	install_another();
	app_signal(&app, SIGHUP);
	app_expect(&app, "RELOADED");
	cr_expect_eq(stop(&app), 0);
	remove(installed);
	remove(go);
}

/* ---- More and fewer ---- */

Test(slot, one_worker_more_and_one_less)
{
	struct app app;
	pid_t added;

	app_start(&app, "supervise workers=1", NULL);
	app_expect(&app, "ALL_READY");
	app_signal(&app, SIGTTIN);
	app_expect(&app, "RESIZED 2");
	added = app_pid(app_expect(&app, "READY 1"));
	app_signal(&app, SIGTTOU);
	app_expect(&app, "RESIZED 1");
	app_find(&app, "worker 1 drain");
	cr_expect_eq(app_pid(app_expect(&app, "LEFT 1")), added);
	app_signal(&app, SIGTTOU); /* the last one stays */
	app_expect(&app, "RESIZED 1");
	app_signal(&app, SIGTTIN);
	app_expect(&app, "RESIZED 2");
	app_expect(&app, "READY 1");
	cr_expect_eq(app_count(&app, "LEFT 0"), 0);
	cr_expect_eq(stop(&app), 0);
}
