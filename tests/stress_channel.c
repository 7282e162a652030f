/*
 * Channels between loops and threads, with waits that are cancelled and channels that are shut
 * down: is each item there exactly once?
 *
 *	stress_channel [ROUNDS]
 *
 * In each round tasks of two loops, and plain threads, put items into three channels and get them
 * out, by put, by get, by select over several, and without waiting. On each loop one task cancels
 * the others all the time; whoever is told so tries again. Half of the rounds are shut down while
 * items still come, some of them when all getters have left. Each item has a number of its own: at the end those whose put returned 0 have
 * been gotten, or were dropped with the channel, once, and no other. Each getter sees the items
 * that one sender put into one channel in their order. If nothing comes for long, the status is 1.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft/channel.h>
#include <weft/loop.h>

#include "base/base.h"

enum {
	N_LOOPS = 2,
	N_CHANNELS = 3,
	N_TASKS = 3, /* of each kind on each loop */
	N_THREADS = 2, /* of each kind */
	N_SENDERS = N_LOOPS * N_TASKS + N_THREADS,
	N_ITEMS = 400, /* of each sender */
	STALLED_S = 60,
};

struct item {
	uint32_t sender;
	uint32_t number;
};

/* A sender, a getter, or a task that cancels others. */
struct actor {
	pthread_t thread;
	weft_future *future; /* of a task's end */
	weft_task *task; /* while it runs; loop thread */
	int loop; /* its index */
	uint32_t index;
	uint32_t random;
	uint32_t n_sent;
	bool leaves; /* a getter that does not wait for the end */
	long n_seen[N_SENDERS][N_CHANNELS]; /* getter: the last number + 1 */
};

static weft_loops *loops;
static weft_channel *channels[N_CHANNELS];
static struct actor senders[N_SENDERS], getters[N_SENDERS], cancellers[N_LOOPS];
/* Of each item: was it put, how often was it gotten. The first is its sender's. */
static bool was_put[N_SENDERS][N_ITEMS];
static _Atomic uint32_t n_gotten[N_SENDERS][N_ITEMS];
static int n_actors[N_LOOPS]; /* tasks alive, but for the canceller; loop thread */
/* Relaxed: counts. */
static atomic_long n_moved, n_cancelled, n_dropped;

_Noreturn static void fail(const char *what, const struct item *item)
{
	printf("%s: item %u of sender %u\n", what, item->number, item->sender);
	exit(EXIT_FAILURE);
}

static uint32_t draw(struct actor *actor, uint32_t n)
{
	actor->random = actor->random * 1664525 + 1013904223;
	return (actor->random >> 8) % n;
}

static void count(const struct item *item)
{
	/* Relaxed: the actors are joined before it is looked at. */
	if (atomic_fetch_add_explicit(&n_gotten[item->sender][item->number], 1,
				      memory_order_relaxed) != 0)
		fail("gotten twice", item);
	atomic_fetch_add_explicit(&n_moved, 1, memory_order_relaxed);
}

static void on_drop(void *item, void *unused)
{
	(void)unused;
	count(item);
	atomic_fetch_add_explicit(&n_dropped, 1, memory_order_relaxed);
}

/* A task that was cancelled goes on; a thread cannot be. */
static bool was_cancelled(int r)
{
	if (r != -ECANCELED)
		return false;
	atomic_fetch_add_explicit(&n_cancelled, 1, memory_order_relaxed);
	while (weft_task_uncancel(weft_task_current()) > 0)
		;
	return true;
}

/* Puts or gets on one of the channels that are left, in some way. Return: as select. */
static int move(struct actor *actor, bool put, struct item *item, bool *left,
		size_t *chosen)
{
	struct weft_channel_case cases[N_CHANNELS];
	size_t of_case[N_CHANNELS], n = 0, first = draw(actor, N_CHANNELS);
	int r;

	for (size_t i = 0; i < N_CHANNELS; i++) {
		size_t k = (first + i) % N_CHANNELS;

		if (!left[k])
			continue;
		of_case[n] = k;
		cases[n++] = (struct weft_channel_case){ channels[k], item, sizeof(*item),
							 put };
	}
	*chosen = of_case[0];
	switch (draw(actor, 4)) {
	case 0:
		return put ? weft_channel_put(channels[*chosen], item)
			   : weft_channel_get(channels[*chosen], item);
	case 1:
		return put ? weft_channel_put_nowait(channels[*chosen], item)
			   : weft_channel_get_nowait(channels[*chosen], item);
	default:
		r = weft_channel_select(cases, n, chosen);
		if (r == 0 || r == -ESHUTDOWN)
			*chosen = of_case[*chosen];
		return r;
	}
}

/* Sends items while a channel is left; or gets them. */
static int act(struct actor *actor, bool put)
{
	bool left[N_CHANNELS] = { true, true, true };
	int n_left = N_CHANNELS;

	while (n_left > 0 && !(put && actor->n_sent == N_ITEMS)) {
		struct item item = { actor->index, actor->n_sent };
		size_t chosen;
		int r = move(actor, put, &item, left, &chosen);

		if (r == 0 && put) {
			was_put[actor->index][actor->n_sent++] = true;
		} else if (r == 0) {
			long *n_seen = &actor->n_seen[item.sender][chosen];

			count(&item);
			if (item.number < *n_seen)
				fail("out of order", &item);
			*n_seen = item.number + 1;
		} else if (r == -ESHUTDOWN) {
			left[chosen] = false;
			n_left--;
		} else if (!was_cancelled(r) && r != -EAGAIN) {
			printf("%d: %s\n", r, weft_error_text(r));
			exit(EXIT_FAILURE);
		}
		if (actor->leaves && draw(actor, 64) == 0)
			return 0;
		if (draw(actor, 16) == 0 && weft_task_current())
			(void)was_cancelled(weft_yield());
	}
	return 0;
}

