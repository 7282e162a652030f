/*
 * The sockets of a service: where it listens, and who is let in.
 */
#include "tests/serve/service.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/ipc/files.h"
#include "tests/test.h"

/* ---- Addresses ---- */

Test(sockets, listens_on_all_of_several_addresses)
{
	const char *path = scratch_path("socket");
	struct service service;
	char arguments[4200];
	struct reply reply;
	char address[4200];

	snprintf(arguments, sizeof(arguments),
		 "workers=2 address=127.0.0.1:0,unix:%s,localhost:0", path);
	service_start(&service, arguments);
	cr_expect_eq(app_count(&service.app, "listening on "), 3);
	service_ask(&service, "pid/0");
	snprintf(address, sizeof(address), "unix:%s", path);
	cr_expect_eq(client_ask_once(address, "/do/pid/0", &reply), 0);
	app_signal(&service.app, SIGTERM);
	app_expect(&service.app, "result 0");
	app_expect(&service.app, "fds 0");
	cr_expect_lt(access(path, F_OK), 0, "the path is removed");
	cr_expect_eq(app_end(&service.app), 0);
}

Test(sockets, unix_path_stays_while_workers_are_replaced)
{
	const char *path = scratch_path("socket");
	struct service service;
	char arguments[4200];

	snprintf(arguments, sizeof(arguments), "workers=2 address=unix:%s", path);
	service_start(&service, arguments);
	app_signal(&service.app, SIGHUP);
	app_expect(&service.app, "weft: note: generation 2 ");
	for (int i = 0; i < 20; i++)
		service_ask(&service, "pid/0");
	cr_expect_eq(service_stop(&service), 0);
}

/* A listening socket of the test's own, and its address. */
static int listen_here(char *text, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)(void *)&address, length), 0);
	cr_assert_eq(listen(fd, 100), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)(void *)&address, &length), 0);
	snprintf(text, size, "127.0.0.1:%d", ntohs(address.sin_port));
	return fd;
}

Test(sockets, descriptor_that_was_handed_down_is_served)
{
	static const char *const cases[] = { "workers=2 address=fd:7",
					     "workers=-1 address=fd:7" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct service service;
		struct weft__spawn_fd down = { .to = 7 };
		const struct weft__spawn_options options = { .fds = &down, .n_fds = 1 };
		struct reply reply;
		int fd;

		down.from = listen_here(service.address, sizeof(service.address));
		app_start(&service.app, cases[i], &options);
		app_expect(&service.app, "ready");
		service_ask(&service, "pid/0");
		app_signal(&service.app, SIGTERM);
		app_expect(&service.app, "result 0");
		cr_expect_eq(app_end(&service.app), 0);
		/* It stays ours, and open: who comes now waits for the next service. */
		fd = client_connect(service.address);
		cr_expect_ge(fd, 0, "%s", cases[i]);
		close(fd);
		close(down.from);
		cr_expect_eq(client_ask_once(service.address, "/do/pid/0", &reply),
			     -ECONNREFUSED);
	}
}

Test(sockets, each_address_is_told_to_the_hook)
{
	struct app app;

	app_start(&app, "workers=1 own-listening=1 address=127.0.0.1:0,127.0.0.1:0",
		  NULL);
	app_expect(&app, "mine: 127.0.0.1:");
	app_expect(&app, "mine: 127.0.0.1:");
	app_expect(&app, "ready");
	cr_expect_eq(app_count(&app, "listening on"), 0);
	app_signal(&app, SIGTERM);
	cr_expect_eq(app_end(&app), 0);
}

Test(sockets, signals_count_as_soon_as_it_is_said_that_they_are_open)
{
	static const char *const cases[] = { "workers=-1", "workers=1", "workers=2" };
	static const int signals[] = { SIGTERM, SIGINT };

	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(signals); i++) {
		const char *workers = cases[i % ARRAY_SIZE(cases)];
		int signo = signals[i / ARRAY_SIZE(cases)];
		char arguments[128];
		struct app app;

		snprintf(arguments, sizeof(arguments),
			 "%s own-listening=1 signal-listening=%d", workers, signo);
		app_start(&app, arguments, NULL);
		app_expect(&app, "mine: ");
		app_expect(&app, "result 0");
		cr_expect_eq(app_end(&app), 0, "%s", arguments);
	}
}

