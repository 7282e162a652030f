/*
 * debug/dump: what a person reads about tasks, also of loops that are stuck.
 */
#include "debug/dump.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/group.h>
#include <weft/queue.h>
#include <weft/sync.h>

#include "loop/control.h"
#include "tests/test.h"

/* ---- Reading a dump ---- */

static char *text; /* the dump */

__attribute__((noinline)) static int take_dump(void)
{
	size_t size;
	FILE *file = open_memstream(&text, &size);
	int n;

	cr_assert_not_null(file);
	n = weft_dump_tasks(file);
	fclose(file);
	return n;
}

/* The line of a task or a loop, and what follows up to the next one. */
static const char *entry(const char *name)
{
	static char found[4096];
	char begin[64];
	const char *at, *end;

	snprintf(begin, sizeof(begin), "\n  \"%s\" ", name);
	at = strstr(text, begin);
	cr_assert_not_null(at, "no task \"%s\" in:\n%s", name, text);
	at++;
	for (end = strchr(at, '\n'); end && strncmp(end, "\n      ", 7) == 0;)
		end = strchr(end + 1, '\n');
	snprintf(found, sizeof(found), "%.*s", (int)((end ? end : at + strlen(at)) - at),
		 at);
	return found;
}

/* Are these in the entry, one after the other? The last one is NULL. */
static void expect_in_order(const char *name, const char *const *parts)
{
	const char *found = entry(name), *at = found;

	for (; *parts; parts++) {
		const char *next = strstr(at, *parts);

		cr_expect(next, "\"%s\" is missing, or too early, in:\n%s", *parts,
			  found);
		if (!next)
			return;
		at = next + strlen(*parts);
	}
}

#define expect_entry(name, ...) \
	expect_in_order(name, (const char *const[]){ __VA_ARGS__, NULL })

/* Can it be seen here where a thread sleeps? */
static bool sleepers_are_seen(void)
{
	return !test_build_is("valgrind") && !test_build_is("aarch64");
}

/* ---- What tasks wait for ---- */

static struct {
	struct weft_lock lock;
	weft_queue *queue;
	weft_future *future;
} shared;

__attribute__((noinline)) static int innermost(void)
{
	int r = weft_sleep(3600 * WEFT_SEC);

	__asm__ volatile(""); /* no tail call, here and below: the frame must stay */
	return r;
}

__attribute__((noinline)) static int middle(void)
{
	int r = innermost();

	__asm__ volatile("");
	return r;
}

static int sleeper(void *arg)
{
	(void)arg;
	return middle();
}

static int reader(void *arg)
{
	int item;

	(void)arg;
	return weft_queue_get(shared.queue, &item);
}

static int locker(void *arg)
{
	int r = weft_lock_acquire(&shared.lock);

	(void)arg;
	if (r == 0)
		weft_lock_release(&shared.lock);
	return r;
}

static int awaiter(void *arg)
{
	(void)arg;
	return weft_future_await(shared.future);
}

static int joiner(void *arg)
{
	weft_task *task;
	int r = weft_spawn(sleeper, NULL, &task);

	(void)arg;
	return r < 0 ? r : weft_task_join(task);
}

static int grouper(void *arg)
{
	struct weft_group group;

	(void)arg;
	weft_group_begin(&group);
	weft_group_spawn_with(&group, sleeper, NULL,
			      &(struct weft_spawn_options){ .name = "the child" });
	return weft_group_end(&group, 0);
}

static int newcomer(void *arg)
{
	(void)arg;
	return 0;
}

static int failed(void *arg)
{
	(void)arg;
	return -EIO;
}

