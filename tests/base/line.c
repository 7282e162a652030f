/*
 * base/line: line tables, also broken ones. What right ones say is tests/base/place.c.
 */
#include "base/line.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"

static uint64_t random_state = 20240229;

/* G. Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t draw(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

/* The file on disk of this program, as a copy to be spoiled, in a memory file. */
static int copy_of_this_program(char *path, size_t size)
{
	char bytes[65536];
	ssize_t n;
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = memfd_create("spoiled", MFD_CLOEXEC);

	cr_assert_ge(from, 0);
	cr_assert_ge(to, 0);
	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		cr_assert_eq(write(to, bytes, (size_t)n), n);
	close(from);
	snprintf(path, size, "/proc/self/fd/%d", to);
	return to;
}

/* Somewhere in the code of this program. */
static const uintptr_t *addresses(const struct image *image, size_t *n)
{
	static uintptr_t found[8];
	struct symbol symbol;

	*n = 0;
	for (uintptr_t address = 0x1000; *n < ARRAY_SIZE(found) && address < 0x1000000;
	     address += 0x1737) {
		if (weft__image_symbol(image, address, &symbol))
			found[(*n)++] = address;
	}
	return found;
}

static void look_up_all(const char *path, const uintptr_t *wanted, size_t n)
{
	struct image image;
	struct symbol symbol;
	struct line line;

	if (!weft__image_open(&image, path))
		return;
	for (size_t i = 0; i < n; i++) {
		(void)weft__image_symbol(&image, wanted[i], &symbol);
		if (weft__line_find(&image, wanted[i], &line))
			cr_expect_lt(strlen(line.file), image.size);
	}
	weft__image_close(&image);
}

Test(line, broken_tables_are_given_up)
{
	static const char *const sections[] = { ".debug_line", ".debug_line_str",
						".symtab" };
	char path[64];
	struct image image;
	int fd = copy_of_this_program(path, sizeof(path));
	const uintptr_t *wanted;
	size_t n;

	cr_assert(weft__image_open(&image, path));
	wanted = addresses(&image, &n);
	cr_assert_gt(n, 0);
	for (int round = 0; round < 200; round++) {
		size_t which = draw(ARRAY_SIZE(sections) + 1);
		struct part part = { image.bytes, sizeof(ElfW(Ehdr)) };
		char before[8], after[8];
		off_t at;

		if (which < ARRAY_SIZE(sections))
			part = weft__image_section(&image, sections[which]);
		else if (draw(2))
			part = (struct part){ (const char *)image.sections,
					      image.n_sections *
						      sizeof(*image.sections) };
		if (part.size < sizeof(before))
			continue;
		/* The beginning has the headers, where errors are worse. */
		at = part.bytes - image.bytes +
		     (off_t)draw((draw(2) ? MIN(part.size, 256) : part.size) - 7);
		cr_assert_eq(pread(fd, before, sizeof(before), at),
			     (ssize_t)sizeof(before));
		for (size_t i = 0; i < sizeof(after); i++)
			after[i] = draw(3) ? (char)draw(256) : (char)(draw(2) ? -1 : 0);
		cr_assert_eq(pwrite(fd, after, sizeof(after), at),
			     (ssize_t)sizeof(after));
		look_up_all(path, wanted, n);
		cr_assert_eq(pwrite(fd, before, sizeof(before), at),
			     (ssize_t)sizeof(before));
	}
	weft__image_close(&image);
	close(fd);
}

Test(line, files_that_end_early_are_given_up)
{
	char path[64];
	struct image image;
	int fd = copy_of_this_program(path, sizeof(path));
	const uintptr_t *wanted;
	size_t n, size;

	cr_assert(weft__image_open(&image, path));
	wanted = addresses(&image, &n);
	size = image.size;
	weft__image_close(&image);
	for (size_t left = size; left > 0; left -= left / 8 + 1) {
		cr_assert_eq(ftruncate(fd, (off_t)left), 0);
		look_up_all(path, wanted, n);
	}
	close(fd);
}
