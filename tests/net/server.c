/*
 * Servers: net/server.c.
 */
#include "net/server.h"

#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/group.h>
#include <weft/stream.h>
#include <weft/sync.h>
#include <weft/timeout.h>

#include "tests/net/names.h"
#include "tests/net/net.h"

static int echo(weft_stream *stream, void *arg)
{
	char buffer[1024];
	ssize_t n;
	int r;

	(void)arg;
	while ((n = weft_stream_read(stream, buffer, sizeof(buffer))) > 0) {
		r = weft_stream_write(stream, buffer, (size_t)n);
		if (r < 0)
			return r;
	}
	return (int)n;
}

static void open_server(weft_server **server, const struct weft_listen_options *options)
{
	cr_assert_eq(weft_listen("127.0.0.1:0", options, echo, NULL, server), 0);
}

/* Asks by a plain socket, and gets its answer. */
static void expect_echo(int fd)
{
	char buffer[8];

	cr_expect_eq(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
	cr_expect_eq(recv(fd, buffer, sizeof(buffer), 0), 5);
	cr_expect_arr_eq(buffer, "hello", 5);
}

/* ---- Serving ---- */

static int talk_to(const char *address)
{
	weft_stream *stream;
	char *line;
	int r = weft_connect(address, NULL, &stream);

	if (r < 0)
		return r;
	for (int i = 0; i < 3 && r >= 0; i++) {
		r = weft_stream_printf(stream, "message %d\r\n", i);
		if (r == 0)
			r = (int)weft_stream_read_line(stream, &line);
		cr_expect_eq(r, 11);
		cr_expect_eq(line[8], '0' + i);
	}
	cr_expect_eq(weft_stream_close(stream), 0);
	return r < 0 ? r : 0;
}

static int serves(void *arg)
{
	static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0", "localhost:0",
						 "two.test:0", "unix:@weft-test-server" };
	weft_server *server;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		cr_assert_eq(weft_listen(addresses[i], NULL, echo, NULL, &server), 0);
		for (int n = 0; n < 3; n++)
			cr_expect_eq(talk_to(weft_server_address(server)), 0, "%s",
				     addresses[i]);
		cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0, "%s",
			     addresses[i]);
	}
	return 0;
}

Test(server, answers_on_every_kind_of_address)
{
	run_net(serves, NULL);
}

/* Handlers that run, on which loop. */
static atomic_int n_on_loop[4];

static int note_loop(weft_stream *stream, void *arg)
{
	weft_loops *loops = arg;

	for (int i = 0; i < weft_loops_count(loops); i++)
		if (weft_loops_get(loops, i) == weft_loop_current())
			atomic_fetch_add(&n_on_loop[i], 1);
	return echo(stream, NULL);
}

static int spreads(void *arg)
{
	struct weft_listen_options options = { 0 };
	weft_server *server;
	weft_loops *loops;
	int fds[40];

	(void)arg;
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	cr_assert_eq(weft_listen("127.0.0.1:0", &options, note_loop, loops, &server), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_plain(weft_server_address(server));
		expect_echo(fds[i]);
	}
	/* Each to the loop that has fewer: 20 and 20, but for one that the machine held up. */
	cr_expect_eq(atomic_load(&n_on_loop[0]) + atomic_load(&n_on_loop[1]), 40);
	cr_expect_ge(atomic_load(&n_on_loop[0]), 12);
	cr_expect_ge(atomic_load(&n_on_loop[1]), 12);
	cr_expect_eq((int)weft__server_connections(server, 0),
		     atomic_load(&n_on_loop[0]));
	cr_expect_eq(weft__server_accepted(server, 0) + weft__server_accepted(server, 1),
		     40);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	return weft_loops_close(loops);
}

Test(server, spreads_connections_evenly_over_loops)
{
	run_net(spreads, NULL);
}

static int has_copies(void *arg)
{
	struct weft_listen_options options = { .reuse_port = true };
	weft_server *server;
	weft_loops *loops;

	(void)arg;
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	open_server(&server, &options);
	cr_expect_eq(server->listener.n_fds, 2);
	for (int i = 0; i < 20; i++)
		cr_expect_eq(talk_to(weft_server_address(server)), 0);
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	return weft_loops_close(loops);
}

Test(server, has_a_socket_for_each_loop_if_asked)
{
	run_net(has_copies, NULL);
}

