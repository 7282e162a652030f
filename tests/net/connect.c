/*
 * Connecting: net/connect.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/report.h>
#include <weft/stream.h>
#include <weft/timeout.h>

#include "net/stream_object.h"
#include "tests/net/names.h"
#include "tests/net/net.h"

/* ---- Listeners that the tests connect to ---- */

/* Listens on "127.0.0.2", port 0 for any. Return: the socket; *port is what it got. */
static int listen_on(const char *host, uint16_t *port)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address address;
	int fd, one = 1;

	snprintf(text, sizeof(text), "%s:%u", host, *port);
	cr_assert_eq(weft__address_parse(text, &address), 0);
	fd = socket(address.socket.any.sa_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_ge(fd, 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	cr_assert_eq(bind(fd, &address.socket.any, address.size), 0, "%s: %s", text,
		     strerror(errno));
	cr_assert_eq(listen(fd, 0), 0);
	cr_assert_eq(getsockname(fd, &address.socket.any, &address.size), 0);
	*port = weft__address_port(&address.socket.any);
	return fd;
}

/* A listener that answers nobody: its queue is full, so the kernel ignores what comes. */
struct mute {
	int listener;
	int fillers[3];
};

static void mute_open(struct mute *mute, const char *host, uint16_t *port)
{
	struct address address;
	char text[ADDRESS_TEXT_SIZE];

	mute->listener = listen_on(host, port);
	snprintf(text, sizeof(text), "%s:%u", host, *port);
	cr_assert_eq(weft__address_parse(text, &address), 0);
	for (size_t i = 0; i < ARRAY_SIZE(mute->fillers); i++) {
		mute->fillers[i] =
			socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(mute->fillers[i], &address.socket.any, address.size);
	}
}

static void mute_close(struct mute *mute)
{
	for (size_t i = 0; i < ARRAY_SIZE(mute->fillers); i++)
		close(mute->fillers[i]);
	close(mute->listener);
}

static const char *to(const char *host, uint16_t port)
{
	static char text[ADDRESS_TEXT_SIZE];

	snprintf(text, sizeof(text), "%s:%u", host, port);
	return text;
}

/* The error, its children behind it. */
static const char *whole_text(int code)
{
	static char text[2000];

	(void)weft_error_format(weft_error_of(code), text, sizeof(text));
	return text;
}

static void expect_connected(weft_stream *stream, const char *host, uint16_t port)
{
	cr_expect_str_eq(weft_stream_peername(stream), to(host, port));
	cr_expect_eq(weft_stream_write(stream, "x", 1), 0);
	weft_stream_abort(stream);
}

/* ---- One address ---- */

static int connects(void *arg)
{
	static const char *const hosts[] = { "127.0.0.1", "[::1]" };
	weft_stream *stream;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		uint16_t port = 0;
		int fd = listen_on(hosts[i], &port), accepted;

		cr_assert_eq(weft_connect(to(hosts[i], port), NULL, &stream), 0);
		accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		cr_assert_ge(accepted, 0);
		expect_connected(stream, hosts[i], port);
		close(accepted);
		close(fd);
	}
	return 0;
}

Test(connect, opens_a_stream)
{
	run_net(connects, NULL);
}

static int explains(void *arg)
{
	static const struct {
		const char *text;
		int code;
		const char *message;
	} cases[] = {
		{ "127.0.0.1:1", -ECONNREFUSED,
		  "cannot connect to 127.0.0.1:1: Connection refused" },
		{ "twice.test:1", -ECONNREFUSED,
		  "cannot connect to twice.test:1: none of its 2 addresses answers\n"
		  "  - 127.0.0.2:1: Connection refused\n"
		  "  - 127.0.0.2:1: Connection refused" },
		{ "nosuch.test:80", -ENOENT, "no address is known for \"nosuch.test\"" },
		{ "unix:/nosuch/socket", -ENOENT,
		  "cannot connect to unix:/nosuch/socket: No such file or directory" },
		{ "unix:@nosuch", -ECONNREFUSED,
		  "cannot connect to unix:@nosuch: Connection refused" },
		{ ":80", -EINVAL,
		  "\":80\" stands for all interfaces, to which nobody can connect: "
		  "write a host, such as \"localhost:80\"" },
		{ "*:80", -EINVAL,
		  "\"*:80\" stands for all interfaces, to which nobody can connect: "
		  "write a host, such as \"localhost:80\"" },
		{ "fd:987", -EBADF, "descriptor 987 is not open" },
		{ "nowhere", -EINVAL,
		  "the address \"nowhere\" has no port: write HOST:PORT, such as "
		  "\"localhost:8080\", or unix:/PATH or fd:NUMBER" },
	};
	weft_stream *stream = NULL;
	int n = count_descriptors();

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(weft_connect(cases[i].text, NULL, &stream), cases[i].code,
			     "%s", cases[i].text);
		cr_expect_str_eq(whole_text(cases[i].code), cases[i].message);
		cr_expect_null(stream);
	}
	cr_expect_eq(count_descriptors(), n, "nothing stays open");
	return 0;
}

