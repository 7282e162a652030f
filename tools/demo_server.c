/*
 * `weft demo-server`: the server that `weft demo` measures. Not for use by hand.
 *
 * It is an ordinary weft server: weft_serve() makes this process the supervisor of worker
 * processes, each of which runs this program again and arrives at the same call. What is
 * special is told on the command line: where the load process waits for the heartbeats,
 * and whose child the supervisor is, so that it ends when that does.
 *
 * The address goes to stdout as soon as the socket is open.
 */
#include "tools/commands.h"

#include "tools/demo_heartbeat.h"
#include "tools/demo_work.h"
#include "tools/tool.h"

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <weft/executor.h>
#include <weft/http.h>
#include <weft/report.h>
#include <weft/serve.h>

/* Set once by the command line, before any other thread; read by all loops. */
static struct server {
	int processes;
	int loops;
	int threads;
	int parent;
	const char *load; /* address for the heartbeats */
	struct demo_work_options work;
} server;

/* Connections have to last a whole run, however many requests that are. */
#define GRACE_NS (2 * WEFT_SEC)

static int answer(weft_http_request *request, void *arg)
{
	const struct demo_phase *phase = arg;
	weft_fn *work = demo_work_function(phase->work);
	int r = -ENOTSUP;

	switch (phase->mode) {
	case DEMO_BLOCKING:
		r = work(&server.work);
		break;
	case DEMO_EXECUTOR:
		r = weft_run_in_executor(NULL, work, &server.work);
		break;
	case DEMO_ASYNC:
		r = weft_sleep(DEMO_SLEEP_NS); /* the only work with such a form */
		break;
	case DEMO_N_MODES:
		break;
	}
	if (r < 0)
		return r;
	return weft_http_reply_text(request, 200, "done\n");
}

/* With the number of the process, so that the clients can spread over all. */
static int answer_at_once(weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply_text(request, 200, "%d\n", weft_worker_index());
}

static int make_app(weft_http_app **app)
{
	const struct weft_http_app_options options = {
		.max_requests = LONG_MAX,
	};
	int r;

	r = weft_http_app_new(&options, app);
	if (r < 0)
		return r;
	weft_http_app_route(*app, "GET", "/ready", answer_at_once, NULL);
	for (int i = 0; i < DEMO_N_PHASES; i++) {
		const struct demo_phase *phase = &demo_phases[i];
		char path[64];

		snprintf(path, sizeof(path), "/%s/%s", demo_work_name(phase->work),
			 demo_mode_name(phase->mode));
		weft_http_app_route(*app, "GET", path, answer, (void *)(uintptr_t)phase);
	}
	return 0;
}

/* In the supervisor only: a worker follows its parent, the supervisor, anyway. */
static int follow_parent(void *arg)
{
	(void)arg;
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return -errno;
	if (getppid() != server.parent)
		return weft_error_set(
			-ESRCH, "the load process has ended before the server began");
	return 0;
}

/* That the server drains at the end is no news to who looks at the demo. */
static void report_problems(const struct weft_report *report, void *arg)
{
	(void)arg;
	if (report->severity != WEFT_NOTE)
		weft_report_send(report); /* from within the hook: to stderr */
}

static void tell_address(const char *address, void *arg)
{
	(void)arg;
	printf("%s\n", address);
	fflush(stdout);
}

static int start_heartbeat(void *arg)
{
	static atomic_int n_loops;

	(void)arg;
	/* relaxed: the number is all that matters. */
	return demo_heartbeat_start(server.load, weft_worker_index(),
				    atomic_fetch_add_explicit(&n_loops, 1,
							      memory_order_relaxed));
}

static int run(const struct command *command, int argc, char **argv)
{
	struct weft_serve_options options = {
		.address = "127.0.0.1:0",
		.grace_ns = GRACE_NS,
		.heartbeat_ns = WEFT_FOREVER, /* loops are held as long as it takes */
		.on_supervisor_start = follow_parent,
		.on_listening = tell_address,
		.on_start = start_heartbeat,
	};
	weft_http_app *app;
	int r;

	switch (options_parse(command, argc, argv, &server)) {
	case OPTIONS_GO:
		break;
	case OPTIONS_HELP:
		return TOOL_OK;
	case OPTIONS_WRONG:
		return TOOL_USAGE;
	}
	if (!server.processes || !server.loops || !server.threads || !server.parent ||
	    !server.load || !server.work.directory || !server.work.fsyncs) {
		tool_complain(command->name, "this is a part of weft demo: use that");
		return TOOL_USAGE;
	}

	weft_set_report_hook(report_problems, NULL);
	r = make_app(&app);
	if (r < 0)
		return weft_exit_status(r);
	options.workers = server.processes;
	options.loops = server.loops;
	options.threads = server.threads;
	r = weft_serve(&options, weft_http_serve_connection, app);
	weft_http_app_free(app);
	return weft_exit_status(r);
}

static const struct option_row options[] = {
	{ "processes", "N", OPTION_NUMBER, offsetof(struct server, processes), 1, 1024,
	  "" },
	{ "loops", "N", OPTION_NUMBER, offsetof(struct server, loops), 1, 1024, "" },
	{ "threads", "N", OPTION_NUMBER, offsetof(struct server, threads), 1, 65536, "" },
	{ "parent", "PID", OPTION_NUMBER, offsetof(struct server, parent), 1, INT_MAX,
	  "" },
	{ "load", "ADDRESS", OPTION_TEXT, offsetof(struct server, load), 0, 0, "" },
	{ "directory", "DIR", OPTION_TEXT, offsetof(struct server, work.directory), 0, 0,
	  "" },
	{ "fsyncs", "N", OPTION_NUMBER, offsetof(struct server, work.fsyncs), 1, 65536,
	  "" },
};

const struct command demo_server_command = {
	.name = "demo-server",
	.about = "The server that weft demo measures. It is started by weft demo.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.run = run,
};
