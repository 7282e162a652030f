/*
 * Tests of ipc/supervisor.c: starting, stopping, signals, and what the supervisor
 * survives.
 */
#include "ipc/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/ipc/files.h"
#include "tests/ipc/run_app.h"
#include "tests/test.h"

static int stop(struct app *app)
{
	app_signal(app, SIGTERM);
	return app_end(app);
}

/* ---- Start and stop ---- */

Test(supervisor, workers_get_ready_and_leave_as_told)
{
	static const int signals[] = { SIGTERM, SIGINT };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct app app;

		app_start(&app, "supervise workers=3 grace=5000", NULL);
		app_expect(&app, "ALL_READY 3");
		app_signal(&app, signals[i]);
		app_expect(&app, "STOPPING -1");
		app_expect(&app, "result 0 ");
		cr_expect_eq(strncmp(app_expect(&app, "in the end: "), "children 0 ", 11),
			     0);
		cr_expect_eq(app_count(&app, "worker 0 drain 5000"), 1);
		cr_expect_eq(app_count(&app, "LEFT"), 3);
		cr_expect_eq(app_end(&app), 0);
	}
}

Test(supervisor, descriptors_are_all_closed_in_the_end)
{
	struct app app;

	app_start(&app, "supervise workers=2 hand-down=1", NULL);
	app_expect(&app, "ALL_READY");
	app_signal(&app, SIGTERM);
	/* 3 is what it hands down, and stays open. */
	cr_expect_str_eq(app_expect(&app, "in the end: "), "children 0 fds 0 1 2 3");
	cr_expect_eq(app_end(&app), 0);
}

Test(supervisor, stop_while_workers_start_waits_for_none_of_them)
{
	struct app app;

	app_start(&app, "supervise workers=2 never-ready=1 stop=10", NULL);
	app_expect(&app, "STARTED 1");
	cr_expect_eq(stop(&app), 0);
}

Test(supervisor, stop_while_a_slot_waits_for_its_next_start)
{
	struct app app;

	app_start(&app, "supervise first=3600000 on-usr1=exit", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGUSR1);
	app_expect(&app, "DIED 0");
	cr_expect_eq(stop(&app), 0);
}

Test(supervisor, worker_that_does_not_drain_in_time_is_told_to_stop)
{
	struct app app;

	app_start(&app, "supervise workers=2 grace=50 only=1 ignore-drain=1", NULL);
	app_expect(&app, "ALL_READY");
	app_signal(&app, SIGTERM);
	app_expect(&app, "CUT_OFF 1");
	app_find(&app, "worker 1 stop");
	cr_expect_not_null(strstr(app_expect(&app, "result -110 "), /* -ETIMEDOUT */
				  "did not leave within 0.05 s and was cut off"));
	cr_expect_eq(app_end(&app), 1);
}

Test(supervisor, worker_that_does_not_stop_either_is_killed)
{
	struct app app;

	app_start(&app, "supervise grace=50 stop=20 deaf=1", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGTERM);
	app_expect(&app, "CUT_OFF 0");
	cr_expect_not_null(strstr(app_expect(&app, "LEFT 0"), "was killed by SIGKILL"));
	app_expect(&app, "result -110 ");
	cr_expect_eq(app_end(&app), 1);
}

Test(supervisor, worker_that_ends_badly_while_it_drains_is_a_failure)
{
	struct app app;

	app_start(&app, "supervise exit-drained=5", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGTERM);
	cr_expect_not_null(strstr(app_expect(&app, "result -10 "), /* -ECHILD */
				  "exited with status 5 while it drained"));
	cr_expect_eq(app_end(&app), 1);
}

/* Sends a signal again and again until a line comes: two at once count as one. */
static void insist(struct app *app, int signo, const char *line)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	for (int i = 0; i < 500 && app_count(app, line) == 0; i++) {
		(void)weft__child_signal(&app->child, signo); /* perhaps it has gone */
		nanosleep(&moment, NULL);
		app_read_what_is_there(app);
	}
}

