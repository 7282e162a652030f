/*
 * Running tests/serve/app; see the header.
 */
#include "tests/serve/service.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tests/test.h"

#define HANG_LIMIT (40 * WEFT_SEC)

static void wait_until_ready(struct service *service)
{
	const char *address = app_find(&service->app, "listening on ");

	snprintf(service->address, sizeof(service->address), "%s", address);
	app_expect(&service->app, "ready");
}

void service_start(struct service *service, const char *arguments)
{
	app_start(&service->app, arguments, NULL);
	wait_until_ready(service);
}

int service_stop(struct service *service)
{
	app_signal(&service->app, SIGTERM);
	return app_end(&service->app);
}

struct answer service_read(const struct reply *reply)
{
	struct answer answer = { .closes = reply->closes };

	cr_assert_eq(reply->status, 200, "%s", reply->body);
	cr_assert_eq(sscanf(reply->body, "%d %d %d", &answer.pid, &answer.index,
			    &answer.result),
		     3, "%s", reply->body);
	return answer;
}

struct answer service_ask_by(int fd, const char *what)
{
	struct reply reply;
	char path[256];
	int r;

	snprintf(path, sizeof(path), "/do/%s", what);
	r = client_ask(fd, path, &reply);
	cr_assert_eq(r, 0, "%s: %s", what, strerror(-r));
	return service_read(&reply);
}

struct answer service_ask(const struct service *service, const char *what)
{
	int fd = client_connect(service->address);
	struct answer answer;

	cr_assert_ge(fd, 0, "%s: %s", what, strerror(-fd));
	answer = service_ask_by(fd, what);
	close(fd);
	return answer;
}

int service_connect_to(const struct service *service, int index)
{
	for (int i = 0; i < 1000; i++) {
		int fd = client_connect(service->address);

		cr_assert_ge(fd, 0);
		if (service_ask_by(fd, "pid/0").index == index)
			return fd;
		close(fd);
	}
	cr_assert_fail("worker %d never answers", index);
	return -1;
}

struct answer service_ask_worker(const struct service *service, int index,
				 const char *what)
{
	int fd = service_connect_to(service, index);
	struct answer answer = service_ask_by(fd, what);

	close(fd);
	return answer;
}

int service_workers(const struct service *service, pid_t *pids, int most)
{
	char path[64];
	FILE *file;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", service->app.child.pid,
		 service->app.child.pid);
	file = fopen(path, "re");
	cr_assert_not_null(file);
	while (n < most && fscanf(file, "%d", &pids[n]) == 1)
		n++;
	fclose(file);
	return n;
}

int count_fds_of(pid_t pid)
{
	char path[64];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	cr_assert_not_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

void wait_until(bool (*fn)(void *arg), void *arg, const char *what)
{
	static const struct timespec moment = { .tv_nsec = 5000000 };
	weft_time limit = weft__clock() + HANG_LIMIT;

	while (!fn(arg)) {
		cr_assert_lt(weft__clock(), limit, "%s: never", what);
		nanosleep(&moment, NULL);
	}
}
