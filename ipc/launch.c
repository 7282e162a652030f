/*
 * How the processes of a supervisor are started; see the header.
 */
#include "ipc/launch.h"

#include <signal.h>
#include <unistd.h>

#include "ipc/strings.h"
#include "ipc/worker.h"

#define MARK_BYTES 256

/* Without what is hidden and a mark of our own, with room for theirs. */
static int prepare_environment(struct weft__launch *launch)
{
	static const char *const mark_of_ours[] = { WEFT__WORKER_MARK, NULL };
	const struct weft__supervisor_options *options = launch->options;
	char **without_mark;
	size_t n;

	without_mark = weft__strings_copy(options->envp ? options->envp : environ,
					  mark_of_ours, 0, NULL);
	if (!without_mark)
		return -ENOMEM;
	launch->envp = weft__strings_copy(without_mark, options->hide, 1, &n);
	free(without_mark);
	launch->mark = weft__zalloc(MARK_BYTES);
	launch->mark_bytes = MARK_BYTES;
	if (!launch->envp || !launch->mark)
		return -ENOMEM;
	if (!options->mute)
		launch->envp[n] = launch->mark;
	return 0;
}

/* The control socket, unless they are mute, and what is handed down. */
static int prepare_fds(struct weft__launch *launch)
{
	const struct weft__supervisor_options *options = launch->options;

	launch->fds = weft__alloc_array(options->n_fds + 1, sizeof(*launch->fds));
	if (!launch->fds)
		return -ENOMEM;
	for (size_t i = 0; i < options->n_fds; i++)
		launch->fds[1 + i] = (struct weft__spawn_fd){
			.from = options->fds[i],
			.to = WEFT__SUPERVISOR_FIRST_FD + (int)i,
		};
	return 0;
}

int weft__launch_init(struct weft__launch *launch,
		      const struct weft__supervisor_options *options)
{
	int r;

	*launch = (struct weft__launch){ .options = options };
	launch->argv = weft__strings_copy(options->argv, NULL, 0, NULL);
	if (!launch->argv)
		return -ENOMEM;
	r = prepare_environment(launch);
	if (r < 0)
		return r;
	r = prepare_fds(launch);
	if (r < 0)
		return r;
	launch->spawn = (struct weft__spawn_options){
		.argv = launch->argv,
		.envp = launch->envp,
		.fds = options->mute ? launch->fds + 1 : launch->fds,
		.n_fds = options->n_fds + !options->mute,
		/* For those that have not got as far as seeing our end by themselves. */
		.death_signal = SIGTERM,
		/* What the terminal sends comes to us, and we say what it means. */
		.own_group = true,
		.no_new_privs = options->no_new_privs,
		.soft_files = options->soft_files,
	};
	return 0;
}

void weft__launch_fini(struct weft__launch *launch)
{
	free(launch->fds);
	free(launch->mark);
	free(launch->envp);
	free(launch->argv);
}
