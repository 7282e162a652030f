/*
 * weft's sides of the bench "timer".
 *
 * Timers are set, cancelled and run by the public calls. Only the clock is ours: a minute
 * has to pass in a moment, so the loop is put on a virtual clock, and a callback that is
 * always ready moves it on, a millisecond at a time as the floor does. (The clock of
 * weft_test_run() would jump from deadline to deadline, and look at the kernel before each.)
 */
#include <weft/loop.h>

#include "bench/measure.h"
#include "bench/ours/ours.h"
#include "loop/turn.h"

static const weft_time span_us = 60 * 1000 * 1000; /* deadlines lie within a minute */

struct timer {
	struct weft_handle handle;
	weft_time after_ns;
};

static weft_loop *loop;
static weft_time expired_sum;

static void on_expired(void *arg)
{
	struct timer *timer = arg;

	expired_sum += timer->after_ns;
}

static struct timer *new_timers(long n)
{
	struct timer *timers = weft__alloc_array((size_t)n, sizeof(*timers));
	uint64_t random = 88172645463325252u;

	if (!timers)
		bench_die("no memory for %ld timers", n);
	for (long i = 0; i < n; i++)
		timers[i].after_ns =
			(1 + (weft_time)(bench_random(&random) % (uint64_t)span_us)) *
			WEFT_USEC;
	return timers;
}

static void set(struct timer *timer, weft_time now)
{
	if (weft_loop_call_at(loop, now + timer->after_ns, on_expired, timer,
			      &timer->handle) < 0)
		bench_die("a timer was refused");
}

static void cancel(struct timer *timer)
{
	if (!weft_handle_cancel(&timer->handle))
		bench_die("a timer was not there to be cancelled");
}

/* ---- Insert, cancel, expire ---- */

static weft_time clock_end;

static void move_clock(void *unused)
{
	if (loop->virtual_now >= clock_end) {
		weft_loop_stop(loop);
		return;
	}
	loop->virtual_now += WEFT_MSEC;
	weft__loop_expire_timers(loop);
	if (weft_loop_call_soon(loop, move_clock, unused, NULL) < 0)
		bench_die("no memory for a callback");
}

/* Return: 0 once a minute has passed. */
static int expire_all(void)
{
	clock_end = loop->virtual_now + span_us * WEFT_USEC;
	if (weft_loop_call_soon(loop, move_clock, NULL, NULL) < 0)
		bench_die("no memory for a callback");
	return weft_loop_run(loop);
}

/* After every second one was cancelled. */
static void check_expired(const struct timer *timers, long n)
{
	weft_time wanted = 0;

	for (long i = 1; i < n; i += 2)
		wanted += timers[i].after_ns;
	if (expired_sum != wanted)
		bench_die("weft lost a timer");
	expired_sum = 0;
}

static int new_loop(void)
{
	int r = weft_loop_new(NULL, &loop);

	if (r < 0)
		return r;
	bench_pin(1);
	loop->virtual_now = weft__clock();
	loop->is_virtual = true;
	return 0;
}

int ours_timers(const struct bench_case *c, double *values)
{
	struct bench_rounds insert = { .n = 0 }, cancelling = { .n = 0 },
			    expire = { .n = 0 };
	struct timer *timers = new_timers(c->n);
	int r = new_loop();

	while (r == 0 && bench_more(&insert)) {
		weft_time at[4], now = loop->virtual_now;

		at[0] = bench_thread_cpu();
		for (long i = 0; i < c->n; i++)
			set(&timers[i], now);
		at[1] = bench_thread_cpu();
		for (long i = 0; i < c->n; i += 2)
			cancel(&timers[i]);
		at[2] = bench_thread_cpu();
		r = expire_all();
		at[3] = bench_thread_cpu();
		check_expired(timers, c->n);
		bench_add(&insert, (double)(at[1] - at[0]) / (double)c->n);
		bench_add(&cancelling, (double)(at[2] - at[1]) / ((double)c->n / 2));
		bench_add(&expire, (double)(at[3] - at[2]) / ((double)c->n / 2));
	}
	values[0] = bench_median(&insert);
	values[1] = bench_median(&cancelling);
	values[2] = bench_median(&expire);
	return r;
}

/* ---- Set and cancel alone, with a clock that stands still ---- */

int ours_timers_set_and_cancel(const struct bench_case *c, double *values)
{
	enum { ROUND = 100 * 1000 };
	struct bench_rounds rounds = { .n = 0 };
	struct timer *timers = new_timers(c->n), *more = new_timers(ROUND);
	int r = new_loop();

	if (r < 0)
		return r;
	for (long i = 0; i < c->n; i++)
		set(&timers[i], loop->virtual_now);
	while (bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (long i = 0; i < ROUND; i++) {
			more[i].after_ns = (span_us / 2 + i % 1000) * WEFT_USEC;
			set(&more[i], loop->virtual_now);
			cancel(&more[i]);
		}
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / ROUND);
	}
	values[0] = bench_median(&rounds);
	return 0;
}

int ours_timers_cancel(const struct bench_case *c, double *values)
{
	struct bench_rounds rounds = { .n = 0 };
	struct timer *timers = new_timers(c->n);
	int r = new_loop();

	if (r < 0)
		return r;
	while (bench_more(&rounds)) {
		weft_time start;

		for (long i = 0; i < c->n; i++)
			set(&timers[i], loop->virtual_now);
		start = bench_thread_cpu();
		for (long i = 0; i < c->n; i += 2)
			cancel(&timers[i]);
		bench_add(&rounds,
			  (double)(bench_thread_cpu() - start) / ((double)c->n / 2));
		for (long i = 1; i < c->n; i += 2)
			cancel(&timers[i]);
	}
	values[0] = bench_median(&rounds);
	return 0;
}
