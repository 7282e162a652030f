/*
 * The bare context switch for AArch64; see switch.h. Frame, from the stack pointer up:
 * x19 to x30, d8 to d15.
 */
	.text

	.macro	switch_stacks
	sub	sp, sp, #160
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x2, sp
	str	x2, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	.endm

	.globl	floor_switch
	.type	floor_switch, %function
	.p2align 4
floor_switch:
	switch_stacks
	br	x30
	.size	floor_switch, . - floor_switch

	.globl	floor_switch_ret
	.type	floor_switch_ret, %function
	.p2align 4
floor_switch_ret:
	switch_stacks
	ret
	.size	floor_switch_ret, . - floor_switch_ret

	/* x19: fn, x20: arg */
	.globl	floor_stack_entry
	.type	floor_stack_entry, %function
	.p2align 4
floor_stack_entry:
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x20
	blr	x19
	brk	#0
	.size	floor_stack_entry, . - floor_stack_entry

	/* void *floor_stack_prepare(void *top, void (*fn)(void *), void *arg) */
	.globl	floor_stack_prepare
	.type	floor_stack_prepare, %function
	.p2align 4
floor_stack_prepare:
	and	x3, x0, #-16
	sub	x0, x3, #160
	adrp	x4, floor_stack_entry
	add	x4, x4, :lo12:floor_stack_entry
	stp	x1, x2, [x0, #0]
	stp	xzr, x4, [x0, #80]
	ret
	.size	floor_stack_prepare, . - floor_stack_prepare
	.section .note.GNU-stack, "", %progbits
