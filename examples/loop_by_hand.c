/*
 * What weft_run() does, by hand: make a loop, run it until a task has ended, close it.
 *
 * Good for programs that have a main loop of their own, or want to run several things on
 * one loop, one after the other. weft_loop_close() cancels the tasks that are left and
 * lets them clean up; it names whoever does not end.
 */
#include <stdio.h>
#include <weft/weft.h>

static int hello(void *arg)
{
	int r;

	printf("hello, %s\n", (const char *)arg);
	r = weft_sleep(1 * WEFT_SEC);
	if (r < 0)
		return r;

	printf("hello again, %s\n", (const char *)arg);
	return 0;
}

static int left_over(void *arg)
{
	int r;

	(void)arg;
	r = weft_sleep(3600 * WEFT_SEC);
	printf("left over: %s\n", weft_error_text(r));
	return r;
}

int main(void)
{
	weft_future *future;
	weft_loop *loop;
	int r;

	r = weft_loop_new(NULL, &loop);
	if (r < 0)
		return weft_exit_status(r);

	r = weft_spawn_on(loop, left_over, NULL, NULL);
	if (r == 0)
		r = weft_spawn_on(loop, hello, "world", &future); /* nothing runs yet */
	if (r == 0) {
		r = weft_loop_run_until(loop, future); /* now it does, for a second */
		if (r == 0)
			r = weft_future_result(future);
		weft_future_unref(future);
	}
	weft_loop_close(loop);
	return weft_exit_status(r);
}

/*
 * Output:
 *
 *	$ ./loop_by_hand
 *	hello, world
 *	hello again, world
 *	left over: cancelled
 */