Test(connect, says_why_there_is_no_connection)
{
	run_net(explains, NULL);
}

static int checks_options(void *arg)
{
	struct weft_connect_options options[] = {
		{ .limit_ns = -1 },
		{ .stagger_ns = -1 },
		{ .reserved = { 1 } },
	};
	weft_stream *stream;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		cr_expect_eq(weft_connect("127.0.0.1:1", &options[i], &stream), -EINVAL);
		cr_expect_str_eq(
			weft_error_text(-EINVAL),
			"weft_connect(): the options are not valid: set all fields that you "
			"do not use to zero");
	}
	return 0;
}

Test(connect, refuses_options_of_the_future)
{
	run_net(checks_options, NULL);
}

Test(connect, is_for_tasks)
{
	weft_stream *stream;

	cr_expect_eq(weft_connect("127.0.0.1:1", NULL, &stream), -EPERM);
	cr_expect_str_eq(
		weft_error_text(-EPERM),
		"weft_connect() was called outside a task, where nothing can be awaited: "
		"start a task with weft_run() or weft_spawn()");
}

static int comes_from(void *arg)
{
	struct weft_connect_options options = { .local = "127.0.0.5:0" };
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	char text[ADDRESS_TEXT_SIZE];
	weft_stream *stream;
	uint16_t port = 0;
	int fd = listen_on("127.0.0.1", &port), accepted;

	(void)arg;
	cr_assert_eq(weft_connect(to("127.0.0.1", port), &options, &stream), 0);
	accepted = accept4(fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
	cr_expect_eq(strncmp(weft__address_format((struct sockaddr *)&peer, size, text),
			     "127.0.0.5:", 10),
		     0, "%s", text);
	cr_expect_str_eq(weft_stream_sockname(stream), text);
	weft_stream_abort(stream);
	close(accepted);
	options.local = "[::1]:0";
	cr_expect_eq(weft_connect(to("127.0.0.1", port), &options, &stream),
		     -EAFNOSUPPORT);
	cr_expect_not_null(strstr(weft_error_text(-EAFNOSUPPORT),
				  ": the local address [::1]:0 cannot be used for it: "),
			   "%s", weft_error_text(-EAFNOSUPPORT));
	options.local = "192.0.2.1:0";
	cr_expect_eq(weft_connect(to("127.0.0.1", port), &options, &stream),
		     -EADDRNOTAVAIL);
	cr_expect_not_null(
		strstr(weft_error_text(-EADDRNOTAVAIL),
		       ": the local address 192.0.2.1:0 cannot be used for it: "),
		"%s", weft_error_text(-EADDRNOTAVAIL));
	options.local = "localhost:0";
	cr_expect_eq(weft_connect(to("127.0.0.1", port), &options, &stream), -EINVAL);
	cr_expect_str_eq(
		weft_error_text(-EINVAL),
		"weft_connect(): the local address \"localhost:0\" is not numeric: write "
		"one such as \"192.0.2.1:0\"");
	close(fd);
	return 0;
}

Test(connect, comes_from_the_local_address)
{
	run_net(comes_from, NULL);
}

static int adopts(void *arg)
{
	weft_stream *stream;
	char text[20];
	int ends[2];

	(void)arg;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	snprintf(text, sizeof(text), "fd:%d", ends[0]);
	cr_assert_eq(weft_connect(text, NULL, &stream), 0);
	cr_expect_eq(weft_stream_fd(stream), ends[0]);
	weft_stream_abort(stream);
	close(ends[1]);
	return 0;
}

Test(connect, takes_a_descriptor_that_is_connected)
{
	run_net(adopts, NULL);
}

/* A port that calls itself is connected to itself, if it is lucky. */
static int calls_itself(void *arg)
{
	struct weft_connect_options options = { 0 };
	weft_stream *stream;
	uint16_t port = 0;
	int fd = listen_on("127.0.0.1", &port);

	(void)arg;
	close(fd);
	options.local = to("127.0.0.1", port);
	cr_expect_eq(weft_connect(options.local, &options, &stream), -ECONNREFUSED);
	return 0;
}

Test(connect, is_not_fooled_by_calling_itself)
{
	run_net(calls_itself, NULL);
}

/* ---- Several addresses ---- */

static int tries_the_next(void *arg)
{
	weft_stream *stream;
	uint16_t port = 0;
	int fd = listen_on("127.0.0.3", &port), n;

	(void)arg;
	n = count_descriptors();
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(weft_connect(to(i % 2 ? "two.test" : "mixed.test", port),
					  NULL, &stream),
			     0);
		expect_connected(stream, "127.0.0.3", port);
		close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	}
	cr_expect_eq(count_descriptors(), n, "the others are closed");
	close(fd);
	return 0;
}

