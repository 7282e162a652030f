/*
 * Interrupting the blocking call of a job; interrupt.h has the model.
 */
#include "executor/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <weft/base.h>

/* The last signals are left alone: valgrind and emulators keep some of them for themselves. */
enum { LAST_ONES = 4 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int number; /* 0: there is none; set once */

static void do_nothing(int signo)
{
	(void)signo;
}

static void find(void)
{
	/* No SA_RESTART: that the call ends is what it is for. */
	struct sigaction ours = { .sa_handler = do_nothing }, theirs;

	for (int signo = SIGRTMAX - LAST_ONES; signo >= SIGRTMIN; signo--) {
		if (sigaction(signo, NULL, &theirs) == 0 &&
		    !(theirs.sa_flags & SA_SIGINFO) && theirs.sa_handler == SIG_DFL &&
		    sigaction(signo, &ours, NULL) == 0) {
			number = signo;
			return;
		}
	}
}

int weft__interrupt_prepare(void)
{
	pthread_once(&once, find);
	if (!number)
		return weft_error_set(-ENOTSUP,
				      "a job cannot be interruptible: the program uses "
				      "every real-time signal itself");
	return 0;
}

static void change_mask(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(how, &set, NULL);
}

void weft__interrupt_allow(void)
{
	change_mask(SIG_UNBLOCK);
}

void weft__interrupt_forbid(bool was_sent)
{
	static const struct timespec now;
	sigset_t set;

	change_mask(SIG_BLOCK);
	if (!was_sent)
		return;
	sigemptyset(&set);
	sigaddset(&set, number);
	while (sigtimedwait(&set, NULL, &now) == number)
		;
}

void weft__interrupt_send(pid_t tid)
{
	/* One that cannot be queued is sent again soon. */
	(void)syscall(SYS_tgkill, getpid(), tid, number);
}
