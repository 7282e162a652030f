/*
 * Turns, running and stopping.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/loop.h>

#include "tests/reports.h"
#include "tests/test.h"

static weft_loop *new_loop(void)
{
	weft_loop *loop = NULL;

	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	return loop;
}

/* ---- Order and turns ---- */

struct log {
	weft_loop *loop;
	char text[256];
	int n_again; /* how often `again` still schedules itself */
};

static struct log *the_log;

static void append(char letter)
{
	size_t length = strlen(the_log->text);

	if (length + 1 < sizeof(the_log->text))
		the_log->text[length] = letter;
}

static void letter(void *arg)
{
	append(*(const char *)arg);
}

static void turn(void)
{
	cr_assert_ge(weft_loop_run_once(the_log->loop, 0), 0);
	append('|');
}

static struct log *log_begin(void)
{
	static struct log log;

	log = (struct log){ .loop = new_loop() };
	the_log = &log;
	return &log;
}

static void log_end(const char *expected)
{
	cr_expect_str_eq(the_log->text, expected);
	cr_expect_eq(weft_loop_close(the_log->loop), 0);
}

static void call(const char *text)
{
	for (; *text; text++)
		cr_assert_eq(weft_loop_call_soon(the_log->loop, letter,
						 (void *)(uintptr_t)text, NULL),
			     0);
}

Test(turn, runs_callbacks_in_the_order_of_scheduling)
{
	log_begin();
	call("abcdefghijklmnopqrstuvwxyz");
	turn();
	log_end("abcdefghijklmnopqrstuvwxyz|");
}

static void add_two(void *arg)
{
	(void)arg;
	append('+');
	call("xy");
}

Test(turn, runs_what_a_callback_adds_in_the_next_turn)
{
	struct log *log = log_begin();

	call("a");
	cr_assert_eq(weft_loop_call_soon(log->loop, add_two, NULL, NULL), 0);
	call("b");
	turn();
	call("c");
	turn();
	turn();
	log_end("a+b|xyc||");
}

static void again(void *arg)
{
	struct log *log = arg;

	append('!');
	if (log->n_again-- > 0)
		cr_assert_eq(weft_loop_call_soon(log->loop, again, log, NULL), 0);
}

Test(turn, runs_a_callback_that_schedules_itself_once)
{
	struct log *log = log_begin();

	log->n_again = 3;
	cr_assert_eq(weft_loop_call_soon(log->loop, again, log, NULL), 0);
	for (int i = 0; i < 5; i++)
		turn();
	log_end("!|!|!|!||");
}

Test(turn, counts_what_it_ran)
{
	struct log *log = log_begin();

	call("abc");
	cr_expect_eq(weft_loop_run_once(log->loop, 0), 3);
	cr_expect_eq(weft_loop_run_once(log->loop, 0), 0);
	log_end("abc");
}

/* ---- Nobody starves ---- */

struct busy {
	weft_loop *loop;
	long n; /* steps of the callback that keeps the loop busy */
	atomic_bool enough;
	int fd;
};

static void keep_busy(void *arg)
{
	struct busy *busy = arg;

	busy->n++;
	if (!atomic_load(&busy->enough))
		cr_assert_eq(weft_loop_call_soon(busy->loop, keep_busy, busy, NULL), 0);
}

static void enough(void *arg)
{
	struct busy *busy = arg;

	atomic_store(&busy->enough, true);
	weft_loop_stop(busy->loop);
}

static void on_readable(int fd, void *arg)
{
	char byte;

	cr_expect_eq(read(fd, &byte, 1), 1);
	enough(arg);
}

static void busy_begin(struct busy *busy)
{
	*busy = (struct busy){ .loop = new_loop() };
	cr_assert_eq(weft_loop_call_soon(busy->loop, keep_busy, busy, NULL), 0);
}

static void busy_end(struct busy *busy)
{
	cr_expect_eq(weft_loop_run(busy->loop), 0);
	cr_expect_gt(busy->n, 0);
	cr_expect_eq(weft_loop_close(busy->loop), 0);
}

Test(busy_loop, runs_timers)
{
	struct busy busy;

	busy_begin(&busy);
	cr_assert_eq(weft_loop_call_later(busy.loop, WEFT_MSEC, enough, &busy, NULL), 0);
	busy_end(&busy);
}

Test(busy_loop, runs_timers_that_are_due_within_some_steps)
{
	struct busy busy;

	busy_begin(&busy);
	cr_assert_eq(weft_loop_call_later(busy.loop, 0, enough, &busy, NULL), 0);
	busy_end(&busy);
	cr_expect_lt(busy.n, 200, "%ld", busy.n);
}

