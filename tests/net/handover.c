/*
 * Connections that go to another loop: net/handover.c.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <weft/stream.h>

#include "net/server.h"
#include "tests/net/net.h"

/* Answers each byte; 'B' blocks its loop until the gate opens. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_open, is_blocked; /* under the lock */

static void block_loop(void)
{
	pthread_mutex_lock(&lock);
	is_blocked = true;
	pthread_cond_broadcast(&changed);
	while (!is_open)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void await_blocked(void)
{
	pthread_mutex_lock(&lock);
	while (!is_blocked)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void open_gate(void)
{
	pthread_mutex_lock(&lock);
	is_open = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int answer(weft_stream *stream, void *arg)
{
	char byte;
	ssize_t n;
	int r;

	(void)arg;
	while ((n = weft_stream_read(stream, &byte, 1)) > 0) {
		if (byte == 'B')
			block_loop();
		r = weft_stream_write(stream, &byte, 1);
		if (r < 0)
			return r;
	}
	return (int)n;
}

/* A plain thread that asks n clients and notes whether all were answered. */
struct clients {
	const char *address;
	int n;
	int n_answered;
	weft_time slowest;
};

static void *ask_all(void *arg)
{
	struct clients *clients = arg;

	for (int i = 0; i < clients->n; i++) {
		weft_time begun = weft__clock();
		int fd = connect_plain(clients->address);
		char byte;

		if (send(fd, "x", 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1)
			clients->n_answered++;
		clients->slowest = MAX(clients->slowest, weft__clock() - begun);
		close(fd);
	}
	return NULL;
}

static int one_is_blocked(void *arg)
{
	struct clients clients = { .n = 100 };
	struct weft_listen_options options = { .backlog = 200 };
	weft_server *server;
	weft_loops *loops;
	int blocker;

	(void)arg;
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	cr_assert_eq(weft_listen("127.0.0.1:0", &options, answer, NULL, &server), 0);
	clients.address = weft_server_address(server);
	blocker = connect_plain(clients.address);
	cr_assert_eq(send(blocker, "B", 1, MSG_NOSIGNAL), 1);
	await_blocked();
	/* At once: nobody has noticed yet that this loop is blocked. */
	ask_all(&clients);
	cr_expect_eq(clients.n_answered, 100, "while one of two loops is blocked");
	open_gate();
	cr_expect_eq(recv(blocker, &(char){ 0 }, 1, 0), 1,
		     "and later the one who blocked it");
	close(blocker);
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	return weft_loops_close(loops);
}

Test(handover, reaches_a_loop_that_is_not_blocked)
{
	run_net(one_is_blocked, NULL);
}

/* The gate opens after so long, whatever happens. */
static void *open_gate_later(void *arg)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = 2 },
			NULL); /* a blocking handler's time */
	open_gate();
	return arg;
}

static int does_not_wait_for_it(void *arg)
{
	struct clients clients = { .n = 100 };
	struct weft_listen_options options = { .backlog = 200 };
	weft_server *server;
	weft_loops *loops;
	pthread_t opener;
	int blocker;

	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	cr_assert_eq(weft_listen("127.0.0.1:0", &options, answer, NULL, &server), 0);
	clients.address = weft_server_address(server);
	blocker = connect_plain(clients.address);
	cr_assert_eq(send(blocker, "B", 1, MSG_NOSIGNAL), 1);
	await_blocked();
	cr_assert_eq(pthread_create(&opener, NULL, open_gate_later, NULL), 0);
	ask_all(&clients);
	*(weft_time *)arg = clients.slowest;
	pthread_join(opener, NULL);
	close(blocker);
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	return weft_loops_close(loops);
}

Test(handover, takes_less_than_200_ms_beside_a_loop_that_is_blocked_for_2_s)
{
	weft_time slowest;

	run_net(does_not_wait_for_it, &slowest);
	if (slowest >= 200 * WEFT_MSEC)
		cr_skip_test("the machine is too busy to tell: %d ms",
			     (int)(slowest / WEFT_MSEC));
}

/* ---- The end of a server meets connections on their way ---- */

static int closes_meanwhile(void *arg)
{
	struct weft_listen_options options = { 0 };
	weft_loops *loops;
	int n = count_descriptors();

	(void)arg;
	for (int round = 0; round < 30; round++) {
		weft_server *server;
		int fds[20];

		cr_assert_eq(weft_loops_new(3, NULL, &loops), 0);
		options.loops = loops;
		cr_assert_eq(weft_listen("127.0.0.1:0", &options, answer, NULL, &server),
			     0);
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			fds[i] = connect_plain(weft_server_address(server));
		if (round % 3 == 0) {
			int r = weft_server_close(server, 0);

			cr_expect(r == 0 || r == -ETIMEDOUT);
		} else if (round % 3 == 1) {
			weft_server_abort(server);
		}
		cr_expect_eq(weft_loops_close(loops), 0);
		if (round % 3 == 2)
			cr_expect_eq(weft_server_close(server, WEFT_FOREVER), 0);
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
			cr_expect_le(recv(fds[i], &(char){ 0 }, 1, 0), 0);
			close(fds[i]);
		}
	}
	cr_expect_eq(count_descriptors(), n);
	return 0;
}

Test(handover, loses_no_connection_at_the_end)
{
	run_net(closes_meanwhile, NULL);
}

/* ---- No memory ---- */

static int has_no_memory(void *arg)
{
	struct weft_listen_options options = { 0 };
	weft_server *server;
	weft_loops *loops;
	int n_answered = 0;

	(void)arg;
	reports_begin();
	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	cr_assert_eq(weft_listen("127.0.0.1:0", &options, answer, NULL, &server), 0);
	for (long nth = 1; nth < 12; nth++) {
		int fd;

		weft__fail_allocation(nth);
		fd = connect_plain(weft_server_address(server));
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		n_answered += recv(fd, &(char){ 0 }, 1, 0) == 1;
		weft__fail_allocation(0);
		close(fd);
	}
	cr_expect_gt(n_answered, 5,
		     "without memory a connection is closed, the next one served");
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	cr_expect_eq(weft_loops_close(loops), 0);
	(void)reports_end();
	return 0;
}

Test(handover, survives_a_lack_of_memory)
{
	run_net(has_no_memory, NULL);
}
