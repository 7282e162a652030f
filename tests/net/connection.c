/*
 * A handler's connection, and how it ends: net/connection.c.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/stream.h>

#include "net/server.h"
#include "tests/net/net.h"

/* What a handler does, and what it returns. */
struct script {
	int result;
	int (*act)(weft_stream *stream);
	bool has_ended;
};

static int follow(weft_stream *stream, void *arg)
{
	struct script *script = arg;
	int r = script->act ? script->act(stream) : 0;

	script->has_ended = true;
	return r < 0 ? r : script->result;
}

static bool has_ended(void *arg)
{
	return ((struct script *)arg)->has_ended;
}

static bool is_over(void *arg)
{
	return weft__server_connections(arg, 0) == 0;
}

/* Serves one plain client with the script. Return: the client's socket, the connection is over. */
static int serve_one(struct script *script, void (*talk)(int fd))
{
	weft_server *server;
	int fd;

	cr_assert_eq(weft_listen("127.0.0.1:0", NULL, follow, script, &server), 0);
	fd = connect_plain(weft_server_address(server));
	if (talk)
		talk(fd);
	await_true(has_ended, script, "the handler ends");
	await_true(is_over, server, "and its connection");
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	return fd;
}

/* ---- Reports ---- */

static int fail_with_details(weft_stream *stream)
{
	(void)stream;
	return weft_error_set(-EIO, "the disk is on fire");
}

static int read_line(weft_stream *stream)
{
	char *line;

	return (int)weft_stream_read_line(stream, &line);
}

static int write_for_ever(weft_stream *stream)
{
	int r;

	do
		r = weft_stream_write(stream, "text", 4);
	while (r == 0);
	return r;
}

static void leave(int fd)
{
	shutdown(fd, SHUT_WR);
}

static void leave_in_the_middle(int fd)
{
	cr_expect_eq(send(fd, "half a li", 9, MSG_NOSIGNAL), 9);
	shutdown(fd, SHUT_WR);
}

static void reset(int fd)
{
	struct linger now = { .l_onoff = 1 };
	int null = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	cr_assert_eq(dup3(null, fd, 02000000), fd);
	close(null);
}

static int reports(void *arg)
{
	static const struct {
		const char *name;
		struct script script;
		void (*talk)(int fd);
		const char *report; /* its beginning, behind the address; NULL: none */
	} cases[] = {
		{ "success", { .result = 0 }, NULL, NULL },
		{ "a count", { .result = 17 }, NULL, NULL },
		{ "cancelled", { .result = -ECANCELED }, NULL, NULL },
		{ "an error of its own",
		  { .act = fail_with_details },
		  NULL,
		  " failed: the disk is on fire" },
		{ "an error without words",
		  { .result = -EDOM },
		  NULL,
		  " failed: Numerical argument out of domain" },
		{ "its own limit",
		  { .result = -ETIMEDOUT },
		  NULL,
		  " failed: a time limit passed" },
		{ "the end", { .act = read_line }, leave, NULL },
		{ "an end in the middle",
		  { .act = read_line },
		  leave_in_the_middle,
		  NULL },
		{ "its own -ENODATA",
		  { .result = -ENODATA },
		  NULL,
		  " failed: the stream ended" },
		{ "a reset while it reads", { .act = read_line }, reset, NULL },
		{ "a reset while it writes", { .act = write_for_ever }, reset, NULL },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct script script = cases[i].script;
		const char *text;

		reports_begin();
		close(serve_one(&script, cases[i].talk));
		text = reports_end();
		if (!cases[i].report) {
			cr_expect_str_eq(text, "", "%s", cases[i].name);
			continue;
		}
		cr_expect_eq(strncmp(text,
				     "the handler of a connection from 127.0.0.1:", 43),
			     0, "%s: %s", cases[i].name, text);
		cr_expect_not_null(strstr(text, cases[i].report), "%s: %s", cases[i].name,
				   text);
	}
	return 0;
}

Test(connection, is_reported_when_its_handler_fails)
{
	run_net(reports, NULL);
}

/* ---- Ends ---- */

