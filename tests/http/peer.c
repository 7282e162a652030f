/*
 * A scripted client of the HTTP server. See tests/http/peer.h.
 */
#include "tests/http/peer.h"

#include <weft/report.h>
#include <weft/test.h>
#include <weft/timeout.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Running ---- */

static void expect_success(int r)
{
	char text[2000];

	if (r >= 0)
		return;
	(void)weft_error_format(weft_error_of(r), text, sizeof(text));
	cr_assert_fail("%s", text);
}

void run_virtual(weft_fn *fn, void *arg)
{
	expect_success(weft_test_run(fn, arg, NULL));
}

void run_real(weft_fn *fn, void *arg)
{
	expect_success(weft_run(fn, arg));
}

/* ---- Connections ---- */

struct serving {
	struct peer *peer;
	weft_stream *stream;
};

/* What a server does with a connection. */
static int serve(void *arg)
{
	struct serving serving = *(struct serving *)arg;
	struct peer *peer = serving.peer;

	peer->result = weft_http_serve_connection(serving.stream, peer->app);
	if (peer->result < 0)
		weft_stream_abort(serving.stream);
	else
		(void)weft_stream_close(serving.stream);
	peer->has_ended = true;
	return 0;
}

static void open_on(struct peer *peer, weft_http_app *app, int ours, int theirs)
{
	struct serving serving = { .peer = peer };
	struct weft_spawn_options options = { .copy_arg_bytes = sizeof(serving) };

	*peer = (struct peer){ .app = app, .text = calloc(1, 1) };
	cr_assert_eq(weft_stream_adopt(ours, &peer->stream), 0);
	cr_assert_eq(weft_stream_adopt(theirs, &serving.stream), 0);
	cr_assert_eq(weft_spawn_with(serve, &serving, &options, &peer->server), 0);
}

void peer_open(struct peer *peer, weft_http_app *app)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	open_on(peer, app, ends[0], ends[1]);
}

void peer_open_tcp(struct peer *peer, weft_http_app *app)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *generic = (struct sockaddr *)(void *)&address;
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int theirs;

	cr_assert_eq(bind(listener, generic, size), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, generic, &size), 0);
	cr_assert_eq(connect(ours, generic, size), 0);
	theirs = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_ge(theirs, 0);
	close(listener);
	open_on(peer, app, ours, theirs);
}

void peer_send(struct peer *peer, const char *data, size_t size)
{
	/* Fails where the server has already closed, which is for the test to find out. */
	(void)weft_stream_write(peer->stream, data, size);
}

void peer_send_text(struct peer *peer, const char *text)
{
	peer_send(peer, text, strlen(text));
}

void peer_end(struct peer *peer)
{
	(void)weft_stream_write_eof(peer->stream);
}

/* 1 for bytes, 0 at the end, or negative. */
static ssize_t receive_some(struct peer *peer)
{
	char buffer[16384];
	ssize_t n = weft_stream_read(peer->stream, buffer, sizeof(buffer));

	if (n <= 0)
		return n;
	peer->text = realloc(peer->text, peer->size + (size_t)n + 1);
	memcpy(peer->text + peer->size, buffer, (size_t)n);
	peer->size += (size_t)n;
	peer->text[peer->size] = '\0';
	return 1;
}

bool peer_receive(struct peer *peer, weft_time limit_ns)
{
	struct weft_timeout timeout;
	ssize_t n;
	int r;

	weft_timeout_begin(&timeout, limit_ns);
	do
		n = receive_some(peer);
	while (n > 0);
	r = weft_timeout_end(&timeout, (int)n);
	return r != -ETIMEDOUT;
}

int peer_receive_all(struct peer *peer)
{
	ssize_t n;

	do
		n = receive_some(peer);
	while (n > 0);
	return (int)n;
}

void peer_close(struct peer *peer)
{
	(void)weft_stream_close(peer->stream);
	cr_expect_eq(weft_task_join(peer->server), 0);
	free(peer->text);
}

/* ---- Replies ---- */

/* Puts the chunks at `at` together in place; where they end, or NULL if they do not. */
static char *join_chunks(char *at, size_t *size)
{
	char *out = at;
	char *end;

	*size = 0;
	for (;;) {
		size_t n = strtoul(at, &end, 16);

		if (end == at || strncmp(end, "\r\n", 2) != 0)
			return NULL;
		at = end + 2;
		if (strnlen(at, n + 2) < n + 2)
			return NULL;
		if (strncmp(at + n, "\r\n", 2) != 0)
			return NULL;
		memmove(out + *size, at, n);
		*size += n;
		at += n + 2;
		if (!n)
			return at;
	}
}

