/*
 * A wait is cancelled at each possible point, and what it touched is as it should be.
 *
 * A row of the table is a way to wait: what is made for it, the wait, what ends it, and a number
 * that says what state its object is in. For each row a victim is cancelled at each point in
 * turn. Then
 *
 *   - it was told once, by this wait or by its next one, and not again;
 *   - what came before the cancellation it has, and what came after it is still there;
 *   - the state is what it is without the victim, or with its success;
 *   - somebody else who waits then is served, so the victim left no trace, and nothing was lost.
 *
 * On a test clock, in normal order and with the seeds of a TaskTest(). To add a way to wait, write
 * its functions and a line in the table.
 */
#include <weft/weft.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/task_test.h"

struct row;

/* What a row may need. */
struct scene {
	const struct row *row;
	/* The things. */
	struct weft_lock lock;
	struct weft_event event;
	struct weft_condition condition;
	struct weft_semaphore semaphore;
	struct weft_barrier barrier;
	weft_queue *queue;
	weft_channel *channel;
	weft_future *future;
	weft_task *child;
	int n_ended; /* children */
	weft_loops *loops;
	weft_executor *pool;
	weft_future *occupant; /* of the pool's only thread */
	sem_t gate; /* which lets it go */
	atomic_int n_ran; /* jobs */
	int fds[2];
	weft_stream *stream;
	int n_taken;
	int item;
	/* The victim. */
	bool cleans_up;
	bool is_cleaning;
	bool was_asked; /* to end; else it had ended */
	int told; /* by the wait */
	int cleaned; /* by a wait in its clean-up */
	int next; /* by the next wait */
};

enum flags {
	NO_HEIR = 1 << 0, /* the object is used up, or is the wait's own */
	SHORT = 1 << 1, /* it waits for one turn: only the first point is one */
	EITHER = 1 << 2, /* what ends it is outside, and may come later than it seems */
	STAYS = 1 << 3, /* it cannot be cancelled */
	PASSES =
		1
		<< 4, /* to children that may have their results; it is cancelled all the same */
};

struct row {
	const char *name;
	void (*make)(struct scene *scene);
	int (*wait)(struct scene *scene);
	void (*give)(struct scene *scene); /* NULL: only a cancellation ends it */
	void (*end)(struct scene *scene);
	int (*state)(struct scene *scene); /* NULL: there is none */
	int before, given, taken; /* the state, untouched, with what was given, taken */
	unsigned flags;
};

#define OK(call) cr_assert_eq((call), 0)

static void nothing(struct scene *scene)
{
	(void)scene;
}

/* ---- Time ---- */

static int wait_sleep(struct scene *scene)
{
	(void)scene;
	return weft_sleep(60 * WEFT_MIN);
}

static int wait_sleep_until(struct scene *scene)
{
	(void)scene;
	return weft_sleep_until(weft_now() + 60 * WEFT_MIN);
}

static int wait_yield(struct scene *scene)
{
	(void)scene;
	return weft_yield();
}

/* ---- Event, and what waits for an event elsewhere ---- */

static int wait_event(struct scene *scene)
{
	return weft_event_wait(&scene->event);
}

static void give_event(struct scene *scene)
{
	weft_event_set(&scene->event);
}

static int state_event(struct scene *scene)
{
	return weft_event_is_set(&scene->event);
}

static int child_of(void *arg)
{
	struct scene *scene = arg;
	int r = weft_event_wait(&scene->event);

	scene->n_ended++;
	return r;
}

static int state_ended(struct scene *scene)
{
	return scene->n_ended;
}

static void make_child(struct scene *scene)
{
	scene->child = start(child_of, scene);
}

static int wait_join(struct scene *scene)
{
	return weft_task_join(scene->child);
}

static int wait_group(struct scene *scene)
{
	struct weft_group group;

	weft_group_begin(&group);
	(void)weft_group_spawn(&group, child_of, scene);
	(void)weft_group_spawn(&group, child_of, scene);
	return weft_group_end(&group, 0);
}

static int wait_in_group(struct scene *scene)
{
	struct weft_group group;

	weft_group_begin(&group);
	(void)weft_group_spawn(&group, child_of, scene);
	return weft_group_end(&group, child_of(scene));
}

static int wait_gather(struct scene *scene)
{
	struct weft_call calls[] = { { .fn = child_of, .arg = scene },
				     { .fn = child_of, .arg = scene } };
	int r = weft_gather(calls, ARRAY_SIZE(calls));

	return r;
}

