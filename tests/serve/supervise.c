/*
 * Services with worker processes: how they start, go on, reload and end.
 */
#include "tests/serve/service.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/ipc/files.h"
#include "tests/test.h"

static void expect_text(const char *text, const char *part)
{
	cr_expect_not_null(strstr(text, part), "\"%s\" instead of \"%s\"", text, part);
}

/* ---- Start and stop ---- */

Test(supervise, workers_get_ready_and_leave_as_told)
{
	static const int signals[] = { SIGTERM, SIGINT };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct service service;
		struct answer answer;

		service_start(&service, "workers=2");
		answer = service_ask(&service, "pid/0");
		cr_expect_neq(answer.pid, service.app.child.pid);
		app_signal(&service.app, signals[i]);
		app_find(&service.app, "worker 0 left 0");
		app_find(&service.app, "worker 1 left 0");
		cr_expect_str_eq(app_expect(&service.app, "result "), "0");
		cr_expect_str_eq(app_expect(&service.app, "fds "), "0");
		cr_expect_eq(app_end(&service.app), 0);
	}
}

Test(supervise, there_is_a_worker_for_each_cpu)
{
	struct service service;
	pid_t pids[256];

	service_start(&service, "");
	cr_expect_eq(service_workers(&service, pids, 256), weft_cpus());
	cr_expect_eq(service_stop(&service), 0);
}

Test(supervise, a_routine_start_and_stop_says_nothing_else)
{
	struct service service;

	service_start(&service, "workers=2");
	service_ask(&service, "pid/0");
	app_signal(&service.app, SIGTERM);
	app_expect(&service.app, "fds ");
	cr_expect_eq(app_count(&service.app, ""), 6, "%s", service.app.said);
	cr_expect_eq(app_end(&service.app), 0);
}

Test(supervise, request_in_flight_is_answered_and_nobody_else_gets_in)
{
	struct service service;
	struct reply reply;
	int fd;

	service_start(&service, "workers=2");
	fd = client_connect(service.address);
	cr_assert_eq(client_ask(fd, "/do/pid/0", &reply), 0);
	cr_expect_not(reply.closes);
	cr_assert_eq(client_send(fd, "/do/sleep/1500"), 0);
	app_signal(&service.app, SIGTERM);
	wait_until(client_is_refused, service.address, "a closed door");
	cr_assert_eq(client_receive(fd, &reply), 0);
	cr_expect(reply.closes);
	cr_expect(client_sees_end(fd));
	close(fd);
	cr_expect_str_eq(app_expect(&service.app, "result "), "0");
	cr_expect_eq(app_end(&service.app), 0);
}

Test(supervise, second_signal_leaves_at_once)
{
	struct service service;
	struct reply reply;
	int fd;

	service_start(&service, "workers=2 grace=3600000");
	fd = client_connect(service.address);
	service_ask_by(fd, "pid/0");
	cr_assert_eq(client_send(fd, "/do/sleep/3600000"), 0);
	app_signal(&service.app, SIGINT);
	wait_until(client_is_refused, service.address, "a closed door");
	usleep(120000); /* sooner it counts as the same request */
	app_signal(&service.app, SIGINT);
	cr_expect_lt(client_receive(fd, &reply), 0);
	close(fd);
	cr_expect_str_eq(app_expect(&service.app, "result "), "-4"); /* -EINTR */
	app_expect(&service.app, "app: told to leave at once: ");
	cr_expect_eq(app_end(&service.app), 1);
}

/* ---- Workers that die ---- */

Test(supervise, worker_that_is_killed_is_replaced_and_keeps_its_index)
{
	struct service service;
	struct answer before, after;

	service_start(&service, "workers=2");
	before = service_ask_worker(&service, 1, "pid/0");
	cr_assert_eq(kill(before.pid, SIGKILL), 0);
	expect_text(app_expect(&service.app, "weft: warning: worker 1 (pid "),
		    "was killed by SIGKILL; next try in ");
	after = service_ask_worker(&service, 1, "pid/0");
	cr_expect_neq(after.pid, before.pid);
	cr_expect_eq(service_stop(&service), 0);
}

