/*
 * The connections of a client: those in use, and those that are kept for the next
 * request.
 *
 * Who wants one waits for a permit of its host, if there is a limit per host, and then
 * for one of the pool, both first come, first served. Connections that are kept hold no
 * permit: they are closed, the oldest first, when they would make it too many, and each
 * when its time is over.
 *
 * Everything on the client's loop.
 */
#ifndef WEFT_HTTP_POOL_H
#define WEFT_HTTP_POOL_H

#include <weft/stream.h>
#include <weft/sync.h>

#include "base/list.h"

struct http_pool {
	weft_loop *loop;
	int n_max;
	int n_max_per_host; /* 0: no limit */
	weft_time keep_alive_ns;
	struct weft_semaphore permits;
	struct list
		hosts; /* struct http_host, by hosts_link; with a limit per host only */
	struct list idle; /* struct http_link, by idle_link, the oldest first */
	int n_idle;
	int n_used;
};

/* How many a host may have. Lives as long as somebody holds or awaits a permit of it. */
struct http_host {
	struct list hosts_link;
	struct weft_semaphore permits;
	int n_users;
	char address[];
};

/* A connection. */
struct http_link {
	struct http_pool *pool;
	struct http_host *host; /* whose permit it holds, or NULL */
	weft_stream *stream;
	bool was_kept; /* the server may have closed it meanwhile */
	struct list idle_link;
	struct weft_handle timer; /* while idle */
	char address[];
};

void weft__http_pool_init(struct http_pool *pool, weft_loop *loop, int n_max,
			  int n_max_per_host, weft_time keep_alive_ns);
/* Closes what is kept; nothing may be in use. */
void weft__http_pool_fini(struct http_pool *pool);

/*
 * A connection to "host:port", one that was kept unless it `must_be_new`. 0, -ECANCELED,
 * -ENOMEM, or as weft_connect(). Give it back by weft__http_pool_give(). Cancellation
 * point.
 */
int weft__http_pool_take(struct http_pool *pool, const char *address, bool must_be_new,
			 struct http_link **link);
/* Keeps the connection for another request, or closes it. NULL is ignored. */
void weft__http_pool_give(struct http_link *link, bool may_be_kept);

#endif
