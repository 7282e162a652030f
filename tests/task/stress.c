/*
 * Random programs of tasks that wait for each other, in an order that a seed shuffles. What must
 * hold whatever happens: nothing handed over is lost, nobody has what another one has, and nobody
 * waits for ever (then the virtual clock has nowhere to go, and weft_test_run() says so).
 */
#include "tests/task_test.h"

/* ---- Dice ---- */

static uint64_t dice;

/* splitmix64 (S. Vigna). */
static unsigned throw_dice(unsigned n)
{
	uint64_t z = dice += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ (z >> 31)) % n);
}

static void run_seeds(weft_fn *fn, uint64_t n_seeds)
{
	for (uint64_t seed = 1; seed <= n_seeds; seed++) {
		struct weft_test_options options = { .seed = seed };
		int r;

		dice = seed;
		reports_begin();
		r = weft_test_run(fn, NULL, &options);
		cr_assert_eq(r, 0, "seed %ju: %s", (uintmax_t)seed, weft_error_text(r));
		expect_no_reports();
	}
}

/* A few turns, or a while; what comes of it is the caller's to see. */
static int linger(void)
{
	int r = 0;

	for (unsigned n = throw_dice(4); n > 0 && r == 0; n--)
		r = throw_dice(3) ? weft_yield() : weft_sleep(throw_dice(5) * WEFT_USEC);
	return r;
}

/* ---- Everything handed over arrives ---- */

enum {
	N_WORKERS = 10,
	N_STEPS = 60,
	N_LOCKS = 3,
	N_PERMITS = 2,
	N_PARTIES = 3,
	N_PLACES = 2,
	N_TOKENS = N_WORKERS * N_STEPS,
};

static struct {
	struct weft_lock locks[N_LOCKS];
	struct weft_condition conditions[N_LOCKS]; /* of the lock of the same number */
	int n_inside[N_LOCKS]; /* holders of the lock */
	int n_items[N_LOCKS]; /* what the lock protects */
	int n_waiting[N_LOCKS]; /* for an item, without the lock */
	int n_made, n_consumed;
	struct weft_semaphore semaphore;
	int n_permits_taken;
	struct weft_barrier barrier;
	int n_passed[N_PARTIES]; /* by index */
	weft_queue *queue;
	uint8_t is_put[N_TOKENS], n_got[N_TOKENS];
	int n_tokens;
	weft_task *workers[N_WORKERS]; /* NULL: ended */
	int n_working;
} all;

static void enter(int lock)
{
	cr_expect_eq(++all.n_inside[lock], 1, "two tasks hold one lock");
}

static void leave(int lock)
{
	all.n_inside[lock]--;
	weft_lock_release(&all.locks[lock]);
}

/* Two locks in the order of their numbers, so that there is never a ring. */
static int use_locks(void)
{
	int first = (int)throw_dice(N_LOCKS), second = (int)throw_dice(N_LOCKS), r;

	r = weft_lock_acquire(&all.locks[first]);
	if (r < 0)
		return r;
	enter(first);
	r = linger();
	if (r == 0 && second > first) {
		r = weft_lock_acquire(&all.locks[second]);
		if (r == 0) {
			enter(second);
			r = linger();
			leave(second);
		}
	}
	leave(first);
	return r;
}

static int make_item(void)
{
	int i = (int)throw_dice(N_LOCKS), r = weft_lock_acquire(&all.locks[i]);

	if (r < 0)
		return r;
	enter(i);
	all.n_items[i]++;
	all.n_made++;
	weft_condition_notify(&all.conditions[i], 1);
	if (throw_dice(2))
		r = linger();
	leave(i);
	return r;
}

static int consume_item(int i)
{
	int r = weft_lock_acquire(&all.locks[i]);

	if (r < 0)
		return r;
	enter(i);
	while (r == 0 && all.n_items[i] == 0) {
		all.n_inside[i]--;
		all.n_waiting[i]++;
		r = weft_condition_wait(&all.conditions[i], &all.locks[i]);
		all.n_waiting[i]--;
		enter(i);
	}
	if (r == 0) {
		all.n_items[i]--;
		all.n_consumed++;
	}
	leave(i);
	return r;
}

static int use_permit(void)
{
	int r = weft_semaphore_acquire(&all.semaphore);

	if (r < 0)
		return r;
	cr_expect_le(++all.n_permits_taken, N_PERMITS);
	r = linger();
	all.n_permits_taken--;
	cr_expect_eq(weft_semaphore_release(&all.semaphore), 0);
	return r;
}

static int pass_barrier(void)
{
	int r = weft_barrier_wait(&all.barrier);

	cr_expect_lt(r, N_PARTIES);
	if (r >= 0)
		all.n_passed[r]++;
	return r < 0 ? r : 0;
}

static int put_token(void)
{
	int token = all.n_tokens++, r = weft_queue_put(all.queue, &token);

	all.is_put[token] = r == 0;
	return r;
}

