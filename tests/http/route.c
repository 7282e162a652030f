/*
 * Routes: who answers what.
 */
#include "http/route.h"

#include <stdio.h>

#include "tests/test.h"

static int handler(struct weft_http_request *request, void *arg)
{
	(void)request;
	(void)arg;
	return 0;
}

/* "GET /a/{b}", which is also what the handler gets: tells which route was found. */
static int add(struct http_route_table *table, const char *text)
{
	static char texts[64][128];
	static size_t n_texts;
	const char *problem = NULL;
	char *arg = texts[n_texts++ % ARRAY_SIZE(texts)];
	char method[32];
	size_t n = strcspn(text, " ");
	int r;

	strcpy(arg, text);
	memcpy(method, text, n);
	method[n] = '\0';
	r = weft__http_routes_add(table, method, text + n + 1, handler, arg, &problem);
	cr_expect_eq(r == -EINVAL || r == -EEXIST, problem != NULL && r != 0, "%s", text);
	return r;
}

/* "GET /a/{b} b=1", "405" or "404". */
static void find(const struct http_route_table *table, const char *method,
		 const char *path, char *text, size_t size)
{
	struct http_route_match match;
	size_t n;

	weft__http_routes_find(table, weft_bytes_text(method), weft_bytes_text(path),
			       &match);
	if (!match.route) {
		snprintf(text, size, "%d", match.is_known_path ? 405 : 404);
		return;
	}
	n = (size_t)snprintf(text, size, "%s", (char *)match.route->arg);
	for (int i = 0; i < match.route->n_names; i++)
		n += (size_t)snprintf(text + n, size - n, " %s=%.*s",
				      match.route->names[i], (int)match.params[i].size,
				      path + match.params[i].at);
}

static const char *const patterns[] = {
	"GET /",
	"GET /users",
	"GET /users/",
	"GET /users/{id}",
	"DELETE /users/{id}",
	"GET /users/me",
	"GET /users/{id}/posts/{post}",
	"GET /users/{user}/likes",
	"GET /files/{rest*}",
	"PUT /files/index",
	"* /any",
	"POST /any",
	"HEAD /head",
	"GET /head",
	"GET /a b/\xc3\xa9",
	"TRACE /trace",
};

static void fill(struct http_route_table *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		cr_assert_eq(add(table, patterns[i]), 0, "%s", patterns[i]);
}

Test(route, the_best_pattern_answers)
{
	static const struct {
		const char *method;
		const char *path;
		const char *found;
	} cases[] = {
		{ "GET", "/", "GET /" },
		{ "HEAD", "/", "GET /" },
		{ "GET", "/users", "GET /users" },
		{ "GET", "/users/", "GET /users/" },
		{ "GET", "/users//", "404" },
		{ "GET", "/users/7", "GET /users/{id} id=7" },
		{ "GET", "/users/a%2Fb", "GET /users/{id} id=a%2Fb" },
		{ "DELETE", "/users/7", "DELETE /users/{id} id=7" },
		{ "GET", "/users/me", "GET /users/me" },
		{ "GET", "/users/%6d%65", "GET /users/me" },
		{ "DELETE", "/users/me", "DELETE /users/{id} id=me" },
		{ "PUT", "/users/me", "405" },
		{ "GET", "/users/7/posts/8", "GET /users/{id}/posts/{post} id=7 post=8" },
		{ "GET", "/users/7/likes", "GET /users/{user}/likes user=7" },
		{ "GET", "/users/me/likes", "GET /users/{user}/likes user=me" },
		{ "GET", "/users/7/hates", "404" },
		{ "GET", "/files", "404" },
		{ "GET", "/files/", "GET /files/{rest*} rest=" },
		{ "GET", "/files/a", "GET /files/{rest*} rest=a" },
		{ "GET", "/files/a/b//c/", "GET /files/{rest*} rest=a/b//c/" },
		{ "GET", "/files/index", "GET /files/{rest*} rest=index" },
		{ "PUT", "/files/index", "PUT /files/index" },
		{ "PUT", "/files/other", "405" },
		{ "GET", "/any", "* /any" },
		{ "BREW", "/any", "* /any" },
		{ "POST", "/any", "POST /any" },
		{ "TRACE", "/any", "405" },
		{ "TRACE", "/trace", "TRACE /trace" },
		{ "HEAD", "/head", "HEAD /head" },
		{ "GET", "/a%20b/%C3%A9", "GET /a b/\xc3\xa9" },
		{ "get", "/", "405" },
		{ "POST", "/", "405" },
		{ "GET", "/nowhere", "404" },
		{ "GET", "//", "404" },
		{ "GET", "//users", "404" },
	};
	struct http_route_table table = { 0 };
	char found[200];

	fill(&table);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		find(&table, cases[i].method, cases[i].path, found, sizeof(found));
		cr_expect_str_eq(found, cases[i].found, "%s %s: %s", cases[i].method,
				 cases[i].path, found);
	}
	weft__http_routes_fini(&table);
}