static int wait_wait_for(struct scene *scene)
{
	return weft_wait_for(child_of, scene, 60 * WEFT_MIN);
}

static int wait_in_timeout(struct scene *scene)
{
	struct weft_timeout timeout;

	weft_timeout_begin(&timeout, 60 * WEFT_MIN);
	return weft_timeout_end(&timeout, child_of(scene));
}

/* ---- Futures ---- */

static void make_local(struct scene *scene)
{
	OK(weft_future_new(&scene->future));
}

static void make_shared(struct scene *scene)
{
	OK(weft_future_new_shared(&scene->future));
}

static int wait_future(struct scene *scene)
{
	return weft_future_await(scene->future);
}

static int wait_futures(struct scene *scene)
{
	int r = weft_wait(&scene->future, 1, WEFT_ALL_COMPLETED);

	return r == 1 ? 0 : r;
}

static int wait_as_completed(struct scene *scene)
{
	struct weft_as_completed scope;
	weft_future *next;
	int r = weft_as_completed_begin(&scope, &scene->future, 1);

	if (r == 0)
		r = weft_as_completed_end(&scope, weft_as_completed_next(&scope, &next));
	return r == 1 ? 0 : r;
}

static void give_future(struct scene *scene)
{
	OK(weft_future_set_result(scene->future, NULL, NULL));
}

static int state_future(struct scene *scene)
{
	return weft_future_is_done(scene->future);
}

static void end_future(struct scene *scene)
{
	weft_future_unref(scene->future);
}

/* ---- Locks and permits ---- */

static int hold_lock(void *arg)
{
	struct scene *scene = arg;

	OK(weft_lock_acquire(&scene->lock));
	return sleep_forever(NULL);
}

/* Not by the task that joins the victim, which would be a deadlock. */
static void make_lock(struct scene *scene)
{
	scene->child = start(hold_lock, scene);
	while (!weft_lock_is_locked(&scene->lock))
		pass_turns(1);
}

static int wait_lock(struct scene *scene)
{
	int r = weft_lock_acquire(&scene->lock);

	if (r == 0) {
		scene->n_taken++;
		weft_lock_release(&scene->lock);
	}
	return r;
}

static void give_lock(struct scene *scene)
{
	weft_lock_release(&scene->lock);
}

static int state_lock(struct scene *scene)
{
	return 10 * weft_lock_is_locked(&scene->lock) + scene->n_taken;
}

static void end_lock(struct scene *scene)
{
	if (weft_lock_is_locked(&scene->lock))
		weft_lock_release(&scene->lock);
	(void)weft_task_cancel(scene->child, NULL);
	cr_expect_eq(weft_task_join(scene->child), -ECANCELED);
}

static void make_semaphore(struct scene *scene)
{
	scene->semaphore = (struct weft_semaphore)WEFT_SEMAPHORE_INIT(0);
}

static int wait_semaphore(struct scene *scene)
{
	return weft_semaphore_acquire(&scene->semaphore);
}

static void give_semaphore(struct scene *scene)
{
	OK(weft_semaphore_release(&scene->semaphore));
}

static int state_semaphore(struct scene *scene)
{
	return (int)scene->semaphore.opaque[0];
}

static int wait_condition(struct scene *scene)
{
	int r, locked = weft_lock_acquire(&scene->lock);

	if (locked < 0)
		return locked;
	r = weft_condition_wait(&scene->condition, &scene->lock);
	weft_lock_release(&scene->lock); /* held in either case */
	return r;
}

static void give_condition(struct scene *scene)
{
	OK(weft_lock_acquire(&scene->lock));
	weft_condition_notify(&scene->condition, 1);
	weft_lock_release(&scene->lock);
}

static void make_barrier(struct scene *scene)
{
	scene->barrier = (struct weft_barrier)WEFT_BARRIER_INIT(2);
}

static int wait_barrier(struct scene *scene)
{
	return weft_barrier_wait(&scene->barrier);
}

static int state_barrier(struct scene *scene)
{
	return (int)weft_barrier_waiting(&scene->barrier);
}

/* ---- Queues ---- */

static void make_queue(struct scene *scene)
{
	OK(weft_queue_new(sizeof(int), 1, NULL, &scene->queue));
}

static void make_full_queue(struct scene *scene)
{
	make_queue(scene);
	OK(weft_queue_put(scene->queue, &scene->item));
}

static int wait_get(struct scene *scene)
{
	return weft_queue_get(scene->queue, &scene->item);
}

static int wait_put(struct scene *scene)
{
	return weft_queue_put(scene->queue, &scene->item);
}

