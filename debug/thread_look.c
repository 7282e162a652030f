/*
 * Looking at threads; thread_look.h has the model.
 */
#include "debug/thread_look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "base/text.h"

/* Reads a file of /proc that fits the buffer, as a string; false if that fails. */
static bool read_file(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	do
		n = read(fd, buffer, size - 1);
	while (n < 0 && errno == EINTR);
	(void)close(fd); /* was only read */
	buffer[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static uint64_t parse_hex(const char *digits)
{
	uint64_t value = 0;

	for (;; digits++) {
		unsigned digit;

		if (*digits >= '0' && *digits <= '9')
			digit = (unsigned)(*digits - '0');
		else if (*digits >= 'a' && *digits <= 'f')
			digit = (unsigned)(*digits - 'a') + 10;
		else
			return value;
		value = value << 4 | digit;
	}
}

/* The last two words of the line, "… 0xSP 0xPC". */
static bool parse_end(const char *line, struct thread_look *look)
{
	const char *last = strrchr(line, ' ');
	const char *before = last;

	if (!last || last == line)
		return false;
	do
		before--;
	while (before > line && *before != ' ');
	if (before <= line || strncmp(before, " 0x", 3) != 0 ||
	    strncmp(last, " 0x", 3) != 0)
		return false;
	look->sp = parse_hex(before + 3);
	look->pc = parse_hex(last + 3);
	return look->sp != 0 && look->pc != 0;
}

struct thread_look weft__thread_look(pid_t tid)
{
	struct thread_look look = { .is = THREAD_HIDDEN };
	char path[64], line[256];
	struct text text = weft__text(path, sizeof(path));

	weft__text_add(&text, "/proc/self/task/");
	weft__text_add_number(&text, (uint64_t)tid);
	weft__text_add(&text, "/syscall");
	if (!read_file(path, line, sizeof(line)))
		return look;
	if (strncmp(line, "running", 7) == 0)
		look.is = THREAD_RUNNING;
	else if (parse_end(line, &look) && weft__is_code((const void *)look.pc))
		look.is = THREAD_ASLEEP;
	return look;
}
