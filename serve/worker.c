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
 *   draining   nothing is accepted any more, handlers finish or are cancelled, on_stop on each,
 *              jobs of the shared pool end or are left behind
 *
 * The grace covers all of that: handlers are cancelled, and jobs left behind, so early that there
 * is time left to say so before the supervisor cuts the process off.
 *
 * The end of the supervisor is the beginning of a drain that is short, and that gives up the port at
 * once, because a new supervisor may be waiting for it. Nobody is there to cut the drain off, so the
 * kernel is asked to.
 */
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <weft/timeout.h>

#include "base/error.h"
#include "base/report.h"
#include "executor/pool.h"
#include "loop/control.h"
#include "loop/timer.h"
#include "net/server.h"
#include "serve/serve.h"
#include "task/task.h"

/* A connection that another worker has not accepted for so long, on average half of it, is ours. */
#define LOOK_AROUND_NS (200 * WEFT_MSEC)
/* Without its supervisor a worker finishes in this time. */
#define ORPHAN_GRACE (5 * WEFT_SEC)
/* When nobody follows: loops that have not turned away who comes by then are blocked. */
#define REFUSE_NS (1 * WEFT_SEC)
/* Of a grace, what is kept for the way out: a tenth, and no more than this. */
#define WAY_OUT_MAX (1 * WEFT_SEC)

struct beat {
	struct body *body;
	unsigned index;
};

/* One service in one process. */
struct body {
	const struct service *service;
	const struct sockets *sockets; /* borrowed */
	struct share share;
	struct weft__worker *worker; /* NULL: without a supervisor */
	/* On the home loop. */
	weft_loop *home;
	weft_loops *loops;
	struct beat *beats;
	weft_server *server;
	weft_task *main; /* NULL once it is at its end */
	weft_time deadline; /* of the drain; WEFT_FOREVER until it begins */
	struct weft_timeout *limit; /* of the handlers, while it counts */
	bool left_jobs_behind;
	/* Control thread to home loop, each once. */
	struct handle drain_message, orphan_message;
	bool drain_sent, orphan_sent, dump_wanted; /* the control thread's */
	bool is_last; /* as grace_ns: nobody comes after this process */
	bool is_child; /* of the supervisor: no daemon that its worker has become */
	struct handle refuse; /* a timer of the home loop */
	/* Set before drain_message is sent, read when it arrives: posting orders it. */
	weft_time grace_ns;
};

/* ---- The deadline, on the home loop ---- */

static weft_time way_out(const struct body *body)
{
	return MIN(body->service->options.grace_ns / 10, WAY_OUT_MAX);
}

/* When handlers are cancelled. */
static weft_time limit_of_handlers(const struct body *body)
{
	return body->deadline == WEFT_FOREVER ? WEFT_FOREVER
					      : body->deadline - way_out(body);
}

/* What is left for the jobs of the pool. */
static weft_time time_for_jobs(const struct body *body)
{
	return MAX(body->deadline - way_out(body) / 2 - weft_now(), 0);
}

/* Told to finish within so much time. The sooner of two such deadlines counts. */
static void finish_within(struct body *body, weft_time grace_ns)
{
	body->deadline = MIN(body->deadline, weft__time_add(weft_now(), grace_ns));
	if (body->limit) /* if it has expired, all is as it shall be */
		(void)weft_timeout_reschedule(body->limit, limit_of_handlers(body));
	if (body->main && !weft_task_cancelling(body->main))
		(void)weft_task_cancel(body->main, NULL);
}

static void on_drain(void *arg)
{
	struct body *body = arg;

	finish_within(body, body->grace_ns);
}

static void on_orphaned(void *arg)
{
	finish_within(arg, ORPHAN_GRACE);
}

/* ---- What the supervisor says, on the control thread ---- */

static void ask_to_drain(struct body *body, weft_time grace_ns)
{
	if (body->drain_sent)
		return;
	body->drain_sent = true;
	body->grace_ns = grace_ns;
	(void)weft__loop_post(body->home,
			      &body->drain_message); /* open: we are watched */
}

/* The kernel kills this process then, whatever it is doing. */
static void be_killed_in(weft_time span)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value = { .tv_sec = span / WEFT_SEC,
						 .tv_nsec = span % WEFT_SEC } };
	timer_t timer;

	/* If there is no timer to be had, only a handler that blocks for ever is left to itself. */
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
		(void)timer_settime(timer, 0, &when, NULL);
}

/*
 * The supervisor has gone, or says what we do not understand. If it has gone nobody else serves the
 * sockets, and who starts the program anew needs the port.
 */
static void be_orphaned(struct body *body, bool has_gone)
{
	if (body->orphan_sent)
		return;
	body->orphan_sent = true;
	if (has_gone && body->is_child && !body->drain_sent)
		body->is_last = true;
	be_killed_in(ORPHAN_GRACE);
	(void)weft__loop_post(body->home, &body->orphan_message); /* as above */
	weft__report(WEFT_WARNING, NULL,
		     "worker %d (pid %d) has lost its supervisor and ends within %d s",
		     body->worker->index, (int)getpid(), (int)(ORPHAN_GRACE / WEFT_SEC));
}

