/*
 * Stack overflow: a sentence that names the task, instead of a bare crash.
 *
 * A fault on the guard of one of our stacks is an overflow; every other fault is passed
 * on to whoever handled it before. The handler runs on an alternate stack, since the
 * task's own is used up, and calls only what is safe there: it looks up names in files,
 * writes, and lets the fault happen again with the default action, so the process dies as
 * it would have.
 *
 * The process-wide handler is installed once; each thread that runs a loop needs an
 * alternate stack and keeps one that it has already.
 */
#include "task/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <weft/report.h>

#include "task/task.h"

enum { ALTERNATE_BYTES = 64 * 1024 };

static struct sigaction before[2]; /* SIGSEGV, SIGBUS */
static pthread_once_t install_once = PTHREAD_ONCE_INIT;
static pthread_key_t alternate_key;
static bool wanted;

/* ---- The fault ---- */

/* The task whose stack a guard belongs to; NULL if `address` is in no guard of ours. */
static const weft_task *guarded_task(const void *address)
{
	const struct slab *slab = weft__slab_find_unlocked(address);
	size_t index;

	if (!slab)
		return NULL;
	index = (size_t)((const char *)address - slab->base) / slab->stride;
	if ((const char *)address >= slab->base + index * slab->stride + slab->guard)
		return NULL;
	return weft__slab_block(slab, index, sizeof(weft_task));
}

static void tell(const weft_task *task)
{
	size_t usable = ((size_t)STACK_MIN << task->stack_class) - STACK_GUARD;
	char name[128], place[160], text[640];
	int n;

	weft__task_describe(task, name, sizeof(name));
	(void)weft_describe_place(task->place, place, sizeof(place));
	n = snprintf(
		text, sizeof(text),
		"weft: stack overflow in task \"%s\" on loop \"%s\", spawned at %s: its stack "
		"has %zu KiB. Spawn it with .stack_bytes = %zu * 1024 or more, or move large "
		"arrays to the heap\n",
		name, task->loop->name, place, usable / 1024,
		((size_t)STACK_MIN << task->stack_class) / 1024 * 4);
	if (n > 0)
		(void)!write(STDERR_FILENO, text, MIN((size_t)n, sizeof(text) - 1));
}

static void pass_on(int signo, siginfo_t *info, void *context)
{
	const struct sigaction *previous = &before[signo == SIGBUS];

	if (previous->sa_flags & SA_SIGINFO) {
		previous->sa_sigaction(signo, info, context);
	} else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
		previous->sa_handler(signo);
	} else {
		/* The fault happens again when this returns, and is not handled then. */
		(void)signal(signo, SIG_DFL);
	}
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
	const weft_task *task = guarded_task(info->si_addr);

	if (!task) {
		pass_on(signo, info, context);
		return;
	}
	tell(task);
	(void)signal(signo, SIG_DFL);
}

void weft__overflow_tell(const void *address)
{
	const weft_task *task = guarded_task(address);

	if (!task)
		return;
	tell(task);
	(void)signal(SIGSEGV, SIG_DFL);
	(void)raise(SIGSEGV);
}

/* ---- Installing ---- */

static void free_alternate(void *memory)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	(void)sigaltstack(&none, NULL);
	(void)munmap(memory, ALTERNATE_BYTES);
}

static void install(void)
{
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	const char *refused = getenv("WEFT_NO_SEGV");

	if ((refused && strcmp(refused, "1") == 0) ||
	    pthread_key_create(&alternate_key, free_alternate) != 0)
		return;
	wanted = true;
	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGSEGV, &action, &before[0]);
	(void)sigaction(SIGBUS, &action, &before[1]);
}

void weft__overflow_watch(void)
{
	stack_t current, ours = { .ss_size = ALTERNATE_BYTES };

	pthread_once(&install_once, install);
	if (!wanted || sigaltstack(NULL, &current) < 0 ||
	    !(current.ss_flags & SS_DISABLE))
		return;
	ours.ss_sp = mmap(NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ours.ss_sp == MAP_FAILED)
		return; /* an overflow is then a bare crash, as without us */
	if (sigaltstack(&ours, NULL) < 0 ||
	    pthread_setspecific(alternate_key, ours.ss_sp) != 0)
		free_alternate(ours.ss_sp);
}
