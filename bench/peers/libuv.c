/*
 * libuv as a peer: echo, its thread pool, uv_async_send and its timers.
 *
 * Placed as the sides of the benches are: a worker or producer has the first CPU, the
 * loop the second, or all share the second.
 */
#include "bench/peers/peer.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { TWO_CPUS, ONE_CPU };

static const weft_time asleep_gap = 200 * WEFT_USEC;

/* ---- Echo: one buffer, an immediate write, a queued one for what that did not take ----
 */

static char buffer[128 * 1024];

struct rest {
	uv_write_t request;
	uv_buf_t bytes;
};

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
	(void)handle;
	(void)size;
	*out = uv_buf_init(buffer, sizeof(buffer));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes);

static void on_written(uv_write_t *request, int status)
{
	struct rest *rest = container_of(request, struct rest, request);

	if (status == 0)
		uv_read_start(request->handle, on_alloc, on_read);
	free(rest->bytes.base);
	free(rest);
}

static void write_rest(uv_stream_t *stream, const char *bytes, size_t n)
{
	struct rest *rest = malloc(sizeof(*rest));
	char *copy = malloc(n);

	if (!rest || !copy)
		bench_die("no memory");
	memcpy(copy, bytes, n);
	rest->bytes = uv_buf_init(copy, (unsigned int)n);
	uv_read_stop(stream);
	uv_write(&rest->request, stream, &rest->bytes, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	uv_buf_t whole;
	int done;

	if (n < 0) {
		uv_close((uv_handle_t *)stream, on_closed);
		return;
	}
	if (n == 0)
		return;
	whole = uv_buf_init(bytes->base, (unsigned int)n);
	done = uv_try_write(stream, &whole, 1);
	if (done < 0 && done != UV_EAGAIN) {
		uv_close((uv_handle_t *)stream, on_closed);
		return;
	}
	done = MAX(done, 0);
	if (done < n)
		write_rest(stream, bytes->base + done, (size_t)(n - done));
}

static void on_connection(uv_stream_t *server, int status)
{
	uv_tcp_t *connection = malloc(sizeof(*connection));

	if (status || !connection)
		bench_die("accept failed");
	uv_tcp_init(server->loop, connection);
	uv_accept(server, (uv_stream_t *)connection);
	uv_tcp_nodelay(connection, 1);
	uv_read_start((uv_stream_t *)connection, on_alloc, on_read);
}

static int serve_echo(void)
{
	uv_loop_t *loop = uv_default_loop();
	struct sockaddr_in address;
	uv_tcp_t server;
	uv_os_fd_t fd;

	uv_ip4_addr("127.0.0.1", 0, &address);
	uv_tcp_init(loop, &server);
	uv_tcp_bind(&server, (struct sockaddr *)&address, 0);
	if (uv_listen((uv_stream_t *)&server, 4096, on_connection) ||
	    uv_fileno((uv_handle_t *)&server, &fd))
		bench_die("listen failed");
	peer_listening(fd);
	return uv_run(loop, UV_RUN_DEFAULT);
}

/* ---- Executor: uv_queue_work ---- */

enum { IN_FLIGHT = 1000, ROUND = 50 * 1000 };

static uv_work_t works[IN_FLIGHT];
static long n_sent, n_done, n_wanted;

static void nothing(uv_work_t *work)
{
	(void)work;
}

static void sleep_10_ms(uv_work_t *work)
{
	(void)work;
	uv_sleep(10);
}

static void sleep_1_s(uv_work_t *work)
{
	(void)work;
	uv_sleep(1000);
}

static void after_one(uv_work_t *work, int status)
{
	(void)work;
	(void)status;
	n_done++;
}

static void after_and_again(uv_work_t *work, int status)
{
	(void)status;
	n_done++;
	if (n_sent < n_wanted) {
		n_sent++;
		uv_queue_work(work->loop, work, nothing, after_and_again);
	}
}

/* Starts n workers, on the CPU of `place`; the loop goes to the second one. */
static void start_pool(long n, int place)
{
	char text[16];

	snprintf(text, sizeof(text), "%ld", n);
	if (setenv("UV_THREADPOOL_SIZE", text, 1) < 0)
		bench_die("no memory");
	bench_pin(place);
	uv_queue_work(uv_default_loop(), &works[0], nothing, after_one);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	bench_pin(place == BENCH_ANYWHERE ? BENCH_ANYWHERE : 1);
}

/* n: workers; m: placement */
static void executor_in_flight(const struct peer_case *c)
{
	struct bench_rounds rate = { .n = 0 }, cpu = { .n = 0 };

	start_pool(c->n, c->m == ONE_CPU ? 1 : c->n == 1 ? 0 : BENCH_ANYWHERE);
	while (bench_more(&rate)) {
		weft_time wall = weft__clock(), on_cpu = bench_process_cpu();

		n_done = 0;
		n_wanted = ROUND;
		for (n_sent = 0; n_sent < IN_FLIGHT; n_sent++)
			uv_queue_work(uv_default_loop(), &works[n_sent], nothing,
				      after_and_again);
		uv_run(uv_default_loop(), UV_RUN_DEFAULT);
		bench_add(&rate, ROUND * 1e3 / (double)(weft__clock() - wall));
		bench_add(&cpu, (double)(bench_process_cpu() - on_cpu) / ROUND);
	}
	peer_put("M jobs/s", bench_median(&rate));
	peer_put("CPU ns", bench_median(&cpu));
}

static void executor_one(const struct peer_case *c)
{
	static struct bench_histogram latencies;
	weft_time end;

	start_pool(1, c->m == ONE_CPU ? 1 : 0);
	end = weft__clock() + bench_budget();
	while (weft__clock() < end) {
		weft_time start;

		bench_busy(asleep_gap);
		start = weft__clock();
		uv_queue_work(uv_default_loop(), &works[0], nothing, after_one);
		uv_run(uv_default_loop(), UV_RUN_DEFAULT);
		bench_record(&latencies, weft__clock() - start);
	}
	peer_put("us", bench_percentile(&latencies, 50) / WEFT_USEC);
}

static void executor_sleeps(const struct peer_case *c)
{
	struct bench_rounds rounds = { .n = 0 };

	start_pool(c->n, BENCH_ANYWHERE);
	while (bench_more(&rounds)) {
		weft_time start = weft__clock();

		for (long i = 0; i < c->n; i++)
			uv_queue_work(uv_default_loop(), &works[i], sleep_10_ms,
				      after_one);
		uv_run(uv_default_loop(), UV_RUN_DEFAULT);
		bench_add(&rounds, (double)(weft__clock() - start) / WEFT_MSEC);
	}
	peer_put("ms", bench_median(&rounds));
}

static void executor_mixed(const struct peer_case *c)
{
	enum { MIXED = 64 };
	weft_time start;

	start_pool(c->n, BENCH_ANYWHERE);
	n_done = 0;
	start = weft__clock();
	for (int i = 0; i < MIXED; i++)
		uv_queue_work(uv_default_loop(), &works[i], i == 0 ? sleep_1_s : nothing,
			      after_one);
	while (n_done < MIXED - 1)
		uv_run(uv_default_loop(), UV_RUN_ONCE);
	peer_put("ms", (double)(weft__clock() - start) / WEFT_MSEC);
}

/* ---- Post: a list under a mutex, and uv_async_send ---- */

enum { MESSAGES = 500 * 1000 };

struct message {
	struct message *next;
};

struct box {
	uv_loop_t loop;
	uv_async_t async;
	uv_mutex_t lock;
	struct message *first, **last; /* under lock */
};

static struct box here, there;
static int producer_place;
static uv_barrier_t start_line;

static void box_init(struct box *box, uv_async_cb on_message)
{
	uv_loop_init(&box->loop);
	uv_async_init(&box->loop, &box->async, on_message);
	uv_mutex_init(&box->lock);
	box->first = NULL;
	box->last = &box->first;
}

static void post(struct box *box, struct message *message)
{
	message->next = NULL;
	uv_mutex_lock(&box->lock);
	*box->last = message;
	box->last = &message->next;
	uv_mutex_unlock(&box->lock);
	uv_async_send(&box->async);
}

static struct message *take(struct box *box)
{
	struct message *first;

	uv_mutex_lock(&box->lock);
	first = box->first;
	box->first = NULL;
	box->last = &box->first;
	uv_mutex_unlock(&box->lock);
	return first;
}

static void on_counted(uv_async_t *async)
{
	for (struct message *m = take(&here); m; m = m->next)
		n_done++;
	if (n_done == n_wanted)
		uv_stop(async->loop);
}

static void produce(void *arg)
{
	struct message *messages = arg;

	bench_pin(producer_place);
	uv_barrier_wait(&start_line);
	for (long i = 0; i < MESSAGES; i++)
		post(&here, &messages[i]);
}

/* n: producers; m: placement */
static void post_in_bulk(const struct peer_case *c)
{
	struct bench_rounds rate = { .n = 0 }, cpu = { .n = 0 };
	struct message *messages[2];
	uv_thread_t threads[2];

	box_init(&here, on_counted);
	n_wanted = c->n * MESSAGES;
	for (long i = 0; i < c->n; i++) {
		messages[i] = weft__alloc_array(MESSAGES, sizeof(struct message));
		if (!messages[i])
			bench_die("no memory");
	}
	producer_place = c->m == ONE_CPU ? 1 : c->n == 1 ? 0 : BENCH_ANYWHERE;
	bench_pin(producer_place == BENCH_ANYWHERE ? BENCH_ANYWHERE : 1);
	while (bench_more(&rate)) {
		weft_time wall, on_cpu;

		n_done = 0;
		uv_barrier_init(&start_line, (unsigned int)c->n + 1);
		for (long i = 0; i < c->n; i++)
			uv_thread_create(&threads[i], produce, messages[i]);
		uv_barrier_wait(&start_line);
		wall = weft__clock();
		on_cpu = bench_process_cpu();
		uv_run(&here.loop, UV_RUN_DEFAULT);
		wall = weft__clock() - wall;
		on_cpu = bench_process_cpu() - on_cpu;
		for (long i = 0; i < c->n; i++)
			uv_thread_join(&threads[i]);
		bench_add(&rate, (double)n_wanted * 1e3 / (double)wall);
		bench_add(&cpu, (double)on_cpu / (double)n_wanted);
	}
	peer_put("M/s", bench_median(&rate));
	peer_put("CPU ns", bench_median(&cpu));
}

static struct message ping, pong;

static void on_ping(uv_async_t *async)
{
	(void)async;
	if (take(&there))
		post(&here, &pong);
}

static void on_pong(uv_async_t *async)
{
	if (take(&here))
		uv_stop(async->loop);
}

static void answer(void *arg)
{
	bench_pin(*(int *)arg);
	uv_run(&there.loop, UV_RUN_DEFAULT);
}

static void post_ping_pong(const struct peer_case *c)
{
	static struct bench_histogram latencies;
	static int place;
	uv_thread_t thread;
	weft_time end;

	box_init(&here, on_pong);
	box_init(&there, on_ping);
	place = c->m == ONE_CPU ? 1 : 0;
	bench_pin(1);
	uv_thread_create(&thread, answer, &place);
	end = weft__clock() + bench_budget();
	while (weft__clock() < end) {
		weft_time start;

		bench_busy(asleep_gap);
		start = weft__clock();
		post(&there, &ping);
		uv_run(&here.loop, UV_RUN_DEFAULT);
		bench_record(&latencies, weft__clock() - start);
	}
	peer_put("us one way", bench_percentile(&latencies, 50) / 2 / WEFT_USEC);
}

/* ---- Timers: a heap, 1 ms ---- */

static long n_fired;

static void on_timer(uv_timer_t *timer)
{
	(void)timer;
	n_fired++;
}

static uv_timer_t *new_timers(long n)
{
	uv_timer_t *timers = weft__alloc_array((size_t)n, sizeof(*timers));

	if (!timers)
		bench_die("no memory");
	for (long i = 0; i < n; i++)
		uv_timer_init(uv_default_loop(), &timers[i]);
	return timers;
}

static void start_timers(uv_timer_t *timers, long n, uint64_t span_ms)
{
	uint64_t random = 88172645463325252u;

	for (long i = 0; i < n; i++)
		uv_timer_start(&timers[i], on_timer, 1 + bench_random(&random) % span_ms,
			       0);
}

/* Deadlines over a minute, but for expiry over 100 ms: libuv's clock cannot be moved. */
static void timer_many(const struct peer_case *c)
{
	uv_timer_t *timers = new_timers(c->n);
	weft_time at[5];

	bench_pin(1);
	uv_update_time(uv_default_loop());
	at[0] = bench_thread_cpu();
	start_timers(timers, c->n, 60 * 1000);
	at[1] = bench_thread_cpu();
	for (long i = 0; i < c->n; i += 2)
		uv_timer_stop(&timers[i]);
	at[2] = bench_thread_cpu();
	for (long i = 1; i < c->n; i += 2)
		uv_timer_stop(&timers[i]);
	uv_update_time(uv_default_loop());
	start_timers(timers, c->n / 2, 100);
	(void)poll(NULL, 0, 120); /* until all of them are due */
	at[3] = bench_thread_cpu();
	while (n_fired < c->n / 2)
		uv_run(uv_default_loop(), UV_RUN_ONCE);
	at[4] = bench_thread_cpu();
	peer_put("ns/insert", (double)(at[1] - at[0]) / (double)c->n);
	peer_put("ns/cancel", (double)(at[2] - at[1]) / ((double)c->n / 2));
	peer_put("ns/expire", (double)(at[4] - at[3]) / ((double)c->n / 2));
}

static void timer_timeout(const struct peer_case *c)
{
	enum { TIMER_ROUND = 20 * 1000 };
	struct bench_rounds rounds = { .n = 0 };
	uv_timer_t *timers = new_timers(c->n), *more = new_timers(TIMER_ROUND);

	bench_pin(1);
	start_timers(timers, c->n, 60 * 1000);
	while (bench_more(&rounds)) {
		weft_time start = bench_thread_cpu();

		for (long i = 0; i < TIMER_ROUND; i++) {
			uv_timer_start(&more[i], on_timer, 30 * 1000, 0);
			uv_timer_stop(&more[i]);
		}
		bench_add(&rounds, (double)(bench_thread_cpu() - start) / TIMER_ROUND);
	}
	peer_put("ns/set+cancel", bench_median(&rounds));
}

int main(int argc, char *argv[])
{
	static const struct peer_case cases[] = {
		{ "executor", "1000 in flight, 1 worker", 1, TWO_CPUS,
		  executor_in_flight },
		{ "executor", "1000 in flight, 2 workers", 2, TWO_CPUS,
		  executor_in_flight },
		{ "executor", "1000 in flight, one CPU", 2, ONE_CPU, executor_in_flight },
		{ "executor", "1 in flight, asleep", 1, TWO_CPUS, executor_one },
		{ "executor", "1 in flight, asleep, one CPU", 1, ONE_CPU, executor_one },
		{ "executor", "64 sleeps of 10 ms", 64, 0, executor_sleeps },
		{ "executor", "mixed", 4, 0, executor_mixed },
		{ "post", "1 producer", 1, TWO_CPUS, post_in_bulk },
		{ "post", "2 producers", 2, TWO_CPUS, post_in_bulk },
		{ "post", "1 producer, one CPU", 1, ONE_CPU, post_in_bulk },
		{ "post", "2 producers, one CPU", 2, ONE_CPU, post_in_bulk },
		{ "post", "ping-pong, asleep", 0, TWO_CPUS, post_ping_pong },
		{ "post", "ping-pong, asleep, one CPU", 0, ONE_CPU, post_ping_pong },
		{ "timer", "1 M over a minute", 1000 * 1000, 0, timer_many },
		{ "timer", "time-out, 500 k pending", 500 * 1000, 0, timer_timeout },
		{ .bench = NULL },
	};
	static const struct peer_server servers[] = {
		{ "echo", serve_echo },
		{ .bench = NULL },
	};

	return peer_main(argc, argv, cases, servers);
}
