/*
 * Worker processes: what they do, and how they end, whatever their handlers are doing.
 */
#include "tests/serve/service.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/test.h"

/* ---- What it is made of ---- */

Test(worker, serves_with_as_many_loops_and_threads_as_asked_for)
{
	struct service service;
	struct reply reply;

	service_start(&service, "workers=1 loops=3 threads=2");
	cr_expect_eq(service_ask(&service, "loops/0").result, 3);
	cr_expect_eq(service_ask(&service, "crowd/6").result, 2);
	cr_assert_eq(client_ask_once(service.address, "/threads", &reply), 0);
	cr_expect_not_null(strstr(reply.body, "weft-control\n"), "%s", reply.body);
	cr_expect_not_null(strstr(reply.body, "loop-0\nloop-1\nloop-2\n"), "%s",
			   reply.body);
	cr_expect_eq(service_stop(&service), 0);
}

Test(worker, hooks_run_once_in_the_supervisor_and_on_each_loop)
{
	struct service service;

	service_start(&service, "workers=2 loops=2 tells-hooks=1");
	cr_expect_eq(app_count(&service.app, "hook supervisor-start -1"), 1);
	cr_expect_eq(app_count(&service.app, "hook supervisor-start"), 1);
	app_signal(&service.app, SIGTERM);
	app_expect(&service.app, "fds ");
	for (int i = 0; i < 2; i++) {
		char line[32];

		snprintf(line, sizeof(line), "hook start %d", i);
		cr_expect_eq(app_count(&service.app, line), 2, "%s", service.app.said);
		snprintf(line, sizeof(line), "hook stop %d", i);
		cr_expect_eq(app_count(&service.app, line), 2, "%s", service.app.said);
	}
	cr_expect_eq(app_end(&service.app), 0);
}

Test(worker, begins_with_the_arguments_and_the_limit_of_descriptors_of_the_program)
{
	const struct weft__spawn_options few = { .soft_files = 200 };
	struct app app;
	const char *files;

	app_start(&app, "workers=1 tells-hooks=1 strips-arguments=1", &few);
	/* Without its arguments it would say nothing. */
	files = app_expect(&app, "hook main 0, ");
	if (!test_build_is("valgrind")) /* which only pretends to set that limit */
		cr_expect_str_eq(files, "200 files");
	app_expect(&app, "ready");
	app_signal(&app, SIGTERM);
	cr_expect_eq(app_end(&app), 0);
}

/* ---- The end ---- */

Test(worker, job_in_the_executor_is_waited_for)
{
	struct service service;

	service_start(&service, "workers=1");
	service_ask(&service, "leave-job/500");
	app_signal(&service.app, SIGTERM);
	cr_expect_str_eq(app_expect(&service.app, "result "), "0");
	cr_expect_eq(app_end(&service.app), 0);
}

Test(worker, job_that_does_not_end_is_named_and_left_behind)
{
	struct service service;
	const char *line;

	/* A tenth of the grace is left for the way out, also on a busy machine. */
	service_start(&service, "workers=1 grace=3000");
	service_ask(&service, "leave-job/3600000");
	app_signal(&service.app, SIGTERM);
	line = app_expect(&service.app, "weft: warning: job ");
	cr_expect_str_eq(line, "\"block_ms\" still runs at the end of pool \"exec\", and "
			       "is left behind");
	app_expect(&service.app, "result -10"); /* -ECHILD */
	line = app_expect(&service.app, "app: worker 0 (pid ");
	cr_expect_not_null(strstr(line, "exited with status 1 while it drained"), "%s",
			   line);
	cr_expect_eq(app_count(&service.app, "worker 0 left"), 0,
		     "main() does not go on");
	cr_expect_eq(app_end(&service.app), 1);
}

/* Connects, and waits for the greeting. */
static int connect_raw(const struct service *service)
{
	int fd = client_connect(service->address);
	char line[64];

	cr_assert_ge(fd, 0);
	cr_assert_gt(recv(fd, line, sizeof(line), 0), 0);
	return fd;
}

Test(worker, handler_that_does_not_end_is_cancelled_at_the_end_of_the_grace)
{
	struct service service;
	char byte;
	int fd;

	service_start(&service, "workers=1 raw=1 grace=1000");
	fd = connect_raw(&service);
	app_signal(&service.app, SIGTERM);
	cr_expect_eq(recv(fd, &byte, 1, 0), -1);
	cr_expect_eq(errno, ECONNRESET);
	close(fd);
	app_find(&service.app, "worker 0 left -110"); /* -ETIMEDOUT */
	app_find(&service.app,
		 "app: not all handlers ended within the grace of weft_serve(), so "
		 "they were cancelled");
	cr_expect_eq(app_end(&service.app), 1);
}