/* The program's own handler, if it has one, does as if it had got the signal itself. */
static void pass_on(uint64_t signo)
{
	struct sigaction action;

	if (signo < NSIG && sigaction((int)signo, NULL, &action) == 0 &&
	    action.sa_handler != SIG_DFL)
		(void)kill(getpid(), (int)signo);
}

static void obey(struct body *body, const struct weft__control_message *message)
{
	switch (message->kind) {
	case WEFT__CONTROL_LAST:
		if (!body->drain_sent)
			body->is_last = true;
		break;
	case WEFT__CONTROL_DRAIN:
		ask_to_drain(body,
			     (weft_time)MIN(message->value, (uint64_t)WEFT_FOREVER));
		break;
	case WEFT__CONTROL_STOP:
		_exit(EXIT_FAILURE); /* at once: whatever is blocked, and whatever is lost */
	case WEFT__CONTROL_DUMP:
		body->dump_wanted = true;
		break;
	case WEFT__CONTROL_SIGNAL:
		pass_on(message->value);
		break;
	default:
		break;
	}
}

static void on_control(int fd, void *arg)
{
	static struct weft__control_message message; /* the control thread's; large */
	struct body *body = arg;
	int r;

	while ((r = weft__worker_receive(body->worker, &message)) == 0)
		obey(body, &message);
	/* However often that was asked for, and after all else: a dump takes its time. */
	if (body->dump_wanted) {
		body->dump_wanted = false;
		weft__control_dump(STDERR_FILENO);
		(void)weft__worker_dumped(body->worker); /* if it has gone nobody waits */
	}
	if (r == -EAGAIN)
		return;
	weft__control_unwatch_here(fd);
	be_orphaned(body, r == -EPIPE);
}

/* ---- Signals, on the control thread ---- */

/* The kernel says so at the end of the supervisor, perhaps before its socket does; or somebody. */
static void on_sigterm(int signo, void *arg)
{
	struct body *body = arg;

	(void)signo;
	if (body->is_child && getppid() != body->worker->supervisor)
		be_orphaned(body, true);
	else
		ask_to_drain(body, body->service->options.grace_ns);
}

static void on_sigquit(int signo, void *unused)
{
	(void)signo;
	(void)unused;
	weft__control_dump(STDERR_FILENO);
}

/* What is meant for the supervisor and was sent to all processes of the program. */
static void leave_to_supervisor(int signo, void *unused)
{
	(void)signo;
	(void)unused;
}

static const struct {
	int signo;
	void (*fn)(int signo, void *body);
	bool also_alone; /* without a supervisor, too */
} signals[] = {
	{ SIGTERM, on_sigterm, false }, /* alone, the runner has SIGTERM and SIGINT */
	{ SIGINT, leave_to_supervisor, false },
	{ SIGHUP, leave_to_supervisor, false },
	{ SIGQUIT, on_sigquit, true },
};

static bool is_for_us(const struct body *body, size_t i)
{
	struct sigaction action;

	return (body->worker || signals[i].also_alone) &&
	       sigaction(signals[i].signo, NULL, &action) == 0 &&
	       action.sa_handler == SIG_DFL; /* else the program has its own */
}

/* Return: those that are ours, as bits of the table. */
static unsigned take_signals(struct body *body)
{
	unsigned taken = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (is_for_us(body, i) &&
		    weft__control_set_signal(signals[i].signo, signals[i].fn, body) == 0)
			taken |= BIT(i);
	return taken;
}

static void give_signals_back(unsigned taken)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (taken & BIT(i))
			(void)weft__control_set_signal(signals[i].signo, NULL, NULL);
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

/* ---- Beginning ---- */

static int listen_on_sockets(struct body *body)
{
	struct weft_listen_options options = body->service->options.listen;

	options.loops = body->loops;
	options.reuse_port = false;
	return weft__listen_on(body->share.own, body->share.n_own, 1, &options,
			       body->service->handler, body->service->arg,
			       body->service->place, &body->server);
}

static int tell_that_ready(const struct body *body)
{
	const struct weft_serve_options *options = &body->service->options;
	int r;

	if (!body->worker) {
		if (options->on_ready)
			options->on_ready(body->service->arg);
		return 0;
	}
	r = weft__worker_ready(body->worker, (unsigned)weft_loops_count(body->loops));
	return r == -EPIPE ? 0 : r; /* the supervisor has gone: that is told otherwise */
}

static int begin(struct body *body)
{
	int r = weft_loops_new(body->service->options.loops, NULL, &body->loops);

	if (r < 0)
		return r;
	r = run_on_each(body, body->service->options.on_start);
	if (r < 0)
		return weft_error_wrap(r, "on_start failed");
	r = listen_on_sockets(body);
	if (r == 0)
		r = start_beats(body);
	return r < 0 ? r : tell_that_ready(body);
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
	return r;
}

/* ---- The end ---- */

