/*
 * Flags and environment of a program that serves.
 *
 * One table says it all: the flag, its variable, what it takes, and its line in --help. Names are
 * those that uvicorn's and gunicorn's users know. A flag beats its variable, which beats what the
 * program had set. Mistakes end the program with a sentence: there is no start with half of what
 * was asked for. The program's own flags are read and told along with ours; where it has one of the
 * same name, ours is not there, so that a new one here takes nothing away from anybody.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "executor/pool.h"
#include "serve/serve.h"

enum flag {
	FLAG_HOST = 1,
	FLAG_PORT,
	FLAG_UDS,
	FLAG_FD,
	FLAG_BIND,
	FLAG_WORKERS,
	FLAG_LOOPS,
	FLAG_THREADS,
	FLAG_GRACE,
	FLAG_HELP,
	FLAG_VERSION,
};

/* What getopt calls the program's own: above all characters, and above ours. */
enum { OWN_BASE = 1000 };

struct flag_line {
	const char *name;
	enum flag flag;
	const char *variable;
	const char *takes; /* NULL: nothing */
	const char *help;
};

static const struct flag_line lines[] = {
	{ "host", FLAG_HOST, "WEFT_HOST", "HOST", "name or address to listen on" },
	{ "port", FLAG_PORT, "WEFT_PORT", "PORT", "port to listen on; 0 picks one" },
	{ "uds", FLAG_UDS, "WEFT_UDS", "PATH", "listen on a Unix socket instead" },
	{ "fd", FLAG_FD, "WEFT_FD", "N", "listen on an open descriptor instead" },
	{ "bind", FLAG_BIND, "WEFT_BIND", "ADDRESS",
	  "HOST:PORT, unix:PATH, fd:N; several with commas" },
	{ "workers", FLAG_WORKERS, "WEB_CONCURRENCY", "N", "processes" },
	{ "processes", FLAG_WORKERS, NULL, "N", "the same as --workers" },
	{ "loops", FLAG_LOOPS, "WEFT_LOOPS", "N", "event loops per process" },
	{ "threads", FLAG_THREADS, "WEFT_THREADS", "N", "most pool threads per process" },
	{ "graceful-timeout", FLAG_GRACE, "WEFT_GRACEFUL_TIMEOUT", "SECONDS",
	  "how long connections may take to finish" },
	{ "help", FLAG_HELP, NULL, NULL, "print this text" },
	{ "version", FLAG_VERSION, NULL, NULL, "print the version of the library" },
};

/* Options hold such a text as long as the program runs; this is how memory checkers know. */
struct kept {
	struct kept *next;
	char text[];
};

static struct kept *all_kept;

/* What was asked for so far; put together at the end. */
struct asked {
	struct weft_serve_options *options;
	const char *host;
	const char *port;
};

static _Noreturn void refuse(const char *where, const char *value, const char *takes)
{
	fprintf(stderr, "%s: %s takes %s, not \"%s\"\n", program_invocation_short_name,
		where, takes, value);
	exit(2);
}

static _Noreturn void refuse_without_memory(const char *what)
{
	fprintf(stderr, "%s: no memory for %s\n", program_invocation_short_name, what);
	exit(EXIT_FAILURE);
}

static long number(const char *where, const char *value, long least, long most)
{
	char *end, takes[64];
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno == 0 && end != value && *end == '\0' && n >= least && n <= most)
		return n;
	snprintf(takes, sizeof(takes), "a number from %ld to %ld", least, most);
	refuse(where, value, takes);
}

static weft_time seconds(const char *where, const char *value)
{
	char *end;
	double n = strtod(value, &end);

	if (end == value || *end != '\0' || !(n >= 0 && n <= 1e9))
		refuse(where, value, "a number of seconds");
	return MAX((weft_time)(n * (double)WEFT_SEC), 1); /* 0 would be the default */
}

