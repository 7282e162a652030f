/*
 * Floors of the bench "executor": the bare pool (pool.h), the usual pool that most
 * libraries have, and for one job in flight a futex there and an eventfd back.
 */
#include "bench/floor/floors.h"
#include "bench/floor/pool.h"
#include "bench/measure.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT = 1000, ROUND = 100 * 1000, MIXED = 64 };

static const weft_time asleep_gap = 200 * WEFT_USEC;

static struct floor_job jobs[IN_FLIGHT];

static void nothing(struct floor_job *job)
{
	job->node.value++;
}

static void sleep_for(weft_time span_ns)
{
	struct timespec span = { .tv_sec = span_ns / WEFT_SEC,
				 .tv_nsec = span_ns % WEFT_SEC };

	(void)nanosleep(&span, NULL); /* no signal interrupts it */
}

/* ---- 1000 in flight ---- */

/* Runs ROUND jobs, IN_FLIGHT at a time. */
static void run_round(void)
{
	int n_sent = IN_FLIGHT, n_done = 0;

	for (int i = 0; i < IN_FLIGHT; i++)
		floor_pool_submit(&jobs[i]);
	floor_pool_publish();
	while (n_done < ROUND) {
		struct floor_node *node = floor_pool_wait();

		while (node) {
			struct floor_node *next = node->next;

			n_done++;
			if (n_sent < ROUND) {
				n_sent++;
				floor_pool_submit((struct floor_job *)(void *)node);
			}
			node = next;
		}
		floor_pool_publish();
	}
}

static void check_all_ran(uint64_t n_wanted)
{
	uint64_t n = 0;

	for (int i = 0; i < IN_FLIGHT; i++)
		n += jobs[i].node.value;
	if (n != n_wanted)
		bench_die("the floor's pool ran %llu of %llu jobs", (unsigned long long)n,
			  (unsigned long long)n_wanted);
}

static int measure_jobs(const struct floor_pool_options *options, double *values)
{
	struct bench_rounds rate = { .n = 0 }, cpu = { .n = 0 };
	int r;

	bench_pin(options->place == BENCH_ANYWHERE ? BENCH_ANYWHERE : 1);
	for (int i = 0; i < IN_FLIGHT; i++)
		jobs[i].run = nothing;
	r = floor_pool_start(options);
	if (r < 0)
		return r;
	run_round(); /* warm-up */
	while (bench_more(&rate)) {
		weft_time wall = weft__clock(), on_cpu = bench_process_cpu();

		run_round();
		bench_add(&rate, ROUND * 1e3 / (double)(weft__clock() - wall));
		bench_add(&cpu, (double)(bench_process_cpu() - on_cpu) / ROUND);
	}
	floor_pool_stop();
	check_all_ran((uint64_t)(rate.n + 1) * ROUND);
	values[0] = bench_median(&rate);
	values[1] = bench_median(&cpu);
	return 0;
}

int floor_executor_spinning_jobs(const struct bench_case *c, double *values)
{
	struct floor_pool_options options = {
		.n_workers = (int)c->n,
		.place = 0,
		.max_run = 32,
		.spin_ns = 20 * WEFT_USEC,
	};

	return bench_n_cpus() < 2 ? -ENOTSUP : measure_jobs(&options, values);
}

int floor_executor_sleeping_jobs(const struct bench_case *c, double *values)
{
	struct floor_pool_options options = {
		.n_workers = (int)c->n,
		.place = c->m == BENCH_ONE_CPU ? 1 : BENCH_ANYWHERE,
		.max_run = 32,
	};

	return measure_jobs(&options, values);
}

/* ---- The usual pool: a mutex, a condition, an eventfd for each result ---- */

static struct {
	pthread_mutex_t lock; /* guards both lists */
	pthread_cond_t filled;
	struct floor_node *queued, **queued_end;
	struct floor_node *done, **done_end;
	int event_fd;
	int epoll_fd;
} usual = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };

