/*
 * A plain thread asks a loop on another thread to run a task, and blocks for the answer.
 *
 * main() here stands for any program that has threads of its own and wants what a loop
 * does well. weft_spawn_on() works from every thread, on every loop; it gives a future.
 * A plain thread waits for that by weft_future_wait(), which blocks, and therefore is
 * refused on a thread with a loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <weft/weft.h>

static int fetch(void *arg)
{
	char *page;
	int r;

	r = weft_sleep(100 * WEFT_MSEC); /* stands for a request over the network */
	if (r < 0)
		return r;

	page = malloc(64);
	if (!page)
		return -ENOMEM;

	snprintf(page, 64, "contents of %s", (const char *)arg);
	return weft_return(page, free); /* the future's, which frees it */
}

static int ask(weft_loop *loop)
{
	weft_future *future;
	int r;

	r = weft_spawn_on(loop, fetch, "the page", &future);
	if (r < 0)
		return r;

	r = weft_future_wait(future, 5 * WEFT_SEC);
	if (r == 0)
		r = weft_future_result(future);
	if (r == 0)
		printf("%s\n", (const char *)weft_future_value(future));
	weft_future_unref(future);
	return r;
}

int main(void)
{
	weft_loops *loops;
	int r;

	/* One loop, which runs on a thread of its own. */
	r = weft_loops_new(1, NULL, &loops);
	if (r < 0)
		return weft_exit_status(r);

	r = ask(weft_loops_get(loops, 0));
	weft_loops_close(loops); /* cancels fetch(), had we given up */
	return weft_exit_status(r);
}

/*
 * Output:
 *
 *	$ ./from_a_thread
 *	contents of the page
 */
