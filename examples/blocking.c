/*
 * The sleepers of gather.c again, but they sleep by nanosleep(), as a library would that
 * cannot be rewritten: on the loop first, then in the executor.
 *
 * nanosleep() suspends the thread, and with it the loop and all its tasks: B cannot even
 * begin before A is awake, and the three need 6 seconds. weft_run_in_executor() runs the
 * same call on a thread of a pool and suspends the task alone: 3 seconds again.
 */
#include <stdio.h>
#include <time.h>
#include <weft/weft.h>

struct sleeper {
	int seconds;
	bool in_executor;
};

static int nap(void *arg)
{
	const struct sleeper *s = arg;
	struct timespec time = { .tv_sec = s->seconds };

	return nanosleep(&time, NULL) < 0 ? -errno : 0;
}

static int sleeper(void *arg)
{
	const char *name = weft_task_name(weft_task_current());
	struct sleeper *s = arg;
	int r;

	printf("  %s: sleeps for %d s\n", name, s->seconds);
	r = s->in_executor ? weft_run_in_executor(NULL, nap, s) : nap(s);
	if (r < 0)
		return r;

	printf("  %s: is awake\n", name);
	return 0;
}

static int three_sleepers(const char *title, bool in_executor)
{
	struct sleeper a = { 3, in_executor };
	struct sleeper b = { 2, in_executor };
	struct sleeper c = { 1, in_executor };
	struct weft_call calls[] = {
		{ .fn = sleeper, .arg = &a, .name = "A" },
		{ .fn = sleeper, .arg = &b, .name = "B" },
		{ .fn = sleeper, .arg = &c, .name = "C" },
	};
	weft_time start = weft_now();
	int r;

	printf("%s:\n", title);
	r = weft_gather(calls, 3);
	printf("%.1f s in all\n", (double)(weft_now() - start) / WEFT_SEC);
	return r;
}

static int app(void *arg)
{
	int r;

	(void)arg;
	r = three_sleepers("on the loop", false);
	if (r < 0)
		return r;
	return three_sleepers("in the executor", true);
}

int main(void)
{
	return weft_exit_status(weft_run(app, NULL));
}

/*
 * Output:
 *
 *	$ ./blocking
 *	on the loop:
 *	  A: sleeps for 3 s
 *	  A: is awake
 *	  B: sleeps for 2 s
 *	  B: is awake
 *	  C: sleeps for 1 s
 *	  C: is awake
 *	6.0 s in all
 *	in the executor:
 *	  A: sleeps for 3 s
 *	  B: sleeps for 2 s
 *	  C: sleeps for 1 s
 *	  C: is awake
 *	  B: is awake
 *	  A: is awake
 *	3.0 s in all
 */
