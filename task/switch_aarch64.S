/*
 * The context switch for AArch64 (AAPCS64); switch.h has the contract.
 *
 * Callee-saved are x19 to x28, the frame pointer x29, the link register x30, and the low halves
 * of v8 to v15. The last step is a branch to a register that is not x30, so that the return
 * predictor is left alone. Every step has its unwind information.
 */
	.text

#define FRAME 160

	.globl	weft__switch
	.hidden	weft__switch
	.type	weft__switch, %function
	.p2align 4
weft__switch:
	.cfi_startproc
	sub	sp, sp, #FRAME
	.cfi_def_cfa_offset FRAME
	stp	x29, x30, [sp, #0]
	.cfi_offset x29, -FRAME
	.cfi_offset x30, -FRAME + 8
	stp	x19, x20, [sp, #16]
	.cfi_offset x19, -FRAME + 16
	.cfi_offset x20, -FRAME + 24
	stp	x21, x22, [sp, #32]
	.cfi_offset x21, -FRAME + 32
	.cfi_offset x22, -FRAME + 40
	stp	x23, x24, [sp, #48]
	.cfi_offset x23, -FRAME + 48
	.cfi_offset x24, -FRAME + 56
	stp	x25, x26, [sp, #64]
	.cfi_offset x25, -FRAME + 64
	.cfi_offset x26, -FRAME + 72
	stp	x27, x28, [sp, #80]
	.cfi_offset x27, -FRAME + 80
	.cfi_offset x28, -FRAME + 88
	stp	d8, d9, [sp, #96]
	.cfi_offset d8, -FRAME + 96
	.cfi_offset d9, -FRAME + 104
	stp	d10, d11, [sp, #112]
	.cfi_offset d10, -FRAME + 112
	.cfi_offset d11, -FRAME + 120
	stp	d12, d13, [sp, #128]
	.cfi_offset d12, -FRAME + 128
	.cfi_offset d13, -FRAME + 136
	stp	d14, d15, [sp, #144]
	.cfi_offset d14, -FRAME + 144
	.cfi_offset d15, -FRAME + 152
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	mov	x0, x2
	ldp	d14, d15, [sp, #144]
	ldp	d12, d13, [sp, #128]
	ldp	d10, d11, [sp, #112]
	ldp	d8, d9, [sp, #96]
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp, #0]
	.cfi_restore x29
	.cfi_restore x30
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore d8
	.cfi_restore d9
	.cfi_restore d10
	.cfi_restore d11
	.cfi_restore d12
	.cfi_restore d13
	.cfi_restore d14
	.cfi_restore d15
	add	sp, sp, #FRAME
	.cfi_def_cfa_offset 0
	mov	x9, x30
	br	x9
	.cfi_endproc
	.size	weft__switch, . - weft__switch

/*
 * The first entry of a stack: x0 has what was passed, x19 the function. The undefined x30 tells
 * every unwinder that this is the outermost frame; for the nop see switch_x86_64.S.
 */
	.type	weft__stack_start, %function
	.p2align 4
weft__stack_start:
	.cfi_startproc
	.cfi_undefined x30
	.cfi_undefined x29
	nop
	.globl	weft__stack_entry
	.hidden	weft__stack_entry
weft__stack_entry:
	mov	x29, #0
	mov	x30, #0
	blr	x19
	brk	#0
	.cfi_endproc
	.size	weft__stack_start, . - weft__stack_start

/* void *weft__switch_prepare(void *top, void (*fn)(void *)) */
	.globl	weft__switch_prepare
	.hidden	weft__switch_prepare
	.type	weft__switch_prepare, %function
	.p2align 4
weft__switch_prepare:
	.cfi_startproc
	and	x0, x0, #-16
	sub	x0, x0, #FRAME
	mov	x9, #FRAME
	mov	x10, x0
1:	stp	xzr, xzr, [x10], #16
	subs	x9, x9, #16
	b.ne	1b
	adrp	x9, weft__stack_entry
	add	x9, x9, :lo12:weft__stack_entry
	str	x9, [x0, #8]		/* x30: where the switch goes on */
	str	x1, [x0, #16]		/* x19 */
	ret
	.cfi_endproc
	.size	weft__switch_prepare, . - weft__switch_prepare

/* struct switch_layout: what the stores above leave; d8 to d15 are 72 to 79 */
	.section .rodata
	.globl	weft__switch_layout
	.hidden	weft__switch_layout
	.type	weft__switch_layout, %object
	.p2align 3
weft__switch_layout:
	.short	20, 8, 0, FRAME
	.short	29, 0, 30, 8
	.short	19, 16, 20, 24, 21, 32, 22, 40, 23, 48, 24, 56, 25, 64, 26, 72, 27, 80, 28, 88
	.short	72, 96, 73, 104, 74, 112, 75, 120, 76, 128, 77, 136, 78, 144, 79, 152
	.zero	12 * 4
	.size	weft__switch_layout, . - weft__switch_layout

	.section .note.GNU-stack, "", %progbits
