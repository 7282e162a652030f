/*
 * Writing heads.
 */
#include "http/out.h"

#include "tests/test.h"

Test(out, puts_texts_numbers_and_fields)
{
	static const char expected[] = "HTTP/1.1 200\r\nA: b\r\n0 18446744073709551615";
	char data[64];
	struct http_out out = { .data = data, .capacity = sizeof(data) };

	http_put_text(&out, "HTTP/1.1 ");
	http_put_number(&out, 200);
	http_put(&out, "\r\n", 2);
	http_put_field(&out, "A", "b");
	http_put_number(&out, 0);
	http_put_text(&out, " ");
	http_put_number(&out, UINT64_MAX);
	cr_expect(http_out_is_complete(&out));
	cr_expect_eq(out.size, sizeof(expected) - 1);
	cr_expect_arr_eq(data, expected, out.size);
}

Test(out, counts_on_when_it_is_full)
{
	char data[8] = "........";
	struct http_out out = { .data = data, .capacity = 5 };

	http_put_text(&out, "abcd");
	http_put_text(&out, "efgh");
	cr_expect(!http_out_is_complete(&out));
	http_put_text(&out, "i");
	cr_expect_eq(out.size, 9);
	cr_expect_arr_eq(data, "abcd....", 8);
}
