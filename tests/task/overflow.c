/*
 * task/overflow: a stack that is used up is told of in words; other crashes are left alone.
 *
 * Each case runs in a child process, whose end and whose words are looked at.
 */
#include "task/overflow.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/group.h>

#include "task/task.h"
#include "tests/child.h"
#include "tests/test.h"

/* Where an overflow cannot be told, or not by us. */
static const char *why_not(void)
{
	const char *guard = getenv("WEFT_STACK_GUARD");

	if (guard && strcmp(guard, "none") == 0)
		return "there are no guards";
	if (test_build_is("valgrind"))
		return "valgrind handles the fault itself";
	return NULL;
}

#define skip_unless_told()                             \
	do {                                           \
		if (why_not())                         \
			cr_skip_test("%s", why_not()); \
	} while (0)

/* A sanitizer's handler would go on from us to a report of its own. */
static void begin(void)
{
	(void)signal(SIGSEGV, SIG_DFL);
}

/* ---- Ways to use up a stack ---- */

/* How deep: more than any stack holds, but the compiler must not know. */
static volatile int depth = 1 << 30;

__attribute__((noinline)) static int recurse(int left)
{
	volatile char frame[512];

	frame[0] = (char)left;
	return left > 0 ? recurse(left - 1) + frame[0] : 0;
}

static int recursive(void *arg)
{
	(void)arg;
	return recurse(depth);
}

__attribute__((noinline)) static int fill(size_t size)
{
	volatile char *array = __builtin_alloca(size);

	for (size_t i = 0; i < size; i += 100)
		array[i] = 1;
	return array[size / 2];
}

static int with_1_mib(void *arg)
{
	(void)arg;
	if (weft_yield() < 0) /* the neighbours go first */
		return -ECANCELED;
	return fill(1 << 20) != 1;
}

static int run_recursive(void *arg)
{
	(void)arg;
	begin();
	return weft_run(recursive, NULL);
}

/* ---- What is said ---- */

static int spawns_recursive(void *arg)
{
	weft_task *task;
	int r = weft_spawn_with(recursive, NULL, arg, &task);

	return r < 0 ? r : weft_task_join(task);
}

static int run_spawns_recursive(void *arg)
{
	begin();
	return weft_run(spawns_recursive, arg);
}

Test(overflow, names_the_task_and_what_to_change)
{
	static const struct {
		const char *name;
		struct weft_spawn_options options;
		const char *parts[8];
	} cases[] = {
		{ "the default",
		  { 0 },
		  { "weft: stack overflow in task \"recursive\" on loop \"loop-",
		    ", in recurse", "weft: it was spawned at spawns_recursive",
		    " and its stack has 192 KiB\n",
		    "weft: move large arrays to the heap, or spawn the task with "
		    ".stack_bytes = 1024 * 1024\n" } },
		{ "a small stack with a name",
		  { .name = "eater", .stack_bytes = 1 },
		  { "in task \"eater\"", "its stack has 64 KiB",
		    ".stack_bytes = 512 * 1024\n" } },
		{ "a large stack",
		  { .stack_bytes = 8 << 20 },
		  { "its stack has 8128 KiB", ".stack_bytes = 32768 * 1024\n" } },
	};

	skip_unless_told();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct weft_spawn_options options = cases[i].options;

		for (size_t k = 0; cases[i].parts[k]; k++) {
			/* Its own code may be what the stack was too small for. */
			if (test_build_is("tsan") &&
			    strcmp(cases[i].parts[k], ", in recurse") == 0)
				continue;
			expect_signal(run_spawns_recursive, &options, SIGSEGV,
				      cases[i].parts[k], cases[i].name);
		}
	}
}

Test(overflow, of_the_main_task_has_advice_that_fits)
{
	skip_unless_told();
	expect_signal(
		run_recursive, NULL, SIGSEGV,
		"or do this in a task of its own, spawned with .stack_bytes = ", "main");
}

static int on_loop_thread(void *arg)
{
	weft_loops *loops;

	(void)arg;
	begin();
	if (weft_loops_new(2, NULL, &loops) < 0 ||
	    weft_spawn_on(weft_loops_get(loops, 1), recursive, NULL, NULL) < 0)
		return 1;
	pause();
	return 0;
}

