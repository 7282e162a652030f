/*
 * An ELF file, mapped for a look-up and let go again.
 *
 * A file can be cut short or nonsense, so every access is checked against its size.
 * Nothing is allocated and no lock is taken. Any thread, also in a signal handler.
 */
#ifndef WEFT_BASE_IMAGE_H
#define WEFT_BASE_IMAGE_H

#include <link.h>

#include "base/base.h"

struct image {
	const char *bytes;
	size_t size;
	const ElfW(Shdr) * sections;
	size_t n_sections;
	const char *names; /* of sections, ended by a NUL; NULL: none */
	size_t names_size;
};

/* Some bytes of the image. */
struct part {
	const char *bytes; /* NULL: none */
	size_t size;
};

struct symbol {
	const char *name; /* in the image */
	uintptr_t start;
};

/* False if it cannot be read or is not an ELF file of this machine. */
bool weft__image_open(struct image *image, const char *path);
void weft__image_close(struct image *image);

/* A section by name; none if it is not there, or compressed. */
struct part weft__image_section(const struct image *image, const char *name);

/* The function that an address lies in, static ones included unless stripped. */
bool weft__image_symbol(const struct image *image, uintptr_t address,
			struct symbol *symbol);

/* The string at an offset of a part; NULL if it does not end there. */
const char *weft__part_string(struct part part, uint64_t offset);

#endif