static int burst(void *arg)
{
	struct weft_listen_options options = { .backlog = 200 };
	weft_server *server;
	weft_loops *loops;
	int fds[100];

	(void)arg;
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	open_server(&server, &options);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_plain(weft_server_address(server));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		expect_echo(fds[i]);
		close(fds[i]);
	}
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	return weft_loops_close(loops);
}

Test(server, takes_a_burst_of_connections)
{
	run_net(burst, NULL);
}

/* ---- Closing ---- */

static int refuses_at_once(void *arg)
{
	struct weft_listen_options options = { 0 };
	weft_loops *loops = NULL;

	for (int n_loops = 0; n_loops <= 2; n_loops += 2) {
		weft_server *server;
		struct address address;
		int fd;

		if (n_loops)
			cr_assert_eq(weft_loops_new(n_loops, NULL, &loops), 0);
		options.loops = loops;
		open_server(&server, &options);
		cr_assert_eq(weft__address_parse(weft_server_address(server), &address),
			     0);
		weft_server_abort(server);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_expect_lt(connect(fd, &address.socket.any, address.size), 0,
			     "from the moment of the call");
		cr_expect_eq(errno, ECONNREFUSED);
		close(fd);
		if (n_loops)
			cr_expect_eq(weft_loops_close(loops), 0);
	}
	(void)arg;
	return 0;
}

Test(server, refuses_from_the_moment_of_its_end)
{
	run_net(refuses_at_once, NULL);
}

/* Loops that are held up while clients come, and go on once the server is being closed. */
struct hold_up {
	const char *address; /* where nobody listens any more, then */
	weft_loops *loops;
	sem_t end;
};

static void be_held_up(void *arg)
{
	struct hold_up *hold_up = arg;

	while (sem_wait(&hold_up->end) < 0)
		;
}

