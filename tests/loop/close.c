/*
 * The end of a loop: what still runs, what is dropped, what is reported.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/task_test.h"

static weft_loop *new_loop(void)
{
	weft_loop *loop = NULL;

	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	return loop;
}

static void count(void *arg)
{
	(*(int *)arg)++;
}

Test(close, of_nothing_does_nothing)
{
	cr_expect_eq(weft_loop_close(NULL), 0);
	weft_loop_unref(NULL);
}

Test(close, runs_what_was_posted_once_and_drops_the_rest)
{
	weft_loop *loop = new_loop();
	int posted = 0, soon = 0, later = 0;

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(weft_loop_call_soon_threadsafe(loop, count, &posted, NULL),
			     0);
	cr_assert_eq(weft_loop_call_soon(loop, count, &soon, NULL), 0);
	cr_assert_eq(weft_loop_call_later(loop, 0, count, &later, NULL), 0);
	cr_assert_eq(weft_loop_call_later(loop, WEFT_SEC, count, &later, NULL), 0);
	cr_expect_eq(weft_loop_close(loop), 0);
	cr_expect_eq(posted, 1000);
	cr_expect_eq(soon, 0);
	cr_expect_eq(later, 0);
}

struct reposter {
	weft_loop *loop;
	int n, r;
};

static void post_again(void *arg)
{
	struct reposter *reposter = arg;

	if (++reposter->n < 100000)
		reposter->r = weft_loop_call_soon_threadsafe(reposter->loop, post_again,
							     reposter, NULL);
}

Test(close, ends_although_a_post_posts_itself)
{
	struct reposter reposter = { .loop = new_loop() };

	weft_loop_ref(reposter.loop);
	cr_assert_eq(weft_loop_call_soon_threadsafe(reposter.loop, post_again, &reposter,
						    NULL),
		     0);
	cr_expect_eq(weft_loop_close(reposter.loop), 0);
	cr_expect_eq(reposter.r, -ESHUTDOWN);
	cr_expect_lt(reposter.n, 100000);
	weft_loop_unref(reposter.loop);
}

static void answer(void *arg)
{
	(void)arg;
}

static void on_fd(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

Test(close, leaves_a_loop_that_answers_shutdown_to_who_holds_it)
{
	weft_loop *loop = weft_loop_ref(new_loop());
	struct weft_handle handle = { { 0 } };
	weft_future *future = NULL;
	int n = 0;

	cr_expect_eq(weft_loop_close(loop), 0);
	cr_expect_eq(weft_loop_call_soon_threadsafe(loop, count, &n, NULL), -ESHUTDOWN);
	cr_expect_eq(weft_loop_call_soon_threadsafe(loop, count, &n, &handle),
		     -ESHUTDOWN);
	cr_expect(!weft_handle_is_pending(&handle));
	cr_expect(strstr(weft_error_text(-ESHUTDOWN), "is closed") != NULL);
	cr_expect_eq(weft_spawn_on(loop, sleep_forever, NULL, &future), -ESHUTDOWN);
	cr_expect_eq(weft_spawn_on(loop, sleep_forever, NULL, NULL), -ESHUTDOWN);
	cr_expect_null(future);
	/* Also on the thread whose loop it was. */
	cr_expect_eq(weft_loop_call_soon(loop, answer, NULL, NULL), -ESHUTDOWN);
	cr_expect_eq(weft_loop_call_later(loop, 1, answer, NULL, NULL), -ESHUTDOWN);
	cr_expect_eq(weft_loop_call_at(loop, 1, answer, NULL, &handle), -ESHUTDOWN);
	cr_expect_eq(weft_loop_add_reader(loop, 0, on_fd, NULL), -ESHUTDOWN);
	cr_expect_eq(weft_loop_add_writer(loop, 0, on_fd, NULL), -ESHUTDOWN);
	cr_expect(!weft_loop_remove_reader(loop, 0));
	cr_expect(!weft_loop_remove_writer(loop, 0));
	cr_expect_eq(weft_loop_run(loop), -ESHUTDOWN);
	cr_expect_eq(weft_loop_run_once(loop, 0), -ESHUTDOWN);
	cr_expect_eq(weft_loop_close(loop), -ESHUTDOWN);
	cr_expect(!weft_loop_is_running(loop));
	weft_loop_stop(loop);
	weft_loop_unref(loop);
	cr_expect_eq(n, 0);
}

/* ---- Posts while it closes ---- */

struct poster {
	weft_loop *loop;
	pthread_t thread;
	atomic_int *n_run;
	atomic_bool *closing;
	int n_accepted;
};

