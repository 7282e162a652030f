/*
 * Stack overflow: a few lines that name the task, instead of a bare crash.
 *
 * A fault is an overflow if a task runs on the thread and it was the task's guard that was
 * hit, or if the stack pointer has left the task's stack downwards. What the task is and
 * where its stack ends is known to the thread, so nothing of other threads is looked at.
 *
 * The handler runs on an alternate stack, since the task's own is used up, and calls only
 * what is safe there: names are looked up in files, and all is written at once. Then the
 * fault goes to whoever handled faults before; with nobody there, it happens again with the
 * default action, so the process dies as it would have. A fault while the message is being
 * made is told in fewer words.
 *
 * The process-wide handler is installed once; each thread that runs a loop needs an
 * alternate stack and keeps one that it has already.
 */
#include "task/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <weft/report.h>

#include "base/place.h"
#include "base/text.h"
#include "task/task.h"

enum { ALTERNATE_BYTES = 64 * 1024 };

/* So far below its stack the stack pointer of a task may be found: one large frame. */
#define LARGEST_FRAME ((uintptr_t)1 << 30)

static struct sigaction before; /* of SIGSEGV */
static pthread_once_t install_once = PTHREAD_ONCE_INIT;
static pthread_key_t alternate_key;
static bool is_installed;

/* Of this thread. initial-exec: found without a call, as a signal handler must. */
static _Thread_local bool is_watched __attribute__((tls_model("initial-exec")));
static _Thread_local bool is_telling __attribute__((tls_model("initial-exec")));
static _Thread_local bool has_told __attribute__((tls_model("initial-exec")));

/* ---- Is it one? ---- */

static bool is_in_guard(const weft_task *task, uintptr_t address)
{
	uintptr_t low = (uintptr_t)task->fibre.low;

	return address < low && address >= low - STACK_GUARD;
}

/* The code that failed, and the stack pointer; 0 where nobody knows them. */
static uintptr_t context_pc(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t)context->uc_mcontext.pc;
#else
	(void)context;
	return 0;
#endif
}

static uintptr_t context_sp(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	return (uintptr_t)context->uc_mcontext.sp;
#else
	(void)context;
	return 0;
#endif
}

static bool is_overflow(const weft_task *task, const siginfo_t *info,
			const ucontext_t *context)
{
	uintptr_t low, sp = context_sp(context);

	if (!task || info->si_code <= 0) /* sent by somebody: no fault at all */
		return false;
	low = (uintptr_t)task->fibre.low;
	return is_in_guard(task, (uintptr_t)info->si_addr) ||
	       (sp < low && low - sp < LARGEST_FRAME);
}

/* ---- Telling ---- */

static void add_described(struct text *text, uintptr_t address, bool is_return)
{
	char place[160];

	if (is_return)
		(void)weft_describe_place((const void *)address, place, sizeof(place));
	else
		weft__describe_code((const void *)address, place, sizeof(place));
	weft__text_add(text, place);
}

static void add_task(struct text *text, const weft_task *task)
{
	char name[128];

	weft__text_add(text, "weft: stack overflow in task \"");
	if (task->name[0]) {
		weft__text_add_part(text, task->name, sizeof(task->name));
	} else {
		weft__symbol_name(task->name_of, name, sizeof(name));
		weft__text_add(text, name);
	}
	weft__text_add(text, "\" on loop \"");
	weft__text_add_part(text, task->loop->name, sizeof(task->loop->name));
	weft__text_add(text, "\"");
}

/* The size to ask for is four times the present one, as far as there is one. */
static void add_advice(struct text *text, const weft_task *task)
{
	int larger = MIN(task->stack_class + 2, STACK_CLASSES - 1);

	weft__text_add(text, "weft: move large arrays to the heap");
	if (task->is_main)
		weft__text_add(text, ", or do this in a task of its own, spawned");
	else if (larger > task->stack_class)
		weft__text_add(text, ", or spawn the task");
	if (task->is_main || larger > task->stack_class) {
		weft__text_add(text, " with .stack_bytes = ");
		weft__text_add_number(text, ((uint64_t)STACK_MIN << larger) / 1024);
		weft__text_add(text, " * 1024");
	}
	weft__text_add(text, "\n");
}

