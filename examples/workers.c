/*
 * Worker processes: one crashes, and its successor takes over.
 *
 * weft_serve() makes of this process a supervisor, which opens the socket and executes
 * the program anew for each worker. A worker runs main() from the top, as every process
 * does, and begins to serve where it reaches weft_serve(). The supervisor only watches:
 * nothing that a worker does can take it down, and while a worker is replaced, new
 * connections wait in the socket, which is the supervisor's.
 *
 *	./workers [--host HOST] [--port PORT] [--processes N] [--loops N]
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft/weft.h>

/* Shared by the loops of this process, hence atomic; a new process counts anew. */
static atomic_int n_served;

static int who(weft_http_request *request, void *arg)
{
	(void)arg;
	return weft_http_reply_text(request, 200, "worker %d, process %d, request %d\n",
				    weft_worker_index(), (int)getpid(), ++n_served);
}

static int crash(weft_http_request *request, void *arg)
{
	(void)request;
	(void)arg;
	abort(); /* a bug in this handler, or in a library */
}

static int supervisor_starts(void *arg)
{
	(void)arg;
	/* Once, before the first worker: not in each of them. */
	fprintf(stderr, "supervisor: process %d\n", (int)getpid());
	return 0;
}

int main(int argc, char **argv)
{
	struct weft_serve_options options = {
		.address = "127.0.0.1:8080",
		.workers = 2,
		.on_supervisor_start = supervisor_starts,
	};
	weft_http_app *app;
	int r;

	weft_init(&argc, &argv); /* tells a worker that it is one */
	weft_serve_parse(&options, argc, argv);
	r = weft_http_app_new(NULL, &app);
	if (r < 0)
		return weft_exit_status(r);

	weft_http_app_route(app, "GET", "/", who, NULL);
	weft_http_app_route(app, "GET", "/crash", crash, NULL);
	r = weft_serve(&options, weft_http_serve_connection, app);
	weft_http_app_free(app);
	return weft_exit_status(r);
}

/*
 * Output, where the numbers of the processes are others each time:
 *
 *	$ ./workers --port 8080 --processes 1 &
 *	supervisor: process 6989
 *	listening on 127.0.0.1:8080
 *	$ ./http_client http://127.0.0.1:8080/ http://127.0.0.1:8080/
 *	200, text/plain; charset=utf-8
 *	worker 0, process 6992, request 1
 *	200, text/plain; charset=utf-8
 *	worker 0, process 6992, request 2
 *	$ ./http_client http://127.0.0.1:8080/crash
 *	http_client: cannot fetch http://127.0.0.1:8080/crash
 *	  because: the connection ended before the response
 *	$ echo $?
 *	1
 *	$ ./http_client http://127.0.0.1:8080/
 *	200, text/plain; charset=utf-8
 *	worker 0, process 7011, request 1
 */
