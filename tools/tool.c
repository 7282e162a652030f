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
