/*
 * A process that serves: its loops, its server, and the way out.
 *
 * The thread of main() runs a loop of its own for all that is not the user's: it starts and stops.
 * The user's handlers run on further threads, one loop each. So whatever they do, this process can
 * be told to drain; and since the control thread receives what the supervisor says, it can be told
 * to leave at once, or to dump its tasks, even if every loop is blocked.
 *
 *   beginning  loops, on_start on each, server, ready
 *   serving    each loop sends its heartbeat by a timer of its own
 *   draining   nothing is accepted any more, handlers finish or are cancelled, on_stop on each
 *
 * The end of the supervisor is the beginning of a drain that is short, because a new supervisor
 * may be waiting for the port.
 */
#include <signal.h>
#include <unistd.h>

#include <weft/timeout.h>

#include "base/error.h"
#include "base/report.h"
#include "executor/pool.h"
#include "loop/control.h"
#include "net/server.h"
#include "serve/serve.h"
#include "task/task.h"

/* A connection that another worker has not accepted for so long, on average half of it, is ours. */
#define LOOK_AROUND_NS (200 * WEFT_MSEC)
/* Without a supervisor a process finishes in this time. */
#define ORPHAN_GRACE (5 * WEFT_SEC)

struct beat {
	struct body *body;
	unsigned index;
};

/* One service in one process. */
struct body {
	const struct service *service;
	struct share share;
	struct weft__worker *worker; /* NULL: without a supervisor */
	weft_loop *home;
	weft_loops *loops;
	struct beat *beats;
	weft_server *server;
	weft_time grace_ns;
	/* On the home loop. */
	weft_task *main;
	/* Control thread to home loop. */
	struct handle drain_message;
	atomic_bool
		drain_sent; /* relaxed: only keeps the message from being sent twice */
};

/* ---- What the supervisor says, on the control thread ---- */

static void drain(void *arg)
{
	struct body *body = arg;

	(void)weft_task_cancel(body->main,
			       NULL); /* false: it is on its way out already */
}

static void ask_to_drain(struct body *body)
{
	if (!atomic_exchange_explicit(&body->drain_sent, true, memory_order_relaxed))
		(void)weft__loop_post(body->home,
				      &body->drain_message); /* open: we are watched */
}

static void obey(struct body *body, const struct weft__control_message *message)
{
	switch (message->kind) {
	case WEFT__CONTROL_DRAIN:
		if (message->value)
			body->grace_ns =
				(weft_time)MIN(message->value, (uint64_t)WEFT_FOREVER);
		ask_to_drain(body);
		break;
	case WEFT__CONTROL_STOP:
		_exit(EXIT_FAILURE); /* at once: whatever is blocked, and whatever is lost */
	case WEFT__CONTROL_DUMP:
		weft__control_dump(STDERR_FILENO);
		(void)weft__worker_dumped(body->worker); /* if it has gone nobody waits */
		break;
	default:
		break;
	}
}

/* Somebody else than the supervisor says so. */
static void on_sigterm(int signo, void *body)
{
	(void)signo;
	ask_to_drain(body);
}

static void on_control(int fd, void *arg)
{
	static struct weft__control_message message; /* the control thread's; large */
	struct body *body = arg;
	int r;

	while ((r = weft__worker_receive(body->worker, &message)) == 0)
		obey(body, &message);
	if (r == -EAGAIN)
		return;
	/* The supervisor has gone, or says what we do not understand. */
	weft__control_unwatch_here(fd);
	body->grace_ns = MIN(body->grace_ns, ORPHAN_GRACE);
	ask_to_drain(body);
}

/* ---- Heartbeats ---- */

/* A task on each loop; ends with it. */
static int beat(void *arg)
{
	const struct beat *self = arg;
	const struct weft__worker *worker = self->body->worker;
	int r;

	weft_task_set_name(weft_task_current(), "heartbeat");
	do {
		(void)weft__worker_beat(
			worker, self->index); /* one that is lost does not matter */
		r = weft_sleep(worker->beat_ns);
	} while (r == 0);
	return r;
}

static int start_beats(struct body *body)
{
	int n = weft_loops_count(body->loops), r = 0;

	if (!body->worker || body->worker->beat_ns <= 0)
		return 0;
	body->beats = weft__alloc_array((size_t)n, sizeof(*body->beats));
	if (!body->beats)
		return -ENOMEM;
	for (int i = 0; i < n && r == 0; i++) {
		body->beats[i] = (struct beat){ .body = body, .index = (unsigned)i };
		r = weft_spawn_on(weft_loops_get(body->loops, i), beat, &body->beats[i],
				  NULL);
	}
	return r;
}

