/*
 * Accepting: what a server does on one loop.
 *
 * The doors are watched level-triggered: what is not accepted now is reported again. Of several
 * loops, or processes, that watch, the kernel wakes one. Whoever is woken goes on until nobody
 * waits any more, or asks another loop for help when its share of a turn is used up; so nobody is
 * left waiting behind a loop that gets busy meanwhile.
 *
 * When there is no room (net/room.c) the doors are closed until there is.
 *
 * On the acceptor's loop, but for the messages at the end.
 */
#include <unistd.h>

#include "net/server.h"

enum { TRIES_PER_TURN = 64 };
/* A queue that is filled as fast as it is emptied has an end, too. */
enum { LAST_TRIES = 4096 };

/* ---- Doors ---- */

static void on_ready(struct watch *watch, short events);

void weft__acceptor_close_doors(struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->n_doors; i++) {
		struct door *door = &acceptor->doors[i];

		if (door->is_open)
			weft__watch_stop(&door->watch);
		door->is_open = false;
	}
}

static int open_doors(struct acceptor *acceptor)
{
	const weft_server *server = acceptor->server;
	unsigned interests = WATCH_READABLE | WATCH_FIRST;
	int r;

	if ((server->n_acceptors > 1 && server->listener.n_copies == 1) ||
	    !server->listener.is_ours)
		interests |= WATCH_EXCLUSIVE;
	for (size_t i = 0; i < acceptor->n_doors; i++) {
		struct door *door = &acceptor->doors[i];

		if (door->is_open)
			continue;
		r = weft__watch_start(&door->watch, acceptor->loop, door->fd, interests,
				      on_ready);
		if (r < 0) {
			weft__acceptor_close_doors(acceptor);
			return r;
		}
		door->is_open = true;
	}
	return 0;
}

/* ---- Accepting ---- */

enum verdict { IS_EMPTY, IS_SHORT, IS_BROKEN, IS_GONE };

/* What an accept that failed says. */
static enum verdict judge(int error)
{
	switch (error) {
	case EAGAIN:
		return IS_EMPTY;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return IS_SHORT;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
		return IS_BROKEN; /* it was shut down: the message to stop is on its way */
	default:
		return IS_GONE; /* the client has given up, or the network between us */
	}
}

