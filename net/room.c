/*
 * Room for one more connection: the limit of the server, and what accepting takes.
 *
 * When there is none the acceptor closes its doors: a level that stays high would keep the loop
 * awake for nothing. They are opened again when a connection ends, and, since descriptors are used
 * up by others as well, after 10 ms and more, up to a second.
 *
 *   R1  an acceptor says that it waits, then looks once more whether there is room.
 *   R2  whoever makes room does so, then looks whether an acceptor waits.
 *
 * Both are sequentially consistent, so at least one of the two sees the other. On the acceptor's
 * loop; room is made on any thread.
 */
#include "base/report.h"
#include "net/reserve.h"
#include "net/server.h"

#define RETRY_MIN_NS   (10 * WEFT_MSEC)
#define RETRY_MAX_NS   (1 * WEFT_SEC)
#define SHED_AFTER_NS  (100 * WEFT_MSEC)
#define REPORT_EACH_NS (1 * WEFT_SEC)

static void report_trouble(weft_server *server, int error)
{
	weft_time now = weft__clock();
	/* Relaxed, all of it: who reports is one of those that try, and counts roughly. */
	unsigned n =
		atomic_fetch_add_explicit(&server->n_troubles, 1, memory_order_relaxed) +
		1;
	weft_time before =
		atomic_load_explicit(&server->reported_at, memory_order_relaxed);

	if ((before && now - before < REPORT_EACH_NS) ||
	    !atomic_compare_exchange_strong_explicit(&server->reported_at, &before, now,
						     memory_order_relaxed,
						     memory_order_relaxed))
		return;
	atomic_store_explicit(&server->n_troubles, 0, memory_order_relaxed);
	weft__report(
		WEFT_WARNING, &(struct weft_report){ .place = server->place },
		"connections to %s have to wait: %s (tried %u times since the last report)%s",
		server->listener.text, strerrordesc_np(-error), n,
		error == -EMFILE
			? ": raise the limit on open files, or set .max_connections"
			: "");
}

/* Nobody is let in until look_again(). */
static void begin_waiting(struct acceptor *acceptor, enum scarcity scarcity)
{
	weft__acceptor_close_doors(acceptor);
	/* R1 */
	if (!atomic_exchange_explicit(&acceptor->waits_for, scarcity,
				      memory_order_seq_cst))
		atomic_fetch_add_explicit(&acceptor->server->n_waiting, 1,
					  memory_order_seq_cst);
}

void weft__room_end_waiting(struct acceptor *acceptor)
{
	/* R1, the end of it. */
	if (atomic_exchange_explicit(&acceptor->waits_for, NOTHING_SCARCE,
				     memory_order_seq_cst))
		atomic_fetch_sub_explicit(&acceptor->server->n_waiting, 1,
					  memory_order_seq_cst);
}

/* Whoever waits for that, or for anything if `scarcity` is RESOURCES_SCARCE, looks again. */
static void wake_waiting(weft_server *server, enum scarcity scarcity)
{
	/* R2 */
	if (likely(!atomic_load_explicit(&server->n_waiting, memory_order_seq_cst)))
		return;
	for (size_t i = 0; i < server->n_acceptors; i++) {
		struct acceptor *acceptor = &server->acceptors[i];
		int waits_for =
			atomic_load_explicit(&acceptor->waits_for, memory_order_seq_cst);

		if (waits_for != NOTHING_SCARCE && waits_for <= (int)scarcity)
			weft__acceptor_send_look(acceptor);
	}
}

bool weft__room_take(weft_server *server)
{
	if (!server->max_connections)
		return true;
	/* R1 and R2. */
	if (atomic_fetch_add_explicit(&server->n_places, 1, memory_order_seq_cst) <
	    server->max_connections)
		return true;
	atomic_fetch_sub_explicit(&server->n_places, 1, memory_order_seq_cst);
	return false;
}

static void give_place(weft_server *server)
{
	if (server->max_connections)
		/* R2 */
		atomic_fetch_sub_explicit(&server->n_places, 1, memory_order_seq_cst);
}

void weft__room_give_back(weft_server *server)
{
	give_place(server);
	wake_waiting(server, PLACES_SCARCE);
}

void weft__room_wait_for_place(struct acceptor *acceptor)
{
	weft_server *server = acceptor->server;

	begin_waiting(acceptor, PLACES_SCARCE);
	/* R1: one that was given up before this is told of by nobody. */
	if (atomic_load_explicit(&server->n_places, memory_order_seq_cst) <
	    server->max_connections)
		weft__acceptor_send_look(acceptor);
}

void weft__room_wait_for_resources(struct acceptor *acceptor, const struct door *door,
				   int error)
{
	weft_time now = loop_now(acceptor->loop);

	begin_waiting(acceptor, RESOURCES_SCARCE);
	if (!acceptor->retry_ns)
		acceptor->full_since = now;
	acceptor->retry_ns = acceptor->retry_ns
				     ? MIN(acceptor->retry_ns * 2, RETRY_MAX_NS)
				     : RETRY_MIN_NS;
	report_trouble(acceptor->server, error);
	/* Others who accept from the same sockets may still have room for them. */
	if (door && error == -EMFILE && acceptor->server->listener.is_ours &&
	    now - acceptor->full_since >= SHED_AFTER_NS)
		(void)weft__reserve_shed(door->fd); /* it may be that nobody is there */
	loop_remove_timer(&acceptor->retry);
	loop_add_timer(acceptor->loop, &acceptor->retry, now + acceptor->retry_ns);
}

void weft__server_connection_ended(weft_server *server)
{
	give_place(server);
	wake_waiting(server, RESOURCES_SCARCE);
}
