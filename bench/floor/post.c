/*
 * Floor of the bench "post": threads that send to a loop through the bare inbox
 * (inbox.h).
 *
 * Throughput: producers push 32-byte messages as fast as they can, the consumer adds them
 * up and sleeps when it finds none. Latency: two threads with an inbox each send one
 * message to and fro; before each round trip the first keeps its CPU busy for a while, so
 * that "asleep" is.
 */
#include "bench/floor/floors.h"
#include "bench/floor/inbox.h"
#include "bench/measure.h"

#include <pthread.h>

enum { MAX_PRODUCERS = 2, MESSAGES = 500 * 1000, CHAIN = 64 };

static const weft_time asleep_gap = 200 * WEFT_USEC;

static struct floor_inbox inbox;
static pthread_barrier_t start_line;

struct producer {
	pthread_t thread;
	struct floor_node *nodes; /* MESSAGES of them, or NULL: recycled ones */
	int place;
};

/* ---- Recycled nodes: the consumer returns chains, a producer takes all that came back
 * ---- */

static _Alignas(CACHE_LINE) _Atomic(struct floor_node *) returned;
static struct floor_node *chain_first, *chain_last;
static int chain_length;

static struct floor_node *node_get(struct floor_node **own)
{
	struct floor_node *node = *own;

	if (!node) /* N2: acquires what N1 released */
		node = atomic_exchange_explicit(&returned, NULL, memory_order_acquire);
	if (!node) {
		node = weft__alloc(sizeof(*node));
		if (!node)
			bench_die("no memory for a message");
		node->next = NULL;
	}
	*own = node->next;
	return node;
}

static void node_put(struct floor_node *node)
{
	struct floor_node *head;

	node->next = chain_first;
	if (!chain_first)
		chain_last = node;
	chain_first = node;
	if (++chain_length < CHAIN)
		return;
	/* Relaxed: the exchange checks what was read. */
	head = atomic_load_explicit(&returned, memory_order_relaxed);
	do {
		chain_last->next = head;
		/* N1: releases the chain to N2. */
	} while (!atomic_compare_exchange_weak_explicit(&returned, &head, chain_first,
							memory_order_release,
							memory_order_relaxed));
	chain_first = NULL;
	chain_length = 0;
}

/* ---- Throughput ---- */

static void *produce(void *arg)
{
	struct producer *producer = arg;
	struct floor_node *own = NULL;

	bench_pin(producer->place);
	pthread_barrier_wait(&start_line);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct floor_node *node =
			producer->nodes ? &producer->nodes[i] : node_get(&own);

		node->value = i;
		floor_inbox_push(&inbox, node);
	}
	return NULL;
}

static void consume(uint64_t n_wanted, bool recycle)
{
	uint64_t n = 0, sum = 0;

	while (n < n_wanted) {
		struct floor_node *node = floor_inbox_wait(&inbox);

		while (node) {
			struct floor_node *next = node->next;

			sum += node->value;
			n++;
			if (recycle)
				node_put(node);
			node = next;
		}
	}
	if (sum != n_wanted / MESSAGES * (MESSAGES / 2) * (MESSAGES - 1))
		bench_die("the floor's inbox lost a message");
}

static void measure_producers(const struct bench_case *c, bool recycle, double *values)
{
	struct bench_rounds rate = { .n = 0 }, cpu = { .n = 0 };
	struct producer producers[MAX_PRODUCERS] = { { .nodes = NULL } };
	double n = (double)c->n * MESSAGES;
	/* Two producers and the consumer share two CPUs as the scheduler likes. */
	int place = c->m == BENCH_ONE_CPU ? 1 : c->n == 1 ? 0 : BENCH_ANYWHERE;

	for (long i = 0; i < c->n; i++) {
		producers[i].place = place;
		if (recycle)
			continue;
		producers[i].nodes =
			weft__alloc_array(MESSAGES, sizeof(struct floor_node));
		if (!producers[i].nodes)
			bench_die("no memory for messages");
	}
	bench_pin(place == BENCH_ANYWHERE ? BENCH_ANYWHERE : 1);
	while (bench_more(&rate)) {
		weft_time wall, on_cpu;

		pthread_barrier_init(&start_line, NULL, (unsigned int)c->n + 1);
		for (long i = 0; i < c->n; i++)
			pthread_create(&producers[i].thread, NULL, produce,
				       &producers[i]);
		pthread_barrier_wait(&start_line);
		wall = weft__clock();
		on_cpu = bench_process_cpu();
		consume((uint64_t)c->n * MESSAGES, recycle);
		wall = weft__clock() - wall;
		on_cpu = bench_process_cpu() - on_cpu;
		for (long i = 0; i < c->n; i++)
			pthread_join(producers[i].thread, NULL);
		bench_add(&rate, n * 1e3 / (double)wall);
		bench_add(&cpu, (double)on_cpu / n);
	}
	values[0] = bench_median(&rate);
	values[1] = bench_median(&cpu);
}

int floor_post_embedded(const struct bench_case *c, double *values)
{
	int r = floor_inbox_init(&inbox);

	if (r < 0)
		return r;
	measure_producers(c, false, values);
	return 0;
}

int floor_post_recycled(const struct bench_case *c, double *values)
{
	int r = floor_inbox_init(&inbox);

	if (r < 0)
		return r;
	measure_producers(c, true, values);
	return 0;
}

/* ---- Latency ---- */

struct partner {
	struct floor_inbox inbox;
	struct floor_node message;
};

static struct partner ping, pong;

enum { LAST = 1 };

static void *answer(void *arg)
{
	bench_pin(*(int *)arg);
	pthread_barrier_wait(&start_line);
	for (;;) {
		bool last = floor_inbox_wait(&pong.inbox)->value == LAST;

		floor_inbox_push(&ping.inbox, &ping.message);
		if (last)
			return NULL;
	}
}

static void round_trip(uint64_t value)
{
	pong.message.value = value;
	floor_inbox_push(&pong.inbox, &pong.message);
	(void)floor_inbox_wait(&ping.inbox);
}

/* Half a round trip, in us. */
static int measure_ping_pong(int place, weft_time spin_ns, weft_time gap, double *values)
{
	static struct bench_histogram latencies;
	pthread_t thread;
	weft_time end;
	int r = floor_inbox_init(&ping.inbox);

	if (r == 0)
		r = floor_inbox_init(&pong.inbox);
	if (r < 0)
		return r;
	ping.inbox.spin_ns = spin_ns;
	pong.inbox.spin_ns = spin_ns;
	bench_pin(1);
	pthread_barrier_init(&start_line, NULL, 2);
	pthread_create(&thread, NULL, answer, &place);
	pthread_barrier_wait(&start_line);
	end = weft__clock() + bench_budget();
	while (weft__clock() < end) {
		weft_time start;

		bench_busy(gap);
		start = weft__clock();
		round_trip(0);
		bench_record(&latencies, weft__clock() - start);
	}
	round_trip(LAST);
	pthread_join(thread, NULL);
	values[0] = bench_percentile(&latencies, 50) / 2 / WEFT_USEC;
	return 0;
}

int floor_post_asleep(const struct bench_case *c, double *values)
{
	return measure_ping_pong(c->m == BENCH_ONE_CPU ? 1 : 0, 0, asleep_gap, values);
}

int floor_post_spinning(const struct bench_case *c, double *values)
{
	(void)c;
	if (bench_n_cpus() < 2)
		return -ENOTSUP;
	return measure_ping_pong(0, 20 * WEFT_USEC, 0, values);
}