Test(worker, handler_that_does_not_obey_is_cut_off)
{
	struct service service;
	struct reply reply;
	const char *line;
	int fd;

	/* A handler of HTTP runs to its end, whoever cancels it. */
	service_start(&service, "workers=1 grace=500");
	fd = client_connect(service.address);
	cr_assert_eq(client_send(fd, "/do/sleep/3600000"), 0);
	service_ask(&service, "pid/0");
	app_signal(&service.app, SIGTERM);
	cr_expect_lt(client_receive(fd, &reply), 0);
	close(fd);
	line = app_expect(&service.app, "weft: warning: worker 0 (pid ");
	cr_expect_not_null(strstr(line, "did not leave in time and was cut off"), "%s",
			   line);
	app_expect(&service.app, "result -110");
	line = app_expect(&service.app, "app: worker 0 (pid ");
	cr_expect_not_null(strstr(line, "did not leave within 0.5 s and was cut off"),
			   "%s", line);
	cr_expect_eq(app_end(&service.app), 1);
}

Test(worker, main_may_go_on_after_it_within_the_grace)
{
	struct service service;

	service_start(&service, "workers=1 waits=end");
	app_signal(&service.app, SIGTERM);
	app_expect(&service.app, "worker 0 left 0");
	app_expect(&service.app, "worker 0 has waited");
	app_expect(&service.app, "result 0");
	cr_expect_eq(app_end(&service.app), 0);
}

Test(worker, sigterm_to_a_worker_alone_drains_it_and_it_is_replaced)
{
	struct service service;
	struct answer before;
	struct reply reply;
	const char *line;
	int fd;

	service_start(&service, "workers=1");
	before = service_ask(&service, "pid/0");
	fd = client_connect(service.address);
	cr_assert_eq(client_send(fd, "/do/sleep/300"), 0);
	service_ask(&service, "pid/0");
	cr_assert_eq(kill(before.pid, SIGTERM), 0);
	cr_assert_eq(client_receive(fd, &reply), 0);
	cr_expect(reply.closes);
	close(fd);
	app_expect(&service.app, "worker 0 left 0");
	line = app_expect(&service.app, "weft: warning: worker 0 (pid ");
	cr_expect_not_null(strstr(line, "exited with status 0; next try in "), "%s",
			   line);
	cr_expect_neq(service_ask(&service, "pid/0").pid, before.pid);
	cr_expect_eq(service_stop(&service), 0);
}

/* ---- While every loop is blocked ---- */

/* Blocks all loops of two workers for good. */
static void block_all(const struct service *service)
{
	int fds[2];

	/* Both are there before: who connects to one that is about to block waits for long. */
	for (int i = 0; i < 2; i++)
		fds[i] = service_connect_to(service, i);
	for (int i = 0; i < 2; i++) {
		service_ask_by(fds[i], "block-all/3600000");
		close(fds[i]);
	}
}

/* Asks for dumps until those of both workers show that each of their loops is blocked. */
static void wait_until_all_are_blocked(struct service *service, int n_loops)
{
	int n = 0;

	for (int tries = 1; n < n_loops; tries++) {
		size_t from = service->app.n_said;

		cr_assert_lt(tries, 200, "%s", service->app.said);
		app_signal(&service->app, SIGQUIT);
		app_wait(&service->app, "3 loops, ", 2 * tries); /* their last lines */
		n = 0;
		for (const char *at = service->app.said + from;
		     (at = strstr(at, "asleep in a system call, without a step")); at++)
			n++;
	}
}

Test(worker, quit_prints_all_stacks_while_every_loop_of_every_worker_is_blocked)
{
	struct service service;

	service_start(&service, "workers=2 loops=2 grace=500");
	block_all(&service);
	wait_until_all_are_blocked(&service, 4);
	cr_expect_not_null(strstr(service.app.said, "block_later (app.c:"), "%s",
			   service.app.said);
	cr_expect_eq(app_count(&service.app, "weft: warning: worker"), 0);
	app_signal(&service.app, SIGTERM);
	app_expect(&service.app, "result -110");
	cr_expect_eq(app_end(&service.app), 1);
}

Test(worker, quit_does_not_disturb)
{
	struct service service;
	struct reply reply;
	int fd;

	service_start(&service, "workers=2");
	fd = client_connect(service.address);
	cr_assert_eq(client_send(fd, "/do/executor/500"), 0);
	service_ask(&service, "pid/0");
	for (int i = 0; i < 3; i++) {
		app_signal(&service.app, SIGQUIT);
		app_expect(&service.app, "tasks of process ");
	}
	cr_expect_eq(client_receive(fd, &reply), 0);
	cr_expect_eq(service_read(&reply).result, 0);
	close(fd);
	cr_expect_eq(service_stop(&service), 0);
}

