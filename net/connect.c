/*
 * Connecting: an address as text to an open stream.
 *
 * A name may have several addresses, of which some may not work from here. They are tried in turn,
 * IPv6 and IPv4 alternating, the next one when the one before has failed or 250 ms have passed; the
 * first that answers wins, and the others are closed (RFC 8305, "Happy Eyeballs"). Each attempt is
 * a stream that is not connected yet, so the winner is handed over as it is.
 *
 * All of it happens in the calling task and ends with it: an attempt ends by setting an event, and
 * nothing is left open when the task goes on, whatever the reason.
 */
#include <weft/resolver.h>
#include <weft/stream.h>
#include <weft/sync.h>
#include <weft/timeout.h>

#include <unistd.h>

#include "base/error.h"
#include "net/socket.h"
#include "net/stream_object.h"

#define DEFAULT_LIMIT_NS   (10 * WEFT_SEC)
#define DEFAULT_STAGGER_NS (250 * WEFT_MSEC)

enum { ATTEMPTS_MAX = 16 };

struct attempt {
	struct connecting *connecting;
	const struct sockaddr *address; /* borrowed from the list, or from the caller */
	socklen_t size;
	weft_stream *stream; /* NULL: not begun, or failed */
	struct op op;
	bool has_ended; /* op.result is there, and nobody has looked at it */
};

struct connecting {
	const char *text; /* the address as it was given */
	const struct address *local; /* NULL: any */
	struct stream_options options;
	weft_time stagger_ns;
	weft_loop *loop;
	struct weft_event changed;
	struct handle stagger;
	bool is_next_due;
	size_t n_errors;
	const struct weft_error *errors[ATTEMPTS_MAX];
	int last_error;
	size_t n, n_begun, n_active;
	struct attempt attempts[ATTEMPTS_MAX];
};

/* ---- One attempt ---- */

/* Does it speak of where we connect from? */
static bool is_of_local(const struct connecting *c, int error)
{
	return c->local && (error == -EADDRINUSE || error == -EADDRNOTAVAIL ||
			    error == -EAFNOSUPPORT);
}

static void note_failure(struct attempt *attempt, int error)
{
	struct connecting *c = attempt->connecting;
	char text[ADDRESS_TEXT_SIZE], local[ADDRESS_TEXT_SIZE];
	const struct weft_error *details;

	weft__address_format(attempt->address, attempt->size, text);
	if (is_of_local(c, error))
		details = weft__error_new(
			error, "%s: the local address %s cannot be used for it: %s", text,
			weft__address_format(&c->local->socket.any, c->local->size,
					     local),
			strerrordesc_np(-error));
	else
		details = weft__error_new(error, "%s: %s", text, strerrordesc_np(-error));
	if (details)
		c->errors[c->n_errors++] = details;
	c->last_error = error;
	c->is_next_due = true; /* no need to wait for its turn */
}

static void on_connected(struct op *op)
{
	struct attempt *attempt = op->owner;

	attempt->has_ended = true;
	weft_event_set(&attempt->connecting->changed);
}

/* A local port that happens to be the one that is called answers itself. */
static bool is_itself(const struct attempt *attempt)
{
	union socket_address ours = { .any.sa_family = AF_UNSPEC };
	socklen_t size = sizeof(ours);

	return getsockname(attempt->stream->descriptor.fd, &ours.any, &size) == 0 &&
	       size == attempt->size && memcmp(&ours, attempt->address, size) == 0;
}

