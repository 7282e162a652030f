/*
 * The `weft` program: sub-commands by name.
 *
 * A process that weft_serve() starts runs this main() again with the same arguments, so
 * what happens here before a sub-command runs has to be repeatable.
 */
#include "tools/commands.h"

#include "tools/tool.h"

#include <locale.h>

#include <weft/executor.h>

static const struct command *const commands[] = {
	&demo_command,
	&demo_server_command,
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void help(FILE *out)
{
	fprintf(out,
		"Usage: weft COMMAND [OPTION]...\n\nasyncio for C, on every core.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i]->summary)
			fprintf(out, "  %-12s  %s\n", commands[i]->name,
				commands[i]->summary);
	fprintf(out, "  %-12s  %s\n", "help",
		"show this, or with the name of a command its options");
	fprintf(out, "\n  --version     show the version\n");
}

static int unknown(const char *name)
{
	tool_complain(NULL, "there is no %s \"%s\"; see weft help",
		      name[0] == '-' ? "option" : "command", name);
	return TOOL_USAGE;
}

/* weft help [COMMAND] */
static int help_command(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		help(stdout);
		return TOOL_OK;
	}
	command = find(argv[1]);
	if (!command)
		return unknown(argv[1]);
	options_help(command, stdout);
	return TOOL_OK;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
	const struct command *command;

	weft_init(&argc, &argv);
	/* For table and rows. Numbers stay as C writes them: JSON needs the point. */
	setlocale(LC_CTYPE, "");

	if (argc < 2) {
		help(stderr);
		return TOOL_USAGE;
	}
	if (is_one_of(argv[1], "help", "--help") || strcmp(argv[1], "-h") == 0)
		return help_command(argc - 1, argv + 1);
	if (is_one_of(argv[1], "--version", "version")) {
		printf("weft %s\n", weft_version());
		return TOOL_OK;
	}

	command = find(argv[1]);
	if (!command)
		return unknown(argv[1]);
	return command->run(command, argc - 1, argv + 1);
}
