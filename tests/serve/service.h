/*
 * Running tests/serve/app: a service, and what it is doing.
 *
 * tests/ipc/run_app.h starts it, reads what it says and waits for its end.
 */
#ifndef WEFT_TESTS_SERVE_SERVICE_H
#define WEFT_TESTS_SERVE_SERVICE_H

#include "tests/ipc/run_app.h"
#include "tests/serve/client.h"

struct service {
	struct app app;
	char address[128]; /* where it listens: the first of them */
};

/* Starts "app ARGUMENTS" and waits until it is ready. */
void service_start(struct service *service, const char *arguments);
/* SIGTERM, and waits for the end. Return: the exit status, as app_end(). */
int service_stop(struct service *service);

/* What a worker answered. */
struct answer {
	pid_t pid;
	int index; /* of the worker */
	int result;
	bool closes;
};

/* Asks for /do/WHAT on a connection of its own; ends the test if there is no answer. */
struct answer service_ask(const struct service *service, const char *what);
/* The same on a connection that is there. */
struct answer service_ask_by(int fd, const char *what);
/* What is said in a reply. */
struct answer service_read(const struct reply *reply);
/* Connects again and again until the worker of that index answers. Return: the connection. */
int service_connect_to(const struct service *service, int index);
/* Asks it. */
struct answer service_ask_worker(const struct service *service, int index,
				 const char *what);

/* The workers that the supervisor has at present, ended or not. Return: how many. */
int service_workers(const struct service *service, pid_t *pids, int most);
/* How many descriptors a process has open. */
int count_fds_of(pid_t pid);

/* Waits until fn(arg) is true; ends the test if it never is. */
void wait_until(bool (*fn)(void *arg), void *arg, const char *what);

#endif
