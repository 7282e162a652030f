/*
 * The descriptor in reserve; reserve.h has the model. One lock around all of it: what another
 * thread opens between the close and the accept is lost to us, and is asked for again next time.
 */
#include "net/reserve.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under the lock. */
static int n_holders;
static int reserve = -1;

/* Under the lock. */
static void fill(void)
{
	if (reserve < 0)
		reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Under the lock. */
static void empty(void)
{
	if (reserve >= 0)
		(void)close(reserve);
	reserve = -1;
}

void weft__reserve_hold(void)
{
	pthread_mutex_lock(&lock);
	n_holders++;
	fill();
	pthread_mutex_unlock(&lock);
}

void weft__reserve_unhold(void)
{
	pthread_mutex_lock(&lock);
	if (--n_holders == 0)
		empty();
	pthread_mutex_unlock(&lock);
}

bool weft__reserve_shed(int fd)
{
	bool was_there;
	int accepted = -1;

	pthread_mutex_lock(&lock);
	was_there = reserve >= 0;
	empty();
	if (was_there)
		accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (accepted >= 0)
		(void)close(accepted);
	fill();
	pthread_mutex_unlock(&lock);
	return accepted >= 0;
}
