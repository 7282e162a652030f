/*
 * Running tests/ipc/app; see the header.
 */
#include "tests/ipc/run_app.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

#define MOST_ARGUMENTS 40
#define HANG_LIMIT_MS  40000

const char *app_path(void)
{
	static char path[4096];
	char self[2048];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *name;

	cr_assert(n > 0);
	self[n] = '\0';
	name = strrchr(self, '/');
	cr_assert_eq(strncmp(name, "/test_", 6), 0, "%s", name);
	*name = '\0';
	snprintf(path, sizeof(path), "%s/%s/app", self, name + 6);
	return path;
}

/* Cuts `text` at its spaces. */
static void split(char *text, char **words)
{
	size_t n = 0;

	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		cr_assert_lt(n, (size_t)MOST_ARGUMENTS - 1);
		words[n++] = word;
	}
	words[n] = NULL;
}

void app_assert_spawned(int r)
{
	if (r == -ENOEXEC && test_build_is("aarch64"))
		cr_skip_test("an emulated process cannot execute another one here");
	cr_assert_eq(r, 0, "%s", weft_error_text(r));
}

void app_start(struct app *app, const char *arguments,
	       const struct weft__spawn_options *options)
{
	struct weft__spawn_options o =
		options ? *options : (struct weft__spawn_options){ 0 };
	struct weft__spawn_fd fds[8];
	struct weft__program program;
	char *argv[MOST_ARGUMENTS], text[2048];
	int ends[2];

	*app = (struct app){ .out = -1 };
	snprintf(text, sizeof(text), "%s %s", app_path(), arguments);
	split(text, argv);
	cr_assert_eq(weft__program_open(&program, app_path()), 0, "%s is not built",
		     app_path());
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_lt(o.n_fds, ARRAY_SIZE(fds));
	for (size_t i = 0; i < o.n_fds; i++)
		fds[i] = o.fds[i];
	fds[o.n_fds++] = (struct weft__spawn_fd){ ends[1], STDOUT_FILENO };
	o.fds = fds;
	o.program = &program;
	o.argv = argv;
	o.envp = o.envp ? o.envp : environ;
	o.death_signal = o.death_signal ? o.death_signal : SIGKILL;
	app_assert_spawned(weft__spawn(&o, &app->child));
	close(ends[1]);
	app->out = ends[0];
	weft__program_close(&program);
}

/* Return: is there more to come? */
static bool read_more(struct app *app)
{
	struct pollfd poll_fd = { .fd = app->out, .events = POLLIN };
	ssize_t n;

	cr_assert_eq(poll(&poll_fd, 1, HANG_LIMIT_MS), 1,
		     "the app is silent; so far it said:\n%s",
		     app->said ? app->said : "");
	app->said = realloc(app->said, app->n_said + 4096 + 1);
	cr_assert_not_null(app->said);
	n = read(app->out, app->said + app->n_said, 4096);
	cr_assert_ge(n, 0);
	app->n_said += (size_t)n;
	app->said[app->n_said] = '\0';
	return n > 0;
}

void app_read_what_is_there(struct app *app)
{
	struct pollfd poll_fd = { .fd = app->out, .events = POLLIN };

	while (poll(&poll_fd, 1, 0) == 1 && read_more(app))
		;
}

static bool begins_with(const char *line, const char *beginning)
{
	return strncmp(line, beginning, strlen(beginning)) == 0;
}

/* The next whole line behind *at that begins like this; moves *at behind it. */
static const char *next_line(const struct app *app, size_t *at, const char *beginning)
{
	while (app->said) {
		const char *line = app->said + *at;
		const char *end = strchr(line, '\n');

		if (!end)
			return NULL;
		*at = (size_t)(end + 1 - app->said);
		if (begins_with(line, beginning))
			return line;
	}
	return NULL;
}

static const char *wait_for_line(struct app *app, size_t *at, const char *beginning)
{
	static char rest[4][1024];
	static unsigned next;
	char *copy = rest[next++ % ARRAY_SIZE(rest)];
	const char *line = next_line(app, at, beginning);

	while (!line && read_more(app))
		line = next_line(app, at, beginning);
	cr_assert_not_null(line, "no line \"%s\" came; the app said:\n%s", beginning,
			   app->said ? app->said : "");
	line += strlen(beginning);
	snprintf(copy, sizeof(rest[0]), "%.*s", (int)strcspn(line, "\n"), line);
	return copy;
}

const char *app_expect(struct app *app, const char *beginning)
{
	return wait_for_line(app, &app->n_read, beginning);
}

const char *app_find(struct app *app, const char *beginning)
{
	size_t at = 0;

	return wait_for_line(app, &at, beginning);
}

static int count_until(const struct app *app, size_t end, const char *beginning)
{
	size_t at = 0;
	int n = 0;

	while (next_line(app, &at, beginning) && at <= end)
		n++;
	return n;
}

int app_count(const struct app *app, const char *beginning)
{
	return count_until(app, app->n_said, beginning);
}

int app_count_passed(const struct app *app, const char *beginning)
{
	return count_until(app, app->n_read, beginning);
}

void app_wait(struct app *app, const char *beginning, int n)
{
	while (app_count(app, beginning) < n)
		cr_assert(read_more(app), "no %d lines \"%s\" came; the app said:\n%s", n,
			  beginning, app->said);
}

pid_t app_pid(const char *rest)
{
	int first = 0, second = 0;

	return sscanf(rest, "%d %d", &first, &second) == 2 ? second : first;
}

void app_signal(const struct app *app, int signo)
{
	cr_assert_eq(weft__child_signal(&app->child, signo), 0);
}

int app_end(struct app *app)
{
	struct weft__child_end end;

	while (read_more(app))
		;
	weft__child_wait(&app->child, &end);
	close(app->out);
	free(app->said);
	app->said = NULL;
	return end.code == CLD_EXITED ? end.status : 128 + end.status;
}

void wait_until_gone(pid_t pid)
{
	struct pollfd poll_fd = { .events = POLLIN };

	poll_fd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (poll_fd.fd < 0)
		return; /* it has gone */
	cr_assert_eq(poll(&poll_fd, 1, HANG_LIMIT_MS), 1, "process %d stays", (int)pid);
	close(poll_fd.fd);
}