/* Formatted text in memory that is kept. */
static WEFT_PRINTF(1, 2) const char *keep(const char *format, ...)
{
	struct kept *kept;
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	kept = size < 0 ? NULL : weft__alloc(sizeof(*kept) + (size_t)size + 1);
	if (!kept)
		refuse_without_memory("an address");
	va_start(args, format);
	vsnprintf(kept->text, (size_t)size + 1, format, args);
	va_end(args);
	kept->next = all_kept;
	all_kept = kept;
	return kept->text;
}

/* What holds without the flag, as " (30)"; nothing if there is no more to say. */
static const char *describe_default(const struct asked *asked,
				    const struct flag_line *line, char *text, size_t size)
{
	const struct weft_serve_options *options = asked->options;
	int n = options->workers > 0 ? options->workers : 0;

	text[0] = '\0';
	switch (line->variable ? line->flag : FLAG_HELP) {
	case FLAG_PORT:
		if (asked->port)
			snprintf(text, size, " (%s)", asked->port);
		break;
	case FLAG_HOST:
		if (asked->host)
			snprintf(text, size, " (%s)", asked->host);
		break;
	case FLAG_BIND:
		snprintf(text, size, " (%s)",
			 options->address ? options->address
					  : WEFT__SERVE_DEFAULT_ADDRESS);
		break;
	case FLAG_WORKERS:
		if (n)
			snprintf(text, size, " (%d)", n);
		else
			snprintf(text, size, " (%s)",
				 options->workers ? "none" : "one per CPU");
		break;
	case FLAG_LOOPS:
		snprintf(text, size, " (%d)",
			 options->loops ? options->loops : WEFT__SERVE_DEFAULT_LOOPS);
		break;
	case FLAG_THREADS:
		snprintf(text, size, " (%d)",
			 options->threads ? options->threads : DEFAULT_MAX_THREADS);
		break;
	case FLAG_GRACE:
		snprintf(text, size, " (%.3g)",
			 (double)(options->grace_ns ? options->grace_ns
						    : WEFT__SERVE_DEFAULT_GRACE) /
				 (double)WEFT_SEC);
		break;
	default:
		break;
	}
	return text;
}

static size_t count_own(const struct weft_serve_options *options)
{
	size_t n = 0;

	while (options->flags && options->flags[n].name)
		n++;
	return n;
}

static bool is_own(const struct weft_serve_options *options, const char *name)
{
	for (size_t i = 0; i < count_own(options); i++)
		if (strcmp(options->flags[i].name, name) == 0)
			return true;
	return false;
}

static void print_flag(const char *name, const char *takes, const char *help)
{
	char flag[64];

	snprintf(flag, sizeof(flag), "--%s%s%s", name, takes ? " " : "",
		 takes ? takes : "");
	printf("  %-28s %s", flag, help ? help : "");
}

static _Noreturn void print_help(const struct asked *asked)
{
	printf("Usage: %s [OPTION...]\n\n", program_invocation_short_name);
	for (size_t i = 0; i < count_own(asked->options); i++) {
		const struct weft_serve_flag *own = &asked->options->flags[i];

		print_flag(own->name, own->takes, own->help);
		putchar('\n');
	}
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct flag_line *line = &lines[i];
		char without[256];

		if (is_own(asked->options, line->name))
			continue;
		print_flag(line->name, line->takes, line->help);
		printf("%s%s%s%s\n",
		       describe_default(asked, line, without, sizeof(without)),
		       line->variable ? " [" : "", line->variable ? line->variable : "",
		       line->variable ? "]" : "");
	}
	printf("\nIn (): what holds without it. In []: the variable that sets it, too.\n");
	exit(EXIT_SUCCESS);
}

