/*
 * Servers: listening, closing, and who keeps them; server.h has the model. On the owner's loop,
 * but for what says otherwise.
 */
#include "net/server.h"

#include <weft/timeout.h>

#include "base/error.h"
#include "loop/oneshot.h"
#include "net/reserve.h"

/* ---- Who keeps it ---- */

/* Nobody is left. Any thread. */
static void free_server(weft_server *server)
{
	for (size_t i = 0; i < server->n_acceptors; i++) {
		free(server->acceptors[i].doors);
		weft_loop_unref(server->acceptors[i].loop);
	}
	weft__listener_close(&server->listener);
	(void)pthread_mutex_destroy(&server->listener_lock); /* nobody holds it */
	weft__reserve_unhold();
	free(server);
}

/* Any thread. */
static bool is_last(weft_server *server)
{
	/* V1 */
	if (atomic_fetch_sub_explicit(&server->n_live, 1, memory_order_release) > 1)
		return false;
	/* V2. Not a fence: ThreadSanitizer does not know those. */
	(void)atomic_load_explicit(&server->n_live, memory_order_acquire);
	return true;
}

static void on_idle(void *arg)
{
	weft_server *server = arg;
	struct park *waiter = server->waiter;

	server->is_idle = true;
	server->waiter = NULL;
	if (waiter)
		weft__unpark(waiter, 0);
}

void weft__server_unhold(weft_server *server)
{
	if (!is_last(server))
		return;
	if (server->has_no_owner)
		free_server(server);
	else
		/* Its loop is open: a task waits there for this. */
		(void)weft__loop_post(server->home, &server->idle_message);
}

/* ---- Listening ---- */

int weft__server_check_options(const struct weft_listen_options *options,
			       const char *function)
{
	if (weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)) ||
	    options->backlog < 0 || options->max_connections < 0)
		return weft_error_set(
			-EINVAL,
			"%s(): the options are not valid: set all fields that you do "
			"not use to zero",
			function);
	return 0;
}

static size_t count_loops(const struct weft_listen_options *options)
{
	return options->loops ? (size_t)weft_loops_count(options->loops) : 1;
}

static weft_server *new_server(const struct weft_listen_options *options,
			       weft_connection_fn *handler, void *arg, const void *place)
{
	size_t n = count_loops(options);
	size_t size = sizeof(weft_server) + n * sizeof(struct acceptor);
	weft_server *server = weft__aligned_alloc(CACHE_LINE, size);

	if (!server)
		return NULL;
	memset(server, 0, size);
	server->home = weft__thread.loop;
	server->handler = handler;
	server->arg = arg;
	server->place = place;
	server->options =
		(struct stream_options){ options->line_limit, options->high_water };
	server->max_connections = (uint32_t)options->max_connections;
	handle_init(&server->idle_message, HANDLE_DIRECT, on_idle, server);
	(void)pthread_mutex_init(&server->listener_lock, NULL); /* cannot fail on Linux */
	atomic_init(&server->n_live, 1);
	return server;
}

/* The listener is there: an acceptor for each loop. */
static int make_acceptors(weft_server *server, weft_loops *loops)
{
	size_t n = loops ? (size_t)weft_loops_count(loops) : 1, n_doors;
	struct door *doors;

	(void)listener_copy(&server->listener, 0, &n_doors);
	for (size_t i = 0; i < n; i++) {
		doors = weft__alloc_array(n_doors, sizeof(*doors));
		if (!doors)
			return -ENOMEM;
		server->n_acceptors++;
		weft__acceptor_init(&server->acceptors[i], server,
				    loops ? weft_loops_get(loops, (int)i) : server->home,
				    doors);
	}
	return 0;
}

/* Starting an acceptor on another loop, and its answer. */
struct start {
	struct acceptor *acceptor;
	struct oneshot done;
	int result;
};

static void on_start(void *arg)
{
	struct start *start = arg;

	start->result = weft__acceptor_start(start->acceptor);
	weft__oneshot_set(&start->done);
}

