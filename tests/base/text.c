/*
 * base/text: text without stdio.
 */
#include "base/text.h"

#include "tests/test.h"

Test(text, is_put_together)
{
	char buffer[64];
	struct text text = weft__text(buffer, sizeof(buffer));

	weft__text_add(&text, "at ");
	weft__text_add_hex(&text, 0x7f00beef);
	weft__text_add_part(&text, ", so often: more than this", 12);
	weft__text_add_number(&text, 1234567890);
	cr_expect_str_eq(buffer, "at 0x7f00beef, so often: 1234567890");
	cr_expect_eq(text.length, strlen(buffer));
}

Test(text, writes_any_number)
{
	static const struct {
		const char *name;
		uint64_t number;
		const char *decimal, *hex;
	} cases[] = {
		{ "zero", 0, "0", "0x0" },
		{ "one digit", 9, "9", "0x9" },
		{ "a letter", 10, "10", "0xa" },
		{ "the largest", UINT64_MAX, "18446744073709551615",
		  "0xffffffffffffffff" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buffer[32];
		struct text text = weft__text(buffer, sizeof(buffer));

		weft__text_add_number(&text, cases[i].number);
		cr_expect_str_eq(buffer, cases[i].decimal, "%s", cases[i].name);
		text = weft__text(buffer, sizeof(buffer));
		weft__text_add_hex(&text, cases[i].number);
		cr_expect_str_eq(buffer, cases[i].hex, "%s", cases[i].name);
	}
}

Test(text, is_cut_where_it_does_not_fit)
{
	for (size_t size = 1; size < 12; size++) {
		char buffer[16] = "###############";
		struct text text = weft__text(buffer, size);

		weft__text_add(&text, "abc");
		weft__text_add_number(&text, 4711);
		weft__text_add(&text, "xyz");
		cr_expect_eq(strlen(buffer), MIN(size - 1, 10u), "%zu bytes", size);
		cr_expect_arr_eq(buffer, "abc4711xyz", MIN(size - 1, 10u), "%zu bytes",
				 size);
		cr_expect_eq(buffer[size], '#', "%zu bytes", size);
	}
}
