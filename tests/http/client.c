/*
 * The client: redirects, limits and mistakes.
 */
#include "tests/http/script.h"

#include <stdio.h>

static int fetch_slowly(void *arg)
{
	static const struct step steps[] = { { .reply = OK_TEXT } };
	const struct weft_http_client_options options = { .limit_ns = 20 * WEFT_MSEC };
	weft_http_client *client = client_of(&options);
	struct script script;
	char text[16], sentence[200];

	(void)arg;
	script_begin(&script, steps);
	script.delay_ns = 10 * WEFT_SEC;
	cr_expect_eq(get(client, &script, "/page", text, sizeof(text)), -ETIMEDOUT);
	snprintf(sentence, sizeof(sentence),
		 "no response to GET http://%s/page came within 0.02 s: .limit_ns of the "
		 "client says how long it may take",
		 script.host);
	cr_expect_str_eq(weft_error_text(-ETIMEDOUT), sentence);
	weft_http_client_free(client);
	(void)weft_server_close(script.server, 0); /* cancels its handler */
	return 0;
}

Test(client, limits_the_time_of_a_request)
{
	run_real(fetch_slowly, NULL);
}

/* ---- Redirects ---- */

static int follow_redirects(void *arg)
{
	static const struct {
		const char *name;
		const char *method;
		const char *head; /* of the redirect */
		const char *line; /* of the request that follows */
		bool has_body;
	} cases[] = {
		{ "301", "GET", "301 X\r\nLocation: /b?c\r\n", "GET /b?c HTTP/1.1\r\n",
		  true },
		{ "301 of POST", "POST", "301 X\r\nLocation: /b\r\n",
		  "GET /b HTTP/1.1\r\n", false },
		{ "302 of PUT", "PUT", "302 X\r\nLocation: ../b\r\n",
		  "PUT /b HTTP/1.1\r\n", true },
		{ "302 of POST", "POST", "302 X\r\nLocation: b\r\n",
		  "GET /a/b HTTP/1.1\r\n", false },
		{ "303 of PUT", "PUT", "303 X\r\nLocation: /b\r\n", "GET /b HTTP/1.1\r\n",
		  false },
		{ "307 of POST", "POST", "307 X\r\nLocation: /b\r\n",
		  "POST /b HTTP/1.1\r\n", true },
		{ "308 of POST", "POST", "308 X\r\nLocation: ?b\r\n",
		  "POST /a/?b HTTP/1.1\r\n", true },
	};
	const struct weft_http_header header = { "Authorization", "secret" };
	const struct weft_http_fetch_options options = {
		.headers = &header, .n_headers = 1, .body = weft_bytes_text("body")
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		weft_http_client *client = client_of(NULL);
		weft_http_response *response;
		struct script script;
		char redirect[200];
		struct step steps[] = { { .reply = redirect }, { .reply = OK_TEXT } };

		snprintf(redirect, sizeof(redirect),
			 "HTTP/1.1 %sContent-Length: 3\r\n\r\nno!", cases[i].head);
		script_begin(&script, steps);
		cr_assert_eq(fetch_with(client, &script, cases[i].method, "/a/", &options,
					&response),
			     0, "%s", cases[i].name);
		cr_expect_eq(weft_http_response_status(response), 200, "%s",
			     cases[i].name);
		cr_expect(strstr(script.last, cases[i].line) == script.last, "%s: %s",
			  cases[i].name, script.last);
		cr_expect_eq(strstr(script.last, "\r\n\r\nbody") != NULL,
			     cases[i].has_body, "%s", cases[i].name);
		cr_expect_not_null(strstr(script.last, "Authorization: secret\r\n"), "%s",
				   cases[i].name);
		cr_expect_eq(script.n_connections, 1, "%s", cases[i].name);
		weft_http_response_free(response);
		weft_http_client_free(client);
		script_end(&script);
	}
	return 0;
}

Test(client, follows_redirects_by_the_right_method)
{
	run_real(follow_redirects, NULL);
}

static int follow_elsewhere(void *arg)
{
	static const struct step there[] = { { .reply = OK_TEXT } };
	const struct weft_http_header headers[] = { { "Authorization", "secret" },
						    { "cookie", "secret" },
						    { "Host", "secret" },
						    { "X", "y" } };
	const struct weft_http_fetch_options options = { .headers = headers,
							 .n_headers = 4 };
	weft_http_client *client = client_of(NULL);
	weft_http_response *response;
	char redirect[200];
	const struct step here[] = { { .reply = redirect } };
	struct script a;
	struct script b;

	(void)arg;
	script_begin(&a, here);
	script_begin(&b, there);
	snprintf(redirect, sizeof(redirect),
		 "HTTP/1.1 302 X\r\nLocation: http://%s/\r\nContent-Length: 0\r\n\r\n",
		 b.host);
	cr_assert_eq(fetch_with(client, &a, "GET", "/", &options, &response), 0);
	cr_expect_not_null(strstr(a.last, "Host: secret\r\n"));
	cr_expect_not_null(strstr(a.last, "Authorization: secret\r\n"));
	cr_expect_null(strstr(b.last, "secret"), "%s", b.last);
	cr_expect_not_null(strstr(b.last, "X: y\r\n"));
	weft_http_response_free(response);
	weft_http_client_free(client);
	script_end(&a);
	script_end(&b);
	return 0;
}

Test(client, tells_secrets_only_to_the_host_they_are_for)
{
	run_real(follow_elsewhere, NULL);
}

