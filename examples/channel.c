/*
 * A plain thread hands out work, and the tasks of three loops do it.
 *
 * A channel is a bounded queue for any thread: a task that must wait suspends, a plain
 * thread blocks. So it joins what has a loop to what has none, and it spreads work by
 * itself: whoever is free gets the next item. After weft_channel_shutdown() what is in it
 * still comes out; then each get returns -ESHUTDOWN, which ends the workers.
 */
#include <stdio.h>
#include <weft/weft.h>

enum { N_LOOPS = 3, N_JOBS = 20 };

struct result {
	int job;
	int square;
};

static weft_channel *jobs, *results;

static int work(void *arg)
{
	int *n_done = arg; /* this worker's own */
	int job, r;

	while ((r = weft_channel_get(jobs, &job)) == 0) {
		struct result result = { job, job * job };

		r = weft_sleep(1 * WEFT_MSEC); /* a worker may wait for anything */
		if (r == 0)
			r = weft_channel_put(results, &result);
		if (r < 0)
			return r;
		++*n_done;
	}
	return r == -ESHUTDOWN ? 0 : r;
}

/* On the main thread, which has no loop and blocks. */
static int hand_out_and_collect(void)
{
	int sum = 0, next = 1, n_left = N_JOBS;

	while (n_left > 0) {
		struct result result;
		/* What can be done first; once all is handed out, the second alone. */
		struct weft_channel_case cases[] = {
			WEFT_CASE_PUT(jobs, &next),
			WEFT_CASE_GET(results, &result),
		};
		int first = next <= N_JOBS ? 0 : 1;
		size_t chosen;
		int r = weft_channel_select(cases + first, (size_t)(2 - first), &chosen);

		if (r < 0)
			return r;
		if (first + chosen == 0) {
			next++;
		} else {
			sum += result.square;
			n_left--;
		}
	}
	weft_channel_shutdown(jobs);
	printf("%d jobs, the squares add up to %d\n", N_JOBS, sum);
	return 0;
}

int main(void)
{
	int n_done[N_LOOPS] = { 0 }, n_by_all = 0;
	weft_future *ends[N_LOOPS];
	weft_loops *loops;
	int r;

	if (weft_channel_new(sizeof(int), 2, NULL, &jobs) < 0)
		return 1;
	if (weft_channel_new(sizeof(struct result), 2, NULL, &results) < 0)
		return 1;
	if (weft_loops_new(N_LOOPS, NULL, &loops) < 0)
		return 1;
	for (int i = 0; i < N_LOOPS; i++) {
		r = weft_spawn_on(weft_loops_get(loops, i), work, &n_done[i], &ends[i]);
		if (r < 0)
			return weft_exit_status(r);
	}

	r = hand_out_and_collect();

	for (int i = 0; i < N_LOOPS && r == 0; i++) {
		r = weft_future_wait(ends[i], WEFT_FOREVER);
		if (r == 0)
			r = weft_future_result(ends[i]);
		weft_future_unref(ends[i]);
		n_by_all += n_done[i];
	}
	printf("%d were done by the tasks of %d loops\n", n_by_all, N_LOOPS);
	weft_loops_close(loops);
	weft_channel_unref(jobs);
	weft_channel_unref(results);
	return weft_exit_status(r);
}

/*
 * Output:
 *
 *	$ ./channel
 *	20 jobs, the squares add up to 2870
 *	20 were done by the tasks of 3 loops
 */