static const char *find_line(const struct peer_reply *reply, const char *line)
{
	const char *found = memmem(reply->head, reply->head_size, line, strlen(line));

	return found && found[-1] == '\n' ? found : NULL;
}

struct peer_reply peer_next(struct peer *peer, bool is_head)
{
	struct peer_reply reply = { .head = peer->text + peer->at };
	char *end = strstr(peer->text + peer->at, "\r\n\r\n");
	const char *length;
	char *after;

	if (!end)
		return reply;
	cr_assert_eq(sscanf(reply.head, "HTTP/1.1 %3d ", &reply.status), 1, "%s",
		     reply.head);
	reply.head_size = (size_t)(end + 4 - reply.head);
	reply.body = end + 4;
	after = end + 4;
	length = find_line(&reply, "Content-Length: ");
	reply.is_complete = true;
	if (is_head || reply.status < 200 || reply.status == 204 || reply.status == 304) {
		; /* no body */
	} else if (length) {
		size_t size = strtoul(length + strlen("Content-Length: "), NULL, 10);

		reply.body_size = MIN(size, (size_t)(peer->text + peer->size - after));
		reply.is_complete = reply.body_size == size;
		after += reply.body_size;
	} else if (find_line(&reply, "Transfer-Encoding: chunked\r\n")) {
		after = join_chunks(after, &reply.body_size);
		reply.is_complete = after != NULL;
	} else {
		reply.body_size = (size_t)(peer->text + peer->size - after);
		after += reply.body_size;
	}
	peer->at = after ? (size_t)(after - peer->text) : peer->size;
	return reply;
}

struct peer_reply peer_ask(struct peer *peer, weft_http_app *app, const char *request)
{
	peer_open(peer, app);
	peer_send_text(peer, request);
	peer_end(peer);
	(void)peer_receive_all(peer);
	return peer_next(peer, !strncmp(request, "HEAD", 4));
}

bool reply_has(const struct peer_reply *reply, const char *line)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s\r\n", line);
	return find_line(reply, whole) != NULL;
}

bool reply_body_is(const struct peer_reply *reply, const char *text)
{
	return reply->body_size == strlen(text) &&
	       !memcmp(reply->body, text, reply->body_size);
}

void expect_answers(weft_http_app *app, const struct question *questions, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct question *q = &questions[i];
		struct peer peer;
		struct peer_reply reply = peer_ask(&peer, app, q->request);

		cr_expect_eq(reply.status, q->status, "%s: %s", q->name, peer.text);
		cr_expect(reply.is_complete, "%s", q->name);
		if (q->line)
			cr_expect(reply_has(&reply, q->line), "%s: %s", q->name,
				  peer.text);
		if (q->body)
			cr_expect(reply_body_is(&reply, q->body), "%s: %s", q->name,
				  peer.text);
		peer_close(&peer);
	}
}

/* ---- Applications ---- */

weft_http_app *app_of(const struct weft_http_app_options *options)
{
	weft_http_app *app;

	cr_assert_eq(weft_http_app_new(options, &app), 0);
	return app;
}

/* "METHOD /path?query, N bytes" */
int echo(weft_http_request *request, void *arg)
{
	struct weft_bytes body;
	int r;

	(void)arg;
	r = weft_http_request_body(request, &body);
	if (r < 0)
		return r;
	return weft_http_reply_text(request, 200, "%s %s?%s, %zu bytes",
				    weft_http_request_method(request),
				    weft_http_request_path(request),
				    weft_http_request_query_string(request), body.size);
}

int must_not_run(weft_http_request *request, void *arg)
{
	(void)arg;
	cr_expect_fail("%s was run", weft_http_request_path(request));
	return 0;
}

weft_http_app *echo_app(const struct weft_http_app_options *options)
{
	weft_http_app *app = app_of(options);

	weft_http_app_route(app, "*", "/{path*}", echo, NULL);
	weft_http_app_route(app, "GET", "/smuggled", must_not_run, NULL);
	return app;
}

int n_reports;

static void count_report(const struct weft_report *report, void *arg)
{
	(void)arg;
	cr_expect_eq(report->severity, WEFT_FAILURE);
	n_reports++;
}

void count_reports(void)
{
	n_reports = 0;
	weft_set_report_hook(count_report, NULL);
}

const char *elapsed(weft_time since)
{
	static char text[32];

	snprintf(text, sizeof(text), "%.1f s", (double)(weft_now() - since) / WEFT_SEC);
	return text;
}
