/*
 * Posts to a loop that sleeps whenever it can: is one ever lost?
 *
 *	stress_inbox [N]
 *
 * First three threads post N messages in all, as fast as they can, each with handles of its own
 * and now and then with a pause, so that the loop keeps falling asleep. Then N / 100 messages are
 * posted with one outstanding at a time: there a lost wake-up does not heal by the next post. If
 * nothing comes for ten seconds, the count is told and the status is 1.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft/loop.h>

#include "base/base.h"

enum { N_SENDERS = 3, N_HANDLES = 64, STALLED_S = 10 };

struct message {
	struct weft_handle handle;
	atomic_bool
		is_free; /* release by the loop, acquire by the sender: the handle is idle */
};

struct sender {
	pthread_t thread;
	long n;
	uint32_t random;
	struct message messages[N_HANDLES];
};

static weft_loop *loop;
static atomic_long n_ran; /* written by the loop; relaxed: a count */
static long n_expected; /* set before the senders start */
static struct sender senders[N_SENDERS];

static void run(void *arg)
{
	struct message *message = arg;
	long n = atomic_load_explicit(&n_ran, memory_order_relaxed) + 1;

	atomic_store_explicit(&message->is_free, true, memory_order_release);
	atomic_store_explicit(&n_ran, n, memory_order_relaxed);
	if (n == n_expected)
		weft_loop_stop(loop);
}

static void send(struct message *message)
{
	while (!atomic_load_explicit(&message->is_free, memory_order_acquire))
		sched_yield();
	atomic_store_explicit(&message->is_free, false, memory_order_relaxed);
	if (weft_loop_call_soon_threadsafe(loop, run, message, &message->handle) < 0)
		abort();
}

static uint32_t draw(struct sender *sender)
{
	sender->random = sender->random * 1664525 + 1013904223;
	return sender->random >> 8;
}

static void *flood(void *arg)
{
	struct sender *sender = arg;

	for (long i = 0; i < sender->n; i++) {
		send(&sender->messages[i % N_HANDLES]);
		if (draw(sender) % 4096 == 0)
			usleep(draw(sender) % 200);
	}
	return NULL;
}

static void *one_at_a_time(void *arg)
{
	struct sender *sender = arg;

	for (long i = 0; i < sender->n; i++) {
		send(&sender->messages[0]);
		for (uint32_t n = draw(sender) % 64; n > 0; n--)
			weft__cpu_relax();
	}
	return NULL;
}

/* Ends the program if nothing comes any more. */
static void *watch(void *arg)
{
	long before = -1;

	(void)arg;
	for (;;) {
		long n = atomic_load_explicit(&n_ran, memory_order_relaxed);

		if (n == before && n < n_expected) {
			printf("stalled: %ld of %ld messages ran\n", n, n_expected);
			exit(EXIT_FAILURE);
		}
		before = n;
		sleep(STALLED_S);
	}
}

static void play(const char *name, void *(*send_all)(void *arg), int n_senders, long n)
{
	atomic_store_explicit(&n_ran, 0, memory_order_relaxed);
	n_expected = n / n_senders * n_senders;
	for (int i = 0; i < n_senders; i++) {
		struct sender *sender = &senders[i];

		sender->n = n / n_senders;
		sender->random = (uint32_t)i + 1;
		for (int k = 0; k < N_HANDLES; k++)
			atomic_store_explicit(&sender->messages[k].is_free, true,
					      memory_order_relaxed);
		if (pthread_create(&sender->thread, NULL, send_all, sender) != 0)
			abort();
	}
	if (weft_loop_run(loop) < 0)
		abort();
	for (int i = 0; i < n_senders; i++)
		pthread_join(senders[i].thread, NULL);
	printf("%s: %ld messages, none lost\n", name,
	       atomic_load_explicit(&n_ran, memory_order_relaxed));
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 300000;
	pthread_t watcher;

	if (n < 300 || weft_loop_new(NULL, &loop) < 0) {
		fprintf(stderr, "usage: stress_inbox [N], with N of 300 or more\n");
		return 2;
	}
	n_expected = n;
	if (pthread_create(&watcher, NULL, watch, NULL) != 0)
		return EXIT_FAILURE;
	pthread_detach(watcher);
	play("flood", flood, N_SENDERS, n);
	play("one at a time", one_at_a_time, 1, n / 100);
	return weft_loop_close(loop) < 0;
}
