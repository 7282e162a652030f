/*
 * The context switch for x86-64 (System V ABI); switch.h has the contract.
 *
 * Six registers are callee-saved. The last step is pop and jmp instead of ret: the return-stack
 * predictor never knows where another stack goes on, and a mispredicted return costs five times
 * the rest of the switch. Every push and pop has its unwind information, so a debugger shows the
 * right stack at every instruction. No shadow stack is switched, so the object does not carry the
 * property that would claim it (CET).
 */
	.text

	.globl	weft__switch
	.hidden	weft__switch
	.type	weft__switch, @function
	.p2align 4
weft__switch:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	movq	%rdx, %rax
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	jmp	*%rcx
	.cfi_endproc
	.size	weft__switch, . - weft__switch

/*
 * The first entry of a stack: rax has what was passed, r12 the function. The undefined rip tells
 * every unwinder that this is the outermost frame. Unwinders look up a return address minus one,
 * hence the nop: a stack that has not begun "returns" to weft__stack_entry and must still be
 * found in this function.
 */
	.type	weft__stack_start, @function
	.p2align 4
weft__stack_start:
	.cfi_startproc
	.cfi_undefined rip
	.cfi_undefined rbp
	nop
	.globl	weft__stack_entry
	.hidden	weft__stack_entry
weft__stack_entry:
	xorl	%ebp, %ebp
	movq	%rax, %rdi
	call	*%r12
	ud2
	.cfi_endproc
	.size	weft__stack_start, . - weft__stack_start

/* void *weft__switch_prepare(void *top, void (*fn)(void *)) */
	.globl	weft__switch_prepare
	.hidden	weft__switch_prepare
	.type	weft__switch_prepare, @function
	.p2align 4
weft__switch_prepare:
	.cfi_startproc
	andq	$-16, %rdi
	leaq	weft__stack_entry(%rip), %rax
	movq	$0, -8(%rdi)
	movq	$0, -16(%rdi)
	movq	%rax, -24(%rdi)		/* where the switch goes on */
	movq	$0, -32(%rdi)		/* rbp */
	movq	$0, -40(%rdi)		/* rbx */
	movq	%rsi, -48(%rdi)		/* r12 */
	movq	$0, -56(%rdi)		/* r13 */
	movq	$0, -64(%rdi)		/* r14 */
	movq	$0, -72(%rdi)		/* r15 */
	leaq	-72(%rdi), %rax
	ret
	.cfi_endproc
	.size	weft__switch_prepare, . - weft__switch_prepare

/* struct switch_layout: what the pushes above leave */
	.section .rodata
	.globl	weft__switch_layout
	.hidden	weft__switch_layout
	.type	weft__switch_layout, @object
	.p2align 3
weft__switch_layout:
	.short	6, 48, 0, 56
	.short	15, 0			/* r15 */
	.short	14, 8
	.short	13, 16
	.short	12, 24
	.short	3, 32			/* rbx */
	.short	6, 40			/* rbp */
	.zero	26 * 4
	.size	weft__switch_layout, . - weft__switch_layout

	.section .note.GNU-stack, "", @progbits
