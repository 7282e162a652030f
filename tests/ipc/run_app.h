/*
 * Running the helper program of a folder of tests, tests/FOLDER/app, as a child of a test of
 * tests/test_FOLDER, and reading what it says.
 *
 * A test waits for the lines it needs, in their order, and never for a time. What the app
 * said so far is shown when a line does not come.
 */
#ifndef WEFT_TESTS_IPC_RUN_APP_H
#define WEFT_TESTS_IPC_RUN_APP_H

#include "ipc/spawn.h"

struct app {
	struct weft__child child;
	int out; /* what it says comes out here */
	char *said; /* all of it, so far; owned */
	size_t n_said;
	size_t n_read; /* how far app_expect() has got */
};

/* The path of tests/FOLDER/app, beside this test program. */
const char *app_path(void);

/*
 * Starts "app ARGUMENTS", separated by spaces. `options` may be NULL: .fds and more are
 * added.
 */
void app_start(struct app *app, const char *arguments,
	       const struct weft__spawn_options *options);

/*
 * What weft__spawn() of the app returned; skips the test where no process can be
 * executed.
 */
void app_assert_spawned(int r);

/*
 * Waits for the next line that begins like this, behind those that were waited for
 * before. Return: the rest of the line, until the fourth call from now.
 */
const char *app_expect(struct app *app, const char *beginning);

/*
 * Waits until there is such a line anywhere: for lines of processes that overtake each
 * other.
 */
const char *app_find(struct app *app, const char *beginning);

/* Waits until there are n such lines. */
void app_wait(struct app *app, const char *beginning, int n);

/* Reads what has been said and not been read yet, without waiting. */
void app_read_what_is_there(struct app *app);

/* How many lines so far begin like this. */
int app_count(const struct app *app, const char *beginning);
/* How many of them stand before what app_expect() waits for next. */
int app_count_passed(const struct app *app, const char *beginning);

/* The pid in a line "READY 0 4711 ...", given its rest " 0 4711 ..." or "4711 ...". */
pid_t app_pid(const char *rest);

void app_signal(const struct app *app, int signo);

/* Waits for its end and releases all. Return: its exit status, or 128 + the signal. */
int app_end(struct app *app);

/* Waits until a process is no more, be it a child or not. */
void wait_until_gone(pid_t pid);

#endif
