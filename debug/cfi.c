/*
 * Unwind tables; cfi.h has the model. Their format is that of DWARF 5, chapter 6.4, with
 * the changes for .eh_frame of the Linux Standard Base 5.0, chapter 10.6.
 *
 * An FDE describes a range of code by a program that makes, instruction by instruction, the
 * rules for each register; what FDEs have in common is a CIE. A sorted table leads from an
 * address to its FDE.
 */
#include "debug/cfi.h"

#include "base/place.h"

/* How a pointer is written: DW_EH_PE_. */
enum {
	ENCODING_ABSOLUTE = 0x00,
	ENCODING_UNSIGNED_4 = 0x03,
	ENCODING_SIGNED_4 = 0x0b,
	ENCODING_RELATIVE = 0x10, /* to the pointer itself */
	ENCODING_TABLE = 0x30, /* to the header */
	ENCODING_SIZE = 0x0f,
	ENCODING_BASE = 0x70,
};

/* DW_CFA_, those with an operand in their low bits first. */
enum {
	CFA_ADVANCE = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_ADVANCE_1 = 0x02,
	CFA_ADVANCE_2,
	CFA_ADVANCE_4,
	CFA_OFFSET_LONG,
	CFA_RESTORE_LONG,
	CFA_UNDEFINED,
	CFA_SAME,
	CFA_REGISTER,
	CFA_REMEMBER,
	CFA_RESTORE_STATE,
	CFA_DEF_CFA,
	CFA_DEF_CFA_REGISTER,
	CFA_DEF_CFA_OFFSET,
	CFA_DEF_CFA_EXPRESSION,
	CFA_EXPRESSION,
	CFA_OFFSET_SIGNED,
	CFA_DEF_CFA_SIGNED,
	CFA_DEF_CFA_OFFSET_SIGNED,
	CFA_VALUE_OFFSET,
	CFA_VALUE_OFFSET_SIGNED,
	CFA_VALUE_EXPRESSION,
	CFA_SIGN_RETURN = 0x2d, /* AArch64: the return address is signed, or no more */
	CFA_ARGUMENTS_SIZE = 0x2e,
};

enum { MOST_REMEMBERED = 4, MOST_STACK = 8, MOST_STEPS = 4096, LONGEST_EXPRESSION = 256 };

/* ---- Reading ---- */

struct reader {
	struct peek *peek;
	uintptr_t at;
	uintptr_t end;
	bool broken;
};

static uint64_t take(struct reader *in, size_t size)
{
	uint64_t value = 0;

	if (in->broken || in->at > in->end || size > in->end - in->at ||
	    !weft__peek_bytes(in->peek, in->at, &value, size)) {
		in->broken = true;
		in->at = in->end;
		return 0;
	}
	in->at += size;
	return value;
}

