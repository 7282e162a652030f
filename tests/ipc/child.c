/*
 * Tests of ipc/child.c: a child that is held by its pidfd.
 */
#include "ipc/child.h"

#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ipc/run_app.h"
#include "tests/test.h"

/* Starts "app exit 3" or "app sleep", which needs no argument. */
static struct weft__child start(const char *what)
{
	struct weft__program program;
	char name[] = "app", status[] = "3";
	char *argv[] = { name, (char *)(uintptr_t)what, status, NULL };
	struct weft__spawn_options options = { .program = &program,
					       .argv = argv,
					       .envp = environ,
					       .death_signal = SIGKILL };
	struct weft__child child;

	cr_assert_eq(weft__program_open(&program, app_path()), 0);
	app_assert_spawned(weft__spawn(&options, &child));
	weft__program_close(&program);
	return child;
}

Test(child, is_not_reaped_before_it_has_ended)
{
	struct weft__child child = start("sleep");
	struct weft__child_end end;

	cr_expect_eq(weft__child_reap(&child, &end), 0);
	cr_expect_ge(child.pidfd, 0);
	cr_expect_eq(weft__child_signal(&child, SIGKILL), 0);
	weft__child_wait(&child, &end);
	cr_expect_eq(end.code, CLD_KILLED);
	cr_expect_eq(end.status, SIGKILL);
	cr_expect_eq(child.pidfd, -1);
}

Test(child, one_that_was_reaped_takes_no_signal)
{
	struct weft__child child = start("exit");
	struct weft__child_end end;

	weft__child_wait(&child, &end);
	cr_expect_eq(weft__child_signal(&child, SIGKILL), -ESRCH);
}

Test(child, its_end_is_told_in_words)
{
	static const struct {
		struct weft__child_end end;
		const char *text;
	} cases[] = {
		{ { CLD_EXITED, 0 }, "exited with status 0" },
		{ { CLD_EXITED, 3 }, "exited with status 3" },
		{ { CLD_KILLED, SIGKILL }, "was killed by SIGKILL" },
		{ { CLD_DUMPED, SIGSEGV }, "was killed by SIGSEGV and left a core file" },
		{ { CLD_KILLED, 50 }, "was killed by signal 50" },
		{ { 0, 0 }, "ended; something else in this process took its status" },
	};
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(weft__child_end_text(&cases[i].end, text, sizeof(text)),
				 cases[i].text);
}

Test(child, status_taken_by_the_host_is_no_hang)
{
	struct weft__child child = start("exit");
	struct weft__child_end end = { CLD_EXITED, 1 };

	cr_assert_eq(waitpid(child.pid, NULL, 0),
		     child.pid); /* what a host should not do */
	cr_expect_eq(weft__child_reap(&child, &end), 1);
	cr_expect_eq(end.code, 0);
	cr_expect_eq(child.pidfd, -1);
}

/* A process with a number that was used before; -1 if that is not allowed here. */
static pid_t fork_as(pid_t pid)
{
	struct clone_args arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&pid,
		.set_tid_size = 1,
	};
	pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	while (child == 0)
		pause();
	return child;
}

Test(child, signal_never_hits_a_stranger_with_the_same_number)
{
	struct weft__child child = start("exit");
	struct weft__child_end end;
	pid_t stranger;

	cr_assert_eq(waitpid(child.pid, NULL, 0),
		     child.pid); /* so that its number is free */
	stranger = fork_as(child.pid);
	if (stranger < 0) {
		weft__child_reap(&child, &end);
		cr_skip_test("this process may not choose the numbers of its children");
	}
	cr_assert_eq(stranger, child.pid);
	cr_expect_eq(weft__child_signal(&child, SIGKILL), -ESRCH);
	cr_expect_eq(weft__child_reap(&child, &end), 1, "its own child has ended");
	cr_expect_eq(kill(stranger, 0), 0, "the stranger lives");
	cr_expect_eq(waitpid(stranger, NULL, WNOHANG), 0, "the stranger lives");
	kill(stranger, SIGKILL);
	cr_expect_eq(waitpid(stranger, NULL, 0), stranger);
}
