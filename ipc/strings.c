/*
 * Copies of argv and environ: one block, first the pointers, then the texts.
 */
#include "ipc/strings.h"

static bool is_variable(const char *string, const char *name)
{
	size_t length = strlen(name);

	return strncmp(string, name, length) == 0 && string[length] == '=';
}

static bool is_left_out(const char *string, const char *const *without)
{
	for (; without && *without; without++)
		if (is_variable(string, *without))
			return true;
	return false;
}

char **weft__strings_copy(char *const *from, const char *const *without, size_t n_spare,
			  size_t *n)
{
	static char *const none[] = { NULL };
	size_t n_strings = 0, text_bytes = 0, list_bytes;
	char **copy, *text;

	if (!from)
		from = none;
	for (char *const *string = from; *string; string++) {
		if (is_left_out(*string, without))
			continue;
		n_strings++;
		text_bytes += strlen(*string) + 1;
	}
	/*
	 * Cannot overflow: it all lies in memory already, and execve() bounds it far
	 * below.
	 */
	list_bytes = (n_strings + n_spare + 1) * sizeof(char *);
	copy = weft__zalloc(list_bytes + text_bytes);
	if (!copy)
		return NULL;
	text = (char *)copy + list_bytes;
	n_strings = 0;
	for (char *const *string = from; *string; string++) {
		size_t size = strlen(*string) + 1;

		if (is_left_out(*string, without))
			continue;
		copy[n_strings++] = memcpy(text, *string, size);
		text += size;
	}
	if (n)
		*n = n_strings;
	return copy;
}
