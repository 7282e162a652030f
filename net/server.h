/*
 * Servers, inside the library; <weft/stream.h> has the model for callers.
 *
 * A server has an acceptor on each of its loops: a task that ends with its loop, if the server does
 * not end before. All of them watch the listening sockets, and the kernel wakes one that is not
 * busy. It accepts a few connections and hands each to the loop that has the least to do
 * (handover.c), which runs the handler in a task (connection.c).
 *
 * Who keeps a server in memory, and its handlers running, is counted in n_live: the owner, each
 * acceptor until it has stopped, each connection from its accept to its end, and each message that
 * is on its way to an acceptor. Whoever brings it to zero tells the owner, or frees the server if
 * that has gone.
 *
 *   V1  a count goes down, release: what was done until then; pairs with V2.
 *   V2  zero was reached, acquire.
 */
#ifndef WEFT_NET_SERVER_H
#define WEFT_NET_SERVER_H

#include <pthread.h>

#include <weft/stream.h>

#include "net/listener.h"
#include "net/stream_object.h"

/* So many connections a turn, so that a flood of them does not starve those that are there. */
enum { ACCEPTS_PER_TURN = 16 };

/* What an acceptor whose doors are closed waits for. */
enum scarcity { NOTHING_SCARCE, PLACES_SCARCE, RESOURCES_SCARCE };

/* One listening socket, watched by one acceptor. */
struct door {
	struct watch watch;
	struct acceptor *acceptor;
	int fd;
	bool is_open; /* is being watched */
};

/* What a server has on a loop. Of the loop's thread, but for what says otherwise. */
struct acceptor {
	weft_server *server;
	weft_loop *loop; /* a reference */
	struct door *doors;
	size_t n_doors;
	struct list connections; /* struct connection, by link */
	struct list sent; /* struct arrival, by link: on their way to other loops */
	struct handle recall; /* the time to look whether they have arrived */
	struct handle retry; /* the time to try again to accept */
	weft_time retry_ns; /* 0: all is well */
	weft_time full_since;
	struct park *park; /* of its task, while that waits */
	bool has_stopped;
	bool is_cancelled; /* its connections were, and those that still arrive are */
	/* Messages to it, each at most once under way. */
	struct handle start_message, stop_message, cancel_message, look_message;
	/* ---- Any thread. ---- */
	alignas(CACHE_LINE) atomic_bool look_sent; /* K1 and K2 of acceptor.c */
	atomic_int foreign_fd; /* to look at as well; -1: none. Ordered by look_sent */
	atomic_int waits_for; /* enum scarcity; R1 and R2 of room.c */
	atomic_bool is_gone; /* relaxed, a hint: its loop takes nothing any more */
	_Atomic uint32_t n_connections; /* relaxed: figures */
	_Atomic uint64_t n_accepted; /* relaxed */
};

struct weft_server {
	/* ---- Set before the first acceptor starts. ---- */
	weft_loop *home; /* the owner's */
	weft_connection_fn *handler;
	void *arg;
	const void *place; /* who listens */
	struct listener listener; /* its end: under listener_lock */
	struct stream_options options;
	uint32_t max_connections; /* 0: no limit */
	size_t n_acceptors;
	/* ---- The owner's, on its loop. ---- */
	struct open_object open;
	bool has_stopped; /* nobody is let in any more */
	bool is_last, shuts_sockets; /* see weft__server_is_last() */
	struct park *waiter; /* for `is_idle` */
	bool is_idle; /* n_live was zero */
	struct handle idle_message;
	/* ---- Any thread. ---- */
	atomic_int n_live;
	atomic_int n_accepting; /* acceptors that may use the sockets */
	/* The owner gives the sockets up, and so does the last acceptor, if its loop ends before. */
	pthread_mutex_t listener_lock;
	/* Set by the owner before its V1. */
	bool has_no_owner;
	atomic_uint
		n_waiting; /* acceptors that wait for something; R1 and R2 of room.c */
	_Atomic weft_time
		reported_at; /* relaxed: when trouble with accepting was told of */
	atomic_uint n_troubles; /* relaxed: since then */
	atomic_uint n_cancelled; /* connections; relaxed: read when all have ended */
	alignas(CACHE_LINE) _Atomic uint32_t
		n_places; /* taken, if there is a limit; as n_waiting */
	atomic_uint turn; /* relaxed: whose turn it is, of several with the same load */
	struct acceptor acceptors[];
};

/* ---- For serve/ ---- */

/*
 * Serves sockets that listen already and stay the caller's: closing the server neither closes
 * them nor makes them refuse, since other processes accept from them. With n_copies > 1 the first
 * loop gets the first n_fds / n_copies of them, and so on. Otherwise as weft_listen().
 */