Test(sockets, address_that_cannot_be_had_is_told_before_any_worker_starts)
{
	static const struct {
		const char *address, *text;
	} cases[] = {
		{ "127.0.0.1", "the address \"127.0.0.1\" has no port: write HOST:PORT" },
		{ "127.0.0.1:70000", "is not a number from 0 to 65535" },
		{ "unix:/nowhere/socket", "cannot listen on unix:/nowhere/socket: " },
		{ "fd:99", "cannot listen on descriptor 99: " },
		{ "127.0.0.1:0,fd:99", "cannot listen on descriptor 99: " },
		{ "192.0.2.1:80", "cannot listen on 192.0.2.1:80: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char arguments[128];
		const char *line;
		struct app app;

		snprintf(arguments, sizeof(arguments), "workers=2 address=%s",
			 cases[i].address);
		app_start(&app, arguments, NULL);
		app_expect(&app, "result -");
		app_expect(&app, "fds 0");
		line = app_expect(&app, "app: ");
		cr_expect_not_null(strstr(line, cases[i].text), "%s: %s",
				   cases[i].address, line);
		cr_expect_eq(app_count(&app, "listening on"), 0);
		cr_expect_eq(app_end(&app), 1);
	}
}

Test(sockets, second_service_on_a_port_is_told_that_it_is_in_use)
{
	struct service first;
	char arguments[256];
	const char *line;
	struct app second;

	service_start(&first, "workers=2");
	snprintf(arguments, sizeof(arguments), "workers=2 address=%s", first.address);
	app_start(&second, arguments, NULL);
	app_expect(&second, "result -98"); /* -EADDRINUSE */
	line = app_expect(&second, "app: cannot listen on ");
	cr_expect_not_null(strstr(line, ": the address is in use already"), "%s", line);
	cr_expect_eq(app_end(&second), 1);
	service_ask(&first, "pid/0");
	cr_expect_eq(service_stop(&first), 0);
}

Test(sockets, port_can_be_had_again_at_once)
{
	struct service service;
	char arguments[256];

	service_start(&service, "workers=2");
	snprintf(arguments, sizeof(arguments), "workers=2 address=%s", service.address);
	for (int i = 0; i < 3; i++) {
		service_ask(&service, "pid/0");
		cr_expect_eq(service_stop(&service), 0);
		service_start(&service, arguments);
	}
	cr_expect_eq(service_stop(&service), 0);
}

/* ---- Many at once ---- */

enum { BURST = 100 };

/* Connects by so many sockets at once, and waits until all are connected. */
static void connect_all(const struct service *service, int *fds)
{
	for (int i = 0; i < BURST; i++)
		fds[i] = client_connect_soon(service->address);
	for (int i = 0; i < BURST; i++) {
		struct pollfd out = { .fd = fds[i], .events = POLLOUT };

		cr_assert_ge(fds[i], 0);
		cr_assert_eq(poll(&out, 1, 30000), 1, "connection %d", i);
		cr_assert_eq(out.revents, POLLOUT);
	}
}

Test(sockets, burst_of_connects_is_spread_over_both_workers_and_answered)
{
	struct service service;
	int fds[BURST], n_of[2] = { 0 };

	service_start(&service, "workers=2 loops=2");
	connect_all(&service, fds);
	for (int i = 0; i < BURST; i++)
		cr_assert_eq(client_send(fds[i], "/do/sleep/20"), 0);
	for (int i = 0; i < BURST; i++) {
		struct reply reply;

		cr_assert_eq(client_receive(fds[i], &reply), 0);
		n_of[service_read(&reply).index]++;
		close(fds[i]);
	}
	cr_expect_gt(n_of[0], 0);
	cr_expect_gt(n_of[1], 0);
	cr_expect_eq(service_stop(&service), 0);
}

Test(sockets, burst_of_connects_finds_room_while_nobody_accepts)
{
	struct service service;
	int fds[BURST], fd;

	/* One socket, and the backlog that nobody asked for. */
	service_start(&service, "workers=1 grace=200");
	fd = client_connect(service.address);
	service_ask_by(fd, "block-all/3600000");
	usleep(50000); /* if it is not blocked yet, the test is easier for a moment */
	connect_all(&service, fds);
	for (int i = 0; i < BURST; i++)
		close(fds[i]);
	close(fd);
	cr_expect_eq(service_stop(&service), 1);
}

Test(sockets, who_came_before_the_end_is_answered)
{
	static const char *const cases[] = { "workers=2 loops=2", "workers=1",
					     "workers=-1 loops=2" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct service service;
		int fds[BURST], fd;

		service_start(&service, cases[i]);
		fd = client_connect(service.address);
		/* Some are accepted, some wait for that, when the signal comes. */
		service_ask_by(fd, "block-all/300");
		usleep(50000);
		connect_all(&service, fds);
		for (int k = 0; k < BURST; k++)
			cr_assert_eq(client_send(fds[k], "/do/pid/0"), 0);
		app_signal(&service.app, SIGTERM);
		for (int k = 0; k < BURST; k++) {
			struct reply reply;
			int r = client_receive(fds[k], &reply);

			cr_assert_eq(r, 0, "%s: %s", cases[i], strerror(-r));
			close(fds[k]);
		}
		close(fd);
		app_expect(&service.app, "result 0");
		cr_expect_eq(app_end(&service.app), 0);
	}
}

/* Have all threads of the process stopped? */
static bool has_stopped(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	struct dirent *entry;
	bool all = true;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		char stat_path[512], state = 0;
		FILE *file;

		snprintf(stat_path, sizeof(stat_path), "%s/%s/stat", path, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(stat_path, "re");
		if (!file)
			continue;
		all &= fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state == 'T';
		fclose(file);
	}
	closedir(dir);
	return all;
}

Test(sockets, connections_of_a_worker_that_does_not_accept_are_taken_in_by_others)
{
	struct service service;
	int fds[BURST], fd;
	pid_t pid;

	service_start(&service, "workers=2 grace=500");
	fd = service_connect_to(&service, 0);
	pid = service_ask_by(fd, "pid/0").pid;
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	wait_until(has_stopped, &pid, "a worker that has stopped");
	connect_all(&service, fds);
	for (int i = 0; i < BURST; i++)
		cr_assert_eq(client_send(fds[i], "/do/pid/0"), 0);
	for (int i = 0; i < BURST; i++) {
		struct reply reply;

		cr_assert_eq(client_receive(fds[i], &reply), 0);
		cr_expect_eq(service_read(&reply).index, 1);
		close(fds[i]);
	}
	close(fd);
	cr_expect_eq(service_stop(&service), 1);
}

/* How many wait to be accepted at each socket that listens on that port of 127.0.0.1. */
static size_t queues_of(const char *address, unsigned *lengths, size_t most)
{
	unsigned port = (unsigned)atoi(strrchr(address, ':') + 1);
	FILE *file = fopen("/proc/net/tcp", "re");
	char line[512];
	size_t n = 0;

	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned local_port, state, waiting;

		if (sscanf(line, "%*d: %*x:%x %*x:%*x %x %*x:%x", &local_port, &state,
			   &waiting) == 3 &&
		    local_port == port && state == 10 /* it listens */ && n < most)
			lengths[n++] = waiting;
	}
	fclose(file);
	return n;
}

