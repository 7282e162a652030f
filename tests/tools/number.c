/*
 * Numbers as people read them.
 */
#include "tools/number.h"
#include "tests/test.h"

Test(number, count_keeps_three_digits_and_separates_thousands)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0, "0.00" },
		{ 0.5, "0.50" },
		{ 9.994, "9.99" },
		{ 9.996, "10.0" },
		{ 12.34, "12.3" },
		{ 99.94, "99.9" },
		{ 99.96, "100" },
		{ 999.4, "999" },
		{ 999.6, "1,000" },
		{ 3128.7, "3,129" },
		{ 100000, "100,000" },
		{ 1234567, "1,234,567" },
		{ 1e300, "1,000,000,000,000,000,000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(number_count(cases[i].value).text, cases[i].text, "%g",
				 cases[i].value);
}

Test(number, span_is_in_milliseconds_below_a_second)
{
	static const struct {
		weft_time span;
		const char *text;
	} cases[] = {
		{ 0, "0.00 ms" },
		{ 80 * WEFT_USEC, "0.08 ms" },
		{ 1240 * WEFT_USEC, "1.24 ms" },
		{ 331 * WEFT_MSEC, "331 ms" },
		{ 999 * WEFT_MSEC, "999 ms" },
		{ 999700 * WEFT_USEC, "1.00 s" },
		{ 12300 * WEFT_MSEC, "12.3 s" },
		{ 90 * WEFT_MIN, "5,400 s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(number_span(cases[i].span).text, cases[i].text,
				 "%lld ns", (long long)cases[i].span);
}

Test(number, exact_has_no_digits_that_were_not_chosen)
{
	cr_expect_str_eq(number_exact(20 * WEFT_MSEC).text, "20 ms");
	cr_expect_str_eq(number_exact(2 * WEFT_SEC).text, "2 s");
	cr_expect_str_eq(number_exact(1500 * WEFT_MSEC).text, "1.5 s");
}

Test(number, ratio_has_digits_where_they_matter)
{
	static const struct {
		double ratio;
		const char *text;
	} cases[] = {
		{ 0.94, "0.94" }, { 0.996, "1.0" }, { 1, "1.0" },      { 8, "8.0" },
		{ 15.96, "16" },  { 267.3, "267" }, { 1234, "1,234" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(number_ratio(cases[i].ratio).text, cases[i].text, "%g",
				 cases[i].ratio);
}

Test(number, percent_says_none_and_all_only_when_true)
{
	static const struct {
		double share;
		const char *text;
	} cases[] = {
		{ 0, "0 %" },		{ 0.004, "under 1 %" }, { 0.5, "50 %" },
		{ 0.993, "over 99 %" }, { 1, "100 %" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(number_percent(cases[i].share).text, cases[i].text, "%g",
				 cases[i].share);
}
