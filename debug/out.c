/*
 * Writing a dump; out.h has the model.
 */
#include "debug/out.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

void weft__out_init(struct out *out, FILE *file, int fd, weft_time patience_ns)
{
	out->file = file;
	out->fd = fd;
	out->patience_ns = patience_ns;
	out->error = 0;
	out->n = out->n_lines_end = 0;
}

/* ---- Writing ---- */

/* Waits until a write() would not block, within what is left of the patience. */
static int await_room(struct out *out)
{
	struct pollfd fd = { .fd = out->fd, .events = POLLOUT };
	weft_time begin = weft__clock();
	int n;

	if (out->fd < 0)
		return -EBADF;
	n = poll(&fd, 1, (int)(out->patience_ns / WEFT_MSEC));
	out->patience_ns -= MIN(weft__clock() - begin, out->patience_ns);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

static int write_to_fd(struct out *out, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n;
		int r = await_room(out);

		if (r < 0)
			return r;
		n = write(out->fd, bytes, size);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static void write_out(struct out *out, size_t size)
{
	if (out->error || size == 0)
		return;
	if (!out->file)
		out->error = write_to_fd(out, out->bytes, size);
	else if (fwrite(out->bytes, 1, size, out->file) != size)
		out->error = errno ? -errno : -EIO;
}

/* Makes room: whole lines go out, what was begun stays. */
static void write_lines(struct out *out)
{
	size_t n = out->n_lines_end ? out->n_lines_end : out->n;

	write_out(out, n);
	memmove(out->bytes, out->bytes + n, out->n - n);
	out->n -= n;
	out->n_lines_end = 0;
}

int weft__out_flush(struct out *out)
{
	write_out(out, out->n);
	out->n = out->n_lines_end = 0;
	if (out->file && !out->error && fflush(out->file) != 0)
		out->error = -errno;
	return out->error;
}

/* ---- Adding ---- */

static void add_byte(struct out *out, char byte)
{
	if (out->n == sizeof(out->bytes))
		write_lines(out);
	out->bytes[out->n++] = byte;
	if (byte == '\n')
		out->n_lines_end = out->n;
}

void weft__out_add(struct out *out, const char *text)
{
	for (; *text; text++)
		add_byte(out, *text);
}

void weft__out_foreign(struct out *out, const char *text, size_t n_max)
{
	for (size_t i = 0; i < n_max && text[i]; i++) {
		unsigned char byte = (unsigned char)text[i];

		add_byte(out, byte < ' ' || byte == 0x7f ? '?' : text[i]);
	}
}

void weft__out_number(struct out *out, uint64_t number)
{
	char buffer[24];
	struct text text = weft__text(buffer, sizeof(buffer));

	weft__text_add_number(&text, number);
	weft__out_add(out, buffer);
}

void weft__out_hex(struct out *out, uint64_t number)
{
	char buffer[24];
	struct text text = weft__text(buffer, sizeof(buffer));

	weft__text_add_hex(&text, number);
	weft__out_add(out, buffer);
}

void weft__out_duration(struct out *out, weft_time duration)
{
	uint64_t tenths;

	if (duration < 0)
		duration = 0;
	if (duration < WEFT_SEC) {
		weft__out_number(out, (uint64_t)(duration / WEFT_MSEC));
		weft__out_add(out, " ms");
		return;
	}
	tenths = (uint64_t)(duration / (WEFT_SEC / 10));
	weft__out_number(out, tenths / 10);
	if (tenths < 1000) {
		weft__out_add(out, ".");
		weft__out_number(out, tenths % 10);
	}
	weft__out_add(out, " s");
}
