/*
 * Tests of ipc/worker.c: the worker's side, with this process as both sides.
 */
#include "ipc/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/test.h"

static int ours, theirs;
static struct weft__control_message message;

/* Puts a mark into the environment as a supervisor does; .control is `theirs`. */
static void mark(int first_fd, int n_fds)
{
	struct weft__worker worker = {
		.supervisor = getpid(),
		.index = 5,
		.generation = 2,
		.first_fd = first_fd,
		.n_fds = n_fds,
		.beat_ns = WEFT_SEC,
	};
	char text[256];

	cr_assert_eq(weft__control_pair(&ours, &theirs), 0);
	fcntl(theirs, F_SETFD, 0); /* as executing leaves it */
	worker.control = theirs;
	weft__worker_format_mark(&worker, text, sizeof(text));
	cr_assert_eq(strncmp(text, WEFT__WORKER_MARK "=", strlen(WEFT__WORKER_MARK) + 1),
		     0);
	setenv(WEFT__WORKER_MARK, text + strlen(WEFT__WORKER_MARK) + 1, 1);
}

/* What the supervisor hears next. */
static void expect_heard(enum weft__control_kind kind, uint64_t value)
{
	cr_assert_eq(weft__control_receive(ours, &message), 0);
	cr_expect_eq(message.kind, kind);
	cr_expect_eq(message.value, value);
}

Test(worker, process_without_a_mark_is_none)
{
	struct weft__worker worker;

	unsetenv(WEFT__WORKER_MARK);
	cr_expect_eq(weft__worker_begin(&worker), 0);
}

Test(worker, mark_tells_it_who_it_is_and_is_taken_out_again)
{
	struct weft__worker worker;

	mark(0, 3);
	cr_assert_eq(weft__worker_begin(&worker), 1);
	cr_expect_null(getenv(WEFT__WORKER_MARK));
	cr_expect_eq(worker.control, theirs);
	cr_expect_eq(worker.supervisor, getpid());
	cr_expect_eq(worker.index, 5);
	cr_expect_eq(worker.generation, 2u);
	cr_expect_eq(worker.first_fd, 0);
	cr_expect_eq(worker.n_fds, 3);
	cr_expect_eq(worker.beat_ns, WEFT_SEC);
	for (int fd = 0; fd < 3; fd++)
		cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC,
			     "its own children do not get it");
	cr_expect_eq(fcntl(theirs, F_GETFD), FD_CLOEXEC);
	cr_expect_eq(raise(SIGTTOU), 0, "which does not stop it");
	cr_expect_eq(raise(SIGTTIN), 0);
	expect_heard(WEFT__CONTROL_HELLO, 0);
	cr_expect_eq(weft__worker_begin(&worker), 0, "once");
	weft__worker_end(&worker);
	close(ours);
}

Test(worker, supervisor_hears_what_it_says)
{
	struct weft__worker worker;

	mark(0, 0);
	cr_assert_eq(weft__worker_begin(&worker), 1);
	cr_expect_eq(weft__worker_ready(&worker, 4), 0);
	cr_expect_eq(weft__worker_beat(&worker, 3), 0);
	cr_expect_eq(weft__worker_retire(&worker), 0);
	cr_expect_eq(weft__worker_dumped(&worker), 0);
	cr_expect_eq(weft__worker_send(&worker, weft_bytes_text("more")), 0);
	expect_heard(WEFT__CONTROL_HELLO, 0);
	expect_heard(WEFT__CONTROL_READY, 4);
	expect_heard(WEFT__CONTROL_HEARTBEAT, 3);
	expect_heard(WEFT__CONTROL_RETIRE, 0);
	expect_heard(WEFT__CONTROL_DUMPED, 0);
	expect_heard(WEFT__CONTROL_BYTES, 0);
	cr_expect_eq(message.size, 4u);
	weft__worker_end(&worker);
	cr_expect_eq(weft__control_receive(ours, &message), -EPIPE);
	close(ours);
}

