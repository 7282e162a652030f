/*
 * One step up a stack; cfi.h has the model. The tables' format is that of DWARF 5, chapter 6.4,
 * with the changes for .eh_frame of the Linux Standard Base 5.0, chapter 10.6.
 *
 * An FDE describes a range of code (cfi_entry.h) by a program that makes, instruction by
 * instruction, the rules for each register (cfi_rules.h); a rule may be an expression
 * (cfi_expression.h).
 */
#include "debug/cfi.h"

#include "debug/cfi_expression.h"
#include "debug/cfi_rules.h"

/* What a step reads from, and where it is. */
struct step {
	struct peek *code;
	struct peek *stack;
	const struct cfi_row *row;
	const struct registers *registers;
	uint64_t cfa;
};

static enum cfi_result calculate(const struct step *step, uintptr_t at,
				 const uint64_t *cfa, uint64_t *value)
{
	return weft__cfi_calculate(step->code, step->stack, step->registers, at, cfa,
				   value);
}

/* ---- The step ---- */

static enum cfi_result find_frame(struct step *step)
{
	const struct cfi_rules *rules = &step->row->rules;

	if (rules->cfa_expression)
		return calculate(step, rules->cfa_expression, NULL, &step->cfa);
	if (!register_is_known(step->registers, (unsigned)MIN(rules->cfa_register, 64u)))
		return CFI_LACKS;
	step->cfa =
		step->registers->value[rules->cfa_register] + (uint64_t)rules->cfa_offset;
	return CFI_STEPPED;
}

/* The caller's register, into `to`; unknown there if it cannot be found. */
static void recover(const struct step *step, unsigned number, struct registers *to)
{
	const struct cfi_rules *rules = &step->row->rules;
	const struct registers *from = step->registers;
	int64_t operand = rules->value[number];
	uint64_t at = step->cfa + (uint64_t)operand, value = 0;

	to->known &= ~((uint64_t)1 << number);
	switch (rules->kind[number]) {
	case RULE_SAME:
		if (register_is_known(from, number))
			register_set(to, number, from->value[number]);
		return;
	case RULE_REGISTER:
		if (operand >= 0 && register_is_known(from, (unsigned)MIN(operand, 64)))
			register_set(to, number, from->value[operand]);
		return;
	case RULE_VALUE_OFFSET:
		register_set(to, number, at);
		return;
	case RULE_VALUE_EXPRESSION:
		if (calculate(step, (uintptr_t)operand, &step->cfa, &value) ==
		    CFI_STEPPED)
			register_set(to, number, value);
		return;
	case RULE_EXPRESSION:
		if (calculate(step, (uintptr_t)operand, &step->cfa, &at) != CFI_STEPPED)
			return;
		break;
	case RULE_UNDEFINED:
		return;
	}
	if (weft__peek_word(step->stack, at, &value))
		register_set(to, number, value);
}

static enum cfi_result take_step(struct step *step, struct registers *registers)
{
	const unsigned link = step->row->return_register;
	struct registers caller = *registers;
	enum cfi_result result;

	if (step->row->rules.kind[link] == RULE_UNDEFINED)
		return CFI_END;
	result = find_frame(step);
	if (result != CFI_STEPPED)
		return result;
	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		recover(step, i, &caller);
	if (!register_is_known(&caller, link))
		return CFI_NONE;
	caller.pc = caller.value[link];
	if (step->row->rules.return_is_signed)
		caller.pc &= ((uint64_t)1 << 48) - 1;
	register_set(&caller, CFI_STACK_POINTER, step->cfa);
	caller.is_return = !step->row->is_signal;
	*registers = caller;
	return CFI_STEPPED;
}

/* ---- Rows ---- */

/* Runs the programs for the instruction at `pc`. */
static bool make_row(struct cfi *cfi, uint64_t pc, struct cfi_row *row)
{
	struct cfi_entry entry;
	struct cfi_rules rules;

	if (!weft__cfi_entry_find(&cfi->code, pc, &entry) ||
	    entry.return_register >= CFI_REGISTERS ||
	    !weft__cfi_rules_make(&entry, pc, &rules))
		return false;
	*row = (struct cfi_row){ .pc = pc,
				 .function = entry.start,
				 .return_register = entry.return_register,
				 .is_signal = entry.is_signal,
				 .rules = rules };
	return true;
}

static size_t slot_of(uint64_t pc)
{
	return (pc * 0x9e3779b97f4a7c15) >> 58 & (CFI_ROWS - 1);
}

bool weft__cfi_knows(const struct cfi *cfi, const struct registers *registers)
{
	uint64_t pc = registers->pc - registers->is_return;

	return cfi->rows[slot_of(pc)].pc == pc;
}

static const struct cfi_row *find_row(struct cfi *cfi, uint64_t pc)
{
	struct cfi_row *row = &cfi->rows[slot_of(pc)];

	if (row->pc == pc && pc)
		return row;
	row->pc = 0;
	return make_row(cfi, pc, row) ? row : NULL;
}

void weft__cfi_init(struct cfi *cfi)
{
	weft__peek_init(&cfi->code);
}

void weft__cfi_fini(struct cfi *cfi)
{
	weft__peek_fini(&cfi->code);
}

enum cfi_result weft__cfi_step(struct cfi *cfi, struct peek *stack,
			       struct registers *registers, uint64_t *function)
{
	const struct cfi_row *row = find_row(cfi, registers->pc - registers->is_return);
	struct step step = {
		.code = &cfi->code, .stack = stack, .row = row, .registers = registers
	};

	if (!row)
		return CFI_NONE;
	*function = row->function;
	return take_step(&step, registers);
}
