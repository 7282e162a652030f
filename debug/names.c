/*
 * Names of code; names.h has the model.
 */
#include "debug/names.h"

#include <string.h>

#include <weft/report.h>

#include "base/place.h"

/* A multiplication spreads what are mostly neighbours. */
static struct name *slot_of(struct names *names, uint64_t address)
{
	return &names->of[(address * 0x9e3779b97f4a7c15) >> 56 & (N_NAMES - 1)];
}

const char *weft__names_find(struct names *names, uint64_t address, bool is_return)
{
	struct name *name = slot_of(names, address + is_return);

	if (name->address == address && name->is_return == is_return && address)
		return name->text;
	if (is_return)
		(void)weft_describe_place((const void *)address, name->text, NAME_BYTES);
	else
		weft__describe_code((const void *)address, name->text, NAME_BYTES);
	name->address = address;
	name->is_return = is_return;
	return name->text;
}

const char *weft__names_function(struct names *names, const void *function)
{
	/* Addresses of user space leave the highest bit free to tell the two kinds apart. */
	uint64_t key = (uint64_t)(uintptr_t)function | (uint64_t)1 << 63;
	struct name *name = slot_of(names, key);

	if (name->address != key) {
		weft__symbol_name(function, name->text, NAME_BYTES);
		name->address = key;
		name->is_return = false;
	}
	return name->text;
}
