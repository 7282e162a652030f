/*
 * What a stream of text can show: colours, characters beyond ASCII, so many columns.
 *
 * Nothing here assumes a terminal: in a pipe or a file the same lines come out, plain.
 * The renderers take one of these, so tests write into memory with any abilities they
 * like.
 */
#ifndef WEFT_TOOLS_TERMINAL_H
#define WEFT_TOOLS_TERMINAL_H

#include <stdio.h>

#include <weft/base.h>

struct terminal {
	FILE *out; /* borrowed */
	bool is_terminal;
	bool color;
	bool unicode;
	int width; /* columns; 80 where nobody knows */
};

/*
 * Finds out about a stream. Colours need a terminal, a TERM other than "dumb" and an
 * environment without NO_COLOR; what lies beyond ASCII needs a locale in UTF-8, so call
 * setlocale(LC_CTYPE, "") before.
 */
void terminal_init(struct terminal *terminal, FILE *out);

enum terminal_style {
	TERMINAL_PLAIN,
	TERMINAL_BOLD,
	TERMINAL_DIM,
	TERMINAL_GREEN,
	TERMINAL_RED,
	TERMINAL_YELLOW,
};

/* Formats into the given style, and leaves the stream in the plain one. */
void terminal_print(const struct terminal *terminal, enum terminal_style style,
		    const char *format, ...) WEFT_PRINTF(3, 4);

/*
 * Writes a text padded to so many columns; as in printf(), a negative width keeps it to
 * the left. A longer text is written whole.
 */
void terminal_print_padded(const struct terminal *terminal, enum terminal_style style,
			   int width, const char *text);

/* Columns that a text in UTF-8 takes; each of our characters is one column wide. */
int terminal_columns(const char *text);

/* The first if the stream shows more than ASCII, else the second. */
const char *terminal_either(const struct terminal *terminal, const char *unicode,
			    const char *ascii);

#endif
