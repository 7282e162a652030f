/*
 * Starting a process by executing a program anew.
 *
 * The child is made as posix_spawn() makes it: it shares our memory, on a stack of its
 * own, and we stand still until it has executed the program or given up. So the price is
 * the same whatever the heap of this process, and no lock, no buffer and no descriptor
 * table of ours is copied. Until then the child is a guest in our memory: all signals are
 * blocked, it calls nothing but the kernel, and it tells why it gave up through
 * `failure`.
 *
 * Under valgrind and qemu-user such a child gets a copy of the memory and we do not stand
 * still. Therefore the failure also goes through a pipe that executing closes. Which of
 * the two is right shows in shares_memory: where the child could set it, the pipe need
 * not be waited for, and so cannot be held open by a fork() of another thread.
 *
 * The calls whose bookkeeping sanitizers keep in memory (dispositions, signal mask) are
 * made past the C library: the books are ours, the calls are the child's.
 */
#include "ipc/spawn.h"

#include <assert.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(WITH_TSAN)
/* Its clone() takes every child for a copy of the process. */
#define SHARE_MEMORY 0
#else
#define SHARE_MEMORY (CLONE_VM | CLONE_VFORK)
#endif

#define STACK_BYTES	    ((size_t)64 * 1024)
#define FIRST_FREE_FD	    3
#define KERNEL_SIGSET_BYTES 8

/* What the child was doing when it gave up. */
enum step {
	STEP_DEATH_SIGNAL,
	STEP_PRIVILEGES,
	STEP_LIMIT,
	STEP_DESCRIPTORS,
	STEP_EXECUTE,
	N_STEPS,
};

static const char *const step_texts[] = {
	[STEP_DEATH_SIGNAL] = "ask for a signal at the end of its parent",
	[STEP_PRIVILEGES] = "renounce new privileges",
	[STEP_LIMIT] = "set its limit of descriptors",
	[STEP_DESCRIPTORS] = "place its descriptors",
	[STEP_EXECUTE] = "execute",
};
static_assert(ARRAY_SIZE(step_texts) == N_STEPS, "one text per step");

struct failure {
	int error; /* errno; 0: none */
	enum step step;
};

/* What the parent prepares and the child works through. */
struct start {
	const struct weft__spawn_options *options;
	pid_t parent;
	int *lifted; /* room for one per descriptor to place */
	int failure_fd; /* the child's end of the pipe */
	int program_fd; /* the child's copy */
	/* Written by the child. */
	bool shares_memory;
	struct failure failure;
};

/* ---- The child ---- */

/*
 * The child runs on a stack and with a thread record that the sanitizers do not know as
 * its own.
 */
#define IN_CHILD __attribute__((no_sanitize("address"), no_sanitize("thread")))

/*
 * Handlers would run in the parent's memory, so they go before the mask is emptied.
 * Signals that the parent ignores would stay ignored over the execution.
 */
IN_CHILD static void reset_signals(void)
{
	unsigned long all_zero[8] = {
		0
	}; /* the kernel's struct sigaction: SIG_DFL, no flags */

	for (int signo = 1; signo < _NSIG; signo++)
		(void)syscall(SYS_rt_sigaction, signo, all_zero, NULL,
			      KERNEL_SIGSET_BYTES);
}

IN_CHILD static bool is_target(const struct weft__spawn_options *options, int fd)
{
	for (size_t i = 0; i < options->n_fds; i++)
		if (options->fds[i].to == fd)
			return true;
	return false;
}

/*
 * Copies what must survive to numbers from `above` on, where nothing is going to be
 * placed.
 */
IN_CHILD static int lift_fds(struct start *start, int above)
{
	const struct weft__spawn_options *options = start->options;
	int r;

	r = fcntl(start->failure_fd, F_DUPFD_CLOEXEC, above);
	if (r < 0)
		return -1;
	start->failure_fd = r;
	start->program_fd = fcntl(options->program->fd, F_DUPFD_CLOEXEC, above);
	if (start->program_fd < 0)
		return -1;
	for (size_t i = 0; i < options->n_fds; i++) {
		start->lifted[i] = fcntl(options->fds[i].from, F_DUPFD_CLOEXEC, above);
		if (start->lifted[i] < 0)
			return -1;
	}
	return 0;
}

/*
 * Every descriptor goes to its number, the two that are needed until the execution go
 * above them, and all others are closed. What closing may miss (a filter forbids
 * close_range) is what the host opened without close-on-exec.
 */
IN_CHILD static int place_fds(struct start *start)
{
	const struct weft__spawn_options *options = start->options;
	int top = FIRST_FREE_FD;

	for (size_t i = 0; i < options->n_fds; i++)
		top = MAX(top, options->fds[i].to + 1);
	if (lift_fds(start, top + 2) < 0)
		return -1;
	if (dup3(start->failure_fd, top, O_CLOEXEC) < 0)
		return -1;
	start->failure_fd = top;
	if (dup3(start->program_fd, top + 1, O_CLOEXEC) < 0)
		return -1;
	start->program_fd = top + 1;
	for (size_t i = 0; i < options->n_fds; i++)
		if (dup2(start->lifted[i], options->fds[i].to) < 0)
			return -1;
	for (int fd = FIRST_FREE_FD; fd < top; fd++)
		if (!is_target(options, fd))
			(void)syscall(SYS_close, fd); /* perhaps not open */
	(void)syscall(SYS_close_range, top + 2, ~0u, 0);
	return 0;
}