static int wait_queue_join(struct scene *scene)
{
	return weft_queue_join(scene->queue);
}

static void give_item(struct scene *scene)
{
	OK(weft_queue_put_nowait(scene->queue, &scene->item));
}

static void give_place(struct scene *scene)
{
	OK(weft_queue_get_nowait(scene->queue, &scene->item));
}

static void give_done(struct scene *scene)
{
	give_place(scene);
	OK(weft_queue_task_done(scene->queue));
}

static int state_queue(struct scene *scene)
{
	return (int)weft_queue_size(scene->queue);
}

static void end_queue(struct scene *scene)
{
	weft_queue_free(scene->queue);
}

/* ---- Channels ---- */

static void make_channel(struct scene *scene)
{
	OK(weft_channel_new(sizeof(int), 1, NULL, &scene->channel));
}

static void make_full_channel(struct scene *scene)
{
	make_channel(scene);
	OK(weft_channel_put_nowait(scene->channel, &scene->item));
}

static int wait_channel_get(struct scene *scene)
{
	return weft_channel_get(scene->channel, &scene->item);
}

static int wait_channel_put(struct scene *scene)
{
	return weft_channel_put(scene->channel, &scene->item);
}

static int wait_select(struct scene *scene)
{
	struct weft_channel_case cases[] = {
		WEFT_CASE_GET(scene->channel, &scene->item),
	};
	size_t chosen;

	return weft_channel_select(cases, ARRAY_SIZE(cases), &chosen);
}

static void give_channel_item(struct scene *scene)
{
	OK(weft_channel_put_nowait(scene->channel, &scene->item));
}

static void give_channel_place(struct scene *scene)
{
	OK(weft_channel_get_nowait(scene->channel, &scene->item));
}

/* Is there an item? Looks by trying. */
static int state_channel(struct scene *scene)
{
	int item;

	if (weft_channel_get_nowait(scene->channel, &item) < 0)
		return 0;
	OK(weft_channel_put_nowait(scene->channel, &item));
	return 1;
}

static void end_channel(struct scene *scene)
{
	weft_channel_unref(scene->channel);
}

/* ---- Executors ---- */

static int occupy(void *arg)
{
	struct scene *scene = arg;

	while (sem_wait(&scene->gate) < 0)
		; /* a signal */
	return 0;
}

static int run_job(void *arg)
{
	struct scene *scene = arg;

	atomic_fetch_add(&scene->n_ran, 1);
	return 0;
}

static void ignore(void *value)
{
	(void)value;
}

static void make_busy_pool(struct scene *scene)
{
	struct weft_thread_pool_options options = { .min_threads = 1,
						    .max_threads = 1,
						    .queue_limit = 1 };

	sem_init(&scene->gate, 0, 0);
	OK(weft_thread_pool_new(&options, &scene->pool));
	OK(weft_executor_submit(scene->pool, occupy, scene, NULL, &scene->occupant));
}

/* Its only place is taken as well, once the thread has begun with the occupant. */
static void make_full_pool(struct scene *scene)
{
	int r;

	make_busy_pool(scene);
	do {
		struct weft_submit_options options = { .name = "filler" };

		r = weft_executor_submit(scene->pool, run_job, scene, &options, NULL);
	} while (r < 0 && weft_yield() == 0);
	OK(r);
}

static int wait_job(struct scene *scene)
{
	return weft_run_in_executor(scene->pool, run_job, scene);
}

static int wait_owned_job(struct scene *scene)
{
	return weft_run_in_executor_owned(scene->pool, run_job, scene, ignore);
}

static int wait_submit(struct scene *scene)
{
	weft_future *future;
	int r = weft_executor_submit(scene->pool, run_job, scene, NULL, &future);

	if (r < 0)
		return r;
	weft_future_unref(future);
	return 0;
}

static void give_thread(struct scene *scene)
{
	sem_post(&scene->gate);
}

static int state_ran(struct scene *scene)
{
	return atomic_load(&scene->n_ran);
}

static void end_pool(struct scene *scene)
{
	sem_post(&scene->gate);
	OK(weft_future_await(scene->occupant));
	weft_future_unref(scene->occupant);
	OK(weft_executor_close(scene->pool, WEFT_SEC));
	sem_destroy(&scene->gate);
}

/* ---- Descriptors and streams ---- */

static void make_pair(struct scene *scene)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				scene->fds),
		     0);
}