static void *usual_worker(void *arg)
{
	uint64_t one = 1;

	bench_pin(*(int *)arg);
	for (;;) {
		struct floor_job *job;

		pthread_mutex_lock(&usual.lock);
		while (!usual.queued)
			pthread_cond_wait(&usual.filled, &usual.lock);
		job = (struct floor_job *)(void *)usual.queued;
		usual.queued = job->node.next;
		if (!usual.queued)
			usual.queued_end = &usual.queued;
		pthread_mutex_unlock(&usual.lock);
		job->run(job);
		pthread_mutex_lock(&usual.lock);
		job->node.next = NULL;
		*usual.done_end = &job->node;
		usual.done_end = &job->node.next;
		pthread_mutex_unlock(&usual.lock);
		if (write(usual.event_fd, &one, sizeof(one)) < 0)
			abort(); /* it is read often enough */
	}
}

static void usual_submit(struct floor_node *node)
{
	node->next = NULL;
	pthread_mutex_lock(&usual.lock);
	*usual.queued_end = node;
	usual.queued_end = &node->next;
	pthread_mutex_unlock(&usual.lock);
	pthread_cond_signal(&usual.filled);
}

static struct floor_node *usual_wait(void)
{
	struct epoll_event event;
	struct floor_node *nodes;
	uint64_t count;

	(void)epoll_wait(usual.epoll_fd, &event, 1,
			 -1); /* without result: looked again */
	(void)!read(usual.event_fd, &count, sizeof(count)); /* only empties it */
	pthread_mutex_lock(&usual.lock);
	nodes = usual.done;
	usual.done = NULL;
	usual.done_end = &usual.done;
	pthread_mutex_unlock(&usual.lock);
	return nodes;
}

int floor_executor_usual_pool(const struct bench_case *c, double *values)
{
	enum { USUAL_ROUND = 20 * 1000 };
	struct epoll_event event = { .events = EPOLLIN };
	struct bench_rounds rate = { .n = 0 };
	static int place = 0;
	pthread_t thread;

	usual.queued_end = &usual.queued;
	usual.done_end = &usual.done;
	usual.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	usual.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(usual.epoll_fd, EPOLL_CTL_ADD, usual.event_fd, &event) < 0)
		return -errno;
	bench_pin(1);
	for (long i = 0; i < c->n; i++)
		pthread_create(&thread, NULL, usual_worker, &place);
	while (bench_more(&rate)) {
		weft_time wall = weft__clock();
		int n_sent = 0, n_done = 0;

		for (; n_sent < IN_FLIGHT; n_sent++) {
			jobs[n_sent].run = nothing;
			usual_submit(&jobs[n_sent].node);
		}
		while (n_done < USUAL_ROUND) {
			struct floor_node *node = usual_wait();

			while (node) {
				struct floor_node *next = node->next;

				n_done++;
				if (n_sent++ < USUAL_ROUND)
					usual_submit(node);
				node = next;
			}
		}
		bench_add(&rate, USUAL_ROUND * 1e3 / (double)(weft__clock() - wall));
	}
	values[0] = bench_median(&rate);
	return 0;
}

/* ---- 1 in flight ---- */

static struct {
	alignas(CACHE_LINE) _Atomic uint32_t asked;
	alignas(CACHE_LINE) int event_fd;
	int epoll_fd;
} hand_over;

static void hand_over_futex(int operation, uint32_t value)
{
	(void)syscall(SYS_futex, &hand_over.asked, operation | FUTEX_PRIVATE_FLAG, value,
		      NULL, NULL, 0); /* whatever it returns, the caller looks again */
}

static void *hand_back(void *arg)
{
	uint64_t one = 1;

	bench_pin(*(int *)arg);
	for (uint32_t seen = 0;; seen++) {
		/* Acquire: pairs with the release in floor_executor_asleep(). */
		while (atomic_load_explicit(&hand_over.asked, memory_order_acquire) ==
		       seen)
			hand_over_futex(FUTEX_WAIT, seen);
		if (write(hand_over.event_fd, &one, sizeof(one)) < 0)
			abort(); /* never read, and has room for centuries */
	}
}