IN_CHILD static int limit_fds(rlim_t soft)
{
	struct rlimit limit;

	if (soft == 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	limit.rlim_cur = MIN(soft, limit.rlim_max);
	return setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * The file that was opened, not what lies at its path by now. Only a script has to be
 * found by its path: its interpreter would look for a descriptor that executing has
 * closed (ENOENT).
 */
IN_CHILD static int execute(const struct start *start)
{
	const struct weft__spawn_options *options = start->options;
	unsigned long no_signals = 0;

	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL,
		      KERNEL_SIGSET_BYTES);
	(void)syscall(SYS_execveat, start->program_fd, "", options->argv, options->envp,
		      AT_EMPTY_PATH);
	if (errno == ENOENT || errno == ENOSYS)
		(void)syscall(SYS_execve, options->program->path, options->argv,
			      options->envp);
	return -1;
}

IN_CHILD static int prepare_and_execute(struct start *start, enum step *step)
{
	const struct weft__spawn_options *options = start->options;

	reset_signals();
	if (options->own_group)
		(void)setpgid(0, 0); /* fails for nobody but the leader of a session */
	*step = STEP_DEATH_SIGNAL;
	if (options->death_signal &&
	    prctl(PR_SET_PDEATHSIG, options->death_signal, 0, 0, 0) < 0)
		return -1;
	/* If the parent ended before that was asked for, nobody would ever send it. */
	if (options->death_signal && getppid() != start->parent)
		return -1;
	*step = STEP_PRIVILEGES;
	if (options->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	*step = STEP_DESCRIPTORS;
	if (place_fds(start) < 0)
		return -1;
	*step = STEP_LIMIT;
	if (limit_fds(options->soft_files) < 0)
		return -1;
	*step = STEP_EXECUTE;
	return execute(start);
}

IN_CHILD static int child_main(void *arg)
{
	struct start *start = arg;
	struct failure failure = { .error = 0 };

	start->shares_memory = true;
	(void)prepare_and_execute(start, &failure.step);
	failure.error = errno;
	start->failure = failure;
	/* If nobody reads it any more there is nobody to tell. */
	(void)!write(start->failure_fd, &failure, sizeof(failure));
	return 127;
}

/* ---- The parent ---- */

/*
 * Where clone() itself gives no pidfd (qemu-user): nobody else reaps the child meanwhile.
 */
static int clone_then_open(struct start *start, void *top, struct weft__child *child)
{
	int r;

	child->pid = clone(child_main, top, SHARE_MEMORY | SIGCHLD, start);
	if (child->pid < 0)
		return -errno;
	child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	if (child->pidfd >= 0)
		return 0;
	r = -errno;
	(void)kill(child->pid, SIGKILL); /* it may have ended by itself */
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

static int clone_child(struct start *start, void *stack, struct weft__child *child)
{
	char *top = (char *)stack + STACK_BYTES;

	child->pid = clone(child_main, top, SHARE_MEMORY | CLONE_PIDFD | SIGCHLD, start,
			   &child->pidfd);
	if (child->pid >= 0)
		return 0;
	return errno == EINVAL ? clone_then_open(start, top, child) : -errno;
}

/*
 * Without signals meanwhile: the child must not run our handlers, nor we be stopped half-
 * way.
 */
static int clone_quietly(struct start *start, struct weft__child *child)
{
	sigset_t all, before;
	void *stack;
	int r;

	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	(void)sigfillset(&all); /* cannot fail, nor can the mask be refused */
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	r = clone_child(start, stack, child);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)munmap(stack, STACK_BYTES); /* the child has left it */
	return r;
}

/* Did the child execute the program? Fills in start->failure where the child could not.
 */
static bool has_failed(struct start *start, int pipe_fd)
{
	ssize_t n;

	if (start->shares_memory)
		return start->failure.error != 0;
	do
		n = read(pipe_fd, &start->failure, sizeof(start->failure));
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static int explain(const struct start *start)
{
	const char *path = start->options->program->path;
	int error = start->failure.error;

	if (start->failure.step == STEP_EXECUTE)
		return weft_error_set(-error, "could not execute %s: %s", path,
				      strerror(error));
	return weft_error_set(-error, "a process for %s could not %s: %s", path,
			      step_texts[start->failure.step], strerror(error));
}

static int start_child(struct start *start, struct weft__child *child)
{
	struct weft__child_end end;
	int pipe_fds[2], r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return weft_error_set(-errno, "could not start %s: %s",
				      start->options->program->path, strerror(errno));
	start->failure_fd = pipe_fds[1];
	r = clone_quietly(start, child);
	(void)close(pipe_fds[1]); /* now only the child has it */
	if (r < 0) {
		r = weft_error_set(r, "could not start a process for %s: %s",
				   start->options->program->path, strerror(-r));
	} else if (has_failed(start, pipe_fds[0])) {
		weft__child_wait(child, &end);
		r = explain(start);
	}
	(void)close(pipe_fds[0]); /* was only read */
	return r;
}

int weft__spawn(const struct weft__spawn_options *options, struct weft__child *child)
{
	struct start start = { .options = options, .parent = getpid() };
	struct weft__child started;
	int r;

	start.lifted = weft__alloc_array(options->n_fds + 1, sizeof(*start.lifted));
	if (!start.lifted)
		return -ENOMEM;
	r = start_child(&start, &started);
	free(start.lifted);
	if (r < 0)
		return r;
	*child = started;
	return 0;
}

int weft__open_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null",
			  O_RDWR); /* the lowest number that is free; inherited */
		if (fd < 0)
			return weft_error_set(-errno, "could not open /dev/null: %s",
					      strerror(errno));
	} while (fd < FIRST_FREE_FD);
	(void)close(fd); /* the one too many */
	return 0;
}