/* Seven bits a byte, the lowest first (LEB128). Return: how many bits there were. */
static unsigned take_sevens(struct reader *in, uint64_t *value)
{
	uint64_t byte;
	unsigned shift = 0;

	*value = 0;
	do {
		byte = take(in, 1);
		if (shift < 64)
			*value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return shift;
}

static uint64_t take_unsigned(struct reader *in)
{
	uint64_t value;

	(void)take_sevens(in, &value);
	return value;
}

static int64_t take_signed(struct reader *in)
{
	uint64_t value;
	unsigned n_bits = take_sevens(in, &value);

	if (n_bits < 64 && value >> (n_bits - 1))
		value |= ~(uint64_t)0 << n_bits;
	return (int64_t)value;
}

/* A pointer as its encoding says; `base` is the header's, for those relative to it. */
static uint64_t take_pointer(struct reader *in, unsigned encoding, uintptr_t base)
{
	uintptr_t at = in->at;
	uint64_t value;

	switch (encoding & ENCODING_SIZE) {
	case ENCODING_ABSOLUTE:
	case 0x04: /* 8 bytes, unsigned */
	case 0x0c: /* signed */
		value = take(in, 8);
		break;
	case ENCODING_UNSIGNED_4:
		value = take(in, 4);
		break;
	case ENCODING_SIGNED_4:
		value = (uint64_t)(int64_t)(int32_t)take(in, 4);
		break;
	default:
		in->broken = true;
		return 0;
	}
	switch (encoding & ENCODING_BASE) {
	case ENCODING_ABSOLUTE:
		return value;
	case ENCODING_RELATIVE:
		return value + at;
	case ENCODING_TABLE:
		return value + base;
	}
	in->broken = true;
	return 0;
}

/* ---- Finding the FDE ---- */

/* The last entry of the sorted table that begins at or before pc; 0 if there is none. */
static uintptr_t search_table(struct reader table, uintptr_t base, size_t n, uint64_t pc)
{
	const uintptr_t first = table.at;
	size_t low = 0, high = n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		table.at = first + middle * 8;
		if (base + (uint64_t)(int64_t)(int32_t)take(&table, 4) <= pc)
			low = middle;
		else
			high = middle;
	}
	table.at = first + low * 8;
	if (n == 0 || base + (uint64_t)(int64_t)(int32_t)take(&table, 4) > pc)
		return 0;
	return base + (uint64_t)(int64_t)(int32_t)take(&table, 4);
}

static uintptr_t find_fde(struct peek *peek, uint64_t pc)
{
	uintptr_t base = (uintptr_t)weft__unwind_header((const void *)pc);
	struct reader in = { .peek = peek, .at = base, .end = UINTPTR_MAX };
	unsigned pointer_encoding, count_encoding, table_encoding;
	uint64_t n;

	if (!base || take(&in, 1) != 1) /* its version */
		return 0;
	pointer_encoding = (unsigned)take(&in, 1);
	count_encoding = (unsigned)take(&in, 1);
	table_encoding = (unsigned)take(&in, 1);
	if (table_encoding != (ENCODING_TABLE | ENCODING_SIGNED_4))
		return 0;
	(void)take_pointer(&in, pointer_encoding, base); /* where .eh_frame begins */
	n = take_pointer(&in, count_encoding, base);
	if (in.broken || n > UINT32_MAX)
		return 0;
	return search_table(in, base, n, pc);
}

/* ---- CIE and FDE ---- */

struct description {
	uint64_t start, size; /* of the code */
	unsigned pointer_encoding;
	unsigned return_register;
	uint64_t code_factor;
	int64_t data_factor;
	bool has_augmentation;
	bool is_signal; /* the caller was interrupted, and made no call */
	struct reader common; /* the program of the CIE */
	struct reader own; /* and of the FDE */
};

/* The entry at `at`, up to its end. */
static struct reader open_entry(struct peek *peek, uintptr_t at)
{
	struct reader in = { .peek = peek, .at = at, .end = UINTPTR_MAX };
	uint64_t length = take(&in, 4);

	if (length == 0 || length >= 0xfffffff0)
		in.broken = true;
	in.end = in.at + length;
	return in;
}

static bool read_augmentation(struct reader *in, const char *letters,
			      struct description *description)
{
	uint64_t size;
	uintptr_t end;

	if (letters[0] != 'z')
		return letters[0] == '\0';
	description->has_augmentation = true;
	size = take_unsigned(in);
	end = in->at + size;
	for (letters++; *letters; letters++) {
		unsigned encoding;

		switch (*letters) {
		case 'R':
			description->pointer_encoding = (unsigned)take(in, 1);
			break;
		case 'P':
			encoding = (unsigned)take(in, 1);
			(void)take_pointer(in, encoding, 0);
			break;
		case 'L':
			(void)take(in, 1);
			break;
		case 'S':
			description->is_signal = true;
			break;
		case 'B': /* AArch64: which key signs */
			break;
		default:
			return false;
		}
	}
	in->at = end;
	return true;
}

