/*
 * weft_serve() itself: without workers, and where it is used wrongly.
 */
#include <weft/serve.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/ipc/files.h"
#include "tests/serve/service.h"
#include "tests/test.h"

/* ---- In this process ---- */

Test(serve, without_workers_it_serves_in_this_process)
{
	static const int signals[] = { SIGTERM, SIGINT };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct service service;
		struct answer answer;

		service_start(&service, "workers=-1 loops=2");
		answer = service_ask(&service, "loops/0");
		cr_expect_eq(answer.pid, service.app.child.pid);
		cr_expect_eq(answer.index, -1);
		cr_expect_eq(answer.result, 2);
		app_signal(&service.app, signals[i]);
		cr_expect_str_eq(app_expect(&service.app, "result "), "0");
		cr_expect_str_eq(app_expect(&service.app, "fds "), "0");
		cr_expect_eq(app_end(&service.app), 0);
	}
}

Test(serve, without_workers_hooks_run_and_weft_init_is_not_needed)
{
	struct service service;

	service_start(&service, "workers=-1 loops=2 forgets=init tells-hooks=1");
	cr_expect_eq(app_count(&service.app, "hook supervisor-start"), 0);
	cr_expect_eq(app_count(&service.app, "hook start -1"), 2);
	app_signal(&service.app, SIGTERM);
	app_expect(&service.app, "result 0");
	cr_expect_eq(app_count(&service.app, "hook stop -1"), 2);
	cr_expect_eq(app_end(&service.app), 0);
}

Test(serve, without_workers_a_request_in_flight_is_answered)
{
	struct service service;
	struct reply reply;
	int fd;

	service_start(&service, "workers=-1");
	fd = client_connect(service.address);
	cr_assert_eq(client_send(fd, "/do/sleep/300"), 0);
	service_ask(&service, "pid/0");
	app_signal(&service.app, SIGTERM);
	cr_expect_eq(client_receive(fd, &reply), 0);
	cr_expect(reply.closes);
	close(fd);
	cr_expect_eq(app_end(&service.app), 0);
}

Test(serve, without_workers_the_second_signal_leaves_at_once)
{
	struct service service;
	struct reply reply;
	int fd;

	service_start(&service, "workers=-1");
	fd = client_connect(service.address);
	cr_assert_eq(client_send(fd, "/do/sleep/3600000"), 0);
	service_ask(&service, "pid/0");
	app_signal(&service.app, SIGINT);
	/* Two at once would be one. */
	wait_until(client_is_refused, service.address, "a closed door");
	app_signal(&service.app, SIGINT);
	cr_expect_lt(client_receive(fd, &reply), 0);
	close(fd);
	cr_expect_eq(app_end(&service.app), 128 + SIGINT);
}

Test(serve, without_workers_quit_prints_all_stacks_and_all_goes_on)
{
	struct service service;

	service_start(&service, "workers=-1");
	app_signal(&service.app, SIGQUIT);
	app_expect(&service.app, "loop \"home\", ");
	service_ask(&service, "pid/0");
	cr_expect_eq(service_stop(&service), 0);
}

Test(serve, without_workers_a_job_that_does_not_end_ends_the_process)
{
	const char *path = scratch_path("socket");
	struct service service;
	char arguments[4200];

	snprintf(arguments, sizeof(arguments), "workers=-1 grace=500 address=unix:%s",
		 path);
	service_start(&service, arguments);
	service_ask(&service, "leave-job/3600000");
	app_signal(&service.app, SIGTERM);
	app_expect(&service.app, "weft: warning: job \"block_ms\" still runs ");
	cr_expect_eq(app_end(&service.app), 1);
	cr_expect_lt(access(path, F_OK), 0, "the path is removed all the same");
}

Test(serve, failing_hook_is_the_result)
{
	static const struct {
		const char *arguments, *text;
	} cases[] = {
		{ "workers=-1 fails=start", "app: on_start failed" },
		{ "workers=1 fails=supervisor-start", "app: no supervisor today" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct app app;

		app_start(&app, cases[i].arguments, NULL);
		app_expect(&app, "result -71"); /* -EPROTO */
		app_expect(&app, "fds 0");
		app_expect(&app, cases[i].text);
		cr_expect_eq(app_end(&app), 1);
	}
}

Test(serve, stop_in_on_start_is_an_orderly_one)
{
	struct app app;

	app_start(&app, "workers=-1 waits=start tells-hooks=1", NULL);
	app_expect(&app, "hook start -1");
	app_signal(&app, SIGTERM);
	app_expect(&app, "result 0");
	cr_expect_eq(app_end(&app), 0);
}

/* ---- Wrong uses ---- */

static int handle(weft_stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
	return 0;
}

Test(serve, wrong_options_are_refused_with_a_sentence)
{
	static const struct {
		const char *text;
		struct weft_serve_options options;
	} cases[] = {
		{ "weft_serve(): set the reserved options to zero",
		  { .reserved = { 1 } } },
		{ "weft_serve(): .workers is -2: it takes 1 to 1024, 0 for one per CPU, or "
		  "-1 for none",
		  { .workers = -2 } },
		{ "weft_serve(): .workers is 1025: it takes 1 to 1024, 0 for one per CPU, or "
		  "-1 for none",
		  { .workers = 1025 } },
		{ "weft_serve(): .loops is -1: it takes 1 to 1024", { .loops = -1 } },
		{ "weft_serve(): .loops is 1025: it takes 1 to 1024", { .loops = 1025 } },
		{ "weft_serve(): .threads is -1: it takes 1 to 1024", { .threads = -1 } },
		{ "weft_serve(): .threads is 1025: it takes 1 to 1024",
		  { .threads = 1025 } },
		{ "weft_serve(): .grace_ns and .restarts_per_10s take no negative numbers",
		  { .grace_ns = -1 } },
		{ "weft_serve(): .grace_ns and .restarts_per_10s take no negative numbers",
		  { .restarts_per_10s = -1 } },
		{ "weft_serve(): the options are not valid: set all fields that you do not "
		  "use to zero",
		  { .listen.backlog = -1 } },
		{ "weft_serve() starts worker processes, which needs weft_init(&argc, &argv) "
		  "as the first statement of main(); or set .workers to -1 to serve in this "
		  "process",
		  { .workers = 1 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(weft_serve(&cases[i].options, handle, NULL), -EINVAL);
		cr_expect_str_eq(weft_error_text(-EINVAL), cases[i].text);
	}
}

static int serve_nothing(void *unused)
{
	(void)unused;
	return weft_serve(NULL, NULL, NULL);
}

Test(serve, no_handler_is_a_mistake)
{
	expect_assertion(serve_nothing, NULL,
			 "weft_serve() needs a handler for connections");
}

Test(serve, in_a_task_it_says_where_it_belongs)
{
	struct app app;

	app_start(&app, "workers=1 in-task=1", NULL);
	app_expect(&app, "result -16"); /* -EBUSY */
	app_expect(&app,
		   "app: weft_serve() was called where a loop runs: call it in main(), "
		   "instead of weft_run()");
	cr_expect_eq(app_end(&app), 1);
}

Test(serve, a_second_time_it_says_that_workers_would_not_get_there)
{
	struct service service;

	service_start(&service, "workers=1 serves-twice=1");
	app_signal(&service.app, SIGTERM);
	app_expect(&service.app, "app: weft_serve() was called a second time");
	cr_expect_eq(app_end(&service.app), 1);
}

Test(serve, worker_index_is_none_in_a_process_that_is_no_worker)
{
	cr_expect_eq(weft_worker_index(), -1);
}
