/*
 * What the unwind tables have for an instruction: the FDE that describes its function, with the
 * CIE that it shares with others. Read through a peek, which is the caller's; any thread.
 */
#ifndef WEFT_DEBUG_CFI_ENTRY_H
#define WEFT_DEBUG_CFI_ENTRY_H

#include "debug/cfi_reader.h"

struct cfi_entry {
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

/* Return: false if there is none for `pc`, or it cannot be read. */
bool weft__cfi_entry_find(struct peek *peek, uint64_t pc, struct cfi_entry *entry);

#endif
