/*
 * Watching several futures at once, and weft_wait(). observe.h has the model. On the thread of
 * the observing task, except for notify().
 */
#include "task/observe.h"

#include "task/cycle.h"

enum { N_FEW = 8 }; /* futures that a stack has room for */

/* ---- Being told ---- */

bool weft__observe_is_over(const struct observer *observer, enum weft_return_when until)
{
	if (observer->n_untold == 0)
		return true;
	return until == WEFT_FIRST_COMPLETED ? !list_is_empty(&observer->told)
	       : until == WEFT_FIRST_ERROR   ? observer->has_failure
					     : false;
}

static void note(struct observer *observer, struct observed *one)
{
	one->is_told = true;
	observer->n_untold--;
	observer->has_failure |= future_has_failed(one->future);
	list_push_back(&observer->told, &one->told_link);
}

static void be_told(void *arg)
{
	struct observed *one = arg;
	struct observer *observer = one->observer;

	note(observer, one);
	if (!observer->is_parked || !weft__observe_is_over(observer, observer->until))
		return;
	observer->is_parked = false;
	weft__unpark(&observer->park, 0);
}

/* Thread: the settler's. */
static void notify(struct future_waiter *waiter)
{
	struct observed *one = container_of(waiter, struct observed, waiter);

	if (one->future->is_shared)
		(void)weft__loop_post(one->observer->loop,
				      &one->message); /* open: a task of it observes */
	else
		be_told(one);
}

/* ---- Observing ---- */

int weft__observe_check(weft_future *const *futures, size_t n, const char *function)
{
	if (!task_current())
		return weft__task_none(function);
	for (size_t i = 0; i < n; i++)
		if (!futures[i]->is_shared && !loop_is_mine(futures[i]->loop))
			return weft__loop_refuse(futures[i]->loop, function);
	return 0;
}

static void begin_one(struct observer *observer, struct observed *one,
		      weft_future *future)
{
	one->observer = observer;
	one->future = future;
	one->waiter.notify = notify;
	one->is_told = false;
	list_init(&one->told_link);
	handle_init(&one->message, HANDLE_DIRECT, be_told, one);
	if (!weft__future_add_waiter(future, &one->waiter))
		note(observer, one);
}

void weft__observe_begin(struct observer *observer, struct observed *all,
			 weft_future *const *futures, size_t n)
{
	*observer = (struct observer){
		.loop = task_current()->loop,
		.all = all,
		.n = n,
		.n_untold = n,
	};
	list_init(&observer->told);
	for (size_t i = 0; i < n; i++)
		begin_one(observer, &all[i], futures[i]);
}

/* With what was settled and has its message on the way, is it over? */
static bool is_about_to_be_over(const struct observer *observer)
{
	size_t n_on_the_way = 0;

	for (size_t i = 0; i < observer->n; i++) {
		const struct observed *one = &observer->all[i];

		if (one->is_told || !future_is_settled(one->future))
			continue;
		if (observer->until == WEFT_FIRST_COMPLETED ||
		    (observer->until == WEFT_FIRST_ERROR &&
		     future_has_failed(one->future)))
			return true;
		n_on_the_way++;
	}
	return n_on_the_way == observer->n_untold;
}

static enum cancel_answer stop_waiting(struct park *park)
{
	struct observer *observer = container_of(park, struct observer, park);

	if (is_about_to_be_over(observer))
		return CANCEL_LATER; /* that comes first */
	observer->is_parked = false;
	return CANCEL_ENDS;
}

/* Is another thread going to tell us? */
static bool has_foreign(const struct observer *observer)
{
	for (size_t i = 0; i < observer->n; i++)
		if (!observer->all[i].is_told && observer->all[i].future->is_shared)
			return true;
	return false;
}

static int park(struct observer *observer)
{
	bool foreign = has_foreign(observer);
	int r;

	observer->is_parked = true;
	observer->loop->n_foreign += foreign;
	r = weft__park(&observer->park);
	observer->loop->n_foreign -= foreign;
	return r;
}

int weft__observe_wait(struct observer *observer, enum weft_return_when until,
		       const char *what)
{
	int r;

	observer->until = until;
	observer->park = (struct park){ .what = what,
					.cancel = stop_waiting,
					.awaited_all = observer };
	r = cycle_check_many(&observer->park);
	return r < 0 ? r : park(observer);
}

size_t weft__observe_end(struct observer *observer)
{
	size_t n_left = 0;

	for (size_t i = 0; i < observer->n; i++) {
		struct observed *one = &observer->all[i];

		if (one->is_told ||
		    !weft__future_remove_waiter(one->future, &one->waiter))
			continue;
		one->is_told = true;
		observer->n_untold--;
		n_left++;
	}
	if (observer->n_untold == 0)
		return n_left;
	observer->until = WEFT_ALL_COMPLETED;
	observer->park = (struct park){ .what = "futures that are being settled" };
	(void)park(observer);
	return n_left;
}

/* ---- weft_wait() ---- */

/* How many have settled; is the condition fulfilled by that? */
static size_t count_settled(weft_future *const *futures, size_t n,
			    enum weft_return_when until, bool *is_over)
{
	bool has_failure = false;
	size_t n_settled = 0;

	for (size_t i = 0; i < n; i++) {
		n_settled += future_is_settled(futures[i]);
		has_failure |= future_has_failed(futures[i]);
	}
	*is_over = n_settled == n || (until == WEFT_FIRST_COMPLETED && n_settled > 0) ||
		   (until == WEFT_FIRST_ERROR && has_failure);
	return n_settled;
}

/* Return: how many have settled, or a negative errno. */
static int wait_with(struct observed *all, weft_future *const *futures, size_t n,
		     enum weft_return_when until)
{
	static const char *const what[] = {
		[WEFT_ALL_COMPLETED] = "all of several futures",
		[WEFT_FIRST_COMPLETED] = "one of several futures",
		[WEFT_FIRST_ERROR] = "an error or all of several futures",
	};
	struct observer observer;
	int r = 0;

	weft__observe_begin(&observer, all, futures, n);
	if (!weft__observe_is_over(&observer, until))
		r = weft__observe_wait(&observer, until, what[until]);
	n -= weft__observe_end(&observer);
	return r < 0 ? r : (int)n;
}

int weft_wait(weft_future *const *futures, size_t n_futures,
	      enum weft_return_when return_when)
{
	struct observed few[N_FEW], *all = few;
	bool is_over;
	size_t n;
	int r = weft__observe_check(futures, n_futures, __func__);

	if (r < 0)
		return r;
	if (n_futures == 0 || (unsigned)return_when > WEFT_FIRST_ERROR)
		return weft_error_set(-EINVAL,
				      "weft_wait() takes at least one future, and "
				      "WEFT_ALL_COMPLETED, WEFT_FIRST_COMPLETED or "
				      "WEFT_FIRST_ERROR");
	n = count_settled(futures, n_futures, return_when, &is_over);
	if (is_over)
		return (int)n;
	r = weft__cancel_point(task_current());
	if (r < 0)
		return r;
	if (n_futures > N_FEW) {
		all = weft__alloc_array(n_futures, sizeof(*all));
		if (!all)
			return -ENOMEM;
	}
	r = wait_with(all, futures, n_futures, return_when);
	if (all != few)
		free(all);
	return r;
}