static int follow_for_ever(void *arg)
{
	static const char redirect[] =
		"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
	static const char to_https[] = "HTTP/1.1 302 X\r\nLocation: https://a/\r\n"
				       "Content-Length: 0\r\n\r\n";
	static const char nowhere[] = "HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n";
	static const struct {
		const char *name;
		const char *reply;
		int max_redirects;
		int result;
		int n_requests;
	} cases[] = {
		{ "ten", redirect, 0, -ELOOP, 11 }, { "two", redirect, 2, -ELOOP, 3 },
		{ "none", redirect, -1, 302, 1 },   { "https", to_https, 0, -ENOTSUP, 1 },
		{ "nowhere", nowhere, 0, 302, 1 },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct weft_http_client_options options = {
			.max_redirects = cases[i].max_redirects
		};
		weft_http_client *client = client_of(&options);
		struct step steps[20];
		struct script script;
		char text[16];

		for (size_t k = 0; k < ARRAY_SIZE(steps); k++)
			steps[k] = (struct step){ .reply = cases[i].reply };
		script_begin(&script, steps);
		cr_expect_eq(get(client, &script, "/", text, sizeof(text)),
			     cases[i].result, "%s", cases[i].name);
		cr_expect_eq(script.n_requests, cases[i].n_requests, "%s", cases[i].name);
		weft_http_client_free(client);
		script_end(&script);
	}
	return 0;
}

Test(client, does_not_follow_redirects_for_ever)
{
	run_real(follow_for_ever, NULL);
}

/* ---- Mistakes ---- */

static int fetch_mistakes(void *arg)
{
	static const struct step steps[] = { { .reply = OK_TEXT } };
	static const struct {
		const char *name;
		const char *method;
		const char *path;
		struct weft_http_header header;
		const char *type;
	} cases[] = {
		{ "a method with a blank", "GET /", "/", { "X", "y" }, NULL },
		{ "no method", "", "/", { "X", "y" }, NULL },
		{ "CONNECT", "CONNECT", "/", { "X", "y" }, NULL },
		{ "a path with a line break", "GET", "/a\r\nX: y", { "X", "y" }, NULL },
		{ "a name with a line break", "GET", "/", { "X\r\nY", "y" }, NULL },
		{ "a value with a line break", "GET", "/", { "X", "y\r\nZ: z" }, NULL },
		{ "a length", "GET", "/", { "Content-Length", "0" }, NULL },
		{ "a coding", "GET", "/", { "transfer-encoding", "chunked" }, NULL },
		{ "close", "GET", "/", { "Connection", "close" }, NULL },
		{ "a type with a line break", "GET", "/", { "X", "y" }, "a\nb" },
	};
	weft_http_client *client = client_of(NULL);
	weft_http_response *response;
	struct script script;

	(void)arg;
	script_begin(&script, steps);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct weft_http_fetch_options options = {
			.headers = &cases[i].header, .n_headers = 1, .type = cases[i].type
		};

		cr_expect_eq(fetch_with(client, &script, cases[i].method, cases[i].path,
					&options, &response),
			     -EINVAL, "%s", cases[i].name);
	}
	cr_expect_eq(script.n_connections, 0);
	cr_expect_eq(weft_http_fetch(client, "GET", "https://a/", NULL, &response),
		     -ENOTSUP);
	weft_http_client_free(client);
	weft_http_client_free(NULL);
	script_end(&script);
	return 0;
}

Test(client, refuses_mistakes_before_it_sends_anything)
{
	run_real(fetch_mistakes, NULL);
}

static int fetch_refused(void *arg)
{
	weft_http_client *client = client_of(NULL);
	weft_http_response *response;
	struct script script;

	(void)arg;
	script_begin(&script, NULL);
	script_end(&script);
	cr_expect_eq(fetch_with(client, &script, "GET", "/", NULL, &response),
		     -ECONNREFUSED);
	weft_http_client_free(client);
	return 0;
}

Test(client, tells_why_it_cannot_connect)
{
	run_real(fetch_refused, NULL);
}

Test(client, needs_a_loop)
{
	weft_http_client *client;

	cr_expect_eq(weft_http_client_new(NULL, &client), -EPERM);
	cr_expect(strstr(weft_error_text(-EPERM), "on a thread without a loop"));
}

/* ---- Memory ---- */

static int fail_each_allocation(void *arg)
{
	struct step steps[400];
	weft_http_client *client = client_of(NULL);
	bool was_failed = true;
	struct script script;
	char text[16];
	int r;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		steps[i] = (struct step){
			.reply = i % 2 ? OK "Transfer-Encoding: chunked\r\n\r\n"
					    "5\r\nhello\r\n0\r\n\r\n"
				       : "HTTP/1.1 302 X\r\nLocation: /\r\n"
					 "Content-Length: 0\r\n\r\n"
		};
	script_begin(&script, steps);
	for (long nth = 1; was_failed; nth++) {
		cr_assert_lt(nth, 150);
		/* A new request of the script begins with the redirect. */
		script.n_requests += script.n_requests % 2;
		weft__fail_allocation(nth);
		r = get(client, &script, "/", text, sizeof(text));
		was_failed = weft__allocations() >= nth;
		weft__fail_allocation(0);
		if (r < 0)
			/* The server has no memory either, at times. */
			cr_expect(r == -ENOMEM || r == -ENODATA || r == -ECONNRESET,
				  "allocation %ld: %d", nth, r);
		else
			cr_expect_str_eq(text, "hello");
	}
	weft_http_client_free(client);
	script_end(&script);
	return 0;
}

Test(client, survives_the_failure_of_each_allocation)
{
	run_real(fail_each_allocation, NULL);
}
