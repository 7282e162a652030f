/*
 * The end of the program when only a bug can be the reason. Any thread.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

_Noreturn void weft__assert_failed(const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	n = n < 0 ? 0 : MIN(n, (int)sizeof(text) - 2);
	text[n] = '\n';
	/* One write and no stdio: the bug may lie in there, and threads must not mix
	 * lines. */
	(void)!write(STDERR_FILENO, "weft: ", 6);
	(void)!write(STDERR_FILENO, text, (size_t)n + 1);
	abort();
}