static void make_stream(struct scene *scene)
{
	make_pair(scene);
	OK(weft_stream_adopt(scene->fds[0], &scene->stream));
}

static int wait_poll(struct scene *scene)
{
	char byte;
	int r = weft_poll(scene->fds[0], POLLIN);

	if (r != POLLIN)
		return r;
	cr_assert_eq(read(scene->fds[0], &byte, 1), 1);
	return 0;
}

static int wait_read(struct scene *scene)
{
	char byte;
	ssize_t n = weft_stream_read(scene->stream, &byte, 1);

	return n == 1 ? 0 : (int)n;
}

static int wait_read_exactly(struct scene *scene)
{
	char byte;
	ssize_t n = weft_stream_read_exactly(scene->stream, &byte, 1);

	return n == 1 ? 0 : (int)n;
}

static int wait_read_line(struct scene *scene)
{
	char *line;
	ssize_t n = weft_stream_read_line(scene->stream, &line);

	return n == 1 ? 0 : (int)n;
}

static int wait_read_until(struct scene *scene)
{
	struct weft_bytes record;
	ssize_t n = weft_stream_read_until(scene->stream, weft_bytes_text("\n"), &record);

	return n == 1 ? 0 : (int)n;
}

static int wait_write(struct scene *scene)
{
	static char much[4 << 20];

	return weft_stream_write(scene->stream, much, sizeof(much));
}

static int wait_flush(struct scene *scene)
{
	static char some[60 * 1024];
	int r = 0;

	/* Up to the mark, which is no wait; what the kernel takes goes at once. */
	for (int i = 0; i < 100 && r == 0 && !scene->item; i++) {
		r = weft_stream_write(scene->stream, some, sizeof(some));
		scene->item = i > 90;
	}
	return r < 0 ? r : weft_stream_flush(scene->stream);
}

static void give_byte(struct scene *scene)
{
	cr_assert_eq(send(scene->fds[1], "\n", 1, 0), 1);
}

static void end_pair(struct scene *scene)
{
	close(scene->fds[0]);
	close(scene->fds[1]);
}

static void end_stream(struct scene *scene)
{
	weft_stream_abort(scene->stream);
	close(scene->fds[1]);
}

/* A listener that takes nobody: its queue is full. */
static void make_full_listener(struct scene *scene)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	scene->fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	scene->fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	OK(bind(scene->fds[0], (struct sockaddr *)&address, sizeof(address)));
	OK(listen(scene->fds[0], 0));
	OK(getsockname(scene->fds[0], (struct sockaddr *)&address, &size));
	OK(connect(scene->fds[1], (struct sockaddr *)&address, sizeof(address)));
	scene->item = ntohs(address.sin_port);
}

static int wait_connect(struct scene *scene)
{
	weft_stream *stream;
	char address[32];
	int r;

	snprintf(address, sizeof(address), "127.0.0.1:%d", scene->item);
	r = weft_connect(address, NULL, &stream);
	if (r == 0)
		weft_stream_abort(stream);
	return r;
}

static int wait_look_up(struct scene *scene)
{
	struct addrinfo *found;
	int r = weft_getaddrinfo("localhost", "80", NULL, &found);

	(void)scene;
	if (r == 0)
		freeaddrinfo(found);
	return r == -ECANCELED ? r : 0; /* whatever this machine calls itself */
}

/* ---- Loops ---- */

static void make_loops(struct scene *scene)
{
	OK(weft_loops_new(1, NULL, &scene->loops));
}

static int wait_loops_close(struct scene *scene)
{
	return weft_loops_close(scene->loops);
}

/* ---- The table ---- */

