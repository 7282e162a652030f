/*
 * Reading the unwind tables of a program, byte by byte.
 *
 * A reader goes through a range of memory, by a peek, because the library that holds the tables
 * may be unloaded meanwhile. At the first byte that cannot be read it is broken, and gives zeros
 * from then on: so whoever uses it looks once, at the end. No state but its own; any thread.
 */
#ifndef WEFT_DEBUG_CFI_READER_H
#define WEFT_DEBUG_CFI_READER_H

#include "debug/peek.h"

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

struct reader {
	struct peek *peek;
	uintptr_t at;
	uintptr_t end;
	bool broken;
};

static inline uint64_t reader_take(struct reader *in, size_t size)
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
static inline unsigned reader_take_sevens(struct reader *in, uint64_t *value)
{
	uint64_t byte;
	unsigned shift = 0;

	*value = 0;
	do {
		byte = reader_take(in, 1);
		if (shift < 64)
			*value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return shift;
}

static inline uint64_t reader_take_unsigned(struct reader *in)
{
	uint64_t value;

	(void)reader_take_sevens(in, &value);
	return value;
}

static inline int64_t reader_take_signed(struct reader *in)
{
	uint64_t value;
	unsigned n_bits = reader_take_sevens(in, &value);

	if (n_bits < 64 && value >> (n_bits - 1))
		value |= ~(uint64_t)0 << n_bits;
	return (int64_t)value;
}

/* A pointer as its encoding says; `base` is the header's, for those relative to it. */
static inline uint64_t reader_take_pointer(struct reader *in, unsigned encoding,
					   uintptr_t base)
{
	uintptr_t at = in->at;
	uint64_t value;

	switch (encoding & ENCODING_SIZE) {
	case ENCODING_ABSOLUTE:
	case 0x04: /* 8 bytes, unsigned */
	case 0x0c: /* signed */
		value = reader_take(in, 8);
		break;
	case ENCODING_UNSIGNED_4:
		value = reader_take(in, 4);
		break;
	case ENCODING_SIGNED_4:
		value = (uint64_t)(int64_t)(int32_t)reader_take(in, 4);
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

#endif
