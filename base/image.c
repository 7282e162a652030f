/*
 * ELF files; image.h has the model.
 */
#include "base/image.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The part of the image at `offset`, if it is all there. */
static const void *bytes_at(const struct image *image, uint64_t offset, uint64_t size)
{
	return offset <= image->size && size <= image->size - offset
		       ? image->bytes + offset
		       : NULL;
}

static struct part section_part(const struct image *image, const ElfW(Shdr) * section)
{
	struct part part = { 0 };

	if (section->sh_type == SHT_NOBITS || (section->sh_flags & SHF_COMPRESSED))
		return part;
	part.bytes = bytes_at(image, section->sh_offset, section->sh_size);
	part.size = part.bytes ? section->sh_size : 0;
	return part;
}

const char *weft__part_string(struct part part, uint64_t offset)
{
	if (offset >= part.size || !memchr(part.bytes + offset, '\0', part.size - offset))
		return NULL;
	return part.bytes + offset;
}

/* ---- Opening ---- */

static bool map_file(struct image *image, const char *path)
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
	*image = (struct image){ .bytes = bytes, .size = (size_t)status.st_size };
	return true;
}

static bool find_sections(struct image *image)
{
	const ElfW(Ehdr) *head = bytes_at(image, 0, sizeof(*head));
	struct part names;

	if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
	    head->e_shentsize != sizeof(*image->sections))
		return false;
	image->sections = bytes_at(image, head->e_shoff,
				   (uint64_t)head->e_shnum * sizeof(*image->sections));
	if (!image->sections)
		return false;
	image->n_sections = head->e_shnum;
	if (head->e_shstrndx < image->n_sections) {
		names = section_part(image, &image->sections[head->e_shstrndx]);
		image->names = names.bytes;
		image->names_size = names.size;
	}
	return true;
}

bool weft__image_open(struct image *image, const char *path)
{
	if (!map_file(image, path))
		return false;
	if (find_sections(image))
		return true;
	weft__image_close(image);
	return false;
}

void weft__image_close(struct image *image)
{
	(void)munmap((void *)(uintptr_t)image->bytes, image->size); /* it was mapped so */
}

/* ---- Looking ---- */

struct part weft__image_section(const struct image *image, const char *name)
{
	const struct part names = { image->names, image->names_size };

	for (size_t i = 0; i < image->n_sections; i++) {
		const char *found = weft__part_string(names, image->sections[i].sh_name);

		if (found && strcmp(found, name) == 0)
			return section_part(image, &image->sections[i]);
	}
	return (struct part){ 0 };
}

/* The function in one symbol table that begins last before `address`. */
static void search_table(struct part table, struct part names, uintptr_t address,
			 struct symbol *best)
{
	const ElfW(Sym) *symbols = (const void *)table.bytes;

	if (names.size == 0 || names.bytes[names.size - 1] != '\0')
		return;
	for (size_t i = 0; i < table.size / sizeof(*symbols); i++) {
		const ElfW(Sym) *symbol = &symbols[i];

		if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
		    symbol->st_shndx == SHN_UNDEF || symbol->st_value > address ||
		    symbol->st_name >= names.size)
			continue;
		if (symbol->st_size && address >= symbol->st_value + symbol->st_size)
			continue;
		if (!best->name || symbol->st_value > best->start) {
			best->name = names.bytes + symbol->st_name;
			best->start = symbol->st_value;
		}
	}
}

bool weft__image_symbol(const struct image *image, uintptr_t address,
			struct symbol *symbol)
{
	*symbol = (struct symbol){ 0 };
	for (size_t i = 0; i < image->n_sections; i++) {
		const ElfW(Shdr) *table = &image->sections[i];

		if ((table->sh_type == SHT_SYMTAB || table->sh_type == SHT_DYNSYM) &&
		    table->sh_link < image->n_sections)
			search_table(section_part(image, table),
				     section_part(image,
						  &image->sections[table->sh_link]),
				     address, symbol);
	}
	return symbol->name != NULL;
}