static bool read_cie(struct peek *peek, uintptr_t at, struct description *description)
{
	struct reader in = open_entry(peek, at);
	char letters[8];
	unsigned version;
	size_t n = 0;

	if (take(&in, 4) != 0) /* what tells a CIE */
		return false;
	version = (unsigned)take(&in, 1);
	if (version != 1 && version != 3)
		return false;
	do {
		letters[n] = (char)take(&in, 1);
		if (in.broken)
			return false;
	} while (letters[n] && ++n < sizeof(letters));
	if (n == sizeof(letters))
		return false;
	description->code_factor = take_unsigned(&in);
	description->data_factor = take_signed(&in);
	description->return_register =
		(unsigned)(version == 1 ? take(&in, 1) : take_unsigned(&in));
	if (!read_augmentation(&in, letters, description))
		return false;
	description->common = in;
	return !in.broken;
}

static bool read_fde(struct peek *peek, uintptr_t at, struct description *description)
{
	struct reader in = open_entry(peek, at);
	uintptr_t pointer_at = in.at;
	uint64_t distance = take(&in, 4);

	*description = (struct description){ 0 };
	if (in.broken || distance == 0 ||
	    !read_cie(peek, pointer_at - distance, description))
		return false;
	description->start = take_pointer(&in, description->pointer_encoding, 0);
	description->size =
		take_pointer(&in, description->pointer_encoding & ENCODING_SIZE, 0);
	if (description->has_augmentation) {
		uint64_t size = take_unsigned(&in);

		in.at += size;
	}
	description->own = in;
	return !in.broken && in.at <= in.end;
}

/* ---- Rules ---- */

enum rule_kind {
	RULE_SAME = 0, /* the caller's register has the value still */
	RULE_UNDEFINED,
	RULE_OFFSET, /* saved at CFA + value */
	RULE_VALUE_OFFSET, /* is CFA + value */
	RULE_REGISTER, /* in that one */
	RULE_EXPRESSION, /* saved where the expression at `value` says */
	RULE_VALUE_EXPRESSION,
};

struct machine {
	const struct description *description;
	uint64_t location, wanted;
	struct cfi_rules rules;
	const struct cfi_rules *initial; /* NULL while they are made */
	struct cfi_rules remembered[MOST_REMEMBERED];
	unsigned n_remembered;
};

static void set_rule(struct machine *machine, uint64_t number, enum rule_kind kind,
		     int64_t value)
{
	if (number < CFI_REGISTERS) {
		machine->rules.kind[number] = (uint8_t)kind;
		machine->rules.value[number] = value;
	}
}

static void restore_rule(struct machine *machine, uint64_t number)
{
	if (number < CFI_REGISTERS && machine->initial)
		set_rule(machine, number, machine->initial->kind[number],
			 machine->initial->value[number]);
}

/* An expression stays where it is; its rule has the address. */
static uintptr_t pass_expression(struct reader *in)
{
	uintptr_t at = in->at;
	uint64_t size = take_unsigned(in);

	if (size > in->end - in->at)
		in->broken = true;
	else
		in->at += size;
	return at;
}

static void remember(struct machine *machine, struct reader *in)
{
	if (machine->n_remembered == MOST_REMEMBERED)
		in->broken = true;
	else
		machine->remembered[machine->n_remembered++] = machine->rules;
}

static void recall(struct machine *machine, struct reader *in)
{
	if (machine->n_remembered == 0)
		in->broken = true;
	else
		machine->rules = machine->remembered[--machine->n_remembered];
}