/* Begins when its server has been told to close. */
static int let_go(void *arg)
{
	struct hold_up *hold_up = arg;
	struct address address;
	int fd;

	cr_assert_eq(weft__address_parse(hold_up->address, &address), 0);
	fd = socket(address.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_expect_lt(connect(fd, &address.socket.any, address.size), 0,
		     "%s: from the moment of the call", hold_up->address);
	close(fd);
	for (int i = 0; hold_up->loops && i < weft_loops_count(hold_up->loops); i++)
		cr_expect_eq(sem_post(&hold_up->end), 0);
	return 0;
}

static void expect_last_answered(const char *where, int n_loops, bool reuse_port)
{
	struct weft_listen_options options = { .reuse_port = reuse_port };
	struct hold_up hold_up = { .address = NULL };
	weft_server *server;
	weft_task *task;
	char buffer[8], address[64];
	int fds[20];

	cr_assert_eq(sem_init(&hold_up.end, 0, 0), 0);
	if (n_loops)
		cr_assert_eq(weft_loops_new(n_loops, NULL, &hold_up.loops), 0);
	options.loops = hold_up.loops;
	cr_assert_eq(weft_listen(where, &options, echo, NULL, &server), 0);
	snprintf(address, sizeof(address), "%s", weft_server_address(server));
	hold_up.address = address;
	for (int i = 0; i < n_loops; i++)
		cr_assert_eq(
			weft_loop_call_soon_threadsafe(weft_loops_get(hold_up.loops, i),
						       be_held_up, &hold_up, NULL),
			0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_plain(address);
		cr_expect_eq(send(fds[i], "hello", 5, MSG_NOSIGNAL), 5);
		cr_expect_eq(shutdown(fds[i], SHUT_WR), 0);
	}
	cr_assert_eq(weft_spawn(let_go, &hold_up, &task), 0);
	cr_expect_eq(weft_server_close(server, 30 * WEFT_SEC), 0, "%s", where);
	cr_expect_eq(weft_task_join(task), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cr_expect_eq(recv(fds[i], buffer, sizeof(buffer), 0), 5, "%s, %d loops",
			     where, n_loops);
		cr_expect_eq(recv(fds[i], buffer, sizeof(buffer), 0), 0);
		close(fds[i]);
	}
	if (n_loops)
		cr_expect_eq(weft_loops_close(hold_up.loops), 0);
	cr_expect_eq(sem_destroy(&hold_up.end), 0);
}

static int answers_the_last(void *arg)
{
	(void)arg;
	for (int n_loops = 0; n_loops <= 2; n_loops += 2) {
		expect_last_answered("127.0.0.1:0", n_loops, false);
		expect_last_answered("127.0.0.1:0", n_loops, true);
		expect_last_answered("two.test:0", n_loops, false);
		expect_last_answered("unix:@weft-test-last", n_loops, false);
	}
	return 0;
}

Test(server, answers_who_came_before_its_end)
{
	run_net(answers_the_last, NULL);
}

/* Handlers that stay until they are cancelled or told to end. */
struct stay {
	struct weft_event end;
	int n_inside, n_done, n_cancelled;
};

static int stay_inside(weft_stream *stream, void *arg)
{
	struct stay *stay = arg;
	int r;

	stay->n_inside++;
	r = weft_event_wait(&stay->end);
	if (r == 0)
		r = weft_stream_write(stream, "done", 4);
	stay->n_done += r == 0;
	stay->n_cancelled += r == -ECANCELED;
	return r;
}

static bool is_inside(void *arg)
{
	return ((struct stay *)arg)->n_inside == 2;
}

static void end_stay(void *arg)
{
	weft_event_set(&((struct stay *)arg)->end);
}

static void open_stay(struct stay *stay, weft_server **server, int fds[2])
{
	*stay = (struct stay){ .end = WEFT_EVENT_INIT };
	cr_assert_eq(weft_listen("127.0.0.1:0", NULL, stay_inside, stay, server), 0);
	for (int i = 0; i < 2; i++)
		fds[i] = connect_plain(weft_server_address(*server));
	await_true(is_inside, stay, "the handlers run");
}

static void close_stay(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static int waits_for_handlers(void *arg)
{
	struct weft_handle handle = { 0 };
	weft_server *server;
	struct stay stay;
	char buffer[8];
	int fds[2];

	(void)arg;
	open_stay(&stay, &server, fds);
	cr_assert_eq(weft_loop_call_later(weft_loop_current(), 20 * WEFT_MSEC, end_stay,
					  &stay, &handle),
		     0);
	cr_expect_eq(weft_server_close(server, 30 * WEFT_SEC), 0);
	cr_expect_eq(stay.n_done, 2, "all have ended when it returns");
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(recv(fds[i], buffer, sizeof(buffer), 0), 4);
		cr_expect_eq(recv(fds[i], buffer, sizeof(buffer), 0), 0,
			     "flushed and closed");
	}
	close_stay(fds);
	return 0;
}

Test(server, lets_handlers_finish)
{
	run_net(waits_for_handlers, NULL);
}

static int cancels_after_grace(void *arg)
{
	static const weft_time graces[] = { 20 * WEFT_MSEC, 0 };
	weft_server *server;
	struct stay stay;
	int fds[2];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(graces); i++) {
		open_stay(&stay, &server, fds);
		cr_expect_eq(weft_server_close(server, graces[i]), -ETIMEDOUT);
		cr_expect_str_eq(
			weft_error_text(-ETIMEDOUT),
			"not all connections of the server ended within the grace, so "
			"their handlers were cancelled");
		cr_expect_eq(stay.n_cancelled, 2);
		close_stay(fds);
	}
	return 0;
}

Test(server, cancels_handlers_when_the_grace_is_over)
{
	run_net(cancels_after_grace, NULL);
}

struct closer {
	weft_server *server;
	int r;
};

static int close_server(void *arg)
{
	struct closer *closer = arg;

	closer->r = weft_server_close(closer->server, WEFT_FOREVER);
	return closer->r;
}

static int is_cancelled(void *arg)
{
	struct closer closer;
	weft_task *task;
	struct stay stay;
	int fds[2];

	(void)arg;
	open_stay(&stay, &closer.server, fds);
	cr_assert_eq(weft_spawn(close_server, &closer, &task), 0);
	cr_assert_eq(weft_yield(), 0);
	(void)weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED, "as if the grace were over");
	cr_expect_eq(stay.n_cancelled, 2);
	close_stay(fds);
	return 0;
}

Test(server, ends_its_grace_when_its_close_is_cancelled)
{
	run_net(is_cancelled, NULL);
}

static bool both_cancelled(void *arg)
{
	return ((struct stay *)arg)->n_cancelled == 2;
}

