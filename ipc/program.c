/*
 * Finding the program that runs here, and keeping a program's file open.
 *
 * Two names lead to the running program. The kernel keeps the one it was executed by
 * (AT_EXECFN): that is the better one for a reload, since it still has the symbolic links
 * in it through which new versions are deployed ("current/bin/server"). But it counts
 * from the directory of that time, and it is the name of something else under valgrind
 * and when the program was executed through a descriptor. So it is believed only if it
 * leads to the same file as /proc/self/exe; otherwise the path is what readlink says of
 * that. If that is the loader ("ld.so PROGRAM"), the loader has put the right name there.
 *
 * The path is opened, not /proc/self/exe: that would be valgrind's own program under
 * valgrind.
 */
#include "ipc/program.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
/* What the kernel adds to the name of a file that is gone. */
#define DELETED " (deleted)"

/* The target of a symbolic link, to be freed; NULL with *error set. */
static char *link_target(const char *path, int *error)
{
	for (size_t size = 256;; size *= 2) {
		char *target = weft__alloc(size);
		ssize_t length;

		*error = -ENOMEM;
		if (!target)
			return NULL;
		length = readlink(path, target, size);
		if (length < 0) {
			*error = -errno;
			free(target);
			return NULL;
		}
		if ((size_t)length < size) {
			target[length] = '\0';
			return target;
		}
		free(target); /* perhaps cut short */
	}
}

/* The path with the present directory before it if it is relative; to be freed. */
static char *make_absolute(const char *path, int *error)
{
	char *here, *absolute;
	size_t size;

	*error = -ENOMEM;
	if (path[0] == '/')
		return weft__strdup(path);
	here = getcwd(NULL, 0);
	if (!here) {
		*error = -errno;
		return NULL;
	}
	size = strlen(here) + 1 + strlen(path) + 1;
	absolute = weft__alloc(size);
	if (absolute)
		snprintf(absolute, size, "%s/%s", here, path);
	free(here);
	return absolute;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

static int find_interpreter(struct dl_phdr_info *object, size_t size, void *interpreter)
{
	const char **found = interpreter;

	(void)size;
	for (size_t i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_INTERP)
			*found = (const char *)(uintptr_t)(object->dlpi_addr +
							   object->dlpi_phdr[i].p_vaddr);
	return 1; /* the first object is the program, and that is all */
}

/* Was it started as "ld.so PROGRAM"? Then that is what the kernel has executed. */
static bool runs_by_loader(void)
{
	const char *interpreter = NULL;

	(void)dl_iterate_phdr(find_interpreter, &interpreter);
	return interpreter && is_same_file(interpreter, SELF);
}

/* The path of the program that runs here; to be freed. */
static char *own_path(int *error)
{
	/* An integer that is an address: there is no other way to ask. */
	const char *executed = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	char *path;
	size_t length;

	if (executed &&
	    (access(SELF, F_OK) != 0 || is_same_file(executed, SELF) || runs_by_loader()))
		return make_absolute(executed, error);
	path = link_target(SELF, error);
	if (!path)
		return NULL;
	length = strlen(path);
	if (access(path, F_OK) != 0 && length > strlen(DELETED) &&
	    strcmp(path + length - strlen(DELETED), DELETED) == 0)
		path[length - strlen(DELETED)] = '\0';
	return path;
}

/*
 * Takes `path`, also when it fails. `instead` is opened if nothing lies there; may be
 * NULL.
 */
static int open_path(struct weft__program *program, char *path, const char *instead)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOENT && instead)
		fd = open(instead, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		r = weft_error_set(r, "could not open the program %s: %s", path,
				   strerror(-r));
		free(path);
		return r;
	}
	program->path = path;
	program->fd = fd;
	return 0;
}

int weft__program_open(struct weft__program *program, const char *path)
{
	char *absolute;
	int r;

	absolute = path ? make_absolute(path, &r) : own_path(&r);
	if (!absolute && r == -ENOMEM)
		return r;
	if (!absolute)
		return weft_error_set(
			r,
			"could not find out which program this is (%s): is /proc "
			"mounted? Otherwise name it in the options",
			strerror(-r));
	/*
	 * A program whose file was removed while it runs can still be executed, not
	 * reloaded.
	 */
	return open_path(program, absolute, path ? NULL : SELF);
}

int weft__program_reopen(const struct weft__program *program,
			 struct weft__program *reopened)
{
	char *path = weft__strdup(program->path);

	return path ? open_path(reopened, path, NULL) : -ENOMEM;
}

void weft__program_close(struct weft__program *program)
{
	if (!program->path)
		return;
	free(program->path);
	(void)close(program->fd); /* was never written to */
	program->path = NULL;
	program->fd = -1;
}
