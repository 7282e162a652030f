/*
 * The connections of a client: how many, and for how long.
 */
#include <weft/group.h>

#include "tests/http/script.h"

#include <stdio.h>

static int let_idle(void *arg)
{
	static const struct step steps[] = { { .reply = OK_TEXT }, { .reply = OK_TEXT } };
	const struct weft_http_client_options options = { .keep_alive_ns =
								  20 * WEFT_MSEC };
	weft_http_client *client = client_of(&options);
	struct script script;
	char text[16];

	(void)arg;
	script_begin(&script, steps);
	cr_expect_eq(get(client, &script, "/", text, sizeof(text)), 200);
	cr_expect_eq(script.n_open, 1);
	while (script.n_open)
		cr_assert_eq(weft_sleep(WEFT_MSEC), 0);
	cr_expect_eq(get(client, &script, "/", text, sizeof(text)), 200);
	cr_expect_eq(script.n_connections, 2);
	weft_http_client_free(client);
	script_end(&script);
	return 0;
}

Test(pool, closes_what_was_idle_for_long)
{
	run_real(let_idle, NULL);
}

static int leave_unread(void *arg)
{
	static const struct step steps[] = { { .reply = OK_TEXT }, { .reply = OK_TEXT } };
	weft_http_client *client = client_of(NULL);
	weft_http_response *response;
	struct script script;
	char text[16];

	(void)arg;
	script_begin(&script, steps);
	cr_assert_eq(fetch_with(client, &script, "GET", "/", NULL, &response), 0);
	weft_http_response_free(response);
	cr_expect_eq(get(client, &script, "/", text, sizeof(text)), 200);
	cr_expect_eq(script.n_connections, 2);
	weft_http_client_free(client);
	script_end(&script);
	return 0;
}

Test(pool, does_not_keep_a_connection_whose_body_was_not_read)
{
	run_real(leave_unread, NULL);
}

/* ---- Limits ---- */

struct fetcher {
	weft_http_client *client;
	struct script *script;
	int status;
};

static int fetch_one(void *arg)
{
	struct fetcher *fetcher = arg;
	char text[16];

	fetcher->status = get(fetcher->client, fetcher->script, "/", text, sizeof(text));
	return 0;
}

static void expect_at_most(const struct weft_http_client_options *options, int n_open)
{
	struct step steps[10] = { { 0 } };
	weft_http_client *client = client_of(options);
	struct fetcher fetchers[10];
	weft_task *waiting[2];
	struct weft_group group;
	struct script script;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		steps[i] = (struct step){ .reply = OK_TEXT };
	script_begin(&script, steps);
	script.delay_ns = 5 * WEFT_MSEC;
	weft_group_begin(&group);
	for (size_t i = 0; i < ARRAY_SIZE(fetchers); i++) {
		fetchers[i] = (struct fetcher){ .client = client, .script = &script };
		if (i >= 4 && i < 6)
			cr_assert_eq(weft_spawn(fetch_one, &fetchers[i], &waiting[i - 4]),
				     0);
		else
			weft_group_spawn(&group, fetch_one, &fetchers[i]);
	}
	cr_assert_eq(weft_yield(), 0);
	/* Those who give up hand their turn on. */
	for (int i = 0; i < 2; i++) {
		weft_task_cancel(waiting[i], NULL);
		cr_expect_eq(weft_task_join(waiting[i]), 0);
		cr_expect_eq(fetchers[4 + i].status, -ECANCELED);
	}
	cr_assert_eq(weft_group_end(&group, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fetchers); i++)
		if (i < 4 || i >= 6)
			cr_expect_eq(fetchers[i].status, 200, "%zu: %d", i,
				     fetchers[i].status);
	cr_expect_eq(script.n_open_max, n_open);
	cr_expect_eq(script.n_connections, n_open);
	weft_http_client_free(client);
	script_end(&script);
}

static int fetch_in_turns(void *arg)
{
	(void)arg;
	expect_at_most(&(struct weft_http_client_options){ .max_connections = 2 }, 2);
	expect_at_most(&(struct weft_http_client_options){ .max_per_host = 3 }, 3);
	return 0;
}

Test(pool, waits_for_its_turn_where_connections_are_limited)
{
	run_real(fetch_in_turns, NULL);
}

static int fetch_from_two(void *arg)
{
	static const struct step steps[] = { { .reply = OK_TEXT }, { .reply = OK_TEXT } };
	const struct weft_http_client_options options = { .max_connections = 1 };
	weft_http_client *client = client_of(&options);
	struct script a;
	struct script b;
	char text[16];

	(void)arg;
	script_begin(&a, steps);
	script_begin(&b, steps);
	cr_expect_eq(get(client, &a, "/", text, sizeof(text)), 200);
	cr_expect_eq(get(client, &b, "/", text, sizeof(text)), 200);
	while (a.n_open)
		cr_assert_eq(weft_sleep(WEFT_MSEC), 0);
	cr_expect_eq(b.n_open, 1);
	weft_http_client_free(client);
	script_end(&a);
	script_end(&b);
	return 0;
}

Test(pool, closes_the_oldest_that_is_kept_to_stay_within_its_limit)
{
	run_real(fetch_from_two, NULL);
}