static int aborts(void *arg)
{
	weft_server *server;
	struct stay stay;
	char byte;
	int fds[2];

	(void)arg;
	weft_server_abort(NULL);
	cr_expect_eq(weft_server_close(NULL, 0), 0);
	open_stay(&stay, &server, fds);
	weft_server_abort(server);
	cr_expect_eq(stay.n_cancelled, 0, "it does not wait");
	await_true(both_cancelled, &stay, "the handlers are cancelled");
	cr_expect_lt(recv(fds[0], &byte, 1, 0), 0, "a cut answer ends by a reset");
	close_stay(fds);
	return 0;
}

Test(server, aborts_without_waiting)
{
	run_net(aborts, NULL);
}

static int serve_for_ever(void *arg)
{
	return weft_server_serve_forever(arg, 10 * WEFT_SEC);
}

static int serves_for_ever(void *arg)
{
	weft_server *server;
	weft_task *task;

	(void)arg;
	open_server(&server, NULL);
	cr_assert_eq(weft_spawn(serve_for_ever, server, &task), 0);
	cr_expect_eq(talk_to(weft_server_address(server)), 0);
	(void)weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0, "that is how serving ends");
	open_server(&server, NULL);
	cr_assert_eq(weft_spawn(serve_for_ever, server, &task), 0);
	(void)weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), 0, "also if it had not begun");
	return 0;
}

Test(server, serves_until_it_is_cancelled)
{
	run_net(serves_for_ever, NULL);
}

/* ---- Loops and their ends ---- */

static int leave_open(void *arg)
{
	open_server(arg, NULL);
	return talk_to(weft_server_address(*(weft_server **)arg));
}

Test(server, is_named_when_its_loop_closes)
{
	weft_server *server;

	reports_begin();
	run_net(leave_open, &server);
	cr_expect_not_null(strstr(reports_end(), "was closed with a server still open"));
	free(server->acceptors[0].doors);
	weft_loop_unref(server->acceptors[0].loop);
	free(server);
	test_keep_open(); /* the descriptor in reserve is held for it */
}

static int loops_end_first(void *arg)
{
	struct weft_listen_options options = { 0 };
	weft_server *server;
	weft_loops *loops;
	int fds[10];
	char byte;

	(void)arg;
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	open_server(&server, &options);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_plain(weft_server_address(server));
		expect_echo(fds[i]);
	}
	cr_expect_eq(weft_loops_close(loops), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cr_expect_le(recv(fds[i], &byte, 1, 0), 0);
		close(fds[i]);
	}
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	return 0;
}

Test(server, survives_the_end_of_its_loops)
{
	run_net(loops_end_first, NULL);
}

/* The last acceptor gives the sockets up at the moment when the owner uses them. */
static int loops_end_meanwhile(void *arg)
{
	struct weft_listen_options options = { 0 };
	weft_server *server;
	weft_loops *loops;

	(void)arg;
	for (int round = 0; round < 100; round++) {
		cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
		options.loops = loops;
		cr_assert_eq(weft_listen("unix:@weft-test-race", &options, echo, NULL,
					 &server),
			     0);
		for (int i = 0; i < 2; i++)
			weft_loop_stop(weft_loops_get(loops, i));
		cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
		cr_expect_eq(weft_loops_close(loops), 0);
	}
	return 0;
}

Test(server, may_end_while_its_loops_do)
{
	run_net(loops_end_meanwhile, NULL);
}

static void do_nothing(void *arg)
{
	(void)arg;
}

static bool is_closed(void *loop)
{
	return weft_loop_call_soon_threadsafe(loop, do_nothing, NULL, NULL) == -ESHUTDOWN;
}

static int no_loop_left(void *arg)
{
	struct weft_listen_options options = { 0 };
	weft_server *server = NULL;
	weft_loops *loops;
	weft_loop *loop;

	(void)arg;
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	loop = weft_loops_get(loops, 1);
	weft_loop_ref(loop);
	weft_loop_stop(loop);
	await_true(is_closed, loop, "the loop closes");
	options.loops = loops;
	cr_expect_eq(weft_listen("127.0.0.1:0", &options, echo, NULL, &server),
		     -ESHUTDOWN);
	cr_expect_null(server);
	weft_loop_unref(loop);
	return weft_loops_close(loops);
}

Test(server, does_not_begin_on_a_loop_that_is_closed)
{
	run_net(no_loop_left, NULL);
}

/* ---- Sockets of others ---- */

