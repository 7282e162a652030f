/*
 * One task waits for a future, another sets its result.
 *
 * A future is a place for a result that is not there yet. Whoever waits for one asks two
 * questions: did my wait succeed (weft_future_await), and did the work
 * (weft_future_result)? Many may wait for the same future, and giving up a wait does not
 * disturb the others.
 */
#include <stdio.h>
#include <weft/weft.h>

static int bring(void *arg)
{
	weft_future *future = arg;
	int r;

	printf("bring: on my way\n");
	r = weft_sleep(1 * WEFT_SEC);
	if (r < 0)
		return r;

	printf("bring: here it is\n");
	return weft_future_set_result(future, "the parcel", NULL); /* nothing to free */
}

static int wait_for_it(weft_future *future)
{
	int r;

	printf("app:   waiting\n");
	r = weft_future_await(future);
	if (r < 0)
		return r; /* we were cancelled; the future is as it was */

	r = weft_future_result(future);
	if (r < 0)
		return r; /* the work has failed */

	printf("app:   got %s\n", (const char *)weft_future_value(future));
	return 0;
}

static int app(void *arg)
{
	struct weft_group group;
	weft_future *future;
	int r;

	(void)arg;
	r = weft_future_new(&future);
	if (r < 0)
		return r;

	weft_group_begin(&group);
	weft_group_spawn(&group, bring, future);
	r = wait_for_it(future);
	r = weft_group_end(&group, r);
	weft_future_unref(future);
	return r;
}

int main(void)
{
	return weft_exit_status(weft_run(app, NULL));
}

/*
 * Output, with a second between the second line and the third:
 *
 *	$ ./future
 *	app:   waiting
 *	bring: on my way
 *	bring: here it is
 *	app:   got the parcel
 */
