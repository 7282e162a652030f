/*
 * One step up a stack, by the unwind tables that every compiler writes (.eh_frame).
 *
 * The tables say, for each instruction, where the frame lies and which registers it keeps
 * where, so the step is exact also through code without frame pointers, libc's above all.
 * They are read through a peek: the library that holds them may be unloaded meanwhile. What
 * was found for an instruction is kept for the next stack that stands there.
 */
#ifndef WEFT_DEBUG_CFI_H
#define WEFT_DEBUG_CFI_H

#include "debug/peek.h"

/* Registers are numbered as in DWARF; beyond these are those that no frame is found by. */
enum {
#if defined(__x86_64__)
	CFI_FRAME_POINTER = 6,
	CFI_STACK_POINTER = 7,
	CFI_RETURN = 16,
	CFI_REGISTERS = 17,
#elif defined(__aarch64__)
	CFI_FRAME_POINTER = 29,
	CFI_STACK_POINTER = 31,
	CFI_RETURN = 30,
	CFI_REGISTERS = 32,
#else
	CFI_FRAME_POINTER = 0,
	CFI_STACK_POINTER = 1,
	CFI_RETURN = 2,
	CFI_REGISTERS = 3,
#endif
};

struct registers {
	uint64_t value[CFI_REGISTERS];
	uint64_t known; /* a bit for each */
	uint64_t pc;
	bool is_return; /* pc is where a call returns to, not where the thread is */
};

static inline bool register_is_known(const struct registers *registers, unsigned number)
{
	return number < CFI_REGISTERS && (registers->known >> number & 1);
}

static inline void register_set(struct registers *registers, unsigned number,
				uint64_t value)
{
	if (number < CFI_REGISTERS) {
		registers->value[number] = value;
		registers->known |= (uint64_t)1 << number;
	}
}

/* Where the caller's registers are, at one instruction. */
struct cfi_rules {
	int64_t value[CFI_REGISTERS];
	uint8_t kind[CFI_REGISTERS];
	uint64_t cfa_register;
	int64_t cfa_offset;
	uintptr_t cfa_expression; /* 0: register and offset */
	bool return_is_signed;
};

struct cfi_row {
	uint64_t pc; /* 0: not used */
	uint64_t function;
	unsigned return_register;
	bool is_signal; /* the caller was interrupted, and made no call */
	struct cfi_rules rules;
};

enum { CFI_ROWS = 64 };

struct cfi {
	struct peek code; /* tables and instructions */
	struct cfi_row rows[CFI_ROWS];
};

enum cfi_result {
	CFI_STEPPED, /* the registers are those of the caller */
	CFI_END, /* there is no caller, the tables say */
	CFI_LACKS, /* a register that is not known decides; they are unchanged */
	CFI_NONE, /* no tables for this code, or none that can be read; unchanged */
};

/* `cfi` is zeroed memory. */
void weft__cfi_init(struct cfi *cfi);
void weft__cfi_fini(struct cfi *cfi);

/* Was a step taken from there before, that is kept still? */
bool weft__cfi_knows(const struct cfi *cfi, const struct registers *registers);

/*
 * One step; `stack` reads the stack. `function`, unless CFI_NONE, receives where the code at
 * pc begins, as the tables count: mostly a function.
 */
enum cfi_result weft__cfi_step(struct cfi *cfi, struct peek *stack,
			       struct registers *registers, uint64_t *function);

#endif
