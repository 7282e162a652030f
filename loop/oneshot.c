/*
 * Waiting for another thread, once; oneshot.h has the model.
 */
#include "loop/oneshot.h"

#include "loop/loop.h"

static void on_set(void *arg)
{
	struct oneshot *oneshot = arg;

	loop_outside_came(oneshot->loop);
	oneshot->done = true;
	if (oneshot->task)
		weft__loop_hooks()->wake(oneshot->task);
}

void weft__oneshot_init(struct oneshot *oneshot)
{
	*oneshot = (struct oneshot){
		.loop = weft__thread.task ? weft__thread.loop : NULL,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	handle_init(&oneshot->handle, HANDLE_DIRECT, on_set, oneshot);
	if (oneshot->loop)
		loop_expect_outside(oneshot->loop);
}

void weft__oneshot_set(struct oneshot *oneshot)
{
	if (oneshot->loop) {
		(void)weft__loop_post(oneshot->loop,
				      &oneshot->handle); /* open: a task waits there */
		return;
	}
	pthread_mutex_lock(&oneshot->lock);
	oneshot->done = true;
	pthread_cond_signal(
		&oneshot->changed); /* under the lock: the waiter frees it next */
	pthread_mutex_unlock(&oneshot->lock);
}

void weft__oneshot_wait(struct oneshot *oneshot)
{
	if (oneshot->loop) {
		while (!oneshot->done) {
			oneshot->task = weft__thread.task;
			weft__loop_hooks()->suspend();
		}
	} else {
		pthread_mutex_lock(&oneshot->lock);
		while (!oneshot->done)
			pthread_cond_wait(&oneshot->changed, &oneshot->lock);
		pthread_mutex_unlock(&oneshot->lock);
	}
	pthread_mutex_destroy(&oneshot->lock);
	pthread_cond_destroy(&oneshot->changed);
}
