/*
 * A program for tests/debug/weft_gdb.sh: tasks that wait, one that never ran, and one that runs.
 *
 * When everything stands as it is to be looked at, everything_is_parked() is called. With an
 * argument it then aborts, for a core file; else it ends.
 */
#include <stdio.h>
#include <stdlib.h>

#include <weft/weft.h>

void everything_is_parked(void);

/* Where the debugger stops. */
__attribute__((noinline)) void everything_is_parked(void)
{
	__asm__ volatile("");
}

__attribute__((noinline)) static int innermost(int secret)
{
	int r = weft_sleep(3600 * WEFT_SEC);

	return r < 0 ? r : secret;
}

__attribute__((noinline)) static int middle(int secret)
{
	int r = innermost(secret + 1);

	return r < 0 ? r : secret;
}

static int sleeper(void *arg)
{
	int r = middle(41);

	(void)arg;
	return r;
}

static int joiner(void *arg)
{
	weft_task *task;
	int r = weft_spawn_with(sleeper, NULL,
				&(struct weft_spawn_options){ .name = "joined" }, &task);

	(void)arg;
	return r < 0 ? r : weft_task_join(task);
}

static int grouper(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	weft_group_spawn_with(&group, sleeper, NULL,
			      &(struct weft_spawn_options){ .name = "member" });
	return weft_group_end(&group, 0);
}

static int observer(void *task)
{
	return weft_future_await(weft_task_future(task));
}

static int newcomer(void *arg)
{
	(void)arg;
	return 0;
}

__attribute__((noinline)) static int on_thread_stack(void *arg)
{
	(void)arg;
	everything_is_parked();
	return 0;
}

static int app(void *arg)
{
	struct weft_group group;
	weft_task *task;
	int r;

	weft_group_begin(&group);
	weft_group_spawn(&group, sleeper, NULL);
	task = weft_group_spawn(&group, joiner, NULL);
	weft_group_spawn(&group, grouper, NULL);
	weft_group_spawn(&group, observer, task);
	r = weft_sleep(10 * WEFT_MSEC);
	weft_group_spawn(&group, newcomer, NULL);
	if (r == 0 && arg)
		r = weft_call_on_thread_stack(on_thread_stack, NULL);
	else
		everything_is_parked();
	weft_group_cancel(&group);
	return weft_group_end(&group, r);
}

int main(int argc, char **argv)
{
	return weft_exit_status(weft_run(app, argc > 1 ? argv : NULL));
}
