/*
 * Classes of bytes, lists, numbers, names.
 */
#include "http/text.h"

#include "tests/test.h"

Test(http_text, classes_are_those_of_the_grammar)
{
	static const char token[] = "!#$%&'*+-.^_`|~";
	static const char path[] = "!$%&'()*+,-./:;=@[]^_|~";
	static const char query[] = "!$%&'()*+,-./:;=?@[\\]^_`{|}~";
	static const char host[] = "-._~";

	for (int i = 0; i < 256; i++) {
		char byte = (char)i;
		bool is_alnum = (i >= '0' && i <= '9') || (i >= 'A' && i <= 'Z') ||
				(i >= 'a' && i <= 'z');

		cr_expect_eq(http_is(byte, HTTP_TOKEN),
			     is_alnum || (i && strchr(token, i)), "token %d", i);
		cr_expect_eq(http_is(byte, HTTP_PATH), is_alnum || (i && strchr(path, i)),
			     "path %d", i);
		cr_expect_eq(http_is(byte, HTTP_QUERY),
			     is_alnum || (i && strchr(query, i)), "query %d", i);
		cr_expect_eq(http_is(byte, HTTP_HOST), is_alnum || (i && strchr(host, i)),
			     "host %d", i);
		cr_expect_eq(http_is(byte, HTTP_VALUE),
			     (i >= 0x20 && i != 0x7f) || i == '\t', "value %d", i);
	}
}

Test(http_text, the_fast_scan_of_values_finds_what_the_table_finds)
{
	char text[40];

	for (int i = 0; i < 256; i++) {
		for (size_t at = 0; at < sizeof(text); at++) {
			memset(text, 'a', sizeof(text));
			text[at] = (char)i;
			/* A neighbour that a borrow could take for a control. */
			if (at + 1 < sizeof(text))
				text[at + 1] = ' ';
			for (size_t begin = 0; begin < 9; begin++)
				cr_assert_eq(
					weft__http_span_value(text, begin, sizeof(text)),
					http_span(text, begin, sizeof(text), HTTP_VALUE),
					"byte %d at %zu from %zu", i, at, begin);
		}
	}
}

Test(http_text, the_fast_scan_agrees_on_any_bytes)
{
	uint64_t state = 88172645463325252;
	char text[64];

	for (int i = 0; i < 200000; i++) {
		for (size_t k = 0; k < sizeof(text); k += 8) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			memcpy(text + k, &state, 8);
		}
		/* Rare enough that the scan gets past the first word. */
		for (size_t k = 0; k < sizeof(text); k++)
			if ((text[k] & 0x60) == 0 && (state >> k & 3))
				text[k] |= 0x40;
		cr_assert_eq(weft__http_span_value(text, 0, sizeof(text)),
			     http_span(text, 0, sizeof(text), HTTP_VALUE));
	}
}

Test(http_text, names_are_compared_without_case)
{
	static const struct {
		const char *token;
		const char *name;
		bool same;
	} cases[] = {
		{ "Content-Length", "content-length", true },
		{ "CONTENT-LENGTH", "content-length", true },
		{ "content-lengt", "content-length", false },
		{ "content-lengthy", "content-length", false },
		{ "content_length", "content-length", false },
		{ "", "host", false },
		{ "host", "", false },
		{ "@host", "`host", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *token = cases[i].token;
		const char *name = cases[i].name;

		if (token[0] != '@')
			cr_expect_eq(http_token_is(token, strlen(token), name),
				     cases[i].same, "%s", token);
		cr_expect_eq(weft__http_same(token, strlen(token), name, strlen(name)),
			     cases[i].same, "%s", token);
	}
}

Test(http_text, lists_give_their_elements)
{
	static const char list[] = ", a ,\tb c,,d\t ,";
	static const char *const elements[] = { "a", "b c", "d" };
	struct http_slice element;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
		cr_assert(weft__http_list_next(list, sizeof(list) - 1, &at, &element));
		cr_expect_eq(element.size, strlen(elements[i]));
		cr_expect_arr_eq(list + element.at, elements[i], element.size);
	}
	cr_expect(!weft__http_list_next(list, sizeof(list) - 1, &at, &element));
}

Test(http_text, numbers_are_plain_digits_below_2_to_63)
{
	static const struct {
		const char *text;
		bool is_number;
		uint64_t number;
	} cases[] = {
		{ "0", true, 0 },
		{ "7", true, 7 },
		{ "1234567890", true, 1234567890 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "9223372036854775808", false, 0 },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "00", false, 0 },
		{ "01", false, 0 },
		{ "+1", false, 0 },
		{ "-1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1a", false, 0 },
	};
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		number = 0;
		cr_expect_eq(weft__http_number(cases[i].text, strlen(cases[i].text),
					       &number),
			     cases[i].is_number, "%s", cases[i].text);
		cr_expect_eq(number, cases[i].number, "%s", cases[i].text);
	}
}

Test(http_text, what_may_be_sent)
{
	static const struct {
		const char *text;
		bool is_token;
		bool is_value;
	} cases[] = {
		{ "X-Name", true, true },    { "", false, true },
		{ "a b", false, true },	     { " a", false, false },
		{ "a\t", false, false },     { "a\r\nb", false, false },
		{ "a\nb", false, false },    { "a\rb", false, false },
		{ "a\x01", false, false },   { "a\tb", false, true },
		{ "\xc3\xa9", false, true }, { "a:", false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(weft__http_is_token(cases[i].text), cases[i].is_token, "%zu",
			     i);
		cr_expect_eq(weft__http_is_value(cases[i].text), cases[i].is_value, "%zu",
			     i);
	}
}

Test(http_text, escapes_are_undone_once_and_in_place)
{
	char text[] = "a%20b%2520%41+";
	size_t n = weft__http_percent_decode(text, text, strlen(text));

	cr_expect_eq(n, strlen("a b%20A+"));
	cr_expect_arr_eq(text, "a b%20A+", n);
}
