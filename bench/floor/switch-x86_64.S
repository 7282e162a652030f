/*
 * The bare context switch for x86-64; see switch.h. Frame, from the stack pointer up:
 * r15 r14 r13 r12 rbx rbp, return address.
 */
	.text

	.macro	save_registers
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
	.endm

	.macro	load_registers
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
	.endm

	.globl	floor_switch
	.type	floor_switch, @function
	.p2align 4
floor_switch:
	.cfi_startproc
	save_registers
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	load_registers
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	jmp	*%rcx
	.cfi_endproc
	.size	floor_switch, . - floor_switch

	.globl	floor_switch_ret
	.type	floor_switch_ret, @function
	.p2align 4
floor_switch_ret:
	.cfi_startproc
	save_registers
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	load_registers
	ret
	.cfi_endproc
	.size	floor_switch_ret, . - floor_switch_ret

	/* r12: fn, r13: arg. The undefined rip ends every back trace here. */
	.globl	floor_stack_entry
	.type	floor_stack_start, @function
	.p2align 4
floor_stack_start:
	.cfi_startproc
	.cfi_undefined rip
	nop /* unwinders look up a return address minus one */
floor_stack_entry:
	xorl	%ebp, %ebp
	movq	%r13, %rdi
	call	*%r12
	ud2
	.cfi_endproc
	.size	floor_stack_start, . - floor_stack_start

	/* void *floor_stack_prepare(void *top, void (*fn)(void *), void *arg) */
	.globl	floor_stack_prepare
	.type	floor_stack_prepare, @function
	.p2align 4
floor_stack_prepare:
	.cfi_startproc
	andq	$-16, %rdi
	leaq	-72(%rdi), %rax /* the entry then runs with its stack aligned to 16 */
	leaq	floor_stack_entry(%rip), %rcx
	movq	$0, 0(%rax)
	movq	$0, 8(%rax)
	movq	%rdx, 16(%rax)
	movq	%rsi, 24(%rax)
	movq	$0, 32(%rax)
	movq	$0, 40(%rax)
	movq	%rcx, 48(%rax)
	ret
	.cfi_endproc
	.size	floor_stack_prepare, . - floor_stack_prepare
	.section .note.GNU-stack, "", %progbits
