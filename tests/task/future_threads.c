/*
 * task/future.c between threads: who may still be inside a future when it goes.
 */
#include <weft/task.h>

#include <pthread.h>
#include <sched.h>

#include "tests/test.h"

/* The owner: gives the only reference back as soon as it sees the outcome. */
static void *look_and_go(void *arg)
{
	weft_future *future = arg;

	while (!weft_future_is_done(future))
		sched_yield();
	weft_future_unref(future);
	return NULL;
}

static void settle_borrowed(int (*settle)(weft_future *future))
{
	for (int i = 0; i < 500; i++) {
		weft_future *future;
		pthread_t owner;

		cr_assert_eq(weft_future_new_shared(&future), 0);
		cr_assert_eq(pthread_create(&owner, NULL, look_and_go, future), 0);
		cr_expect_eq(settle(future), 0);
		pthread_join(owner, NULL);
	}
}

static int set_result(weft_future *future)
{
	return weft_future_set_result(future, NULL, NULL);
}

static int cancel(weft_future *future)
{
	return weft_future_cancel(future) ? 0 : -1;
}

/* That it is not touched any more is for AddressSanitizer and ThreadSanitizer to see. */
Test(future, may_go_while_somebody_settles_it)
{
	settle_borrowed(set_result);
}

Test(future, may_go_while_somebody_cancels_it)
{
	settle_borrowed(cancel);
}
