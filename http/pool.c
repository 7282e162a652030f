/*
 * The connections of a client. See http/pool.h.
 */
#include <weft/loop.h>

#include "http/pool.h"

#include "net/stream.h"

void weft__http_pool_init(struct http_pool *pool, weft_loop *loop, int n_max,
			  int n_max_per_host, weft_time keep_alive_ns)
{
	*pool = (struct http_pool){
		.loop = loop,
		.n_max = n_max,
		.n_max_per_host = n_max_per_host,
		.keep_alive_ns = keep_alive_ns,
		.permits = WEFT_SEMAPHORE_INIT(n_max),
	};
	list_init(&pool->hosts);
	list_init(&pool->idle);
}

/* ---- Kept connections ---- */

/* Takes it out of those that are kept. */
static void wake_up(struct http_link *link)
{
	(void)weft_handle_cancel(&link->timer);
	list_unlink(&link->idle_link);
	link->pool->n_idle--;
}

static void close_link(struct http_link *link)
{
	weft_stream_abort(link->stream);
	free(link);
}

static void close_idle(void *arg)
{
	struct http_link *link = arg;

	wake_up(link);
	close_link(link);
}

void weft__http_pool_fini(struct http_pool *pool)
{
	weft_assert(!pool->n_used,
		    "%d responses are left: weft_http_response_free() them before "
		    "weft_http_client_free()",
		    pool->n_used);
	while (!list_is_empty(&pool->idle))
		close_idle(list_entry(pool->idle.next, struct http_link, idle_link));
}

/* Has nothing come that nobody asked for, and not the end either? */
static bool is_quiet(const struct http_link *link)
{
	return !weft__stream_has_unread(link->stream) &&
	       !weft__stream_peer_is_gone(link->stream);
}

/* The one used last, since it is the least likely to be closed; NULL if there is none. */
static struct http_link *find_idle(struct http_pool *pool, const char *address)
{
	struct list *prev;

	for (struct list *at = pool->idle.prev; at != &pool->idle; at = prev) {
		struct http_link *link = list_entry(at, struct http_link, idle_link);

		prev = at->prev;
		if (strcmp(link->address, address) != 0)
			continue;
		wake_up(link);
		if (is_quiet(link))
			return link;
		close_link(link);
	}
	return NULL;
}

static void keep(struct http_link *link)
{
	struct http_pool *pool = link->pool;

	link->was_kept = true;
	list_push_back(&pool->idle, &link->idle_link);
	pool->n_idle++;
	/* Cannot fail: the handle is ours, and so is the loop. */
	(void)weft_loop_call_later(pool->loop, pool->keep_alive_ns, close_idle, link,
				   &link->timer);
}

/* ---- Permits ---- */

/* The host's entry, with one user more. NULL without memory. */
static struct http_host *find_host(struct http_pool *pool, const char *address)
{
	struct http_host *host;

	list_for_each (link, &pool->hosts) {
		host = list_entry(link, struct http_host, hosts_link);
		if (!strcmp(host->address, address)) {
			host->n_users++;
			return host;
		}
	}
	host = weft__zalloc(sizeof(*host) + strlen(address) + 1);
	if (!host)
		return NULL;
	strcpy(host->address, address);
	host->permits = (struct weft_semaphore)WEFT_SEMAPHORE_INIT(pool->n_max_per_host);
	host->n_users = 1;
	list_push_back(&pool->hosts, &host->hosts_link);
	return host;
}

static void leave_host(struct http_host *host)
{
	if (--host->n_users)
		return;
	list_unlink(&host->hosts_link);
	free(host);
}

static int acquire(struct http_pool *pool, const char *address, struct http_host **host)
{
	int r;

	*host = NULL;
	if (pool->n_max_per_host) {
		*host = find_host(pool, address);
		if (!*host)
			return -ENOMEM;
		r = weft_semaphore_acquire(&(*host)->permits);
		if (r < 0)
			goto leave_host;
	}
	r = weft_semaphore_acquire(&pool->permits);
	if (r == 0) {
		pool->n_used++;
		return 0;
	}
	if (*host)
		(void)weft_semaphore_release(&(*host)->permits);
leave_host:
	if (*host)
		leave_host(*host);
	return r;
}

static void release(struct http_pool *pool, struct http_host *host)
{
	pool->n_used--;
	(void)weft_semaphore_release(&pool->permits); /* cannot fail: it has no limit */
	if (!host)
		return;
	(void)weft_semaphore_release(&host->permits);
	leave_host(host);
}

/* ---- Taking and giving ---- */

static int open_link(struct http_pool *pool, const char *address, struct http_link **link)
{
	struct http_link *made;
	int r;

	made = weft__zalloc(sizeof(*made) + strlen(address) + 1);
	if (!made)
		return -ENOMEM;
	made->pool = pool;
	list_init(&made->idle_link);
	strcpy(made->address, address);
	/* Those in use count one that is only about to be: this one. */
	if (pool->n_idle && pool->n_used + pool->n_idle > pool->n_max)
		close_idle(list_entry(pool->idle.next, struct http_link, idle_link));
	r = weft_connect(address, NULL, &made->stream);
	if (r < 0) {
		free(made);
		return r;
	}
	*link = made;
	return 0;
}

int weft__http_pool_take(struct http_pool *pool, const char *address, bool must_be_new,
			 struct http_link **link)
{
	struct http_link *found = NULL;
	struct http_host *host;
	int r;

	r = acquire(pool, address, &host);
	if (r < 0)
		return r;
	if (!must_be_new)
		found = find_idle(pool, address);
	if (!found) {
		r = open_link(pool, address, &found);
		if (r < 0) {
			release(pool, host);
			return r;
		}
	}
	found->host = host;
	*link = found;
	return 0;
}

void weft__http_pool_give(struct http_link *link, bool may_be_kept)
{
	if (!link)
		return;
	release(link->pool, link->host);
	link->host = NULL;
	if (may_be_kept)
		keep(link);
	else
		close_link(link);
}
