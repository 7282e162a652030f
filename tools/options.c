/*
 * Command lines from tables, read by getopt_long().
 *
 * getopt_long() is told one number for each row, above all characters, and never prints.
 */
#include "tools/options.h"

#include "tools/tool.h"

#include <assert.h>
#include <getopt.h>
#include <math.h>

enum { OPTIONS_MAX = 24, ROW_BASE = 1000, HELP_COLUMN = 24 };

/* Return: true, or false when the text is not a number between the two. */
static bool read_number(const char *text, double min, double max, bool whole,
			double *number)
{
	char *end;
	double value;

	if (strspn(text, "0123456789.") != strlen(text))
		return false; /* no signs, spaces, exponents or infinities */
	errno = 0;
	value = strtod(text, &end);
	if (errno || end == text || *end)
		return false;
	if (value < min || value > max || (whole && value != floor(value)))
		return false;
	*number = value;
	return true;
}

/* Return: false, after a complaint, if the value does not fit the row. */
static bool take_value(const struct command *command, const struct option_row *row,
		       const char *text, void *values)
{
	void *place = (char *)values + row->offset;
	double number;

	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)place = true;
		return true;
	case OPTION_TEXT:
		if (!*text)
			break;
		*(const char **)place = text;
		return true;
	case OPTION_NUMBER:
		if (!read_number(text, (double)row->min, (double)row->max, true, &number))
			break;
		*(int *)place = (int)number;
		return true;
	case OPTION_SECONDS:
		if (!read_number(text, (double)row->min / 1000, (double)row->max / 1000,
				 false, &number))
			break;
		*(weft_time *)place = (weft_time)llround(number * (double)WEFT_SEC);
		return true;
	}

	if (row->kind == OPTION_TEXT)
		tool_complain(command->name, "--%s needs a value", row->name);
	else if (row->kind == OPTION_NUMBER)
		tool_complain(command->name,
			      "--%s takes a whole number from %ld to %ld, not \"%s\"",
			      row->name, row->min, row->max, text);
	else
		tool_complain(command->name,
			      "--%s takes seconds from %g to %g, not \"%s\"", row->name,
			      (double)row->min / 1000, (double)row->max / 1000, text);
	return false;
}

/* Of the options that are told: how many may be meant by "--NAME" or "--NAME=VALUE"? */
static int count_meant(const struct command *command, const char *argument)
{
	size_t length = strcspn(argument + 2, "=");
	int n = strncmp("help", argument + 2, length) == 0;

	for (size_t i = 0; i < command->n_options; i++)
		n += command->options[i].help &&
		     strncmp(command->options[i].name, argument + 2, length) == 0;
	return n;
}

/* After getopt_long() has refused something: it leaves in optopt what it knows about it.
 */
static void complain_about(const struct command *command, int problem,
			   const char *argument)
{
	const char *name = command->name;

	if (problem == ':')
		tool_complain(name, "%s needs a value; see weft %s --help", argument,
			      name);
	else if (optopt >= ROW_BASE)
		tool_complain(name, "--%s takes no value",
			      command->options[optopt - ROW_BASE].name);
	else if (optopt == 'h')
		tool_complain(name, "--help takes no value");
	else if (optopt)
		tool_complain(name, "there is no option -%c; see weft %s --help", optopt,
			      name);
	else if (count_meant(command, argument) > 1)
		tool_complain(name, "%s could be several options; see weft %s --help",
			      argument, name);
	else
		tool_complain(name, "there is no option %s; see weft %s --help", argument,
			      name);
}

enum options_outcome options_parse(const struct command *command, int argc, char **argv,
				   void *values)
{
	struct option longs[OPTIONS_MAX + 2];
	size_t n = command->n_options;
	int found;

	assert(n <= OPTIONS_MAX);
	memset(longs, 0, sizeof(longs));
	for (size_t i = 0; i < n; i++) {
		longs[i].name = command->options[i].name;
		longs[i].has_arg = command->options[i].kind == OPTION_FLAG
					   ? no_argument
					   : required_argument;
		longs[i].val = ROW_BASE + (int)i;
	}
	longs[n].name = "help";
	longs[n].val = 'h';

	optind = 0; /* forget an earlier command line: that of weft itself */
	opterr = 0;
	while ((found = getopt_long(argc, argv, "+:h", longs, NULL)) != -1) {
		if (found == 'h') {
			options_help(command, stdout);
			return OPTIONS_HELP;
		}
		if (found < ROW_BASE) {
			complain_about(command, found, argv[optind - 1]);
			return OPTIONS_WRONG;
		}
		if (!take_value(command, &command->options[found - ROW_BASE], optarg,
				values))
			return OPTIONS_WRONG;
	}

	if (optind < argc) {
		tool_complain(command->name,
			      "\"%s\" is not an option; see weft %s --help", argv[optind],
			      command->name);
		return OPTIONS_WRONG;
	}
	return OPTIONS_GO;
}

static void put_option(const char *name, const char *value, const char *help, FILE *out)
{
	int n = fprintf(out, "  --%s%s%s", name, value ? " " : "", value ? value : "");

	fprintf(out, "%*s%s\n", MAX(HELP_COLUMN - n, 2), "", help);
}

void options_help(const struct command *command, FILE *out)
{
	fprintf(out, "Usage: weft %s [OPTION]...\n\n%s\n\n", command->name,
		command->about);
	for (size_t i = 0; i < command->n_options; i++)
		if (command->options[i].help)
			put_option(command->options[i].name, command->options[i].value,
				   command->options[i].help, out);
	put_option("help", NULL, "show this and end", out);
}
