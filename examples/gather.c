/*
 * Three tasks that sleep for 3, 2 and 1 seconds, side by side: 3 seconds in all, not 6.
 *
 * weft_gather() starts a task for each call and waits until all have ended. Argument and
 * result travel in a struct of the caller's, which outlives the tasks because the caller
 * waits for them. What happens when such a task blocks its thread instead is in
 * blocking.c.
 */
#include <stdio.h>
#include <weft/weft.h>

struct sleeper {
	int seconds;
	weft_time slept; /* the result */
};

static int sleeper(void *arg)
{
	const char *name = weft_task_name(weft_task_current());
	struct sleeper *s = arg;
	weft_time start = weft_now();
	int r;

	printf("%s: sleeps for %d s\n", name, s->seconds);
	r = weft_sleep(s->seconds * WEFT_SEC);
	if (r < 0)
		return r;

	s->slept = weft_now() - start;
	printf("%s: is awake\n", name);
	return 0;
}

static int app(void *arg)
{
	struct sleeper a = { .seconds = 3 }, b = { .seconds = 2 }, c = { .seconds = 1 };
	struct weft_call calls[] = {
		{ .fn = sleeper, .arg = &a, .name = "A" },
		{ .fn = sleeper, .arg = &b, .name = "B" },
		{ .fn = sleeper, .arg = &c, .name = "C" },
	};
	weft_time start = weft_now();
	int r;

	(void)arg;
	r = weft_gather(calls, 3); /* each call's own outcome is in calls[i].result */
	if (r < 0)
		return r;

	printf("slept %.1f s, %.1f s and %.1f s in %.1f s\n", (double)a.slept / WEFT_SEC,
	       (double)b.slept / WEFT_SEC, (double)c.slept / WEFT_SEC,
	       (double)(weft_now() - start) / WEFT_SEC);
	return 0;
}

int main(void)
{
	return weft_exit_status(weft_run(app, NULL));
}

/*
 * Output:
 *
 *	$ ./gather
 *	A: sleeps for 3 s
 *	B: sleeps for 2 s
 *	C: sleeps for 1 s
 *	C: is awake
 *	B: is awake
 *	A: is awake
 *	slept 3.0 s, 2.0 s and 1.0 s in 3.0 s
 */
