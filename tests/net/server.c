/*
 * Servers: net/server.c.
 */
#include <unistd.h>

#include <weft/group.h>
#include <weft/stream.h>

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
						 "unix:@weft-test-server" };
	weft_server *server;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		cr_assert_eq(weft_listen(addresses[i], NULL, echo, NULL, &server), 0);
		cr_expect_eq(talk_to(weft_server_address(server)), 0, "%s", addresses[i]);
		cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0, "%s",
			     addresses[i]);
	}
	return 0;
}

Test(server, answers_on_every_kind_of_address)
{
	run_net(serves, NULL);
}

static int serves_on_loops(void *arg)
{
	struct weft_listen_options options = { 0 };
	weft_loops *loops;
	weft_server *server;

	(void)arg;
	for (int reuse = 0; reuse < 2; reuse++) {
		options.reuse_port = reuse;
		cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
		options.loops = loops;
		cr_assert_eq(weft_listen("127.0.0.1:0", &options, echo, NULL, &server),
			     0);
		for (int i = 0; i < 20; i++)
			cr_expect_eq(talk_to(weft_server_address(server)), 0);
		cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
		cr_expect_eq(weft_loops_close(loops), 0);
	}
	return 0;
}

Test(server, spreads_connections_over_loops)
{
	run_net(serves_on_loops, NULL);
}