/* ---- The user's hooks ---- */

/* Runs fn in a task on each loop and waits for all. Return: 0 or the first failure. */
static int run_on_each(struct body *body, weft_fn *fn)
{
	int n = weft_loops_count(body->loops), r = 0;

	for (int i = 0; fn && i < n && r >= 0; i++) {
		weft_future *future;

		r = weft_spawn_on(weft_loops_get(body->loops, i), fn, body->service->arg,
				  &future);
		if (r < 0)
			return r;
		r = weft_future_await(future);
		if (r == 0)
			r = weft_future_result(future);
		else
			(void)weft_future_cancel(future);
		weft_future_unref(future);
	}
	return MIN(r, 0);
}

/* ---- Serving ---- */

/* Until this task is cancelled. Now and then, looks after the sockets of the others. */
static int wait_to_be_told(struct body *body)
{
	int fd, r;

	do {
		r = weft_sleep(body->share.n_foreign ? LOOK_AROUND_NS : WEFT_FOREVER);
		fd = r == 0 && body->share.n_foreign
			     ? weft__share_find_waiting(&body->share)
			     : -1;
		if (fd >= 0)
			weft__server_accept_from(body->server, fd);
	} while (r == 0);
	return r == -ECANCELED ? 0 : r;
}

/* Lets the handlers finish within the grace; the end of the supervisor may have shortened it. */
static int end_server(struct body *body)
{
	struct weft_shield shield;
	int r, stopped;

	weft_shield_begin(&shield, WEFT_FOREVER); /* the close has a limit of its own */
	r = weft_server_close(body->server, body->grace_ns);
	stopped = run_on_each(body, body->service->options.on_stop);
	r = weft_shield_end(&shield, r);
	return r < 0 ? r : stopped;
}

static int serve(struct body *body)
{
	struct weft_listen_options options = body->service->options.listen;
	int r = run_on_each(body, body->service->options.on_start);

	if (r < 0)
		return weft_error_wrap(r, "on_start failed");
	options.loops = body->loops;
	options.reuse_port = false;
	r = weft__listen_on(body->share.own, body->share.n_own, 1, &options,
			    body->service->handler, body->service->arg,
			    body->service->place, &body->server);
	if (r < 0)
		return r;
	r = start_beats(body);
	if (r == 0 && body->worker)
		r = weft__worker_ready(body->worker,
				       (unsigned)weft_loops_count(body->loops));
	if (r == 0)
		r = wait_to_be_told(body);
	if (r < 0) {
		weft_server_abort(body->server);
		return r;
	}
	return end_server(body);
}

/* The main task, on the home loop. */
static int serve_in_task(void *arg)
{
	struct body *body = arg;
	int r, closed;

	body->main = weft_task_current();
	body->home = weft_loop_current();
	if (body->worker) {
		r = weft__control_watch(body->worker->control, on_control, body);
		if (r < 0)
			return r;
		(void)weft__control_set_signal(SIGTERM, on_sigterm,
					       body); /* else it just ends */
	}
	r = weft_loops_new(body->service->options.loops, NULL, &body->loops);
	if (r == 0) {
		const struct weft_error *error;

		r = serve(body);
		error = weft__error_take(r);
		closed = weft_loops_close(body->loops);
		weft__error_give(error);
		r = r < 0 ? r : closed;
	}
	if (body->worker) {
		(void)weft__control_set_signal(SIGTERM, NULL, NULL);
		weft__control_unwatch(body->worker->control);
	}
	free(body->beats);
	return r;
}

int weft__serve_here(const struct service *service, const int *fds, size_t n_fds,
		     struct weft__worker *worker)
{
	/* The terminal's Ctrl-C reaches workers as well: what it means is the supervisor's to say. */
	struct weft_run_options options = {
		.loop.name = "home",
		.keep_signals = worker != NULL,
		.grace_ns = service->options.grace_ns,
	};
	struct body body = {
		.service = service,
		.worker = worker,
		.grace_ns = service->options.grace_ns,
	};
	int r = weft__share_init(&body.share, fds, n_fds, worker ? worker->index : 0);

	if (r < 0)
		return r;

	handle_init(&body.drain_message, HANDLE_DIRECT, drain, &body);
	if (service->options.threads)
		weft__pool_limit_shared(service->options.threads);
	if (worker)
		(void)signal(SIGINT, SIG_IGN);
	r = weft_run_with(serve_in_task, &body, &options);
	weft__share_fini(&body.share);
	return r;
}
