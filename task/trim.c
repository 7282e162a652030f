/*
 * Trimming: the memory of stacks that nobody has used for a while goes back to the kernel.
 *
 * A free stack keeps what its tasks have touched, one page at least. After a burst of many or of
 * deep tasks that is a lot, so while there are free stacks the loop looks at them every second.
 * Free lists are last in, first out, and each stack is stamped when it is freed: so the coldest
 * are at the end of the list, and one look finds them. What is cold loses all its pages, the task
 * block included, and is a bare stack of its slab: its guard stays, and the next task that finds
 * no free stack has it laid out again, for some 2 us. Who runs a task on it at least every other
 * second keeps it; without free stacks, or with none but cold ones given back, nothing ticks.
 *
 * A step gives back a few, and the next one follows soon: a loop is not held up by a million of
 * them. A loop on a test clock does not trim, since a timer of ours would move its time. Loop
 * thread, on the loop's own stack.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "task/task.h"

#ifndef PIDFD_SELF
#define PIDFD_SELF (-10000) /* Linux 6.14 */
#endif

enum {
	STACKS_PER_STEP = 128, /* 30 us, where the kernel takes them in one call */
	COLD_TICKS = 3, /* free for two to three seconds */
};

#define TICK  WEFT_SEC
#define PAUSE (WEFT_MSEC / 2)

/* Relaxed: a hint, cleared where the kernel does not know the call. */
static atomic_bool one_by_one;

static void give_back(const struct iovec *ranges, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += ranges[i].iov_len;
	if (!atomic_load_explicit(&one_by_one, memory_order_relaxed) &&
	    syscall(SYS_process_madvise, PIDFD_SELF, ranges, n, MADV_DONTNEED, 0) ==
		    (long)bytes)
		return;
	atomic_store_explicit(&one_by_one, true, memory_order_relaxed);
	for (size_t i = 0; i < n; i++) /* cannot fail: it is our own mapping */
		(void)madvise(ranges[i].iov_base, ranges[i].iov_len, MADV_DONTNEED);
}

static bool is_cold(const struct stack_pool *pool, const weft_task *task)
{
	return pool->epoch - task->freed_at >= COLD_TICKS;
}

/* The block ceases to exist. */
static struct iovec undress(struct stack_pool *pool, weft_task *task)
{
	struct iovec range = { .iov_base = weft__stack_low(task->slab, task),
			       .iov_len = task->slab->stride - task->slab->guard };

	tasks_of(task->loop)->resumed_floor =
		MAX(tasks_of(task->loop)->resumed_floor, task->n_resumed);
	list_unlink(&task->link);
	fibre_fini(&task->fibre);
	fibre_clean(range.iov_base, range.iov_len);
	weft__ready_release(&task->loop->ready);
	weft__stack_lay_bare(pool, task->stack_class, task->slab, task);
	return range;
}

/* Return: may there be more? */
static bool trim_some(struct stack_pool *pool)
{
	struct iovec ranges[STACKS_PER_STEP];
	size_t n = 0;

	for (int i = 0; i < STACK_CLASSES; i++) {
		struct list *free = &pool->classes[i].free;

		while (!list_is_empty(free) && n < STACKS_PER_STEP &&
		       is_cold(pool, list_entry(free->prev, weft_task, link)))
			ranges[n++] =
				undress(pool, list_entry(free->prev, weft_task, link));
	}
	if (n)
		give_back(ranges, n);
	return n == STACKS_PER_STEP;
}

static bool has_free(const struct stack_pool *pool)
{
	for (int i = 0; i < STACK_CLASSES; i++)
		if (!list_is_empty(&pool->classes[i].free))
			return true;
	return false;
}

void weft__trim_tick(weft_loop *loop)
{
	struct stack_pool *pool = &tasks_of(loop)->pool;
	bool more;

	if (!pool->is_trimming)
		pool->epoch++;
	more = trim_some(pool);
	pool->is_trimming = more;
	if (!more && !has_free(pool))
		pool->epoch = 0; /* the next stack that is freed wakes us */
	else if (!loop->is_virtual)
		loop_add_timer(loop, &tasks_of(loop)->trim,
			       weft__time_add(loop_now(loop), more ? PAUSE : TICK));
}

static void on_tick(void *loop)
{
	weft__trim_tick(loop);
}

uint32_t weft__trim_wake(weft_loop *loop)
{
	struct tasks *tasks = tasks_of(loop);

	tasks->pool.epoch = 1;
	/* Valgrind would not forget where the stack was. */
	if (!loop->is_virtual && !fibre_in_valgrind()) {
		handle_init(&tasks->trim, HANDLE_DIRECT, on_tick, loop);
		loop_add_timer(loop, &tasks->trim, weft__time_add(loop_now(loop), TICK));
	}
	return 1;
}
