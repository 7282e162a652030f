/*
 * The load: clients on keep-alive connections that ask the demo's server.
 *
 * A client is a task with a connection of its own, which it keeps through all phases. In
 * a phase it asks, waits for the answer and asks again until the phase is over; so as
 * many requests are under way as there are clients, and a server that answers later is
 * asked less. All clients are tasks of one loop: what they count together needs no lock.
 */
#include "tools/demo_load.h"

#include "tools/histogram.h"
#include "tools/tool.h"

#include <weft/group.h>
#include <weft/http.h>

/* So that all loops listen before the first request comes. */
#define LEAD_NS	    (20 * WEFT_MSEC)
#define PROGRESS_NS (100 * WEFT_MSEC)
/* A client waits this long after a failure, lest a dead server be asked a million times. */
#define AFTER_FAILURE_NS (50 * WEFT_MSEC)
#define REQUEST_LIMIT_NS (60 * WEFT_SEC)
/* More than the answers of the demo's server ever have. */
#define BODY_MAX 4096

/* Finding one of 8 processes takes 8 tries on average, and 99 % of the time less than 40. */
enum { TRIES_MAX = 64 };

struct load {
	struct demo_run *run;
	struct demo_control *control;
	struct demo_progress *progress;
	const char *address;
	weft_http_client **clients;
	int *n_connected; /* to each process */
	/* The phase that runs. */
	int phase;
	char url[128];
	weft_time start;
	weft_time deadline;
	weft_time last_answer;
	struct histogram spans;
};

/*
 * One request; the answer's text goes to `text`, cut to `size`.
 *
 * Return: 0 if it was answered by 200, whole; or a negative errno.
 */
static int ask_for(weft_http_client *client, const char *url, char *text, size_t size)
{
	weft_http_response *response;
	struct weft_bytes body;
	int r;

	r = weft_http_fetch(client, "GET", url, NULL, &response);
	if (r < 0)
		return r;
	r = weft_http_response_body(response, BODY_MAX, &body);
	if (r == 0 && weft_http_response_status(response) != 200)
		r = weft_error_set(-EBADMSG, "the server answered %d",
				   weft_http_response_status(response));
	if (r == 0)
		snprintf(text, size, "%.*s", (int)body.size, (const char *)body.data);
	weft_http_response_free(response);
	return r;
}

static int ask(weft_http_client *client, const char *url)
{
	char text[8];

	return ask_for(client, url, text, sizeof(text));
}

struct client {
	struct load *load;
	weft_http_client *http;
};

static int run_client(void *arg)
{
	const struct client *client = arg;
	struct load *load = client->load;
	struct demo_result *result = &load->run->results[load->phase];
	int r = weft_sleep_until(load->start);

	while (r == 0 && weft_now() < load->deadline) {
		weft_time begin = weft_now();

		r = ask(client->http, load->url);
		if (r == -ECANCELED)
			break;
		load->last_answer = weft_now();
		result->requests++;
		if (r == 0) {
			histogram_add(&load->spans, load->last_answer - begin);
		} else {
			result->failed++;
			r = weft_sleep(AFTER_FAILURE_NS);
		}
	}
	return r;
}

static int show_progress(void *arg)
{
	struct load *load = arg;
	const struct demo_result *result = &load->run->results[load->phase];
	int r = weft_sleep_until(load->start);

	while (r == 0 && weft_now() < load->deadline) {
		weft_time passed = weft_now() - load->start;

		demo_progress_show(load->progress, load->phase,
				   (double)passed / (double)load->run->setup.phase_ns,
				   (double)result->requests * (double)WEFT_SEC /
					   (double)MAX(passed, PROGRESS_NS),
				   weft_now());
		r = weft_sleep(MIN(PROGRESS_NS, load->deadline - weft_now()));
	}
	return r;
}

