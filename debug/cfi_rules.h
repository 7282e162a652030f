/*
 * The program of an FDE, run for one instruction: where the caller's registers are there. Its
 * steps are bounded, since the tables may be damaged. No state; any thread.
 */
#ifndef WEFT_DEBUG_CFI_RULES_H
#define WEFT_DEBUG_CFI_RULES_H

#include "debug/cfi.h"
#include "debug/cfi_entry.h"

enum rule_kind {
	RULE_SAME = 0, /* the caller's register has the value still */
	RULE_UNDEFINED,
	RULE_OFFSET, /* saved at CFA + value */
	RULE_VALUE_OFFSET, /* is CFA + value */
	RULE_REGISTER, /* in that one */
	RULE_EXPRESSION, /* saved where the expression at `value` says */
	RULE_VALUE_EXPRESSION,
};

/* Return: false if the program is broken. */
bool weft__cfi_rules_make(const struct cfi_entry *entry, uint64_t pc,
			  struct cfi_rules *rules);

#endif
