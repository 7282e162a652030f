/*
 * The inbox by itself, and posts through it.
 */
#include "loop/inbox.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "loop/loop.h"
#include "tests/test.h"

/* ---- By itself ---- */

struct message {
	struct handle handle;
	int number;
};

static void message_init(struct message *message, int number)
{
	handle_init(&message->handle, HANDLE_DIRECT, NULL, NULL);
	message->number = number;
}

static int next_number(struct inbox *inbox)
{
	struct list *link = list_pop_front(&inbox->taken);

	return link ? container_of(list_entry(link, struct handle, link), struct message,
				   handle)
			       ->number
		    : -1;
}

Test(inbox, gives_what_was_pushed_in_order)
{
	struct message messages[10];
	struct inbox inbox;

	weft__inbox_init(&inbox);
	cr_expect(!inbox_has_news(&inbox));
	for (int i = 0; i < 10; i++) {
		message_init(&messages[i], i);
		cr_expect_eq(weft__inbox_push(&inbox, &messages[i].handle), INBOX_QUEUED);
		if (i == 4)
			weft__inbox_take(&inbox); /* the rest comes after these */
	}
	cr_expect(inbox_has_news(&inbox));
	weft__inbox_take(&inbox);
	weft__inbox_take(&inbox);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(next_number(&inbox), i);
	cr_expect_eq(next_number(&inbox), -1);
	cr_expect(!inbox_has_news(&inbox));
}

Test(inbox, keeps_the_order_of_chains)
{
	struct message messages[9];
	struct inbox inbox;

	weft__inbox_init(&inbox);
	for (int i = 0; i < 9; i++)
		message_init(&messages[i], i);
	/* One alone, a chain of one, a chain of five, one, one. */
	cr_expect_eq(weft__inbox_push(&inbox, &messages[0].handle), INBOX_QUEUED);
	cr_expect_eq(weft__inbox_push_chain(&inbox, &messages[1].handle,
					    &messages[1].handle),
		     INBOX_QUEUED);
	for (int i = 2; i < 6; i++)
		messages[i].handle.link.next = &messages[i + 1].handle.link;
	cr_expect_eq(weft__inbox_push_chain(&inbox, &messages[2].handle,
					    &messages[6].handle),
		     INBOX_QUEUED);
	cr_expect_eq(weft__inbox_push(&inbox, &messages[7].handle), INBOX_QUEUED);
	cr_expect_eq(weft__inbox_push(&inbox, &messages[8].handle), INBOX_QUEUED);
	weft__inbox_take(&inbox);
	for (int i = 0; i < 9; i++)
		cr_expect_eq(next_number(&inbox), i);
}

Test(inbox, makes_the_one_who_finds_the_loop_asleep_wake_it)
{
	struct message messages[3];
	struct inbox inbox;

	weft__inbox_init(&inbox);
	for (int i = 0; i < 3; i++)
		message_init(&messages[i], i);
	cr_expect(weft__inbox_mark_asleep(&inbox));
	cr_expect_eq(weft__inbox_push(&inbox, &messages[0].handle), INBOX_WAKE);
	cr_expect_eq(weft__inbox_push(&inbox, &messages[1].handle), INBOX_QUEUED);
	weft__inbox_take(&inbox);
	cr_expect_eq(inbox.wakes_owed, 1);
	cr_expect_eq(next_number(&inbox), 0);
	cr_expect_eq(next_number(&inbox), 1);

	/* Woken by something else: it takes the mark back, and nobody owes a wake-up. */
	cr_expect(weft__inbox_mark_asleep(&inbox));
	weft__inbox_take(&inbox);
	cr_expect_eq(inbox.wakes_owed, 1);
	cr_expect_eq(weft__inbox_push(&inbox, &messages[2].handle), INBOX_QUEUED);
	cr_expect(!weft__inbox_mark_asleep(&inbox), "there is something to run");
	weft__inbox_take(&inbox);
	cr_expect_eq(next_number(&inbox), 2);
}

