/*
 * Numbers for threads, and what a fork() does to them; thread.h has the model.
 */
#include "loop/thread.h"

#include <pthread.h>

_Thread_local struct thread weft__thread __attribute__((tls_model("initial-exec")));

static _Atomic uint64_t last_id;
static bool stale; /* written only in a forked child, which has one thread */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void in_forked_child(void)
{
	stale = true;
	weft__thread = (struct thread){ 0 };
}

static void watch_forks(void)
{
	(void)pthread_atfork(NULL, NULL,
			     in_forked_child); /* without it a child is not warned */
}

uint64_t weft__thread_number(void)
{
	pthread_once(&fork_once, watch_forks);
	if (stale)
		return 0;
	/* Relaxed: the numbers must differ, nothing else. */
	weft__thread.id =
		atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	return weft__thread.id;
}

bool weft__thread_is_stale(void)
{
	return stale;
}
