/*
 * What a stream of text can show.
 */
#include "tools/terminal.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Narrower than this a table is no table; terminals that report 0 do not know. */
enum { WIDTH_MIN = 40, WIDTH_DEFAULT = 80, WIDTH_MAX = 500 };

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

static int width_of(int fd)
{
	struct winsize size;
	const char *columns;
	int width = 0;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	columns = getenv("COLUMNS");
	if (width <= 0 && columns)
		width = atoi(columns);
	if (width <= 0 || width > WIDTH_MAX)
		return WIDTH_DEFAULT;
	return width < WIDTH_MIN ? WIDTH_MIN : width;
}

void terminal_init(struct terminal *terminal, FILE *out)
{
	const char *term = getenv("TERM");

	terminal->out = out;
	terminal->is_terminal = isatty(fileno(out));
	terminal->color = terminal->is_terminal && !is_set("NO_COLOR") && term &&
			  strcmp(term, "dumb") != 0;
	terminal->unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	terminal->width = width_of(fileno(out));
}

static const char *style_on(const struct terminal *terminal, enum terminal_style style)
{
	static const char *const codes[] = {
		[TERMINAL_PLAIN] = "",	     [TERMINAL_BOLD] = "\033[1m",
		[TERMINAL_DIM] = "\033[2m",  [TERMINAL_GREEN] = "\033[32m",
		[TERMINAL_RED] = "\033[31m", [TERMINAL_YELLOW] = "\033[33m",
	};

	return terminal->color ? codes[style] : "";
}

static const char *style_off(const struct terminal *terminal, enum terminal_style style)
{
	return terminal->color && style != TERMINAL_PLAIN ? "\033[0m" : "";
}

void terminal_print(const struct terminal *terminal, enum terminal_style style,
		    const char *format, ...)
{
	va_list args;

	fputs(style_on(terminal, style), terminal->out);
	va_start(args, format);
	vfprintf(terminal->out, format, args);
	va_end(args);
	fputs(style_off(terminal, style), terminal->out);
}

void terminal_print_padded(const struct terminal *terminal, enum terminal_style style,
			   int width, const char *text)
{
	int padding = abs(width) - terminal_columns(text);

	if (width > 0 && padding > 0)
		fprintf(terminal->out, "%*s", padding, "");
	terminal_print(terminal, style, "%s", text);
	if (width < 0 && padding > 0)
		fprintf(terminal->out, "%*s", padding, "");
}

int terminal_columns(const char *text)
{
	int columns = 0;

	/* All bytes of a character but the first have the form 10xxxxxx. */
	for (; *text; text++)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}

const char *terminal_either(const struct terminal *terminal, const char *unicode,
			    const char *ascii)
{
	return terminal->unicode ? unicode : ascii;
}