Test(busy_loop, runs_readers_within_some_steps)
{
	struct busy busy;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	busy_begin(&busy);
	cr_assert_eq(weft_loop_add_reader(busy.loop, ends[0], on_readable, &busy), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect_eq(weft_loop_run(busy.loop), 0);
	cr_expect_gt(busy.n, 0);
	cr_expect_lt(busy.n, 200, "%ld", busy.n);
	cr_expect(weft_loop_remove_reader(busy.loop, ends[0]));
	cr_expect_eq(weft_loop_close(busy.loop), 0);
	close(ends[0]);
	close(ends[1]);
}

static void *post_enough(void *arg)
{
	struct busy *busy = arg;

	cr_expect_eq(weft_loop_call_soon_threadsafe(busy->loop, enough, busy, NULL), 0);
	return NULL;
}

Test(busy_loop, runs_posts)
{
	struct busy busy;
	pthread_t thread;

	busy_begin(&busy);
	cr_assert_eq(pthread_create(&thread, NULL, post_enough, &busy), 0);
	busy_end(&busy);
	pthread_join(thread, NULL);
}

static void slowly(void *arg)
{
	struct busy *busy = arg;
	weft_time until = weft_now() + 2 * WEFT_MSEC;

	while (weft_now() < until)
		;
	busy->n++;
	if (!atomic_load(&busy->enough))
		cr_assert_eq(weft_loop_call_soon(busy->loop, slowly, busy, NULL), 0);
}

/* Each step is slow, so it is the control thread that asks for a look. */
Test(busy_loop, of_slow_steps_looks_long_before_so_many_steps)
{
	struct busy busy = { .loop = new_loop() };
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	for (int i = 0; i < 40; i++)
		cr_assert_eq(weft_loop_call_soon(busy.loop, slowly, &busy, NULL), 0);
	cr_assert_eq(weft_loop_add_reader(busy.loop, ends[0], on_readable, &busy), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect_eq(weft_loop_run(busy.loop), 0);
	cr_expect(weft_loop_remove_reader(busy.loop, ends[0]));
	cr_expect_eq(weft_loop_close(busy.loop), 0);
	close(ends[0]);
	close(ends[1]);
}

static void flood(void *arg)
{
	struct busy *busy = arg;

	busy->n++;
	if (!atomic_load(&busy->enough))
		cr_assert_eq(
			weft_loop_call_soon_threadsafe(busy->loop, flood, busy, NULL), 0);
}

Test(busy_loop, of_posts_runs_timers_and_callbacks)
{
	struct busy busy = { .loop = new_loop() };

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(
			weft_loop_call_soon_threadsafe(busy.loop, flood, &busy, NULL), 0);
	cr_assert_eq(weft_loop_call_later(busy.loop, WEFT_MSEC, enough, &busy, NULL), 0);
	busy_end(&busy);
}

/* ---- Running and stopping ---- */

static void stop_the_loop(void *arg)
{
	append('S');
	weft_loop_stop(arg);
}

Test(stop, lets_the_turn_finish_and_keeps_the_rest)
{
	struct log *log = log_begin();

	call("a");
	cr_assert_eq(weft_loop_call_soon(log->loop, stop_the_loop, log->loop, NULL), 0);
	cr_assert_eq(weft_loop_call_soon(log->loop, add_two, NULL, NULL), 0);
	call("b");
	cr_expect_eq(weft_loop_run(log->loop), 0);
	append('|');
	cr_assert_eq(weft_loop_call_soon(log->loop, stop_the_loop, log->loop, NULL), 0);
	cr_expect_eq(weft_loop_run(log->loop), 0);
	log_end("aS+b|xyS");
}

Test(stop, before_the_run_gives_one_turn)
{
	struct log *log = log_begin();

	call("a");
	cr_assert_eq(weft_loop_call_soon(log->loop, add_two, NULL, NULL), 0);
	weft_loop_stop(log->loop);
	weft_loop_stop(log->loop);
	cr_expect_eq(weft_loop_run(log->loop), 0);
	log_end("a+");
}

Test(stop, is_used_up_by_the_run_that_it_ends)
{
	struct log *log = log_begin();

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(weft_loop_call_soon(log->loop, stop_the_loop, log->loop,
						 NULL),
			     0);
		cr_expect_eq(weft_loop_run(log->loop), 0);
		append('|');
	}
	log_end("S|S|S|");
}

static void *stop_from_thread(void *arg)
{
	weft_loop_stop(arg);
	return NULL;
}

Test(stop, works_from_another_thread_while_the_loop_sleeps)
{
	weft_loop *loop = new_loop();

	for (int i = 0; i < 100; i++) {
		pthread_t thread;

		cr_assert_eq(pthread_create(&thread, NULL, stop_from_thread, loop), 0);
		cr_expect_eq(weft_loop_run(loop), 0);
		pthread_join(thread, NULL);
	}
	cr_expect_eq(weft_loop_close(loop), 0);
}

static void tell_running(void *arg)
{
	struct log *log = arg;

	append(weft_loop_is_running(log->loop) ? 'r' : '-');
	append(weft_loop_current() == log->loop ? 'c' : '-');
	weft_loop_stop(log->loop);
}

Test(loop, knows_whether_it_runs)
{
	struct log *log = log_begin();

	cr_expect(!weft_loop_is_running(log->loop));
	cr_expect_null(weft_loop_current());
	cr_assert_eq(weft_loop_call_soon(log->loop, tell_running, log, NULL), 0);
	cr_expect_eq(weft_loop_run(log->loop), 0);
	cr_assert_eq(weft_loop_call_soon(log->loop, tell_running, log, NULL), 0);
	cr_expect_eq(weft_loop_run_once(log->loop, 0), 1);
	cr_expect(!weft_loop_is_running(log->loop));
	cr_expect_null(weft_loop_current());
	log_end("rcrc");
}

struct stoppers {
	weft_loop *loop;
	atomic_int n_stops;
	atomic_bool enough;
};

static void *stop_again_and_again(void *arg)
{
	struct stoppers *stoppers = arg;

	while (!atomic_load(&stoppers->enough)) {
		weft_loop_stop(stoppers->loop);
		atomic_fetch_add(&stoppers->n_stops, 1);
	}
	return NULL;
}

Test(stop, may_come_from_several_threads_at_once)
{
	struct stoppers stoppers = { .loop = new_loop() };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, stop_again_and_again,
					    &stoppers),
			     0);
	for (int i = 0; i < 2000; i++)
		cr_expect_eq(weft_loop_run(stoppers.loop), 0);
	atomic_store(&stoppers.enough, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(weft_loop_close(stoppers.loop), 0);
}