static int bind_local(int fd, const struct address *local)
{
	int one = 1;

	/* The port is chosen at connect, when the other end is known: then it need not be free. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, &local->socket.any, local->size) < 0 ? -errno : 0;
}

/* The socket of an attempt, as a stream. */
static int open_stream(struct attempt *attempt)
{
	const struct connecting *c = attempt->connecting;
	int family = attempt->address->sa_family;
	weft_stream *stream;
	int fd, r;

	if (c->local && c->local->socket.any.sa_family != family)
		return -EAFNOSUPPORT;
	fd = weft__socket_new(family);
	if (fd < 0)
		return fd;
	weft__socket_tune(fd, family);
	r = c->local ? bind_local(fd, c->local) : 0;
	if (r < 0)
		goto close_fd;
	stream = weft__alloc(sizeof(*stream));
	if (!stream) {
		r = -ENOMEM;
		goto close_fd;
	}
	r = weft__stream_init(stream, c->loop, fd, socket_kind(family), &c->options);
	if (r < 0)
		goto free_stream;
	attempt->stream = stream;
	return 0;
free_stream:
	free(stream);
close_fd:
	(void)close(fd);
	return r;
}

static void begin_attempt(struct attempt *attempt)
{
	int r = open_stream(attempt);

	if (r < 0) {
		note_failure(attempt, r);
		return;
	}
	attempt->op = (struct op){
		.code = OP_CONNECT,
		.descriptor = &attempt->stream->descriptor,
		.connect = { attempt->address, attempt->size },
		.done = on_connected,
		.owner = attempt,
	};
	attempt->op.result = weft__op_start(&attempt->op);
	attempt->has_ended = attempt->op.result != -EINPROGRESS;
	attempt->connecting->n_active++;
}

static void give_up(struct attempt *attempt)
{
	weft__stream_give_up(attempt->stream, false);
	attempt->stream = NULL;
	attempt->has_ended = false;
}

/* Return: true if it has made the connection. */
static bool has_won(struct attempt *attempt)
{
	if (!attempt->has_ended)
		return false;
	attempt->has_ended = false;
	attempt->connecting->n_active--;
	if (attempt->op.result == 0 && is_itself(attempt))
		attempt->op.result = -ECONNREFUSED;
	if (attempt->op.result == 0)
		return true;
	note_failure(attempt, (int)attempt->op.result);
	give_up(attempt);
	return false;
}

/* ---- All of them ---- */

static void on_stagger(void *arg)
{
	struct connecting *c = arg;

	c->is_next_due = true;
	weft_event_set(&c->changed);
}

static void begin_next(struct connecting *c)
{
	c->is_next_due = false;
	begin_attempt(&c->attempts[c->n_begun++]);
	loop_remove_timer(&c->stagger);
	if (c->n_begun < c->n)
		loop_add_timer(c->loop, &c->stagger,
			       weft__time_add(loop_now(c->loop), c->stagger_ns));
}

static struct attempt *find_winner(struct connecting *c)
{
	for (size_t i = 0; i < c->n_begun; i++)
		if (has_won(&c->attempts[i]))
			return &c->attempts[i];
	return NULL;
}

/* Return: 0 with the winner, -ECANCELED, or the last error if all have failed. */
static int await_winner(struct connecting *c, struct attempt **winner)
{
	int r;

	for (;;) {
		while (c->n_begun < c->n && (c->is_next_due || !c->n_active))
			begin_next(c);
		weft_event_clear(&c->changed);
		*winner = find_winner(c);
		if (*winner)
			return 0;
		if (c->n_begun < c->n && c->is_next_due)
			continue;
		if (!c->n_active)
			return c->last_error;
		r = weft_event_wait(&c->changed);
		if (r < 0)
			return r;
	}
}

/* Return: 0 with the stream, or what await_winner() returned; nothing else is left open. */
static int race(struct connecting *c, weft_stream **stream)
{
	struct attempt *winner = NULL;
	int r;

	handle_init(&c->stagger, HANDLE_DIRECT, on_stagger, c);
	r = await_winner(c, &winner);
	loop_remove_timer(&c->stagger);
	if (r == 0) {
		weft__stream_set_peer(winner->stream, winner->address, winner->size);
		*stream = winner->stream;
		winner->stream = NULL;
	}
	for (size_t i = 0; i < c->n_begun; i++)
		if (c->attempts[i].stream)
			give_up(&c->attempts[i]);
	return r;
}

/* ---- Errors ---- */

/* What went wrong at the only address, which need not be named twice. */
static const char *without_address(const struct connecting *c, const char *message)
{
	size_t size = strlen(c->text);

	if (strncmp(message, c->text, size) == 0 && strncmp(message + size, ": ", 2) == 0)
		return message + size + 2;
	return message;
}

/* What was found out on the way becomes the caller's. Return: `r`, how it ended. */
static int explain(struct connecting *c, int r, bool took_too_long, weft_time limit_ns)
{
	if (r == -ETIMEDOUT && took_too_long)
		return weft__error_set_children(r, c->errors, c->n_errors,
						"connecting to %s took longer than %g s",
						c->text, (double)limit_ns / WEFT_SEC);
	if (r < 0 && r != -ECANCELED && c->n_errors > 1)
		return weft__error_set_children(
			r, c->errors, c->n_errors,
			"cannot connect to %s: none of its %zu addresses "
			"answers",
			c->text, c->n_errors);
	if (r < 0 && r != -ECANCELED && c->n_errors == 1)
		r = weft_error_set(r, "cannot connect to %s: %s", c->text,
				   without_address(c, c->errors[0]->message));
	for (size_t i = 0; i < c->n_errors; i++)
		weft_error_unref(c->errors[i]);
	return r;
}

/* ---- Addresses ---- */

static void add_address(struct connecting *c, const struct sockaddr *address,
			socklen_t size)
{
	if (c->n == ATTEMPTS_MAX)
		return;
	c->attempts[c->n] = (struct attempt){
		.connecting = c,
		.address = address,
		.size = size,
	};
	c->n++;
}

/* The next one of the list with that family, or with another one; NULL if there is none. */
static const struct addrinfo *skip_to(const struct addrinfo *at, int family, bool same)
{
	while (at && (at->ai_family == family) != same)
		at = at->ai_next;
	return at;
}

/* In the order of the list, but so that families take turns. */
static void add_list(struct connecting *c, const struct addrinfo *list, uint16_t port)
{
	const struct addrinfo *a = list, *b = skip_to(list, list->ai_family, false);
	int family = list->ai_family;

	while (a || b) {
		if (a) {
			weft__address_set_port(a->ai_addr, port);
			add_address(c, a->ai_addr, a->ai_addrlen);
			a = skip_to(a->ai_next, family, true);
		}
		if (b) {
			weft__address_set_port(b->ai_addr, port);
			add_address(c, b->ai_addr, b->ai_addrlen);
			b = skip_to(b->ai_next, family, false);
		}
	}
}

static int connect_to_name(struct connecting *c, const struct address *address,
			   weft_stream **stream)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list;
	int r = weft_getaddrinfo(address->host, NULL, &hints, &list);

	if (r < 0)
		return r;
	add_list(c, list, address->port);
	r = race(c, stream);
	freeaddrinfo(list);
	return r;
}

