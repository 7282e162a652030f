/*
 * Accepting: net/acceptor.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weft/stream.h>

#include "net/server.h"
#include "tests/net/net.h"

static int echo(weft_stream *stream, void *arg)
{
	char buffer[64];
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

static bool is_answered(int fd)
{
	char byte;

	return send(fd, "x", 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1;
}

/* Has an answer come, or will one within a moment? */
static bool is_answered_soon(int fd, weft_time limit_ns)
{
	struct timeval limit = { .tv_usec = (suseconds_t)(limit_ns / WEFT_USEC) };
	bool answered;

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	answered = is_answered(fd);
	limit.tv_usec = 0;
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return answered;
}

/* ---- A limit on connections ---- */

static int keeps_the_limit(void *arg)
{
	struct weft_listen_options options = { .max_connections = 3 };
	weft_server *server;
	weft_loops *loops = NULL;
	int fds[4];

	(void)arg;
	/* The server's loops are others than this one, so that plain sockets may block here. */
	for (int n_loops = 1; n_loops <= 2; n_loops++) {
		cr_assert_eq(weft_loops_new(n_loops, NULL, &loops), 0);
		options.loops = loops;
		cr_assert_eq(weft_listen("127.0.0.1:0", &options, echo, NULL, &server),
			     0);
		for (int i = 0; i < 4; i++)
			fds[i] = connect_plain(weft_server_address(server));
		for (int i = 0; i < 3; i++)
			cr_expect(is_answered(fds[i]), "%d of 3", i);
		cr_expect(!is_answered_soon(fds[3], 50 * WEFT_MSEC),
			  "the fourth has to wait");
		close(fds[0]);
		cr_expect_eq(recv(fds[3], &(char){ 0 }, 1, 0), 1, "until one has left");
		for (int round = 0; round < 20; round++) {
			int fd = connect_plain(weft_server_address(server));

			close(fds[1 + round % 3]);
			fds[1 + round % 3] = fd;
			cr_expect(is_answered(fd), "round %d", round);
		}
		for (int i = 1; i < 4; i++)
			close(fds[i]);
		cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
		cr_expect_eq(weft_loops_close(loops), 0);
	}
	return 0;
}

Test(acceptor, keeps_the_limit_on_connections)
{
	run_net(keeps_the_limit, NULL);
}

/* ---- Clients that change their mind ---- */

static int skips_who_left(void *arg)
{
	struct linger now = { .l_onoff = 1 };
	weft_server *server;
	weft_loops *loops;
	struct weft_listen_options options = { 0 };

	(void)arg;
	reports_begin();
	cr_assert_eq(weft_loops_new(1, NULL, &loops), 0);
	options.loops = loops;
	cr_assert_eq(weft_listen("127.0.0.1:0", &options, echo, NULL, &server), 0);
	for (int i = 0; i < 100; i++) {
		int fd = connect_plain(weft_server_address(server));

		cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
		close(fd);
	}
	for (int i = 0; i < 3; i++) {
		int fd = connect_plain(weft_server_address(server));

		cr_expect(is_answered(fd));
		close(fd);
	}
	cr_expect_eq(weft_server_close(server, 10 * WEFT_SEC), 0);
	cr_expect_eq(weft_loops_close(loops), 0);
	cr_expect_str_eq(reports_end(), "");
	return 0;
}

Test(acceptor, skips_clients_that_have_gone)
{
	run_net(skips_who_left, NULL);
}

/* ---- No descriptors: a server in a child with a low limit ---- */

enum { FEW = 64, CLIENTS = 150 };

/* The child: serves, and says where. At the end of its input it tells the CPU time and ends. */
static int serve_with_few(void *arg)
{
	const int *pipes = arg;
	struct rlimit few = { FEW, FEW };
	weft_server *server;
	weft_stream *input;
	struct rusage usage;
	char byte, text[100];

	if (setrlimit(RLIMIT_NOFILE, &few) < 0 ||
	    weft_listen("127.0.0.1:0", &(struct weft_listen_options){ .backlog = 300 },
			echo, NULL, &server) < 0)
		return -1;
	dprintf(pipes[1], "%s\n", weft_server_address(server));
	if (weft_stream_adopt(pipes[0], &input) < 0)
		return -1;
	for (;;) {
		if (weft_stream_read(input, &byte, 1) <= 0)
			break;
		getrusage(RUSAGE_SELF, &usage);
		snprintf(text, sizeof(text), "%ld\n",
			 (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
				 usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
		(void)!write(pipes[1], text, strlen(text));
	}
	weft_stream_abort(input);
	(void)weft_server_close(server,
				0); /* whether somebody is still there is all the same */
	return 0;
}

struct child {
	pid_t pid;
	FILE *from;
	int to, errors;
	char address[ADDRESS_TEXT_SIZE];
};

static void start_child(struct child *child)
{
	int up[2], down[2], errors[2];

	cr_assert(pipe2(up, O_CLOEXEC) == 0 && pipe2(down, O_CLOEXEC) == 0 &&
		  pipe2(errors, O_CLOEXEC) == 0);
	child->pid = fork();
	if (child->pid == 0) {
		int pipes[2] = { down[0], up[1] };

		close(up[0]);
		close(down[1]);
		dup2(errors[1], STDERR_FILENO);
		_exit(weft_run(serve_with_few, pipes) < 0);
	}
	close(up[1]);
	close(down[0]);
	close(errors[1]);
	child->from = fdopen(up[0], "r");
	child->to = down[1];
	child->errors = errors[0];
	cr_assert(child->from &&
		  fgets(child->address, sizeof(child->address), child->from));
	child->address[strcspn(child->address, "\n")] = '\0';
}

/* Microseconds that the child has run so far. */
static long cpu_of(struct child *child)
{
	char text[100];

	cr_assert_eq(write(child->to, "?", 1), 1);
	cr_assert(fgets(text, sizeof(text), child->from));
	return atol(text);
}

static void end_child(struct child *child)
{
	int status;

	close(child->to);
	cr_assert_eq(waitpid(child->pid, &status, 0), child->pid);
	cr_expect_eq(status, 0);
	fclose(child->from);
}

static size_t count_lines(int fd)
{
	char buffer[4096];
	size_t n_lines = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++)
			n_lines += buffer[i] == '\n';
	return n_lines;
}

Test(acceptor, is_calm_when_there_are_no_descriptors_left)
{
	struct child child;
	int fds[CLIENTS], n_answered = 0, fd;
	long before, after;
	size_t n_lines;

	if (test_build_is("valgrind"))
		cr_skip_test("valgrind needs some of the few descriptors itself");
	start_child(&child);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = connect_plain(child.address);
		n_answered += i < 30 && is_answered(fds[i]);
	}
	cr_expect_eq(n_answered, 30);
	before = cpu_of(&child);
	(void)nanosleep(&(struct timespec){ .tv_sec = 2 },
			NULL); /* this is what is measured */
	after = cpu_of(&child);
	cr_expect_le(after - before, 2000000 / 20, "5 %% of a CPU at most: %ld us",
		     after - before);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	fd = connect_plain(child.address);
	cr_expect(is_answered(fd), "and when there are some again it goes on");
	close(fd);
	end_child(&child);
	n_lines = count_lines(child.errors);
	close(child.errors);
	cr_expect(n_lines >= 1 && n_lines <= 10, "one line a second at most: %zu",
		  n_lines);
}

