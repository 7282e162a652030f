/*
 * The threads of the resolver: a pool of its own, made by the first look-up and kept as long as
 * the process. Any thread.
 */
#include "net/lookup.h"

#include <pthread.h>
#include <weft/executor.h>

/* Look-ups wait for servers and not for CPUs; more at once would only hammer those. */
enum { MAX_THREADS = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weft_executor *pool; /* under the lock; once set it stays */

static int get_pool(weft_executor **out)
{
	struct weft_thread_pool_options options = {
		.name = "dns",
		.min_threads = 1,
		.max_threads = MAX_THREADS,
	};
	int r = 0;

	pthread_mutex_lock(&lock);
	if (!pool)
		r = weft_thread_pool_new(&options, &pool);
	*out = pool;
	pthread_mutex_unlock(&lock);
	return r;
}

int weft__lookup_run(weft_fn *fn, void *job, weft_destroy *destroy)
{
	weft_executor *dns;
	int r = get_pool(&dns);

	if (r < 0) {
		destroy(job);
		return r;
	}
	return weft_run_in_executor_owned(dns, fn, job, destroy);
}
