/*
 * Stacks: each has its guard, however the kernel lets us install it.
 */
#include "task/stack.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/child.h"
#include "tests/task_test.h"

enum { N_TASKS = 100 }; /* several slabs, and more than one batch of guards in the last */

/* Can the kernel read that byte? A guard answers it without a signal. */
static bool is_readable(int pipe_fd, const char *byte)
{
	return write(pipe_fd, byte, 1) == 1;
}

struct guards {
	int pipe_fd;
	int n_seen;
	int n_broken;
};

struct search {
	const char *address;
	const struct slab *found;
};

static void search_slab(const struct slab *slab, void *arg)
{
	struct search *search = arg;

	if (search->address >= slab->base &&
	    search->address < slab->base + slab->n_stacks * slab->stride)
		search->found = slab;
}

/* A byte of each end of the guard below this task's stack, and one of the stack itself. */
static int look_at_own_guard(void *arg)
{
	struct guards *guards = arg;
	char local = 1;
	struct search search = { .address = &local };
	const struct slab *slab;
	const char *low;

	weft__slab_each(search_slab, &search);
	slab = search.found;
	low = weft__stack_low(slab, &local);
	if (is_readable(guards->pipe_fd, low - 1) ||
	    is_readable(guards->pipe_fd, low - slab->guard) ||
	    !is_readable(guards->pipe_fd, low))
		guards->n_broken++;
	guards->n_seen++;
	return weft_yield(); /* so that no two have the same stack */
}

static int look_at_guards(void *arg)
{
	struct weft_group group;

	weft_group_begin(&group);
	for (int i = 0; i < N_TASKS; i++)
		weft_group_spawn(&group, look_at_own_guard, arg);
	return weft_group_end(&group, 0);
}

/* Return: how many guards are missing, or a negative errno. */
static int count_broken(void *unused)
{
	struct guards guards = { 0 };
	int fds[2], r;

	(void)unused;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	guards.pipe_fd = fds[1];
	r = weft_run(look_at_guards, &guards);
	(void)close(fds[0]); /* was only filled */
	(void)close(fds[1]);
	if (r < 0)
		return r;
	return guards.n_seen == N_TASKS ? guards.n_broken : -ENODATA;
}

/* There are none to be tested. */
static bool is_without_guards(void)
{
	const char *forced = getenv("WEFT_STACK_GUARD");

	return forced && strcmp(forced, "none") == 0;
}

Test(stack, each_has_a_guard)
{
	if (!is_without_guards())
		cr_expect_eq(count_broken(NULL), 0);
}

/* As containers do it: process_madvise() is refused. */
static int count_broken_without_batches(void *unused)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_madvise, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 0; /* this kernel, or an emulator, has no filters */
	return count_broken(unused) != 0;
}

Test(stack, each_has_a_guard_where_they_come_one_by_one)
{
	struct child child;

	if (is_without_guards())
		return;
	child_run(&child, count_broken_without_batches, NULL);
	cr_expect_eq(child.status, 0, "%s", child.text);
}