Test(supervisor, second_signal_leaves_at_once)
{
	struct app app;

	/* Would drain for an hour. */
	app_start(&app, "supervise workers=2 grace=3600000 ignore-drain=1", NULL);
	app_expect(&app, "ALL_READY");
	app_signal(&app, SIGINT);
	app_expect(&app, "STOPPING -1");
	insist(&app, SIGINT, "STOPPING_AT_ONCE");
	app_find(&app, "worker 0 stop");
	cr_expect_str_eq(app_expect(&app, "result -4 "), /* -EINTR */
			 "told to leave at once: 2 workers were cut off");
	cr_expect_eq(app_end(&app), 1);
}

Test(supervisor, second_signal_kills_what_does_not_listen)
{
	struct app app;

	app_start(&app, "supervise grace=3600000 stop=20 deaf=1", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGTERM);
	app_expect(&app, "STOPPING -1");
	insist(&app, SIGTERM, "STOPPING_AT_ONCE");
	cr_expect_not_null(strstr(app_expect(&app, "LEFT 0"), "was killed by SIGKILL"));
	cr_expect_eq(app_end(&app), 1);
}

Test(supervisor, third_signal_kills)
{
	struct app app;

	app_start(&app, "supervise grace=3600000 stop=3600000 deaf=1", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGTERM);
	app_expect(&app, "STOPPING -1");
	insist(&app, SIGINT, "LEFT 0");
	app_expect(&app, "LEFT 0");
	cr_expect_eq(app_end(&app), 1);
}

Test(supervisor, signal_that_is_sent_twice_at_once_counts_once)
{
	struct app app;

	app_start(&app, "supervise ignore-drain=1 grace=300", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGTERM); /* as timeout(1) does */
	app_signal(&app, SIGINT);
	app_expect(&app, "CUT_OFF 0");
	cr_expect_eq(app_count(&app, "STOPPING_AT_ONCE"), 0);
	cr_expect_eq(app_end(&app), 1);
}