static int serves_borrowed(void *arg)
{
	struct weft_listen_options options = { 0 };
	struct listener listener;
	struct closer closer;
	weft_server *server;
	weft_loops *loops;
	weft_task *task;
	int fd;

	(void)arg;
	cr_assert_eq(weft__listener_open(&listener, "two.test:0", 0, 1, false), 0);
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	cr_assert_eq(weft__listen_on(listener.fds, listener.n_fds, 1, &options, echo,
				     NULL, NULL, &server),
		     0);
	cr_expect_str_eq(weft_server_address(server), listener.text);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(talk_to(listener.text), 0);
	fd = connect_plain(listener.text);
	expect_echo(fd);
	closer.server = server;
	cr_assert_eq(weft_spawn(close_server, &closer, &task), 0);
	cr_assert_eq(weft_yield(), 0); /* it has begun */
	expect_echo(fd);
	close(connect_plain(
		listener.text)); /* the kernel still takes it, for somebody else */
	close(fd);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(closer.r, 0);
	cr_expect_eq(weft_loops_close(loops), 0);
	close(connect_plain(listener.text));
	weft__listener_close(&listener);
	return 0;
}

Test(server, serves_sockets_that_stay_somebody_elses)
{
	run_net(serves_borrowed, NULL);
}

static int serves_a_descriptor(void *arg)
{
	struct listener listener;
	weft_server *server;
	char text[20];

	(void)arg;
	cr_assert_eq(weft__listener_open(&listener, "127.0.0.1:0", 0, 1, false), 0);
	snprintf(text, sizeof(text), "fd:%d", listener.fds[0]);
	cr_assert_eq(weft_listen(text, NULL, echo, NULL, &server), 0);
	listener.n_fds = 0; /* it is the server's */
	cr_expect_str_eq(weft_server_address(server), listener.text);
	cr_expect_eq(talk_to(listener.text), 0);
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	weft__listener_close(&listener);
	return 0;
}

Test(server, adopts_a_listening_descriptor)
{
	run_net(serves_a_descriptor, NULL);
}

/* ---- Who may call, and with what ---- */

struct self_closer {
	weft_server *server;
	int r;
};

static int close_my_own(weft_stream *stream, void *arg)
{
	struct self_closer *closer = arg;

	closer->r = weft_server_close(closer->server, WEFT_FOREVER);
	cr_expect_str_eq(
		weft_error_text(closer->r),
		"weft_server_close() was called by a handler of the server, which "
		"would wait for itself: wake the task that listens and let it "
		"close, or call weft_server_abort()");
	return weft_stream_write(stream, "x", 1);
}

static int is_closed_by_a_handler(void *arg)
{
	struct self_closer closer = { .r = 0 };
	weft_stream *stream;
	char byte;

	(void)arg;
	cr_assert_eq(weft_listen("127.0.0.1:0", NULL, close_my_own, &closer,
				 &closer.server),
		     0);
	cr_assert_eq(weft_connect(weft_server_address(closer.server), NULL, &stream), 0);
	cr_expect_eq(weft_stream_read(stream, &byte, 1), 1, "it goes on");
	weft_stream_abort(stream);
	cr_expect_eq(closer.r, -EDEADLK);
	cr_expect_eq(weft_server_close(closer.server, WEFT_SEC), 0);
	return 0;
}

Test(server, is_not_closed_by_its_own_handlers)
{
	run_net(is_closed_by_a_handler, NULL);
}

static int checks_options(void *arg)
{
	struct weft_listen_options options[] = {
		{ .backlog = -1 },
		{ .max_connections = -1 },
		{ .reserved = { 1 } },
	};
	weft_server *server;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		cr_expect_eq(weft_listen("127.0.0.1:0", &options[i], echo, NULL, &server),
			     -EINVAL);
		cr_expect_str_eq(
			weft_error_text(-EINVAL),
			"weft_listen(): the options are not valid: set all fields that you "
			"do not use to zero");
	}
	return 0;
}

Test(server, refuses_options_of_the_future)
{
	run_net(checks_options, NULL);
}

static int call_elsewhere(void *server)
{
	cr_expect_str_eq(weft_server_address(server), "");
	cr_expect_eq(weft_server_close(server, 0), -EPERM);
	cr_expect_eq(weft_server_serve_forever(server, 0), -EPERM);
	return 0;
}

static void call_in_callback(void *server)
{
	cr_expect_eq(weft_server_close(server, 0), -EPERM);
	weft_server_abort(server);
}

