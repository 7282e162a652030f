/*
 * A connection of a server: its handler runs in a task of its own, and the stream ends with it.
 *
 * On the acceptor's loop.
 */
#include <unistd.h>

#include "base/report.h"
#include "net/server.h"
#include "net/socket.h"

/* Input that nobody read is dropped so long and so much before the close, see below. */
#define LINGER_NS    (2 * WEFT_SEC)
#define LINGER_BYTES ((size_t)256 * 1024)

struct connection {
	weft_stream stream; /* first: its last reference frees the whole */
	struct acceptor *acceptor;
	struct list link; /* in acceptor->connections */
	weft_task *task; /* that runs it; it has a reference to the stream */
};

static_assert(offsetof(struct connection, stream) == 0,
	      "free(stream) frees the connection");

/* ---- Its end ---- */

/* A figure that only the loop's thread changes. */
static void count(struct acceptor *acceptor, int change)
{
	uint32_t n = atomic_load_explicit(&acceptor->n_connections, memory_order_relaxed);

	atomic_store_explicit(&acceptor->n_connections, n + (uint32_t)change,
			      memory_order_relaxed);
}

static void end_connection(struct connection *connection)
{
	struct acceptor *acceptor = connection->acceptor;

	list_unlink(&connection->link);
	weft__stream_unref(&connection->stream);
	count(acceptor, -1);
	weft__server_connection_ended(acceptor->server);
	weft__server_unhold(acceptor->server);
}

/* Is that how a handler ends whose peer has gone? Then there is nothing to report. */
static bool says_peer_is_gone(const weft_stream *stream, int r)
{
	switch (r) {
	case -ECONNRESET:
	case -EPIPE:
		return true;
	case -ENODATA:
		return stream->in.at_end;
	default:
		return r == stream->error;
	}
}

static void report_failure(const struct connection *connection, int r)
{
	weft__report(WEFT_FAILURE,
		     &(struct weft_report){
			     .error = weft_error_of(r),
			     .loop = connection->acceptor->loop,
			     .task = connection->task,
			     .place = connection->acceptor->server->place,
		     },
		     "the handler of a connection from %s failed",
		     connection->stream.peer.any.sa_family
			     ? weft_stream_peername(&connection->stream)
			     : "a client");
}

/*
 * Flushes and closes. If the peer has sent what nobody read, closing would answer it by a reset,
 * which can overtake our last words.
 */
static void close_stream(weft_stream *stream)
{
	int r = 0;

	if (!stream->in.at_end && !stream->error && !stream->out.is_shut &&
	    weft__stream_has_unread(stream))
		r = weft__stream_linger(stream, LINGER_NS, LINGER_BYTES);
	/* Who was to receive what is lost has gone: there is nobody to tell. */
	if (r < 0)
		weft_stream_abort(stream);
	else
		(void)weft_stream_close(stream);
}

static int run_connection(void *arg)
{
	struct connection *connection = arg;
	weft_stream *stream = &connection->stream;
	const weft_server *server = connection->acceptor->server;
	int r = server->handler(stream, server->arg);

	if (r < 0 && r != -ECANCELED && !says_peer_is_gone(stream, r))
		report_failure(connection, r);
	if (!stream_is_given_up(stream)) {
		if (r < 0)
			weft_stream_abort(stream);
		else
			close_stream(stream);
	}
	end_connection(connection);
	return 0;
}

/* ---- Its beginning ---- */

static int make_connection(struct acceptor *acceptor, int fd, enum descriptor_kind kind,
			   struct connection **out)
{
	const weft_server *server = acceptor->server;
	struct connection *connection = weft__alloc(sizeof(*connection));
	int r;

	if (!connection)
		return -ENOMEM;
	r = weft__stream_init(&connection->stream, acceptor->loop, fd, kind,
			      &server->options);
	if (r < 0)
		goto free_connection;
	r = weft__task_new(acceptor->loop, run_connection, connection, NULL,
			   server->place, false, &connection->task);
	if (r < 0)
		goto fini_descriptor;
	connection->task->name_of = (const void *)(uintptr_t)server->handler;
	connection->acceptor = acceptor;
	*out = connection;
	return 0;
fini_descriptor:
	weft__descriptor_fini(&connection->stream.descriptor);
free_connection:
	free(connection);
	return r;
}

static void cancel(struct connection *connection)
{
	weft_server *server = connection->acceptor->server;

	/* Relaxed: only a count. */
	atomic_fetch_add_explicit(&server->n_cancelled, 1, memory_order_relaxed);
	(void)weft_task_cancel(connection->task, "the server is being closed");
}

int weft__connection_begin(struct acceptor *acceptor, int fd, const struct sockaddr *peer,
			   socklen_t size)
{
	struct connection *connection;
	int r = make_connection(acceptor, fd, socket_kind(peer->sa_family), &connection);

	if (r < 0) {
		(void)close(fd);
		weft__server_connection_ended(acceptor->server);
		weft__server_unhold(acceptor->server);
		return r;
	}
	weft__stream_set_peer(&connection->stream, peer, size);
	connection->stream.server_is_closing = acceptor->has_stopped;
	stream_ref(&connection->stream); /* the task's */
	list_push_back(&acceptor->connections, &connection->link);
	count(acceptor, 1);
	if (unlikely(acceptor->is_cancelled))
		cancel(connection); /* it was on its way from another loop meanwhile */
	return 0;
}

void weft_stream_finish_on_cancel(weft_stream *stream)
{
	weft_assert(
		task_current() && loop_is_mine(stream->descriptor.loop),
		"weft_stream_finish_on_cancel() was called outside the handler of the stream: "
		"make it the handler's first statement");
	stream->finishes_on_cancel = true;
	if (stream->server_is_closing)
		(void)weft_task_cancel(task_current(), "the server is being closed");
}

void weft__connections_finish(struct acceptor *acceptor)
{
	list_for_each_safe (link, &acceptor->connections) {
		struct connection *connection = list_entry(link, struct connection, link);

		connection->stream.server_is_closing = true;
		if (connection->stream.finishes_on_cancel)
			(void)weft_task_cancel(connection->task,
					       "the server is being closed");
	}
}

void weft__connections_cancel(struct acceptor *acceptor)
{
	acceptor->is_cancelled = true;
	list_for_each_safe (link, &acceptor->connections)
		cancel(list_entry(link, struct connection, link));
}

bool weft__connections_has_task(const struct acceptor *acceptor, const weft_task *task)
{
	list_for_each (link, &acceptor->connections)
		if (list_entry(link, struct connection, link)->task == task)
			return true;
	return false;
}
