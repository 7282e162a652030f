/*
 * From the program of an FDE to rules; cfi_rules.h has the model.
 *
 * The program begins with what its CIE says for all, and goes on until its location is beyond the
 * instruction that is asked for.
 */
#include "debug/cfi_rules.h"

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

enum { MOST_REMEMBERED = 4, MOST_STEPS = 4096 };

struct machine {
	const struct cfi_entry *entry;
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
	uint64_t size = reader_take_unsigned(in);

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
	int64_t factor = machine->entry->data_factor;

	switch (opcode) {
	case CFA_DEF_CFA:
		rules->cfa_register = reader_take_unsigned(in);
		rules->cfa_offset = (int64_t)reader_take_unsigned(in);
		break;
	case CFA_DEF_CFA_SIGNED:
		rules->cfa_register = reader_take_unsigned(in);
		rules->cfa_offset = reader_take_signed(in) * factor;
		break;
	case CFA_DEF_CFA_REGISTER:
		rules->cfa_register = reader_take_unsigned(in);
		break;
	case CFA_DEF_CFA_OFFSET:
		rules->cfa_offset = (int64_t)reader_take_unsigned(in);
		return true;
	case CFA_DEF_CFA_OFFSET_SIGNED:
		rules->cfa_offset = reader_take_signed(in) * factor;
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
	int64_t factor = machine->entry->data_factor;
	uint64_t number, other;

	if (opcode < CFA_OFFSET_LONG || opcode == CFA_REMEMBER ||
	    opcode == CFA_RESTORE_STATE || opcode > CFA_VALUE_EXPRESSION)
		return false;
	number = reader_take_unsigned(in);
	switch (opcode) {
	case CFA_OFFSET_LONG:
		set_rule(machine, number, RULE_OFFSET,
			 (int64_t)reader_take_unsigned(in) * factor);
		break;
	case CFA_OFFSET_SIGNED:
		set_rule(machine, number, RULE_OFFSET, reader_take_signed(in) * factor);
		break;
	case CFA_VALUE_OFFSET:
		set_rule(machine, number, RULE_VALUE_OFFSET,
			 (int64_t)reader_take_unsigned(in) * factor);
		break;
	case CFA_VALUE_OFFSET_SIGNED:
		set_rule(machine, number, RULE_VALUE_OFFSET,
			 reader_take_signed(in) * factor);
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
		other = reader_take_unsigned(in);
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
	uint64_t factor = machine->entry->code_factor;

	if (run_cfa_rule(machine, in, opcode) || run_register_rule(machine, in, opcode))
		return;
	switch (opcode) {
	case 0: /* nothing */
		break;
	case CFA_ADVANCE_1:
		machine->location += reader_take(in, 1) * factor;
		break;
	case CFA_ADVANCE_2:
		machine->location += reader_take(in, 2) * factor;
		break;
	case CFA_ADVANCE_4:
		machine->location += reader_take(in, 4) * factor;
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
		(void)reader_take_unsigned(in);
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
		opcode = (unsigned)reader_take(&in, 1);
		low = opcode & 0x3f;
		switch (opcode & 0xc0) {
		case CFA_ADVANCE:
			machine->location += low * machine->entry->code_factor;
			break;
		case CFA_OFFSET:
			set_rule(machine, low, RULE_OFFSET,
				 (int64_t)reader_take_unsigned(&in) *
					 machine->entry->data_factor);
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

bool weft__cfi_rules_make(const struct cfi_entry *entry, uint64_t pc,
			  struct cfi_rules *rules)
{
	struct machine machine = { .entry = entry,
				   .location = entry->start,
				   .wanted = pc };
	struct cfi_rules initial;

	if (!run_program(&machine, entry->common))
		return false;
	initial = machine.rules;
	machine.initial = &initial;
	if (!run_program(&machine, entry->own))
		return false;
	*rules = machine.rules;
	return true;
}
