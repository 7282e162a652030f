/*
 * Serving on every core: a supervisor, worker processes, loops in each.
 *
 * weft_serve() turns the process into a supervisor that opens the sockets and starts workers
 * by executing the program anew. A worker runs main() from the top with the same arguments,
 * arrives at the same call of weft_serve(), and serves there. So what main() does before that
 * call happens in every process, and nothing else is shared. There is one such call in a program.
 *
 * SIGTERM and the first SIGINT drain, the second leaves at once; SIGHUP brings up new workers,
 * from the binary that lies at the path by then, before old ones leave, and keeps the old ones
 * when the new ones do not get ready; SIGTTIN and SIGTTOU are one worker more and one less;
 * SIGQUIT prints every task's stack and goes on; SIGUSR1 is passed on to the workers' own handlers.
 * Signals are for the supervisor; workers are out of the terminal's reach, and end within 5 s if
 * their supervisor does.
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct weft_serve_options options = { .address = "127.0.0.1:8080" };
 *
 *		weft_init(&argc, &argv);
 *		weft_serve_parse(&options, argc, argv);
 *		return weft_exit_status(weft_serve(&options, echo, NULL));
 *	}
 */
#ifndef WEFT_SERVE_H
#define WEFT_SERVE_H

#include <weft/stream.h>

WEFT_BEGIN_DECLS

/**
 * struct weft_serve_flag - a flag of the program's own, for weft_serve_parse()
 * @name:  as it is written behind "--"; NULL ends a table of them
 * @takes: what --help calls its value ("FILE"); NULL: it takes none
 * @help:  its line in --help
 * @value: receives the value, or "" if it takes none; untouched if the flag is not given
 */
struct weft_serve_flag {
	const char *name;
	const char *takes;
	const char *help;
	const char **value;
};

/**
 * struct weft_serve_options - zero stands for the default of each
 * @address:         as for weft_listen() ("127.0.0.1:8000"); several separated by commas
 * @workers:         processes (one per CPU this process may use); -1 serves in this process,
 *                   without a supervisor
 * @loops:           per process (1)
 * @threads:         most threads of the shared thread pool, per process (64)
 * @listen:          backlog and limits; its loops and reuse_port are not used
 * @grace_ns:        to drain (30 s). Handlers are cancelled shortly before, and jobs that still run
 *                   in the shared thread pool are named in reports and left behind: then the process
 *                   ends by _exit(). What is still there afterwards is killed
 * @heartbeat_ns:    a loop silent this long is dumped and its worker replaced (30 s); negative:
 *                   nobody watches
 * @restarts_per_10s: of one worker; beyond that it is started again more and more slowly, at last
 *                   every 30 s. Before any worker was ready, the supervisor gives up (5)
 * @program:         what workers execute (this program); for hosts whose main() is not ours
 * @argv:            its arguments (this program's), ended by NULL
 * @on_supervisor_start: called once, in the supervisor, before the first worker starts; failing
 *                   ends weft_serve()
 * @on_listening:    called in the supervisor (with .workers = -1 in this process) once the sockets
 *                   are open and signals do what is said above, for each address, with the real
 *                   port and the arg of weft_serve() (prints "listening on HOST:PORT" to stderr)
 * @on_ready:        called there once all workers of the first generation are ready, with the same
 *                   arg (does nothing)
 * @on_start:        runs in a task on each loop before it accepts; failing stops the worker
 * @on_stop:         runs in a task on each loop after the last connection, within @grace_ns
 * @flags:           of the program itself, which weft_serve_parse() then takes as well (none)
 */
struct weft_serve_options {
	const char *address;
	int workers;
	int loops;
	int threads;
	struct weft_listen_options listen;
	weft_time grace_ns;
	weft_time heartbeat_ns;
	int restarts_per_10s;
	const char *program;
	char *const *argv;
	weft_fn *on_supervisor_start;
	void (*on_listening)(const char *address, void *arg);
	void (*on_ready)(void *arg);
	weft_fn *on_start;
	weft_fn *on_stop;
	const struct weft_serve_flag *flags;
	uintptr_t reserved[17];
};

/**
 * weft_serve_parse() - fill options from the command line and the environment
 * @options: what is set already serves as the default
 * @argc:    as main()'s
 * @argv:    --host --port --uds --fd --bind --workers (or --processes) --loops --threads
 *           --graceful-timeout, and those in .flags of @options; flags beat WEFT_HOST, WEFT_PORT …
 *           and WEB_CONCURRENCY, which beat @options
 *
 * --help and --version print and end the program with status 0; a flag that is not known, or one
 * whose value makes no sense, ends it with a sentence and status 2. Texts in @options point into
 * @argv, the environment, or memory that is kept.
 *
 * Return: the index of the first argument that is not a flag.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API int weft_serve_parse(struct weft_serve_options *options, int argc, char **argv);

/**
 * weft_serve() - serve connections until told to stop
 * @options: may be NULL
 * @handler: runs in a task per connection
 * @arg:     of @handler and the hooks; borrowed; each process has its own
 *
 * In a worker it returns when that has drained; what main() does then has to fit into the rest of
 * .grace_ns.
 *
 * Return: 0 after an orderly stop; a negative errno if the sockets could not be opened, no worker
 * got ready, or draining was cut off: -ETIMEDOUT, or -EINTR by a second signal.
 *
 * Thread: a plain thread, the only one when there are to be workers.
 * Cancellation point: no.
 */
WEFT_API WEFT_MUST_CHECK int weft_serve(const struct weft_serve_options *options,
					weft_connection_fn *handler, void *arg);

/**
 * weft_worker_index() - which worker this process is
 *
 * Return: from 0, kept over restarts; -1 in a process that is not a worker.
 *
 * Thread: any.
 * Cancellation point: no.
 */
WEFT_API int weft_worker_index(void);

WEFT_END_DECLS

#endif
