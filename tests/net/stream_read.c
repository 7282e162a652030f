/*
 * Reading from streams: net/stream_read.c.
 */
#include "net/stream.h"

#include <stdio.h>
#include <unistd.h>
#include <weft/group.h>
#include <weft/timeout.h>

#include "tests/net/net.h"

/* ---- read ---- */

static int reads_what_is_there(void *arg)
{
	char buffer[64];
	struct pair pair;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		peer_send_text(&pair, "hello");
		cr_expect_eq(weft_stream_read(pair.stream, buffer, 3), 3, "%s",
			     pair.name);
		cr_expect_arr_eq(buffer, "hel", 3, "%s", pair.name);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 2,
			     "%s", pair.name);
		cr_expect_arr_eq(buffer, "lo", 2, "%s", pair.name);
		peer_end(&pair);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 0,
			     "%s", pair.name);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 0,
			     "%s: the end stays the end", pair.name);
		pair_close(&pair);
	}
	return 0;
}

Test(stream_read, takes_what_is_there_up_to_the_end)
{
	run_net(reads_what_is_there, NULL);
}

static int sees_an_end_behind_data(void *arg)
{
	char buffer[64];
	struct pair pair;

	(void)arg;
	for (enum pair_kind kind = 0; kind < N_PAIR_KINDS; kind++) {
		pair_open(&pair, kind, false);
		peer_send_text(&pair, "last words");
		close(pair.peer);
		pair.peer = -1;
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 10,
			     "%s", pair.name);
		cr_expect_eq(weft_stream_read(pair.stream, buffer, sizeof(buffer)), 0,
			     "%s", pair.name);
		pair_close(&pair);
	}
	return 0;
}

Test(stream_read, sees_an_end_that_came_in_one_segment_with_data)
{
	run_net(sees_an_end_behind_data, NULL);
}
