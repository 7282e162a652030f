/*
 * Watching several futures at once, inside the library: what weft_wait() and weft_as_completed
 * are made of.
 *
 * An observer has a waiter on the list of each of its futures. When one settles the observer is
 * *told*, on its own thread: at once if the future is local, by a message if it is shared, since
 * whoever settles that is anywhere. An observer may leave at any time, but not while a message
 * is on its way: then it waits for that.
 */
#ifndef WEFT_TASK_OBSERVE_H
#define WEFT_TASK_OBSERVE_H

#include "task/future.h"

struct observed {
	struct future_waiter waiter;
	struct observer *observer;
	weft_future *future;
	struct list told_link;
	bool is_told; /* or need not be any more */
	struct handle message; /* to the observer, from another thread */
};

struct observer {
	struct park park; /* of the task, while it waits */
	bool is_parked;
	enum weft_return_when until; /* what it waits for */
	bool has_failure; /* one settled with an error that is no cancellation */
	weft_loop *loop;
	struct observed *all; /* n of them, the caller's memory */
	size_t n;
	size_t n_untold;
	struct list told; /* struct observed, by told_link, in the order of telling */
};

/* 0, or why the running task may not observe these. */
int weft__observe_check(weft_future *const *futures, size_t n, const char *function);

/* Starts with `all`, room for n; of those that are settled it is told at once. */
void weft__observe_begin(struct observer *observer, struct observed *all,
			 weft_future *const *futures, size_t n);

/*
 * Waits until what is told fulfils `until`; `what` is for dumps. Return: 0, -ECANCELED or -EDEADLK. Not to
 * be called if it is fulfilled already.
 */
int weft__observe_wait(struct observer *observer, enum weft_return_when until,
		       const char *what);

/* Is it fulfilled? */
bool weft__observe_is_over(const struct observer *observer, enum weft_return_when until);

/* Does its wait need every future that it was not told of? */
static inline bool observer_needs_all(const struct observer *observer)
{
	return observer->until == WEFT_ALL_COMPLETED || observer->n_untold == 1;
}

/*
 * Leaves: nobody refers to `all` any more. Return: how many had not settled. The futures that it
 * was told of are not touched: whoever was told, too, may have given them back.
 */
size_t weft__observe_end(struct observer *observer);

/* Has it settled with an error that is no cancellation? */
static inline bool future_has_failed(const weft_future *future)
{
	return future_is_settled(future) && future->result < 0 &&
	       future->result != -ECANCELED;
}

#endif