static void count_run(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void *post_until_closed(void *arg)
{
	struct poster *poster = arg;

	while (weft_loop_call_soon_threadsafe(poster->loop, count_run, poster->n_run,
					      NULL) == 0) {
		poster->n_accepted++;
		while (poster->n_accepted - atomic_load(poster->n_run) > 500 &&
		       !atomic_load(poster->closing))
			sched_yield(); /* a flood that nobody drains is another test */
	}
	weft_loop_unref(poster->loop);
	return NULL;
}

Test(close, runs_each_post_that_was_accepted_exactly_once)
{
	enum { N = 3 };

	for (int round = 0; round < 50; round++) {
		weft_loop *loop = new_loop();
		struct poster posters[N];
		atomic_int n_run = 0;
		atomic_bool closing = false;
		int n_accepted = 0;

		for (int i = 0; i < N; i++) {
			posters[i] = (struct poster){ .loop = weft_loop_ref(loop),
						      .n_run = &n_run,
						      .closing = &closing };
			cr_assert_eq(pthread_create(&posters[i].thread, NULL,
						    post_until_closed, &posters[i]),
				     0);
		}
		for (int i = 0; i < round; i++)
			cr_assert_ge(weft_loop_run_once(loop, WEFT_USEC), 0);
		atomic_store(&closing, true);
		cr_expect_eq(weft_loop_close(loop), 0);
		for (int i = 0; i < N; i++) {
			pthread_join(posters[i].thread, NULL);
			n_accepted += posters[i].n_accepted;
		}
		cr_expect_eq(atomic_load(&n_run), n_accepted);
	}
}

/* ---- Tasks ---- */

struct worker {
	weft_loop *loop;
	int slept, cleaned;
};

static int clean_up(void *arg)
{
	struct worker *worker = arg;

	worker->slept = weft_sleep(WEFT_FOREVER);
	worker->cleaned = weft_sleep(WEFT_MSEC);
	return worker->slept;
}

Test(close, cancels_the_tasks_that_are_left_and_lets_them_clean_up)
{
	struct worker workers[3];
	weft_loop *loop = new_loop();

	for (int i = 0; i < 3; i++) {
		workers[i] = (struct worker){ loop, 1, 1 };
		cr_assert_eq(weft_spawn_on(loop, clean_up, &workers[i], NULL), 0);
	}
	cr_assert_ge(weft_loop_run_once(loop, 0), 0);
	cr_assert_ge(weft_loop_run_once(loop, 0), 0);
	cr_expect_eq(weft_loop_close(loop), 0);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(workers[i].slept, -ECANCELED);
		cr_expect_eq(workers[i].cleaned, 0);
	}
}

Test(close, begins_the_tasks_that_were_sent_before_it)
{
	struct worker worker = { new_loop(), 1, 1 };
	weft_future *future;

	cr_assert_eq(weft_spawn_on(worker.loop, clean_up, &worker, &future), 0);
	cr_expect_eq(weft_loop_close(worker.loop), 0);
	cr_expect_eq(worker.slept, -ECANCELED, "its fn may own its argument");
	cr_expect_eq(worker.cleaned, 0);
	cr_expect(weft_future_is_done(future));
	cr_expect_eq(weft_future_result(future), -ECANCELED);
	weft_future_unref(future);
}

static int spawn_one_more(void *arg)
{
	int r = weft_sleep(WEFT_FOREVER);

	cr_expect_eq(weft_spawn(clean_up, arg, NULL), 0);
	return r;
}

Test(close, begins_and_cancels_what_a_task_spawns_in_its_clean_up)
{
	struct worker worker = { new_loop(), 1, 1 };

	cr_assert_eq(weft_spawn_on(worker.loop, spawn_one_more, &worker, NULL), 0);
	cr_assert_ge(weft_loop_run_once(worker.loop, 0), 0);
	cr_expect_eq(weft_loop_close(worker.loop), 0);
	cr_expect_eq(worker.slept, -ECANCELED);
	cr_expect_eq(worker.cleaned, 0);
}

static int ignore_cancellation(void *arg)
{
	struct worker *worker = arg;

	while (worker)
		worker->slept = weft_sleep(WEFT_MSEC);
	return 0;
}

static int close_with_a_task_that_ignores_it(void *arg)
{
	struct weft_loop_options options = { .name = "stubborn",
					     .close_limit_ns = 20 * WEFT_MSEC };
	struct worker worker = { 0 };
	weft_loop *loop;
	int r;

	(void)arg;
	if (weft_loop_new(&options, &loop) < 0 ||
	    weft_spawn_on(loop, ignore_cancellation, &worker, NULL) < 0 ||
	    weft_loop_run_once(loop, 0) < 0)
		return 1;
	r = weft_loop_close(loop); /* reports to stderr: no hook is set */
	return r == -EBUSY ? 42 : 2;
}

