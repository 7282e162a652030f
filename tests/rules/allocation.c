/*
 * Every allocation that fails is an error, and nothing else: no crash, no leak, no hang, and
 * nothing half done.
 *
 * A scenario is a task on a test clock that uses functions which can answer -ENOMEM, gives back
 * what it got, and returns the first failure. It is run with its first allocation failing, then
 * with its second, and so on, until one run has no more so many. A hang is -EDEADLK, since the
 * test clock notices when nothing can happen any more; a leak of memory is found by
 * AddressSanitizer, one of a descriptor by the fixture.
 *
 * To add a scenario, write its function and its row in the table at the end.
 */
#include <weft/weft.h>

#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/reports.h"
#include "tests/test.h"

/* ---- Pieces ---- */

static int return_0(void *arg)
{
	(void)arg;
	return 0;
}

static int fail(void *arg)
{
	(void)arg;
	return weft_error_set(-EIO, "a sentence that needs %s", "memory");
}

static int sleep_a_while(void *arg)
{
	(void)arg;
	return weft_sleep(WEFT_SEC);
}

static int sleep_long(void *arg)
{
	(void)arg;
	return weft_sleep(WEFT_FOREVER);
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void ignore_fd(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

static void ignore_signal(int signo, void *arg)
{
	(void)signo;
	(void)arg;
}

/* What is expected of a scenario in which something else than -ENOMEM came: that it tells. */
static int unexpected(const char *what, int r)
{
	return weft_error_set(-EPROTO, "%s: %d", what, r);
}

/* ---- Loop ---- */

static int callbacks(void *arg)
{
	weft_loop *loop = weft_loop_current();
	int n = 0, expected = 0, r = 0;

	(void)arg;
	for (int i = 0; i < 100 && r == 0; i++) {
		r = weft_loop_call_soon(loop, count, &n, NULL);
		expected += r == 0;
	}
	for (int i = 0; i < 100 && r == 0; i++) {
		r = weft_loop_call_later(loop, i, count, &n, NULL);
		expected += r == 0;
	}
	for (int i = 0; i < 100 && r == 0; i++) {
		r = weft_loop_call_soon_threadsafe(loop, count, &n, NULL);
		expected += r == 0;
	}
	while (n < expected) {
		int slept = weft_sleep(WEFT_MSEC);

		if (slept < 0)
			return slept;
	}
	return r;
}

static int watchers(void *arg)
{
	weft_loop *loop = weft_loop_current();
	int ends[2], r;

	(void)arg;
	if (pipe(ends) < 0)
		return -errno;
	r = weft_loop_add_reader(loop, ends[0], ignore_fd, NULL);
	if (r == 0)
		r = weft_loop_add_writer(loop, ends[1], ignore_fd, NULL);
	if (r == 0)
		r = weft_loop_add_signal_handler(loop, SIGUSR1, ignore_signal, NULL);
	(void)weft_loop_remove_signal_handler(loop, SIGUSR1); /* those that are there */
	(void)weft_loop_remove_reader(loop, ends[0]);
	(void)weft_loop_remove_writer(loop, ends[1]);
	close(ends[0]);
	close(ends[1]);
	return r;
}

static int loop_threads(void *arg)
{
	weft_future *future;
	weft_loops *loops;
	int r = weft_loops_new(2, NULL, &loops);

	(void)arg;
	if (r < 0)
		return r;
	r = weft_spawn_on(weft_loops_get(loops, 1), return_0, NULL, &future);
	if (r == 0) {
		r = weft_future_await(future);
		r = r < 0 ? r : weft_future_result(future);
		weft_future_unref(future);
	}
	(void)weft_loops_close(loops);
	return r;
}

/* ---- Tasks ---- */

static int tasks(void *arg)
{
	static const struct weft_spawn_options options = { .name = "named",
							   .copy_arg_bytes = 100,
							   .stack_bytes = 1 << 20 };
	char bytes[100] = { 0 };
	weft_task *task = NULL;
	int joined, r = weft_spawn_with(sleep_a_while, bytes, &options, &task);

	(void)arg;
	if (r < 0)
		return r;
	r = weft_task_future(task) ? 0 : -ENOMEM;
	if (r < 0)
		(void)weft_task_cancel(task, "no memory for its future");
	joined = weft_task_join(task);
	return r < 0 ? r : joined;
}

static int many_tasks(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	for (int i = 0; i < 100; i++)
		(void)weft_group_spawn(&group, sleep_a_while, NULL);
	return weft_group_end(&group, 0);
}

/* A failure keeps its code, whether there is memory for its words or not. */
static int errors_of_a_gather(void *arg)
{
	struct weft_call calls[] = { { .fn = fail }, { .fn = return_0 }, { .fn = fail } };
	int r = weft_gather(calls, ARRAY_SIZE(calls));

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int expected = calls[i].fn == fail ? -EIO : 0;

		if (calls[i].result != expected && calls[i].result != -ENOMEM)
			return unexpected("a call of the gather", calls[i].result);
	}
	if (r == -EIO)
		return 0;
	return r == -ENOMEM ? r : unexpected("gather", r);
}

static int wrapped_errors(void *arg)
{
	struct weft_group group;
	int r;

	weft_group_begin(&group);
	(void)weft_group_spawn(&group, fail, arg);
	(void)weft_group_spawn(&group, sleep_long, arg);
	r = weft_group_end(&group, 0);
	r = weft_error_wrap(r, "while %s", "trying");
	if (r == -EIO)
		return 0;
	return r == -ENOMEM ? r : unexpected("group", r);
}

static int cancelled_with_a_reason(void *arg)
{
	weft_task *task;
	int r = weft_spawn(sleep_long, arg, &task);

	if (r < 0)
		return r;
	(void)weft_task_cancel(task, "a reason that is copied");
	r = weft_task_join(task);
	return r == -ECANCELED ? 0 : unexpected("join", r);
}

/* ---- Futures ---- */

enum { MANY = 40 };

static void unref_all(weft_future **futures, size_t n)
{
	for (size_t i = 0; i < n; i++)
		weft_future_unref(futures[i]);
}

static int make_many(weft_future **futures, size_t *n)
{
	int r = 0;

	for (*n = 0; *n < MANY && r == 0; *n += r == 0)
		r = *n % 2 ? weft_future_new_shared(&futures[*n])
			   : weft_future_new(&futures[*n]);
	return r;
}

static int values(void *arg)
{
	weft_future *future;
	int n = 0, r = weft_future_new(&future);

	(void)arg;
	if (r < 0)
		return r;
	r = weft_future_add_done_callback(future, count, &n, NULL);
	(void)weft_future_set_result(future, strdup("a value"), free);
	weft_future_unref(future);
	if (weft_yield() < 0 || weft_yield() < 0)
		return -ECANCELED;
	return r == 0 && n != 1 ? unexpected("callbacks", n) : r;
}

static int wait_for_many(void *arg)
{
	weft_future *futures[MANY];
	size_t n;
	int r = make_many(futures, &n);

	(void)arg;
	if (r == 0)
		(void)weft_future_set_result(futures[MANY - 1], NULL, NULL);
	if (r == 0)
		r = weft_wait(futures, n, WEFT_FIRST_COMPLETED);
	unref_all(futures, n);
	return r == 1 ? 0 : r;
}

static int take_as_completed(void *arg)
{
	struct weft_as_completed scope;
	weft_future *futures[MANY], *next;
	size_t n;
	int r = make_many(futures, &n);

	(void)arg;
	if (r == 0)
		r = weft_as_completed_begin(&scope, futures, n);
	if (r == 0) {
		for (size_t i = 0; i < n; i++)
			(void)weft_future_set_result(futures[i], NULL, NULL);
		for (size_t i = 0; i < n && r >= 0; i++)
			r = weft_as_completed_next(&scope, &next);
		r = weft_as_completed_end(&scope, r < 0 ? r : 0);
	}
	unref_all(futures, n);
	return r;
}

/* ---- Queues and channels ---- */

static int queues(void *arg)
{
	static const enum weft_queue_order orders[] = { WEFT_FIFO, WEFT_LIFO };
	int r = 0;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(orders) && r == 0; i++) {
		struct weft_queue_options options = { .order = orders[i] };
		weft_queue *queue = NULL;

		r = weft_queue_new(sizeof(i), 1000, &options, &queue);
		for (size_t k = 0; k < 1000 && r == 0; k++)
			r = weft_queue_put(queue, &k);
		weft_queue_free(queue);
	}
	return r;
}

