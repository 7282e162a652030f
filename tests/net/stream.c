/*
 * The life of streams: net/stream.c.
 */
#include "net/stream.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/report.h>

#include "net/stream_object.h"
#include "task/task.h"
#include "tests/net/net.h"

/* ---- Adopting ---- */

static int adopts_what_flows(void *arg)
{
	weft_stream *reader, *writer;
	char buffer[16];
	int ends[2];

	(void)arg;
	for (int kind = 0; kind < 2; kind++) {
		if (kind == 0)
			cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
		else
			cr_assert_eq(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
		cr_assert_eq(weft_stream_adopt(ends[0], &reader), 0);
		cr_assert_eq(weft_stream_adopt(ends[1], &writer), 0);
		cr_expect(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
		cr_expect_eq(weft_stream_fd(reader), ends[0]);
		cr_expect_eq(weft_stream_write(writer, "through", 7), 0);
		cr_expect_eq(weft_stream_read(reader, buffer, sizeof(buffer)), 7);
		cr_expect_arr_eq(buffer, "through", 7);
		cr_expect_str_eq(weft_stream_peername(reader), "");
		cr_expect_str_eq(weft_stream_sockname(writer), "");
		cr_expect_eq(weft_stream_close(writer), 0);
		if (kind == 0)
			cr_expect_eq(weft_stream_read(reader, buffer, sizeof(buffer)), 0);
		cr_expect_eq(weft_stream_close(reader), 0);
	}
	return 0;
}

Test(stream, is_made_of_pipes_and_terminals)
{
	run_net(adopts_what_flows, NULL);
}

enum { NUMBER = 77 }; /* of the descriptor that is refused, since the message names it */

static void expect_refusal(int fd, int code, const char *message)
{
	weft_stream *stream = NULL;

	cr_assert_eq(dup3(fd, NUMBER, O_CLOEXEC), NUMBER);
	cr_expect_eq(weft_stream_adopt(NUMBER, &stream), code);
	cr_expect_str_eq(weft_error_text(code), message);
	cr_expect_null(stream);
	close(NUMBER);
	close(fd);
}

static int refuses(void *arg)
{
	weft_stream *stream = NULL;
	int fd, ends[2];

	(void)arg;
	cr_expect_eq(weft_stream_adopt(-1, &stream), -EBADF);
	cr_expect_str_eq(weft_error_text(-EBADF), "descriptor -1 is not open");
	cr_expect_eq(weft_stream_adopt(987, &stream), -EBADF);
	cr_expect_str_eq(weft_error_text(-EBADF), "descriptor 987 is not open");
	expect_refusal(
		open("/proc/self/exe", O_RDONLY | O_CLOEXEC), -EINVAL,
		"descriptor 77 is a regular file or directory, which is always ready: read "
		"it in an executor");
	expect_refusal(
		socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), -EINVAL,
		"descriptor 77 is a socket that keeps messages apart, and no stream");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(listen(fd, 1), 0);
	expect_refusal(fd, -EINVAL,
		       "descriptor 77 is a listening socket: give it to weft_listen() "
		       "as \"fd:77\"");
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(dup3(ends[0], NUMBER, O_CLOEXEC), NUMBER);
	cr_assert_eq(weft_stream_adopt(NUMBER, &stream), 0);
	cr_expect_eq(weft_stream_adopt(NUMBER, &stream), -EBUSY);
	cr_expect_str_eq(
		weft_error_text(-EBUSY),
		"descriptor 77 is used by something else on this loop already: close or "
		"remove that first");
	weft_stream_abort(stream);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

Test(stream, says_why_a_descriptor_is_none)
{
	run_net(refuses, NULL);
}

static int has_no_memory(void *arg)
{
	weft_stream *stream;
	int ends[2], r;
	long nth = 0;

	(void)arg;
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	do {
		weft__fail_allocation(++nth);
		r = weft_stream_adopt(ends[0], &stream);
		weft__fail_allocation(0);
		cr_expect(r == 0 || r == -ENOMEM);
		cr_expect_ge(fcntl(ends[0], F_GETFD), 0, "it stays the caller's");
	} while (r < 0);
	cr_expect_gt(nth, 1);
	weft_stream_abort(stream);
	close(ends[1]);
	return 0;
}

Test(stream, leaves_the_descriptor_alone_without_memory)
{
	run_net(has_no_memory, NULL);
}

Test(stream, needs_a_loop)
{
	weft_stream *stream;

	cr_expect_eq(weft_stream_adopt(0, &stream), -EPERM);
	cr_expect_str_eq(weft_error_text(-EPERM),
			 "weft_stream_adopt() was called on a thread "
			 "without a loop: start one with weft_run()");
}

/* ---- Names ---- */

static int has_names(void *arg)
{
	struct sockaddr_storage storage;
	socklen_t size = sizeof(storage);
	char expected[ADDRESS_TEXT_SIZE];
	struct pair pair;

	(void)arg;
	for (enum pair_kind kind = PAIR_TCP; kind <= PAIR_TCP6; kind++) {
		pair_open(&pair, kind, false);
		size = sizeof(storage);
		cr_assert_eq(getsockname(pair.peer, (struct sockaddr *)&storage, &size),
			     0);
		weft__address_format((struct sockaddr *)&storage, size, expected);
		cr_expect_str_eq(weft_stream_peername(pair.stream), expected);
		size = sizeof(storage);
		cr_assert_eq(getpeername(pair.peer, (struct sockaddr *)&storage, &size),
			     0);
		weft__address_format((struct sockaddr *)&storage, size, expected);
		cr_expect_str_eq(weft_stream_sockname(pair.stream), expected);
		cr_expect_eq(weft_stream_sockname(pair.stream),
			     weft_stream_sockname(pair.stream), "it is the stream's");
		pair_close(&pair);
	}
	pair_open(&pair, PAIR_TCP, false);
	weft__fail_allocation(1);
	cr_expect_str_eq(weft_stream_peername(pair.stream), "");
	weft__fail_allocation(0);
	cr_expect_str_neq(weft_stream_peername(pair.stream), "");
	pair_close(&pair);
	return 0;
}

Test(stream, knows_both_addresses)
{
	run_net(has_names, NULL);
}

/* ---- Ending ---- */

static int ends(void *arg)
{
	struct pair pair;

	(void)arg;
	cr_expect_eq(weft_stream_close(NULL), 0);
	weft_stream_abort(NULL);
	pair_open(&pair, PAIR_TCP, false);
	cr_expect_eq(weft_stream_write(pair.stream, "bye", 3), 0);
	cr_expect_eq(weft_stream_close(pair.stream), 0);
	pair.stream = NULL;
	peer_expect(&pair, "bye", 3);
	cr_expect(peer_sees_end(&pair));
	pair_close(&pair);
	pair_open(&pair, PAIR_TCP, false);
	weft_stream_abort(pair.stream);
	pair.stream = NULL;
	cr_expect(peer_sees_reset(&pair), "whatever came before shall not look complete");
	pair_close(&pair);
	return 0;
}

Test(stream, ends_in_order_or_by_a_reset)
{
	run_net(ends, NULL);
}

static int read_one(void *stream)
{
	char byte;

	return (int)weft_stream_read(stream, &byte, 1);
}

/* A number that is in use again in the same turn gets none of the events of its former life. */
static int reuses_the_number(void *arg)
{
	struct pair first, second;
	weft_task *task, *reader;
	int fd;

	(void)arg;
	for (int i = 0; i < 50; i++) {
		pair_open(&first, PAIR_UNIX, false);
		fd = weft_stream_fd(first.stream);
		cr_assert_eq(weft_spawn(read_one, first.stream, &task), 0);
		cr_assert_eq(weft_yield(), 0);
		peer_send_text(&first, "old"); /* an event that nobody has fetched */
		weft_stream_abort(first.stream);
		first.stream = NULL;
		pair_open(&second, PAIR_UNIX, false);
		cr_assert_eq(weft_stream_fd(second.stream), fd,
			     "the test needs the same number");
		cr_assert_eq(weft_spawn(read_one, second.stream, &reader), 0);
		cr_expect_eq(weft_task_join(task), -ECONNABORTED);
		peer_send_text(&second, "new");
		cr_expect_eq(weft_task_join(reader), 1);
		pair_close(&second);
		pair_close(&first);
	}
	return 0;
}

Test(stream, is_not_mistaken_for_the_one_before)
{
	run_net(reuses_the_number, NULL);
}

static void abort_elsewhere(void *stream)
{
	weft_stream_abort(stream);
}

static int aborts_on_another_loop(void *arg)
{
	struct pair pair;
	weft_loops *loops;

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	cr_assert_eq(weft_loops_new(1, NULL, &loops), 0);
	cr_assert_eq(weft_loop_call_soon_threadsafe(weft_loops_get(loops, 0),
						    abort_elsewhere, pair.stream, NULL),
		     0);
	return weft_loops_close(loops);
}

Test(stream, may_be_aborted_on_its_loop_only, .signal = SIGABRT)
{
	run_net(aborts_on_another_loop, NULL);
}

static int closes_under_a_reader(void *arg)
{
	struct pair pair;

	(void)arg;
	pair_open(&pair, PAIR_TCP, false);
	cr_assert_eq(weft_spawn(read_one, pair.stream, NULL), 0);
	cr_assert_eq(weft_yield(), 0);
	return weft_stream_close(pair.stream);
}

Test(stream, is_closed_when_nobody_uses_it, .signal = SIGABRT)
{
	run_net(closes_under_a_reader, NULL);
}

/* ---- What is left open ---- */

static int leave_open(void *arg)
{
	weft_stream **stream = arg;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_eq(weft_stream_adopt(fds[0], stream), 0);
	close(fds[1]);
	return 0;
}

Test(stream, is_named_when_its_loop_closes)
{
	weft_stream *stream;
	const char *text;

	reports_begin();
	cr_assert_eq(weft_run(leave_open, &stream), 0);
	text = reports_end();
	cr_expect_not_null(strstr(text, "was closed with a stream still open"), "%s",
			   text);
	close(stream->descriptor.fd);
	free(stream);
}

/* ---- Stack overflow ---- */

static int receive_into_guard(void *arg)
{
	struct pair pair;
	char *block = (char *)weft_task_current();
	size_t usable =
		((size_t)STACK_MIN << weft_task_current()->stack_class) - STACK_GUARD;

	pair_open(&pair, PAIR_UNIX, false);
	peer_send_text(&pair, "overflow");
	if (arg)
		return weft_stream_write(pair.stream, block - usable - 20000, 10000);
	return (int)weft_stream_read(pair.stream, block - usable - 20000, 10000);
}

/* Runs the task in a child. Return: what it wrote to stderr. */
static const char *run_in_child(weft_fn *fn, void *arg, int *status)
{
	static char text[2000];
	int fds[2];
	ssize_t n;
	size_t size = 0;
	pid_t child;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		_exit(weft_run(fn, arg) < 0);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	close(fds[0]);
	cr_assert_eq(waitpid(child, status, 0), child);
	return text;
}

Test(stream, tells_of_a_stack_overflow_that_the_kernel_met)
{
	static char writes;
	const char *text;
	int status;

	const char *guard = getenv("WEFT_STACK_GUARD");

	if (guard && strcmp(guard, "none") == 0)
		cr_skip_test("there are no guards");
	if (test_build_is("asan") || test_build_is("tsan") || test_build_is("valgrind"))
		cr_skip_test("a sanitizer handles the signal itself");
	for (int i = 0; i < 2; i++) {
		text = run_in_child(receive_into_guard, i ? &writes : NULL, &status);
		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x",
			  status);
		cr_expect_not_null(
			strstr(text, "stack overflow in task \"receive_into_guard\""),
			"%s", text);
		cr_expect_not_null(strstr(text, "with .stack_bytes = "), "%s", text);
	}
}

static int receive_into_array(void *arg)
{
	char buffer[65536];
	struct pair pair;

	(void)arg;
	pair_open(&pair, PAIR_UNIX, false);
	peer_send_text(&pair, "fits");
	cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 4);
	cr_expect_arr_eq(buffer, "fits", 4);
	pair_close(&pair);
	return 0;
}

Test(stream, receives_into_a_large_array_on_the_default_stack)
{
	run_net(receive_into_array, NULL);
}

/* ---- A look at the other end ---- */

static int looks(void *arg)
{
	struct pair pair;
	char byte;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		cr_expect(!weft__stream_peer_is_gone(pair.stream));
		cr_expect(!weft__stream_has_unread(pair.stream));
		peer_send_text(&pair, "x");
		cr_expect(weft__stream_has_unread(pair.stream));
		peer_end(&pair);
		cr_expect(!weft__stream_peer_is_gone(pair.stream),
			  "there is something to read");
		cr_expect_eq(weft_stream_read(pair.stream, &byte, 1), 1);
		cr_expect(!weft__stream_has_unread(pair.stream));
		cr_expect(weft__stream_peer_is_gone(pair.stream));
		pair_close(&pair);
	}
	pair_open(&pair, PAIR_TCP, false);
	peer_reset(&pair);
	cr_expect(weft__stream_peer_is_gone(pair.stream));
	pair_close(&pair);
	return 0;
}

Test(stream, sees_whether_the_peer_has_gone)
{
	run_net(looks, NULL);
}