Test(supervisor, callback_may_stop_it_at_any_news)
{
	static const struct {
		const char *news;
		const char *arguments;
		int signo; /* sent when all are ready; 0: not needed */
	} cases[] = {
		{ "STARTED", "", 0 },
		{ "READY", "", 0 },
		{ "ALL_READY", "", 0 },
		{ "READY", "mute=sleep", 0 },
		{ "NOT_STARTED", "max-files=7", 0 },
		{ "LATE", "start=50 dump=10 only=1 never-ready=1", 0 },
		{ "HUNG", "beat=200 dump=10 only=1 hung=1", 0 },
		{ "SPENT", "budget=2 only=1 exit-unready=3", 0 },
		{ "GAVE_UP", "budget=2 exit-early=3", 0 },
		{ "BROKEN", "on-usr1=garbage", SIGUSR1 },
		{ "DIED", "on-usr1=exit", SIGUSR1 },
		{ "REPLACING", "on-usr1=retire", SIGUSR1 },
		{ "PASSED_ON", "", SIGUSR1 },
		{ "RELOADING", "", SIGHUP },
		{ "RELOADING", "mute=sleep", SIGHUP },
		{ "RELOADED", "", SIGHUP },
		{ "RELOADED", "mute=sleep", SIGHUP },
		{ "RESIZED", "", SIGTTIN },
		{ "DUMPING", "", SIGQUIT },
		{ "STOPPING", "", SIGTERM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char arguments[256];
		struct app app;

		snprintf(arguments, sizeof(arguments),
			 "supervise workers=3 first=1 stop=10 stop-at=%s %s", cases[i].news,
			 cases[i].arguments);
		app_start(&app, arguments, NULL);
		if (cases[i].signo) {
			app_expect(&app, "ALL_READY");
			app_signal(&app, cases[i].signo);
		}
		app_expect(&app, cases[i].news);
		app_expect(&app, "result");
		cr_expect_str_eq(app_expect(&app, "in the end: "), "children 0 fds 0 1 2",
				 "%s %s", cases[i].news, cases[i].arguments);
		app_end(&app);
	}
}

/* ---- Other signals ---- */

Test(supervisor, nothing_but_stopping_is_done_while_it_stops)
{
	struct app app;

	app_start(&app, "supervise ignore-drain=1 on-usr1=exit", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGTERM);
	app_expect(&app, "worker 0 drain");
	app_signal(&app, SIGTTIN);
	app_signal(&app, SIGHUP);
	app_signal(&app, SIGTTOU);
	app_signal(&app, SIGUSR1);
	app_expect(&app, "PASSED_ON");
	app_expect(&app, "LEFT 0");
	cr_expect_eq(app_count(&app, "RESIZED"), 0);
	cr_expect_eq(app_count(&app, "RELOADING"), 0);
	cr_expect_eq(app_count(&app, "STARTED"), 1);
	cr_expect_eq(app_end(&app), 1);
}

Test(supervisor, dump_is_asked_for_and_all_goes_on)
{
	struct app app;

	app_start(&app, "supervise workers=2 on-usr1=bytes", NULL);
	app_expect(&app, "ALL_READY");
	for (int i = 0; i < 2; i++) {
		app_signal(&app, SIGQUIT);
		app_expect(&app, "DUMPING -1");
		app_find(&app, "worker 0 dump");
	}
	app_signal(&app, SIGUSR1);
	app_expect(&app, "BYTES 0");
	cr_expect_eq(app_count(&app, "DIED"), 0);
	cr_expect_eq(stop(&app), 0);
}

Test(supervisor, usr1_is_passed_on)
{
	struct app app;

	app_start(&app, "supervise", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGUSR1);
	app_expect(&app, "PASSED_ON 10"); /* SIGUSR1 */
	cr_expect_eq(atoi(app_expect(&app, "worker 0 signal ")), SIGUSR1);
	cr_expect_eq(stop(&app), 0);
}

/* ---- Surroundings ---- */

Test(supervisor, its_death_is_the_end_of_file_of_its_workers)
{
	struct app app;
	pid_t worker;

	app_start(&app, "supervise", NULL);
	worker = app_pid(app_expect(&app, "READY 0"));
	app_signal(&app, SIGKILL);
	/*
	 * It gets SIGTERM at the same moment, which this app does not handle: see the
	 * next test.
	 */
	cr_expect_eq(app_end(&app), 128 + SIGKILL);
	wait_until_gone(worker);
}

Test(supervisor, worker_that_handles_sigterm_sees_the_end_of_file)
{
	struct app app;
	pid_t worker;

	app_start(&app, "supervise keeps-term=1", NULL);
	worker = app_pid(app_expect(&app, "READY 0"));
	app_signal(&app, SIGKILL);
	app_expect(&app, "worker 0 eof");
	cr_expect_eq(app_end(&app), 128 + SIGKILL);
	wait_until_gone(worker);
}

Test(supervisor, workers_do_not_see_what_is_hidden_nor_the_mark)
{
	struct app app;

	setenv("SECRET", "42", 1);
	setenv("COLOUR", "blue", 1);
	setenv("WEFT_WORKER_OF_MINE", "1", 1);
	app_start(&app, "supervise mute=probe budget=1", NULL);
	cr_expect_str_eq(app_expect(&app, "mark "), "no");
	cr_expect_str_eq(app_expect(&app, "colour "), "blue");
	cr_expect_str_eq(app_expect(&app, "secret "), "none");
	app_signal(&app, SIGTERM);
	app_end(&app);
}

Test(supervisor, worker_inherits_nothing)
{
	int forgotten = dup(STDIN_FILENO);
	struct app app;

	app_start(&app, "supervise mute=probe soft-files=100", NULL);
	cr_expect_str_eq(app_expect(&app, "fds "), "0 1 2");
	cr_expect_str_eq(app_expect(&app, "SigBlk "), "0000000000000000");
	cr_expect_str_eq(app_expect(&app, "SigIgn "), "0000000000000000");
	cr_expect_eq(atoi(app_expect(&app, "death_signal ")), SIGTERM);
	cr_expect_str_eq(app_expect(&app, "leads_group "), "1");
	cr_expect_str_eq(app_expect(&app, "files "), "100");
	app_signal(&app, SIGTERM);
	app_end(&app);
	close(forgotten);
}

Test(supervisor, closed_standard_descriptors_become_dev_null)
{
	struct app app;

	app_start(&app, "supervise mute=probe close-standard=1", NULL);
	cr_expect_str_eq(app_expect(&app, "fds "), "0 1 2");
	cr_expect_str_eq(app_expect(&app, "stderr "), "device");
	app_signal(&app, SIGTERM);
	app_end(&app);
}

Test(supervisor, ignored_sigchld_does_not_blind_it)
{
	struct app app;

	app_start(&app, "supervise ignore-sigchld=1 first=1 on-usr1=exit", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGUSR1);
	cr_expect_not_null(strstr(app_expect(&app, "DIED 0"), "exited with status 7"));
	app_expect(&app, "READY 0");
	cr_expect_eq(stop(&app), 0);
}

Test(supervisor, orphans_it_inherits_are_reaped)
{
	struct app app;

	app_start(&app, "supervise workers=2 strangers=10", NULL);
	app_expect(&app, "ALL_READY");
	app_signal(&app, SIGTERM);
	cr_expect_eq(strncmp(app_expect(&app, "in the end: "), "children 0 ", 11), 0);
	cr_expect_eq(app_count(&app, "LEFT"), 2, "and no worker's status was taken");
	cr_expect_eq(app_end(&app), 0);
}

Test(supervisor, program_that_knows_nothing_of_us_is_supervised_too)
{
	struct app app;

	app_start(&app, "supervise mute=sleep workers=2 first=1", NULL);
	app_expect(&app, "ALL_READY 2");
	app_signal(&app, SIGHUP);
	app_expect(&app, "RELOADED");
	app_expect(&app, "LEFT");
	app_expect(&app, "LEFT");
	app_signal(&app, SIGUSR1); /* which ends it */
	cr_expect_not_null(strstr(app_expect(&app, "DIED"), "was killed by SIGUSR1"));
	app_wait(&app, "DIED", 2);
	app_wait(&app, "READY", 6);
	cr_expect_eq(stop(&app), 0);
}

Test(supervisor, limit_of_descriptors_counts_what_is_open_only)
{
	struct app app;

	/* Each of these has a pidfd and no control socket. */
	app_start(&app, "supervise mute=sleep workers=20 max-files=36", NULL);
	app_expect(&app, "ALL_READY 20");
	cr_expect_eq(app_count(&app, "NOT_STARTED"), 0);
	cr_expect_eq(stop(&app), 0);
}

Test(supervisor, other_protocol_of_a_worker_is_told_in_words)
{
	const char *script = scratch_path("script");
	char arguments[4200];
	struct app app;

	/* A worker of another version says hello in its own, which python can pack. */
	write_file(script,
		   "#!/usr/bin/perl\nuse Socket;\nopen(my $s, '+<&=', 3);\n"
		   "send($s, pack('LSS', 0x77656674, 9, 1), 0);\nsleep 1000;\n",
		   0755);
	snprintf(arguments, sizeof(arguments),
		 "supervise first=1 stop=10 budget=1 program=%s", script);
	app_start(&app, arguments, NULL);
	cr_expect_not_null(
		strstr(app_expect(&app, "BROKEN 0"),
		       "speaks version 9 of the worker protocol, this supervisor "
		       "version 1: stop it and start it anew"));
	cr_expect_eq(app_end(&app), 1);
	remove(script);
}

Test(supervisor, failing_allocation_is_an_error_or_made_good)
{
	char arguments[128];
	bool has_failed = true;
	long nth = 0;

	while (has_failed) {
		struct app app;

		snprintf(arguments, sizeof(arguments),
			 "supervise workers=3 first=1 stop-at=ALL_READY fail-nth=%ld",
			 ++nth);
		app_start(&app, arguments, NULL);
		app_expect(&app, "result");
		has_failed = atol(app_expect(&app, "allocations ")) >= nth;
		cr_expect_str_eq(app_expect(&app, "in the end: "), "children 0 fds 0 1 2",
				 "allocation %ld", nth);
		app_end(&app);
	}
	cr_expect_gt(nth, 10);
}