static int channels(void *arg)
{
	struct weft_channel_case cases[MANY];
	weft_channel *channel;
	size_t chosen;
	int item = 1, r = weft_channel_new(sizeof(item), 1, NULL, &channel);

	(void)arg;
	if (r < 0)
		return r;
	for (size_t i = 0; i < MANY; i++)
		cases[i] = (struct weft_channel_case)WEFT_CASE_GET(channel, &item);
	r = weft_channel_put(channel, &item);
	if (r == 0)
		r = weft_channel_select(cases, MANY, &chosen);
	weft_channel_unref(channel);
	return r;
}

static int send_later(void *arg)
{
	int item = 2, r = weft_sleep(WEFT_SEC);

	return r < 0 ? r : weft_channel_put((weft_channel *)arg, &item);
}

static int waiting_selects(void *arg)
{
	struct weft_channel_case cases[MANY];
	weft_channel *channel;
	weft_task *task;
	size_t chosen;
	int item = 1, sent, r = weft_channel_new(sizeof(item), 1, NULL, &channel);

	(void)arg;
	if (r < 0)
		return r;
	for (size_t i = 0; i < MANY; i++)
		cases[i] = (struct weft_channel_case)WEFT_CASE_GET(channel, &item);
	r = weft_spawn(send_later, channel, &task);
	if (r == 0) {
		r = weft_channel_select(cases, MANY, &chosen);
		sent = weft_task_join(task);
		r = r < 0 ? r : sent;
	}
	weft_channel_unref(channel);
	return r;
}

