/*
 * weft's sides of the bench "post": threads that send callbacks to a loop.
 *
 * Throughput: producers send as fast as they can, with a handle in each message or with
 * none, and the loop adds up what came. Latency: two loops, each on a thread of its own,
 * send one message to and fro; for "asleep" the first keeps its CPU busy for a while before
 * each round trip.
 */
#include <weft/loop.h>

#include <pthread.h>

#include "bench/measure.h"
#include "bench/ours/ours.h"

enum { MAX_PRODUCERS = 2, MESSAGES = 500 * 1000 };

static const weft_time asleep_gap = 200 * WEFT_USEC;

static pthread_barrier_t start_line;

/* ---- Throughput ---- */

struct message {
	struct weft_handle handle;
	uint64_t value;
};

struct producer {
	pthread_t thread;
	struct message *messages; /* MESSAGES of them, or NULL: no handles */
	int place;
};

static weft_loop *loop;
static uint64_t n_left, sum;

static void count(uint64_t value)
{
	sum += value;
	if (--n_left == 0)
		weft_loop_stop(loop);
}

static void on_message(void *arg)
{
	const struct message *message = arg;

	count(message->value);
}

/* Without a handle the message is its number. */
static void on_number(void *arg)
{
	count((uint64_t)(uintptr_t)arg);
}

static void *produce(void *arg)
{
	struct producer *producer = arg;
	struct message *messages = producer->messages;

	bench_pin(producer->place);
	pthread_barrier_wait(&start_line);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		int r;

		if (messages) {
			messages[i].value = i;
			r = weft_loop_call_soon_threadsafe(loop, on_message, &messages[i],
							   &messages[i].handle);
		} else {
			r = weft_loop_call_soon_threadsafe(loop, on_number,
							   (void *)(uintptr_t)i, NULL);
		}
		if (r < 0)
			bench_die("a message was refused");
	}
	return NULL;
}

static int measure_producers(const struct bench_case *c, bool recycle, double *values)
{
	struct bench_rounds rate = { .n = 0 }, cpu = { .n = 0 };
	struct producer producers[MAX_PRODUCERS] = { { .messages = NULL } };
	double n = (double)c->n * MESSAGES;
	/* Two producers and the loop share two CPUs as the scheduler likes. */
	int place = c->m == BENCH_ONE_CPU ? 1 : c->n == 1 ? 0 : BENCH_ANYWHERE;
	int r = weft_loop_new(NULL, &loop);

	for (long i = 0; i < c->n; i++) {
		producers[i].place = place;
		if (recycle)
			continue;
		producers[i].messages =
			weft__alloc_array(MESSAGES, sizeof(struct message));
		if (!producers[i].messages)
			bench_die("no memory for messages");
	}
	bench_pin(place == BENCH_ANYWHERE ? BENCH_ANYWHERE : 1);
	while (r == 0 && bench_more(&rate)) {
		weft_time wall, on_cpu;

		n_left = (uint64_t)c->n * MESSAGES;
		sum = 0;
		pthread_barrier_init(&start_line, NULL, (unsigned int)c->n + 1);
		for (long i = 0; i < c->n; i++)
			pthread_create(&producers[i].thread, NULL, produce,
				       &producers[i]);
		pthread_barrier_wait(&start_line);
		wall = weft__clock();
		on_cpu = bench_process_cpu();
		r = weft_loop_run(loop);
		wall = weft__clock() - wall;
		on_cpu = bench_process_cpu() - on_cpu;
		for (long i = 0; i < c->n; i++)
			pthread_join(producers[i].thread, NULL);
		if (sum != (uint64_t)c->n * (MESSAGES / 2) * (MESSAGES - 1))
			bench_die("weft lost a message");
		bench_add(&rate, n * 1e3 / (double)wall);
		bench_add(&cpu, (double)on_cpu / n);
	}
	values[0] = bench_median(&rate);
	values[1] = bench_median(&cpu);
	return r;
}

int ours_post_embedded(const struct bench_case *c, double *values)
{
	return measure_producers(c, false, values);
}

int ours_post_recycled(const struct bench_case *c, double *values)
{
	return measure_producers(c, true, values);
}

/* ---- Latency ---- */

struct partner {
	weft_loop *loop;
	struct weft_handle message; /* the one that is sent to this loop */
};

static struct partner ping, pong;

static struct {
	weft_time gap;
	weft_time start; /* of the round trip under way */
	weft_time end; /* of all */
	struct bench_histogram latencies;
} trips;

static void send(struct partner *to, weft_callback *fn)
{
	if (weft_loop_call_soon_threadsafe(to->loop, fn, NULL, &to->message) < 0)
		bench_die("a message was refused");
}

static void come_back(void *unused);

static void answer(void *unused)
{
	(void)unused;
	send(&ping, come_back);
}

static void set_out(void *unused)
{
	(void)unused;
	bench_busy(trips.gap);
	trips.start = weft__clock();
	send(&pong, answer);
}

static void come_back(void *unused)
{
	weft_time now = weft__clock();

	bench_record(&trips.latencies, now - trips.start);
	if (now < trips.end) {
		set_out(unused);
		return;
	}
	weft_loop_stop(pong.loop);
	weft_loop_stop(ping.loop);
}

static void *run_pong(void *place)
{
	bench_pin(*(int *)place);
	if (weft_loop_run(pong.loop) < 0)
		bench_die("the second loop does not run");
	return NULL;
}

/* Half a round trip, in us. */
static int measure_ping_pong(int place, weft_time gap, double *values)
{
	pthread_t thread;
	int r = weft_loop_new(NULL, &ping.loop);

	if (r == 0)
		r = weft_loop_new(NULL, &pong.loop);
	if (r < 0)
		return r;
	bench_pin(1);
	trips.gap = gap;
	pthread_create(&thread, NULL, run_pong, &place);
	trips.end = weft__clock() + bench_budget();
	r = weft_loop_call_soon(ping.loop, set_out, NULL, NULL);
	if (r == 0)
		r = weft_loop_run(ping.loop);
	pthread_join(thread, NULL);
	values[0] = bench_percentile(&trips.latencies, 50) / 2 / WEFT_USEC;
	return r;
}

int ours_post_asleep(const struct bench_case *c, double *values)
{
	return measure_ping_pong(c->m == BENCH_ONE_CPU ? 1 : 0, asleep_gap, values);
}

int ours_post_spinning(const struct bench_case *c, double *values)
{
	(void)c;
	if (bench_n_cpus() < 2)
		return -ENOTSUP;
	return measure_ping_pong(0, 0, values);
}