struct ended_worker {
	struct service *service;
	int n_wanted;
};

static bool are_no_more_than(void *arg)
{
	const struct ended_worker *worker = arg;
	pid_t pids[8];

	return service_workers(worker->service, pids, 8) <= worker->n_wanted;
}

Test(sockets, nobody_is_put_in_the_queue_of_a_worker_that_is_not_wanted_any_more)
{
	struct service service;
	struct ended_worker two = { &service, 2 };
	unsigned lengths[4];
	int fds[BURST], fd;

	service_start(&service, "workers=3 grace=500");
	app_signal(&service.app, SIGTTOU);
	app_expect(&service.app, "weft: note: 2 workers are wanted now");
	wait_until(are_no_more_than, &two, "two workers");
	for (int i = 0; i < 2; i++) {
		fd = service_connect_to(&service, i);
		service_ask_by(fd, "block-all/3600000");
		close(fd);
		usleep(50000); /* if it is not blocked yet, the test is easier */
	}
	connect_all(&service, fds);
	cr_assert_eq(queues_of(service.address, lengths, ARRAY_SIZE(lengths)), 3);
	cr_expect(lengths[0] == 0 || lengths[1] == 0 || lengths[2] == 0, "%u %u %u",
		  lengths[0], lengths[1], lengths[2]);
	for (int i = 0; i < BURST; i++)
		close(fds[i]);
	cr_expect_eq(service_stop(&service), 1);
}

Test(sockets, worker_that_is_wanted_again_gets_connections_again)
{
	struct service service;
	struct ended_worker one = { &service, 1 };

	service_start(&service, "workers=2");
	app_signal(&service.app, SIGTTOU);
	app_expect(&service.app, "weft: note: 1 worker is wanted now");
	wait_until(are_no_more_than, &one, "one worker");
	cr_expect_eq(service_ask(&service, "pid/0").index, 0);
	app_signal(&service.app, SIGTTIN);
	app_expect(&service.app, "weft: note: 2 workers are wanted now");
	service_ask_worker(&service, 1, "pid/0");
	service_ask_worker(&service, 0, "pid/0");
	cr_expect_eq(service_stop(&service), 0);
}
