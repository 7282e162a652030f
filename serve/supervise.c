/*
 * The supervisor of a service: the sockets are its own, and it tells what happens.
 *
 * ipc/supervisor.h does the supervising; here is what is particular to weft_serve(). What an
 * operator should look at becomes a report; the routine of a start or a stop does not. One thread,
 * without a loop.
 */
#include "base/report.h"
#include "ipc/supervisor.h"
#include "serve/serve.h"

static void on_news(void *arg, const struct weft__news *news)
{
	const struct service *service = arg;

	if (news->kind == WEFT__NEWS_ALL_READY && service->options.on_ready)
		service->options.on_ready(service->arg);
	if (news->is_trouble)
		weft__report(WEFT_WARNING, NULL, "%s", news->text);
	else if (news->kind == WEFT__NEWS_RELOADED || news->kind == WEFT__NEWS_RESIZED)
		weft__report(WEFT_NOTE, NULL, "%s", news->text);
}

static const struct weft__supervisor_callbacks callbacks = { .on_news = on_news };

static int run(const struct service *service, const struct sockets *sockets,
	       char *const *argv)
{
	struct weft__supervisor_options options = {
		.program = service->options.program,
		.argv = service->options.argv ? service->options.argv : argv,
		.fds = sockets->fds,
		.n_fds = sockets->n_fds,
		.n_workers = service->options.workers,
		.ready_call = "its call of weft_serve()",
		.grace_ns = service->options.grace_ns,
		.heartbeat_ns = service->options.heartbeat_ns,
		.backoff.budget = service->options.restarts_per_10s,
		.callbacks = &callbacks,
		.arg = (void *)(uintptr_t)service, /* not changed through it */
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
	struct sockets sockets;
	int r = 0;

	if (service->options.on_supervisor_start)
		r = service->options.on_supervisor_start(service->arg);
	if (r < 0)
		return r;
	r = weft__sockets_open(&sockets, service);
	if (r < 0)
		return r;
	r = run(service, &sockets, argv);
	weft__sockets_close(&sockets);
	return r;
}
