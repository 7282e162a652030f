/*
 * Line tables; line.h has the model. The names in capitals are those of the DWARF
 * standard, version 5, chapter 6.2.
 *
 * Every read is checked against the end of its unit: what runs over it reads zeros and
 * marks the cursor as broken, and the unit is given up.
 */
#include "base/line.h"

#include <string.h>

/* More than any program we have seen; a limit for what a broken file may cost. */
#define LARGEST_TABLE ((size_t)256 << 20)

/* ---- Reading ---- */

struct cursor {
	const unsigned char *at;
	const unsigned char *end;
	bool broken;
};

static uint64_t read_fixed(struct cursor *cursor, size_t size)
{
	uint64_t value = 0;

	if (size > sizeof(value) || size > (size_t)(cursor->end - cursor->at)) {
		cursor->broken = true;
		cursor->at = cursor->end;
		return 0;
	}
	memcpy(&value, cursor->at, size); /* little-endian, as configure has checked */
	cursor->at += size;
	return value;
}

static uint64_t read_unsigned(struct cursor *cursor)
{
	uint64_t value = 0;
	unsigned byte;

	for (unsigned shift = 0;; shift += 7) {
		byte = (unsigned)read_fixed(cursor, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
}

static int64_t read_signed(struct cursor *cursor)
{
	uint64_t value = 0;
	unsigned shift = 0, byte;

	do {
		byte = (unsigned)read_fixed(cursor, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (shift < 64 && (byte & 0x40))
		value |= ~(uint64_t)0 << shift;
	return (int64_t)value;
}

static const char *read_string(struct cursor *cursor)
{
	const unsigned char *start = cursor->at;
	const unsigned char *end = memchr(start, '\0', (size_t)(cursor->end - start));

	if (!end) {
		cursor->broken = true;
		cursor->at = cursor->end;
		return "";
	}
	cursor->at = end + 1;
	return (const char *)start;
}

static void skip(struct cursor *cursor, uint64_t size)
{
	if (size > (uint64_t)(cursor->end - cursor->at)) {
		cursor->broken = true;
		size = (uint64_t)(cursor->end - cursor->at);
	}
	cursor->at += size;
}

/* ---- Units ---- */

struct unit {
	struct cursor tables; /* folders and files, up to the program */
	struct cursor program;
	unsigned version;
	size_t offset_size; /* 4, or 8 in the 64-bit format */
	unsigned min_instruction;
	int line_base;
	unsigned line_range;
	unsigned opcode_base;
	const unsigned char *n_operands; /* of the standard opcodes, from 1 on */
};

/* The next unit of the section; false if it is not one that we can read. */
static bool read_unit(struct cursor *section, struct unit *unit)
{
	struct cursor in;
	uint64_t length;

	unit->offset_size = 4;
	length = read_fixed(section, 4);
	if (length == 0xffffffff) {
		unit->offset_size = 8;
		length = read_fixed(section, 8);
	}
	in = (struct cursor){ .at = section->at, .end = section->end };
	skip(section, length);
	if (section->broken)
		return false;
	in.end = section->at;

	unit->version = (unsigned)read_fixed(&in, 2);
	if (unit->version < 2 || unit->version > 5)
		return false;
	if (unit->version >= 5)
		(void)read_fixed(&in, 2); /* sizes of addresses and of segments */
	length = read_fixed(&in, unit->offset_size);
	unit->program = in;
	skip(&unit->program, length);
	in.end = unit->program.at;

	unit->min_instruction = (unsigned)read_fixed(&in, 1);
	if (unit->version >= 4)
		(void)read_fixed(&in,
				 1); /* operations per instruction: 1 on our machines */
	(void)read_fixed(&in, 1); /* is_stmt does not matter here */
	unit->line_base = (int8_t)read_fixed(&in, 1);
	unit->line_range = (unsigned)read_fixed(&in, 1);
	unit->opcode_base = (unsigned)read_fixed(&in, 1);
	unit->n_operands = in.at - 1;
	if (unit->opcode_base)
		skip(&in, unit->opcode_base - 1);
	unit->tables = in;
	return !in.broken && !unit->program.broken && unit->line_range &&
	       unit->opcode_base;
}

/* ---- The program of a unit ---- */

struct row {
	uint64_t address;
	uint64_t file;
	int64_t line;
};

enum { /* DW_LNS_, DW_LNE_ */
       COPY = 1,
       ADVANCE_PC,
       ADVANCE_LINE,
       SET_FILE,
       CONST_ADD_PC = 8,
       FIXED_ADVANCE_PC,
       END_SEQUENCE = 1,
       SET_ADDRESS,
};

struct machine {
	const struct unit *unit;
	struct cursor in;
	struct row row; /* being made */
	struct row last; /* of this sequence */
	bool has_last;
	bool is_dead; /* the linker left this function out, and says so by address 0 */
	uintptr_t wanted;
};

/* A row is made. Is the address between the one before and this one? */
static bool emit(struct machine *machine)
{
	bool found = machine->has_last && !machine->is_dead &&
		     machine->last.address <= machine->wanted &&
		     machine->wanted < machine->row.address;

	if (found)
		return true;
	machine->last = machine->row;
	machine->has_last = true;
	return false;
}

static void begin_sequence(struct machine *machine)
{
	machine->row = (struct row){ .file = 1, .line = 1 };
	machine->has_last = false;
	machine->is_dead = false;
}

static bool run_extended(struct machine *machine)
{
	struct cursor *in = &machine->in;
	uint64_t size = read_unsigned(in);
	struct cursor operand = *in;
	bool found = false;

	skip(in, size);
	operand.end = in->at;
	switch (read_fixed(&operand, 1)) {
	case END_SEQUENCE:
		found = emit(machine);
		if (!found)
			begin_sequence(machine);
		break;
	case SET_ADDRESS:
		machine->row.address =
			read_fixed(&operand, (size_t)(operand.end - operand.at));
		machine->is_dead = machine->row.address == 0;
		break;
	}
	return found;
}

static bool run_standard(struct machine *machine, unsigned opcode)
{
	const struct unit *unit = machine->unit;
	struct cursor *in = &machine->in;

	switch (opcode) {
	case COPY:
		return emit(machine);
	case ADVANCE_PC:
		machine->row.address += read_unsigned(in) * unit->min_instruction;
		break;
	case ADVANCE_LINE:
		machine->row.line += read_signed(in);
		break;
	case SET_FILE:
		machine->row.file = read_unsigned(in);
		break;
	case CONST_ADD_PC:
		machine->row.address += (255 - unit->opcode_base) / unit->line_range *
					unit->min_instruction;
		break;
	case FIXED_ADVANCE_PC:
		machine->row.address += read_fixed(in, 2);
		break;
	default:
		for (unsigned i = unit->n_operands[opcode]; i > 0; i--)
			(void)read_unsigned(in);
	}
	return false;
}

/* One instruction; true when the row has been found: it is machine->last. */
static bool run_one(struct machine *machine)
{
	const struct unit *unit = machine->unit;
	unsigned opcode = (unsigned)read_fixed(&machine->in, 1);

	if (opcode >= unit->opcode_base) {
		opcode -= unit->opcode_base;
		machine->row.address += opcode / unit->line_range * unit->min_instruction;
		machine->row.line += unit->line_base + (int)(opcode % unit->line_range);
		return emit(machine);
	}
	return opcode == 0 ? run_extended(machine) : run_standard(machine, opcode);
}

static bool run_program(const struct unit *unit, uintptr_t wanted, struct row *row)
{
	struct machine machine = { .unit = unit, .in = unit->program, .wanted = wanted };

	begin_sequence(&machine);
	while (machine.in.at < machine.in.end && !machine.in.broken) {
		if (run_one(&machine)) {
			*row = machine.last;
			return true;
		}
	}
	return false;
}

/* ---- The name of a file ---- */

/* Version 4 and before: strings, the folders first, each list ended by an empty one. */
static const char *find_file_old(const struct unit *unit, uint64_t wanted)
{
	struct cursor in = unit->tables;

	while (!in.broken && read_string(&in)[0])
		;
	for (uint64_t i = 1; !in.broken; i++) {
		const char *name = read_string(&in);

		if (!name[0] || i == wanted)
			return name[0] ? name : NULL;
		for (int k = 0; k < 3; k++) /* folder, time, size */
			(void)read_unsigned(&in);
	}
	return NULL;
}

enum { /* DW_FORM_ */
       FORM_DATA2 = 0x05,
       FORM_DATA4 = 0x06,
       FORM_DATA8 = 0x07,
       FORM_STRING = 0x08,
       FORM_BLOCK = 0x09,
       FORM_DATA1 = 0x0b,
       FORM_STRP = 0x0e,
       FORM_UDATA = 0x0f,
       FORM_DATA16 = 0x1e,
       FORM_LINE_STRP = 0x1f,
       CONTENT_PATH = 1, /* DW_LNCT_path */
       MOST_FIELDS = 16,
};

/* A field of an entry; its text if it is one. */
static const char *read_field(const struct image *image, const struct unit *unit,
			      struct cursor *in, uint64_t form)
{
	switch (form) {
	case FORM_STRING:
		return read_string(in);
	case FORM_LINE_STRP:
		return weft__part_string(weft__image_section(image, ".debug_line_str"),
					 read_fixed(in, unit->offset_size));
	case FORM_STRP:
		return weft__part_string(weft__image_section(image, ".debug_str"),
					 read_fixed(in, unit->offset_size));
	case FORM_UDATA:
		(void)read_unsigned(in);
		break;
	case FORM_BLOCK:
		skip(in, read_unsigned(in));
		break;
	case FORM_DATA1:
		skip(in, 1);
		break;
	case FORM_DATA2:
		skip(in, 2);
		break;
	case FORM_DATA4:
		skip(in, 4);
		break;
	case FORM_DATA8:
		skip(in, 8);
		break;
	case FORM_DATA16:
		skip(in, 16);
		break;
	default:
		in->broken = true;
	}
	return NULL;
}

/*
 * Version 5: a table says which fields its entries have. Reads one table; the path of
 * entry `wanted`, NULL if it has none.
 */
static const char *read_table(const struct image *image, const struct unit *unit,
			      struct cursor *in, uint64_t wanted)
{
	struct {
		uint64_t content, form;
	} fields[MOST_FIELDS];
	uint64_t n_fields = read_fixed(in, 1), n_entries;
	const char *path = NULL;

	if (n_fields > MOST_FIELDS)
		in->broken = true;
	for (uint64_t i = 0; i < n_fields && !in->broken; i++) {
		fields[i].content = read_unsigned(in);
		fields[i].form = read_unsigned(in);
	}
	n_entries = read_unsigned(in);
	for (uint64_t entry = 0; entry < n_entries && !in->broken; entry++) {
		for (uint64_t i = 0; i < n_fields && !in->broken; i++) {
			const char *text = read_field(image, unit, in, fields[i].form);

			if (entry == wanted && fields[i].content == CONTENT_PATH)
				path = text;
		}
		if (n_fields == 0)
			break;
	}
	return in->broken ? NULL : path;
}

static const char *find_file(const struct image *image, const struct unit *unit,
			     uint64_t wanted)
{
	struct cursor in = unit->tables;

	if (unit->version < 5)
		return find_file_old(unit, wanted);
	(void)read_table(image, unit, &in, UINT64_MAX); /* the folders */
	return in.broken ? NULL : read_table(image, unit, &in, wanted);
}

/* ---- ---- */

bool weft__line_find(const struct image *image, uintptr_t address, struct line *line)
{
	struct part part = weft__image_section(image, ".debug_line");
	struct cursor section = { .at = (const unsigned char *)part.bytes };
	struct unit unit;
	struct row row;
	const char *file;

	if (!part.bytes || part.size > LARGEST_TABLE)
		return false;
	section.end = section.at + part.size;
	while (section.at < section.end && !section.broken) {
		if (!read_unit(&section, &unit) || !run_program(&unit, address, &row))
			continue;
		file = find_file(image, &unit, row.file);
		if (!file || row.line <= 0 || row.line > INT32_MAX)
			return false;
		line->file = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
		line->number = (unsigned)row.line;
		return true;
	}
	return false;
}