static int is_of_one_loop(void *arg)
{
	weft_server *server;
	weft_loops *loops;
	weft_future *future;

	(void)arg;
	open_server(&server, NULL);
	cr_assert_eq(weft_loops_new(1, NULL, &loops), 0);
	cr_assert_eq(weft_spawn_on(weft_loops_get(loops, 0), call_elsewhere, server,
				   &future),
		     0);
	cr_assert_eq(weft_future_await(future), 0);
	weft_future_unref(future);
	cr_expect_eq(weft_loops_close(loops), 0);
	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), call_in_callback, server,
					 NULL),
		     0);
	return weft_yield();
}

Test(server, belongs_to_its_loop)
{
	run_net(is_of_one_loop, NULL);
}

Test(server, is_for_tasks)
{
	weft_server *server;

	cr_expect_eq(weft_listen("127.0.0.1:0", NULL, echo, NULL, &server), -EPERM);
}

static int listen_slowly(void *arg)
{
	weft_server *server = NULL;
	int r = weft_listen("gate.test:0", NULL, echo, NULL, &server);

	(void)arg;
	cr_expect_null(server);
	return r;
}

static bool looks_up(void *arg)
{
	(void)arg;
	return names_waiting() == 1;
}

static int is_cancelled_early(void *arg)
{
	int n = count_descriptors();
	weft_task *task;

	(void)arg;
	cr_assert_eq(weft_spawn(listen_slowly, NULL, &task), 0);
	await_true(looks_up, NULL, "the name is looked up");
	(void)weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	cr_expect_eq(count_descriptors(), n);
	names_open_gate();
	return 0;
}

Test(server, can_be_cancelled_while_a_name_is_looked_up)
{
	run_net(is_cancelled_early, NULL);
}

/* ---- No memory ---- */

static int has_no_memory(void *arg)
{
	struct weft_listen_options options = { 0 };
	int n = count_descriptors(), r;
	weft_server *server;
	weft_loops *loops;
	long nth = 0;

	(void)arg;
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	do {
		weft__fail_allocation(++nth);
		r = weft_listen("127.0.0.1:0", &options, echo, NULL, &server);
		weft__fail_allocation(0);
		cr_expect(r == 0 || r == -ENOMEM, "allocation %ld: %d", nth, r);
	} while (r < 0);
	cr_expect_gt(nth, 4);
	cr_expect_eq(weft_server_close(server, 0), 0);
	cr_expect_eq(weft_loops_close(loops), 0);
	cr_expect_eq(count_descriptors(), n);
	return 0;
}

Test(server, survives_a_lack_of_memory)
{
	run_net(has_no_memory, NULL);
}

struct patient {
	bool has_begun;
	ssize_t told; /* what the wait for more returned */
};

/* Would wait for ever; says so when it is told to finish, and finishes. */
static int wait_for_more(weft_stream *stream, void *arg)
{
	struct patient *patient = arg;
	char byte;

	weft_stream_finish_on_cancel(stream);
	cr_expect_eq(weft_stream_read(stream, &byte, 1), 1);
	patient->has_begun = true;
	patient->told = weft_stream_read(stream, &byte, 1);
	return weft_stream_write(stream, "bye", 3);
}

static bool has_begun(void *arg)
{
	return ((struct patient *)arg)->has_begun;
}

static int finishes_on_cancel(void *arg)
{
	struct patient patient = { .told = 1 };
	weft_server *server;
	char text[4];
	int fd;

	(void)arg;
	cr_assert_eq(weft_listen("127.0.0.1:0", NULL, wait_for_more, &patient, &server),
		     0);
	fd = connect_plain(weft_server_address(server));
	cr_assert_eq(write(fd, "x", 1), 1);
	await_true(has_begun, &patient, "the handler begins");
	cr_expect_eq(weft_server_close(server, 60 * WEFT_MIN), 0); /* not after an hour */
	cr_expect_eq(patient.told, -ECANCELED);
	cr_expect_eq(read(fd, text, sizeof(text)), 3);
	cr_expect_arr_eq(text, "bye", 3);
	cr_expect_eq(read(fd, text, sizeof(text)), 0); /* an end, no reset */
	close(fd);
	return 0;
}

Test(server, does_not_wait_for_handlers_that_finish_on_cancel)
{
	run_net(finishes_on_cancel, NULL);
}