/* ---- Executors ---- */

static int executors(void *arg)
{
	struct weft_submit_options options = { .copy_arg_bytes = 64 };
	weft_executor *pool;
	weft_future *future;
	char bytes[64] = { 0 };
	int r = weft_thread_pool_new(NULL, &pool);

	(void)arg;
	if (r < 0)
		return r;
	r = weft_run_in_executor(pool, return_0, NULL);
	if (r == 0)
		r = weft_executor_submit(pool, return_0, bytes, &options, &future);
	if (r == 0) {
		r = weft_future_await(future);
		r = r < 0 ? r : weft_future_result(future);
		weft_future_unref(future);
	}
	(void)weft_executor_close(pool, WEFT_SEC);
	return r;
}

static int owned_jobs(void *arg)
{
	char *bytes = malloc(10); /* the job's, also if it never runs */
	int r = weft_run_in_executor_owned(NULL, return_0, bytes, free);

	(void)arg;
	return r;
}

/* ---- Net ---- */

static int waits_for_descriptors(void *arg)
{
	int ends[2], r;

	(void)arg;
	if (pipe(ends) < 0)
		return -errno;
	(void)!write(ends[1], "x", 1);
	r = weft_poll(ends[0], POLLIN);
	close(ends[0]);
	close(ends[1]);
	return r == POLLIN ? 0 : r;
}

enum { LARGE = 200 * 1000 };

/* Writes more than a buffer holds, then formatted text above what lies on the stack. */
static int write_much(void *arg)
{
	static char bytes[LARGE];
	weft_stream *stream = arg;
	int r;

	memset(bytes, 'x', sizeof(bytes));
	r = weft_stream_write(stream, bytes, sizeof(bytes));
	if (r == 0)
		r = weft_stream_printf(stream, "%8000d\n", 7);
	if (r == 0)
		r = weft_stream_flush(stream);
	if (r < 0) {
		weft_stream_abort(stream);
		return r;
	}
	return weft_stream_close(stream);
}

