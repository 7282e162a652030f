/*
 * Give up after a second.
 *
 * A timeout is not a parameter of each wait, but covers all waits inside it, however
 * deep. When it expires the wait in progress returns -ECANCELED, the code below it
 * cleans up as it would for any cancellation, and the end of the timeout turns the code
 * into -ETIMEDOUT.
 */
#include <stdio.h>
#include <weft/weft.h>

static int eternity(void *arg)
{
	int r;

	(void)arg;
	r = weft_sleep(3600 * WEFT_SEC);
	if (r < 0)
		printf("eternity: I was told to end\n");
	return r;
}

/* Several steps under one limit: the second step gets what the first has left. */
static int two_steps(void)
{
	struct weft_timeout timeout;
	int r;

	weft_timeout_begin(&timeout, 1 * WEFT_SEC);
	r = weft_sleep(100 * WEFT_MSEC);
	if (r == 0)
		r = eternity(NULL);
	return weft_timeout_end(&timeout, r);
}

static int app(void *arg)
{
	int r;

	(void)arg;
	r = weft_wait_for(eternity, NULL, 1 * WEFT_SEC);
	printf("one call: %s\n", r == -ETIMEDOUT ? "timeout!" : weft_error_text(r));
	r = two_steps();
	printf("two steps: %s\n", r == -ETIMEDOUT ? "timeout!" : weft_error_text(r));
	return 0;
}

int main(void)
{
	return weft_exit_status(weft_run(app, NULL));
}

/*
 * Output, after a second and after another one:
 *
 *	$ ./wait_for
 *	eternity: I was told to end
 *	one call: timeout!
 *	eternity: I was told to end
 *	two steps: timeout!
 */