static int start_on_its_loop(struct acceptor *acceptor)
{
	struct start start = { .acceptor = acceptor };

	if (acceptor->loop == weft__thread.loop)
		return weft__acceptor_start(acceptor);
	weft__oneshot_init(&start.done);
	handle_init(&acceptor->start_message, HANDLE_DIRECT, on_start, &start);
	start.result = weft__loop_post(acceptor->loop, &acceptor->start_message);
	if (start.result < 0)
		weft__oneshot_set(&start.done);
	weft__oneshot_wait(&start.done);
	return start.result;
}

static int start(weft_server *server)
{
	int r = 0;

	atomic_store_explicit(&server->n_accepting, (int)server->n_acceptors,
			      memory_order_relaxed); /* before any of them starts */
	loop_track(server->home, &server->open, "a server", server->place);
	for (size_t i = 0; r == 0 && i < server->n_acceptors; i++)
		r = start_on_its_loop(&server->acceptors[i]);
	return r;
}

/* From the listener, which becomes the server's or is closed. */
static int serve(weft_server *server, weft_loops *loops)
{
	const struct weft_error *error;
	int r;

	weft__reserve_hold();
	r = make_acceptors(server, loops);
	if (r < 0) {
		free_server(server);
		return r;
	}
	r = start(server);
	if (r < 0) {
		error = weft__error_take(r);
		weft_server_abort(server);
		weft__error_give(error);
	}
	return r;
}

/* Not inlined, so that the return address is the caller's. */
__attribute__((noinline)) int weft_listen(const char *address,
					  const struct weft_listen_options *options,
					  weft_connection_fn *handler, void *arg,
					  weft_server **out)
{
	static const struct weft_listen_options defaults;
	const void *place = __builtin_return_address(0);
	weft_server *server;
	int r;

	if (!task_current())
		return weft__task_none(__func__);
	if (!options)
		options = &defaults;
	r = weft__server_check_options(options, __func__);
	if (r < 0)
		return r;
	server = new_server(options, handler, arg, place);
	if (!server)
		return -ENOMEM;
	r = weft__listener_open(&server->listener, address, options->backlog,
				options->reuse_port ? count_loops(options) : 1,
				options->reuse_port);
	if (r < 0) {
		free(server);
		return r;
	}
	r = serve(server, options->loops);
	if (r < 0)
		return r;
	server->listener.is_borrowed = false;
	*out = server;
	return 0;
}

int weft__listen_on(const int *fds, size_t n_fds, size_t n_copies,
		    const struct weft_listen_options *options,
		    weft_connection_fn *handler, void *arg, const void *place,
		    weft_server **out)
{
	weft_server *server;
	int r = weft__server_check_options(options, __func__);

	if (r < 0)
		return r;
	server = new_server(options, handler, arg, place);
	if (!server)
		return -ENOMEM;
	r = weft__listener_borrow(&server->listener, fds, n_fds, n_copies);
	if (r < 0) {
		free(server);
		return r;
	}
	r = serve(server, options->loops);
	if (r == 0)
		*out = server;
	return r;
}

const char *weft_server_address(const weft_server *server)
{
	return loop_check(server->home, __func__) < 0 ? "" : server->listener.text;
}

uint32_t weft__server_connections(const weft_server *server, size_t index)
{
	return atomic_load_explicit(&server->acceptors[index].n_connections,
				    memory_order_relaxed);
}

uint64_t weft__server_accepted(const weft_server *server, size_t index)
{
	return atomic_load_explicit(&server->acceptors[index].n_accepted,
				    memory_order_relaxed);
}

/* ---- Ending ---- */

struct server_wait {
	struct park park;
	weft_server *server;
};

/* Nobody can connect any more. Those who have are let in first, if this is not in a hurry. */
static void stop_accepting(weft_server *server, bool in_a_hurry)
{
	if (server->has_stopped)
		return;
	server->has_stopped = true;
	if (!in_a_hurry && (server->listener.is_ours || server->is_last))
		weft__server_accept_the_last(server);
	pthread_mutex_lock(&server->listener_lock);
	weft__listener_refuse(&server->listener, server->shuts_sockets);
	pthread_mutex_unlock(&server->listener_lock);
	for (size_t i = 0; i < server->n_acceptors; i++)
		weft__acceptor_stop(&server->acceptors[i]);
}

static void cancel_all(weft_server *server)
{
	for (size_t i = 0; i < server->n_acceptors; i++)
		weft__acceptor_cancel(&server->acceptors[i]);
}

