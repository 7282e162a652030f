/*
 * libevent as a peer: buffered events for echo, evhttp for http. One thread.
 */
#include "bench/peers/peer.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>

static struct sockaddr_in loopback(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* ---- Echo: the input buffer becomes the output buffer ---- */

static void on_readable(struct bufferevent *connection, void *arg)
{
	(void)arg;
	bufferevent_write_buffer(connection, bufferevent_get_input(connection));
}

static void on_event(struct bufferevent *connection, short events, void *arg)
{
	(void)arg;
	if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *address, int size, void *arg)
{
	struct bufferevent *connection;
	int one = 1;

	(void)address;
	(void)size;
	(void)arg;
	/* Without it the bench would measure the kernel's delay; it does not fail. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
					    BEV_OPT_CLOSE_ON_FREE);
	if (!connection)
		bench_die("bufferevent_socket_new failed");
	bufferevent_set_max_single_read(connection, 128 * 1024);
	bufferevent_set_max_single_write(connection, 128 * 1024);
	bufferevent_setcb(connection, on_readable, NULL, on_event, NULL);
	bufferevent_enable(connection, EV_READ | EV_WRITE);
}

static int serve_echo(void)
{
	struct event_base *base = event_base_new();
	struct sockaddr_in address = loopback();
	struct evconnlistener *listener;

	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
	listener = evconnlistener_new_bind(base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE,
					   4096, (struct sockaddr *)&address,
					   sizeof(address));
	if (!listener)
		bench_die("evconnlistener_new_bind failed");
	peer_listening(evconnlistener_get_fd(listener));
	return event_base_dispatch(base);
}

/* ---- HTTP ---- */

static void on_request(struct evhttp_request *request, void *arg)
{
	struct evbuffer *body = evbuffer_new();

	(void)arg;
	if (!body)
		bench_die("evbuffer_new failed");
	evbuffer_add_reference(body, "hello world\n", 12, NULL, NULL);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
			  "text/plain");
	evhttp_send_reply(request, 200, "OK", body);
	evbuffer_free(body);
}

static int serve_http(void)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct evhttp_bound_socket *socket;

	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
	evhttp_set_gencb(http, on_request, NULL);
	socket = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
	if (!socket)
		bench_die("evhttp_bind_socket_with_handle failed");
	peer_listening(evhttp_bound_socket_get_fd(socket));
	return event_base_dispatch(base);
}

int main(int argc, char *argv[])
{
	static const struct peer_case cases[] = { { .bench = NULL } };
	static const struct peer_server servers[] = {
		{ "echo", serve_echo },
		{ "http", serve_http },
		{ .bench = NULL },
	};

	return peer_main(argc, argv, cases, servers);
}
