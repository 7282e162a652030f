/*
 * Reading memory without trust; peek.h has the model.
 */
#include "debug/peek.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What one write() of so many bytes to an empty pipe takes whole. */
enum { PIPE_AT_ONCE = 4096 };

void weft__peek_init(struct peek *peek)
{
	peek->pid = getpid();
	peek->pipe[0] = peek->pipe[1] = -1;
	weft__peek_again(peek);
}

void weft__peek_fini(struct peek *peek)
{
	for (int i = 0; i < 2; i++) {
		if (peek->pipe[i] >= 0)
			(void)close(peek->pipe[i]); /* a pipe has nothing to lose */
	}
}

void weft__peek_again(struct peek *peek)
{
	peek->window_size = 0;
}

/* ---- By a pipe ---- */

/* Not write(): a tool that replaces that one would look at the bytes first. */
static bool through_pipe(struct peek *peek, uintptr_t at, char *to, size_t size)
{
	while (size > 0) {
		size_t n = MIN(size, (size_t)PIPE_AT_ONCE);
		long written = syscall(SYS_write, peek->pipe[1], at, n);

		if (written <= 0 || read(peek->pipe[0], to, (size_t)written) != written ||
		    (size_t)written < n)
			return false;
		at += n;
		to += n;
		size -= n;
	}
	return true;
}

static bool by_pipe(struct peek *peek, uintptr_t at, char *to, size_t size)
{
	if (peek->pipe[0] < 0 && pipe2(peek->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		peek->pipe[0] = peek->pipe[1] = -1;
		return false;
	}
	return through_pipe(peek, at, to, size);
}

/* ---- ---- */

/* Bytes that were read, which may be fewer; -1 if that is forbidden here. */
static ssize_t read_self(const struct peek *peek, uintptr_t at, void *to, size_t size)
{
	struct iovec local = { .iov_base = to, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)at, .iov_len = size };
	ssize_t n = process_vm_readv(peek->pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return errno == EFAULT || errno == EINVAL ? 0 : -1;
	return n;
}

bool weft__peek(struct peek *peek, uintptr_t at, void *to, size_t size)
{
	ssize_t n = peek->pipe[0] >= 0 ? -1 : read_self(peek, at, to, size);

	if (n < 0)
		return by_pipe(peek, at, to, size);
	return (size_t)n == size;
}

/* The window begins at a word, so that the walk up a stack reads each part of it once. */
static bool fill_window(struct peek *peek, uintptr_t at, size_t size)
{
	size_t to_page_end = 4096 - at % 4096;
	size_t wanted = MIN((size_t)PEEK_WINDOW, MAX(to_page_end, size));

	peek->window_size = 0;
	if (!weft__peek(peek, at, peek->window, wanted))
		return false;
	peek->window_at = at;
	peek->window_size = wanted;
	return true;
}

bool weft__peek_bytes(struct peek *peek, uintptr_t at, void *to, size_t size)
{
	uintptr_t offset = at - peek->window_at;

	if (at < peek->window_at || offset > peek->window_size ||
	    size > peek->window_size - offset) {
		if (!fill_window(peek, at, size))
			return false;
		offset = 0;
	}
	memcpy(to, peek->window + offset, size);
	return true;
}

bool weft__peek_word(struct peek *peek, uintptr_t at, uint64_t *word)
{
	return weft__peek_bytes(peek, at, word, sizeof(*word));
}