static int main_of_waits(void *arg)
{
	struct weft_group group;
	weft_task *ended;
	int *n = arg;

	weft_group_begin(&group);
	cr_assert_eq(weft_queue_new(sizeof(int), 1, NULL, &shared.queue), 0);
	cr_assert_eq(weft_future_new(&shared.future), 0);
	cr_assert_eq(weft_lock_acquire(&shared.lock), 0);
	cr_assert_eq(weft_spawn(failed, NULL, &ended), 0);
	weft_group_spawn(&group, sleeper, NULL);
	weft_group_spawn(&group, reader, NULL);
	weft_group_spawn(&group, locker, NULL);
	weft_group_spawn(&group, awaiter, NULL);
	weft_group_spawn(&group, joiner, NULL);
	weft_group_spawn(&group, grouper, NULL);
	cr_assert_eq(weft_sleep(50 * WEFT_MSEC), 0);
	weft_group_spawn(&group, newcomer, NULL);
	*n = take_dump();

	cr_expect_eq(weft_task_join(ended), -EIO);
	weft_lock_release(&shared.lock);
	weft_group_cancel(&group);
	cr_expect_eq(weft_group_end(&group, 0), 0);
	weft_queue_free(shared.queue);
	weft_future_unref(shared.future);
	return 0;
}

Test(dump, says_what_each_task_waits_for)
{
	int n = 0;

	cr_assert_eq(weft_run(main_of_waits, &n), 0);
	cr_expect_eq(n, 11, "%d in:\n%s", n, text);
	cr_expect(strstr(text, "\n1 loop, 11 tasks\n"), "%s", text);

	expect_entry("sleeper", ": waits: sleep, for ", " ms");
	expect_entry("sleeper", "child of \"main_of_waits\"", "spawned at main_of_waits");
	expect_entry("reader", ": waits: queue");
	expect_entry("locker", ": waits: lock (\"main_of_waits\")");
	expect_entry("awaiter", ": waits: future");
	expect_entry("joiner", ": waits: join (\"sleeper\")");
	expect_entry("grouper", ": waits: group");
	expect_entry("the child", ": waits: sleep", "child of \"grouper\"");
	expect_entry("newcomer", ": ready to run", "has not begun");
	expect_entry("failed", ": failed with -5, and nobody has asked");
	expect_entry("main_of_waits", ": makes this dump");
	cr_expect(strstr(text, "; awaited by \"joiner\"; spawned at joiner"), "%s", text);
	free(text);
}

Test(dump, shows_the_calls_that_led_to_a_wait)
{
	int n = 0;

	cr_assert_eq(weft_run(main_of_waits, &n), 0);
	expect_entry("sleeper", "\n      innermost", "\n      middle", "\n      sleeper");
	expect_entry("grouper", "\n      weft_group_end", "\n      grouper");
	expect_entry("main_of_waits", "\n      take_dump", "\n      main_of_waits");
	cr_expect_null(strstr(text, "weft__"), "how it works inside:\n%s", text);
	free(text);
}

static int main_of_equals(void *arg)
{
	struct weft_group group;

	weft_group_begin(&group);
	for (int i = 0; i < 100; i++)
		weft_group_spawn(&group, sleeper, NULL);
	cr_assert_eq(weft_sleep(1 * WEFT_MSEC), 0);
	*(int *)arg = take_dump();
	weft_group_cancel(&group);
	return weft_group_end(&group, 0);
}

Test(dump, writes_a_stack_that_many_have_once)
{
	size_t n_same = 0;
	int n = 0;

	cr_assert_eq(weft_run(main_of_equals, &n), 0);
	cr_expect_eq(n, 101);
	for (const char *at = text; (at = strstr(at, "the same stack as the one above"));
	     at++)
		n_same++;
	cr_expect_eq(n_same, 99, "%zu in:\n%s", n_same, text);
	free(text);
}

static int rude(void *arg)
{
	(void)arg;
	weft_task_set_name(weft_task_current(), "\033[31mred\nline");
	take_dump();
	return 0;
}

Test(dump, names_cannot_upset_a_terminal)
{
	cr_assert_eq(weft_run(rude, NULL), 0);
	expect_entry("?[31mred?line", "makes this dump");
	free(text);
}