Test(connect, tries_the_next_address_when_one_refuses)
{
	run_net(tries_the_next, NULL);
}

static int does_not_wait(void *arg)
{
	struct weft_connect_options options = { .stagger_ns = 20 * WEFT_MSEC };
	weft_stream *stream;
	uint16_t port = 0;
	struct mute mute;
	int fd, n;

	(void)arg;
	fd = listen_on("127.0.0.3", &port);
	mute_open(&mute, "127.0.0.2", &port);
	n = count_descriptors();
	cr_assert_eq(weft_connect(to("two.test", port), &options, &stream), 0);
	expect_connected(stream, "127.0.0.3", port);
	cr_expect_eq(count_descriptors(), n, "the loser is closed");
	mute_close(&mute);
	close(fd);
	return 0;
}

Test(connect, does_not_wait_for_an_address_that_is_mute)
{
	run_net(does_not_wait, NULL);
}

static int takes_turns(void *arg)
{
	weft_stream *stream;

	(void)arg;
	cr_expect_eq(weft_connect("mixed.test:1", NULL, &stream), -ECONNREFUSED);
	cr_expect_str_eq(
		whole_text(-ECONNREFUSED),
		"cannot connect to mixed.test:1: none of its 3 addresses answers\n"
		"  - [::1]:1: Connection refused\n"
		"  - 127.0.0.2:1: Connection refused\n"
		"  - 127.0.0.3:1: Connection refused");
	cr_expect_eq(weft_error_of(-ECONNREFUSED)->n_children, 3);
	cr_expect_eq(weft_connect("many.test:1", NULL, &stream), -ECONNREFUSED);
	cr_expect_eq(weft_error_of(-ECONNREFUSED)->n_children, 16, "there is a limit");
	return 0;
}

Test(connect, keeps_all_errors)
{
	run_net(takes_turns, NULL);
}

/* ---- Limits and cancellation ---- */

static int takes_too_long(void *arg)
{
	struct weft_connect_options options = { .limit_ns = 50 * WEFT_MSEC };
	weft_stream *stream;
	char expected[200];
	uint16_t port = 0;
	struct mute mute;
	int n;

	(void)arg;
	mute_open(&mute, "127.0.0.3", &port);
	n = count_descriptors();
	cr_expect_eq(weft_connect(to("127.0.0.3", port), &options, &stream), -ETIMEDOUT);
	snprintf(expected, sizeof(expected),
		 "connecting to 127.0.0.3:%u took longer than 0.05 s", port);
	cr_expect_str_eq(whole_text(-ETIMEDOUT), expected);
	options.limit_ns = 500 * WEFT_MSEC;
	cr_expect_eq(weft_connect(to("two.test", port), &options, &stream), -ETIMEDOUT);
	snprintf(expected, sizeof(expected),
		 "connecting to two.test:%u took longer than 0.5 s\n"
		 "  - 127.0.0.2:%u: Connection refused",
		 port, port);
	cr_expect_str_eq(whole_text(-ETIMEDOUT), expected);
	cr_expect_eq(count_descriptors(), n);
	mute_close(&mute);
	return 0;
}

Test(connect, gives_up_after_its_limit)
{
	run_net(takes_too_long, NULL);
}

static int connect_for_ever(void *arg)
{
	weft_stream *stream = NULL;
	int r = weft_connect(arg, NULL, &stream);

	cr_expect_null(stream);
	return r;
}