Test(acceptor, answers_who_waits_once_others_have_left)
{
	struct child child;
	int fds[CLIENTS], n = 0, waiting;

	if (test_build_is("valgrind"))
		cr_skip_test("valgrind needs some of the few descriptors itself");
	start_child(&child);
	/* As many as are served: the next one waits. */
	do {
		cr_assert_lt(n, CLIENTS);
		fds[n++] = connect_plain(child.address);
	} while (is_answered_soon(fds[n - 1], 300 * WEFT_MSEC));
	waiting = connect_plain(child.address);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	cr_expect(is_answered(waiting));
	close(waiting);
	end_child(&child);
	close(child.errors);
}

/* ---- Many ---- */

enum { MANY = 10000 };

/* The clients are a process of their own: together they would take too many descriptors. */
struct crowd {
	pid_t pid;
	int to, from;
};

static void crowd_main(int from, int to)
{
	static int fds[MANY];
	char address[ADDRESS_TEXT_SIZE] = "";
	struct address parsed;

	if (read(from, address, sizeof(address) - 1) <= 0 ||
	    weft__address_parse(address, &parsed) < 0)
		_exit(1);
	for (int i = 0; i < MANY; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || connect(fds[i], &parsed.socket.any, parsed.size) < 0)
			_exit(2);
	}
	for (int i = 0; i < MANY; i += 100) /* some of them were accepted last */
		if (!is_answered(fds[i]))
			_exit(3);
	(void)!write(to, "!", 1);
	(void)!read(from, address, 1); /* until the test is over */
	_exit(0);
}

static void crowd_start(struct crowd *crowd)
{
	int up[2], down[2];

	cr_assert(pipe2(up, O_CLOEXEC) == 0 && pipe2(down, O_CLOEXEC) == 0);
	crowd->pid = fork();
	if (crowd->pid == 0) {
		close(up[0]);
		close(down[1]);
		crowd_main(down[0], up[1]);
	}
	close(up[1]);
	close(down[0]);
	crowd->to = down[1];
	crowd->from = up[0];
}

static int serves_many(void *arg)
{
	struct crowd *crowd = arg;
	struct weft_listen_options options = { .backlog = 1000 };
	weft_time slowest = 0;
	weft_server *server;
	weft_loops *loops;
	const char *address;
	char byte;

	cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
	options.loops = loops;
	cr_assert_eq(weft_listen("127.0.0.1:0", &options, echo, NULL, &server), 0);
	address = weft_server_address(server);
	cr_assert_gt(write(crowd->to, address, strlen(address)), 0);
	cr_assert_eq(read(crowd->from, &byte, 1), 1,
		     "the crowd is there, and some were answered");
	cr_expect_eq(weft__server_connections(server, 0) +
			     weft__server_connections(server, 1),
		     (uint32_t)MANY);
	for (int i = 0; i < 50; i++) {
		weft_time begun = weft__clock();
		int fd = connect_plain(address);

		cr_expect(is_answered(fd), "beside 10,000 that are idle");
		slowest = MAX(slowest, weft__clock() - begun);
		close(fd);
	}
	cr_expect_eq(weft_server_close(server, 0), -ETIMEDOUT);
	cr_expect_eq(weft_loops_close(loops), 0);
	return slowest < 50 * WEFT_MSEC;
}

Test(acceptor, answers_within_50_ms_beside_10000_idle_connections)
{
	struct rlimit limit;
	struct crowd crowd;
	int r, status;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < MANY + 200)
		cr_skip_test("takes more descriptors than the limit of %d",
			     (int)limit.rlim_max);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	crowd_start(&crowd);
	r = weft_run(serves_many, &crowd);
	cr_expect_ge(r, 0, "%s", weft_error_text(r));
	close(crowd.to);
	close(crowd.from);
	cr_assert_eq(waitpid(crowd.pid, &status, 0), crowd.pid);
	cr_expect_eq(status, 0);
	if (r == 0)
		cr_skip_test("the machine is too busy to tell whether it is so fast");
}