Test(worker, it_hears_the_supervisor_and_its_end)
{
	struct weft__worker worker;

	mark(0, 0);
	cr_assert_eq(weft__worker_begin(&worker), 1);
	cr_expect_eq(weft__worker_receive(&worker, &message), -EAGAIN);
	cr_assert_eq(weft__control_send(ours, WEFT__CONTROL_DRAIN, 7,
					(struct weft_bytes){ 0 }),
		     0);
	cr_expect_eq(weft__worker_receive(&worker, &message), 0);
	cr_expect_eq(message.kind, WEFT__CONTROL_DRAIN);
	cr_expect_eq(message.value, 7u);
	close(ours);
	cr_expect_eq(weft__worker_receive(&worker, &message), -EPIPE);
	cr_expect_eq(weft__worker_beat(&worker, 0), -EPIPE);
	weft__worker_end(&worker);
}

Test(worker, other_protocol_is_refused_and_the_supervisor_is_told)
{
	struct weft__worker worker;
	char text[64];

	mark(0, 0);
	snprintf(text, sizeof(text), "protocol=9 control=%d and=who knows=what", theirs);
	setenv(WEFT__WORKER_MARK, text, 1);
	cr_expect_eq(weft__worker_begin(&worker), -EPROTONOSUPPORT);
	cr_expect_str_eq(
		weft_error_text(-EPROTONOSUPPORT),
		"this program speaks version 1 of the worker protocol, its supervisor "
		"version 9: stop the old one and start it anew");
	expect_heard(WEFT__CONTROL_HELLO, 0);
	cr_expect_eq(message.protocol, WEFT__CONTROL_PROTOCOL);
	cr_expect_null(getenv(WEFT__WORKER_MARK));
	close(ours);
	close(theirs);
}

Test(worker, mark_that_does_not_fit_is_refused_in_words)
{
	static const struct {
		const char *name;
		const char *mark; /* %d: the control descriptor */
		const char *text; /* what the sentence contains */
	} cases[] = {
		{ "nonsense", "yes", "cannot be understood" },
		{ "empty", "", "cannot be understood" },
		{ "cut short", "protocol=1 control=%d supervisor=1 index=0",
		  "cannot be understood" },
		{ "more behind it",
		  "protocol=1 control=%d supervisor=1 index=0 generation=1 first_fd=4 fds=0 "
		  "beat_ns=0 more",
		  "cannot be understood" },
		{ "of another supervisor",
		  "protocol=1 control=%d supervisor=1 index=0 generation=1 first_fd=4 fds=0 "
		  "beat_ns=0",
		  "not the socket of that supervisor" },
		{ "of a descriptor that is closed",
		  "protocol=1 control=999 supervisor=1 index=0 generation=1 first_fd=4 fds=0 "
		  "beat_ns=0",
		  "not the socket of that supervisor" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft__worker worker;
		char text[256], *at;

		mark(0, 0);
		snprintf(text, sizeof(text), "%s", cases[i].mark);
		at = strstr(text, "%d");
		if (at) {
			char rest[256];

			snprintf(rest, sizeof(rest), "%s", at + 2);
			snprintf(at, sizeof(text) - (size_t)(at - text), "%d%s", theirs,
				 rest);
		}
		setenv(WEFT__WORKER_MARK, text, 1);
		cr_expect_eq(weft__worker_begin(&worker), -EBADF, "%s", cases[i].name);
		cr_expect_not_null(strstr(weft_error_text(-EBADF), cases[i].text),
				   "%s: %s", cases[i].name, weft_error_text(-EBADF));
		cr_expect_null(getenv(WEFT__WORKER_MARK), "%s", cases[i].name);
		close(ours);
		close(theirs);
	}
}

Test(worker, descriptor_that_was_not_handed_down_is_noticed)
{
	struct weft__worker worker;

	mark(900, 1);
	cr_expect_eq(weft__worker_begin(&worker), -EBADF);
	cr_expect_not_null(
		strstr(weft_error_text(-EBADF), "not all of the descriptors are open"));
	close(ours);
	close(theirs);
}
