/*
 * Handing an accepted connection to the loop that has the least to do.
 *
 * It travels as a message to that loop's inbox. A loop that does not take it within 10 ms is
 * blocked, whatever it looked like before: then it is taken back and served by the loop that has
 * accepted it, which is obviously running. So a handler that blocks its loop delays nobody who
 * comes after it.
 *
 * Both loops hold the message; which of them gets the connection is decided by one word. It
 * publishes nothing: the rest was written before the message was sent, and is read by the one who
 * wins alone.
 */
#include <unistd.h>

#include "net/server.h"

#define RECALL_NS (10 * WEFT_MSEC)

enum arrival_state { ARRIVAL_SENT, ARRIVAL_TAKEN, ARRIVAL_RECALLED };

struct arrival {
	struct handle message;
	struct list link; /* in from->sent */
	weft_time sent_at;
	struct acceptor *to; /* only for who gets it */
	int fd;
	socklen_t size;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer;
	atomic_int state; /* enum arrival_state */
	atomic_int references; /* sender and receiver */
};

static void unref(struct arrival *arrival)
{
	/* A1: releases this side's use of it to whoever frees it; pairs with A2. */
	if (atomic_fetch_sub_explicit(&arrival->references, 1, memory_order_release) > 1)
		return;
	/* A2. Not a fence: ThreadSanitizer does not know those. */
	(void)atomic_load_explicit(&arrival->references, memory_order_acquire);
	free(arrival);
}

/* Return: true if the connection is the caller's now. */
static bool claim(struct arrival *arrival, int state)
{
	int sent = ARRIVAL_SENT;

	/* Relaxed: see the top. */
	return atomic_compare_exchange_strong_explicit(&arrival->state, &sent, state,
						       memory_order_relaxed,
						       memory_order_relaxed);
}

/* ---- Which loop ---- */

static bool is_blocked(const struct acceptor *acceptor)
{
	/* Relaxed, both: hints. */
	return atomic_load_explicit(&acceptor->loop->blocked, memory_order_relaxed) ||
	       atomic_load_explicit(&acceptor->is_gone, memory_order_relaxed);
}

static bool is_better(const struct acceptor *a, const struct acceptor *b)
{
	bool a_blocked = is_blocked(a), b_blocked = is_blocked(b);

	if (a_blocked != b_blocked)
		return b_blocked;
	return weft__loop_load(a->loop) < weft__loop_load(b->loop);
}

/* The one with the least to do; with equal loads `best`. */
static struct acceptor *choose(weft_server *server, struct acceptor *best)
{
	size_t n = server->n_acceptors;
	struct acceptor *other;
	unsigned first;

	/* Of several others with the same load another one each time. */
	first = atomic_fetch_add_explicit(&server->turn, 1, memory_order_relaxed);
	for (size_t i = 0; i < n; i++) {
		other = &server->acceptors[(first + i) % n];
		if (is_better(other, best))
			best = other;
	}
	return best;
}

/* Ours if it is as good as another: that costs no message. */
static struct acceptor *choose_for(struct acceptor *from)
{
	weft_server *server = from->server;

	if (server->n_acceptors == 1 || server->listener.n_copies > 1)
		return from;
	return choose(server, from);
}

/* ---- Sending ---- */

/* On the loop that it was sent to. */
static void on_arrival(void *arg)
{
	struct arrival *arrival = arg;
	weft_loop *loop = arrival->message.loop;

	if (claim(arrival, ARRIVAL_TAKEN))
		/* Without memory it is closed; the loop that accepts will notice that, too. */
		(void)weft__connection_begin(arrival->to, arrival->fd, &arrival->peer.any,
					     arrival->size);
	/* Relaxed: only a count. Behind the task's own, so that the loop never looks idle. */
	atomic_fetch_sub_explicit(&loop->n_arriving, 1, memory_order_relaxed);
	unref(arrival);
}

static void on_recall_time(void *arg)
{
	struct acceptor *from = arg;
	weft_time now = loop_now(from->loop);

	list_for_each_safe (link, &from->sent) {
		struct arrival *arrival = list_entry(link, struct arrival, link);

		if (atomic_load_explicit(&arrival->state, memory_order_relaxed) ==
			    ARRIVAL_SENT &&
		    now - arrival->sent_at < RECALL_NS)
			continue;
		list_unlink(link);
		if (claim(arrival, ARRIVAL_RECALLED))
			(void)weft__connection_begin(from, arrival->fd,
						     &arrival->peer.any, arrival->size);
		unref(arrival);
	}
	if (!list_is_empty(&from->sent))
		loop_add_timer(from->loop, &from->recall, now + RECALL_NS);
}

/* `from` may be NULL: then nobody takes it back from a loop that is blocked. */
static int send_to(struct acceptor *from, struct acceptor *to, int fd,
		   const struct sockaddr *peer, socklen_t size)
{
	struct arrival *arrival = weft__alloc(sizeof(*arrival));
	int r;

	if (!arrival)
		return -ENOMEM;
	handle_init(&arrival->message, HANDLE_DIRECT, on_arrival, arrival);
	arrival->sent_at = loop_now(weft__thread.loop);
	arrival->to = to;
	arrival->fd = fd;
	arrival->size = MIN(size, (socklen_t)sizeof(arrival->peer));
	memcpy(&arrival->peer, peer, arrival->size);
	atomic_init(&arrival->state, ARRIVAL_SENT);
	atomic_init(&arrival->references, from ? 2 : 1);
	atomic_fetch_add_explicit(&to->loop->n_arriving, 1,
				  memory_order_relaxed); /* a count */
	r = weft__loop_post(to->loop, &arrival->message);
	if (r < 0) {
		atomic_fetch_sub_explicit(&to->loop->n_arriving, 1, memory_order_relaxed);
		atomic_store_explicit(&to->is_gone, true, memory_order_relaxed);
		free(arrival);
		return r;
	}
	if (!from)
		return 0;
	list_push_back(&from->sent, &arrival->link);
	if (handle_state(&from->recall) == HANDLE_IDLE)
		loop_add_timer(from->loop, &from->recall,
			       loop_now(from->loop) + RECALL_NS);
	return 0;
}

int weft__hand_over(struct acceptor *from, int fd, const struct sockaddr *peer,
		    socklen_t size)
{
	struct acceptor *to = choose_for(from);

	if (to != from && send_to(from, to, fd, peer, size) == 0)
		return 0;
	return weft__connection_begin(from, fd, peer, size);
}

int weft__hand_in(weft_server *server, int fd, const struct sockaddr *peer,
		  socklen_t size)
{
	struct acceptor *to;
	int r = -ESHUTDOWN;

	/* A loop that has ended is found out by sending to it, and not chosen again. */
	for (size_t tries = 0; r == -ESHUTDOWN && tries < server->n_acceptors; tries++) {
		to = choose(server, &server->acceptors[0]);
		if (to->loop == weft__thread.loop)
			return weft__connection_begin(to, fd, peer, size);
		r = send_to(NULL, to, fd, peer, size);
	}
	if (r < 0) {
		(void)close(fd);
		weft__server_connection_ended(server);
		weft__server_unhold(server);
	}
	return r;
}

/* ---- The end ---- */

void weft__handover_init(struct acceptor *from)
{
	list_init(&from->sent);
	handle_init(&from->recall, HANDLE_DIRECT, on_recall_time, from);
}

void weft__handover_stop(struct acceptor *from)
{
	loop_remove_timer(&from->recall);
	for (struct list *link = list_pop_front(&from->sent); link;
	     link = list_pop_front(&from->sent))
		unref(list_entry(link, struct arrival, link));
}
