/*
 * A stream and the plain socket at its other end. See tests/net/net.h.
 */
#include "tests/net/net.h"

#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/report.h>

#include "net/address.h"

void run_net(weft_fn *fn, void *arg)
{
	char text[1000] = "";
	int r = weft_run(fn, arg);

	if (r < 0)
		(void)weft_error_format(weft_error_of(r), text, sizeof(text));
	cr_assert_eq(r, 0, "%s", text);
}

/* ---- Pairs ---- */

static void set_buffers(int fd, bool is_narrow)
{
	int size = 4096;

	if (!is_narrow)
		return;
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

static void open_tcp(int ends[2], int family, bool is_narrow)
{
	union socket_address address = { .any.sa_family = (sa_family_t)family };
	socklen_t size = family == AF_INET ? sizeof(address.in) : sizeof(address.in6);
	int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address.in6.sin6_addr = in6addr_loopback;
	cr_assert_ge(listener, 0);
	set_buffers(listener, is_narrow);
	cr_assert_eq(bind(listener, &address.any, size), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, &address.any, &size), 0);
	ends[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_ge(ends[0], 0);
	set_buffers(ends[0], is_narrow);
	cr_assert_eq(connect(ends[0], &address.any, size), 0);
	ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_ge(ends[1], 0);
	close(listener);
}

void pair_open(struct pair *pair, enum pair_kind kind, bool is_narrow)
{
	static const char *const names[] = {
		[PAIR_TCP] = "tcp",
		[PAIR_TCP6] = "tcp6",
		[PAIR_UNIX] = "unix",
	};
	int ends[2];

	*pair = (struct pair){ .name = names[kind] };
	if (kind == PAIR_UNIX) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		set_buffers(ends[0], is_narrow);
		set_buffers(ends[1], is_narrow);
	} else {
		open_tcp(ends, kind == PAIR_TCP ? AF_INET : AF_INET6, is_narrow);
	}
	cr_assert_eq(weft_stream_adopt(ends[0], &pair->stream), 0);
	pair->peer = ends[1];
}

void pair_close(struct pair *pair)
{
	weft_stream_abort(pair->stream);
	pair->stream = NULL;
	if (pair->peer >= 0)
		close(pair->peer);
	pair->peer = -1;
}

/* ---- The peer ---- */

void peer_send(const struct pair *pair, const void *data, size_t size)
{
	const char *at = data;
	ssize_t n;

	while (size) {
		n = send(pair->peer, at, size, MSG_NOSIGNAL);
		cr_assert_gt(n, 0, "%s: %s", pair->name, strerror(errno));
		at += n;
		size -= (size_t)n;
	}
}

void peer_send_text(const struct pair *pair, const char *text)
{
	peer_send(pair, text, strlen(text));
}

void peer_end(const struct pair *pair)
{
	cr_assert_eq(shutdown(pair->peer, SHUT_WR), 0);
}

void peer_reset(struct pair *pair)
{
	struct linger now = { .l_onoff = 1 };

	cr_assert_eq(setsockopt(pair->peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(pair->peer);
	pair->peer = -1;
}

void peer_expect(const struct pair *pair, const void *data, size_t size)
{
	char *got = malloc(size ? size : 1);
	size_t done = 0;
	ssize_t n;

	cr_assert_not_null(got);
	while (done < size) {
		n = recv(pair->peer, got + done, size - done, 0);
		cr_assert_gt(n, 0, "%s: the stream ended after %zu of %zu bytes",
			     pair->name, done, size);
		done += (size_t)n;
	}
	cr_expect_arr_eq(got, data, size, "%s", pair->name);
	free(got);
}

bool peer_sees_end(const struct pair *pair)
{
	char byte;

	return recv(pair->peer, &byte, 1, 0) == 0;
}

bool peer_sees_reset(const struct pair *pair)
{
	char byte;

	return recv(pair->peer, &byte, 1, 0) < 0 && errno == ECONNRESET;
}

int connect_plain(const char *text)
{
	struct address address;
	int fd;

	cr_assert_eq(weft__address_parse(text, &address), 0);
	fd = socket(address.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_ge(fd, 0);
	cr_assert_eq(connect(fd, &address.socket.any, address.size), 0, "%s: %s", text,
		     strerror(errno));
	return fd;
}

int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	cr_assert_not_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

void await_true(bool (*fn)(void *arg), void *arg, const char *what)
{
	weft_time give_up = weft__clock() + 30 * WEFT_SEC;

	while (!fn(arg)) {
		cr_assert_lt(weft__clock(), give_up, "%s", what);
		cr_assert_eq(weft_sleep(WEFT_MSEC), 0);
	}
}

/* ---- Reports ---- */

static char reports[8000];

static void collect(const struct weft_report *report, void *arg)
{
	size_t n = strlen(reports);

	(void)arg;
	snprintf(reports + n, sizeof(reports) - n, "%s%s%s\n", report->message,
		 report->error ? ": " : "", report->error ? report->error->message : "");
}

void reports_begin(void)
{
	reports[0] = '\0';
	weft_set_report_hook(collect, NULL);
}

const char *reports_end(void)
{
	weft_set_report_hook(NULL, NULL);
	return reports;
}

void fill_pattern(char *data, size_t size)
{
	uint32_t state = 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525 +
			1013904223; /* Knuth's, the high bits are good */
		data[i] = (char)(state >> 24);
	}
}
