/*
 * base/place: code addresses as text.
 */
#include "base/place.h"

#include <stdio.h>
#include <weft/report.h>

#include "base/image.h"
#include "tests/test.h"

/* Were the tests compiled with -g? */
static bool has_lines(void)
{
	struct image image;
	bool has = false;

	if (weft__image_open(&image, "/proc/self/exe")) {
		has = weft__image_section(&image, ".debug_line").bytes != NULL;
		weft__image_close(&image);
	}
	return has;
}

__attribute__((noinline)) static const void *here(void)
{
	return __builtin_return_address(0);
}

__attribute__((noinline)) static int a_static_function(int n)
{
	return n + 1;
}

Test(place, is_function_file_and_line_of_the_call)
{
	const void *place = here(); /* this line */
	int line = __LINE__ - 1;
	char text[128], expected[128];

	if (!has_lines())
		cr_skip_test("the tests were compiled without -g");
	snprintf(expected, sizeof(expected),
		 "place_is_function_file_and_line_of_the_call_body (place.c:%d)", line);
	cr_expect_str_eq(weft_describe_place(place, text, sizeof(text)), expected);
}

Test(place, has_an_offset_where_there_are_no_lines)
{
	const char *at = (const char *)(uintptr_t)&exit;
	char text[128];

	weft__describe_code(at + 5, text, sizeof(text));
	if (!strstr(text, "libc.so"))
		cr_skip_test("libc is linked in, or its debug information is here: %s",
			     text);
	cr_expect_str_eq(text, "exit+0x5 (libc.so.6)");
}

Test(place, of_something_else_is_a_number)
{
	static const struct {
		const char *name;
		uintptr_t address;
		const char *text;
	} cases[] = {
		{ "NULL", 0, "0x0" },
		{ "no mapping", 0x1234, "0x1234" },
		{ "beyond user space", UINTPTR_MAX, "0xffffffffffffffff" },
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void)weft_describe_place((const void *)cases[i].address, text,
					  sizeof(text));
		cr_expect_str_eq(text, cases[i].text, "%s", cases[i].name);
		weft__symbol_name((const void *)cases[i].address, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].text, "%s", cases[i].name);
	}
}

Test(place, static_functions_have_names)
{
	char text[64];

	cr_assert_eq(a_static_function(1), 2);
	weft__symbol_name((const void *)(uintptr_t)a_static_function, text, sizeof(text));
	cr_expect_str_eq(text, "a_static_function");
	weft__symbol_name((const void *)((uintptr_t)a_static_function + 1), text,
			  sizeof(text));
	cr_expect_str_eq(text, "a_static_function", "inside the function");
}

Test(place, is_cut_to_the_buffer)
{
	char text[] = "##########";

	weft__symbol_name((const void *)(uintptr_t)a_static_function, text, 5);
	cr_expect_str_eq(text, "a_st");
	cr_expect_eq(text[5], '#');
	cr_expect_str_eq(weft_describe_place(NULL, text, 1), "");
	text[0] = '#';
	(void)weft_describe_place(NULL, text, 0);
	cr_expect_eq(text[0], '#');
}

Test(place, code_is_told_from_data)
{
	int variable = 0;

	cr_expect(weft__is_code((const void *)(uintptr_t)a_static_function));
	cr_expect(weft__is_code((const void *)(uintptr_t)exit));
	cr_expect_not(weft__is_code(&variable));
	cr_expect_not(weft__is_code(NULL));
}
