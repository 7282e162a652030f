/*
 * Signals as callbacks of a loop.
 */
#include <weft/signal.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/reports.h"
#include "tests/test.h"

struct seen {
	weft_loop *loop;
	int n, signo;
	int stop_after;
	bool remove;
};

static void on_signal(int signo, void *arg)
{
	struct seen *seen = arg;

	seen->signo = signo;
	if (seen->remove)
		cr_expect(weft_loop_remove_signal_handler(seen->loop, signo));
	if (++seen->n >= seen->stop_after)
		weft_loop_stop(seen->loop);
}

static struct seen seen_begin(void)
{
	struct seen seen = { .stop_after = 1 };

	cr_assert_eq(weft_loop_new(NULL, &seen.loop), 0);
	return seen;
}

static void send_signal(int signo)
{
	cr_assert_eq(kill(getpid(), signo), 0);
}

Test(signal, is_a_callback_of_its_loop)
{
	static const int signals[] = { SIGUSR1, SIGHUP, SIGTERM, SIGINT, SIGWINCH };
	struct seen seen = seen_begin();

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		seen.n = 0;
		cr_expect_eq(weft_loop_add_signal_handler(seen.loop, signals[i],
							  on_signal, &seen),
			     0);
		send_signal(signals[i]);
		cr_expect_eq(weft_loop_run(seen.loop), 0);
		cr_expect_eq(seen.n, 1);
		cr_expect_eq(seen.signo, signals[i]);
		cr_expect(weft_loop_remove_signal_handler(seen.loop, signals[i]));
		cr_expect(!weft_loop_remove_signal_handler(seen.loop, signals[i]));
	}
	cr_expect_eq(weft_loop_close(seen.loop), 0);
}

static void *send_to_process(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		(void)kill(getpid(), SIGUSR1);
	return NULL;
}

Test(signal, of_many_at_once_may_be_fewer_calls_but_never_none)
{
	struct seen seen = seen_begin();

	cr_expect_eq(weft_loop_add_signal_handler(seen.loop, SIGUSR1, on_signal, &seen),
		     0);
	for (int round = 0; round < 50; round++) {
		pthread_t thread;

		seen.n = 0;
		cr_assert_eq(pthread_create(&thread, NULL, send_to_process, NULL), 0);
		cr_expect_eq(weft_loop_run(seen.loop), 0);
		pthread_join(thread, NULL);
		cr_expect_ge(seen.n, 1);
	}
	cr_expect_eq(weft_loop_close(seen.loop), 0);
}

Test(signal, handler_added_again_replaces_the_one_before)
{
	struct seen first = seen_begin(),
		    second = { .loop = first.loop, .stop_after = 1 };

	cr_expect_eq(weft_loop_add_signal_handler(first.loop, SIGUSR1, on_signal, &first),
		     0);
	cr_expect_eq(
		weft_loop_add_signal_handler(first.loop, SIGUSR1, on_signal, &second), 0);
	send_signal(SIGUSR1);
	cr_expect_eq(weft_loop_run(first.loop), 0);
	cr_expect_eq(first.n, 0);
	cr_expect_eq(second.n, 1);
	cr_expect(weft_loop_remove_signal_handler(first.loop, SIGUSR1));
	cr_expect(!weft_loop_remove_signal_handler(first.loop, SIGUSR1));
	cr_expect_eq(weft_loop_close(first.loop), 0);
}

Test(signal, handler_may_remove_itself)
{
	struct seen seen = seen_begin();

	seen.remove = true;
	cr_expect_eq(weft_loop_add_signal_handler(seen.loop, SIGUSR1, on_signal, &seen),
		     0);
	send_signal(SIGUSR1);
	cr_expect_eq(weft_loop_run(seen.loop), 0);
	cr_expect(!weft_loop_remove_signal_handler(seen.loop, SIGUSR1));
	cr_expect_eq(weft_loop_close(seen.loop), 0);
}

Test(signal, belongs_to_one_loop)
{
	struct seen one = seen_begin(), two = seen_begin();

	cr_expect_eq(weft_loop_add_signal_handler(one.loop, SIGUSR1, on_signal, &one), 0);
	cr_expect_eq(weft_loop_add_signal_handler(two.loop, SIGUSR1, on_signal, &two),
		     -EBUSY);
	cr_expect_str_eq(weft_error_text(-EBUSY), "signal 10 is handled by another loop");
	cr_expect(!weft_loop_remove_signal_handler(two.loop, SIGUSR1));
	cr_expect_eq(weft_loop_close(one.loop), 0);
	cr_expect_eq(weft_loop_add_signal_handler(two.loop, SIGUSR1, on_signal, &two), 0,
		     "free again");
	cr_expect_eq(weft_loop_close(two.loop), 0);
}