/* Those that say where the frame lies; false if it is another one. */
static bool run_cfa_rule(struct machine *machine, struct reader *in, unsigned opcode)
{
	struct cfi_rules *rules = &machine->rules;
	int64_t factor = machine->description->data_factor;

	switch (opcode) {
	case CFA_DEF_CFA:
		rules->cfa_register = take_unsigned(in);
		rules->cfa_offset = (int64_t)take_unsigned(in);
		break;
	case CFA_DEF_CFA_SIGNED:
		rules->cfa_register = take_unsigned(in);
		rules->cfa_offset = take_signed(in) * factor;
		break;
	case CFA_DEF_CFA_REGISTER:
		rules->cfa_register = take_unsigned(in);
		break;
	case CFA_DEF_CFA_OFFSET:
		rules->cfa_offset = (int64_t)take_unsigned(in);
		return true;
	case CFA_DEF_CFA_OFFSET_SIGNED:
		rules->cfa_offset = take_signed(in) * factor;
		return true;
	case CFA_DEF_CFA_EXPRESSION:
		rules->cfa_expression = pass_expression(in);
		return true;
	default:
		return false;
	}
	rules->cfa_expression = 0;
	return true;
}

/* Those that say where a register is; false if it is another one. */
static bool run_register_rule(struct machine *machine, struct reader *in, unsigned opcode)
{
	int64_t factor = machine->description->data_factor;
	uint64_t number, other;

	if (opcode < CFA_OFFSET_LONG || opcode == CFA_REMEMBER ||
	    opcode == CFA_RESTORE_STATE || opcode > CFA_VALUE_EXPRESSION)
		return false;
	number = take_unsigned(in);
	switch (opcode) {
	case CFA_OFFSET_LONG:
		set_rule(machine, number, RULE_OFFSET,
			 (int64_t)take_unsigned(in) * factor);
		break;
	case CFA_OFFSET_SIGNED:
		set_rule(machine, number, RULE_OFFSET, take_signed(in) * factor);
		break;
	case CFA_VALUE_OFFSET:
		set_rule(machine, number, RULE_VALUE_OFFSET,
			 (int64_t)take_unsigned(in) * factor);
		break;
	case CFA_VALUE_OFFSET_SIGNED:
		set_rule(machine, number, RULE_VALUE_OFFSET, take_signed(in) * factor);
		break;
	case CFA_RESTORE_LONG:
		restore_rule(machine, number);
		break;
	case CFA_UNDEFINED:
		set_rule(machine, number, RULE_UNDEFINED, 0);
		break;
	case CFA_SAME:
		set_rule(machine, number, RULE_SAME, 0);
		break;
	case CFA_REGISTER:
		other = take_unsigned(in);
		set_rule(machine, number, RULE_REGISTER, (int64_t)other);
		break;
	case CFA_EXPRESSION:
		set_rule(machine, number, RULE_EXPRESSION, (int64_t)pass_expression(in));
		break;
	case CFA_VALUE_EXPRESSION:
		set_rule(machine, number, RULE_VALUE_EXPRESSION,
			 (int64_t)pass_expression(in));
		break;
	}
	return true;
}

static void run_long(struct machine *machine, struct reader *in, unsigned opcode)
{
	uint64_t factor = machine->description->code_factor;

	if (run_cfa_rule(machine, in, opcode) || run_register_rule(machine, in, opcode))
		return;
	switch (opcode) {
	case 0: /* nothing */
		break;
	case CFA_ADVANCE_1:
		machine->location += take(in, 1) * factor;
		break;
	case CFA_ADVANCE_2:
		machine->location += take(in, 2) * factor;
		break;
	case CFA_ADVANCE_4:
		machine->location += take(in, 4) * factor;
		break;
	case CFA_REMEMBER:
		remember(machine, in);
		break;
	case CFA_RESTORE_STATE:
		recall(machine, in);
		break;
	case CFA_SIGN_RETURN:
		machine->rules.return_is_signed ^= true;
		break;
	case CFA_ARGUMENTS_SIZE:
		(void)take_unsigned(in);
		break;
	default:
		in->broken = true;
	}
}

