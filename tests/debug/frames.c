/*
 * debug/frames and debug/cfi: the calls that led to a place. What libgcc's unwinder finds
 * from the inside must be found from the outside, by registers alone.
 */
#include "debug/frames.h"

#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/place.h"
#include "debug/thread_look.h"
#include "task/task.h"
#include "tests/test.h"

static struct cfi cfi;
static struct peek peek;
static struct frames frames;
static void *expected[MOST_FRAMES];
static int n_expected;

static void begin(void)
{
	weft__cfi_init(&cfi);
	weft__peek_init(&peek);
}

static void end(void)
{
	weft__cfi_fini(&cfi);
	weft__peek_fini(&peek);
}

/* What is known of a place: all that a switch saves, or what the kernel tells of a sleeper. */
enum known { KNOWN_SAVED, KNOWN_SP };

static struct registers registers_of(const ucontext_t *context, enum known known)
{
	struct registers registers = { 0 };

#if defined(__x86_64__)
	static const int numbers[][2] = { { 3, REG_RBX },  { 6, REG_RBP },
					  { 12, REG_R12 }, { 13, REG_R13 },
					  { 14, REG_R14 }, { 15, REG_R15 } };
	const greg_t *saved = context->uc_mcontext.gregs;

	registers.pc = (uint64_t)saved[REG_RIP];
	register_set(&registers, CFI_STACK_POINTER, (uint64_t)saved[REG_RSP]);
	for (size_t i = 0; i < ARRAY_SIZE(numbers) && known == KNOWN_SAVED; i++)
		register_set(&registers, (unsigned)numbers[i][0],
			     (uint64_t)saved[numbers[i][1]]);
#elif defined(__aarch64__)
	registers.pc = context->uc_mcontext.pc;
	register_set(&registers, CFI_STACK_POINTER, context->uc_mcontext.sp);
	for (unsigned i = 19; i <= 30 && known == KNOWN_SAVED; i++)
		register_set(&registers, i, context->uc_mcontext.regs[i]);
#else
	(void)context;
	(void)known;
#endif
	return registers;
}

/* Looks from where it is called, both ways. */
__attribute__((noinline)) static void look(enum known known)
{
	ucontext_t context;
	struct registers registers;

	n_expected = backtrace(expected, MOST_FRAMES);
	cr_assert_eq(getcontext(&context), 0);
	registers = registers_of(&context, known);
	weft__peek_again(&peek);
	weft__frames_walk(&cfi, &peek, &registers,
			  (uintptr_t)registers.value[CFI_STACK_POINTER],
			  (uintptr_t)registers.value[CFI_STACK_POINTER] + 100000,
			  &frames);
}

/* From the caller of look() on all frames are the same, and n_least there are. */
static void expect_frames(size_t n_least, const char *name)
{
	size_t offset = 0; /* a sanitizer's backtrace() shows itself, too */

	cr_assert_ge(frames.n, n_least, "%s: %zu frames", name, frames.n);
	while (offset < 3 && (uint64_t)(uintptr_t)expected[offset + 1] != frames.of[1].pc)
		offset++;
	for (size_t i = 1; i < frames.n && i + offset < (size_t)n_expected; i++) {
		const void *wanted_pc = expected[i + offset];
		char found[128], wanted[128];

		weft__describe_code((const void *)frames.of[i].pc, found, sizeof(found));
		weft__describe_code(wanted_pc, wanted, sizeof(wanted));
		cr_expect_eq(frames.of[i].pc, (uint64_t)(uintptr_t)wanted_pc,
			     "%s: frame %zu is %s, not %s", name, i, found, wanted);
		cr_expect_not(frames.of[i].after_gap, "%s: frame %zu", name, i);
	}
}

static bool can_unwind(void)
{
	return CFI_REGISTERS > 3 && weft__unwind_header((const void *)(uintptr_t)look);
}

/* ---- Shapes of frames ---- */

static enum known way;

__attribute__((noinline)) static int leaf(int n)
{
	look(way);
	return n;
}

__attribute__((noinline)) static int with_large_frame(int n)
{
	volatile char array[3000];

	array[n] = 1;
	return leaf(n) + array[n];
}

__attribute__((noinline)) static int with_variable_frame(int n)
{
	volatile char *array = __builtin_alloca((size_t)n * 100 + 10);

	array[n] = 1;
	return with_large_frame(n) + array[n];
}

/* More alignment than the stack has: gcc describes the frame by an expression. */
__attribute__((noinline)) static int with_aligned_frame(int n)
{
	volatile alignas(128) char array[256];

	array[n] = 1;
	return with_variable_frame(n) + array[n];
}

__attribute__((noinline)) static int
with_many_arguments(int a, int b, int c, int d, int e, int f, int g, int h, int i)
{
	return with_aligned_frame(a) + b + c + d + e + f + g + h + i;
}

__attribute__((noinline)) static int deep(int depth)
{
	int r = depth > 0 ? deep(depth - 1)
			  : with_many_arguments(1, 2, 3, 4, 5, 6, 7, 8, 9);

	__asm__ volatile("");
	return r;
}

static int compare(const void *a, const void *b)
{
	if (n_expected == 0)
		(void)deep(2);
	return *(const int *)a - *(const int *)b;
}

/* libc's frames, without frame pointers, between ours. */
__attribute__((noinline)) static int through_libc(void)
{
	int numbers[] = { 3, 1, 2 };

	n_expected = 0;
	qsort(numbers, 3, sizeof(numbers[0]), compare);
	return numbers[0];
}

