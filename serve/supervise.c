/*
 * The supervisor of a service: the sockets are its own, and it tells what happens.
 *
 * ipc/supervisor.h does the supervising; here is what is particular to weft_serve(). What an
 * operator should look at becomes a report; the routine of a start or a stop does not. One thread,
 * without a loop.
 */
#include <unistd.h>

#include "base/report.h"
#include "ipc/supervisor.h"
#include "serve/serve.h"

struct supervised {
	const struct service *service;
	struct sockets sockets;
	bool is_stopping;
	int n_wanted; /* workers there are to be */
	int n_served; /* the sockets of so many get new connections */
};

static void spread(struct supervised *supervised, int n)
{
	supervised->n_served = n;
	weft__sockets_spread(&supervised->sockets, n);
}

/* Whoever is to go gets nothing from now on; who has come gets something when it is ready. */
static void follow_size(struct supervised *supervised, const struct weft__news *news)
{
	if (news->kind == WEFT__NEWS_RESIZED) {
		supervised->n_wanted = news->index;
		if (news->index < supervised->n_served)
			spread(supervised, news->index);
	} else if (news->kind == WEFT__NEWS_READY &&
		   news->index >= supervised->n_served &&
		   news->index < supervised->n_wanted) {
		spread(supervised, news->index + 1);
	}
}

static void on_news(void *arg, const struct weft__news *news)
{
	struct supervised *supervised = arg;
	const struct service *service = supervised->service;

	if (news->kind == WEFT__NEWS_BEGUN)
		weft__sockets_tell(&supervised->sockets, service);
	follow_size(supervised, news);
	/* Each worker turns away who comes; but it may be too busy for that, or dead. */
	if (news->kind == WEFT__NEWS_LEFT && supervised->is_stopping)
		weft__sockets_refuse(&supervised->sockets);
	supervised->is_stopping |= news->kind == WEFT__NEWS_STOPPING;
	if (news->kind == WEFT__NEWS_ALL_READY && service->options.on_ready)
		service->options.on_ready(service->arg);
	if (news->kind == WEFT__NEWS_STOPPING && isatty(STDERR_FILENO))
		weft__report(
			WEFT_NOTE, NULL, "%s; a second signal leaves at once",
			news->text); /* who presses Ctrl-C sees why it takes a while */
	if (news->is_trouble &&
	    news->kind != WEFT__NEWS_GAVE_UP) /* which is our result */
		weft__report(WEFT_WARNING, NULL, "%s", news->text);
	else if (news->kind == WEFT__NEWS_RELOADED || news->kind == WEFT__NEWS_RESIZED)
		weft__report(WEFT_NOTE, NULL, "%s", news->text);
}

static const struct weft__supervisor_callbacks callbacks = { .on_news = on_news };

/* `soft_files`: what workers get as their soft limit of descriptors. */
static int run(struct supervised *supervised, char *const *argv, rlim_t soft_files)
{
	const struct service *service = supervised->service;
	struct weft__supervisor_options options = {
		.program = service->options.program,
		.argv = service->options.argv ? service->options.argv : argv,
		.fds = supervised->sockets.fds,
		.n_fds = supervised->sockets.n_fds,
		.n_workers = service->options.workers,
		.ready_call = "its call of weft_serve()",
		.grace_ns = service->options.grace_ns,
		.heartbeat_ns = service->options.heartbeat_ns,
		.backoff.budget = service->options.restarts_per_10s,
		.soft_files = soft_files,
		.callbacks = &callbacks,
		.arg = supervised,
	};
	struct weft__supervisor *supervisor;
	int r = weft__supervisor_new(&options, &supervisor);

	if (r < 0)
		return r;
	r = weft__supervisor_run(supervisor);
	weft__supervisor_free(supervisor);
	return r;
}

int weft__supervise(const struct service *service, char *const *argv)
{
	struct supervised supervised = {
		.service = service,
		.n_wanted = service->options.workers,
		.n_served = service->options.workers,
	};
	struct rlimit files = { 0 };
	int r = 0;

	/* Opening the sockets raises it: workers begin with what we began with. */
	(void)getrlimit(RLIMIT_NOFILE, &files);
	if (service->options.on_supervisor_start)
		r = service->options.on_supervisor_start(service->arg);
	if (r < 0)
		return r;
	r = weft__sockets_open(&supervised.sockets, service);
	if (r < 0)
		return r;
	r = run(&supervised, argv, files.rlim_cur);
	weft__sockets_close(&supervised.sockets);
	return r;
}
