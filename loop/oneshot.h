/*
 * Waiting for another thread, once, wherever one is: a plain thread blocks, a task
 * suspends.
 *
 * For calls that any thread may make and that have to wait for a loop or a thread
 * (closing loops, withdrawing a handle). The storage is the waiter's; the other side sets
 * it once and does not touch it afterwards. The wait cannot be cancelled, so whatever
 * sets it must be bound to come.
 */
#ifndef WEFT_LOOP_ONESHOT_H
#define WEFT_LOOP_ONESHOT_H

#include <pthread.h>

#include "loop/handle.h"

struct oneshot {
	weft_loop *loop; /* the waiting task's; NULL: a plain thread waits */
	struct handle handle; /* the message to it */
	void *task; /* task/'s, while it is suspended */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done; /* the waiter's loop's thread, or under lock */
};

/* On the thread that will wait. */
void weft__oneshot_init(struct oneshot *oneshot);
/* Any thread, once. */
void weft__oneshot_set(struct oneshot *oneshot);
/* What was set happened before this returns. */
void weft__oneshot_wait(struct oneshot *oneshot);

#endif
