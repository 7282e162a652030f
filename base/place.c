/*
 * Code addresses as text: "serve (server.c:42)".
 *
 * The dynamic linker knows which file an address comes from, but only exported functions
 * by name. So the file's own symbol table is read, which has the static ones as well
 * (unless it was stripped), and its line tables (if it was compiled with -g). The file is
 * mapped for the look-up and let go again: nothing is kept, nothing is allocated, no lock
 * is taken, so this also serves in a signal handler. Any thread.
 *
 * A place is where a call returns to, so its line is looked up one byte before.
 */
#include "base/place.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include <weft/report.h>

#include "base/line.h"
#include "base/text.h"

/* Where an address comes from. */
struct origin {
	const char *path; /* to open */
	const char *library; /* its name without folders; NULL: the program itself */
	uintptr_t base; /* what was added to the addresses in the file */
	const void *start; /* where its first byte lies */
};

static void set_origin(struct origin *origin, const struct link_map *map,
		       const void *start)
{
	const char *slash = strrchr(map->l_name, '/');

	/* The program itself has no name in the list. */
	origin->path = map->l_name[0] ? map->l_name : "/proc/self/exe";
	origin->library = NULL;
	if (map->l_name[0])
		origin->library = slash ? slash + 1 : map->l_name;
	origin->base = map->l_addr;
	origin->start = start;
}

#ifdef HAVE__DL_FIND_OBJECT
/* glibc 2.35: without a lock, also while another thread loads a library. */
static bool find_origin(const void *address, struct origin *origin)
{
	struct dl_find_object found;

	if (_dl_find_object((void *)(uintptr_t)address, &found) != 0)
		return false;
	set_origin(origin, found.dlfo_link_map, found.dlfo_map_start);
	return true;
}

const void *weft__unwind_header(const void *address)
{
	struct dl_find_object found;

	return _dl_find_object((void *)(uintptr_t)address, &found) == 0
		       ? found.dlfo_eh_frame
		       : NULL;
}
#else
/* Takes the dynamic linker's lock, which a thread that calls dlopen() holds. */
static bool find_origin(const void *address, struct origin *origin)
{
	Dl_info info;
	struct link_map *map;

	if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP))
		return false;
	set_origin(origin, map, info.dli_fbase);
	return true;
}

const void *weft__unwind_header(const void *address)
{
	(void)address;
	return NULL;
}
#endif

bool weft__is_code(const void *address)
{
	struct origin origin;

	return find_origin(address, &origin);
}

/* A file that was replaced since it was loaded would give wrong names. */
static bool open_image(const struct origin *origin, struct image *image)
{
	if (!weft__image_open(image, origin->path))
		return false;
	if (memcmp(image->bytes, origin->start, sizeof(ElfW(Ehdr))) == 0)
		return true;
	weft__image_close(image);
	return false;
}

/* "library.so+0x1234", as addr2line understands it, or "0x…" for what no file is known for. */
static void add_position(struct text *text, const struct origin *origin,
			 const void *address)
{
	if (origin->path) {
		weft__text_add(text, origin->library ? origin->library
						     : program_invocation_short_name);
		weft__text_add(text, "+");
		weft__text_add_hex(text, (uintptr_t)address - origin->base);
	} else {
		weft__text_add_hex(text, (uintptr_t)address);
	}
}

static void add_function(struct text *text, const struct image *image,
			 const struct origin *origin, const void *address,
			 uintptr_t looked_up)
{
	uintptr_t relative = (uintptr_t)address - origin->base;
	struct symbol symbol;
	struct line line;

	if (!weft__image_symbol(image, looked_up, &symbol)) {
		add_position(text, origin, address);
		return;
	}
	weft__text_add(text, symbol.name);
	if (weft__line_find(image, looked_up, &line)) {
		weft__text_add(text, " (");
		weft__text_add(text, line.file);
		weft__text_add(text, ":");
		weft__text_add_number(text, line.number);
		weft__text_add(text, ")");
		return;
	}
	weft__text_add(text, "+");
	weft__text_add_hex(text, relative - symbol.start);
	if (origin->library) {
		weft__text_add(text, " (");
		weft__text_add(text, origin->library);
		weft__text_add(text, ")");
	}
}

static void describe(const void *address, bool is_return, char *buffer, size_t size)
{
	struct text text;
	struct origin origin = { 0 };
	struct image image;

	if (size == 0)
		return;
	text = weft__text(buffer, size);
	if (!find_origin(address, &origin) || !open_image(&origin, &image)) {
		add_position(&text, &origin, address);
		return;
	}
	add_function(&text, &image, &origin, address,
		     (uintptr_t)address - origin.base - is_return);
	weft__image_close(&image);
}

const char *weft_describe_place(const void *place, char *buffer, size_t size)
{
	describe(place, true, buffer, size);
	return buffer;
}

void weft__describe_code(const void *address, char *buffer, size_t size)
{
	describe(address, false, buffer, size);
}

void weft__symbol_name(const void *address, char *buffer, size_t size)
{
	struct text text;
	struct origin origin = { 0 };
	struct image image;
	struct symbol symbol;

	if (size == 0)
		return;
	text = weft__text(buffer, size);
	if (find_origin(address, &origin) && open_image(&origin, &image)) {
		if (weft__image_symbol(&image, (uintptr_t)address - origin.base, &symbol))
			weft__text_add(&text, symbol.name);
		weft__image_close(&image);
	}
	if (text.length == 0)
		add_position(&text, &origin, address);
}