Test(dump, without_a_loop_is_short)
{
	char expected[128];

	cr_expect_eq(take_dump(), 0);
	snprintf(expected, sizeof(expected), "tasks of process %d:\n\n0 loops, 0 tasks\n",
		 getpid());
	cr_expect_str_eq(text, expected);
	cr_expect_eq(weft_dump_tasks(NULL), -EINVAL);
	free(text);
}

/* ---- Loops that are stuck ---- */

/* Loops whose tasks and callbacks block in a read() until the test lets them. */
static struct {
	weft_loops *loops;
	int pipe[2];
	/* All relaxed: what is waited for by looking again. */
	_Atomic(pid_t) blocked[2]; /* threads about to read */
	atomic_int n_blocked;
	atomic_bool spins, leave;
} stuck;

__attribute__((noinline)) static int read_for_ever(void)
{
	int n = atomic_fetch_add_explicit(&stuck.n_blocked, 1, memory_order_relaxed);
	ssize_t n_read;
	char byte;

	atomic_store_explicit(&stuck.blocked[n], gettid(), memory_order_relaxed);
	n_read = read(stuck.pipe[0], &byte, 1);
	__asm__ volatile("");
	return n_read == 0 ? 0 : -EIO;
}

static int blocker(void *arg)
{
	(void)arg;
	return read_for_ever();
}

static void blocking_callback(void *arg)
{
	(void)arg;
	(void)read_for_ever();
	__asm__ volatile("");
}

static int spinner(void *arg)
{
	(void)arg;
	atomic_store_explicit(&stuck.spins, true, memory_order_relaxed);
	while (!atomic_load_explicit(&stuck.leave, memory_order_relaxed))
		;
	return 0;
}

static int patient(void *arg)
{
	(void)arg;
	return weft_sleep(3600 * WEFT_SEC) < 0 ? 0 : -EIO;
}

/* Does the thread with this place sleep in its read()? */
static bool is_blocked(int place)
{
	pid_t tid = atomic_load_explicit(&stuck.blocked[place], memory_order_relaxed);

	return tid &&
	       (!sleepers_are_seen() || weft__thread_look(tid).is == THREAD_ASLEEP);
}

/* Two loops are stuck in a task and in a callback; if `spins`, a third one on the CPU. */
static void get_stuck(bool spins)
{
	weft_future *future;

	cr_assert_eq(pipe(stuck.pipe), 0);
	cr_assert_eq(weft_loops_new(spins ? 3 : 2, NULL, &stuck.loops), 0);
	cr_assert_eq(
		weft_spawn_on(weft_loops_get(stuck.loops, 0), patient, NULL, &future), 0);
	weft_future_unref(future);
	cr_assert_eq(weft_spawn_on(weft_loops_get(stuck.loops, 0), blocker, NULL, NULL),
		     0);
	cr_assert_eq(weft_loop_call_soon_threadsafe(weft_loops_get(stuck.loops, 1),
						    blocking_callback, NULL, NULL),
		     0);
	if (spins)
		cr_assert_eq(weft_spawn_on(weft_loops_get(stuck.loops, 2), spinner, NULL,
					   NULL),
			     0);
	while (!is_blocked(0) || !is_blocked(1) ||
	       (spins && !atomic_load_explicit(&stuck.spins, memory_order_relaxed)))
		usleep(1000);
}

static void get_free(void)
{
	atomic_store_explicit(&stuck.leave, true, memory_order_relaxed);
	close(stuck.pipe[1]);
	cr_expect_eq(weft_loops_close(stuck.loops), 0);
	close(stuck.pipe[0]);
}

static void expect_stuck(void)
{
	expect_entry("patient", ": waits: sleep", "\n      patient");
	if (!sleepers_are_seen())
		return;
	expect_entry("blocker", ": asleep in a system call", "read",
		     "\n      read_for_ever", "\n      blocker");
	cr_expect(strstr(text, ": asleep in a system call\n      ") ||
			  strstr(text, "without a step for "),
		  "%s", text);
	/* By the stack pointer alone the sanitizer's frames, which come first, lead astray. */
	if (!test_build_is("asan"))
		cr_expect(strstr(text, "\n      blocking_callback"), "%s", text);
	cr_expect(strstr(text, "\n      weft_loop_run"), "%s", text);
}