static bool is_sender(const struct actor *actor)
{
	return actor >= senders && actor < senders + N_SENDERS;
}

static int act_as_task(void *arg)
{
	struct actor *actor = arg;

	n_actors[actor->loop]++;
	actor->task = weft_task_current();
	(void)act(actor, is_sender(actor));
	actor->task = NULL;
	n_actors[actor->loop]--;
	return 0;
}

static void *act_as_thread(void *arg)
{
	struct actor *actor = arg;

	(void)act(actor, is_sender(actor));
	return NULL;
}

/* The tasks of its loop began before it, and it ends after them. */
static int cancel_others(void *arg)
{
	struct actor *actor = arg;

	while (n_actors[actor->loop] > 0) {
		struct actor *actors = draw(actor, 2) ? senders : getters;
		struct actor *other = &actors[draw(actor, N_LOOPS * N_TASKS)];
		int r;

		if (other->loop == actor->loop && other->task)
			weft_task_cancel(other->task, NULL);
		r = draw(actor, 4) ? weft_yield()
				   : weft_sleep(draw(actor, 30) * WEFT_USEC);
		if (r < 0)
			return r;
	}
	return 0;
}

static void start_task(struct actor *actor, weft_fn *fn)
{
	if (weft_spawn_on(weft_loops_get(loops, actor->loop), fn, actor, &actor->future) <
	    0)
		abort();
}

static void start(struct actor *actor, uint32_t index, int round, bool leaves)
{
	*actor = (struct actor){ .index = index,
				 .random = (uint32_t)round * 97 + index,
				 .loop = -1,
				 .leaves = leaves };
	if (index < N_LOOPS * N_TASKS) {
		actor->loop = (int)index % N_LOOPS;
		start_task(actor, act_as_task);
	} else if (pthread_create(&actor->thread, NULL, act_as_thread, actor) != 0) {
		abort();
	}
}

static void await(struct actor *actor)
{
	if (!actor->future) {
		pthread_join(actor->thread, NULL);
		return;
	}
	if (weft_future_wait(actor->future, WEFT_FOREVER) < 0 ||
	    weft_future_result(actor->future) < 0)
		abort();
	weft_future_unref(actor->future);
}

static void check_items(void)
{
	for (uint32_t i = 0; i < N_SENDERS; i++) {
		for (uint32_t k = 0; k < N_ITEMS; k++) {
			struct item item = { i, k };
			bool gotten = atomic_exchange_explicit(&n_gotten[i][k], 0,
							       memory_order_relaxed);

			if (was_put[i][k] != gotten)
				fail(gotten ? "gotten though not put" : "lost", &item);
			was_put[i][k] = false;
		}
	}
}

static void play(int round)
{
	static const size_t n_max[N_CHANNELS] = { 1, 2, 16 };
	struct weft_channel_options options = { .drop = on_drop };
	bool early = round % 2;

	for (int i = 0; i < N_CHANNELS; i++) {
		if (weft_channel_new(sizeof(struct item), n_max[i], &options,
				     &channels[i]) < 0)
			abort();
	}
	for (uint32_t i = 0; i < N_SENDERS; i++) {
		start(&getters[i], i, round, round % 4 == 3);
		start(&senders[i], i, round + 1, false);
	}
	for (int i = 0; i < N_LOOPS; i++) {
		cancellers[i] = (struct actor){ .loop = i, .random = (uint32_t)round };
		start_task(&cancellers[i], cancel_others);
	}
	if (early) {
		usleep((useconds_t)(round * 37 % 3000));
		/* Two of three first: selects go on with the other. */
		weft_channel_shutdown(channels[round % 3]);
		weft_channel_shutdown(channels[(round + 1) % 3]);
		weft_channel_shutdown(channels[(round + 2) % 3]);
	}
	for (int i = 0; i < N_SENDERS; i++)
		await(&senders[i]);
	for (int i = 0; !early && i < N_CHANNELS; i++)
		weft_channel_shutdown(channels[i]);
	for (int i = 0; i < N_SENDERS; i++)
		await(&getters[i]);
	for (int i = 0; i < N_LOOPS; i++)
		await(&cancellers[i]);
	for (int i = 0; i < N_CHANNELS; i++)
		weft_channel_unref(channels[i]);
	check_items();
}

/* Ends the program if nothing comes any more. */
static void *watch(void *unused)
{
	long before = -1;

	(void)unused;
	for (;;) {
		long n = atomic_load_explicit(&n_moved, memory_order_relaxed);

		if (n == before) {
			printf("stalled after %ld items\n", n);
			exit(EXIT_FAILURE);
		}
		before = n;
		sleep(STALLED_S);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 500;
	pthread_t watcher;

	if (rounds < 1 || weft_loops_new(N_LOOPS, NULL, &loops) < 0 ||
	    pthread_create(&watcher, NULL, watch, NULL) != 0) {
		fprintf(stderr, "usage: stress_channel [ROUNDS]\n");
		return 2;
	}
	pthread_detach(watcher);
	for (int i = 0; i < rounds; i++)
		play(i);
	printf("%d rounds: %ld items, none lost, %ld dropped at the end; %ld waits were "
	       "cancelled\n",
	       rounds, atomic_load_explicit(&n_moved, memory_order_relaxed),
	       atomic_load_explicit(&n_dropped, memory_order_relaxed),
	       atomic_load_explicit(&n_cancelled, memory_order_relaxed));
	return weft_loops_close(loops) < 0;
}
