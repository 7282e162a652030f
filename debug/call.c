/*
 * Reading the instruction before an address; call.h has the model.
 *
 * One file of the same functions for each machine would be a few lines each, so they stand
 * here one after the other.
 */
#include "debug/call.h"

#include <string.h>

#include "base/place.h"

#if defined(__x86_64__)

/* An entry of the linkage table jumps through a pointer: where to. */
static uint64_t follow_linkage(struct peek *peek, uint64_t target)
{
	static const unsigned char endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	unsigned char bytes[16];
	size_t at = 0;
	int32_t offset;
	uint64_t word;

	if (!weft__peek_bytes(peek, target, bytes, sizeof(bytes)))
		return target;
	if (memcmp(bytes, endbr, sizeof(endbr)) == 0)
		at += sizeof(endbr);
	if (bytes[at] == 0xf2) /* bnd */
		at++;
	if (bytes[at] != 0xff || bytes[at + 1] != 0x25)
		return target;
	memcpy(&offset, bytes + at + 2, sizeof(offset));
	if (!weft__peek_word(peek, target + at + 6 + (uint64_t)(int64_t)offset, &word))
		return target;
	return word;
}

static enum call_kind classify(struct peek *peek, uint64_t address, uint64_t *target)
{
	/* Bytes of a call through a register or memory: ff /2, by what its address needs. */
	static const int lengths[] = { 2, 3, 4, 6, 7 };
	unsigned char bytes[8];
	int32_t offset;

	if (!weft__peek_bytes(peek, address - sizeof(bytes), bytes, sizeof(bytes)))
		return CALL_NONE;
	if (bytes[3] == 0xe8) {
		memcpy(&offset, bytes + 4, sizeof(offset));
		*target = follow_linkage(peek, address + (uint64_t)(int64_t)offset);
		if (weft__is_code((const void *)*target))
			return CALL_DIRECT;
	}
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const unsigned char *call = bytes + sizeof(bytes) - lengths[i];

		if (call[0] == 0xff && (call[1] >> 3 & 7) == 2)
			return CALL_UNKNOWN;
	}
	return CALL_NONE;
}

#elif defined(__aarch64__)

/* An entry of the linkage table: adrp x16; ldr x17, [x16, #n]; add x16; br x17. */
static uint64_t follow_linkage(struct peek *peek, uint64_t target)
{
	uint32_t code[4];
	int64_t page;
	uint64_t word;

	if (!weft__peek_bytes(peek, target, code, sizeof(code)) ||
	    (code[0] & 0x9f00001f) != 0x90000010 ||
	    (code[1] & 0xffc003ff) != 0xf9400211 || code[3] != 0xd61f0220)
		return target;
	page = (int64_t)((code[0] >> 5 & 0x7ffff) << 2 | (code[0] >> 29 & 3));
	page = (int64_t)((uint64_t)page << 43) >> 43; /* 21 bits, signed */
	word = (target & ~(uint64_t)4095) + (uint64_t)page * 4096 +
	       (uint64_t)(code[1] >> 10 & 0xfff) * 8;
	return weft__peek_word(peek, word, &word) ? word : target;
}

static enum call_kind classify(struct peek *peek, uint64_t address, uint64_t *target)
{
	uint32_t code;
	int64_t offset;

	if (address % 4 != 0 || !weft__peek_bytes(peek, address - 4, &code, sizeof(code)))
		return CALL_NONE;
	if (code >> 26 == 0x25) { /* bl */
		offset = (int64_t)((uint64_t)code << 38) >> 36;
		*target = follow_linkage(peek, address - 4 + (uint64_t)offset);
		return CALL_DIRECT;
	}
	/* blr, also those that check a signature */
	return (code & 0xfffffc1f) == 0xd63f0000 || (code & 0xfefff800) == 0xd63f0800
		       ? CALL_UNKNOWN
		       : CALL_NONE;
}

#else

static enum call_kind classify(struct peek *peek, uint64_t address, uint64_t *target)
{
	(void)peek;
	(void)address;
	(void)target;
	return CALL_UNKNOWN;
}

#endif

enum call_kind weft__call_before(struct peek *peek, uint64_t address, uint64_t *target)
{
	if (address < 4096 || !weft__is_code((const void *)(address - 1)))
		return CALL_NONE;
	return classify(peek, address, target);
}