struct nested {
	weft_loop *loop, *other;
	int run, run_once, run_other, r_text;
};

static void run_again(void *arg)
{
	struct nested *nested = arg;

	nested->run = weft_loop_run(nested->loop);
	nested->r_text =
		strstr(weft_error_text(-EBUSY), "already runs on this thread") != NULL;
	nested->run_once = weft_loop_run_once(nested->loop, 0);
	nested->run_other = weft_loop_run(nested->other);
}

Test(loop, does_not_run_inside_a_loop)
{
	struct nested nested = { new_loop(), new_loop(), 0, 0, 0, 0 };

	cr_assert_eq(weft_loop_call_soon(nested.loop, run_again, &nested, NULL), 0);
	cr_expect_eq(weft_loop_run_once(nested.loop, 0), 1);
	cr_expect_eq(nested.run, -EBUSY);
	cr_expect_eq(nested.run_once, -EBUSY);
	cr_expect_eq(nested.run_other, -EBUSY);
	cr_expect(nested.r_text);
	cr_expect_eq(weft_loop_close(nested.loop), 0);
	cr_expect_eq(weft_loop_close(nested.other), 0);
}

struct second {
	weft_loop *loop;
	int r;
};

static void *run_on_second_thread(void *arg)
{
	struct second *second = arg;

	second->r = weft_loop_run(second->loop);
	return NULL;
}

static void try_on_second_thread(void *arg)
{
	struct second *second = arg;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, run_on_second_thread, second), 0);
	pthread_join(thread, NULL);
}

Test(loop, does_not_run_on_two_threads)
{
	struct second second = { new_loop(), 0 };

	cr_assert_eq(
		weft_loop_call_soon(second.loop, try_on_second_thread, &second, NULL), 0);
	cr_expect_eq(weft_loop_run_once(second.loop, 0), 1);
	cr_expect_eq(second.r, -EBUSY);
	cr_expect_eq(weft_loop_close(second.loop), 0);
}

