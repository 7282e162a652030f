/*
 * a() says 0 1 2 and b() says a b c: as plain calls, threads, processes and tasks.
 *
 * Calls come one after the other. Threads and processes take turns wherever the kernel
 * likes, so their order may be another each time, and what threads share needs a lock.
 * Tasks take turns at weft_yield() and nowhere else: their order is always this one.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/weft.h>

static int pause_blocking(void)
{
	return usleep(1000);
}

static int say(const char *items, int (*pause)(void))
{
	int r = 0;

	for (; *items && r >= 0; items++) {
		printf(" %c", *items);
		fflush(stdout);
		r = pause();
	}
	return r;
}

static void *b_as_thread(void *items)
{
	say(items, pause_blocking);
	return NULL;
}

static void threads(void)
{
	pthread_t b;

	if (pthread_create(&b, NULL, b_as_thread, "abc") != 0)
		return;
	say("012", pause_blocking);
	pthread_join(b, NULL);
}

/*
 * Plain POSIX, and before there is a loop: fork() copies the calling thread alone, and a
 * loop that is half there cannot work, so every weft call in the child would answer
 * -ESTALE. weft starts processes by executing the program anew: see workers.c.
 */
static void processes(void)
{
	pid_t b = fork();

	if (b == 0)
		_exit(say("abc", pause_blocking) < 0);
	say("012", pause_blocking);
	if (b > 0)
		waitpid(b, NULL, 0);
}

static int as_task(void *items)
{
	return say(items, weft_yield); /* a wait: the other task runs */
}

static int tasks(void *arg)
{
	struct weft_call a_and_b[] = { { .fn = as_task, .arg = "012" },
				       { .fn = as_task, .arg = "abc" } };

	(void)arg;
	return weft_gather(a_and_b, 2);
}

int main(void)
{
	int r;

	printf("calls:    ");
	say("012", pause_blocking);
	say("abc", pause_blocking);
	printf("\nthreads:  ");
	threads();
	printf("\nprocesses:");
	fflush(stdout); /* or the child would have this text to print as well */
	processes();
	printf("\ntasks:    ");
	r = weft_run(tasks, NULL);
	printf("\n");
	return weft_exit_status(r);
}

/*
 * Output, where only the first line and the last are certain:
 *
 *	$ ./interleave
 *	calls:     0 1 2 a b c
 *	threads:   0 a 1 b 2 c
 *	processes: 0 a 1 b 2 c
 *	tasks:     0 a 1 b 2 c
 */
