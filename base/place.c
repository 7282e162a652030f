/*
 * Code addresses as text.
 *
 * The dynamic linker knows which file an address comes from, but only exported functions
 * by name. So the file's own symbol table is read, which has the static ones as well
 * (unless it was stripped). The file is mapped for the look-up and let go again: nothing
 * is kept, nothing is allocated, no lock is taken, so this also serves in a signal
 * handler. Any thread.
 */
#include "base/place.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/report.h>

struct symbol {
	const char *name; /* in the mapped file */
	uintptr_t start; /* relative to where the file was loaded */
};

struct image {
	const char *bytes;
	size_t size;
};

static bool map_file(const char *path, struct image *image)
{
	struct stat status;
	void *bytes = MAP_FAILED;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (fstat(fd, &status) == 0 && status.st_size > (off_t)sizeof(ElfW(Ehdr)))
		bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)close(fd); /* was only read */
	if (bytes == MAP_FAILED)
		return false;
	image->bytes = bytes;
	image->size = (size_t)status.st_size;
	return true;
}

/* The part of the image at `offset`, if it is all there. */
static const void *part(const struct image *image, uint64_t offset, uint64_t size)
{
	return offset <= image->size && size <= image->size - offset
		       ? image->bytes + offset
		       : NULL;
}

/* The function in one symbol table that begins last before `address`. */
static void search_table(const struct image *image, const ElfW(Shdr) * table,
			 const ElfW(Shdr) * strings, uintptr_t address,
			 struct symbol *best)
{
	const ElfW(Sym) *symbols = part(image, table->sh_offset, table->sh_size);
	const char *names = part(image, strings->sh_offset, strings->sh_size);

	if (!symbols || !names || strings->sh_size == 0 ||
	    names[strings->sh_size - 1] != '\0')
		return;
	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++) {
		const ElfW(Sym) *symbol = &symbols[i];

		if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
		    symbol->st_value > address || symbol->st_name >= strings->sh_size)
			continue;
		if (symbol->st_size && address >= symbol->st_value + symbol->st_size)
			continue;
		if (!best->name || symbol->st_value > best->start) {
			best->name = names + symbol->st_name;
			best->start = symbol->st_value;
		}
	}
}

static void search_image(const struct image *image, uintptr_t address,
			 struct symbol *best)
{
	const ElfW(Ehdr) *head = part(image, 0, sizeof(*head));
	const ElfW(Shdr) * sections;

	if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
	    head->e_shentsize != sizeof(*sections))
		return;
	sections =
		part(image, head->e_shoff, (uint64_t)head->e_shnum * sizeof(*sections));
	if (!sections)
		return;
	for (size_t i = 0; i < head->e_shnum; i++) {
		const ElfW(Shdr) *table = &sections[i];

		if ((table->sh_type == SHT_SYMTAB || table->sh_type == SHT_DYNSYM) &&
		    table->sh_link < head->e_shnum)
			search_table(image, table, &sections[table->sh_link], address,
				     best);
	}
}

/* Calls the file that an address comes from by its path; false if it comes from none. */
static bool find_file(const void *address, const char **path, uintptr_t *base)
{
	Dl_info info;
	struct link_map *map;

	if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP))
		return false;
	/* The program itself has no name in the list, and its address is where it was
	 * linked for. */
	*path = map->l_name[0] ? map->l_name : "/proc/self/exe";
	*base = map->l_addr;
	return true;
}

static void describe(const void *address, bool with_offset, char *buffer, size_t size)
{
	struct symbol best = { 0 };
	struct image image;
	const char *path;
	uintptr_t base, relative;

	snprintf(buffer, size, "%p", address);
	if (!find_file(address, &path, &base) || !map_file(path, &image))
		return;
	relative = (uintptr_t)address - base;
	search_image(&image, relative, &best);
	if (best.name && with_offset)
		snprintf(buffer, size, "%s+%#zx", best.name,
			 (size_t)(relative - best.start));
	else if (best.name)
		snprintf(buffer, size, "%s", best.name);
	(void)munmap((void *)(uintptr_t)image.bytes, image.size);
}

void weft__symbol_name(const void *address, char *buffer, size_t size)
{
	describe(address, false, buffer, size);
}

void weft__symbol_offset(const void *address, char *buffer, size_t size)
{
	describe(address, true, buffer, size);
}

const char *weft_describe_place(const void *place, char *buffer, size_t size)
{
	describe(place, true, buffer, size);
	return buffer;
}
