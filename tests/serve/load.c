/*
 * Load on a service; see the header. All atomics in sequence: a test measures nothing here.
 */
#include "tests/serve/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/serve/client.h"
#include "tests/test.h"

enum { REQUESTS_PER_CONNECTION = 20 };

static bool was_killed(struct load *load, pid_t pid)
{
	for (int i = load->n_killed; i-- > 0;)
		if (load->killed[i] == pid)
			return true;
	return false;
}

/* `pid`: who answers on that connection, or 0; `n_before`: deaths when it began. */
static void account(struct load *load, int r, pid_t pid, int n_before)
{
	int none = 0;

	if (pid ? was_killed(load, pid) : load->n_killed > n_before) {
		load->n_excused++;
		return;
	}
	load->n_failures++;
	(void)atomic_compare_exchange_strong(&load->first_failure, &none, r);
}

static void use_connection(struct load *load, int fd, int n_before)
{
	struct reply reply = { 0 };
	pid_t pid = 0;

	for (int i = 0; i < REQUESTS_PER_CONNECTION && !reply.closes; i++) {
		int r = client_ask(fd, "/do/sleep/1", &reply);

		if (r == 0 &&
		    (reply.status != 200 || sscanf(reply.body, "%d ", &pid) != 1))
			r = -EBADMSG;
		if (r < 0) {
			account(load, r, pid, n_before);
			return;
		}
		load->n_answers++;
	}
}

static void *run_client(void *arg)
{
	struct load *load = arg;

	while (!load->stopping) {
		int n_before = load->n_killed;
		int fd = client_connect(load->address);

		load->n_connections++;
		if (fd < 0) {
			account(load, fd, 0, n_before);
			continue;
		}
		use_connection(load, fd, n_before);
		(void)close(fd);
	}
	return NULL;
}

void load_start(struct load *load, const char *address)
{
	memset(load, 0, sizeof(*load));
	load->address = address;
	for (int i = 0; i < LOAD_CLIENTS; i++)
		cr_assert_eq(pthread_create(&load->threads[i], NULL, run_client, load),
			     0);
}

void load_will_kill(struct load *load, pid_t pid)
{
	int i = load->n_killed;

	cr_assert_lt(i, (int)LOAD_MAX_KILLS);
	load->killed[i] = pid;
	load->n_killed = i + 1;
}

void load_stop(struct load *load)
{
	load->stopping = true;
	for (int i = 0; i < LOAD_CLIENTS; i++)
		pthread_join(load->threads[i], NULL);
}