Test(frames, are_those_of_the_unwinder, .init = begin, .fini = end)
{
	if (!can_unwind())
		cr_skip_test("libc does not tell where the unwind tables are");
	way = KNOWN_SAVED;
	(void)deep(3);
	expect_frames(9, "ours");
	cr_expect_eq(through_libc(), 1);
	expect_frames(11, "libc's between ours");
	cr_expect(frames.is_complete, "up to where the thread begins");
}

Test(frames, are_found_by_the_stack_pointer_alone, .init = begin, .fini = end)
{
	if (!can_unwind())
		cr_skip_test("libc does not tell where the unwind tables are");
	if (test_build_is("asan") || test_build_is("tsan"))
		cr_skip_test("the sanitizer puts frames of its own between");
	way = KNOWN_SP;
	(void)deep(3);
	expect_frames(9, "ours");
}

Test(frames, end_where_the_stack_ends, .init = begin, .fini = end)
{
	struct registers registers;
	ucontext_t context;
	uintptr_t sp;

	cr_assert_eq(getcontext(&context), 0);
	registers = registers_of(&context, KNOWN_SAVED);
	sp = (uintptr_t)registers.value[CFI_STACK_POINTER];
	weft__frames_walk(&cfi, &peek, &registers, sp, sp + 16, &frames);
	cr_expect_eq(frames.n, 1, "a stack of 16 bytes");
	cr_expect_not(frames.is_complete);
	register_set(&registers, CFI_STACK_POINTER, 0);
	register_set(&registers, CFI_FRAME_POINTER, 0);
	weft__frames_walk(&cfi, &peek, &registers, 0, 4096, &frames);
	cr_expect_eq(frames.n, 1, "a stack at NULL");
}

Test(frames, of_nonsense_are_few, .init = begin, .fini = end)
{
	static uint64_t stack[512];
	struct registers registers = { .pc = (uint64_t)(uintptr_t)leaf };

	for (size_t i = 0; i < ARRAY_SIZE(stack); i++)
		stack[i] = (uint64_t)(uintptr_t)&stack[(i * 7) % ARRAY_SIZE(stack)];
	register_set(&registers, CFI_STACK_POINTER, (uintptr_t)stack);
	register_set(&registers, CFI_FRAME_POINTER, (uintptr_t)&stack[2]);
	weft__frames_walk(&cfi, &peek, &registers, (uintptr_t)stack,
			  (uintptr_t)(stack + ARRAY_SIZE(stack)), &frames);
	cr_expect_eq(frames.n, 1, "%zu frames", frames.n);
}

/* ---- Tasks ---- */

static int look_in_task(void *arg)
{
	(void)arg;
	way = KNOWN_SAVED;
	return deep(1) < 0;
}

Test(frames, of_a_task_end_at_its_entry, .init = begin, .fini = end)
{
	char name[64];

	if (!can_unwind())
		cr_skip_test("libc does not tell where the unwind tables are");
	cr_assert_eq(weft_run(look_in_task, NULL), 0);
	expect_frames(9, "in a task");
	cr_expect(frames.is_complete);
	weft__symbol_name((const void *)(frames.of[frames.n - 1].pc - 1), name,
			  sizeof(name));
	cr_expect(strstr(name, "weft__stack_"), "they end in %s", name);
}

static int backtrace_in_task(void *arg)
{
	(void)arg;
	n_expected = backtrace(expected, MOST_FRAMES);
	return 0;
}

Test(frames, of_backtrace_end_at_the_entry_of_a_task)
{
	char name[64];

	cr_assert_eq(weft_run(backtrace_in_task, NULL), 0);
	cr_assert_ge(n_expected, 3);
	cr_expect_lt(n_expected, 6);
	weft__symbol_name((const char *)expected[n_expected - 1] - 1, name, sizeof(name));
	cr_expect(strstr(name, "weft__stack_"), "they end in %s", name);
}

/* ---- Threads ---- */

static struct {
	int pipe[2];
	_Atomic(pid_t) tid; /* relaxed: watched */
} sleeper;

static void *sleep_in_read(void *arg)
{
	char byte;

	(void)arg;
	atomic_store_explicit(&sleeper.tid, gettid(), memory_order_relaxed);
	cr_expect_eq(read(sleeper.pipe[0], &byte, 1), 0);
	return NULL;
}

Test(thread_look, tells_sleepers_from_those_that_run)
{
	pthread_t thread;
	struct thread_look look;
	char name[64];
	pid_t tid;

	if (test_build_is("valgrind") || test_build_is("aarch64"))
		cr_skip_test("the kernel sees the emulator's threads only");
	cr_assert_eq(pipe(sleeper.pipe), 0);
	pthread_create(&thread, NULL, sleep_in_read, NULL);
	do {
		tid = atomic_load_explicit(&sleeper.tid, memory_order_relaxed);
		look = weft__thread_look(tid);
	} while (!tid || look.is != THREAD_ASLEEP);
	weft__symbol_name((const void *)look.pc, name, sizeof(name));
	cr_expect(strstr(name, "read"), "it sleeps in %s", name);

	close(sleeper.pipe[1]);
	pthread_join(thread, NULL);
	close(sleeper.pipe[0]);
	cr_expect_eq(weft__thread_look(tid).is, THREAD_HIDDEN, "it has ended");
	cr_expect_eq(weft__thread_look(-1).is, THREAD_HIDDEN, "no thread");
}