static enum cancel_answer leave(struct park *park)
{
	container_of(park, struct server_wait, park)->server->waiter = NULL;
	return CANCEL_ENDS;
}

/* Waits until nobody is left; the owner has given its part back. */
static int wait_until_idle(weft_server *server, bool can_be_cancelled)
{
	struct server_wait wait = {
		.park = { .what = "server close",
			  .cancel = can_be_cancelled ? leave : NULL },
		.server = server,
	};
	int r = can_be_cancelled && !server->is_idle ? weft__cancel_point(task_current())
						     : 0;

	if (r < 0 || server->is_idle)
		return r;
	server->waiter = &wait.park;
	return weft__park(&wait.park);
}

static int wait_with_grace(weft_server *server, weft_time grace_ns)
{
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, grace_ns);
	return weft_timeout_end(&timeout, wait_until_idle(server, true));
}

void weft__server_is_last(weft_server *server, bool shuts_sockets)
{
	server->is_last = true;
	server->shuts_sockets = shuts_sockets;
}

void weft__server_accept_from(weft_server *server, int fd)
{
	struct acceptor *best = &server->acceptors[0];

	/* Relaxed: hints. */
	for (size_t i = 1; i < server->n_acceptors; i++)
		if (weft__loop_load(server->acceptors[i].loop) <
		    weft__loop_load(best->loop))
			best = &server->acceptors[i];
	weft__acceptor_look_at(best, fd);
}

/* Handlers get until the end of the grace, or of the caller's patience. */
static int end_connections(weft_server *server, weft_time grace_ns)
{
	int r = wait_with_grace(server, grace_ns);

	if (!server->is_idle) {
		cancel_all(server);
		(void)wait_until_idle(server, false); /* it cannot fail */
	}
	/* Relaxed: whoever counted has ended before. */
	if (r == -ETIMEDOUT &&
	    !atomic_load_explicit(&server->n_cancelled, memory_order_relaxed))
		return 0;
	return r;
}

/* A handler that closes its own server would wait for its own end. */
static int refuse_handler(const weft_server *server)
{
	for (size_t i = 0; i < server->n_acceptors; i++)
		if (server->acceptors[i].loop == weft__thread.loop &&
		    weft__connections_has_task(&server->acceptors[i], task_current()))
			return weft_error_set(
				-EDEADLK,
				"weft_server_close() was called by a handler of the "
				"server, which would wait for itself: wake the task "
				"that listens and let it close, or call "
				"weft_server_abort()");
	return 0;
}

int weft_server_close(weft_server *server, weft_time grace_ns)
{
	int r;

	if (!server)
		return 0;
	if (!task_current())
		return weft__task_none(__func__);
	r = loop_check(server->home, __func__);
	if (r == 0)
		r = refuse_handler(server);
	if (r < 0)
		return r;
	stop_accepting(server, false);
	loop_untrack(&server->open);
	server->is_idle = is_last(server);
	r = end_connections(server, grace_ns);
	free_server(server);
	if (r == -ETIMEDOUT)
		return weft_error_set(
			r, "not all connections of the server ended within the "
			   "grace, so their handlers were cancelled");
	return r;
}

void weft_server_abort(weft_server *server)
{
	if (!server)
		return;
	weft_assert(
		loop_check(server->home, __func__) == 0,
		"weft_server_abort() was called on a thread that is not that of the server's "
		"loop: send it there with weft_loop_call_soon_threadsafe()");
	stop_accepting(server, true);
	cancel_all(server);
	loop_untrack(&server->open);
	server->has_no_owner = true;
	weft__server_unhold(server);
}

static enum cancel_answer stop_serving(struct park *park)
{
	(void)park;
	return CANCEL_ENDS;
}

int weft_server_serve_forever(weft_server *server, weft_time grace_ns)
{
	struct park park = { .what = "serve forever", .cancel = stop_serving };
	int r;

	if (!task_current())
		return weft__task_none(__func__);
	r = loop_check(server->home, __func__);
	if (r < 0)
		return r;
	if (weft__cancel_point(task_current()) == 0)
		(void)weft__park(&park); /* only a cancellation ends it */
	return weft_server_close(server, grace_ns);
}
