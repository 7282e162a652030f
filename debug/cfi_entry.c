/*
 * Finding the description of a function; cfi_entry.h has the model.
 *
 * A sorted table leads from an address to its FDE, which names its CIE.
 */
#include "debug/cfi_entry.h"

#include "base/place.h"

/* ---- Finding the FDE ---- */

/* The last entry of the sorted table that begins at or before pc; 0 if there is none. */
static uintptr_t search_table(struct reader table, uintptr_t base, size_t n, uint64_t pc)
{
	const uintptr_t first = table.at;
	size_t low = 0, high = n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		table.at = first + middle * 8;
		if (base + (uint64_t)(int64_t)(int32_t)reader_take(&table, 4) <= pc)
			low = middle;
		else
			high = middle;
	}
	table.at = first + low * 8;
	if (n == 0 || base + (uint64_t)(int64_t)(int32_t)reader_take(&table, 4) > pc)
		return 0;
	return base + (uint64_t)(int64_t)(int32_t)reader_take(&table, 4);
}

static uintptr_t find_fde(struct peek *peek, uint64_t pc)
{
	uintptr_t base = (uintptr_t)weft__unwind_header((const void *)pc);
	struct reader in = { .peek = peek, .at = base, .end = UINTPTR_MAX };
	unsigned pointer_encoding, count_encoding, table_encoding;
	uint64_t n;

	if (!base || reader_take(&in, 1) != 1) /* its version */
		return 0;
	pointer_encoding = (unsigned)reader_take(&in, 1);
	count_encoding = (unsigned)reader_take(&in, 1);
	table_encoding = (unsigned)reader_take(&in, 1);
	if (table_encoding != (ENCODING_TABLE | ENCODING_SIGNED_4))
		return 0;
	(void)reader_take_pointer(&in, pointer_encoding,
				  base); /* where .eh_frame begins */
	n = reader_take_pointer(&in, count_encoding, base);
	if (in.broken || n > UINT32_MAX)
		return 0;
	return search_table(in, base, n, pc);
}

/* ---- CIE and FDE ---- */

/* The entry at `at`, up to its end. */
static struct reader open_entry(struct peek *peek, uintptr_t at)
{
	struct reader in = { .peek = peek, .at = at, .end = UINTPTR_MAX };
	uint64_t length = reader_take(&in, 4);

	if (length == 0 || length >= 0xfffffff0)
		in.broken = true;
	in.end = in.at + length;
	return in;
}

static bool read_augmentation(struct reader *in, const char *letters,
			      struct cfi_entry *entry)
{
	uint64_t size;
	uintptr_t end;

	if (letters[0] != 'z')
		return letters[0] == '\0';
	entry->has_augmentation = true;
	size = reader_take_unsigned(in);
	end = in->at + size;
	for (letters++; *letters; letters++) {
		unsigned encoding;

		switch (*letters) {
		case 'R':
			entry->pointer_encoding = (unsigned)reader_take(in, 1);
			break;
		case 'P':
			encoding = (unsigned)reader_take(in, 1);
			(void)reader_take_pointer(in, encoding, 0);
			break;
		case 'L':
			(void)reader_take(in, 1);
			break;
		case 'S':
			entry->is_signal = true;
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

static bool read_cie(struct peek *peek, uintptr_t at, struct cfi_entry *entry)
{
	struct reader in = open_entry(peek, at);
	char letters[8];
	unsigned version;
	size_t n = 0;

	if (reader_take(&in, 4) != 0) /* what tells a CIE */
		return false;
	version = (unsigned)reader_take(&in, 1);
	if (version != 1 && version != 3)
		return false;
	do {
		letters[n] = (char)reader_take(&in, 1);
		if (in.broken)
			return false;
	} while (letters[n] && ++n < sizeof(letters));
	if (n == sizeof(letters))
		return false;
	entry->code_factor = reader_take_unsigned(&in);
	entry->data_factor = reader_take_signed(&in);
	entry->return_register = (unsigned)(version == 1 ? reader_take(&in, 1)
							 : reader_take_unsigned(&in));
	if (!read_augmentation(&in, letters, entry))
		return false;
	entry->common = in;
	return !in.broken;
}

static bool read_fde(struct peek *peek, uintptr_t at, struct cfi_entry *entry)
{
	struct reader in = open_entry(peek, at);
	uintptr_t pointer_at = in.at;
	uint64_t distance = reader_take(&in, 4);

	*entry = (struct cfi_entry){ 0 };
	if (in.broken || distance == 0 || !read_cie(peek, pointer_at - distance, entry))
		return false;
	entry->start = reader_take_pointer(&in, entry->pointer_encoding, 0);
	entry->size =
		reader_take_pointer(&in, entry->pointer_encoding & ENCODING_SIZE, 0);
	if (entry->has_augmentation) {
		uint64_t size = reader_take_unsigned(&in);

		in.at += size;
	}
	entry->own = in;
	return !in.broken && in.at <= in.end;
}

bool weft__cfi_entry_find(struct peek *peek, uint64_t pc, struct cfi_entry *entry)
{
	uintptr_t fde = find_fde(peek, pc);

	return fde && read_fde(peek, fde, entry) && pc >= entry->start &&
	       pc - entry->start < entry->size;
}
