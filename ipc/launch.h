/*
 * How the processes of a supervisor are started: arguments, environment, descriptors.
 *
 * All of it is copied once, so that every restart starts the same; what differs from
 * process to process has its room in it. The supervisor's thread.
 */
#ifndef WEFT_IPC_LAUNCH_H
#define WEFT_IPC_LAUNCH_H

#include "ipc/spawn.h"
#include "ipc/supervisor.h"

struct weft__launch {
	const struct weft__supervisor_options *options; /* borrowed */
	struct weft__spawn_options spawn; /* all but .program */
	struct weft__spawn_fd *fds; /* of spawn; [0] is for the control socket; owned */
	char **argv; /* of spawn; owned */
	char **envp; /* of spawn; owned */
	char *mark; /* in envp, for the worker's mark; owned */
	size_t mark_bytes;
};

/* `options` stay. Return: 0 or -ENOMEM, and then there is still weft__launch_fini(). */
int weft__launch_init(struct weft__launch *launch,
		      const struct weft__supervisor_options *options);
void weft__launch_fini(struct weft__launch *launch);

#endif
