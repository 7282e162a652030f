/*
 * Expressions in unwind tables: a small stack machine that computes an address or a value where
 * a rule is not enough. Its length and depth are bounded. No state; any thread.
 */
#ifndef WEFT_DEBUG_CFI_EXPRESSION_H
#define WEFT_DEBUG_CFI_EXPRESSION_H

#include "debug/cfi.h"

/*
 * The expression that lies at `at` in `code`, with the CFA on its stack first, unless that is
 * NULL because it is to be found. Return: CFI_STEPPED with the value, CFI_LACKS if it needs a
 * register that is not known, CFI_NONE if it is broken.
 */
enum cfi_result weft__cfi_calculate(struct peek *code, struct peek *stack,
				    const struct registers *registers, uintptr_t at,
				    const uint64_t *cfa, uint64_t *value);

#endif
