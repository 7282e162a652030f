/*
 * A worker's share of the listening sockets.
 *
 * All workers are handed down all sockets. Those that are bound to one address with SO_REUSEPORT are
 * a group; of a group the worker of slot i watches number i, counted around. So a slot's next worker
 * goes on with the same socket, and what waits in its queue meanwhile is not lost.
 *
 * But it waits. So now and then each worker also looks at the sockets of the others: what was not
 * accepted there by then is taken in here. That is how the connections of a worker that died or
 * hangs get an answer, and the last ones of a worker that is not wanted any more (SIGTTOU).
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "serve/serve.h"

struct name {
	struct sockaddr_storage address;
	socklen_t size;
};

static void name_of(int fd, struct name *name)
{
	name->size = sizeof(name->address);
	memset(name, 0, sizeof(name->address));
	if (getsockname(fd, (struct sockaddr *)&name->address, &name->size) < 0)
		name->size = 0;
}

static bool is_in_group(int fd)
{
	int on = 0;
	socklen_t size = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, &size) == 0 && on;
}

/* The size of the group of fds[at], and its number in there. */
static size_t group_of(const int *fds, size_t n_fds, size_t at, size_t *number)
{
	struct name mine, other;
	size_t size = 0;

	name_of(fds[at], &mine);
	for (size_t i = 0; i < n_fds; i++) {
		if (i == at)
			*number = size;
		else if (!is_in_group(fds[i]))
			continue;
		name_of(fds[i], &other);
		if (other.size == mine.size &&
		    memcmp(&other.address, &mine.address, sizeof(mine.address)) == 0)
			size++;
	}
	return size;
}

static bool is_own(const int *fds, size_t n_fds, size_t at, int worker_index)
{
	size_t number = 0, size;

	if (!is_in_group(fds[at]))
		return true; /* shared by all */
	size = group_of(fds, n_fds, at, &number);
	return number == (size_t)worker_index % size;
}

int weft__share_init(struct share *share, const int *fds, size_t n_fds, int worker_index)
{
	*share = (struct share){
		.own = weft__alloc_array(n_fds, sizeof(int)),
		.foreign = weft__alloc_array(n_fds, sizeof(int)),
	};
	if (!share->own || !share->foreign) {
		weft__share_fini(share);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_fds; i++) {
		if (is_own(fds, n_fds, i, worker_index))
			share->own[share->n_own++] = fds[i];
		else
			share->foreign[share->n_foreign++] = fds[i];
	}
	return 0;
}

void weft__share_fini(struct share *share)
{
	free(share->own);
	free(share->foreign);
	*share = (struct share){ 0 };
}

int weft__share_find_waiting(const struct share *share)
{
	struct pollfd polls[WEFT__SERVE_FDS_MAX];
	nfds_t n = (nfds_t)MIN(share->n_foreign, (size_t)WEFT__SERVE_FDS_MAX);

	for (nfds_t i = 0; i < n; i++)
		polls[i] = (struct pollfd){ .fd = share->foreign[i], .events = POLLIN };
	if (poll(polls, n, 0) <= 0)
		return -1;
	for (nfds_t i = 0; i < n; i++)
		if (polls[i].revents & POLLIN)
			return polls[i].fd;
	return -1;
}