static int run_clients(struct load *load)
{
	const struct weft_spawn_options options = { .copy_arg_bytes =
							    sizeof(struct client) };
	struct weft_group group;

	weft_group_begin(&group);
	weft_group_spawn(&group, show_progress, load);
	for (int i = 0; i < load->run->setup.connections; i++) {
		struct client client = { load, load->clients[i] };

		weft_group_spawn_with(&group, run_client, &client, &options);
	}
	return weft_group_end(&group, 0);
}

static int run_phase(struct load *load, int phase)
{
	struct demo_result *result = &load->run->results[phase];
	int r;

	load->phase = phase;
	snprintf(load->url, sizeof(load->url), "http://%s/%s/%s", load->address,
		 demo_work_name(demo_phases[phase].work),
		 demo_mode_name(demo_phases[phase].mode));
	memset(&load->spans, 0, sizeof(load->spans));
	load->start = weft_now() + LEAD_NS;
	load->deadline = load->start + load->run->setup.phase_ns;
	load->last_answer = load->start;

	r = demo_control_begin(load->control, phase, load->start);
	if (r < 0)
		return r;
	r = run_clients(load);
	if (r < 0)
		return r;
	r = demo_control_end(load->control);
	if (r < 0)
		return r;

	result->elapsed = load->last_answer - load->start;
	result->p50 = histogram_percentile(&load->spans, 0.5);
	result->p99 = histogram_percentile(&load->spans, 0.99);
	demo_progress_phase(load->progress, load->run, phase);
	return 0;
}

/*
 * A connection to any process of the server that has less than its share: the system spreads
 * connections by chance, and a few dozen of them badly. When it does not come to that one in many
 * tries, any process will do.
 */
static int connect_client(struct load *load, weft_http_client **client)
{
	const struct weft_http_client_options options = {
		.max_connections = 1,
		.keep_alive_ns = WEFT_FOREVER,
		.limit_ns = REQUEST_LIMIT_NS,
	};
	const struct demo_setup *setup = &load->run->setup;
	int share = (setup->connections + setup->processes - 1) / setup->processes;

	for (int tries = 1;; tries++) {
		char text[16];
		int process, r;

		r = weft_http_client_new(&options, client);
		if (r == 0)
			r = ask_for(*client, load->url, text, sizeof(text));
		if (r < 0)
			return r;
		process = atoi(text);
		if (process < 0 || process >= setup->processes)
			return weft_error_set(-EBADMSG, "no process has the number %d",
					      process);
		if (load->n_connected[process] < share || tries == TRIES_MAX) {
			load->n_connected[process]++;
			return 0;
		}
		weft_http_client_free(*client);
		*client = NULL;
	}
}

/* One after the other, so that a process can spread its connections over its loops. */
static int connect_clients(struct load *load)
{
	int r = 0;

	snprintf(load->url, sizeof(load->url), "http://%s/ready", load->address);
	for (int i = 0; r == 0 && i < load->run->setup.connections; i++)
		r = connect_client(load, &load->clients[i]);
	return r < 0 ? weft_error_wrap(r, "connecting to the demo's server") : 0;
}

int demo_load_run(struct demo_run *run, const char *address, struct demo_control *control,
		  struct demo_progress *progress)
{
	struct load *load; /* its histogram is too much for a task's stack */
	int n = run->setup.connections;
	int r = -ENOMEM;

	load = calloc(1, sizeof(*load));
	if (!load)
		return -ENOMEM;
	load->run = run;
	load->control = control;
	load->progress = progress;
	load->address = address;
	load->clients = calloc((size_t)n, sizeof(weft_http_client *));
	load->n_connected = calloc((size_t)run->setup.processes, sizeof(int));
	if (!load->clients || !load->n_connected)
		goto free_load;

	r = connect_clients(load);
	for (int i = 0; r == 0 && i < DEMO_N_PHASES; i++)
		r = run_phase(load, i);
	for (int i = 0; i < n; i++)
		weft_http_client_free(load->clients[i]);
free_load:
	free(load->n_connected);
	free(load->clients);
	free(load);
	return r;
}