/* Also those of others, who may be blocked or dead. */
static void refuse(void *arg)
{
	const struct share *share = &((const struct body *)arg)->share;

	/* Most are shut down already. */
	for (size_t i = 0; i < share->n_own; i++)
		(void)shutdown(share->own[i], SHUT_RDWR);
	for (size_t i = 0; i < share->n_foreign; i++)
		(void)shutdown(share->foreign[i], SHUT_RDWR);
}

/* The doors close for good, while nobody else can open them again. */
static void begin_to_refuse(struct body *body)
{
	/* Who opened a socket and gave it to us may have plans for it. */
	bool are_ours = !weft__service_has_fds(body->service);

	if (body->worker && !body->is_last)
		return;
	weft__server_is_last(body->server, are_ours);
	if (are_ours)
		loop_add_timer(body->home, &body->refuse, weft_now() + REFUSE_NS);
}

/* Lets the handlers finish; the end of the supervisor may shorten their time. */
static int end_server(struct body *body)
{
	struct weft_timeout limit;
	int r;

	weft_timeout_begin_at(&limit, limit_of_handlers(body));
	body->limit = &limit;
	begin_to_refuse(body);
	r = weft_server_close(body->server, WEFT_FOREVER);
	loop_remove_timer(&body->refuse);
	body->limit = NULL;
	r = weft_timeout_end(&limit, r);
	if (r == -ETIMEDOUT)
		r = weft_error_set(r, "not all handlers ended within the grace of "
				      "weft_serve(), so they were cancelled");
	return r;
}

static int end_jobs(struct body *body)
{
	int r = weft__pool_close_shared(time_for_jobs(body));

	body->left_jobs_behind = r == -ETIMEDOUT;
	return r;
}

/* Of two failures, the first one is told. Takes both; the error behind `after` is lost. */
static int first_failure(int r, int (*fn)(struct body *body), struct body *body)
{
	const struct weft_error *error = weft__error_take(r);
	int after = fn(body);

	if (r >= 0)
		return after;
	weft__error_give(error);
	return r;
}

static int stop_hooks(struct body *body)
{
	return run_on_each(body, body->service->options.on_stop);
}

static int end_loops(struct body *body)
{
	return weft_loops_close(body->loops);
}

/* From what the beginning has left. */
static int end(struct body *body, int r)
{
	bool has_served = body->server && r == 0;

	if (body->deadline == WEFT_FOREVER) /* by a signal that the runner has */
		body->deadline =
			weft__time_add(weft_now(), body->service->options.grace_ns);
	if (has_served) {
		r = end_server(body);
		r = first_failure(r, stop_hooks, body);
	} else {
		weft_server_abort(body->server);
	}
	if (body->loops)
		r = first_failure(r, end_loops, body);
	return first_failure(r, end_jobs, body);
}

/* ---- The whole ---- */

/* The main task, on the home loop. */
static int serve_in_task(void *arg)
{
	struct body *body = arg;
	struct weft_shield shield;
	int r;

	r = begin(body);
	if (r == 0)
		r = wait_to_be_told(body);
	if (r == -ECANCELED && weft_task_cancelling(body->main))
		r = 0; /* that is how we are told */
	weft_shield_begin(&shield,
			  WEFT_FOREVER); /* what follows has a limit of its own */
	r = end(body, r);
	return weft_shield_end(&shield, r);
}

/* What surrounds it: who may tell it something. */
static int serve_watched(void *arg)
{
	struct body *body = arg;
	unsigned taken;
	int r = 0;

	body->main = weft_task_current();
	body->home = weft_loop_current();
	body->is_child = body->worker && getppid() == body->worker->supervisor;
	weft_task_set_name(body->main, "weft_serve");
	if (body->worker)
		r = weft__control_watch(body->worker->control, on_control, body);
	if (r < 0)
		return weft_error_wrap(r, "the supervisor cannot be listened to");
	taken = take_signals(body);
	if (!body->worker)
		weft__sockets_tell(body->sockets, body->service);
	r = serve_in_task(body);
	give_signals_back(taken);
	if (body->worker)
		weft__control_unwatch(body->worker->control);
	body->main = NULL; /* for a message that is on its way */
	free(body->beats);
	return r;
}

int weft__serve_here(const struct service *service, const struct sockets *sockets,
		     struct weft__worker *worker, bool *left_jobs_behind)
{
	struct weft_run_options options = {
		.loop.name = "home",
		.keep_signals = worker != NULL,
	};
	struct body body = {
		.service = service,
		.sockets = sockets,
		.worker = worker,
		.deadline = WEFT_FOREVER,
	};
	int r = weft__share_init(&body.share, sockets->fds, sockets->n_fds,
				 worker ? worker->index : 0);

	if (r < 0)
		return r;
	handle_init(&body.drain_message, HANDLE_DIRECT, on_drain, &body);
	handle_init(&body.refuse, HANDLE_DIRECT, refuse, &body);
	handle_init(&body.orphan_message, HANDLE_DIRECT, on_orphaned, &body);
	if (service->options.threads)
		weft__pool_limit_shared(service->options.threads);
	r = weft_run_with(serve_watched, &body, &options);
	weft__share_fini(&body.share);
	*left_jobs_behind = body.left_jobs_behind;
	return r;
}