static int say_bye(weft_stream *stream)
{
	return weft_stream_write(stream, "bye", 3);
}

static int say_bye_and_fail(weft_stream *stream)
{
	(void)weft_stream_write(stream, "bye", 3);
	return -ECANCELED;
}

static int ends(void *arg)
{
	struct script good = { .act = say_bye }, bad = { .act = say_bye_and_fail };
	char buffer[8];
	int fd;

	(void)arg;
	fd = serve_one(&good, NULL);
	cr_expect_eq(recv(fd, buffer, sizeof(buffer), 0), 3);
	cr_expect_eq(recv(fd, buffer, sizeof(buffer), 0), 0, "closed in order");
	close(fd);
	fd = serve_one(&bad, NULL);
	while (recv(fd, buffer, sizeof(buffer), 0) > 0)
		;
	cr_expect_eq(errno, ECONNRESET, "what is not complete does not look so");
	close(fd);
	return 0;
}

Test(connection, ends_as_its_handler_does)
{
	run_net(ends, NULL);
}

static void send_more_than_is_read(int fd)
{
	static char block[100000];

	cr_expect_eq(send(fd, block, sizeof(block), MSG_NOSIGNAL),
		     (ssize_t)sizeof(block));
}

static int refuse(weft_stream *stream)
{
	char buffer[10];

	if (weft_stream_read_exactly(stream, buffer, sizeof(buffer)) < 0)
		return -EIO;
	return weft_stream_write(stream, "no, thank you", 13);
}

/* A client that sends and then reads, on a thread of its own would; here in one go. */
static int answer_survives(void *arg)
{
	struct script script = { .act = refuse };
	weft_server *server;
	char buffer[20];
	int fd;

	(void)arg;
	cr_assert_eq(weft_listen("127.0.0.1:0", NULL, follow, &script, &server), 0);
	fd = connect_plain(weft_server_address(server));
	send_more_than_is_read(fd);
	await_true(has_ended, &script, "the handler ends");
	cr_assert_eq(weft_sleep(5 * WEFT_MSEC), 0); /* the close is under way */
	cr_expect_eq(recv(fd, buffer, sizeof(buffer), 0), 13, "the answer is there");
	cr_expect_eq(recv(fd, buffer, sizeof(buffer), 0), 0, "and the end, but no reset");
	close(fd);
	await_true(is_over, server, "the connection ends with the client's side");
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	return 0;
}

Test(connection, does_not_destroy_its_last_words)
{
	run_net(answer_survives, NULL);
}

static int abort_it(weft_stream *stream)
{
	weft_stream_abort(stream);
	return 0;
}

static int is_aborted_by_its_handler(void *arg)
{
	struct script script = { .act = abort_it };
	char byte;
	int fd;

	(void)arg;
	fd = serve_one(&script, NULL);
	cr_expect_lt(recv(fd, &byte, 1, 0), 0);
	close(fd);
	return 0;
}

Test(connection, survives_a_handler_that_aborts_it)
{
	run_net(is_aborted_by_its_handler, NULL);
}

/* ---- What the handler sees ---- */

static char seen_name[32];
static bool saw_data_at_once;

static int look_around(weft_stream *stream)
{
	char buffer[8];

	snprintf(seen_name, sizeof(seen_name), "%s", weft_task_name(weft_task_current()));
	saw_data_at_once = weft_stream_read(stream, buffer, sizeof(buffer)) == 4 &&
			   !stream->descriptor.registered;
	cr_expect_eq(strncmp(weft_stream_peername(stream), "127.0.0.1:", 10), 0);
	return 0;
}

static void send_at_once(int fd)
{
	cr_expect_eq(send(fd, "data", 4, MSG_NOSIGNAL), 4);
}

static int sees(void *arg)
{
	struct script script = { .act = look_around };

	(void)arg;
	close(serve_one(&script, send_at_once));
	cr_expect_str_eq(seen_name, "follow", "the task is named after the handler");
	cr_expect(saw_data_at_once,
		  "data that is there is read without waiting for the poller");
	return 0;
}

Test(connection, runs_its_handler_in_a_task_of_that_name)
{
	run_net(sees, NULL);
}
