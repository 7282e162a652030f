/*
 * URLs and references.
 */
#include "http/url.h"

#include "tests/test.h"

Test(url, is_taken_apart)
{
	static const struct {
		const char *text;
		bool is_https;
		const char *address; /* NULL: refused */
		const char *authority;
		const char *target;
	} cases[] = {
		{ "http://example.org", false, "example.org:80", "example.org", "/" },
		{ "http://Example.ORG/", false, "example.org:80", "example.org", "/" },
		{ "http://a:80/b?c#d", false, "a:80", "a", "/b?c" },
		{ "http://a:8080/b", false, "a:8080", "a:8080", "/b" },
		{ "http://a:/b", false, "a:80", "a", "/b" },
		{ "http://a?q=/../", false, "a:80", "a", "/?q=/../" },
		{ "http://a#b", false, "a:80", "a", "/" },
		{ "HTTPS://a/b", true, "a:443", "a", "/b" },
		{ "https://a:443/", true, "a:443", "a", "/" },
		{ "https://a:80/", true, "a:80", "a:80", "/" },
		{ "http://[::1]:8080/x", false, "[::1]:8080", "[::1]:8080", "/x" },
		{ "http://a/b/./c/../d", false, "a:80", "a", "/b/d" },
		{ "http://a/b%20c", false, "a:80", "a", "/b%20c" },
		{ "", false, NULL, NULL, NULL },
		{ "a", false, NULL, NULL, NULL },
		{ "ftp://a/", false, NULL, NULL, NULL },
		{ "http:a", false, NULL, NULL, NULL },
		{ "http:/a", false, NULL, NULL, NULL },
		{ "http://", false, NULL, NULL, NULL },
		{ "http:///a", false, NULL, NULL, NULL },
		{ "http://u:p@a/", false, NULL, NULL, NULL },
		{ "http://a:b/", false, NULL, NULL, NULL },
		{ "http://a:0/", false, NULL, NULL, NULL },
		{ "http://a b/", false, NULL, NULL, NULL },
		{ "http://a/b c", false, NULL, NULL, NULL },
		{ "http://a/b\r\nX: y", false, NULL, NULL, NULL },
		{ "http://a/\xc3\xa9", false, NULL, NULL, NULL },
		{ "http://a\\b/", false, NULL, NULL, NULL },
		{ " http://a/", false, NULL, NULL, NULL },
	};
	struct http_memory memory = { 0 };
	struct http_url url;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		r = weft__http_url_parse(&url, cases[i].text, &memory);
		cr_assert_eq(r, cases[i].address ? 0 : -EINVAL, "%s: %d", cases[i].text,
			     r);
		if (r < 0)
			continue;
		cr_expect_eq(url.is_https, cases[i].is_https, "%s", cases[i].text);
		cr_expect_str_eq(url.address, cases[i].address, "%s", cases[i].text);
		cr_expect_str_eq(url.authority, cases[i].authority, "%s", cases[i].text);
		cr_expect_str_eq(url.target, cases[i].target, "%s", cases[i].text);
	}
	weft__http_memory_fini(&memory);
}

Test(url, references_are_resolved_as_the_standard_shows)
{
	/* RFC 3986 section 5.4, without fragments and with http. */
	static const struct {
		const char *reference;
		const char *authority; /* NULL: refused */
		const char *target;
	} cases[] = {
		{ "g", "a", "/b/c/g" },
		{ "./g", "a", "/b/c/g" },
		{ "g/", "a", "/b/c/g/" },
		{ "/g", "a", "/g" },
		{ "//g", "g", "/" },
		{ "//g/h", "g", "/h" },
		{ "?y", "a", "/b/c/d;p?y" },
		{ "g?y", "a", "/b/c/g?y" },
		{ "#s", "a", "/b/c/d;p?q" },
		{ "g#s", "a", "/b/c/g" },
		{ "g?y#s", "a", "/b/c/g?y" },
		{ ";x", "a", "/b/c/;x" },
		{ "", "a", "/b/c/d;p?q" },
		{ ".", "a", "/b/c/" },
		{ "./", "a", "/b/c/" },
		{ "..", "a", "/b/" },
		{ "../", "a", "/b/" },
		{ "../g", "a", "/b/g" },
		{ "../..", "a", "/" },
		{ "../../g", "a", "/g" },
		{ "../../../g", "a", "/g" },
		{ "/./g", "a", "/g" },
		{ "/../g", "a", "/g" },
		{ "g.", "a", "/b/c/g." },
		{ ".g", "a", "/b/c/.g" },
		{ "..g", "a", "/b/c/..g" },
		{ "./../g", "a", "/b/g" },
		{ "./g/.", "a", "/b/c/g/" },
		{ "g/./h", "a", "/b/c/g/h" },
		{ "g/../h", "a", "/b/c/h" },
		{ "g?y/./x", "a", "/b/c/g?y/./x" },
		{ "http://x:81/y", "x:81", "/y" },
		{ "g:h", NULL, NULL },
		{ "javascript:alert(1)", NULL, NULL },
		{ "g h", NULL, NULL },
		{ "//u@g", NULL, NULL },
	};
	struct http_memory memory = { 0 };
	struct http_url base;
	struct http_url url;
	int r;

	cr_assert_eq(weft__http_url_parse(&base, "http://a/b/c/d;p?q", &memory), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		r = weft__http_url_resolve(&url, &base, cases[i].reference, &memory);
		cr_assert_eq(r, cases[i].target ? 0 : -EINVAL, "%s: %d",
			     cases[i].reference, r);
		if (r < 0)
			continue;
		cr_expect_str_eq(url.authority, cases[i].authority, "%s",
				 cases[i].reference);
		cr_expect_str_eq(url.target, cases[i].target, "%s: %s",
				 cases[i].reference, url.target);
		cr_expect_eq(weft__http_url_same_origin(&url, &base),
			     !strcmp(cases[i].authority, "a"), "%s", cases[i].reference);
	}
	weft__http_memory_fini(&memory);
}

Test(url, of_another_scheme_or_port_is_another_origin)
{
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} cases[] = {
		{ "http://a/", "http://A:80/x", true },
		{ "http://a/", "https://a/", false },
		{ "http://a:443/", "https://a/", false },
		{ "http://a/", "http://a:81/", false },
		{ "http://a/", "http://b/", false },
	};
	struct http_memory memory = { 0 };
	struct http_url a;
	struct http_url b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_eq(weft__http_url_parse(&a, cases[i].a, &memory), 0);
		cr_assert_eq(weft__http_url_parse(&b, cases[i].b, &memory), 0);
		cr_expect_eq(weft__http_url_same_origin(&a, &b), cases[i].same, "%s %s",
			     cases[i].a, cases[i].b);
	}
	weft__http_memory_fini(&memory);
}
