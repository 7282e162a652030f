/*
 * How many sockets a service opens: serve/sockets.c, without a process of its own.
 */
#include "net/listener.h"
#include "serve/serve.h"
#include "tests/test.h"

static void open_for(struct sockets *sockets, const char *address, int workers)
{
	struct service service = { .options = { .address = address,
						.workers = workers } };

	cr_assert_eq(weft__sockets_open(sockets, &service), 0, "%s, %d workers", address,
		     workers);
}

Test(copies, are_as_many_as_workers_and_no_more_than_can_be_handed_down)
{
	static const struct {
		const char *name, *address;
		int workers;
		size_t n_copies[3]; /* of each address */
	} rows[] = {
		{ "one for each worker", "127.0.0.1:0", 4, { 4 } },
		{ "as many as there may be", "127.0.0.1:0", 256, { 256 } },
		{ "two workers share one", "127.0.0.1:0", 300, { 256 } },
		{ "the most workers", "127.0.0.1:0", 1024, { 256 } },
		{ "two addresses", "127.0.0.1:0,127.0.0.2:0", 200, { 128, 128 } },
		{ "one that is shared by all",
		  "unix:@weft-test-copies,127.0.0.1:0",
		  300,
		  { 1, 255 } },
		{ "what one leaves",
		  "127.0.0.1:0,unix:@weft-test-copies,127.0.0.2:0",
		  1024,
		  { 85, 1, 170 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sockets sockets;
		size_t n_fds = 0;

		open_for(&sockets, rows[i].address, rows[i].workers);
		for (size_t k = 0; k < sockets.n_listeners; k++) {
			cr_expect_eq(sockets.listeners[k].n_copies, rows[i].n_copies[k],
				     "%s: %zu of address %zu", rows[i].name,
				     sockets.listeners[k].n_copies, k);
			n_fds += sockets.listeners[k].n_fds;
		}
		cr_expect_eq(sockets.n_fds, n_fds, "%s", rows[i].name);
		cr_expect_le(n_fds, WEFT__SERVE_FDS_MAX, "%s", rows[i].name);
		weft__sockets_close(&sockets);
	}
}

Test(copies, of_a_name_with_two_addresses_are_pairs)
{
	struct sockets sockets;

	open_for(&sockets, "localhost:0", 200);
	cr_assert_eq(sockets.n_listeners, 1);
	cr_expect_le(sockets.n_fds, WEFT__SERVE_FDS_MAX);
	cr_expect_ge(sockets.listeners[0].n_copies, 128);
	weft__sockets_close(&sockets);
}

Test(copies, cannot_make_up_for_too_many_addresses)
{
	struct service service = { .options = { .workers = 2 } };
	struct sockets sockets;
	char text[300 * 16] = "";
	int size = 0;

	for (int i = 0; i < 257; i++)
		size += snprintf(text + size, sizeof(text) - (size_t)size,
				 "%s127.0.0.1:0", i ? "," : "");
	service.options.address = text;
	cr_expect_eq(weft__sockets_open(&sockets, &service), -EINVAL);
	cr_expect_str_eq(weft_error_text(-EINVAL),
			 "weft_serve(): .address takes more than 256 sockets: name fewer "
			 "addresses, or \":PORT\" for all interfaces");
}