Test(supervise, deaths_are_told_in_words)
{
	static const struct {
		const char *what, *text;
	} cases[] = {
		{ "exit/3", "exited with status 3; next try in 0." },
		{ "abort/0", "was killed by SIGABRT; next try in 0." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct service service;
		char path[64];
		int fd;

		service_start(&service, "workers=1");
		snprintf(path, sizeof(path), "/do/%s", cases[i].what);
		fd = client_connect(service.address);
		cr_assert_eq(client_send(fd, path), 0);
		expect_text(app_expect(&service.app, "weft: warning: worker 0 (pid "),
			    cases[i].text);
		close(fd);
		service_ask(&service, "pid/0");
		cr_expect_eq(service_stop(&service), 0);
	}
}

Test(supervise, crash_loop_gives_up_with_a_sentence)
{
	static const struct {
		const char *name, *arguments, *text;
		int result;
	} cases[] = {
		{ "crashes in main()", "crashes=early",
		  "worker 0 was lost 3 times within 10 s before any worker was "
		  "ready; at last it was killed by SIGABRT without reaching its call of "
		  "weft_serve()",
		  -ECHILD },
		{ "fails in main()", "fails=early",
		  "at last it exited with status 7 without reaching its call of "
		  "weft_serve()",
		  -ECHILD },
		{ "never calls weft_serve()", "forgets=serve",
		  "at last it exited with status 0 without reaching its call of "
		  "weft_serve()",
		  -ECHILD },
		{ "crashes in on_start", "crashes=start",
		  "at last it was killed by SIGABRT before it was ready", -ECHILD },
		{ "fails in on_start", "fails=start",
		  "at last it exited with status 1 before it was ready", -ECHILD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char arguments[128], result[16];
		struct app app;

		snprintf(arguments, sizeof(arguments), "workers=1 budget=3 %s",
			 cases[i].arguments);
		app_start(&app, arguments, NULL);
		snprintf(result, sizeof(result), "%d", cases[i].result);
		cr_expect_str_eq(app_expect(&app, "result "), result, "%s",
				 cases[i].name);
		expect_text(app_expect(&app, "app: gave up: "), cases[i].text);
		cr_expect_eq(app_end(&app), 1);
	}
}

Test(supervise, failing_on_start_is_told_with_its_reason)
{
	struct app app;

	app_start(&app, "workers=1 budget=1 fails=start", NULL);
	expect_text(app_expect(&app, "app: "), "on_start failed");
	app_expect(&app, "result -10");
	expect_text(app.said, "no worker today");
	cr_expect_eq(app_end(&app), 1);
}

Test(supervise, one_worker_that_cannot_start_leaves_the_others_alone)
{
	struct service service;

	app_start(&service.app, "workers=2 budget=2 only=1 fails=early", NULL);
	snprintf(service.address, sizeof(service.address), "%s",
		 app_find(&service.app, "listening on "));
	service_ask(&service, "pid/0"); /* so worker 0 was ready */
	expect_text(app_find(&service.app, "weft: warning: worker 1 was lost "),
		    "2 times within 10 s: it is started again more and more slowly");
	service_ask(&service, "pid/0");
	cr_expect_eq(service_stop(&service), 0);
}

Test(supervise, program_that_forgets_weft_init_is_told_what_to_add)
{
	struct app app;

	app_start(&app, "workers=1 forgets=init", NULL);
	cr_expect_str_eq(app_expect(&app, "result "), "-22");
	app_expect(&app, "app: weft_serve() starts worker processes, which needs "
			 "weft_init(&argc, &argv) as the first statement of main()");
	cr_expect_eq(app_end(&app), 1);
}

/* ---- More and less ---- */

struct workers {
	const struct service *service;
	int wanted;
};

static bool are_so_many(void *arg)
{
	const struct workers *workers = arg;
	pid_t pids[16];

	return service_workers(workers->service, pids, 16) == workers->wanted;
}

Test(supervise, ttin_and_ttou_are_one_worker_more_and_one_less)
{
	struct service service;
	struct workers workers = { &service, 0 };

	service_start(&service, "workers=1");
	app_signal(&service.app, SIGTTIN);
	app_expect(&service.app, "weft: note: 2 workers are wanted now");
	service_ask_worker(&service, 1, "pid/0");
	app_signal(&service.app, SIGTTOU);
	app_expect(&service.app, "weft: note: 1 worker is wanted now");
	workers.wanted = 1;
	wait_until(are_so_many, &workers, "one worker");
	app_signal(&service.app, SIGTTOU);
	app_expect(&service.app, "weft: note: 1 worker is wanted, as before");
	for (int i = 0; i < 10; i++)
		cr_expect_eq(service_ask(&service, "pid/0").index, 0);
	cr_expect_eq(service_stop(&service), 0);
}

/* ---- Reload ---- */

/*
 * Puts a version of the program at `path`, in place of what lies there: another file, as a running
 * one cannot be written to, that differs from the program by a last byte.
 */
static void deploy(const char *path, char version)
{
	char whole[4200];
	int fd;

	snprintf(whole, sizeof(whole), "%s.new", path);
	copy_file(app_path(), whole);
	fd = open(whole, O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert_eq(write(fd, &version, 1), 1);
	cr_assert_eq(close(fd), 0);
	cr_assert_eq(rename(whole, path), 0);
}

static void deploy_script(const char *path, const char *text)
{
	char whole[4200];

	snprintf(whole, sizeof(whole), "%s.new", path);
	write_file(whole, text, 0755);
	cr_assert_eq(rename(whole, path), 0);
}

/* A service of two workers, from a program that can be replaced. */
static void start_from(struct service *service, const char *path)
{
	char arguments[4200];

	deploy(path, '1');
	snprintf(arguments, sizeof(arguments), "workers=2 program=%s", path);
	service_start(service, arguments);
	cr_assert_eq(service_ask(service, "version/0").result, '1');
}

Test(supervise, reload_runs_what_lies_at_the_path_by_then)
{
	const char *path = scratch_path("service");
	struct service service;
	pid_t before[2];

	start_from(&service, path);
	service_workers(&service, before, 2);
	for (char version = '2'; version <= '3'; version++) {
		struct workers workers = { &service, 2 };

		deploy(path, version);
		service_ask(&service, "pid/0");
		app_signal(&service.app, SIGHUP);
		app_expect(&service.app, "weft: note: generation ");
		wait_until(are_so_many, &workers, "two workers");
		for (int i = 0; i < 2; i++) {
			struct answer answer =
				service_ask_worker(&service, i, "version/0");

			cr_expect_eq(answer.result, version);
			cr_expect_neq(answer.pid, before[0]);
			cr_expect_neq(answer.pid, before[1]);
		}
	}
	remove(path);
	cr_expect_eq(service_stop(&service), 0);
}

Test(supervise, worker_that_dies_is_replaced_by_the_same_version)
{
	const char *path = scratch_path("service");
	struct service service;
	struct answer answer;

	start_from(&service, path);
	deploy(path, '2');
	answer = service_ask_worker(&service, 0, "pid/0");
	cr_assert_eq(kill(answer.pid, SIGKILL), 0);
	app_expect(&service.app, "weft: warning: worker 0 (pid ");
	cr_expect_eq(service_ask_worker(&service, 0, "version/0").result, '1');
	remove(path);
	cr_expect_eq(service_stop(&service), 0);
}

Test(supervise, reload_that_fails_is_told_and_the_old_ones_go_on)
{
	static const struct {
		const char *name, *script, *text;
	} cases[] = {
		{ "exits", "#!/bin/sh\nexit 3\n",
		  "exited with status 3 without reaching its call of weft_serve()" },
		{ "is killed", "#!/bin/sh\nkill -9 $$\n",
		  "was killed by SIGKILL without reaching its call of weft_serve()" },
		{ "is no program", "nonsense\n", "Exec format error" },
	};
	const char *path = scratch_path("service");
	struct service service;
	struct answer before, after;

	start_from(&service, path);
	before = service_ask_worker(&service, 0, "version/0");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		deploy_script(path, cases[i].script);
		app_signal(&service.app, SIGHUP);
		expect_text(app_expect(&service.app,
				       "weft: warning: reload failed, generation 1 goes "
				       "on: "),
			    cases[i].text);
		after = service_ask_worker(&service, 0, "version/0");
		cr_expect_eq(after.pid, before.pid, "%s", cases[i].name);
	}
	deploy(path, '2');
	app_signal(&service.app, SIGHUP);
	app_expect(&service.app, "weft: note: generation 2 ");
	remove(path);
	cr_expect_eq(service_stop(&service), 0);
}

Test(supervise, stop_waits_for_no_reload)
{
	const char *path = scratch_path("service");
	struct service service;
	struct workers workers = { &service, 4 };

	start_from(&service, path);
	deploy_script(path, "#!/bin/sh\nexec sleep 1000\n");
	app_signal(&service.app, SIGHUP);
	wait_until(are_so_many, &workers, "two that never get ready");
	service_ask(&service, "pid/0");
	remove(path);
	cr_expect_eq(service_stop(&service), 0);
}

/* ---- Dumps ---- */

Test(supervise, usr1_reaches_the_workers_own_handlers)
{
	struct service service;

	service_start(&service, "workers=2 handles-usr1=1");
	app_signal(&service.app, SIGUSR1);
	app_find(&service.app, "worker 0 got SIGUSR1");
	app_find(&service.app, "worker 1 got SIGUSR1");
	service_ask(&service, "pid/0");
	cr_expect_eq(service_stop(&service), 0);
}

Test(supervise, signals_that_are_sent_to_all_its_processes_mean_the_supervisor)
{
	struct service service;
	pid_t pids[2];

	service_start(&service, "workers=2");
	cr_assert_eq(service_workers(&service, pids, 2), 2);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(kill(pids[i], SIGINT), 0);
		cr_assert_eq(kill(pids[i], SIGHUP), 0);
	}
	for (int i = 0; i < 2; i++)
		cr_expect_eq(service_ask_worker(&service, i, "pid/0").pid == pids[0] ||
				     service_ask_worker(&service, i, "pid/0").pid ==
					     pids[1],
			     true);
	cr_expect_eq(service_stop(&service), 0);
}