/* clang-format off */
static const struct row rows[] = {
	{ "sleep", nothing, wait_sleep, NULL, nothing, NULL, 0, 0, 0, NO_HEIR },
	{ "sleep until", nothing, wait_sleep_until, NULL, nothing, NULL, 0, 0, 0,
	  NO_HEIR },
	{ "yield", nothing, wait_yield, NULL, nothing, NULL, 0, 0, 0, NO_HEIR | SHORT },
	{ "event", nothing, wait_event, give_event, nothing, state_event, 0, 1, 1, 0 },
	{ "join", make_child, wait_join, give_event, nothing, state_ended, 1, 1, 1,
	  NO_HEIR },
	{ "group end", nothing, wait_group, give_event, nothing, state_ended, 2, 2, 2,
	  NO_HEIR | PASSES },
	{ "group block", nothing, wait_in_group, give_event, nothing, state_ended, 2, 2,
	  2, NO_HEIR | PASSES },
	{ "gather", nothing, wait_gather, give_event, nothing, state_ended, 2, 2, 2,
	  NO_HEIR | PASSES },
	{ "wait_for", nothing, wait_wait_for, give_event, nothing, state_ended, 1, 1, 1,
	  NO_HEIR },
	{ "timeout", nothing, wait_in_timeout, give_event, nothing, state_ended, 1, 1, 1,
	  NO_HEIR },
	{ "local future", make_local, wait_future, give_future, end_future, state_future,
	  0, 1, 1, 0 },
	{ "shared future", make_shared, wait_future, give_future, end_future,
	  state_future, 0, 1, 1, 0 },
	{ "weft_wait", make_local, wait_futures, give_future, end_future, state_future, 0,
	  1, 1, 0 },
	{ "weft_wait, shared", make_shared, wait_futures, give_future, end_future,
	  state_future, 0, 1, 1, 0 },
	{ "as completed", make_local, wait_as_completed, give_future, end_future,
	  state_future, 0, 1, 1, 0 },
	{ "lock", make_lock, wait_lock, give_lock, end_lock, state_lock, 10, 0, 1, 0 },
	{ "semaphore", make_semaphore, wait_semaphore, give_semaphore, nothing,
	  state_semaphore, 0, 1, 0, 0 },
	{ "condition", nothing, wait_condition, give_condition, nothing, state_lock, 0, 0,
	  0, 0 },
	{ "barrier", make_barrier, wait_barrier, NULL, nothing, state_barrier, 0, 0, 0,
	  NO_HEIR },
	{ "queue get", make_queue, wait_get, give_item, end_queue, state_queue, 0, 1, 0,
	  0 },
	{ "queue put", make_full_queue, wait_put, give_place, end_queue, state_queue, 1,
	  0, 1, 0 },
	{ "queue join", make_full_queue, wait_queue_join, give_done, end_queue,
	  state_queue, 1, 0, 0, 0 },
	{ "channel get", make_channel, wait_channel_get, give_channel_item, end_channel,
	  state_channel, 0, 1, 0, 0 },
	{ "channel put", make_full_channel, wait_channel_put, give_channel_place,
	  end_channel, state_channel, 1, 0, 1, 0 },
	{ "channel select", make_channel, wait_select, give_channel_item, end_channel,
	  state_channel, 0, 1, 0, 0 },
	{ "job", make_busy_pool, wait_job, give_thread, end_pool, state_ran, 0, 0, 1,
	  EITHER },
	{ "owned job", make_busy_pool, wait_owned_job, give_thread, end_pool, state_ran,
	  0, 0, 1, EITHER },
	{ "place for a job", make_full_pool, wait_submit, give_thread, end_pool, NULL, 0,
	  0, 0, EITHER },
	{ "poll", make_pair, wait_poll, give_byte, end_pair, NULL, 0, 0, 0, EITHER },
	{ "read", make_stream, wait_read, give_byte, end_stream, NULL, 0, 0, 0, EITHER },
	{ "read exactly", make_stream, wait_read_exactly, give_byte, end_stream, NULL, 0,
	  0, 0, EITHER },
	{ "read line", make_stream, wait_read_line, give_byte, end_stream, NULL, 0, 0, 0,
	  EITHER },
	{ "read until", make_stream, wait_read_until, give_byte, end_stream, NULL, 0, 0,
	  0, EITHER },
	{ "write", make_stream, wait_write, NULL, end_stream, NULL, 0, 0, 0, NO_HEIR },
	{ "flush", make_stream, wait_flush, NULL, end_stream, NULL, 0, 0, 0, NO_HEIR },
	{ "connect", make_full_listener, wait_connect, NULL, end_pair, NULL, 0, 0, 0,
	  NO_HEIR },
	{ "look-up", nothing, wait_look_up, NULL, nothing, NULL, 0, 0, 0,
	  NO_HEIR | EITHER },
	{ "loops close", make_loops, wait_loops_close, NULL, nothing, NULL, 0, 0, 0,
	  NO_HEIR | STAYS },
};
/* clang-format on */

/* ---- The points ---- */

enum point {
	BEFORE_THE_FIRST_STEP,
	WHILE_WAITING,
	TWICE,
	DURING_CLEAN_UP,
	BEFORE_THE_END_IN_ITS_TURN,
	AFTER_THE_END_IN_ITS_TURN,
};

static const char *const points[] = {
	"before the first step",
	"while waiting",
	"twice",
	"again during clean-up",
	"in the turn, before the end",
	"in the turn, after the end",
};

