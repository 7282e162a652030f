/*
 * Services under load while their workers are killed, or replaced, again and again.
 *
 * WEFT_TEST_STORM=N makes the storms N times as long.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/serve/load.h"
#include "tests/serve/service.h"
#include "tests/test.h"

static int storm_factor(void)
{
	const char *text = getenv("WEFT_TEST_STORM");

	return text ? atoi(text) : 1;
}

static void pause_ms(long ms)
{
	const struct timespec span = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

static void expect_no_failures(const struct load *load)
{
	cr_expect_eq(load->n_failures, 0, "%ld of %ld requests failed, at first: %s",
		     load->n_failures, load->n_answers + load->n_failures,
		     strerror(-load->first_failure));
	cr_expect_gt(load->n_answers, 100);
}

/* ---- Kills ---- */

struct as_before {
	const struct service *service;
	int n_workers, n_fds;
};

static bool is_as_before(void *arg)
{
	const struct as_before *before = arg;
	pid_t pids[16];

	return service_workers(before->service, pids, 16) == before->n_workers &&
	       count_fds_of(before->service->app.child.pid) == before->n_fds;
}

/* Kills one of the workers there are, if there is one. */
static void kill_one(const struct service *service, struct load *load, int i)
{
	pid_t pids[16];
	int n = service_workers(service, pids, 16);

	if (n == 0)
		return;
	load_will_kill(load, pids[i % n]);
	(void)kill(pids[i % n], SIGKILL); /* not reaped yet, or dead already */
}

Test(storm, workers_that_are_killed_take_only_their_own_connections_with_them)
{
	static struct load load;
	struct as_before before = { .n_workers = 2 };
	struct service service;
	int n = 20 * storm_factor();

	service_start(&service, "workers=2 loops=2 budget=100000");
	before.service = &service;
	before.n_fds = count_fds_of(service.app.child.pid);
	load_start(&load, service.address);
	for (int i = 0; i < n; i++) {
		pause_ms(200 + i * 37 % 100);
		kill_one(&service, &load, i);
	}
	wait_until(is_as_before, &before, "children and descriptors as before");
	for (int i = 0; i < 2; i++)
		service_ask_worker(&service, i, "pid/0");
	load_stop(&load);
	expect_no_failures(&load);
	cr_expect_gt(load.n_killed, n / 2);
	cr_expect_gt(load.n_excused, 0, "nobody noticed");
	wait_until(is_as_before, &before, "children and descriptors as before");
	app_read_what_is_there(&service.app);
	cr_expect_eq(service_stop(&service), 0);
}

/* ---- Reloads ---- */

Test(storm, no_request_fails_while_generations_replace_each_other)
{
	static struct load load;
	struct as_before before = { .n_workers = 2 };
	struct service service;

	service_start(&service, "workers=2 loops=2");
	before.service = &service;
	before.n_fds = count_fds_of(service.app.child.pid);
	load_start(&load, service.address);
	for (int i = 0; i < 5 * storm_factor(); i++) {
		pause_ms(100);
		app_signal(&service.app, SIGHUP);
		app_expect(&service.app, "weft: note: generation ");
	}
	load_stop(&load);
	expect_no_failures(&load);
	wait_until(is_as_before, &before, "children and descriptors as before");
	cr_expect_eq(app_count(&service.app, "weft: warning:"), 0, "%s",
		     service.app.said);
	cr_expect_eq(service_stop(&service), 0);
}
