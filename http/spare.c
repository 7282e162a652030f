/*
 * Requests that are not in use. See http/spare.h.
 */
#include "http/spare.h"

#include <pthread.h>

/* So many may be kept; as a rule a loop is in the middle of fewer requests than that. */
#define KEPT_MAX 16

static _Thread_local struct weft_http_request *kept[KEPT_MAX];
static _Thread_local int n_kept;
static pthread_key_t kept_key;
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;

static void destroy(struct weft_http_request *request)
{
	weft__http_request_head_fini(&request->head);
	weft__http_memory_fini(&request->extra->memory);
	free(request->extra);
	free(request);
}

static void free_kept(void *unused)
{
	(void)unused;
	while (n_kept)
		destroy(kept[--n_kept]);
}

static void make_key(void)
{
	(void)pthread_key_create(&kept_key,
				 free_kept); /* else a thread's end leaks some */
}

static struct weft_http_request *create(void)
{
	struct weft_http_request *request = weft__zalloc(sizeof(*request));

	if (!request)
		return NULL;
	request->extra = weft__zalloc(sizeof(*request->extra));
	if (!request->extra) {
		free(request);
		return NULL;
	}
	pthread_once(&kept_once, make_key);
	(void)pthread_setspecific(kept_key, kept); /* any value makes it run */
	return request;
}

struct weft_http_request *weft__http_spare_take(const struct weft_http_app *app,
						weft_stream *stream)
{
	struct weft_http_request *request = n_kept ? kept[--n_kept] : create();

	if (!request)
		return NULL;
	request->app = app;
	request->stream = stream;
	request->has_lost_writes = false;
	request->has_left = false;
	weft__http_request_head_begin(&request->head, &app->limits);
	return request;
}

void weft__http_spare_give(struct weft_http_request *request)
{
	if (!request)
		return;
	weft__http_request_end(request);
	if (n_kept == KEPT_MAX)
		destroy(request);
	else
		kept[n_kept++] = request;
}
