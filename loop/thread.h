/*
 * What the library knows of the calling thread: who it is, and what runs on it.
 *
 * Each thread has a number that is never used again, so that "is this the loop's thread?"
 * is one comparison. In the child of a fork() the surviving thread loses its number for
 * good: nothing is its own any more, and the slow path behind each refused call finds the
 * reason.
 */
#ifndef WEFT_LOOP_THREAD_H
#define WEFT_LOOP_THREAD_H

#include <weft/loop.h>

#include "base/base.h"

struct thread {
	uint64_t id; /* 0: not numbered yet, or forked */
	weft_loop *loop; /* the loop that runs here */
	void *task; /* task/'s: the task that runs here; begins with a struct carrier */
	struct context *context; /* of what runs here if it is no task; with a reference */
	/* The control thread, which holds the control lock whenever it runs anything. */
	bool is_control;
	bool runs_job; /* executor/'s: the thread belongs to a pool */
	bool in_job; /* executor/'s: and a job runs there now */
	/* executor/'s: weft_return() of the job that runs here; NULL without one. */
	int (*return_value)(void *value, void (*destroy)(void *value));
};

/* initial-exec: one instruction instead of a call, for a few words of static TLS. */
extern _Thread_local struct thread weft__thread
	__attribute__((tls_model("initial-exec")));

/* Gives the calling thread its number; 0 in a forked child. */
uint64_t weft__thread_number(void);
/* Is this the child of a fork() that happened after the library was first used? */
bool weft__thread_is_stale(void);

static inline uint64_t thread_id(void)
{
	uint64_t id = weft__thread.id;

	return likely(id) ? id : weft__thread_number();
}

#endif
