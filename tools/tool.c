/*
 * Complaints, as every sub-command writes them.
 */
#include "tools/tool.h"

#include <stdarg.h>

void tool_complain(const char *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "weft%s%s: ", command ? " " : "", command ? command : "");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

int tool_fail(const char *command, const struct weft_error *error)
{
	size_t size = weft_error_format(error, NULL, 0) + 1;
	char *text = malloc(size);

	if (text)
		weft_error_format(error, text, size);
	tool_complain(command, "%s", text ? text : error->message);
	free(text);
	return TOOL_FAILED;
}