int floor_executor_asleep(const struct bench_case *c, double *values)
{
	static struct bench_histogram latencies;
	static int place;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	pthread_t thread;
	weft_time end;

	hand_over.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	hand_over.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(hand_over.epoll_fd, EPOLL_CTL_ADD, hand_over.event_fd, &event) < 0)
		return -errno;
	place = c->m == BENCH_ONE_CPU ? 1 : 0;
	bench_pin(1);
	pthread_create(&thread, NULL, hand_back, &place);
	sleep_for(1 * WEFT_MSEC);
	end = weft__clock() + bench_budget();
	while (weft__clock() < end) {
		weft_time start;

		bench_busy(asleep_gap);
		start = weft__clock();
		/* Release: pairs with the acquire in hand_back(). */
		atomic_fetch_add_explicit(&hand_over.asked, 1, memory_order_release);
		hand_over_futex(FUTEX_WAKE, 1);
		if (epoll_wait(hand_over.epoll_fd, &event, 1, -1) == 1)
			bench_record(&latencies, weft__clock() - start);
	}
	values[0] = bench_percentile(&latencies, 50) / WEFT_USEC;
	return 0;
}

int floor_executor_spinning(const struct bench_case *c, double *values)
{
	static struct bench_histogram latencies;
	struct floor_pool_options options = {
		.n_workers = (int)c->n,
		.place = 0,
		.max_run = 1,
		.spin_ns = 20 * WEFT_USEC,
	};
	weft_time end;
	int r;

	if (bench_n_cpus() < 2)
		return -ENOTSUP;
	bench_pin(1);
	jobs[0].run = nothing;
	r = floor_pool_start(&options);
	if (r < 0)
		return r;
	end = weft__clock() + bench_budget();
	while (weft__clock() < end) {
		weft_time start = weft__clock();

		floor_pool_submit(&jobs[0]);
		floor_pool_publish();
		(void)floor_pool_wait();
		bench_record(&latencies, weft__clock() - start);
	}
	floor_pool_stop();
	values[0] = bench_percentile(&latencies, 50) / WEFT_USEC;
	return 0;
}

/* ---- Jobs that really block ---- */

static void sleep_10_ms(struct floor_job *job)
{
	sleep_for(10 * WEFT_MSEC);
	nothing(job);
}

static void sleep_1_s(struct floor_job *job)
{
	sleep_for(1 * WEFT_SEC);
	nothing(job);
}

/* Submits the first n jobs at once, waits for n_awaited. Return: how long that took. */
static weft_time run_at_once(long n, long n_awaited)
{
	weft_time start = weft__clock();

	for (long i = 0; i < n; i++)
		floor_pool_submit(&jobs[i]);
	floor_pool_publish();
	for (long n_done = 0; n_done < n_awaited;) {
		for (struct floor_node *node = floor_pool_wait(); node; node = node->next)
			n_done++;
	}
	return weft__clock() - start;
}

int floor_executor_sleeps(const struct bench_case *c, double *values)
{
	struct floor_pool_options options = {
		.n_workers = (int)c->n,
		.place = BENCH_ANYWHERE,
		.max_run = 1,
	};
	struct bench_rounds rounds = { .n = 0 };
	int r = floor_pool_start(&options);

	if (r < 0)
		return r;
	for (long i = 0; i < c->n; i++)
		jobs[i].run = sleep_10_ms;
	(void)run_at_once(c->n, c->n); /* warms the threads */
	while (bench_more(&rounds))
		bench_add(&rounds, (double)run_at_once(c->n, c->n) / WEFT_MSEC);
	values[0] = bench_median(&rounds);
	return 0;
}

int floor_executor_mixed(const struct bench_case *c, double *values)
{
	struct floor_pool_options options = {
		.n_workers = (int)c->n,
		.place = BENCH_ANYWHERE,
		.max_run = 1,
	};
	int r = floor_pool_start(&options);

	if (r < 0)
		return r;
	for (int i = 0; i < MIXED; i++)
		jobs[i].run = nothing;
	(void)run_at_once(MIXED, MIXED); /* warms the threads */
	jobs[0].run = sleep_1_s;
	values[0] = (double)run_at_once(MIXED, MIXED - 1) / WEFT_MSEC;
	return 0;
}
