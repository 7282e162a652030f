/*
 * Tests of ipc/process.c: workers that hang, are late, stop, or talk nonsense.
 */
#include "ipc/process.h"

#include <signal.h>

#include "tests/ipc/run_app.h"
#include "tests/test.h"

/* Ends a supervisor that may have nothing to drain. Return: its exit status. */
static int stop(struct app *app)
{
	app_signal(app, SIGTERM);
	return app_end(app);
}

Test(process, silent_loop_is_dumped_before_its_worker_is_killed)
{
	struct app app;

	app_start(&app, "supervise beat=200 first=1 hung=1 dump-silently=1 dump=50",
		  NULL);
	app_expect(&app, "READY 0");
	cr_expect_not_null(strstr(app_expect(&app, "HUNG 0"),
				  "hangs: its loop 1 has been silent for 0.2 s"));
	app_find(&app, "worker 0 dump");
	cr_expect_not_null(strstr(app_expect(&app, "DIED 0"), "was killed by SIGKILL"));
	app_expect(&app, "READY 0");
	cr_expect_eq(stop(&app), 0);
}

Test(process, complete_dump_ends_the_wait_for_it)
{
	struct app app;

	/* Would take an hour if DUMPED were not heard. */
	app_start(&app, "supervise beat=200 first=1 hung=1 dump=3600000", NULL);
	app_expect(&app, "HUNG 0");
	app_find(&app, "worker 0 dump");
	app_expect(&app, "DIED 0");
	app_expect(&app, "READY 0");
	cr_expect_eq(stop(&app), 0);
}

Test(process, stopped_worker_is_replaced)
{
	struct app app;

	app_start(&app,
		  "supervise workers=2 beat=200 dump=50 first=1 only=1 on-usr1=stop",
		  NULL);
	app_expect(&app, "ALL_READY 2");
	app_signal(&app, SIGUSR1);
	app_expect(&app, "HUNG 1");
	cr_expect_not_null(strstr(app_expect(&app, "DIED 1"), "was killed by SIGKILL"));
	app_expect(&app, "READY 1");
	cr_expect_eq(app_count(&app, "HUNG 0"), 0, "its sibling goes on");
	cr_expect_eq(stop(&app), 0);
}

Test(process, worker_that_beats_is_left_alone)
{
	struct app app;

	/* The first hangs three times over; the second outlives all that. */
	app_start(&app, "supervise workers=2 beat=100 dump=10 first=1 only=0 hung=1",
		  NULL);
	for (int i = 0; i < 3; i++)
		app_expect(&app, "HUNG 0");
	cr_expect_eq(app_count(&app, "HUNG 1"), 0);
	cr_expect_eq(app_count(&app, "STARTED 1"), 1);
	cr_expect_eq(stop(&app), 0);
}

Test(process, silence_is_not_watched_if_that_is_turned_off)
{
	struct app app;

	app_start(&app, "supervise beat=-1 hung=1 on-usr1=bytes", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGUSR1);
	app_expect(&app, "BYTES 0");
	cr_expect_eq(app_count(&app, "HUNG"), 0);
	cr_expect_eq(stop(&app), 0);
}

Test(process, supervisor_that_slept_blames_nobody)
{
	struct app app;

	/*
	 * Heartbeats queue up while the supervisor is stopped, for much longer than
	 * allowed.
	 */
	app_start(&app, "supervise beat=300 first=1 on-usr1=bytes", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGSTOP);
	cr_assert_eq(usleep(1500000),
		     0); /* the time that is slept through is what is tested */
	app_signal(&app, SIGCONT);
	app_signal(&app, SIGUSR1);
	app_expect(&app, "BYTES 0");
	cr_expect_eq(app_count(&app, "HUNG"), 0);
	cr_expect_eq(stop(&app), 0);
}

Test(process, worker_that_is_not_ready_in_time_is_dumped_and_killed)
{
	struct app app;

	app_start(&app, "supervise start=100 never-ready=1 first=1 budget=2", NULL);
	cr_expect_not_null(
		strstr(app_expect(&app, "LATE 0"), "was not ready within 0.1 s"));
	app_find(&app, "worker 0 dump");
	cr_expect_not_null(strstr(app_expect(&app, "DIED 0"),
				  "was killed by SIGKILL without reaching app_serve()"));
	app_expect(&app, "LATE 0");
	app_expect(&app, "GAVE_UP 0");
	cr_expect_eq(app_end(&app), 1);
}

Test(process, worker_that_talks_nonsense_is_replaced)
{
	struct app app;

	app_start(&app, "supervise workers=2 first=1 only=0 on-usr1=garbage", NULL);
	app_expect(&app, "ALL_READY 2");
	app_signal(&app, SIGUSR1);
	cr_expect_not_null(strstr(app_expect(&app, "BROKEN 0"),
				  "sent what is no message of the worker protocol"));
	app_find(&app, "worker 0 stop");
	app_expect(&app, "DIED 0");
	app_expect(&app, "READY 0");
	cr_expect_eq(stop(&app), 0);
}

Test(process, worker_that_closes_its_socket_and_stays_is_replaced)
{
	struct app app;

	app_start(&app, "supervise first=1 stop=50 on-usr1=close", NULL);
	app_expect(&app, "READY 0");
	app_signal(&app, SIGUSR1);
	app_expect(&app, "CUT_OFF 0");
	cr_expect_not_null(strstr(app_expect(&app, "DIED 0"), "was killed by SIGKILL"));
	app_expect(&app, "READY 0");
	cr_expect_eq(stop(&app), 0);
}

Test(process, worker_gets_what_is_handed_down_at_fixed_numbers)
{
	struct app app;

	app_start(&app, "supervise hand-down=2", NULL);
	app_expect(&app, "worker 0 fd 4 has pipe 0");
	app_expect(&app, "worker 0 fd 5 has pipe 1");
	app_expect(&app, "READY 0");
	cr_expect_eq(stop(&app), 0);
}

Test(process, bytes_pass_both_ways)
{
	struct app app;

	app_start(&app, "supervise send-hello=1 on-usr1=bytes", NULL);
	app_find(&app, "sent 0");
	app_find(&app, "worker 0 bytes hello from above");
	app_signal(&app, SIGUSR1);
	cr_expect_not_null(strstr(app_expect(&app, "BYTES 0"), "hello from below"));
	cr_expect_eq(stop(&app), 0);
}