Test(inbox, that_is_closed_takes_nothing_and_gives_what_it_had)
{
	struct message messages[3];
	struct inbox inbox;

	weft__inbox_init(&inbox);
	for (int i = 0; i < 3; i++)
		message_init(&messages[i], i);
	cr_expect(weft__inbox_mark_asleep(&inbox));
	cr_expect_eq(weft__inbox_push(&inbox, &messages[0].handle), INBOX_WAKE);
	weft__inbox_close(&inbox);
	cr_expect_eq(inbox.wakes_owed, 1, "it has to be waited for");
	cr_expect_eq(weft__inbox_push(&inbox, &messages[1].handle), INBOX_CLOSED);
	cr_expect_eq(weft__inbox_push_chain(&inbox, &messages[1].handle,
					    &messages[1].handle),
		     INBOX_CLOSED);
	weft__inbox_take(&inbox);
	cr_expect_eq(next_number(&inbox), 0);
	cr_expect_eq(next_number(&inbox), -1);
}

/* ---- Posts ---- */

enum { N_THREADS = 4, N_POSTS = 5000 };

struct receiver {
	weft_loop *loop;
	int next[N_THREADS]; /* what each sender's next number is to be */
	int n_wrong;
	long n;
	bool slept_between; /* the sender waits until its post has run */
};

struct post {
	struct weft_handle handle;
	struct receiver *receiver;
	int sender, number;
	atomic_bool received;
};

static void receive(void *arg)
{
	struct post *post = arg;
	struct receiver *receiver = post->receiver;

	receiver->n_wrong += post->number != receiver->next[post->sender]++;
	if (++receiver->n == N_THREADS * (long)N_POSTS)
		weft_loop_stop(receiver->loop);
	atomic_store(&post->received, true);
}

struct sender {
	struct receiver *receiver;
	struct post *posts;
	int number;
	pthread_t thread;
};

static void *send_posts(void *arg)
{
	struct sender *sender = arg;

	for (int i = 0; i < N_POSTS; i++) {
		struct post *post = &sender->posts[i];

		post->receiver = sender->receiver;
		post->sender = sender->number;
		post->number = i;
		/* Every third allocates: all three kinds keep one order. */
		if (weft_loop_call_soon_threadsafe(sender->receiver->loop, receive, post,
						   i % 3 ? &post->handle : NULL) < 0)
			break;
		while (sender->receiver->slept_between && !atomic_load(&post->received))
			sched_yield();
	}
	return NULL;
}

static void send_and_receive(bool one_at_a_time)
{
	struct receiver receiver = { .slept_between = one_at_a_time };
	struct sender senders[N_THREADS];

	cr_assert_eq(weft_loop_new(NULL, &receiver.loop), 0);
	for (int i = 0; i < N_THREADS; i++) {
		senders[i] =
			(struct sender){ &receiver, calloc(N_POSTS, sizeof(struct post)),
					 i, 0 };
		cr_assert_not_null(senders[i].posts);
		cr_assert_eq(pthread_create(&senders[i].thread, NULL, send_posts,
					    &senders[i]),
			     0);
	}
	cr_expect_eq(weft_loop_run(receiver.loop), 0);
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(senders[i].thread, NULL);
		free(senders[i].posts);
	}
	cr_expect_eq(receiver.n_wrong, 0, "out of order");
	cr_expect_eq(receiver.n, N_THREADS * (long)N_POSTS);
	cr_expect_eq(weft_loop_close(receiver.loop), 0);
}

Test(post, keeps_the_order_of_each_thread)
{
	send_and_receive(false);
}

Test(post, wakes_the_loop_each_time)
{
	send_and_receive(true);
}

static void note_current(void *arg)
{
	*(weft_loop **)arg = weft_loop_current();
	weft_loop_stop(weft_loop_current());
}

static void *post_note(void *arg)
{
	weft_loop **seen = arg;

	(void)weft_loop_call_soon_threadsafe(seen[1], note_current, seen, NULL);
	return NULL;
}