static void apply(struct asked *asked, enum flag flag, const char *where,
		  const char *value)
{
	struct weft_serve_options *options = asked->options;

	switch (flag) {
	case FLAG_HOST:
		asked->host = value;
		break;
	case FLAG_PORT:
		asked->port = keep("%ld", number(where, value, 0, 65535));
		break;
	case FLAG_UDS:
		options->address = keep("unix:%s", value);
		asked->host = asked->port = NULL;
		break;
	case FLAG_FD:
		options->address = keep("fd:%ld", number(where, value, 0, INT32_MAX));
		asked->host = asked->port = NULL;
		break;
	case FLAG_BIND:
		options->address = value;
		asked->host = asked->port = NULL;
		break;
	case FLAG_WORKERS:
		options->workers = (int)number(where, value, 1, 1024);
		break;
	case FLAG_LOOPS:
		options->loops = (int)number(where, value, 1, WEFT__WORKER_LOOPS);
		break;
	case FLAG_THREADS:
		options->threads = (int)number(where, value, 1, MAX_THREADS);
		break;
	case FLAG_GRACE:
		options->grace_ns = seconds(where, value);
		break;
	case FLAG_HELP:
		print_help(asked);
	case FLAG_VERSION:
		printf("weft %s\n", weft_version());
		exit(EXIT_SUCCESS);
	}
}

static void apply_environment(struct asked *asked)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *value = lines[i].variable ? getenv(lines[i].variable) : NULL;

		if (value && *value)
			apply(asked, lines[i].flag, lines[i].variable, value);
	}
}

/* The line of what getopt found; NULL for a mistake. */
static const struct flag_line *line_of(int flag)
{
	return flag >= 1 && flag <= (int)ARRAY_SIZE(lines) ? &lines[flag - 1] : NULL;
}

/* A host without a port, or a port without a host, leaves the other half as it was. */
static void join_host_and_port(struct asked *asked)
{
	const char *before = asked->options->address, *colon;
	const char *host = asked->host, *port = asked->port;
	bool is_v6 = host && strchr(host, ':') && host[0] != '[';

	if (!host && !port)
		return;
	colon = before && strncmp(before, "unix:", 5) != 0 &&
				strncmp(before, "fd:", 3) != 0 && !strchr(before, ',')
			? strrchr(before, ':')
			: NULL;
	if (host)
		asked->options->address =
			keep("%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
			     port    ? port
			     : colon ? colon + 1
				     : "8000");
	else
		asked->options->address =
			keep("%.*s:%s", colon ? (int)(colon - before) : 9,
			     colon ? before : "127.0.0.1", port);
}

/* What getopt is to find; to be freed. */
static struct option *list_flags(const struct weft_serve_options *options)
{
	size_t n_own = count_own(options), n = 0;
	struct option *flags =
		weft__alloc_array(n_own + ARRAY_SIZE(lines) + 1, sizeof(*flags));

	if (!flags)
		refuse_without_memory("flags");
	for (size_t i = 0; i < n_own; i++)
		flags[n++] = (struct option){
			.name = options->flags[i].name,
			.has_arg =
				options->flags[i].takes ? required_argument : no_argument,
			.val = OWN_BASE + (int)i,
		};
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!is_own(options, lines[i].name))
			flags[n++] = (struct option){
				.name = lines[i].name,
				.has_arg =
					lines[i].takes ? required_argument : no_argument,
				.val = (int)i + 1, /* below '?', which is a mistake */
			};
	flags[n] = (struct option){ 0 };
	return flags;
}

static void apply_flag(struct asked *asked, int found)
{
	const struct flag_line *line = line_of(found);
	char where[64];

	if (found >= OWN_BASE) {
		*asked->options->flags[found - OWN_BASE].value = optarg ? optarg : "";
		return;
	}
	if (!line) { /* getopt has said what is wrong */
		fprintf(stderr, "Try \"%s --help\"\n", program_invocation_short_name);
		exit(2);
	}
	snprintf(where, sizeof(where), "--%s", line->name);
	apply(asked, line->flag, where, optarg);
}

int weft_serve_parse(struct weft_serve_options *options, int argc, char **argv)
{
	struct option *flags = list_flags(options);
	struct asked asked = { .options = options };
	int found;

	apply_environment(&asked);
	optind = 0; /* from the start, whoever called getopt() before */
	while ((found = getopt_long(argc, argv, "+", flags, NULL)) != -1)
		apply_flag(&asked, found);
	free(flags);
	join_host_and_port(&asked);
	return optind;
}