static void tell(const weft_task *task, uintptr_t pc)
{
	uint64_t bytes = (uint64_t)STACK_MIN << task->stack_class;
	char buffer[768];
	struct text text = weft__text(buffer, sizeof(buffer));

	add_task(&text, task);
	if (pc) {
		weft__text_add(&text, ", in ");
		add_described(&text, pc, false);
	}
	weft__text_add(&text, "\nweft: it was spawned at ");
	add_described(&text, (uintptr_t)task->place, true);
	weft__text_add(&text, " and its stack has ");
	weft__text_add_number(&text, (bytes - STACK_GUARD) / 1024);
	weft__text_add(&text, " KiB\n");
	add_advice(&text, task);
	(void)!write(STDERR_FILENO, buffer, text.length);
}

/* ---- The fault ---- */

static void die(int signo)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	/* The fault happens again when the handler returns, and is not handled then. */
	(void)sigaction(signo, &action, NULL);
}

/* To whoever was there before, with the signals blocked that he wanted to be. */
static void pass_on(int signo, siginfo_t *info, void *context)
{
	sigset_t blocked = before.sa_mask;

	if (!(before.sa_flags & SA_NODEFER))
		sigaddset(&blocked, signo);
	(void)pthread_sigmask(SIG_BLOCK, &blocked, NULL); /* until the handler returns */
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(signo, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(signo);
	} else if (info->si_code > 0) {
		die(signo);
	} else if (before.sa_handler == SIG_DFL) { /* sent, and would not happen again */
		die(signo);
		(void)raise(signo);
	}
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
	static const char short_of_words[] =
		"weft: stack overflow in a task, whose name cannot be read any more\n";
	const weft_task *task = weft__thread.task;

	if (is_telling) { /* a fault in here: see the end of the head comment */
		(void)!write(STDERR_FILENO, short_of_words, sizeof(short_of_words) - 1);
		is_telling = false;
		die(signo);
		return;
	}
	if (has_told) { /* whoever handled it before returned: it happened again */
		die(signo);
		return;
	}
	if (is_overflow(task, info, context)) {
		has_told = is_telling = true;
		tell(task, context_pc(context));
		is_telling = false;
	}
	pass_on(signo, info, context);
}

void weft__overflow_tell(const void *address)
{
	const weft_task *task = weft__thread.task;

	if (!is_installed || !task || !is_in_guard(task, (uintptr_t)address))
		return;
	tell(task, 0);
	(void)raise(SIGSEGV);
}

/* ---- Installing ---- */

/* At the end of a thread: its alternate stack, unless it has got another one since. */
static void free_alternate(void *memory)
{
	stack_t current, none = { .ss_flags = SS_DISABLE };

	if (sigaltstack(NULL, &current) == 0 && current.ss_sp == memory)
		(void)sigaltstack(&none, NULL);
	(void)munmap(memory, ALTERNATE_BYTES); /* it was mapped so */
}

static void install(void)
{
	/* Not blocked while it runs: a fault in there comes back to it. */
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	const char *refused = getenv("WEFT_NO_SEGV");

	if ((refused && strcmp(refused, "1") == 0) ||
	    pthread_key_create(&alternate_key, free_alternate) != 0)
		return;
	sigemptyset(&action.sa_mask);
	/* First what the handler may need, then the handler. */
	if (sigaction(SIGSEGV, NULL, &before) == 0)
		is_installed = sigaction(SIGSEGV, &action, NULL) == 0;
}

void weft__overflow_watch(void)
{
	stack_t current, ours = { .ss_size = ALTERNATE_BYTES };

	if (is_watched)
		return;
	pthread_once(&install_once, install);
	is_watched = true;
	if (!is_installed || sigaltstack(NULL, &current) < 0 ||
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
