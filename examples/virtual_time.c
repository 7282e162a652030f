/*
 * A test of code that waits for hours, in no time.
 *
 * Under weft_test_run() the clock stands still while a task can run, and jumps to the
 * next deadline when all of them wait: nothing sleeps, nothing flickers. Each seed
 * shuffles which of the ready tasks goes first, and repeats its order: a failure found
 * once can be found again.
 */
#include <assert.h>
#include <stdio.h>
#include <weft/weft.h>

static int n_calls;

static int flaky(void)
{
	return ++n_calls < 3 ? -EAGAIN : 0;
}

/* What is to be tested: try again every hour. It knows nothing of the test. */
static int retry_hourly(void *arg)
{
	int r;

	(void)arg;
	while ((r = flaky()) == -EAGAIN) {
		r = weft_sleep(60 * WEFT_MIN);
		if (r < 0)
			return r;
	}
	return r;
}

static int retries_until_it_works(void *arg)
{
	weft_time start = weft_now();

	(void)arg;
	n_calls = 0;
	assert(retry_hourly(NULL) == 0);
	assert(weft_now() - start == 120 * WEFT_MIN); /* exactly: this clock never lags */
	return 0;
}

static int gives_up_in_time(void *arg)
{
	(void)arg;
	n_calls = 0;
	assert(weft_wait_for(retry_hourly, NULL, 90 * WEFT_MIN) == -ETIMEDOUT);
	assert(n_calls == 2);
	return 0;
}

int main(void)
{
	struct weft_test_options options = { .seed = 1, .n_seeds = 100 };

	if (weft_test_run(retries_until_it_works, NULL, &options) < 0)
		return 1;
	if (weft_test_run(gives_up_in_time, NULL, &options) < 0)
		return 1;

	printf("350 hours of retries: ok\n");
	return 0;
}

/*
 * Output, at once:
 *
 *	$ ./virtual_time
 *	350 hours of retries: ok
 */
