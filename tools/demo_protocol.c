/*
 * What a loop of the demo's server and the load process say to each other.
 */
#include "tools/demo_protocol.h"

#include <stdio.h>

/* Did sscanf() fill `n` fields and come to the end of the line? */
static bool is_whole(const char *line, int found, int n, int end)
{
	return found == n && end >= 0 && line[end] == '\0';
}

int demo_message_parse(const char *line, struct demo_message *message)
{
	static const char timeline[] = "timeline ";
	struct demo_message read = { 0 };
	long long start = 0, length = 0;
	int end = -1, found;

	if (strncmp(line, timeline, sizeof(timeline) - 1) == 0) {
		read.kind = DEMO_MESSAGE_TIMELINE;
		read.timeline = line + sizeof(timeline) - 1;
		*message = read;
		return 0;
	}
	if (strcmp(line, "end") == 0) {
		read.kind = DEMO_MESSAGE_END;
		*message = read;
		return 0;
	}

	read.kind = DEMO_MESSAGE_LOOP;
	found = sscanf(line, "loop %6d %6d%n", &read.process, &read.loop, &end);
	if (!is_whole(line, found, 2, end)) {
		end = -1;
		read.kind = DEMO_MESSAGE_BEGIN;
		found = sscanf(line, "begin %18lld %18lld%n", &start, &length, &end);
		if (!is_whole(line, found, 2, end) || length <= 0)
			return -EBADMSG;
	}
	read.start = start;
	read.length = length;
	*message = read;
	return 0;
}
