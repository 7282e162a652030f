/*
 * Running an expression; cfi_expression.h has the model.
 */
#include "debug/cfi_expression.h"

#include "debug/cfi_reader.h"

enum { MOST_STACK = 8, LONGEST_EXPRESSION = 256 };

/* DW_OP_, as far as compilers and linkers use them in unwind tables. */
enum {
	OP_DEREFERENCE = 0x06,
	OP_CONSTANT_1 = 0x08,
	OP_CONSTANT_1_SIGNED = 0x09,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_PLUS = 0x22,
	OP_PLUS_CONSTANT = 0x23,
	OP_SHIFT_LEFT = 0x24,
	OP_GREATER_EQUAL = 0x2a,
	OP_LITERAL_0 = 0x30,
	OP_LITERAL_31 = 0x4f,
	OP_REGISTER_0 = 0x70, /* plus an offset */
	OP_REGISTER_31 = 0x8f,
};

struct calculation {
	struct reader in;
	struct peek *stack_peek;
	const struct registers *registers;
	uint64_t stack[MOST_STACK];
	unsigned depth;
	bool lacks; /* a register that is not known */
};

static void push(struct calculation *calculation, uint64_t value)
{
	if (calculation->depth == MOST_STACK)
		calculation->in.broken = true;
	else
		calculation->stack[calculation->depth++] = value;
}

static uint64_t pop(struct calculation *calculation)
{
	if (calculation->depth == 0) {
		calculation->in.broken = true;
		return 0;
	}
	return calculation->stack[--calculation->depth];
}

static void push_register(struct calculation *calculation, unsigned number)
{
	const struct registers *registers = calculation->registers;
	int64_t offset = reader_take_signed(&calculation->in);

	if (CFI_RETURN == 16 && number == CFI_RETURN) { /* x86-64: means the pc here */
		push(calculation, registers->pc + (uint64_t)offset);
	} else if (register_is_known(registers, number)) {
		push(calculation, registers->value[number] + (uint64_t)offset);
	} else {
		calculation->lacks = true;
		calculation->in.broken = true;
	}
}

static void dereference(struct calculation *calculation)
{
	uint64_t word = 0;

	if (!weft__peek_word(calculation->stack_peek, pop(calculation), &word))
		calculation->in.broken = true;
	push(calculation, word);
}

static void run_binary(struct calculation *calculation, unsigned op)
{
	uint64_t b = pop(calculation), a = pop(calculation);

	switch (op) {
	case OP_AND:
		push(calculation, a & b);
		break;
	case OP_MINUS:
		push(calculation, a - b);
		break;
	case OP_PLUS:
		push(calculation, a + b);
		break;
	case OP_SHIFT_LEFT:
		push(calculation, b < 64 ? a << b : 0);
		break;
	case OP_GREATER_EQUAL:
		push(calculation, (int64_t)a >= (int64_t)b);
		break;
	default:
		calculation->in.broken = true;
	}
}

static void run_op(struct calculation *calculation)
{
	struct reader *in = &calculation->in;
	unsigned op = (unsigned)reader_take(in, 1);

	if (op >= OP_LITERAL_0 && op <= OP_LITERAL_31)
		push(calculation, op - OP_LITERAL_0);
	else if (op >= OP_REGISTER_0 && op <= OP_REGISTER_31)
		push_register(calculation, op - OP_REGISTER_0);
	else if (op == OP_DEREFERENCE)
		dereference(calculation);
	else if (op == OP_CONSTANT_1)
		push(calculation, reader_take(in, 1));
	else if (op == OP_CONSTANT_1_SIGNED)
		push(calculation, (uint64_t)(int8_t)reader_take(in, 1));
	else if (op == OP_PLUS_CONSTANT)
		push(calculation, pop(calculation) + reader_take_unsigned(in));
	else
		run_binary(calculation, op);
}

enum cfi_result weft__cfi_calculate(struct peek *code, struct peek *stack,
				    const struct registers *registers, uintptr_t at,
				    const uint64_t *cfa, uint64_t *value)
{
	struct calculation calculation = {
		.in = { .peek = code, .at = at, .end = UINTPTR_MAX },
		.stack_peek = stack,
		.registers = registers,
	};
	uint64_t size = reader_take_unsigned(&calculation.in);

	if (size > LONGEST_EXPRESSION)
		return CFI_NONE;
	calculation.in.end = calculation.in.at + size;
	if (cfa)
		push(&calculation, *cfa);
	while (!calculation.in.broken && calculation.in.at < calculation.in.end)
		run_op(&calculation);
	*value = pop(&calculation);
	if (calculation.lacks)
		return CFI_LACKS;
	return calculation.in.broken ? CFI_NONE : CFI_STEPPED;
}
