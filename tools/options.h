/*
 * Command lines: a table for each sub-command says what it takes; parsing, complaints and --help
 * follow from the table.
 *
 * A value lands in a struct of the sub-command's, at the offset that its row names; what
 * stands there before is the default. Long options are taken with "--name value" and
 * "--name=value", and may be cut short as long as they stay clear.
 */
#ifndef WEFT_TOOLS_OPTIONS_H
#define WEFT_TOOLS_OPTIONS_H

#include <stdio.h>

#include <weft/base.h>

enum option_kind {
	OPTION_FLAG, /* bool; takes no value */
	OPTION_NUMBER, /* int, from `min` to `max` */
	OPTION_SECONDS, /* weft_time; written in seconds with a fraction, from `min` to
			   `max` ms */
	OPTION_TEXT, /* const char *, borrowed from argv; not empty */
};

struct option_row {
	const char *name;
	const char *value; /* what the help calls the value; NULL for a flag */
	enum option_kind kind;
	size_t offset;
	long min;
	long max;
	const char *help; /* NULL: works, but is not told */
};

/* A sub-command; `argv` of `run` begins with the first argument after its name. */
struct command {
	const char *name;
	const char *summary; /* NULL: works, but is not told */
	const char *about; /* for its --help, above the options */
	const struct option_row *options;
	size_t n_options;
	int (*run)(const struct command *command, int argc, char **argv);
};

/* What to do after the options were read. */
enum options_outcome {
	OPTIONS_GO,
	OPTIONS_HELP, /* --help was given, and has been answered on stdout */
	OPTIONS_WRONG, /* a sentence on stderr says what */
};

/* Options and nothing else: any other argument is wrong. argv[0] is not looked at. */
enum options_outcome options_parse(const struct command *command, int argc, char **argv,
				   void *values);

/* What --help answers. */
void options_help(const struct command *command, FILE *out);

#endif