static int read_much(weft_stream *stream)
{
	char bytes[1000];
	char *line;
	ssize_t n = 0;

	(void)weft_stream_peername(stream); /* "" without memory */
	(void)weft_stream_sockname(stream);
	for (size_t size = 0; size < LARGE; size += (size_t)n) {
		n = weft_stream_read_exactly(stream, bytes, sizeof(bytes));
		if (n < 0)
			return (int)n;
	}
	n = weft_stream_read_line(stream, &line);
	return n < 0 ? (int)n : 0;
}

static int pair_of_streams(weft_stream **streams)
{
	int sides[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sides) < 0)
		return -errno;
	r = weft_stream_adopt(sides[0], &streams[0]);
	if (r == 0) {
		r = weft_stream_adopt(sides[1], &streams[1]);
		if (r == 0)
			return 0;
		weft_stream_abort(streams[0]);
	} else {
		close(sides[0]);
	}
	close(sides[1]);
	return r;
}

/* Of two sides of one thing: the one that had no memory says why the other one failed. */
static int first_cause(int a, int b)
{
	if (a == -ENOMEM || b == -ENOMEM)
		return -ENOMEM;
	return a < 0 ? a : b;
}

static int streams(void *arg)
{
	weft_stream *ends[2];
	weft_task *writer;
	int spawned, r = pair_of_streams(ends);

	(void)arg;
	if (r < 0)
		return r;
	spawned = weft_spawn(write_much, ends[1], &writer);
	if (spawned < 0)
		weft_stream_abort(ends[1]);
	else
		r = read_much(ends[0]);
	weft_stream_abort(ends[0]);
	return first_cause(r, spawned < 0 ? spawned : weft_task_join(writer));
}

static int look_ups(void *arg)
{
	struct addrinfo *found = NULL;
	int r = weft_getaddrinfo("127.0.0.1", "80", NULL, &found);
	char host[100];

	(void)arg;
	if (r < 0)
		return r;
	r = weft_getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), NULL,
			     0, 0);
	freeaddrinfo(found);
	return r;
}

static int echo(weft_stream *stream, void *arg)
{
	char *line;
	ssize_t n = weft_stream_read_line(stream, &line);

	(void)arg;
	return n <= 0 ? (int)n : weft_stream_printf(stream, "%s\n", line);
}

static int ask(const char *address)
{
	weft_stream *stream;
	char *line;
	ssize_t n;
	int r = weft_connect(address, NULL, &stream);

	if (r < 0)
		return r;
	r = weft_stream_printf(stream, "hello\n");
	n = r < 0 ? r : weft_stream_read_line(stream, &line);
	weft_stream_abort(stream);
	if (n < 0)
		return (int)n;
	return n == 6 ? 0 : -ENODATA;
}

static int servers(void *arg)
{
	weft_server *server;
	int closed, r = weft_listen("127.0.0.1:0", NULL, echo, NULL, &server);

	(void)arg;
	if (r < 0)
		return r;
	r = ask(weft_server_address(server));
	closed = weft_server_close(server, WEFT_SEC);
	return r < 0 ? r : closed;
}

/* ---- HTTP ---- */

static int answer(weft_http_request *request, void *arg)
{
	struct weft_bytes body;
	int r = weft_http_request_body(request, &body);

	(void)arg;
	if (r < 0)
		return r;
	(void)weft_http_request_param(request, "name");
	(void)weft_http_request_query(request, "q");
	weft_http_reply_header(request, "x-more", "yes");
	return weft_http_reply_text(request, 200, "%2000zu", body.size);
}