Test(loop, becomes_that_of_the_thread_that_runs_it)
{
	struct second second = { new_loop(), 1 };
	int marker = 0;
	pthread_t thread;

	weft_loop_stop(second.loop); /* one turn */
	cr_assert_eq(pthread_create(&thread, NULL, run_on_second_thread, &second), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(second.r, 0);
	cr_expect_eq(weft_loop_call_soon(second.loop, letter, &marker, NULL), -EPERM);
	cr_expect_eq(weft_loop_close(second.loop), 0, "any may, once it has stopped");
}

/* ---- One turn at a time ---- */

Test(run_once, with_nothing_to_do_returns_after_its_timeout)
{
	weft_loop *loop = new_loop();
	weft_time began = weft_now();

	cr_expect_eq(weft_loop_run_once(loop, 0), 0);
	cr_expect_eq(weft_loop_run_once(loop, -5), 0);
	cr_expect_eq(weft_loop_run_once(loop, 5 * WEFT_MSEC), 0);
	cr_expect_ge(weft_now() - began, 5 * WEFT_MSEC);
	cr_expect_eq(weft_loop_close(loop), 0);
}

Test(run_once, does_not_sleep_when_there_is_something_to_run)
{
	struct log *log = log_begin();
	weft_time began = weft_now();

	call("a");
	cr_expect_eq(weft_loop_run_once(log->loop, 1000 * WEFT_SEC), 1);
	cr_expect_eq(weft_loop_call_soon_threadsafe(log->loop, letter,
						    (void *)(uintptr_t) "b", NULL),
		     0);
	cr_expect_eq(weft_loop_run_once(log->loop, 1000 * WEFT_SEC), 1);
	cr_expect_lt(weft_now() - began, 900 * WEFT_SEC);
	log_end("ab");
}

Test(run_once, runs_what_it_waited_for)
{
	struct log *log = log_begin();
	weft_time began = weft_now();
	int n = 0;

	cr_assert_eq(weft_loop_call_later(log->loop, 3 * WEFT_MSEC, letter,
					  (void *)(uintptr_t) "a", NULL),
		     0);
	/* It may wake early, at the edge of a coarser slot, but finds the timer in the end. */
	while (n == 0)
		n = weft_loop_run_once(log->loop, 1000 * WEFT_SEC);
	cr_expect_eq(n, 1);
	cr_expect_lt(weft_now() - began, 900 * WEFT_SEC);
	log_end("a");
}

static void read_and_log(int fd, void *arg)
{
	char byte;

	(void)arg;
	cr_expect_eq(read(fd, &byte, 1), 1);
	append(byte);
}

Test(run_once, runs_a_reader_in_the_call_that_found_it)
{
	struct log *log = log_begin();
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(weft_loop_add_reader(log->loop, ends[0], read_and_log, log), 0);
	cr_assert_eq(write(ends[1], "r", 1), 1);
	cr_expect_eq(weft_loop_run_once(log->loop, 0), 1);
	cr_expect_eq(weft_loop_run_once(log->loop, 0), 0);
	cr_expect(weft_loop_remove_reader(log->loop, ends[0]));
	close(ends[0]);
	close(ends[1]);
	log_end("r");
}

/* ---- Making ---- */

Test(loop, is_refused_with_options_that_make_no_sense)
{
	static const struct {
		const char *name;
		struct weft_loop_options options;
	} cases[] = {
		{ "a reserved field", { .reserved = { 0, 0, 0, 1 } } },
		{ "a negative limit", { .close_limit_ns = -1 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_loop *loop = NULL;

		cr_expect_eq(weft_loop_new(&cases[i].options, &loop), -EINVAL, "%s",
			     cases[i].name);
		cr_expect_null(loop);
	}
}

Test(loop, without_memory_is_refused_and_leaves_nothing_behind)
{
	int n_failed = 0;

	for (long nth = 1; nth < 100; nth++) {
		weft_loop *loop = NULL;
		int r;

		weft__fail_allocation(nth);
		r = weft_loop_new(NULL, &loop);
		weft__fail_allocation(0);
		if (r == 0) {
			cr_expect_eq(weft_loop_close(loop), 0);
			break;
		}
		cr_expect_eq(r, -ENOMEM);
		cr_expect_null(loop);
		n_failed++;
	}
	cr_expect_gt(n_failed, 2);
	cr_expect_lt(n_failed, 50);
}

Test(loop, many_come_and_go)
{
	for (int round = 0; round < 20; round++) {
		weft_loop *loops[10];

		for (int i = 0; i < 10; i++)
			loops[i] = new_loop();
		for (int i = 0; i < 10; i++) {
			weft_loop_stop(loops[i]);
			cr_expect_eq(weft_loop_run(loops[i]), 0);
		}
		for (int i = 0; i < 10; i++)
			cr_expect_eq(weft_loop_close(loops[i]), 0);
	}
}