Test(dump, shows_what_blocks_a_loop)
{
	get_stuck(false);
	cr_expect_eq(take_dump(), 2);
	expect_stuck();
	get_free();
	free(text);
}

Test(dump, says_that_a_task_on_the_cpu_cannot_be_seen)
{
	get_stuck(true);
	cr_expect_eq(take_dump(), 3);
	if (sleepers_are_seen())
		expect_entry("spinner", ": on the CPU, where its stack cannot be seen");
	else
		expect_entry("spinner", "its stack cannot be seen");
	get_free();
	free(text);
}

/* As serve/ does. */
static void dump_to_stderr(int signo, void *arg)
{
	(void)signo;
	(void)arg;
	weft__control_dump(STDERR_FILENO);
}

Test(dump, comes_by_a_signal_while_every_loop_is_blocked)
{
	int memory = memfd_create("stderr", MFD_CLOEXEC), before = dup(STDERR_FILENO);
	off_t size;

	cr_assert_ge(memory, 0);
	cr_assert_eq(weft__control_set_signal(SIGQUIT, dump_to_stderr, NULL), 0);
	get_stuck(false);
	dup2(memory, STDERR_FILENO);
	kill(getpid(), SIGQUIT);
	text = calloc(1, 65536);
	while (!strstr(text, "2 loops, 2 tasks\n")) {
		size = lseek(memory, 0, SEEK_END);
		cr_assert_ge(pread(memory, text, (size_t)MIN(size, 65535), 0), 0);
	}
	dup2(before, STDERR_FILENO);
	expect_stuck();
	get_free(); /* and the process goes on */
	cr_expect_eq(weft__control_set_signal(SIGQUIT, NULL, NULL), 0);
	close(memory);
	close(before);
	free(text);
}

Test(dump, gives_up_on_a_reader_that_does_not_read)
{
	char bytes[4096] = { 0 };
	int pipe[2];

	cr_assert_eq(pipe2(pipe, O_NONBLOCK), 0);
	while (write(pipe[1], bytes, sizeof(bytes)) > 0)
		;
	get_stuck(false);
	cr_expect_eq(weft__dump_tasks_fd(pipe[1]), -ETIMEDOUT);
	cr_expect_eq(weft__dump_tasks_fd(-1), -EBADF);
	get_free();
	close(pipe[0]);
	close(pipe[1]);
}

/* ---- Things that change meanwhile, and nonsense ---- */

static atomic_bool enough;
static _Atomic(weft_task *) busy; /* it comes and goes */

static int brief(void *arg)
{
	int depth = *(int *)arg;

	atomic_store_explicit(&busy, weft_task_current(), memory_order_relaxed);
	if (depth > 0) {
		depth--;
		return weft_yield() < 0 ? -1 : brief(&depth);
	}
	return weft_sleep(1);
}

static int busy_main(void *arg)
{
	static int depths[] = { 0, 1, 2, 3, 5, 8 };

	(void)arg;
	while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
		struct weft_group group;

		weft_group_begin(&group);
		for (size_t i = 0; i < 30; i++)
			weft_group_spawn(&group, brief, &depths[i % ARRAY_SIZE(depths)]);
		if (weft_group_end(&group, 0) < 0)
			return -1;
	}
	return 0;
}

/* Loops come and go, and with them their stacks. */
static void *run_loops(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
		weft_loops *loops;
		int depth = 3;

		cr_assert_eq(weft_loops_new(2, NULL, &loops), 0);
		for (int i = 0; i < 2; i++) {
			weft_future *future;

			cr_assert_eq(weft_spawn_on(weft_loops_get(loops, i), brief,
						   &depth, &future),
				     0);
			cr_expect_eq(weft_future_wait(future, WEFT_FOREVER), 0);
			weft_future_unref(future);
		}
		(void)weft_loops_close(loops);
	}
	return NULL;
}