int weft__listen_on(const int *fds, size_t n_fds, size_t n_copies,
		    const struct weft_listen_options *options,
		    weft_connection_fn *handler, void *arg, const void *place,
		    weft_server **server);
/* What is wrong with the options, if anything; `function` is who was called. */
int weft__server_check_options(const struct weft_listen_options *options,
			       const char *function);
/*
 * The sockets are borrowed, and no other process will accept from them any more: when the server is
 * closed, who has come until then is let in; with shuts_sockets nobody after that can connect.
 * Thread: the owner's loop, before the close.
 */
void weft__server_is_last(weft_server *server, bool shuts_sockets);
/*
 * Accepts what waits at another listening socket, once. Thread: any, while the owner keeps the
 * server and the socket.
 */
void weft__server_accept_from(weft_server *server, int fd);
/* How many connections there are on the loop of that index, and have been. Thread: any. */
uint32_t weft__server_connections(const weft_server *server, size_t index);
uint64_t weft__server_accepted(const weft_server *server, size_t index);

/* ---- Inside net/ ---- */

/* One more that keeps the server; somebody does so already. */
static inline void server_hold(weft_server *server)
{
	/* Relaxed: see above. */
	atomic_fetch_add_explicit(&server->n_live, 1, memory_order_relaxed);
}

/* The same, if there is still somebody. */
static inline bool server_try_hold(weft_server *server)
{
	int n = atomic_load_explicit(&server->n_live, memory_order_relaxed);

	/* Relaxed: whoever it is got the server before. */
	while (n > 0)
		if (atomic_compare_exchange_weak_explicit(&server->n_live, &n, n + 1,
							  memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	return false;
}

void weft__server_unhold(weft_server *server);

/* acceptor.c. On its loop. */
void weft__acceptor_init(struct acceptor *acceptor, weft_server *server, weft_loop *loop,
			 struct door *doors);
/* Begins; the server is held until it ends. In a task. */
int weft__acceptor_start(struct acceptor *acceptor);

/* Any thread: stop, once; cancel its connections, once. */
void weft__acceptor_stop(struct acceptor *acceptor);
void weft__acceptor_cancel(struct acceptor *acceptor);
/* Any thread: look at this socket, too, once. */
void weft__acceptor_look_at(struct acceptor *acceptor, int fd);

/* Its loop: nobody is let in until its doors are opened again. */
void weft__acceptor_close_doors(struct acceptor *acceptor);
/* Any thread: it opens its doors, if they are closed, and looks who is there. */
void weft__acceptor_send_look(struct acceptor *acceptor);
/*
 * The owner's loop: accepts those who have connected until now, before the acceptors are told to
 * stop. As long as there is room; who finds none is turned away with the sockets.
 */
void weft__server_accept_the_last(weft_server *server);

/* room.c. One connection more, if the limit allows it; given back if none came of it. */
bool weft__room_take(weft_server *server);
void weft__room_give_back(weft_server *server);
/* Any thread. A connection has ended: there is room for one of those who wait. */
void weft__server_connection_ended(weft_server *server);
/* On the acceptor's loop: it closes its doors, and looks again when there may be room. */
void weft__room_wait_for_place(struct acceptor *acceptor);
/* Something that accepting takes has run out; at that door, if it is one. */
void weft__room_wait_for_resources(struct acceptor *acceptor, const struct door *door,
				   int error);
void weft__room_end_waiting(struct acceptor *acceptor);

/*
 * handover.c. On the acceptor's loop: gives an accepted connection, which is counted in n_live, to
 * the loop that has the least to do.
 */
void weft__handover_init(struct acceptor *from);
int weft__hand_over(struct acceptor *from, int fd, const struct sockaddr *peer,
		    socklen_t size);
/* What is under way goes its way without being watched. */
void weft__handover_stop(struct acceptor *from);
/* The same by the owner, on its own loop, which need not be one of those that accept. */
int weft__hand_in(weft_server *server, int fd, const struct sockaddr *peer,
		  socklen_t size);

/*
 * connection.c. On the acceptor's loop: serves a connection, which is counted in n_live, in a task.
 * Return: 0; -ENOMEM, with the connection closed and no longer counted.
 */
int weft__connection_begin(struct acceptor *acceptor, int fd, const struct sockaddr *peer,
			   socklen_t size);
/* The server is being closed: those that can be asked to finish are. */
void weft__connections_finish(struct acceptor *acceptor);
void weft__connections_cancel(struct acceptor *acceptor);
/* Does that task run one of its handlers? */
bool weft__connections_has_task(const struct acceptor *acceptor, const weft_task *task);

#endif
