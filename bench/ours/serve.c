/*
 * weft's servers under load: one loop on this thread, until SIGTERM.
 */
#include <stdio.h>

#include "bench/ours/ours.h"

enum { BACKLOG = 4096 };

struct service {
	weft_connection_fn *handler;
	void *arg;
};

static int serve(void *arg)
{
	const struct service *service = arg;
	struct weft_listen_options options = { .backlog = BACKLOG };
	weft_server *server;
	int r = weft_listen("127.0.0.1:0", &options, service->handler, service->arg,
			    &server);

	if (r < 0)
		return r;
	printf("listening on %s\n", weft_server_address(server));
	(void)fflush(stdout); /* the sample waits for this line */
	return weft_server_serve_forever(server, 0);
}

int ours_serve(weft_connection_fn *handler, void *arg)
{
	struct service service = { handler, arg };

	return weft_run(serve, &service);
}
