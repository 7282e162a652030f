/*
 * Targets, authorities, queries. What is refused in a target stands in
 * tests/http/requests.h.
 */
#include "http/target.h"

#include <stdio.h>

#include "tests/test.h"

static void expect_slice(const char *text, struct http_slice slice, const char *expected)
{
	cr_expect_eq(slice.size, strlen(expected), "%s: %.*s", text, (int)slice.size,
		     text + slice.at);
	cr_expect_arr_eq(text + slice.at, expected, MIN(slice.size, strlen(expected)),
			 "%s", text);
}

Test(target, is_taken_apart)
{
	static const struct {
		const char *text;
		const char *authority;
		const char *path;
		const char *query;
		bool is_encoded;
	} cases[] = {
		{ "/", "", "/", "", false },
		{ "/a/b", "", "/a/b", "", false },
		{ "/a?b=c", "", "/a", "b=c", false },
		{ "/?", "", "/", "", false },
		{ "/a%20b?c%20d", "", "/a%20b", "c%20d", true },
		{ "/a?b%20c", "", "/a", "b%20c", false },
		{ "//a/b", "", "//a/b", "", false },
		{ "*", "", "*", "", false },
		{ "http://a", "a", "", "", false },
		{ "http://a:80/", "a:80", "/", "", false },
		{ "HTTPS://[::1]:8080/b?c", "[::1]:8080", "/b", "c", false },
		{ "http://a?q", "a", "", "q", false },
	};
	struct http_refusal refusal;
	struct http_target target;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text;

		cr_assert_eq(weft__http_target_parse(&target, text,
						     http_slice_of(0, strlen(text)),
						     &refusal),
			     0, "%s", text);
		expect_slice(text, target.authority, cases[i].authority);
		expect_slice(text, target.path, cases[i].path);
		expect_slice(text, target.query, cases[i].query);
		cr_expect_eq(target.is_encoded, cases[i].is_encoded, "%s", text);
	}
}

Test(target, authorities_have_a_host_and_maybe_a_port)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		int port;
	} cases[] = {
		{ "a", "a", -1 },
		{ "a:", "a", -1 },
		{ "a:1", "a", 1 },
		{ "a:65535", "a", 65535 },
		{ "a:0", NULL, 0 },
		{ "a:65536", NULL, 0 },
		{ "a:000080", NULL, 0 },
		{ "127.0.0.1:80", "127.0.0.1", 80 },
		{ "[::1]", "[::1]", -1 },
		{ "[::ffff:1.2.3.4]:80", "[::ffff:1.2.3.4]", 80 },
		{ "my_host-1.example", "my_host-1.example", -1 },
		{ "", NULL, 0 },
		{ ":80", NULL, 0 },
		{ "[", NULL, 0 },
		{ "[]", NULL, 0 },
		{ "[:", NULL, 0 },
		{ "[::1]x", NULL, 0 },
		{ "[g::1]", NULL, 0 },
		{ "a b", NULL, 0 },
		{ "u@a", NULL, 0 },
		{ "a/b", NULL, 0 },
	};
	struct http_authority authority;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text;
		bool is_good = weft__http_authority_parse(&authority, text,
							  http_slice_of(0, strlen(text)));

		cr_assert_eq(is_good, cases[i].host != NULL, "%s", text);
		if (!is_good)
			continue;
		expect_slice(text, authority.host, cases[i].host);
		cr_expect_eq(authority.port, cases[i].port, "%s", text);
	}
}

Test(target, queries_are_searched_by_decoded_names)
{
	static const char query[] =
		"a=1&b=&c&a=2&d%20e=%41+b%2bc%0A&=x&f=100%&g=%4&h%=h&i+j=k=l";
	static const struct {
		const char *name;
		const char *value; /* NULL: there is none */
	} cases[] = {
		{ "a", "1" },	  { "b", "" },	   { "c", "" },	  { "d e", "A b+c\n" },
		{ "", "x" },	  { "f", "100%" }, { "g", "%4" }, { "h%", "h" },
		{ "i j", "k=l" }, { "i+j", NULL }, { "z", NULL }, { "d%20e", NULL },
		{ "ab", NULL },
	};
	struct http_slice value;
	char decoded[64];
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool is_there = weft__http_query_find(query, sizeof(query) - 1,
						      cases[i].name, &value);

		cr_assert_eq(is_there, cases[i].value != NULL, "%s", cases[i].name);
		if (!is_there)
			continue;
		n = weft__http_query_decode(decoded, query, value);
		cr_expect_eq(n, strlen(cases[i].value), "%s", cases[i].name);
		cr_expect_arr_eq(decoded, cases[i].value, n, "%s", cases[i].name);
	}
	cr_expect(!weft__http_query_find("", 0, "a", &value));
	cr_expect(!weft__http_query_find("", 0, "", &value));
}