static bool has_point(const struct row *row, enum point point)
{
	if (row->flags & SHORT)
		return point == BEFORE_THE_FIRST_STEP;
	return row->give || point < BEFORE_THE_END_IN_ITS_TURN;
}

static int victim(void *arg)
{
	struct scene *scene = arg;

	scene->told = scene->row->wait(scene);
	if (scene->cleans_up && scene->told == -ECANCELED) {
		scene->is_cleaning = true;
		scene->cleaned = weft_sleep(WEFT_SEC);
	}
	scene->next = weft_yield();
	return 0;
}

static int heir(void *arg)
{
	struct scene *scene = arg;

	return scene->row->wait(scene);
}

/* Does to the victim what the point says. Return: was what it waits for given? */
static bool strike(struct scene *scene, weft_task *task, enum point point)
{
	if (point != BEFORE_THE_FIRST_STEP)
		pass_turns(5); /* it waits by now */
	if (point == AFTER_THE_END_IN_ITS_TURN)
		scene->row->give(scene);
	scene->was_asked = weft_task_cancel(task, NULL);
	switch (point) {
	case TWICE:
		(void)weft_task_cancel(task, NULL);
		return false;
	case DURING_CLEAN_UP:
		pass_turns(5);
		(void)weft_task_cancel(task, NULL);
		return false;
	case BEFORE_THE_END_IN_ITS_TURN:
		scene->row->give(scene);
		return true;
	default:
		return point == AFTER_THE_END_IN_ITS_TURN;
	}
}

/* Told once: now or at the next wait; and each request in its turn. */
static void check_told(const struct scene *scene, enum point point)
{
	const struct row *row = scene->row;
	bool succeeds = point == AFTER_THE_END_IN_ITS_TURN || row->flags & STAYS;
	bool may_do_either = row->flags & EITHER || (row->flags & PASSES && succeeds);

	cr_expect(scene->was_asked || row->flags & EITHER, "it did not wait");
	if (!may_do_either)
		cr_expect_eq(scene->told, succeeds ? 0 : -ECANCELED, "told %d",
			     scene->told);
	else
		cr_expect(scene->told == 0 || scene->told == -ECANCELED, "told %d",
			  scene->told);
	cr_expect_eq(scene->next, scene->told == 0 && scene->was_asked ? -ECANCELED : 0,
		     "told %d, then %d", scene->told, scene->next);
	if (scene->is_cleaning && !(row->flags & EITHER && scene->cleaned == 0))
		cr_expect_eq(scene->cleaned, -ECANCELED, "in clean-up: %d",
			     scene->cleaned);
}

static void check_state(struct scene *scene, bool was_given)
{
	const struct row *row = scene->row;
	int expected = scene->told == 0 ? row->taken
		       : was_given	? row->given
					: row->before;
	int state;

	if (!row->state)
		return;
	state = row->state(scene);
	cr_expect_eq(state, expected, "told %d, the state is %d instead of %d",
		     scene->told, state, expected);
}

/* The next one gets what the victim did not. */
static void check_heir(struct scene *scene, bool was_given)
{
	const struct row *row = scene->row;
	weft_task *task;
	int r;

	if (scene->told == 0 || row->flags & NO_HEIR)
		return;
	task = start(heir, scene);
	pass_turns(5);
	if (!was_given || row->give == give_condition) /* which is no state to be found */
		row->give(scene);
	r = weft_task_join(task);
	cr_expect_eq(r, 0, "the next one was told %d", r);
	if (row->state)
		cr_expect_eq(row->state(scene), row->taken,
			     "the next one leaves state %d", row->state(scene));
}

static void try_point(const struct row *row, enum point point)
{
	struct scene scene = { .row = row, .cleans_up = point == DURING_CLEAN_UP };
	weft_task *task;
	char about[100];
	bool was_given;

	snprintf(about, sizeof(about), "\"%s\" cancelled %s", row->name, points[point]);
	test_about(about);
	row->make(&scene);
	task = start(victim, &scene);
	was_given = strike(&scene, task, point);
	OK(weft_task_join(task));
	check_told(&scene, point);
	check_state(&scene, was_given);
	check_heir(&scene, was_given);
	row->end(&scene);
}

TaskTest(cancelling, a_wait_at_any_point_tells_once_and_leaves_no_trace)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (enum point point = 0; point < ARRAY_SIZE(points); point++) {
			if (has_point(&rows[i], point))
				try_point(&rows[i], point);
		}
	}
	test_about(NULL);
}
