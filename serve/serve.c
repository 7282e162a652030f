/*
 * Serving: what this process is. <weft/serve.h> has the model.
 *
 * weft_init() finds the worker's mark and keeps what it says; weft_serve() goes by that. On the
 * thread of main().
 */
#include "serve/serve.h"

#include <unistd.h>

#include "executor/init.h"
#include "executor/pool.h"
#include "ipc/strings.h"
#include "loop/thread.h"
#include "net/server.h"

enum { DEFAULT_RESTARTS = 5 };

/* What weft_init() found: set once, before there is a second thread. */
static int worker_mark; /* 1: this is a worker; 0: it is not; or why it cannot be one */
static struct weft__worker worker = { .index = -1 };
static char *const *own_argv;
/* Did weft_serve() start workers already, or serve as one? */
static bool has_served;

static void look_for_mark(int *argc, char ***argv)
{
	char **copy;

	(void)argc;
	worker_mark = weft__worker_begin(&worker);
	if (worker_mark)
		return;
	/* Workers get them as they were: some parsers of arguments take out what they know. */
	copy = weft__strings_copy(*argv, NULL, 0, NULL);
	own_argv = copy ? copy : *argv;
}

__attribute__((constructor)) static void take_part_in_init(void)
{
	weft__init_add(look_for_mark);
}

int weft_worker_index(void)
{
	return worker_mark == 1 ? worker.index : -1;
}

/* Return: 0, or -EINVAL with the field that is wrong. */
static int check(const struct weft_serve_options *options)
{
	static const char *const why = "weft_serve(): ";

	if (weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)))
		return weft_error_set(-EINVAL, "%sset the reserved options to zero", why);
	if (options->workers < -1 || options->workers > 1024)
		return weft_error_set(
			-EINVAL,
			"%s.workers is %d: it takes 1 to 1024, 0 for one per "
			"CPU, or -1 for none",
			why, options->workers);
	if (options->loops < 0 || options->loops > WEFT__WORKER_LOOPS)
		return weft_error_set(-EINVAL, "%s.loops is %d: it takes 1 to %d", why,
				      options->loops, WEFT__WORKER_LOOPS);
	if (options->threads < 0 || options->threads > MAX_THREADS)
		return weft_error_set(-EINVAL, "%s.threads is %d: it takes 1 to %d", why,
				      options->threads, MAX_THREADS);
	if (options->grace_ns < 0 || options->restarts_per_10s < 0)
		return weft_error_set(
			-EINVAL,
			"%s.grace_ns and .restarts_per_10s take no negative numbers",
			why);
	return weft__server_check_options(&options->listen, "weft_serve");
}

static void fill_defaults(struct weft_serve_options *options)
{
	if (!options->address)
		options->address = WEFT__SERVE_DEFAULT_ADDRESS;
	if (!options->workers)
		options->workers = weft_cpus();
	if (!options->loops)
		options->loops = WEFT__SERVE_DEFAULT_LOOPS;
	if (!options->grace_ns)
		options->grace_ns = WEFT__SERVE_DEFAULT_GRACE;
	if (!options->restarts_per_10s)
		options->restarts_per_10s = DEFAULT_RESTARTS;
}

/* A job that still runs may use what the end of main() takes away: so that is not reached. */
static void leave_if(bool left_jobs_behind)
{
	if (left_jobs_behind)
		_exit(EXIT_FAILURE); /* they have been named in reports */
}

static int serve_alone(const struct service *service)
{
	struct sockets sockets;
	bool left_jobs_behind = false;
	int r = weft__sockets_open(&sockets, service);

	if (r < 0)
		return r;
	r = weft__serve_here(service, &sockets, NULL, &left_jobs_behind);
	weft__sockets_close(&sockets);
	leave_if(left_jobs_behind);
	return r;
}

static int serve_as_worker(const struct service *service)
{
	int fds[WEFT__SERVE_FDS_MAX];
	struct sockets sockets = { .fds = fds, .n_fds = (size_t)worker.n_fds };
	bool left_jobs_behind = false;
	int r;

	if (worker.n_fds > WEFT__SERVE_FDS_MAX)
		return weft_error_set(-EPROTO,
				      "the supervisor hands down %d sockets: "
				      "stop it and start it anew",
				      worker.n_fds);
	(void)weft__worker_arrived(&worker); /* if it has gone we see its end */
	for (int i = 0; i < worker.n_fds; i++)
		fds[i] = worker.first_fd + i;
	r = weft__serve_here(service, &sockets, &worker, &left_jobs_behind);
	leave_if(left_jobs_behind);
	/*
	 * The control socket stays open until this process ends: its end-of-file says that there
	 * is nothing left to wait for, and main() may still have something to do.
	 */
	return r;
}

static int serve_once(const struct service *service)
{
	if (has_served)
		return weft_error_set(
			-EALREADY,
			"weft_serve() was called a second time: a worker runs main() from "
			"the top and serves in the first call; give all addresses to that");
	has_served = true;
	return worker_mark == 1 ? serve_as_worker(service)
				: weft__supervise(service, own_argv);
}

__attribute__((noinline)) int weft_serve(const struct weft_serve_options *options,
					 weft_connection_fn *handler, void *arg)
{
	struct service service = {
		.handler = handler,
		.arg = arg,
		.place = __builtin_return_address(0),
	};
	int r;

	weft_assert(handler, "weft_serve() needs a handler for connections");
	if (weft__thread.loop)
		return weft_error_set(
			-EBUSY, "weft_serve() was called where a loop runs: call it in "
				"main(), instead of weft_run()");
	if (options) {
		r = check(options);
		if (r < 0)
			return r;
		service.options = *options;
	}
	fill_defaults(&service.options);
	if (worker_mark < 0)
		return weft_error_wrap(worker_mark, "this worker process cannot serve");
	if (worker_mark == 0 && service.options.workers == -1)
		return serve_alone(&service);
	if (!weft__init_was_called())
		return weft_error_set(
			-EINVAL,
			"weft_serve() starts worker processes, which needs "
			"weft_init(&argc, &argv) as the first statement of main(); or "
			"set .workers to -1 to serve in this process");
	return serve_once(&service);
}
