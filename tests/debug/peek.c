/*
 * debug/peek: reading memory that may not be there.
 */
#include "debug/peek.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"

static char
	*page; /* followed by one that is not mapped, and by one that may not be read */
static size_t page_size;

static void map_pages(void)
{
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	page = mmap(NULL, 3 * page_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(page, MAP_FAILED);
	memset(page, 'a', page_size);
	cr_assert_eq(munmap(page + page_size, page_size), 0);
	cr_assert_eq(mprotect(page + 2 * page_size, page_size, PROT_NONE), 0);
}

static const struct {
	const char *name;
	bool is_forbidden; /* to read one's own memory as a debugger does */
} ways[] = {
	{ "as a debugger", false },
	{ "through a pipe", true },
};

/* valgrind takes offence at a bad address, even if a system call is to find out. */
static size_t n_ways(void)
{
	return test_build_is("valgrind") ? 1 : ARRAY_SIZE(ways);
}

static void begin(struct peek *peek, size_t way)
{
	weft__peek_init(peek);
	if (ways[way].is_forbidden)
		peek->pid = -1;
}

Test(peek, reads_what_is_there_and_nothing_else, .init = map_pages)
{
	const struct {
		const char *name;
		char *at;
		size_t size;
		bool is_there;
	} cases[] = {
		{ "the first bytes", page, 8, true },
		{ "a whole page", page, page_size, true },
		{ "the last byte", page + page_size - 1, 1, true },
		{ "one too many", page + page_size - 8, 9, false },
		{ "not mapped", page + page_size, 1, false },
		{ "forbidden", page + 2 * page_size, 8, false },
		{ "NULL", NULL, 8, false },
		{ "the kernel's", (char *)(uintptr_t)0xffff888000000000, 8, false },
		{ "the very end", (char *)UINTPTR_MAX - 3, 8, false },
	};
	static struct peek peek;
	static char bytes[1 << 16];

	for (size_t way = 0; way < n_ways(); way++) {
		begin(&peek, way);
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			memset(bytes, 0, sizeof(bytes));
			cr_expect_eq(weft__peek(&peek, (uintptr_t)cases[i].at, bytes,
						cases[i].size),
				     cases[i].is_there, "%s, %s", cases[i].name,
				     ways[way].name);
			if (cases[i].is_there)
				cr_expect_arr_eq(bytes, cases[i].at, cases[i].size,
						 "%s, %s", cases[i].name, ways[way].name);
		}
		weft__peek_fini(&peek);
	}
}

Test(peek, reads_word_by_word_up_to_the_end, .init = map_pages)
{
	static struct peek peek;
	uint64_t word, expected;

	for (size_t way = 0; way < n_ways(); way++) {
		begin(&peek, way);
		for (size_t at = 0; at < page_size; at += 8) {
			memcpy(page + at, &at, sizeof(at));
			weft__peek_again(&peek);
			cr_assert(weft__peek_word(&peek, (uintptr_t)page + at, &word));
			cr_expect_eq(word, at, "%s", ways[way].name);
		}
		for (size_t at = page_size - 8; at > 0; at -= 8) {
			cr_assert(weft__peek_word(&peek, (uintptr_t)page + at, &word));
			memcpy(&expected, page + at, sizeof(expected));
			cr_expect_eq(word, expected, "%s", ways[way].name);
		}
		cr_expect_not(weft__peek_word(&peek, (uintptr_t)page + page_size, &word));
		cr_expect_not(
			weft__peek_word(&peek, (uintptr_t)page + page_size - 4, &word));
		cr_expect(weft__peek_word(&peek, (uintptr_t)page + page_size - 8, &word));
		weft__peek_fini(&peek);
	}
}

Test(peek, keeps_a_window_until_it_is_told, .init = map_pages)
{
	static struct peek peek;
	uint64_t word;

	weft__peek_init(&peek);
	memset(page, 0, 16);
	cr_assert(weft__peek_word(&peek, (uintptr_t)page, &word));
	memset(page, 1, 16);
	cr_assert(weft__peek_word(&peek, (uintptr_t)page + 8, &word));
	cr_expect_eq(word, 0, "out of the window");
	weft__peek_again(&peek);
	cr_assert(weft__peek_word(&peek, (uintptr_t)page + 8, &word));
	cr_expect_eq(word, 0x0101010101010101);
	weft__peek_fini(&peek);
}
