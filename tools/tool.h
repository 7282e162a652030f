/*
 * What every file of the `weft` program may use: small macros and one way to complain.
 *
 * The program sees the library through its public headers alone, as a program of yours
 * would. stdout is for results, stderr for talk. A message is one sentence,
 * "weft demo: …".
 */
#ifndef WEFT_TOOLS_TOOL_H
#define WEFT_TOOLS_TOOL_H

#include <stdio.h>
#include <stdlib.h>

#include <weft/base.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)	  ((a) < (b) ? (a) : (b))
#define MAX(a, b)	  ((a) > (b) ? (a) : (b))

/* What the program ends with. */
enum {
	TOOL_OK = 0,
	TOOL_FAILED = 1,
	TOOL_USAGE = 2, /* the command line was wrong */
	TOOL_INTERRUPTED =
		130, /* told to end, and did in order: 128 + SIGINT, as in shells */
};

/* Writes "weft demo: MESSAGE" and a line break to stderr; `command` may be NULL. */
void tool_complain(const char *command, const char *format, ...) WEFT_PRINTF(2, 3);

/* Complains of an error, with what led to it. Return: TOOL_FAILED. */
int tool_fail(const char *command, const struct weft_error *error);

#endif
