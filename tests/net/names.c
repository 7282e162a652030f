/*
 * Names that the tests make up. See tests/net/names.h.
 */
#include "tests/net/names.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Under the lock. */
static bool is_open;
static int n_waiting, n_ended;

static void pass_gate(void)
{
	pthread_mutex_lock(&lock);
	n_waiting++;
	while (!is_open)
		pthread_cond_wait(&changed, &lock);
	n_waiting--;
	n_ended++;
	pthread_mutex_unlock(&lock);
}

void names_open_gate(void)
{
	pthread_mutex_lock(&lock);
	is_open = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static int read_count(const int *count)
{
	int n;

	pthread_mutex_lock(&lock);
	n = *count;
	pthread_mutex_unlock(&lock);
	return n;
}

int names_waiting(void)
{
	return read_count(&n_waiting);
}

int names_ended(void)
{
	return read_count(&n_ended);
}

/* ---- getaddrinfo ---- */

typedef int getaddrinfo_fn(const char *host, const char *service,
			   const struct addrinfo *hints, struct addrinfo **result);

static int look_up(const char *host, const char *service, const struct addrinfo *hints,
		   struct addrinfo **result)
{
	getaddrinfo_fn *real;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(host, service, hints, result);
}

/* The lists of several numeric look-ups, so that freeaddrinfo() can free them. */
static int look_up_all(const char *const *numbers, size_t n, const char *service,
		       const struct addrinfo *hints, struct addrinfo **result)
{
	struct addrinfo **end = result;
	struct addrinfo numeric = *hints;

	numeric.ai_flags |= AI_NUMERICHOST;
	numeric.ai_flags &= ~AI_ADDRCONFIG;
	for (size_t i = 0; i < n; i++) {
		int code = look_up(numbers[i], service, &numeric, end);

		if (code)
			return code;
		while (*end)
			end = &(*end)->ai_next;
	}
	return 0;
}

static int look_up_many(const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	static char texts[20][24];
	const char *numbers[20];

	for (int i = 0; i < 20; i++) {
		snprintf(texts[i], sizeof(texts[i]), "127.0.0.%d", i + 2);
		numbers[i] = texts[i];
	}
	return look_up_all(numbers, 20, service, hints, result);
}

/* Instead of that of the C library, in this program. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **result)
{
	static const char *const mixed[] = { "::1", "127.0.0.2", "127.0.0.3" };
	static const char *const twice[] = { "127.0.0.2", "127.0.0.2" };

	if (!host || !strstr(host, ".test") ||
	    (hints && (hints->ai_flags & AI_NUMERICHOST)))
		return look_up(host, service, hints, result);
	if (strcmp(host, "two.test") == 0)
		return look_up_all(mixed + 1, 2, service, hints, result);
	if (strcmp(host, "mixed.test") == 0)
		return look_up_all(mixed, 3, service, hints, result);
	if (strcmp(host, "many.test") == 0)
		return look_up_many(service, hints, result);
	if (strcmp(host, "twice.test") == 0)
		return look_up_all(twice, 2, service, hints, result);
	if (strcmp(host, "again.test") == 0)
		return EAI_AGAIN;
	if (strcmp(host, "fail.test") == 0)
		return EAI_FAIL;
	if (strcmp(host, "memory.test") == 0)
		return EAI_MEMORY;
	if (strcmp(host, "system.test") == 0) {
		errno = EHOSTUNREACH;
		return EAI_SYSTEM;
	}
	if (strcmp(host, "gate.test") == 0) {
		pass_gate();
		return look_up_all(mixed + 1, 1, service, hints, result);
	}
	return EAI_NONAME;
}

/* ---- getnameinfo ---- */

typedef int getnameinfo_fn(const struct sockaddr *address, socklen_t size, char *host,
			   socklen_t host_bytes, char *service, socklen_t service_bytes,
			   int flags);

int getnameinfo(const struct sockaddr *address, socklen_t size, char *host,
		socklen_t host_bytes, char *service, socklen_t service_bytes, int flags)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
	getnameinfo_fn *real;

	if (address->sa_family == AF_INET && host && !(flags & NI_NUMERICHOST) &&
	    ntohl(in->sin_addr.s_addr) >> 8 == 0x7f0000) {
		if ((ntohl(in->sin_addr.s_addr) & 0xff) == 78)
			return EAI_NONAME;
		if ((ntohl(in->sin_addr.s_addr) & 0xff) == 77)
			pass_gate();
		snprintf(host, host_bytes, "gate.test");
		if (!service)
			return 0;
		host = NULL;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getnameinfo");
	return real(address, size, host, host_bytes, service, service_bytes, flags);
}