Test(worker, second_signal_ends_it_while_every_loop_is_blocked)
{
	struct service service;

	service_start(&service, "workers=2 loops=2");
	block_all(&service);
	wait_until_all_are_blocked(&service, 4);
	app_signal(&service.app, SIGINT);
	usleep(150000); /* sooner it counts as the same request */
	app_signal(&service.app, SIGINT);
	app_expect(&service.app, "result -4"); /* -EINTR */
	app_expect(&service.app, "app: told to leave at once: 2 workers were cut off");
	cr_expect_eq(app_end(&service.app), 1);
}

Test(worker, one_that_hangs_is_dumped_killed_and_replaced)
{
	struct service service;
	struct answer before, after;
	const char *line;

	service_start(&service, "workers=2 loops=2 heartbeat=1500");
	before = service_ask_worker(&service, 1, "block-others/3600000");
	line = app_expect(&service.app, "weft: warning: worker 1 (pid ");
	cr_expect_not_null(strstr(line, "hangs: its loop "), "%s", line);
	cr_expect_not_null(strstr(line, " has been silent for 1.5 s"), "%s", line);
	app_expect(&service.app, "tasks of process ");
	line = app_expect(&service.app, "weft: warning: worker 1 (pid ");
	cr_expect_not_null(strstr(line, "was killed by SIGKILL; next try in "), "%s",
			   line);
	cr_expect_not_null(strstr(service.app.said, "block_ms (app.c:"), "%s",
			   service.app.said);
	after = service_ask_worker(&service, 1, "pid/0");
	cr_expect_neq(after.pid, before.pid);
	cr_expect_eq(service_stop(&service), 0);
}

/* ---- Without its supervisor ---- */

struct orphans {
	const char *name, *arguments, *what;
	struct service service;
	pid_t workers[2];
	int n_workers;
	int fd;
};

static void orphan(struct orphans *orphans)
{
	struct service *service = &orphans->service;

	service_start(service, orphans->arguments);
	orphans->n_workers = service_workers(service, orphans->workers, 2);
	orphans->fd = client_connect(service->address);
	cr_assert_ge(orphans->fd, 0);
	if (orphans->what)
		cr_assert_eq(client_send(orphans->fd, orphans->what), 0);
}

Test(worker, ends_soon_when_its_supervisor_is_killed)
{
	static struct orphans all[] = {
		{ .name = "idle", .arguments = "workers=2 loops=2" },
		{ .name = "with a request that takes long",
		  .arguments = "workers=2 loops=2",
		  .what = "/do/sleep/3600000" },
		{ .name = "with a connection that stays",
		  .arguments = "workers=2 raw=1" },
		{ .name = "with all loops blocked",
		  .arguments = "workers=1 loops=2",
		  .what = "/do/block-all/3600000" },
		{ .name = "with a job that takes long",
		  .arguments = "workers=1",
		  .what = "/do/leave-job/3600000" },
		{ .name = "in on_stop", .arguments = "workers=1 waits=stop" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		orphan(&all[i]);
	usleep(50000);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		app_signal(&all[i].service.app, SIGKILL);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		for (int k = 0; k < all[i].n_workers; k++)
			wait_until_gone(all[i].workers[k]);
		app_expect(&all[i].service.app, "weft: warning: worker ");
		cr_expect_eq(app_end(&all[i].service.app), 128 + SIGKILL, "%s",
			     all[i].name);
		close(all[i].fd);
	}
}

Test(worker, gives_up_the_port_at_once_when_its_supervisor_is_killed)
{
	struct service old, new;
	struct pollfd answered;
	char arguments[256];
	int fd;

	service_start(&old, "workers=2");
	fd = client_connect(old.address);
	cr_assert_ge(fd, 0);
	cr_assert_eq(client_send(fd, "/do/sleep/4000"), 0);
	usleep(50000); /* if it is not accepted yet, the test is easier */
	app_signal(&old.app, SIGKILL);
	wait_until(client_is_refused, old.address, "a port that nobody listens on");
	answered = (struct pollfd){ .fd = fd, .events = POLLIN };
	cr_expect_eq(poll(&answered, 1, 0), 0, "and the old one is still at it");
	snprintf(arguments, sizeof(arguments), "workers=2 address=%s", old.address);
	service_start(&new, arguments);
	service_ask(&new, "pid/0");
	close(fd);
	cr_expect_eq(service_stop(&new), 0);
	app_end(&old.app);
}