Test(post, runs_on_the_loops_thread)
{
	weft_loop *seen[2] = { NULL, NULL };
	pthread_t thread;

	cr_assert_eq(weft_loop_new(NULL, &seen[1]), 0);
	cr_assert_eq(pthread_create(&thread, NULL, post_note, seen), 0);
	cr_expect_eq(weft_loop_run(seen[1]), 0);
	pthread_join(thread, NULL);
	cr_expect_eq(seen[0], seen[1]);
	cr_expect_eq(weft_loop_close(seen[1]), 0);
}

struct count {
	weft_loop *loop;
	int n;
};

static void post_self(void *arg)
{
	struct count *count = arg;

	if (++count->n == 1000)
		weft_loop_stop(count->loop);
	else
		cr_expect_eq(weft_loop_call_soon_threadsafe(count->loop, post_self, count,
							    NULL),
			     0);
}

Test(post, may_come_from_the_loops_own_callbacks)
{
	struct count count = { 0 };

	cr_assert_eq(weft_loop_new(NULL, &count.loop), 0);
	cr_expect_eq(weft_loop_call_soon_threadsafe(count.loop, post_self, &count, NULL),
		     0);
	cr_expect_eq(weft_loop_run(count.loop), 0);
	cr_expect_eq(count.n, 1000);
	cr_expect_eq(weft_loop_close(count.loop), 0);
}

struct ball {
	struct weft_handle handle;
	weft_loop *loops[2];
	int bounces, limit;
};

static void on_arrival(void *arg)
{
	struct ball *ball = arg;

	if (++ball->bounces == ball->limit) {
		weft_loop_stop(ball->loops[0]);
		weft_loop_stop(ball->loops[1]);
		return;
	}
	(void)weft_loop_call_soon_threadsafe(ball->loops[ball->bounces % 2], on_arrival,
					     ball, &ball->handle);
}

static void *run_loop(void *loop)
{
	(void)weft_loop_run(loop);
	return NULL;
}

Test(post, bounces_between_two_loops_without_a_loss)
{
	struct ball ball = { .limit = 20000 };
	pthread_t other;

	cr_assert_eq(weft_loop_new(NULL, &ball.loops[0]), 0);
	cr_assert_eq(weft_loop_new(NULL, &ball.loops[1]), 0);
	cr_assert_eq(pthread_create(&other, NULL, run_loop, ball.loops[1]), 0);
	cr_expect_eq(weft_loop_call_soon_threadsafe(ball.loops[0], on_arrival, &ball,
						    &ball.handle),
		     0);
	cr_expect_eq(weft_loop_run(ball.loops[0]), 0);
	pthread_join(other, NULL);
	cr_expect_eq(ball.bounces, ball.limit);
	cr_expect_eq(weft_loop_close(ball.loops[0]), 0);
	cr_expect_eq(weft_loop_close(ball.loops[1]), 0);
}

/* ---- Spare handles ---- */

Test(spare, handles_of_a_steady_stream_come_back)
{
	struct count count = { 0 };
	long n_allocations;

	cr_assert_eq(weft_loop_new(NULL, &count.loop), 0);
	for (int i = 0; i < 3; i++) { /* warm */
		count.n = 0;
		cr_expect_eq(weft_loop_call_soon_threadsafe(count.loop, post_self, &count,
							    NULL),
			     0);
		cr_expect_eq(weft_loop_run(count.loop), 0);
	}
	weft__fail_allocation(1000000);
	count.n = 0;
	cr_expect_eq(weft_loop_call_soon_threadsafe(count.loop, post_self, &count, NULL),
		     0);
	cr_expect_eq(weft_loop_run(count.loop), 0);
	n_allocations = weft__allocations();
	weft__fail_allocation(0);
	cr_expect_lt(n_allocations, 100, "%ld for 1000 posts", n_allocations);
	cr_expect_eq(weft_loop_close(count.loop), 0);
}
