/*
 * Starting a process by executing a program anew.
 *
 * The child inherits what it is given and nothing else: the named descriptors at the
 * named numbers and 0 to 2 (all others are closed), an empty signal mask, default
 * dispositions. The cost does not depend on the memory of the parent, which is stopped
 * (this thread only) until the child executes. Any thread; but a death signal is sent
 * when the *thread* that spawned ends.
 */
#ifndef WEFT_IPC_SPAWN_H
#define WEFT_IPC_SPAWN_H

#include "ipc/child.h"
#include "ipc/program.h"

#include <sys/resource.h>

/* A descriptor of this process and its number in the child. */
struct weft__spawn_fd {
	int from;
	int to;
};

/* Zero stands for the default of each. Everything is borrowed for the call. */
struct weft__spawn_options {
	const struct weft__program *program; /* required */
	char *const *argv; /* required */
	char *const *envp; /* required */
	const struct weft__spawn_fd *fds; /* each .to once */
	size_t n_fds;
	int death_signal; /* what the child gets when this thread ends (nothing) */
	bool own_group; /* out of reach for the keys of the terminal */
	bool no_new_privs; /* neither it nor its children gain rights by executing */
	rlim_t soft_files; /* its soft limit of descriptors (as here) */
};

/*
 * weft__spawn() - execute a program in a new process
 * @options: see above
 * @child:   receives the process; it must be reaped
 *
 * Return: 0 once the program has been executed; otherwise why not, with a sentence, and
 * there is no child: -EAGAIN at a limit of processes, -EMFILE at one of descriptors,
 * -ENOENT, -EACCES, -ENOEXEC and the like from executing.
 */
int weft__spawn(const struct weft__spawn_options *options, struct weft__child *child);

/*
 * Opens /dev/null at those of 0 to 2 that are closed, so that no socket can become
 * somebody's standard error. Return: 0, or a negative errno with a sentence.
 */
int weft__open_standard_fds(void);

#endif
