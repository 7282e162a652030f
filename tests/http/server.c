/*
 * HTTP behind weft_listen(): how a server drains, and that one loop does not stop another.
 */
#include <weft/executor.h>
#include <weft/loop.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/http/peer.h"

/* ---- Draining ---- */

struct client {
	weft_server *server;
	const char *request;
	char text[1000];
	size_t size;
};

/* Sends the request and collects what comes up to the end. */
static int ask(void *arg)
{
	struct client *client = arg;
	weft_stream *stream;
	ssize_t n;

	cr_assert_eq(weft_connect(weft_server_address(client->server), NULL, &stream), 0);
	cr_assert_eq(weft_stream_write(stream, client->request, strlen(client->request)),
		     0);
	do {
		n = weft_stream_read(stream, client->text + client->size,
				     sizeof(client->text) - 1 - client->size);
		client->size += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	cr_expect_eq(n, 0);
	return weft_stream_close(stream);
}

static int sleep_then_reply(weft_http_request *request, void *arg)
{
	int r = weft_sleep(*(weft_time *)arg);

	return r < 0 ? r : weft_http_reply_text(request, 200, "slept");
}

struct draining {
	const char *name;
	const char *request;
	weft_time before_ns; /* the close */
	weft_time grace_ns;
	int result; /* of the close */
	const char *took; /* it */
	const char *reply; /* how it begins */
	bool says_close;
};

static void expect_drained(const struct draining *row)
{
	weft_time minute = WEFT_MIN;
	weft_http_app *app = echo_app(NULL);
	struct client client = { .request = row->request };
	weft_task *task;
	weft_time begun;

	weft_http_app_route(app, "GET", "/slow", sleep_then_reply, &minute);
	cr_assert_eq(weft_listen("unix:@weft-test-drain", NULL,
				 weft_http_serve_connection, app, &client.server),
		     0);
	cr_assert_eq(weft_spawn(ask, &client, &task), 0);
	cr_assert_eq(weft_sleep(row->before_ns), 0);
	begun = weft_now();
	cr_expect_eq(weft_server_close(client.server, row->grace_ns), row->result, "%s",
		     row->name);
	cr_expect_str_eq(elapsed(begun), row->took, "%s", row->name);
	cr_expect_eq(weft_task_join(task), 0);
	cr_expect_eq(strncmp(client.text, row->reply, strlen(row->reply)), 0, "%s: %s",
		     row->name, client.text);
	cr_expect_eq(strstr(client.text, CLOSE "\r\n") != NULL, row->says_close, "%s: %s",
		     row->name, client.text);
	weft_http_app_free(app);
}

static int drain(void *arg)
{
	static const char slow[] = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
	static const struct draining rows[] = {
		{ "idle for long", GET "\r\n", 10 * WEFT_SEC, WEFT_MIN, 0, "0.0 s",
		  "HTTP/1.1 200", false },
		{ "idle for a moment", GET "\r\n", WEFT_SEC / 2, WEFT_MIN, 0, "0.5 s",
		  "HTTP/1.1 200", false },
		{ "never asked", "", 10 * WEFT_SEC, WEFT_MIN, 0, "0.0 s", "", false },
		{ "being answered", slow, 10 * WEFT_SEC, 2 * WEFT_MIN, 0, "50.0 s",
		  "HTTP/1.1 200", true },
		{ "being answered beyond the grace", slow, 10 * WEFT_SEC, WEFT_SEC,
		  -ETIMEDOUT, "50.0 s", "HTTP/1.1 200", true },
		{ "half a body", POST "Content-Length: 10\r\n\r\nhello", 5 * WEFT_SEC,
		  WEFT_MIN, 0, "5.0 s", "HTTP/1.1 408", true },
		{ "half a request", "GET / HT", 5 * WEFT_SEC, WEFT_MIN, 0, "5.0 s",
		  "HTTP/1.1 408", true },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_drained(&rows[i]);
	return 0;
}

Test(server, that_closes_waits_for_answers_and_not_for_idle_connections)
{
	run_virtual(drain, NULL);
}

/* ---- Several loops ---- */

/* A handler that blocks its loop until it is told to go on. */
struct block {
	sem_t entered;
	sem_t released;
};

static int block_loop(weft_http_request *request, void *arg)
{
	struct block *block = arg;

	sem_post(&block->entered);
	sem_wait(&block->released);
	return weft_http_reply_text(request, 200, "released");
}

/* A client on a thread of its own, which blocks as it likes. */
struct thread_client {
	const char *address;
	struct block *block;
	int n_answers;
	pthread_t blocked;
	pthread_t asking;
};

static int ask_once(const char *address, const char *path, char *text, size_t size)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(
					  (uint16_t)atoi(strrchr(address, ':') + 1)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t have = 0;
	ssize_t n = -1;

	if (connect(fd, (struct sockaddr *)(void *)&to, sizeof(to)) == 0 &&
	    dprintf(fd, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path) >
		    0)
		while ((n = read(fd, text + have, size - 1 - have)) > 0)
			have += (size_t)n;
	text[have] = '\0';
	close(fd);
	return n < 0 ? -1 : 0;
}

static void *ask_for_block(void *arg)
{
	struct thread_client *client = arg;
	char text[1000];

	(void)ask_once(client->address, "/block", text, sizeof(text));
	return NULL;
}

/* While one loop is blocked: a hundred new connections, all answered before it goes on. */
static void *ask_meanwhile(void *arg)
{
	struct thread_client *client = arg;
	char text[1000];

	sem_wait(&client->block->entered);
	for (int i = 0; i < 100; i++)
		if (ask_once(client->address, "/", text, sizeof(text)) == 0 &&
		    !strncmp(text, "HTTP/1.1 200", 12))
			client->n_answers++;
	sem_post(&client->block->released);
	return NULL;
}

static int join_clients(void *arg)
{
	struct thread_client *client = arg;

	pthread_join(client->blocked, NULL);
	pthread_join(client->asking, NULL);
	return 0;
}

static int serve_on_two_loops(void *arg)
{
	struct thread_client *client = arg;
	struct weft_listen_options options = { 0 };
	weft_http_app *app = echo_app(NULL);
	weft_server *server;

	weft_http_app_route(app, "GET", "/block", block_loop, client->block);
	cr_assert_eq(weft_loops_new(2, NULL, &options.loops), 0);
	cr_assert_eq(weft_listen("127.0.0.1:0", &options, weft_http_serve_connection, app,
				 &server),
		     0);
	client->address = weft_server_address(server);
	pthread_create(&client->blocked, NULL, ask_for_block, client);
	pthread_create(&client->asking, NULL, ask_meanwhile, client);
	cr_expect_eq(weft_run_in_executor(NULL, join_clients, client), 0);
	cr_expect_eq(weft_server_close(server, WEFT_MIN), 0);
	cr_expect_eq(weft_loops_close(options.loops), 0);
	weft_http_app_free(app);
	return 0;
}

Test(server, answers_on_one_loop_while_another_one_is_blocked)
{
	struct block block;
	struct thread_client client = { .block = &block };

	sem_init(&block.entered, 0, 0);
	sem_init(&block.released, 0, 0);
	run_real(serve_on_two_loops, &client);
	cr_expect_eq(client.n_answers, 100);
}