static bool looks_up(void *arg)
{
	(void)arg;
	return names_waiting() == 1;
}

static int is_cancelled(void *arg)
{
	uint16_t port = 0;
	struct mute mute;
	weft_task *task;
	char text[ADDRESS_TEXT_SIZE];
	int n;

	(void)arg;
	mute_open(&mute, "127.0.0.2", &port);
	n = count_descriptors();
	snprintf(text, sizeof(text), "%s", to("127.0.0.2", port));
	for (int n_turns = 0; n_turns < 5; n_turns++) {
		cr_assert_eq(weft_spawn(connect_for_ever, text, &task), 0);
		for (int i = 0; i < n_turns; i++)
			cr_assert_eq(weft_yield(), 0);
		(void)weft_task_cancel(task, NULL);
		cr_expect_eq(weft_task_join(task), -ECANCELED, "after %d turns", n_turns);
		cr_expect_eq(count_descriptors(), n, "after %d turns", n_turns);
	}
	cr_assert_eq(weft_spawn(connect_for_ever, (void *)(uintptr_t) "gate.test:1",
				&task),
		     0);
	await_true(looks_up, NULL, "the name is looked up");
	(void)weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED, "while the name is looked up");
	names_open_gate();
	mute_close(&mute);
	return 0;
}

Test(connect, leaves_nothing_open_when_cancelled)
{
	run_net(is_cancelled, NULL);
}

/* ---- Unix ---- */

static int waits_for_a_place(void *arg)
{
	weft_stream *streams[3];
	weft_task *task;
	struct address address;
	int fd;

	(void)arg;
	cr_assert_eq(weft__address_parse("unix:@weft-test-full", &address), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, &address.socket.any, address.size), 0);
	cr_assert_eq(listen(fd, 0), 0);
	cr_assert_eq(weft_connect("unix:@weft-test-full", NULL, &streams[0]), 0);
	cr_assert_eq(weft_spawn(connect_for_ever,
				(void *)(uintptr_t) "unix:@weft-test-full", &task),
		     0);
	cr_assert_eq(weft_sleep(5 * WEFT_MSEC), 0);
	(void)weft_task_cancel(task, NULL);
	cr_expect_eq(weft_task_join(task), -ECANCELED, "the queue is full");
	close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	cr_expect_eq(weft_connect("unix:@weft-test-full", NULL, &streams[1]), 0);
	weft_stream_abort(streams[0]);
	weft_stream_abort(streams[1]);
	close(fd);
	return 0;
}

Test(connect, waits_for_a_place_in_the_queue_of_a_unix_socket)
{
	run_net(waits_for_a_place, NULL);
}

/* ---- No memory, no descriptors ---- */

static int has_no_memory(void *arg)
{
	weft_stream *stream;
	uint16_t port = 0;
	int fd = listen_on("127.0.0.3", &port), n = count_descriptors(), r;
	long nth = 0;

	(void)arg;
	do {
		weft__fail_allocation(++nth);
		r = weft_connect(to("127.0.0.3", port), NULL, &stream);
		weft__fail_allocation(0);
		cr_expect(r == 0 || r == -ENOMEM, "allocation %ld: %d", nth, r);
		cr_expect(r == 0 || count_descriptors() == n, "allocation %ld", nth);
	} while (r < 0);
	cr_expect_gt(nth, 1);
	weft_stream_abort(stream);
	close(fd);
	return 0;
}

Test(connect, survives_a_lack_of_memory)
{
	run_net(has_no_memory, NULL);
}

static int leave_open(void *arg)
{
	uint16_t port = 0;
	int fd = listen_on("127.0.0.1", &port);

	cr_assert_eq(weft_connect(to("127.0.0.1", port), NULL, arg), 0);
	close(fd);
	return 0;
}

static void describe(const struct weft_report *report, void *arg)
{
	char *text = arg;

	(void)weft_describe_place(report->place, text, 200);
}

Test(connect, names_who_left_a_stream_open)
{
	char place[200] = "";
	weft_stream *stream;

	weft_set_report_hook(describe, place);
	cr_assert_eq(weft_run(leave_open, &stream), 0);
	weft_set_report_hook(NULL, NULL);
	cr_expect_not_null(strstr(place, "leave_open"), "%s", place);
	close(stream->descriptor.fd);
	free(stream);
}
