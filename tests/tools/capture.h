/*
 * What a renderer wrote, as a string; and what was written to stdout or stderr meanwhile.
 */
#ifndef WEFT_TESTS_TOOLS_CAPTURE_H
#define WEFT_TESTS_TOOLS_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"
#include "tools/terminal.h"

struct capture {
	char *text; /* complete after capture_end() */
	size_t size;
	FILE *out;
	FILE **replaced;
	FILE *original;
};

static inline void capture_begin(struct capture *capture)
{
	*capture = (struct capture){ 0 };
	capture->out = open_memstream(&capture->text, &capture->size);
	cr_assert_not_null(capture->out);
}

/* All that is written to `stream`, which is &stdout or &stderr, until capture_end(). */
static inline void capture_begin_stream(struct capture *capture, FILE **stream)
{
	capture_begin(capture);
	capture->replaced = stream;
	capture->original = *stream;
	*stream = capture->out;
}

static inline const char *capture_end(struct capture *capture)
{
	if (capture->replaced)
		*capture->replaced = capture->original;
	cr_assert_eq(fclose(capture->out), 0);
	return capture->text;
}

/* A terminal of any ability that writes into a capture. */
static inline struct terminal capture_terminal(const struct capture *capture, bool color,
					       bool unicode, int width)
{
	return (struct terminal){
		.out = capture->out,
		.is_terminal = color,
		.color = color,
		.unicode = unicode,
		.width = width,
	};
}

/* How often `part` stands in `text`. */
static inline int count_of(const char *text, const char *part)
{
	int n = 0;

	for (text = strstr(text, part); text; text = strstr(text + strlen(part), part))
		n++;
	return n;
}

#endif
