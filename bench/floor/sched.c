/*
 * The bare scheduler; see sched.h.
 *
 * The control block lies at the top of the task's own stack. A task that ends keeps its
 * stack and its frame: the next spawn continues the loop in task_main(). A turn ends
 * where the ring ended when it began. While one task runs, the blocks and frames of later
 * ones are prefetched.
 */
#include "bench/floor/sched.h"

#include "bench/floor/stacks.h"
#include "bench/floor/switch.h"
#include "bench/measure.h"

struct task {
	void *sp;
	struct task *next_free;
	floor_fn *fn;
	void *arg;
};

enum { LOOK_AHEAD = 6 };

static struct task **ring;
static size_t head, tail, mask, turn_end;
static struct task *current, *pool;
static void *loop_sp;

void floor_sched_init(size_t n_tasks)
{
	size_t size = 64;

	while (size < n_tasks + 1)
		size *= 2;
	ring = weft__alloc_array(size, sizeof(struct task *));
	if (!ring)
		bench_die("no memory for a ring of %zu tasks", size);
	mask = size - 1;
}

static inline void make_ready(struct task *task)
{
	ring[tail++ & mask] = task;
}

/* Return: the next task of the ring; what comes soon after it is fetched. */
static inline struct task *take_ready(void)
{
	struct task *task = ring[head++ & mask];

	if (turn_end - head > LOOK_AHEAD) {
		const char *later = (const char *)ring[(head + LOOK_AHEAD) & mask];

		__builtin_prefetch(later);
		__builtin_prefetch(later - 64);
		__builtin_prefetch(later - 128);
	}
	return task;
}

/*
 * Each call of floor_switch() here is the last thing its function does, so it is compiled
 * as a jump. Were it a call, the processor would remember a return that never comes (the
 * switch resumes by a jump), and mispredict every return after it: three times the price
 * of a yield.
 */
static inline void suspend(struct task *self)
{
	struct task *next;

	if (head == turn_end) {
		floor_switch(&self->sp, loop_sp);
		return;
	}
	next = take_ready();
	if (next == self)
		return;
	current = next;
	floor_switch(&self->sp, next->sp);
}

void floor_yield(void)
{
	struct task *self = current;

	make_ready(self);
	suspend(self);
}

void floor_park(void)
{
	suspend(current);
}

static void task_main(void *arg)
{
	struct task *self = arg;

	for (;;) {
		self->fn(self->arg);
		self->next_free = pool;
		pool = self;
		suspend(self);
	}
}

int floor_spawn(floor_fn *fn, void *arg)
{
	struct task *task = pool;

	if (task) {
		pool = task->next_free;
	} else {
		task = floor_stack_new(sizeof(*task));
		if (!task)
			return -ENOTSUP;
		task->sp = floor_stack_prepare(task, task_main, task);
	}
	task->fn = fn;
	task->arg = arg;
	make_ready(task);
	return 0;
}

void floor_run(void)
{
	while (head != tail) {
		turn_end = tail;
		while (head != turn_end) {
			current = take_ready();
			floor_switch(&loop_sp, current->sp);
		}
	}
}
