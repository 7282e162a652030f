/*
 * A task that is cancelled cleans up first, and its clean-up waits.
 *
 * Cancelling is a request: the wait in progress returns -ECANCELED, and the function
 * unwinds as it would for any error. Waits after that work again, so the clean-up may
 * take its time. What a second request must not cut short goes into a shield, and a
 * shield has a limit.
 */
#include <stdio.h>
#include <weft/weft.h>

static int write_entries(void)
{
	int r = 0;

	while (r == 0) {
		printf("journal: an entry\n");
		r = weft_sleep(1 * WEFT_SEC);
	}
	return r;
}

static int journal(void *arg)
{
	struct weft_shield shield;
	int r;

	(void)arg;
	printf("journal: open\n");
	r = write_entries();
	printf("journal: %s\n", weft_error_text(r)); /* the reason that was given */

	weft_shield_begin(&shield, 5 * WEFT_SEC);
	if (weft_sleep(1 * WEFT_SEC) == 0) /* stands for a slow disk */
		printf("journal: closed\n");
	return weft_shield_end(&shield, r); /* -ECANCELED travels up unchanged */
}

static int app(void *arg)
{
	weft_task *task;
	int r;

	(void)arg;
	r = weft_spawn(journal, NULL, &task);
	if (r < 0)
		return r;

	r = weft_sleep(1500 * WEFT_MSEC);
	weft_task_cancel(task, "the day is over");
	if (r == 0)
		r = weft_sleep(500 * WEFT_MSEC);
	weft_task_cancel(task, "hurry up"); /* waits until the shield is down */
	if (weft_task_join(task) == -ECANCELED)
		printf("app:     the journal has ended\n");
	return r;
}

int main(void)
{
	return weft_exit_status(weft_run(app, NULL));
}

/*
 * Output:
 *
 *	$ ./cleanup
 *	journal: open
 *	journal: an entry
 *	journal: an entry
 *	journal: the day is over
 *	journal: closed
 *	app:     the journal has ended
 */
