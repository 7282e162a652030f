/*
 * Hello, and a second later hello again.
 *
 * A task is a function that runs on a stack of its own. weft_sleep() suspends the task,
 * not the thread: had we more tasks, they would run meanwhile. When the second is over
 * the function goes on behind the call, with all its variables.
 */
#include <stdio.h>
#include <weft/weft.h>

static int hello(void *arg)
{
	const char *name = arg;
	int r;

	printf("hello, %s\n", name);
	r = weft_sleep(1 * WEFT_SEC);
	if (r < 0)
		return r; /* -ECANCELED: Ctrl-C, for one, asked this task to end */

	printf("hello again, %s\n", name);
	return 0; /* 0 or more is success, a negative errno is failure */
}

int main(void)
{
	/* Makes an event loop, runs hello() on it as the first task, and cleans up. */
	return weft_exit_status(weft_run(hello, "world"));
}

/*
 * Output, the second line a second after the first:
 *
 *	$ ./hello
 *	hello, world
 *	hello again, world
 */
