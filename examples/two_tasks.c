/*
 * Two tasks on one thread.
 *
 * Both print the id of their thread: it is the same. They take turns where they wait,
 * and only there, so count() needs no lock for what it shares with the other task. The
 * group waits for both; had one failed, it would have cancelled the other.
 */
#include <pthread.h>
#include <stdio.h>
#include <weft/weft.h>

/* Shared, and safe: between two waits nobody else runs on this loop. */
static int n_lines;

static int count(void *arg)
{
	const char *name = arg;
	int r;

	for (int i = 1; i <= 3; i++) {
		printf("line %d: task %s says %d on thread %#lx\n", ++n_lines, name, i,
		       (unsigned long)pthread_self());
		r = weft_sleep(100 * WEFT_MSEC);
		if (r < 0)
			return r;
	}
	return 0;
}

static int app(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	weft_group_spawn(&group, count, "a"); /* an error is told by weft_group_end() */
	weft_group_spawn(&group, count, "b");
	return weft_group_end(&group, 0);
}

int main(void)
{
	return weft_exit_status(weft_run(app, NULL));
}

/*
 * Output, the thread's id being another each time:
 *
 *	$ ./two_tasks
 *	line 1: task a says 1 on thread 0x7f12e1a4b740
 *	line 2: task b says 1 on thread 0x7f12e1a4b740
 *	line 3: task a says 2 on thread 0x7f12e1a4b740
 *	line 4: task b says 2 on thread 0x7f12e1a4b740
 *	line 5: task a says 3 on thread 0x7f12e1a4b740
 *	line 6: task b says 3 on thread 0x7f12e1a4b740
 */
