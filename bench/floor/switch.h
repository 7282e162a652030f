/*
 * The bare context switch: what is saved is a stack pointer, and what it points at.
 *
 * Ours and not weft's, so that the floor stays where it is when weft's switch changes.
 * For x86-64 and AArch64; any thread.
 */
#ifndef WEFT_BENCH_FLOOR_SWITCH_H
#define WEFT_BENCH_FLOOR_SWITCH_H

/* Saves the callee-saved registers on this stack, puts its address in *save, resumes
 * `to`. */
void floor_switch(void **save, void *to);

/*
 * The same, but it resumes by `ret`. The processor predicts that a return goes back to
 * the call before, so each switch is mispredicted: the price of that is a figure of its
 * own.
 */
void floor_switch_ret(void **save, void *to);

/* A stack that has not run: the first switch to it calls fn(arg), which never returns. */
void *floor_stack_prepare(void *top, void (*fn)(void *arg), void *arg);

/* Where a prepared stack begins. */
void floor_stack_entry(void);

#endif