Test(route, allow_names_every_method_of_a_path)
{
	static const struct {
		const char *path;
		const char *allow;
	} cases[] = {
		{ "/", "GET, HEAD" },
		{ "/users/7", "GET, HEAD, DELETE" },
		{ "/users/me", "GET, HEAD, DELETE" },
		{ "/files/index", "PUT, GET, HEAD" },
		{ "/head", "HEAD, GET" },
		{ "/nowhere", "" },
	};
	struct http_route_table table = { 0 };
	char allow[64];

	fill(&table);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft__http_routes_allow(&table, weft_bytes_text(cases[i].path), allow,
					sizeof(allow));
		cr_expect_str_eq(allow, cases[i].allow, "%s: %s", cases[i].path, allow);
	}
	weft__http_routes_allow(&table, weft_bytes_text("/users/7"), allow, 10);
	cr_expect_str_eq(allow, "GET, HEAD", "what has no room is left out");
	weft__http_routes_fini(&table);
}

Test(route, bad_ones_are_refused)
{
	static const char *const cases[] = {
		"GET users",
		"GET ",
		" /",
		"G(T /",
		"GET /{",
		"GET /}",
		"GET /{}",
		"GET /{*}",
		"GET /a{b}",
		"GET /{b}a",
		"GET /{a}{b}",
		"GET /{a*}/b",
		"GET /{a*}/",
		"GET /{a b}",
		"GET /{a}/{a}",
		"GET /{a}/{a*}",
		"GET /{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}",
	};
	struct http_route_table table = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(add(&table, cases[i]), -EINVAL, "%s", cases[i]);
	weft__http_routes_fini(&table);
}

Test(route, the_same_one_twice_is_refused)
{
	struct http_route_table table = { 0 };

	cr_expect_eq(add(&table, "GET /a/{b}"), 0);
	cr_expect_eq(add(&table, "GET /a/{c}"), -EEXIST);
	cr_expect_eq(add(&table, "GET /a/{b*}"), 0);
	cr_expect_eq(add(&table, "GET /a/{c*}"), -EEXIST);
	cr_expect_eq(add(&table, "POST /a/{c}"), 0);
	weft__http_routes_fini(&table);
}

Test(route, many_siblings_are_all_found)
{
	struct http_route_table table = { 0 };
	const char *problem;
	char pattern[32];
	char path[32];
	char found[64];
	char arg[] = "found";

	for (int i = 0; i < 500; i++) {
		snprintf(pattern, sizeof(pattern), "/page%d/{x}", i * 7919 % 500);
		cr_assert_eq(weft__http_routes_add(&table, "GET", pattern, handler, arg,
						   &problem),
			     0);
	}
	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "/page%d/%d", i, i);
		find(&table, "GET", path, found, sizeof(found));
		snprintf(pattern, sizeof(pattern), "found x=%d", i);
		cr_expect_str_eq(found, pattern);
	}
	find(&table, "GET", "/page500/1", found, sizeof(found));
	cr_expect_str_eq(found, "404");
	weft__http_routes_fini(&table);
}

Test(route, long_and_encoded_segments_do_no_harm)
{
	struct http_route_table table = { 0 };
	char path[4096];
	char found[4200];

	fill(&table);
	for (size_t n = 1; n < 1200; n += 13) {
		path[0] = '/';
		for (size_t i = 0; i < n; i++)
			memcpy(path + 1 + 3 * i, "%61", 3);
		path[1 + 3 * n] = '\0';
		find(&table, "GET", path, found, sizeof(found));
		cr_expect_str_eq(found, "404");
	}
	weft__http_routes_fini(&table);
}

Test(route, without_memory_cannot_be_added)
{
	for (long nth = 1;; nth++) {
		struct http_route_table table = { 0 };
		const char *problem;
		int r;

		weft__fail_allocation(nth);
		r = weft__http_routes_add(&table, "GET", "/a/{b}/{c*}", handler, NULL,
					  &problem);
		weft__fail_allocation(0);
		weft__http_routes_fini(&table);
		if (r == 0)
			break;
		cr_assert_eq(r, -ENOMEM, "allocation %ld", nth);
		cr_assert_lt(nth, 100);
	}
}