/* Runs a program until its location is beyond what is wanted; false if it is broken. */
static bool run_program(struct machine *machine, struct reader in)
{
	for (int i = 0; i < MOST_STEPS; i++) {
		unsigned opcode, low;

		if (in.broken)
			return false;
		if (in.at >= in.end || machine->location > machine->wanted)
			return true;
		opcode = (unsigned)take(&in, 1);
		low = opcode & 0x3f;
		switch (opcode & 0xc0) {
		case CFA_ADVANCE:
			machine->location += low * machine->description->code_factor;
			break;
		case CFA_OFFSET:
			set_rule(machine, low, RULE_OFFSET,
				 (int64_t)take_unsigned(&in) *
					 machine->description->data_factor);
			break;
		case CFA_RESTORE:
			restore_rule(machine, low);
			break;
		default:
			run_long(machine, &in, opcode);
		}
	}
	return false;
}

/* ---- Expressions ---- */

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
	int64_t offset = take_signed(&calculation->in);

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
	unsigned op = (unsigned)take(in, 1);

	if (op >= OP_LITERAL_0 && op <= OP_LITERAL_31)
		push(calculation, op - OP_LITERAL_0);
	else if (op >= OP_REGISTER_0 && op <= OP_REGISTER_31)
		push_register(calculation, op - OP_REGISTER_0);
	else if (op == OP_DEREFERENCE)
		dereference(calculation);
	else if (op == OP_CONSTANT_1)
		push(calculation, take(in, 1));
	else if (op == OP_CONSTANT_1_SIGNED)
		push(calculation, (uint64_t)(int8_t)take(in, 1));
	else if (op == OP_PLUS_CONSTANT)
		push(calculation, pop(calculation) + take_unsigned(in));
	else
		run_binary(calculation, op);
}

/* What a step reads from, and where it is. */
struct step {
	struct peek *code;
	struct peek *stack;
	const struct cfi_row *row;
	const struct registers *registers;
	uint64_t cfa;
};

/* The expression at `at`, with the CFA on its stack first unless it is to give that. */
static enum cfi_result calculate(const struct step *step, uintptr_t at, bool with_cfa,
				 uint64_t *value)
{
	struct calculation calculation = {
		.in = { .peek = step->code, .at = at, .end = UINTPTR_MAX },
		.stack_peek = step->stack,
		.registers = step->registers,
	};
	uint64_t size = take_unsigned(&calculation.in);

	if (size > LONGEST_EXPRESSION)
		return CFI_NONE;
	calculation.in.end = calculation.in.at + size;
	if (with_cfa)
		push(&calculation, step->cfa);
	while (!calculation.in.broken && calculation.in.at < calculation.in.end)
		run_op(&calculation);
	*value = pop(&calculation);
	if (calculation.lacks)
		return CFI_LACKS;
	return calculation.in.broken ? CFI_NONE : CFI_STEPPED;
}

/* ---- The step ---- */

static enum cfi_result find_frame(struct step *step)
{
	const struct cfi_rules *rules = &step->row->rules;

	if (rules->cfa_expression)
		return calculate(step, rules->cfa_expression, false, &step->cfa);
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
		if (calculate(step, (uintptr_t)operand, true, &value) == CFI_STEPPED)
			register_set(to, number, value);
		return;
	case RULE_EXPRESSION:
		if (calculate(step, (uintptr_t)operand, true, &at) != CFI_STEPPED)
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
	struct description description;
	struct cfi_rules initial;
	struct machine machine;
	uintptr_t fde = find_fde(&cfi->code, pc);

	if (!fde || !read_fde(&cfi->code, fde, &description) || pc < description.start ||
	    pc - description.start >= description.size ||
	    description.return_register >= CFI_REGISTERS)
		return false;
	machine = (struct machine){ .description = &description,
				    .location = description.start,
				    .wanted = pc };
	if (!run_program(&machine, description.common))
		return false;
	initial = machine.rules;
	machine.initial = &initial;
	if (!run_program(&machine, description.own))
		return false;
	*row = (struct cfi_row){ .pc = pc,
				 .function = description.start,
				 .return_register = description.return_register,
				 .is_signal = description.is_signal,
				 .rules = machine.rules };
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
