/*
 * The context switch: from one stack to another, within one thread.
 *
 * weft__switch() saves the callee-saved registers on the current stack, publishes the
 * stack pointer and goes on where the other stack left off. No system call, no signal
 * mask, and no floating-point control words: a task must not leave those changed across a
 * wait.
 *
 * There is one implementation for each CPU (switch_x86_64.S, switch_aarch64.S) and one
 * for all others (switch_ucontext.c); configure chooses.
 */
#ifndef WEFT_TASK_SWITCH_H
#define WEFT_TASK_SWITCH_H

#include <stdint.h>

/*
 * Leaves the current stack, with its pointer in *save, and goes on at `to`, where the
 * switch returns `arg`. Returns, with what is passed then, when somebody switches back.
 */
void *weft__switch(void **save, void *to, void *arg);

/*
 * weft__switch(), as the scheduler uses it. A call whose return never comes leaves a
 * wrong entry in the CPU's return predictor, and every return of the waiting function's
 * callers is then mispredicted: that costs twice what the switch does. So, where that is
 * known to help, the switch is entered by a jump. The first step of the stack pointer keeps
 * away from the red zone.
 *
 * The compiler does not see the steps of the stack pointer and would describe the frame
 * wrongly in the midst of them, unless it describes it by the frame pointer. A leaf has none,
 * whatever the flags; asking for its address makes it have one. So a debugger is right at
 * every instruction, and the chain of frame pointers has every function that waits.
 */
#if defined(__x86_64__) && defined(WEFT_SWITCH_ASM)

enum {
	SWITCH_SAVED = 56, /* bytes at the pointer of a stack that was left */
	SWITCH_LEFT = SWITCH_SAVED + 128, /* from there, the frame of who left it */
};

/* What a call may change and an older CPU does not have. */
#ifdef __AVX512F__
#define SWITCH_CLOBBERS_MORE                                                            \
	, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",       \
		"xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", \
		"k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define SWITCH_CLOBBERS_MORE
#endif

__attribute__((always_inline)) static inline void *switch_stacks(void **save, void *to,
								 void *arg)
{
	void *frame = __builtin_frame_address(0);
	void *passed;

	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "jmp weft__switch\n"
			 "1:\tleaq 128(%%rsp), %%rsp"
			 : "=a"(passed), "+D"(save), "+S"(to), "+d"(arg), "+c"(frame)
			 :
			 : "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1",
			   "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
			   "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			   "xmm15" SWITCH_CLOBBERS_MORE);
	return passed;
}
#else

enum { SWITCH_SAVED = 160, SWITCH_LEFT = SWITCH_SAVED };

static inline void *switch_stacks(void **save, void *to, void *arg)
{
	return weft__switch(save, to, arg);
}
#endif

/*
 * Lays out the first frame below `top`: the first switch to what is returned calls fn,
 * whose argument is the `arg` of that switch. fn must not return.
 */
void *weft__switch_prepare(void *top, void (*fn)(void *arg));

/* ---- Looking at a stack that was left ---- */

/* A register by its number in DWARF, and how far above the saved stack pointer it lies. */
struct saved_register {
	uint16_t number;
	uint16_t at;
};

/*
 * What a saved stack pointer points to, for whoever looks at a stack without running on it:
 * dumps and debuggers. Each implementation has one.
 */
struct switch_layout {
	uint16_t n_registers; /* 0: nobody knows on this machine */
	uint16_t pc_at; /* where it goes on */
	uint16_t sp_at; /* the stack pointer then, if it is saved; else 0 */
	uint16_t sp_above; /* and if not: so far above the saved one */
	struct saved_register registers[32];
};

extern const struct switch_layout weft__switch_layout;

#endif