/* In a child, since what an abandoned task can reach is kept, and so leaks. */
Test(close, names_and_abandons_tasks_that_ignore_their_cancellation)
{
	struct child child;

	child_run(&child, close_with_a_task_that_ignores_it, NULL);
	cr_expect_eq(child.status >> 8, 42, "%x: %s", child.status, child.text);
	cr_expect(strstr(child.text,
			 "task \"ignore_cancellation\" ignored its cancellation") &&
			  strstr(child.text,
				 "and was abandoned, made at close_with_a_task"),
		  "%s", child.text);
}

struct late {
	weft_loop *loop;
	weft_future *future;
};

static int await_forever(void *arg)
{
	struct late *late = arg;
	int r;

	do
		r = weft_future_await(late->future);
	while (r == -ECANCELED);
	return r;
}

static int settle_what_an_abandoned_task_awaits(void *arg)
{
	struct weft_loop_options options = { .close_limit_ns = WEFT_MSEC };
	struct late late;

	(void)arg;
	if (weft_future_new_shared(&late.future) < 0 ||
	    weft_loop_new(&options, &late.loop) < 0 ||
	    weft_spawn_on(late.loop, await_forever, &late, NULL) < 0 ||
	    weft_loop_run_once(late.loop, 0) < 0)
		return 1;
	if (weft_loop_close(late.loop) != -EBUSY)
		return 2;
	/* Its waiter is still on the list, and its loop still there to refuse the message. */
	return weft_future_set_result(late.future, NULL, NULL) == 0 ? 42 : 3;
}

Test(close, keeps_what_an_abandoned_task_can_reach)
{
	struct child child;

	child_run(&child, settle_what_an_abandoned_task_awaits, NULL);
	cr_expect_eq(child.status >> 8, 42, "%x: %s", child.status, child.text);
}

static void call_close(void *loop)
{
	(void)weft_loop_close(loop);
}

static int close_while_it_runs(void *arg)
{
	weft_loop *loop;

	(void)arg;
	if (weft_loop_new(NULL, &loop) < 0 ||
	    weft_loop_call_soon(loop, call_close, loop, NULL) < 0)
		return 1;
	return weft_loop_run_once(loop, 0);
}

Test(close, of_a_loop_that_runs_is_an_assertion)
{
	expect_assertion(
		close_while_it_runs, NULL,
		"weft_loop_close() was called while a loop runs on this thread, or "
		"the loop on another one: stop it and let weft_loop_run() return first");
}

static int drop_the_last_reference(void *arg)
{
	weft_loop *loop;

	(void)arg;
	if (weft_loop_new(NULL, &loop) < 0)
		return 1;
	weft_loop_unref(loop);
	return 0;
}

Test(close, left_out_is_an_assertion_when_the_last_reference_goes)
{
	expect_assertion(
		drop_the_last_reference, NULL,
		"the last reference to a loop was given back while it is open: call "
		"weft_loop_close() first");
}

/* ---- What is open ---- */

Test(close, reports_readers_that_are_open_and_who_opened_them)
{
	struct weft_loop_options options = { .name = "untidy" };
	weft_loop *loop;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	reports_begin();
	cr_assert_eq(weft_loop_new(&options, &loop), 0);
	cr_assert_eq(weft_loop_add_reader(loop, ends[0], on_fd, NULL), 0);
	cr_assert_eq(weft_loop_add_writer(loop, ends[1], on_fd, NULL), 0);
	cr_expect_eq(weft_loop_close(loop), 0);
	cr_expect_eq(reports_count(), 2);
	cr_expect_eq(
		reports_with(
			"loop \"untidy\" was closed with a reader or writer still open"),
		2);
	cr_expect_eq(reports_severity("untidy"), WEFT_WARNING);
	cr_expect(strstr(reports_place("untidy"), "reports_readers_that_are_open"), "%s",
		  reports_place("untidy"));
	close(ends[0]);
	close(ends[1]);
}

Test(close, reports_nothing_of_what_was_removed)
{
	weft_loop *loop = new_loop();
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	reports_begin();
	cr_assert_eq(weft_loop_add_reader(loop, ends[0], on_fd, NULL), 0);
	cr_expect(weft_loop_remove_reader(loop, ends[0]));
	cr_expect_eq(weft_loop_close(loop), 0);
	expect_no_reports();
	close(ends[0]);
	close(ends[1]);
}
