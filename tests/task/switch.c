/*
 * task/switch*: from one stack to another and back.
 */
#include "task/switch.h"

#include <string.h>

#include "task/fibre.h"
#include "tests/test.h"

enum { STACK_BYTES = 64 * 1024 };

/*
 * Loads what a call must leave alone from `in`, switches, and stores what it finds in those
 * registers then in `out`.
 */
void switch_with_registers(void **save, void *to, void *arg, const uint64_t *in,
			   uint64_t *out);

#if defined(__x86_64__)
enum { N_KEPT = 6 };
__asm__("	.text\n"
	"	.globl switch_with_registers\n"
	"	.type switch_with_registers, @function\n"
	"switch_with_registers:\n"
	"	pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
	"	pushq %r8\n"
	"	movq (%rcx), %rbp; movq 8(%rcx), %rbx; movq 16(%rcx), %r12\n"
	"	movq 24(%rcx), %r13; movq 32(%rcx), %r14; movq 40(%rcx), %r15\n"
	"	call weft__switch\n"
	"	popq %r8\n"
	"	movq %rbp, (%r8); movq %rbx, 8(%r8); movq %r12, 16(%r8)\n"
	"	movq %r13, 24(%r8); movq %r14, 32(%r8); movq %r15, 40(%r8)\n"
	"	popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
	"	ret\n"
	"	.size switch_with_registers, . - switch_with_registers\n");
#elif defined(__aarch64__)
enum { N_KEPT = 19 };
__asm__("	.text\n"
	"	.globl switch_with_registers\n"
	"	.type switch_with_registers, %function\n"
	"switch_with_registers:\n"
	"	sub sp, sp, #176\n"
	"	stp x29, x30, [sp]; stp x19, x20, [sp, #16]; stp x21, x22, [sp, #32]\n"
	"	stp x23, x24, [sp, #48]; stp x25, x26, [sp, #64]; stp x27, x28, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]; stp d10, d11, [sp, #112]; stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]; str x4, [sp, #160]\n"
	"	ldp x19, x20, [x3]; ldp x21, x22, [x3, #16]; ldp x23, x24, [x3, #32]\n"
	"	ldp x25, x26, [x3, #48]; ldp x27, x28, [x3, #64]; ldr x29, [x3, #80]\n"
	"	ldp d8, d9, [x3, #88]; ldp d10, d11, [x3, #104]; ldp d12, d13, [x3, #120]\n"
	"	ldp d14, d15, [x3, #136]\n"
	"	bl weft__switch\n"
	"	ldr x4, [sp, #160]\n"
	"	stp x19, x20, [x4]; stp x21, x22, [x4, #16]; stp x23, x24, [x4, #32]\n"
	"	stp x25, x26, [x4, #48]; stp x27, x28, [x4, #64]; str x29, [x4, #80]\n"
	"	stp d8, d9, [x4, #88]; stp d10, d11, [x4, #104]; stp d12, d13, [x4, #120]\n"
	"	stp d14, d15, [x4, #136]\n"
	"	ldp x29, x30, [sp]; ldp x19, x20, [sp, #16]; ldp x21, x22, [sp, #32]\n"
	"	ldp x23, x24, [sp, #48]; ldp x25, x26, [sp, #64]; ldp x27, x28, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]; ldp d10, d11, [sp, #112]; ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #176\n"
	"	ret\n"
	"	.size switch_with_registers, . - switch_with_registers\n");
#else
enum { N_KEPT = 0 };
void switch_with_registers(void **save, void *to, void *arg, const uint64_t *in,
			   uint64_t *out)
{
	(void)in;
	(void)out;
	(void)weft__switch(save, to, arg);
}
#endif

/* The other stack, and what is to be known of both. */
static struct {
	char *memory;
	void *here, *there; /* saved stack pointers */
	struct fibre here_fibre, there_fibre;
	void *passed; /* to the other side */
	bool aligned;
	uint64_t found[N_KEPT + 1];
} other;

static void make_other(void (*fn)(void *arg))
{
	other.memory = aligned_alloc(4096, STACK_BYTES);
	cr_assert_not_null(other.memory);
	other.there = weft__switch_prepare(other.memory + STACK_BYTES, fn);
	fibre_init(&other.there_fibre, other.memory, STACK_BYTES);
	fibre_init_thread(&other.here_fibre);
}

static void *go_there(void *arg)
{
	void *passed;

	fibre_leave(&other.here_fibre, &other.there_fibre);
	passed = switch_stacks(&other.here, other.there, arg);
	fibre_arrive(&other.here_fibre, NULL);
	return passed;
}

static void *go_back(void *arg)
{
	void *passed;

	fibre_leave(&other.there_fibre, &other.here_fibre);
	passed = switch_stacks(&other.there, other.here, arg);
	fibre_arrive(&other.there_fibre, &other.here_fibre);
	return passed;
}

/* ---- Values ---- */

static void count_up(void *arg)
{
	fibre_arrive(&other.there_fibre, &other.here_fibre);
	for (;;)
		arg = go_back((char *)arg + 1);
}

Test(switch, passes_a_value_each_way)
{
	static char numbers[1001];

	make_other(count_up);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(go_there(numbers + i), numbers + i + 1, "switch %d", i);
	free(other.memory);
}

/* ---- The first entry ---- */

static void look_at_frame(void *arg)
{
	/* What the ABI promises to a function: vector instructions fault otherwise. */
	alignas(64) volatile char line[64];

	fibre_arrive(&other.there_fibre, &other.here_fibre);
	line[0] = 1;
	other.aligned = (uintptr_t)__builtin_frame_address(0) % 16 == 0 && line[0] == 1;
	other.passed = arg;
	for (;;)
		(void)go_back(NULL);
}

Test(switch, enters_a_new_stack_as_a_call_would)
{
	int value;

	make_other(look_at_frame);
	(void)go_there(&value);
	cr_expect(other.aligned);
	cr_expect_eq(other.passed, &value);
	free(other.memory);
}

/* ---- Registers ---- */

static void fill(uint64_t *values, uint64_t seed)
{
	for (uint64_t i = 0; i < N_KEPT; i++)
		values[i] = seed + (i << 32) + i;
}

static void use_all_registers(void *arg)
{
	uint64_t values[N_KEPT + 1] = { 0 };

	(void)arg;
	fibre_arrive(&other.there_fibre, &other.here_fibre);
	for (uint64_t round = 0;; round++) {
		fill(values, 0x5ca1ab1e00000000 + round);
		fibre_leave(&other.there_fibre, &other.here_fibre);
		switch_with_registers(&other.there, other.here, NULL, values,
				      other.found);
		fibre_arrive(&other.there_fibre, NULL);
		other.passed =
			memcmp(values, other.found, sizeof(values)) == 0 ? &other : NULL;
	}
}

Test(switch, keeps_the_registers_that_a_call_keeps)
{
	uint64_t values[N_KEPT + 1] = { 0 }, found[N_KEPT + 1] = { 0 };

	if (N_KEPT == 0)
		cr_skip_test("nobody told which registers these are on this machine");
	make_other(use_all_registers);
	for (uint64_t round = 0; round < 10; round++) {
		fill(values, 0xdecade0000000000 + round);
		fibre_leave(&other.here_fibre, &other.there_fibre);
		switch_with_registers(&other.here, other.there, NULL, values, found);
		fibre_arrive(&other.here_fibre, NULL);
		cr_expect_arr_eq(found, values, sizeof(values), "here, round %d",
				 (int)round);
		if (round > 0)
			cr_expect_eq(other.passed, &other, "there, round %d", (int)round);
	}
	free(other.memory);
}
