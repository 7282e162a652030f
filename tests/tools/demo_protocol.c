/*
 * What a loop of the demo's server and the load process say to each other.
 */
#include "tools/demo_protocol.h"

#include <stdio.h>

#include "tests/test.h"

Test(demo_protocol, reads_what_it_writes)
{
	struct demo_message message;
	char line[128];

	snprintf(line, sizeof(line), DEMO_MESSAGE_LOOP_FORMAT, 3, 12);
	line[strlen(line) - 1] = '\0';
	cr_assert_eq(demo_message_parse(line, &message), 0);
	cr_expect_eq(message.kind, DEMO_MESSAGE_LOOP);
	cr_expect_eq(message.process, 3);
	cr_expect_eq(message.loop, 12);

	snprintf(line, sizeof(line), DEMO_MESSAGE_BEGIN_FORMAT, 123456789012345ll,
		 2000000000ll);
	line[strlen(line) - 1] = '\0';
	cr_assert_eq(demo_message_parse(line, &message), 0);
	cr_expect_eq(message.kind, DEMO_MESSAGE_BEGIN);
	cr_expect_eq(message.start, 123456789012345);
	cr_expect_eq(message.length, 2000000000);

	cr_assert_eq(demo_message_parse("end", &message), 0);
	cr_expect_eq(message.kind, DEMO_MESSAGE_END);

	cr_assert_eq(demo_message_parse("timeline 5:00", &message), 0);
	cr_expect_eq(message.kind, DEMO_MESSAGE_TIMELINE);
	cr_expect_str_eq(message.timeline, "5:00");
}

Test(demo_protocol, refuses_everything_else)
{
	static const char *const lines[] = {
		"",
		"loop",
		"loop 1",
		"loop 1 2 3",
		"loop 1 2x",
		"loop a b",
		"begin 1",
		"begin 1 0",
		"begin 1 -5",
		"begin 1 2 3",
		"begin 99999999999999999999 1",
		"end ",
		"ends",
		"timeline",
		"GET / HTTP/1.1",
	};
	struct demo_message message = { .process = -7 };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_expect_eq(demo_message_parse(lines[i], &message), -EBADMSG, "%s",
			     lines[i]);
	cr_expect_eq(message.process, -7, "nothing was touched");
}