Test(signal, that_no_loop_can_handle_is_refused)
{
	static const int signals[] = { SIGKILL, SIGSTOP, SIGCHLD, 0, -1, 1000 };
	struct seen seen = seen_begin();

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		cr_expect_eq(weft_loop_add_signal_handler(seen.loop, signals[i],
							  on_signal, &seen),
			     -EINVAL, "%d", signals[i]);
		cr_expect(strchr(weft_error_text(-EINVAL), ' ') != NULL);
	}
	cr_expect_eq(weft_loop_close(seen.loop), 0);
}

static atomic_int n_before;

static void before(int signo)
{
	(void)signo;
	atomic_fetch_add(&n_before, 1);
}

Test(signal, goes_back_to_what_was_set_before)
{
	static const char *const names[] = { "removed", "closed" };

	for (int closed = 0; closed < 2; closed++) {
		struct seen seen = seen_begin();
		struct sigaction action = { .sa_handler = before }, now;

		atomic_store(&n_before, 0);
		cr_assert_eq(sigaction(SIGUSR2, &action, NULL), 0);
		cr_expect_eq(weft_loop_add_signal_handler(seen.loop, SIGUSR2, on_signal,
							  &seen),
			     0);
		send_signal(SIGUSR2);
		cr_expect_eq(weft_loop_run(seen.loop), 0);
		cr_expect_eq(atomic_load(&n_before), 0, "%s", names[closed]);
		if (!closed)
			cr_expect(weft_loop_remove_signal_handler(seen.loop, SIGUSR2));
		cr_expect_eq(weft_loop_close(seen.loop), 0);
		cr_assert_eq(sigaction(SIGUSR2, NULL, &now), 0);
		cr_expect(now.sa_handler == before, "%s", names[closed]);
		cr_expect_eq(raise(SIGUSR2), 0);
		cr_expect_eq(atomic_load(&n_before), 1, "%s", names[closed]);
	}
}

Test(signal, that_is_on_its_way_when_the_handler_goes_is_dropped)
{
	for (int i = 0; i < 200; i++) {
		struct seen seen = seen_begin();

		cr_expect_eq(weft_loop_add_signal_handler(seen.loop, SIGUSR1, on_signal,
							  &seen),
			     0);
		send_signal(SIGUSR1);
		if (i % 2)
			cr_assert_ge(weft_loop_run_once(seen.loop, 0), 0);
		cr_expect(weft_loop_remove_signal_handler(seen.loop, SIGUSR1));
		seen.n = 0;
		cr_assert_ge(weft_loop_run_once(seen.loop, 0), 0);
		cr_expect_eq(seen.n, 0);
		cr_expect_eq(weft_loop_close(seen.loop), 0);
	}
}

__attribute__((noinline)) static void add_two_handlers(struct seen *seen)
{
	cr_expect_eq(weft_loop_add_signal_handler(seen->loop, SIGUSR1, on_signal, seen), 0);
	cr_expect_eq(weft_loop_add_signal_handler(seen->loop, SIGRTMIN + 1, on_signal, seen),
		     0);
}

Test(signal, whose_handler_is_left_at_the_end_is_named_with_who_added_it)
{
	struct seen seen = seen_begin();
	char real_time[64];

	snprintf(real_time, sizeof(real_time), "a handler of signal %d still open",
		 SIGRTMIN + 1);
	reports_begin();
	add_two_handlers(&seen);
	cr_expect_eq(weft_loop_close(seen.loop), 0);
	cr_expect_eq(reports_count(), 2);
	cr_expect_eq(reports_severity("a handler of SIGUSR1 still open"), WEFT_WARNING);
	cr_expect_eq(strncmp(reports_place("SIGUSR1"), "add_two_handlers", 16), 0, "%s",
		     reports_place("SIGUSR1"));
	cr_expect_eq(reports_with(real_time), 1, "%s", real_time);
}

static void write_to_closed(void *arg)
{
	int fds[2];

	(void)arg;
	cr_assert_eq(pipe(fds), 0);
	close(fds[0]);
	cr_expect_eq(write(fds[1], "x", 1), -1);
	cr_expect_eq(errno, EPIPE);
	close(fds[1]);
	weft_loop_stop(weft_loop_current());
}

static void note_blocked(void *arg)
{
	sigset_t now;

	pthread_sigmask(SIG_BLOCK, NULL, &now);
	*(int *)arg = sigismember(&now, SIGPIPE);
	weft_loop_stop(weft_loop_current());
}

Test(sigpipe, is_an_error_of_the_write_while_a_loop_runs)
{
	sigset_t now;
	int blocked = -1;
	weft_loop *loop;

	cr_assert_eq(weft_loop_new(NULL, &loop), 0);
	cr_expect_eq(weft_loop_call_soon(loop, write_to_closed, NULL, NULL), 0);
	cr_expect_eq(weft_loop_run(loop), 0);
	cr_expect_eq(weft_loop_call_soon(loop, note_blocked, &blocked, NULL), 0);
	cr_expect_eq(weft_loop_run(loop), 0);
	cr_expect_eq(blocked, 1);
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	cr_expect_eq(sigismember(&now, SIGPIPE), 0, "left as it was");
	cr_expect_eq(weft_loop_close(loop), 0);
}