static void *run_busy(void *arg)
{
	(void)arg;
	cr_expect_eq(weft_run(busy_main, NULL), 0);
	return NULL;
}

Test(dump, may_be_taken_while_tasks_and_loops_come_and_go)
{
	pthread_t threads[2];
	FILE *null = fopen("/dev/null", "we");
	int most = 0;

	pthread_create(&threads[0], NULL, run_busy, NULL);
	pthread_create(&threads[1], NULL, run_loops, NULL);
	for (int i = 0; i < 300 || most < 10; i++) {
		int n = weft_dump_tasks(null);

		cr_assert_ge(n, 0);
		most = MAX(most, n);
		/* A number that is no task is one of a task that has ended. */
		n = weft_dump_call_graph(
			(weft_task *)MAX((uintptr_t)atomic_load_explicit(
						 &busy, memory_order_relaxed),
					 1),
			null);
		cr_assert_ge(n, 0);
	}
	atomic_store_explicit(&enough, true, memory_order_relaxed);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	fclose(null);
}

/* What nonsense in a task's block looks like; each is tried on a task that waits. */
static const struct {
	const char *name;
	size_t at, size;
	uint64_t value;
} nonsense[] = {
	{ "sp is NULL", offsetof(weft_task, sp), 8, 0 },
	{ "sp is no address", offsetof(weft_task, sp), 8, 0xdeadbeefdeadbeef },
	{ "sp is odd", offsetof(weft_task, sp), 1, 0x13 },
	{ "loop", offsetof(weft_task, loop), 8, 0x1230 },
	{ "state", offsetof(weft_task, state), 1, 200 },
	{ "park is the first page", offsetof(weft_task, park), 8, 8 },
	{ "park is the kernel's", offsetof(weft_task, park), 8, 0xffff888000000000 },
	{ "group", offsetof(weft_task, group), 8, 0x7ffffffff000 },
	{ "joiner", offsetof(weft_task, joiner), 8, UINT64_MAX },
	{ "place", offsetof(weft_task, place), 8, 0x4242424242 },
	{ "name_of", offsetof(weft_task, name_of), 8, UINT64_MAX },
};

static int main_of_nonsense(void *arg)
{
	weft_task *task;

	(void)arg;
	cr_assert_eq(weft_spawn(sleeper, NULL, &task), 0);
	cr_assert_eq(weft_sleep(1 * WEFT_MSEC), 0);
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		char *at = (char *)task + nonsense[i].at;
		uint64_t before = 0;

		memcpy(&before, at, nonsense[i].size);
		memcpy(at, &nonsense[i].value, nonsense[i].size);
		cr_expect_ge(take_dump(), 1, "%s", nonsense[i].name);
		memcpy(at, &before, nonsense[i].size);
		free(text);
	}
	/* A stack full of words that look like a chain of frames. */
	for (uint64_t *word = task->sp; word < (uint64_t *)task->sp + 7; word++) {
		uint64_t before = *word;

		for (uint64_t value = 0; value < 64; value += 8) {
			*word = (uint64_t)word + value - 24;
			cr_expect_eq(take_dump(), 2, "a word of the saved context");
			free(text);
		}
		*word = before;
	}
	cr_expect(weft_task_cancel(task, NULL));
	cr_expect_eq(weft_task_join(task), -ECANCELED);
	return 0;
}

Test(dump, survives_nonsense)
{
	cr_assert_eq(weft_run(main_of_nonsense, NULL), 0);
}

static int main_of_fork(void *arg)
{
	int status = 0;
	pid_t pid;

	(void)arg;
	pid = fork();
	if (pid == 0)
		_exit(weft_dump_tasks(stdout) == -ESTALE ? 0 : 1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(dump, is_refused_in_a_forked_child)
{
	cr_expect_eq(weft_run(main_of_fork, NULL), 0);
}