/* Return: a descriptor; -EAGAIN if this door has been dealt with for now; else what it says. */
static int accept_one(struct door *door, union socket_address *peer, socklen_t *size)
{
	struct acceptor *acceptor = door->acceptor;
	int fd, error;

	if (!weft__room_take(acceptor->server)) {
		weft__room_wait_for_place(acceptor);
		return -EAGAIN;
	}
	*size = sizeof(*peer);
	fd = accept4(door->fd, &peer->any, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (likely(fd >= 0))
		return fd;
	error = errno;
	weft__room_give_back(acceptor->server);
	switch (judge(error)) {
	case IS_SHORT:
		weft__room_wait_for_resources(acceptor, door, -error);
		return -EAGAIN;
	case IS_BROKEN:
		weft__acceptor_close_doors(acceptor);
		return -EAGAIN;
	case IS_EMPTY:
		return -EAGAIN;
	default:
		return -error;
	}
}

/* Return: true if there may be more. */
static bool accept_some(struct door *door)
{
	struct acceptor *acceptor = door->acceptor;
	union socket_address peer;
	socklen_t size;
	int n = 0, fd;

	for (int tries = 0; n < ACCEPTS_PER_TURN && tries < TRIES_PER_TURN; tries++) {
		fd = accept_one(door, &peer, &size);
		if (fd == -EAGAIN)
			return false;
		if (fd < 0)
			continue;
		n++;
		acceptor->retry_ns = 0;
		server_hold(acceptor->server);
		/* Relaxed: a figure. */
		atomic_fetch_add_explicit(&acceptor->n_accepted, 1, memory_order_relaxed);
		if (weft__hand_over(acceptor, fd, &peer.any, size) < 0) {
			weft__room_wait_for_resources(acceptor, NULL, -ENOMEM);
			return false;
		}
	}
	return true;
}

/* There are more than we take in a turn: let another loop look, too, before we get busy. */
static void ask_for_help(struct acceptor *acceptor)
{
	weft_server *server = acceptor->server;
	size_t next = (size_t)(acceptor - server->acceptors) + 1;

	if (server->n_acceptors > 1 && server->listener.n_copies == 1)
		weft__acceptor_send_look(&server->acceptors[next % server->n_acceptors]);
}

static void on_ready(struct watch *watch, short events)
{
	struct door *door = container_of(watch, struct door, watch);

	(void)events; /* whatever it is, accept says what it means */
	if (door->acceptor->loop->closing)
		weft__acceptor_close_doors(
			door->acceptor); /* what were begun now would only be cancelled */
	else if (accept_some(door))
		ask_for_help(door->acceptor);
}

/* A socket of somebody who is not there, or is busy: what waits there is taken in here. */
static void look_at_foreign(struct acceptor *acceptor)
{
	struct door door = { .acceptor = acceptor };

	/* Relaxed: K1 and K2 order it. */
	door.fd =
		atomic_exchange_explicit(&acceptor->foreign_fd, -1, memory_order_relaxed);
	if (door.fd >= 0)
		(void)accept_some(&door); /* if there are more, somebody looks again */
}

/* Of one socket. Return: a descriptor, or what accept says; a place was taken for it. */
static int accept_last(weft_server *server, size_t index, union socket_address *peer,
		       socklen_t *size)
{
	int fd =
		-EBADF; /* the last acceptor has gone with its loop, and the sockets with it */

	*size = sizeof(*peer);
	pthread_mutex_lock(&server->listener_lock);
	if (index < server->listener.n_fds)
		fd = accept4(server->listener.fds[index], &peer->any, size,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1)
		fd = -errno;
	pthread_mutex_unlock(&server->listener_lock);
	return fd;
}

void weft__server_accept_the_last(weft_server *server)
{
	size_t n = server->listener.n_copies * server->acceptors[0].n_doors;
	union socket_address peer;
	socklen_t size;
	int fd;

	for (size_t i = 0; i < n; i++) {
		for (int tries = 0; tries < LAST_TRIES; tries++) {
			if (!weft__room_take(server))
				return;
			fd = accept_last(server, i, &peer, &size);
			if (fd >= 0) {
				server_hold(server);
				(void)weft__hand_in(server, fd, &peer.any, size);
				continue;
			}
			weft__room_give_back(server);
			if (judge(-fd) != IS_GONE)
				break;
		}
	}
}

static void look_again(struct acceptor *acceptor)
{
	int r;

	if (acceptor->has_stopped || acceptor->loop->closing)
		return;
	loop_remove_timer(&acceptor->retry);
	weft__room_end_waiting(acceptor);
	r = open_doors(acceptor);
	if (r < 0) {
		weft__room_wait_for_resources(acceptor, NULL, r);
		return;
	}
	for (size_t i = 0; i < acceptor->n_doors && acceptor->doors[i].is_open; i++)
		if (accept_some(&acceptor->doors[i]))
			ask_for_help(acceptor);
	look_at_foreign(acceptor);
}

static void on_retry_time(void *arg)
{
	look_again(arg);
}

/* ---- Beginning and end ---- */

/* Its loop lets nobody in any more. May be called again. */
static void stop(struct acceptor *acceptor)
{
	weft_server *server = acceptor->server;

	if (acceptor->has_stopped)
		return;
	acceptor->has_stopped = true;
	weft__connections_finish(acceptor);
	weft__acceptor_close_doors(acceptor);
	weft__room_end_waiting(acceptor);
	loop_remove_timer(&acceptor->retry);
	weft__handover_stop(acceptor);
	/* V1 and V2, as for n_live: the last one shares the sockets with the owner alone. */
	if (atomic_fetch_sub_explicit(&server->n_accepting, 1, memory_order_acq_rel) > 1)
		return;
	pthread_mutex_lock(&server->listener_lock);
	weft__listener_close(&server->listener);
	pthread_mutex_unlock(&server->listener_lock);
}

static enum cancel_answer leave(struct park *park)
{
	(void)park;
	return CANCEL_ENDS;
}

/* The task: until the server stops, or the loop closes. */
static int run_acceptor(void *arg)
{
	struct acceptor *acceptor = arg;
	struct park park = { .what = "accept", .cancel = leave };

	if (!acceptor->has_stopped && weft__cancel_point(task_current()) == 0) {
		acceptor->park = &park;
		(void)weft__park(&park); /* whatever ended it, it is over */
		acceptor->park = NULL;
	}
	stop(acceptor);
	weft__server_unhold(acceptor->server);
	return 0;
}

int weft__acceptor_start(struct acceptor *acceptor)
{
	weft_server *server = acceptor->server;
	weft_task *task;
	int r = open_doors(acceptor);

	if (r < 0)
		return r;
	r = weft__task_new(acceptor->loop, run_acceptor, acceptor, NULL, server->place,
			   false, &task);
	if (r < 0) {
		weft__acceptor_close_doors(acceptor);
		return r;
	}
	server_hold(server);
	return 0;
}

static void on_stop(void *arg)
{
	struct acceptor *acceptor = arg;
	struct park *park = acceptor->park;

	stop(acceptor);
	acceptor->park = NULL;
	if (park)
		weft__unpark(park, 0);
	weft__server_unhold(acceptor->server);
}

static void on_cancel(void *arg)
{
	struct acceptor *acceptor = arg;

	weft__connections_cancel(acceptor);
	weft__server_unhold(acceptor->server);
}

static void on_look(void *arg)
{
	struct acceptor *acceptor = arg;

	/*
	 * K1: cleared before it looks; pairs with K2. Whoever finds it set comes before this, and
	 * the look sees what it was sent for.
	 */
	(void)atomic_exchange_explicit(&acceptor->look_sent, false, memory_order_acq_rel);
	look_again(acceptor);
	weft__server_unhold(acceptor->server);
}

void weft__acceptor_init(struct acceptor *acceptor, weft_server *server, weft_loop *loop,
			 struct door *doors)
{
	size_t index = (size_t)(acceptor - server->acceptors);
	const int *fds = listener_copy(&server->listener, index, &acceptor->n_doors);

	acceptor->server = server;
	acceptor->loop = weft_loop_ref(loop);
	acceptor->doors = doors;
	for (size_t i = 0; i < acceptor->n_doors; i++)
		doors[i] = (struct door){ .acceptor = acceptor, .fd = fds[i] };
	atomic_init(&acceptor->foreign_fd, -1);
	list_init(&acceptor->connections);
	weft__handover_init(acceptor);
	handle_init(&acceptor->retry, HANDLE_DIRECT, on_retry_time, acceptor);
	handle_init(&acceptor->stop_message, HANDLE_DIRECT, on_stop, acceptor);
	handle_init(&acceptor->cancel_message, HANDLE_DIRECT, on_cancel, acceptor);
	handle_init(&acceptor->look_message, HANDLE_DIRECT, on_look, acceptor);
}

/* ---- Any thread ---- */

/* Runs fn(acceptor) here if this is its loop, else there; not at all if the loop has ended. */
static void tell(struct acceptor *acceptor, struct handle *message)
{
	weft_server *server = acceptor->server;

	if (!server_try_hold(server)) /* given back by the message */
		return;
	if (acceptor->loop == weft__thread.loop)
		message->fn(acceptor);
	else if (weft__loop_post(acceptor->loop, message) < 0)
		weft__server_unhold(server);
}

void weft__acceptor_stop(struct acceptor *acceptor)
{
	tell(acceptor, &acceptor->stop_message);
}

void weft__acceptor_cancel(struct acceptor *acceptor)
{
	tell(acceptor, &acceptor->cancel_message);
}

void weft__acceptor_send_look(struct acceptor *acceptor)
{
	/* K2 */
	if (atomic_exchange_explicit(&acceptor->look_sent, true, memory_order_acq_rel))
		return;
	server_hold(acceptor->server);
	if (weft__loop_post(acceptor->loop, &acceptor->look_message) == 0)
		return;
	/* Relaxed: a hint. */
	atomic_store_explicit(&acceptor->is_gone, true, memory_order_relaxed);
	weft__server_unhold(acceptor->server);
}

void weft__acceptor_look_at(struct acceptor *acceptor, int fd)
{
	/* Relaxed: K1 and K2 order it. */
	atomic_store_explicit(&acceptor->foreign_fd, fd, memory_order_relaxed);
	weft__acceptor_send_look(acceptor);
}