Test(overflow, is_told_on_every_loop_thread)
{
	skip_unless_told();
	expect_signal(on_loop_thread, NULL, SIGSEGV,
		      "stack overflow in task \"recursive\"", "a thread of weft_loops");
}

/* ---- Large arrays ---- */

static int receive_64_kib(void *arg)
{
	char buffer[65536];
	int *ends = arg;
	ssize_t n = recv(ends[0], buffer, sizeof(buffer), MSG_WAITALL);

	for (ssize_t i = 0; i < n; i++) {
		if (buffer[i] != 'w')
			return -EIO;
	}
	return (int)n;
}

Test(overflow, a_buffer_of_64_kib_fits_the_default_stack)
{
	static char bytes[65536];
	int ends[2];

	memset(bytes, 'w', sizeof(bytes));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(write(ends[1], bytes, sizeof(bytes)), sizeof(bytes));
	cr_expect_eq(weft_run(receive_64_kib, ends), 65536);
	close(ends[0]);
	close(ends[1]);
}

/* A task whose whole stack has a pattern, above and below the one that overflows. */
static const char *neighbours[2];
static size_t n_neighbours; /* that have their pattern */

enum { PATTERN_BYTES = 100 * 1024 };

__attribute__((noinline)) static int wait_on_pattern(void)
{
	char pattern[PATTERN_BYTES];

	memset(pattern, 'n', sizeof(pattern));
	neighbours[n_neighbours++] = pattern;
	__asm__ volatile("" : : "r"(pattern) : "memory");
	return weft_sleep(3600 * WEFT_SEC);
}

static int neighbour(void *arg)
{
	(void)arg;
	return wait_on_pattern();
}

/* Whoever handled faults before: looks at the neighbours, after the message. */
static void look_at_neighbours(int signo)
{
	static const char intact[] = "the neighbours are intact\n";

	if (n_neighbours != 2)
		_exit(2);
	for (size_t i = 0; i < n_neighbours; i++) {
		for (size_t k = 0; k < PATTERN_BYTES; k++) {
			if (neighbours[i][k] != 'n')
				_exit(1);
		}
	}
	(void)!write(STDERR_FILENO, intact, sizeof(intact) - 1);
	begin();
	(void)raise(signo);
}

static int between_neighbours(void *arg)
{
	(void)arg;
	if (weft_spawn(neighbour, NULL, NULL) < 0 ||
	    weft_spawn(with_1_mib, NULL, NULL) < 0 ||
	    weft_spawn(neighbour, NULL, NULL) < 0)
		return -ENOMEM;
	return weft_sleep(3600 * WEFT_SEC);
}

static int run_between_neighbours(void *arg)
{
	(void)arg;
	(void)signal(SIGSEGV, look_at_neighbours);
	return weft_run(between_neighbours, NULL);
}

Test(overflow, by_an_array_of_1_mib_leaves_the_neighbours_untouched)
{
	struct child child;

	skip_unless_told();
	child_run(&child, run_between_neighbours, NULL);
	cr_expect(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGSEGV, "%s",
		  child.text);
	cr_expect(strstr(child.text, "stack overflow in task \"with_1_mib\""), "%s",
		  child.text);
	cr_expect(strstr(child.text, "the neighbours are intact"), "%s", child.text);
}

/* ---- System calls ---- */

static int reads_into_guard(void *arg)
{
	const weft_task *me = task_current();

	(void)arg;
	weft__overflow_tell(NULL);
	weft__overflow_tell(&me);
	weft__overflow_tell((const char *)me->fibre.low);
	weft__overflow_tell((const char *)me->fibre.low - STACK_GUARD - 1);
	fputs("not yet\n", stderr);
	weft__overflow_tell((const char *)me->fibre.low - 1);
	fputs("too late\n", stderr);
	return 0;
}

static int run_reads_into_guard(void *arg)
{
	(void)arg;
	begin();
	weft__overflow_tell(NULL); /* no task: nothing */
	return weft_run(reads_into_guard, NULL);
}

Test(overflow, is_told_when_a_system_call_found_it)
{
	struct child child;

	skip_unless_told();
	child_run(&child, run_reads_into_guard, NULL);
	cr_expect(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGSEGV, "%s",
		  child.text);
	cr_expect(strstr(child.text, "not yet\nweft: stack overflow in task"), "%s",
		  child.text);
	cr_expect_null(strstr(child.text, "too late"), "%s", child.text);
}