static int fetch(weft_http_client *client, const char *address)
{
	struct weft_http_fetch_options options = { .body = weft_bytes_text("12345") };
	weft_http_response *response;
	struct weft_bytes body;
	char url[100];
	int r, status;

	snprintf(url, sizeof(url), "http://%s/to/you?q=%%41", address);
	r = weft_http_fetch(client, "POST", url, &options, &response);
	if (r < 0)
		return r;
	r = weft_http_response_body(response, 10000, &body);
	status = weft_http_response_status(response);
	weft_http_response_free(response);
	if (r < 0)
		return r;
	/* A server without memory says so. */
	return status == 200 ? 0 : status == 500 ? -ENOMEM : unexpected("status", status);
}

static int serve_http(weft_http_app *app)
{
	weft_http_client *client;
	weft_server *server;
	int r = weft_listen("127.0.0.1:0", NULL, weft_http_serve_connection, app,
			    &server);

	if (r < 0)
		return r;
	r = weft_http_client_new(NULL, &client);
	if (r == 0) {
		r = fetch(client, weft_server_address(server));
		weft_http_client_free(client);
	}
	(void)weft_server_close(server, WEFT_SEC);
	return r;
}

static int http(void *arg)
{
	weft_http_app *app;
	int r = weft_http_app_new(NULL, &app);

	(void)arg;
	if (r < 0)
		return r;
	weft_http_app_route(app, "POST", "/to/{name}", answer, NULL);
	r = serve_http(app);
	weft_http_app_free(app);
	return r;
}

/* ---- The sweep ---- */

static const struct scenario {
	const char *name;
	weft_fn *fn;
	/* What the failing allocation of a peer may look like from here. */
	int also[3];
} scenarios[] = {
	{ .name = "nothing", .fn = return_0 },
	{ .name = "callbacks", .fn = callbacks },
	{ .name = "watchers", .fn = watchers },
	{ .name = "loop threads", .fn = loop_threads },
	{ .name = "tasks", .fn = tasks },
	{ .name = "many tasks", .fn = many_tasks },
	{ .name = "errors of a gather", .fn = errors_of_a_gather },
	{ .name = "wrapped errors", .fn = wrapped_errors },
	{ .name = "cancelled with a reason", .fn = cancelled_with_a_reason },
	{ .name = "values", .fn = values },
	{ .name = "wait for many", .fn = wait_for_many },
	{ .name = "take as completed", .fn = take_as_completed },
	{ .name = "queues", .fn = queues },
	{ .name = "channels", .fn = channels },
	{ .name = "waiting selects", .fn = waiting_selects },
	{ .name = "executors", .fn = executors },
	{ .name = "owned jobs", .fn = owned_jobs },
	{ .name = "waits for descriptors", .fn = waits_for_descriptors },
	{ .name = "streams", .fn = streams },
	{ .name = "look-ups", .fn = look_ups },
	{ .name = "servers", .fn = servers, .also = { -ENODATA, -ECONNRESET } },
	{ .name = "http", .fn = http, .also = { -ENODATA, -ECONNRESET, -EPIPE } },
};

static bool is_expected(const struct scenario *scenario, int r)
{
	if (r >= 0 || r == -ENOMEM)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(scenario->also); i++) {
		if (scenario->also[i] == r)
			return true;
	}
	return false;
}

/* One run with its n-th allocation failing. True if there was no n-th. */
static bool run_failing(const struct scenario *scenario, long n)
{
	char about[100], text[1000];
	bool has_ended;
	int r;

	snprintf(about, sizeof(about), "\"%s\", allocation %ld failing", scenario->name,
		 n);
	test_about(about);
	reports_begin();
	weft__fail_allocation(n);
	r = weft_test_run(scenario->fn, NULL, NULL);
	has_ended = weft__allocations() < n;
	weft__fail_allocation(0);
	(void)weft_error_format(weft_error_of(r), text, sizeof(text));
	cr_expect(is_expected(scenario, r), "%s: %d: %s", about, r, r < 0 ? text : "");
	if (has_ended)
		cr_expect_eq(r, 0, "%s, so none: %d: %s", about, r, r < 0 ? text : "");
	return has_ended;
}

Test(allocation, that_fails_is_an_error_and_nothing_else)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		for (long n = 1; !run_failing(&scenarios[i], n); n++)
			;
	}
}
