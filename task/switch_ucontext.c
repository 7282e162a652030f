/*
 * The context switch for CPUs without one of their own; switch.h has the contract.
 *
 * ucontext's, two system calls each. The context lies on the stack that is left, so a
 * saved stack pointer is the context's address, as it is the frame's in the assembly
 * versions.
 */
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "task/switch.h"

/* What the switch under way passes on. */
static _Thread_local void *passed;

void *weft__switch(void **save, void *to, void *arg)
{
	ucontext_t here;

	*save = &here;
	passed = arg;
	(void)swapcontext(&here, to); /* fails only for a broken context */
	return passed;
}

/* Tells unwinders that this is the outermost frame; what libc lays out below is not known to
 * them. */
#if defined(__x86_64__)
#define OUTERMOST_FRAME() __asm__ volatile(".cfi_undefined rip")
#elif defined(__aarch64__)
#define OUTERMOST_FRAME() __asm__ volatile(".cfi_undefined x30")
#else
#define OUTERMOST_FRAME() ((void)0)
#endif

/* makecontext() passes ints, so a pointer goes in two. */
static void weft__stack_entry(unsigned high, unsigned low)
{
	void (*fn)(void *) = (void (*)(void *))((uintptr_t)high << 32 | low);

	OUTERMOST_FRAME();
	fn(passed);
	__builtin_trap(); /* never reached; and the call above is not the last instruction */
}

#if defined(__x86_64__)
#define AT(name) offsetof(ucontext_t, uc_mcontext.gregs[REG_##name])
const struct switch_layout weft__switch_layout = {
	.n_registers = 6,
	.pc_at = AT(RIP),
	.sp_at = AT(RSP),
	.registers = { { 3, AT(RBX) },
		       { 6, AT(RBP) },
		       { 12, AT(R12) },
		       { 13, AT(R13) },
		       { 14, AT(R14) },
		       { 15, AT(R15) } },
};
#define FRAME_POINTER(context) (context)->uc_mcontext.gregs[REG_RBP]
#elif defined(__aarch64__)
#define AT(n)		       offsetof(ucontext_t, uc_mcontext.regs[n])
const struct switch_layout weft__switch_layout = {
	.n_registers = 12,
	.pc_at = offsetof(ucontext_t, uc_mcontext.pc),
	.sp_at = offsetof(ucontext_t, uc_mcontext.sp),
	.registers = { { 19, AT(19) },
		       { 20, AT(20) },
		       { 21, AT(21) },
		       { 22, AT(22) },
		       { 23, AT(23) },
		       { 24, AT(24) },
		       { 25, AT(25) },
		       { 26, AT(26) },
		       { 27, AT(27) },
		       { 28, AT(28) },
		       { 29, AT(29) },
		       { 30, AT(30) } },
};
#define FRAME_POINTER(context) (context)->uc_mcontext.regs[29]
#else
const struct switch_layout weft__switch_layout = { 0 };
#endif

void *weft__switch_prepare(void *top, void (*fn)(void *arg))
{
	ucontext_t *context =
		(ucontext_t *)(((uintptr_t)top - sizeof(ucontext_t)) & ~(uintptr_t)63);
	enum {
		ENOUGH = 32 * 1024
	}; /* only the top matters: makecontext() lays out a frame there */

	(void)getcontext(context);
	context->uc_stack.ss_sp = (char *)context - ENOUGH;
	context->uc_stack.ss_size = ENOUGH;
	context->uc_link = NULL;
#ifdef FRAME_POINTER
	FRAME_POINTER(context) = 0; /* where the chain of frames ends */
#endif
	makecontext(context, (void (*)(void))(void *)weft__stack_entry, 2,
		    (unsigned)((uintptr_t)fn >> 32), (unsigned)(uintptr_t)fn);
	return context;
}
