/*
 * Giving the memory of cold stacks back: task/trim.c. What is resident is asked of the kernel.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "task/task.h"
#include "tests/task_test.h"

/* ---- How much is resident ---- */

struct resident {
	weft_loop *loop;
	size_t n_pages;
};

static void count_pages(const struct slab *slab, void *arg)
{
	struct resident *resident = arg;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t n = atomic_load(&slab->n_cut) * slab->stride / page;
	unsigned char *pages = malloc(n + 1);

	cr_assert_not_null(pages);
	if (slab->loop == resident->loop && mincore(slab->base, n * page, pages) == 0)
		for (size_t i = 0; i < n; i++)
			resident->n_pages += pages[i] & 1;
	free(pages);
}

static size_t pages_of_stacks(void)
{
	struct resident resident = { .loop = weft_loop_current() };

	weft__slab_each(count_pages, &resident);
	return resident.n_pages;
}

/* ---- Bursts ---- */

enum { N_MANY = 600, N_DEEP = 20, DEEP_BYTES = 100 * 1024 };

/* Under a page: it must not be the burst itself that counts. */
static int use_deeply(void *arg)
{
	volatile char buffer[DEEP_BYTES];

	for (size_t i = 0; i < sizeof(buffer); i += 1024)
		buffer[i] = (char)i;
	(void)arg;
	return weft_yield() + buffer[0];
}

static int use_little(void *arg)
{
	(void)arg;
	return weft_yield();
}

static void burst(weft_fn *fn, int n)
{
	struct weft_group group;

	weft_group_begin(&group);
	for (int i = 0; i < n; i++)
		(void)weft_group_spawn(&group, fn, NULL);
	cr_assert_eq(weft_group_end(&group, 0), 0);
}

static const struct {
	const char *name;
	weft_fn *fn;
	int n;
	size_t at_least; /* pages that it takes */
} bursts[] = {
	{ "many", use_little, N_MANY, N_MANY },
	{ "deep", use_deeply, N_DEEP, N_DEEP *DEEP_BYTES / 4096 },
};

static void tick(void *arg)
{
	for (int i = 0; i < *(int *)arg; i++)
		weft__trim_tick(weft_loop_current());
}

static void tick_times(int n)
{
	cr_assert_eq(weft_loop_call_soon(weft_loop_current(), tick, &n, NULL), 0);
	pass_turns(2);
}

/* An emulator's pages are not those that the kernel counts. */
#define skip_unless_counted()                                                \
	do {                                                                 \
		if (test_build_is("aarch64"))                                \
			cr_skip_test("an emulator has other pages than we"); \
	} while (0)

TaskTestInOrder(trim, gives_back_what_a_burst_has_touched)
{
	skip_unless_counted();
	for (size_t i = 0; i < ARRAY_SIZE(bursts); i++) {
		size_t before = pages_of_stacks();

		burst(bursts[i].fn, bursts[i].n);
		cr_expect_ge(pages_of_stacks(), before + bursts[i].at_least, "%s",
			     bursts[i].name);
		tick_times(20);
		cr_expect_le(pages_of_stacks(), before + 8, "%s", bursts[i].name);
	}
}

TaskTestInOrder(trim, leaves_stacks_that_can_be_used_again)
{
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(bursts); i++)
			burst(bursts[i].fn, bursts[i].n);
		tick_times(20);
	}
}

/* No page comes or goes, however often is looked: what is in use between two looks is warm. */
TaskTestInOrder(trim, never_touches_what_a_steady_load_uses)
{
	size_t pages;

	skip_unless_counted();
	burst(use_deeply, N_DEEP);
	pages = pages_of_stacks();
	for (int i = 0; i < 20; i++) {
		tick_times(1);
		cr_expect_ge(pages_of_stacks() + 8, pages, "%d", i);
		burst(use_little, N_DEEP);
	}
	tick_times(20);
	cr_expect_lt(pages_of_stacks(), pages / 2);
}

static int take_lock(void *lock)
{
	int r = 0;

	for (int i = 0; i < 1000 && r == 0;
	     i++) /* it has run more often than the next one */
		r = weft_yield();
	return r < 0 ? r : weft_lock_acquire(lock);
}

static int take_lock_and_release(void *lock)
{
	int r = weft_lock_acquire(lock);

	if (r == 0)
		weft_lock_release(lock);
	return r;
}

/* A lock knows its holder by its place and by how often it had run. */
TaskTestInOrder(trim, of_the_stack_of_a_locks_last_holder_confuses_nobody)
{
	struct weft_lock lock = WEFT_LOCK_INIT;
	weft_task *next;

	cr_assert_eq(weft_task_join(start(take_lock, &lock)), 0);
	tick_times(20);
	next = start(take_lock_and_release, &lock);
	pass_turns(3);
	cr_expect(weft_lock_is_locked(&lock));
	weft_lock_release(&lock); /* for the one that has ended */
	cr_expect_eq(weft_task_join(next), 0);
	cr_expect(!weft_lock_is_locked(&lock));
}

TaskTestInOrder(trim, never_touches_a_task_that_waits)
{
	weft_task *tasks[N_DEEP];

	for (int i = 0; i < N_DEEP; i++)
		tasks[i] = start(sleep_forever, NULL);
	pass_turns(2);
	tick_times(20);
	for (int i = 0; i < N_DEEP; i++) {
		weft_task_cancel(tasks[i], NULL);
		cr_expect_eq(weft_task_join(tasks[i]), -ECANCELED);
	}
}

static int burst_and_wait(void *arg)
{
	size_t before = pages_of_stacks();

	(void)arg;
	burst(use_little, N_MANY);
	cr_expect_gt(pages_of_stacks(), before + N_MANY / 2);
	while (pages_of_stacks() > before + 8)
		if (weft_sleep(100 * WEFT_MSEC) < 0)
			return -1;
	return 0;
}

/* It takes some three seconds. */
Test(trim, happens_by_itself)
{
	skip_unless_counted();
	if (fibre_in_valgrind())
		cr_skip_test("under valgrind nothing is trimmed");
	cr_expect_eq(weft_run(burst_and_wait, NULL), 0);
}