static int get_token(void)
{
	int token = -1, r = weft_queue_get(all.queue, &token);

	if (r == 0)
		all.n_got[token]++;
	else
		cr_expect_eq(token, -1, "untouched");
	return r;
}

static int take_step(void)
{
	switch (throw_dice(8)) {
	case 0:
		return use_permit();
	case 1:
		return make_item();
	case 2:
		return consume_item((int)throw_dice(N_LOCKS));
	case 3:
		return pass_barrier();
	case 4:
		return put_token();
	case 5:
		return get_token();
	default:
		return use_locks();
	}
}

/* Half of the steps are limited; being cancelled ends a step, not the worker. */
static int work(void *arg)
{
	for (int i = 0; i < N_STEPS; i++) {
		struct weft_timeout timeout;
		int r;

		weft_timeout_begin(&timeout, throw_dice(2) ? throw_dice(20) * WEFT_USEC
							   : WEFT_FOREVER);
		r = weft_timeout_end(&timeout, take_step());
		cr_expect(r == 0 || r == -ECANCELED || r == -ETIMEDOUT || r == -EPIPE,
			  "%d: %s", r, weft_error_text(r));
	}
	*(weft_task **)arg = NULL;
	all.n_working--;
	return 0;
}

/*
 * Whoever was notified has the lock, or stands in line for it. So nobody waits for an item that
 * is there while the lock is free, or a notification was lost.
 */
static void expect_no_notification_lost(void)
{
	for (int i = 0; i < N_LOCKS; i++)
		cr_expect(weft_lock_is_locked(&all.locks[i]) || all.n_items[i] == 0 ||
				  all.n_waiting[i] == 0,
			  "%d items, %d wait for them", all.n_items[i], all.n_waiting[i]);
}

/* Cancels somebody now and then, and so helps on who waits for what does not come. */
static void disturb(void)
{
	while (all.n_working > 0) {
		weft_task *task = all.workers[throw_dice(N_WORKERS)];

		if (task)
			weft_task_cancel(task, NULL);
		if (throw_dice(20) == 0)
			weft_barrier_reset(&all.barrier);
		pass_time((1 + throw_dice(30)) * WEFT_USEC);
		expect_no_notification_lost();
	}
}

/* Whoever waits now waits for something that is there. */
static int consume_all(void *arg)
{
	int i = (int)(intptr_t)arg;

	while (all.n_items[i] > 0)
		cr_expect_eq(consume_item(i), 0);
	return 0;
}

static void expect_all_is_there(void)
{
	for (int i = 0; i < N_LOCKS; i++) {
		struct weft_group group;

		cr_expect(!weft_lock_is_locked(&all.locks[i]));
		weft_group_begin(&group);
		weft_group_spawn(&group, consume_all, (void *)(intptr_t)i);
		cr_expect_eq(weft_group_end(&group, 0), 0);
	}
	cr_expect_eq(all.n_consumed, all.n_made);
	for (int i = 0; i < N_PERMITS; i++)
		cr_expect_eq(weft_semaphore_acquire(&all.semaphore), 0);
	cr_expect(weft_semaphore_is_locked(&all.semaphore));
	cr_expect_eq(weft_barrier_waiting(&all.barrier), 0);
	for (int i = 1; i < N_PARTIES; i++)
		cr_expect_eq(all.n_passed[i], all.n_passed[0],
			     "each round has each index");
	while (weft_queue_size(all.queue) > 0)
		cr_expect_eq(get_token(), 0);
	for (int i = 0; i < all.n_tokens; i++)
		cr_expect_eq(all.n_got[i], all.is_put[i], "token %d", i);
}

static int work_together(void *arg)
{
	struct weft_queue_options options = { .order = throw_dice(2) };

	(void)arg;
	memset(&all, 0, sizeof(all));
	all.semaphore = (struct weft_semaphore)WEFT_BOUNDED_SEMAPHORE_INIT(N_PERMITS);
	all.barrier = (struct weft_barrier)WEFT_BARRIER_INIT(N_PARTIES);
	cr_assert_eq(weft_queue_new(sizeof(int), N_PLACES, &options, &all.queue), 0);
	all.n_working = N_WORKERS;
	for (int i = 0; i < N_WORKERS; i++) {
		all.workers[i] = start(work, &all.workers[i]);
		weft_task_detach(all.workers[i]);
	}
	disturb();
	pass_turns(3);
	expect_all_is_there();
	weft_queue_free(all.queue);
	return 0;
}

Test(stress, loses_nothing_that_was_handed_over)
{
	run_seeds(work_together, 300);
}

/* ---- Each ring is found, and nothing else is taken for one ---- */

enum { N_TASKS = 8, N_TRIES = 40 };