/* ---- Other crashes ---- */

static int *volatile nowhere;

/* A sanitizer that sees the NULL pointer first would speak of it. */
__attribute__((no_sanitize("undefined"))) static int writes_nowhere(void *arg)
{
	(void)arg;
	*nowhere = 1;
	return 0;
}

static int sends_itself_the_signal(void *arg)
{
	(void)arg;
	kill(getpid(), SIGSEGV);
	return weft_sleep(10 * WEFT_MSEC);
}

static int crash(void *arg)
{
	begin();
	return weft_run(*(weft_fn **)arg, NULL);
}

Test(overflow, other_crashes_are_what_they_were)
{
	static const struct {
		const char *name;
		weft_fn *fn;
	} cases[] = {
		{ "a NULL pointer", writes_nowhere },
		{ "a signal that was sent", sends_itself_the_signal },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_fn *fn = cases[i].fn;
		struct child child;

		child_run(&child, crash, &fn);
		cr_expect(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGSEGV,
			  "%s: %s", cases[i].name, child.text);
		cr_expect_null(strstr(child.text, "weft:"), "%s: %s", cases[i].name,
			       child.text);
	}
}

static void handle_before(int signo, siginfo_t *info, void *context)
{
	static const char seen[] = "handled as before\n";
	sigset_t blocked;

	(void)context;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	if (signo == SIGSEGV && info->si_addr == NULL && sigismember(&blocked, SIGSEGV) &&
	    sigismember(&blocked, SIGUSR1))
		(void)!write(STDERR_FILENO, seen, sizeof(seen) - 1);
	_exit(7);
}

static int crash_with_handler(void *arg)
{
	struct sigaction action = { .sa_sigaction = handle_before,
				    .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(SIGSEGV, &action, NULL);
	return weft_run(writes_nowhere, arg);
}

Test(overflow, other_faults_go_to_who_handled_them_before)
{
	struct child child;

	if (test_build_is("valgrind"))
		cr_skip_test("valgrind counts what the child leaves behind as a failure");
	child_run(&child, crash_with_handler, NULL);
	cr_expect(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 7, "%s",
		  child.text);
	cr_expect_str_eq(child.text, "handled as before\n");
}

static void return_from_fault(int signo)
{
	(void)signo;
}

static int overflow_with_handler_that_returns(void *arg)
{
	(void)signal(SIGSEGV, return_from_fault);
	return weft_run(recursive, arg);
}

Test(overflow, ends_also_if_the_handler_before_returns)
{
	skip_unless_told();
	expect_signal(overflow_with_handler_that_returns, NULL, SIGSEGV, "stack overflow",
		      "a handler that returns");
}

static int refused(void *arg)
{
	(void)arg;
	begin();
	setenv("WEFT_NO_SEGV", "1", 1);
	return weft_run(recursive, NULL);
}

Test(overflow, is_a_bare_crash_where_the_handler_is_not_wanted)
{
	struct child child;

	skip_unless_told();
	child_run(&child, refused, NULL);
	cr_expect(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGSEGV);
	if (!test_build_is("aarch64")) /* whose emulator says something of its own */
		cr_expect_str_eq(child.text, "");
}

/* ---- Alternate stacks ---- */

static char own_stack[256 * 1024];

static int return_0(void *arg)
{
	(void)arg;
	return 0;
}

Test(overflow, a_thread_keeps_the_alternate_stack_that_it_has)
{
	stack_t own = { .ss_sp = own_stack, .ss_size = sizeof(own_stack) }, now;

	cr_assert_eq(sigaltstack(&own, NULL), 0);
	cr_expect_eq(weft_run(return_0, NULL), 0);
	cr_assert_eq(sigaltstack(NULL, &now), 0);
	cr_expect_eq(now.ss_sp, own_stack);
}

static int overflow_on_own_alternate(void *arg)
{
	stack_t own = { .ss_sp = own_stack, .ss_size = sizeof(own_stack) };

	begin();
	return sigaltstack(&own, NULL) < 0 ? 1 : weft_run(recursive, arg);
}

Test(overflow, is_told_on_an_alternate_stack_of_the_users)
{
	skip_unless_told();
	expect_signal(overflow_on_own_alternate, NULL, SIGSEGV, "stack overflow", "own");
}