/*
 * A Unix socket connects at once, or not at all: if its server's queue is full the kernel has
 * nothing to wait on, so we ask again.
 */
static int connect_to_path(struct connecting *c, const struct address *address,
			   weft_stream **stream)
{
	struct attempt *attempt = &c->attempts[0];
	weft_time pause = 1 * WEFT_MSEC;
	int r;

	add_address(c, &address->socket.any, address->size);
	r = open_stream(attempt);
	while (r == 0 && connect(attempt->stream->descriptor.fd, &address->socket.any,
				 address->size) < 0) {
		r = errno == EINTR || errno == EAGAIN ? 0 : -errno;
		if (errno == EAGAIN) {
			r = weft_sleep(pause);
			pause = MIN(pause * 2, 50 * WEFT_MSEC);
		}
	}
	if (r == 0) {
		*stream = attempt->stream;
		return 0;
	}
	if (r != -ECANCELED)
		note_failure(attempt, r);
	if (attempt->stream)
		give_up(attempt);
	return r;
}

static int connect_to(struct connecting *c, const struct address *address,
		      weft_stream **stream)
{
	if (address->kind == ADDRESS_NAME)
		return connect_to_name(c, address, stream);
	if (address->socket.any.sa_family == AF_UNIX)
		return connect_to_path(c, address, stream);
	add_address(c, &address->socket.any, address->size);
	return race(c, stream);
}

/* ---- The call ---- */

static int check_options(const struct weft_connect_options *options)
{
	if (weft__has_reserved(options->reserved, ARRAY_SIZE(options->reserved)) ||
	    options->limit_ns < 0 || options->stagger_ns < 0)
		return weft_error_set(
			-EINVAL, "weft_connect(): the options are not valid: set all "
				 "fields that you do not use to zero");
	return 0;
}

static int parse_local(const char *text, struct address *local)
{
	int r = weft__address_parse(text, local);

	if (r == 0 && local->kind != ADDRESS_SOCKET)
		r = weft_error_set(
			-EINVAL,
			"weft_connect(): the local address \"%s\" is not numeric: write "
			"one such as \"192.0.2.1:0\"",
			text);
	return r;
}

static int connect_within_limit(const char *text, const struct address *address,
				const struct address *local,
				const struct weft_connect_options *options,
				weft_stream **stream)
{
	weft_time limit_ns = options->limit_ns ? options->limit_ns : DEFAULT_LIMIT_NS;
	struct connecting *c = weft__zalloc(sizeof(*c));
	struct weft_timeout timeout;
	int r;

	if (!c)
		return -ENOMEM;
	c->text = text;
	c->local = local;
	c->options = (struct stream_options){ options->line_limit, options->high_water };
	c->stagger_ns = options->stagger_ns ? options->stagger_ns : DEFAULT_STAGGER_NS;
	c->loop = weft__thread.loop;
	weft_timeout_begin(&timeout, limit_ns);
	r = connect_to(c, address, stream);
	r = weft_timeout_end(&timeout, r);
	r = explain(c, r, weft_timeout_expired(&timeout), limit_ns);
	free(c);
	return r;
}

/* Not inlined, so that the return address is the caller's. */
__attribute__((noinline)) int weft_connect(const char *text,
					   const struct weft_connect_options *options,
					   weft_stream **out)
{
	static const struct weft_connect_options defaults;
	const void *place = __builtin_return_address(0);
	struct address address, local;
	weft_stream *stream = NULL;
	int r;

	if (!task_current())
		return weft__task_none(__func__);
	if (!options)
		options = &defaults;
	r = check_options(options);
	if (r == 0)
		r = weft__address_parse(text, &address);
	if (r == 0 && options->local)
		r = parse_local(options->local, &local);
	if (r < 0)
		return r;
	if (address.kind == ADDRESS_ANY)
		return weft_error_set(
			-EINVAL,
			"\"%s\" stands for all interfaces, to which nobody can "
			"connect: write a host, such as \"localhost%s\"",
			text, strchr(text, ':'));
	if (address.kind == ADDRESS_FD)
		return weft__stream_adopt(address.fd,
					  &(struct stream_options){ options->line_limit,
								    options->high_water },
					  place, out);
	r = connect_within_limit(text, &address, options->local ? &local : NULL, options,
				 &stream);
	if (r < 0)
		return r;
	weft__stream_track(stream, place);
	*out = stream;
	return 0;
}
