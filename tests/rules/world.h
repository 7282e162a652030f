/*
 * One of everything that belongs to a loop, on a loop of its own: for calls from elsewhere.
 *
 * A keeper task makes it all, holds what is held, and waits; world_end() lets it go on, and it
 * uses each thing once more, as its owner. Made and ended on a plain thread.
 */
#ifndef WEFT_TESTS_RULES_WORLD_H
#define WEFT_TESTS_RULES_WORLD_H

#include <weft/weft.h>

#include "tests/test.h"

struct world {
	weft_loops *own_loops, *other_loops;
	weft_loop *own, *other;
	/* Task. */
	struct weft_lock lock; /* held by the keeper */
	struct weft_event event; /* not set */
	struct weft_lock door; /* the condition's, free */
	struct weft_condition condition; /* somebody waits */
	struct weft_semaphore semaphore; /* 1 of 2 permits taken */
	struct weft_barrier barrier; /* of 2, nobody there */
	struct weft_group group; /* the keeper's, with a child that sleeps */
	struct weft_timeout timeout; /* the keeper's, never over */
	struct weft_shield shield; /* the keeper's */
	struct weft_as_completed scope; /* the keeper's, with `future` */
	weft_task *task; /* sleeps for ever */
	weft_task *waiter; /* of the condition */
	weft_future *future; /* local, pending */
	weft_future *settled; /* local, with a value */
	weft_queue *queue; /* 1 item in 2 places */
	weft_channel *channel; /* empty */
	weft_executor *pool;
	/* Loop. */
	struct weft_handle timer;
	int reader, writer; /* a pipe, both ends watched */
	int signo; /* with a handler */
	/* Net and HTTP. */
	weft_stream *stream; /* writable, nothing to read */
	int peer; /* the other end of it */
	weft_server *server; /* with weft_http_serve_connection() */
	weft_http_app *app;
	weft_http_client *client;
	weft_http_request *request; /* of /ask, not read, not replied to */
	weft_http_response *response; /* of /tell, its body not read */
	weft_task *asker;
	/* The keeper. */
	weft_future *kept; /* settles when the keeper has ended */
	weft_future *ready; /* shared: all is made */
	struct weft_event finish;
};

/* What calls from elsewhere must not change; without padding, so that memcmp() will do. */
struct world_state {
	int64_t numbers[20];
	uintptr_t semaphore[sizeof(struct weft_semaphore) / sizeof(uintptr_t)];
	char name[64]; /* of the task */
};

/* 0, or what went wrong; also in a forked child. */
int world_begin(struct world *world);
/* Looks from the world's own loop. */
int world_look(struct world *world, struct world_state *state);
/* 0 if everything works as if nothing had happened. */
int world_end(struct world *world);

#endif