/* What the library should know, kept by the test itself. */
static struct {
	struct weft_lock locks[N_TASKS];
	int holder[N_TASKS]; /* of each lock; -1: free */
	int line[N_TASKS][N_TASKS], n_in_line[N_TASKS];
	weft_future *futures[N_TASKS];
	bool has_ended[N_TASKS];
	int wanted_lock[N_TASKS]; /* -1: none */
	unsigned wanted_tasks[N_TASKS]; /* as bits */
	int n_rings;
} world;

static unsigned needs_of(int task)
{
	unsigned needs = world.wanted_tasks[task];

	if (world.wanted_lock[task] >= 0 && world.holder[world.wanted_lock[task]] >= 0)
		needs |= BIT(world.holder[world.wanted_lock[task]]);
	for (int i = 0; i < N_TASKS; i++)
		if (world.has_ended[i])
			needs &= ~BIT(i);
	return needs;
}

/* Does what the task wants come back to it? */
static bool is_in_ring(int task)
{
	unsigned reached = needs_of(task), before = 0;

	while (reached != before) {
		before = reached;
		for (int i = 0; i < N_TASKS; i++)
			if (reached & BIT(i))
				reached |= needs_of(i);
	}
	return reached & BIT(task);
}

static void release(int lock)
{
	int *line = world.line[lock];

	world.holder[lock] = -1;
	if (world.n_in_line[lock] > 0) { /* handed over, whether it runs or not */
		world.holder[lock] = line[0];
		world.wanted_lock[line[0]] = -1;
		memmove(line, line + 1, (size_t)--world.n_in_line[lock] * sizeof(*line));
	}
	weft_lock_release(&world.locks[lock]);
}

static int try_lock(int me, int lock)
{
	bool is_ring;
	int r;

	world.wanted_lock[me] = lock;
	is_ring = is_in_ring(me);
	if (is_ring || world.holder[lock] < 0)
		world.wanted_lock[me] = -1;
	else
		world.line[lock][world.n_in_line[lock]++] = me;
	if (world.holder[lock] < 0)
		world.holder[lock] = me;
	r = weft_lock_acquire(&world.locks[lock]);
	cr_expect_eq(r, is_ring ? -EDEADLK : 0, "lock: %d", r);
	if (r == 0)
		cr_expect_eq(world.holder[lock], me);
	return r;
}

static int try_tasks(int me, unsigned tasks)
{
	weft_future *futures[N_TASKS];
	bool is_ring;
	size_t n = 0;
	int r;

	for (int i = 0; i < N_TASKS; i++)
		if (tasks & BIT(i))
			futures[n++] = world.futures[i];
	world.wanted_tasks[me] = tasks;
	is_ring = is_in_ring(me);
	if (is_ring)
		world.wanted_tasks[me] = 0;
	r = n == 1 && throw_dice(2) ? weft_future_await(futures[0])
				    : weft_wait(futures, n, WEFT_ALL_COMPLETED);
	cr_expect_eq(r < 0 ? r : 0, is_ring ? -EDEADLK : 0, "tasks: %d", r);
	world.wanted_tasks[me] = 0;
	return r < 0 ? r : 0;
}

static void let_go(int me)
{
	for (int i = 0; i < N_TASKS; i++)
		if (world.holder[i] == me)
			release(i);
}

static int tangle(void *arg)
{
	int me = (int)(intptr_t)arg, r;

	for (int i = 0; i < N_TRIES; i++) {
		int one = (int)throw_dice(N_TASKS);

		if (throw_dice(10) == 0)
			r = try_tasks(me,
				      BIT(one) | (throw_dice(2) ? BIT(throw_dice(N_TASKS))
								: 0));
		else if (world.holder[one] != me)
			r = try_lock(me, one);
		else
			r = 0;
		if (r == -EDEADLK) {
			world.n_rings++;
			let_go(me);
		} else if (throw_dice(4) == 0) {
			let_go(me);
		}
		cr_expect_eq(linger(), 0);
	}
	let_go(me);
	world.has_ended[me] = true;
	return 0;
}

static int tangle_all(void *arg)
{
	int before = world.n_rings;
	weft_task *tasks[N_TASKS];

	(void)arg;
	memset(&world, 0, sizeof(world));
	world.n_rings = before;
	for (int i = 0; i < N_TASKS; i++) {
		world.holder[i] = world.wanted_lock[i] = -1;
		tasks[i] = start(tangle, (void *)(intptr_t)i);
		/* Each ring is told with names: given ones need no look at the symbols. */
		weft_task_set_name(tasks[i], "tangle");
		world.futures[i] = weft_future_ref(weft_task_future(tasks[i]));
	}
	for (int i = 0; i < N_TASKS; i++)
		cr_expect_eq(weft_future_await(world.futures[i]), 0);
	for (int i = 0; i < N_TASKS; i++) {
		weft_task_detach(tasks[i]);
		weft_future_unref(world.futures[i]);
	}
	return 0;
}

Test(stress, finds_every_ring_and_no_other)
{
	run_seeds(tangle_all, 300);
	cr_expect_gt(world.n_rings, 300, "there were %d", world.n_rings);
}
