/*
 * Loop threads: a set of threads with a running loop each.
 *
 * The set belongs to whoever made it. Each thread runs its loop until it is stopped,
 * closes it, which ends its tasks, and then says so. The set keeps the memory of its
 * loops, so that a loop that was stopped early can still be asked. Any thread but those
 * of the set.
 */
#include <pthread.h>

#include "base/error.h"
#include "loop/loop.h"
#include "loop/oneshot.h"

struct member {
	weft_loop *loop; /* with a reference */
	pthread_t thread;
	pthread_mutex_t lock;
	/* Under the lock. */
	bool has_ended;
	int close_result;
	struct oneshot *waiter;
};

struct weft_loops {
	int n;
	atomic_uint next; /* relaxed: where weft_loops_pick() begins; any order will do */
	struct member members[];
};

static void *run_member(void *arg)
{
	struct member *member = arg;
	int r;

	(void)pthread_setname_np(pthread_self(), member->loop->name);
	(void)weft_loop_run(member->loop); /* cannot fail: thread and loop are new */
	r = weft_loop_close(member->loop);

	pthread_mutex_lock(&member->lock);
	member->close_result = r;
	member->has_ended = true;
	if (member->waiter)
		weft__oneshot_set(member->waiter);
	pthread_mutex_unlock(&member->lock);
	return NULL;
}

/* Waits for a thread that was stopped. Return: what closing its loop returned. */
static int await_member(struct member *member)
{
	struct oneshot ended;

	weft__oneshot_init(&ended);
	pthread_mutex_lock(&member->lock);
	if (member->has_ended)
		weft__oneshot_set(&ended);
	else
		member->waiter = &ended;
	pthread_mutex_unlock(&member->lock);
	weft__oneshot_wait(&ended);
	pthread_join(member->thread, NULL); /* it has nothing left to do */
	pthread_mutex_destroy(&member->lock);
	weft_loop_unref(member->loop);
	return member->close_result;
}

static int end(weft_loops *loops, int n_started)
{
	int r = 0;

	for (int i = 0; i < n_started; i++)
		weft_loop_stop(loops->members[i].loop);
	for (int i = 0; i < n_started; i++) {
		int ended = await_member(&loops->members[i]);

		r = r < 0 ? r : ended;
	}
	free(loops);
	return r;
}

static int start_member(struct member *member, const struct weft_loop_options *options)
{
	int r = weft_loop_new(options, &member->loop);

	if (r < 0)
		return r;
	weft_loop_ref(member->loop);
	/* It is the new thread's, also before that has begun. Relaxed: see the field. */
	atomic_store_explicit(&member->loop->owner, LOOP_ON_ITS_WAY, memory_order_relaxed);
	pthread_mutex_init(&member->lock, NULL);
	r = -pthread_create(&member->thread, NULL, run_member, member);
	if (r == 0)
		return 0;
	pthread_mutex_destroy(&member->lock);
	(void)weft_loop_close(member->loop); /* it never ran: nothing can be lost */
	weft_loop_unref(member->loop);
	return weft_error_set(r, "cannot start a thread for a loop");
}

int weft_loops_new(int n_loops, const struct weft_loop_options *options, weft_loops **out)
{
	weft_loops *loops;
	int n = n_loops ? n_loops : weft__cpus();
	int r;

	if (n_loops < 0)
		return weft_error_set(
			-EINVAL, "weft_loops_new(): %d is no number of loops", n_loops);
	loops = weft__zalloc(sizeof(*loops) + (size_t)n * sizeof(loops->members[0]));
	if (!loops)
		return -ENOMEM;
	loops->n = n;
	for (int i = 0; i < n; i++) {
		r = start_member(&loops->members[i], options);
		if (r < 0) {
			const struct weft_error *error = weft__error_take(r);

			(void)end(loops, i);
			weft__error_give(error);
			return r;
		}
	}
	*out = loops;
	return 0;
}

int weft_loops_close(weft_loops *loops)
{
	if (!loops)
		return 0;
	if (weft__thread_is_stale())
		return weft__loop_none(__func__);
	for (int i = 0; i < loops->n; i++)
		weft_assert(
			weft__thread.loop != loops->members[i].loop,
			"weft_loops_close() was called on a thread of the set: it would wait for "
			"itself");
	weft_assert(
		!weft__thread.loop || weft__thread.task,
		"weft_loops_close() was called in a callback, which may not wait: call it in a "
		"task or on a plain thread");
	return end(loops, loops->n);
}

int weft_loops_count(const weft_loops *loops)
{
	return loops->n;
}

weft_loop *weft_loops_get(weft_loops *loops, int index)
{
	int i = index % loops->n;

	return loops->members[i < 0 ? i + loops->n : i].loop;
}

/* Of two loops: one that is not blocked before one that is, then the one with fewer
 * tasks. */
static bool is_better(const weft_loop *a, const weft_loop *b)
{
	bool a_blocked = atomic_load_explicit(&a->blocked, memory_order_relaxed);
	bool b_blocked = atomic_load_explicit(&b->blocked, memory_order_relaxed);

	if (a_blocked != b_blocked)
		return b_blocked;
	return weft__loop_load(a) < weft__loop_load(b);
}

weft_loop *weft_loops_pick(weft_loops *loops)
{
	unsigned first = atomic_fetch_add_explicit(&loops->next, 1, memory_order_relaxed);
	weft_loop *best = weft_loops_get(loops, (int)(first % (unsigned)loops->n));

	for (int i = 1; i < loops->n; i++) {
		weft_loop *loop = weft_loops_get(
			loops, (int)((first + (unsigned)i) % (unsigned)loops->n));

		if (is_better(loop, best))
			best = loop;
	}
	return best;
}
