/*
 * Look-ups: names to addresses and back; <weft/resolver.h> has the model.
 *
 * A number is translated on the spot. A name goes to a thread with its own copy of everything, so
 * that a task that does not wait any longer (it was cancelled, or the time is over) leaves nothing
 * behind that the thread could still touch: the copy goes with whoever is done last.
 */
#include <weft/resolver.h>

#include <stdio.h>
#include <weft/timeout.h>

#include "base/base.h"
#include "net/address.h"
#include "net/lookup.h"
#include "task/task.h"

#define LOOKUP_LIMIT_NS (5 * WEFT_SEC)

/* ---- Errors ---- */

static int explain(int code, int saved_errno, const char *host)
{
	switch (code) {
	case 0:
		return 0;
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return weft_error_set(-ENOENT, "no address is known for \"%s\"", host);
	case EAI_SERVICE:
		return weft_error_set(
			-ENOENT, "the service asked for with \"%s\" is not known", host);
	case EAI_AGAIN:
		return weft_error_set(
			-EAGAIN,
			"no name server answered when \"%s\" was looked up: try "
			"again later",
			host);
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_OVERFLOW:
		return weft_error_set(
			-EMSGSIZE, "the name of %s does not fit into the buffer", host);
	case EAI_SYSTEM:
		return weft_error_set(saved_errno ? -saved_errno : -EIO,
				      "looking up \"%s\" failed: %s", host,
				      strerror(saved_errno));
	case EAI_FAIL:
		return weft_error_set(-EIO, "the name server refused to look up \"%s\"",
				      host);
	default:
		return weft_error_set(-EINVAL, "looking up \"%s\" failed: %s", host,
				      gai_strerror(code));
	}
}

/* ---- Jobs ---- */

/* What both kinds of look-up begin with; held by the task and by the thread's job. */
struct lookup {
	atomic_int references;
	void (*fini)(struct lookup *lookup);
};

static void lookup_unref(void *arg)
{
	struct lookup *lookup = arg;

	/* L1: releases this side's use of the memory to whoever frees it; pairs with L2. */
	if (atomic_fetch_sub_explicit(&lookup->references, 1, memory_order_release) > 1)
		return;
	/* L2. Not a fence: ThreadSanitizer does not know those. */
	(void)atomic_load_explicit(&lookup->references, memory_order_acquire);
	lookup->fini(lookup);
	free(lookup);
}

/* Runs it on a thread. The caller's reference stays the caller's. */
static int run_lookup(struct lookup *lookup, weft_fn *fn, const char *host)
{
	struct weft_timeout timeout;
	int r;

	/* Relaxed: the caller holds a reference already. */
	atomic_fetch_add_explicit(&lookup->references, 1, memory_order_relaxed);
	weft_timeout_begin(&timeout, LOOKUP_LIMIT_NS);
	r = weft__lookup_run(fn, lookup, lookup_unref);
	r = weft_timeout_end(&timeout, r);
	if (r == -ETIMEDOUT && weft_timeout_expired(&timeout))
		return weft_error_set(
			r,
			"no name server answered within 5 s when \"%s\" was "
			"looked up",
			host);
	return r;
}

/* ---- Names to addresses ---- */

struct name_lookup {
	struct lookup base;
	struct addrinfo hints;
	struct addrinfo *result;
	const char *host, *service; /* in `text`, or NULL */
	char text[];
};

static void name_lookup_fini(struct lookup *lookup)
{
	struct name_lookup *name = container_of(lookup, struct name_lookup, base);

	if (name->result)
		freeaddrinfo(name->result);
}

static int look_up_name(void *arg)
{
	struct name_lookup *name = container_of(arg, struct name_lookup, base);
	int code;

	errno = 0;
	code = getaddrinfo(name->host, name->service, &name->hints, &name->result);
	if (code != 0)
		name->result = NULL;
	return explain(code, errno, name->host ? name->host : name->service);
}

static struct name_lookup *new_name_lookup(const char *host, const char *service,
					   const struct addrinfo *hints)
{
	size_t host_size = host ? strlen(host) + 1 : 0;
	size_t service_size = service ? strlen(service) + 1 : 0;
	struct name_lookup *name = weft__alloc(sizeof(*name) + host_size + service_size);

	if (!name)
		return NULL;
	*name = (struct name_lookup){ .base.fini = name_lookup_fini, .hints = *hints };
	atomic_init(&name->base.references, 1);
	if (host)
		name->host = memcpy(name->text, host, host_size);
	if (service)
		name->service = memcpy(name->text + host_size, service, service_size);
	return name;
}

static bool is_number(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

/* Return: EAI_NONAME if that takes more than translating numbers. */
static int translate_numbers(const char *host, const char *service,
			     const struct addrinfo *hints, struct addrinfo **result)
{
	struct addrinfo numeric = *hints;

	if (service && !is_number(service))
		return EAI_NONAME;
	numeric.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	numeric.ai_flags &= ~AI_ADDRCONFIG;
	return getaddrinfo(host, service, &numeric, result);
}

static int check_name(const char *host)
{
	size_t size = strlen(host);

	if (size == 0)
		return weft_error_set(-EINVAL, "an empty name cannot be looked up");
	if (size - (host[size - 1] == '.') > HOST_NAME_MAX_BYTES)
		return weft_error_set(
			-EINVAL,
			"a host name of %zu bytes cannot be looked up: it may have "
			"%d",
			size, HOST_NAME_MAX_BYTES);
	return 0;
}

int weft_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		     struct addrinfo **result)
{
	static const struct addrinfo defaults = { .ai_flags =
							  AI_V4MAPPED | AI_ADDRCONFIG };
	struct name_lookup *name;
	int r = 0;

	if (!task_current())
		return weft__task_none(__func__);
	if (!host && !service)
		return weft_error_set(
			-EINVAL,
			"weft_getaddrinfo() needs a host or a service to look up");
	if (host)
		r = check_name(host);
	if (r < 0)
		return r;
	if (!hints)
		hints = &defaults;
	r = translate_numbers(host, service, hints, result);
	if (r != EAI_NONAME)
		return explain(r, errno, host ? host : service);
	name = new_name_lookup(host, service, hints);
	if (!name)
		return -ENOMEM;
	r = run_lookup(&name->base, look_up_name, host ? host : service);
	if (r == 0) {
		*result = name->result;
		name->result = NULL;
	}
	lookup_unref(&name->base);
	return r;
}

/* ---- Addresses to names ---- */

struct address_lookup {
	struct lookup base;
	union {
		struct sockaddr any;
		struct sockaddr_storage room;
	} address;
	socklen_t size;
	int flags;
	bool wants_host, wants_service;
	char host[NI_MAXHOST];
	char service[NI_MAXSERV];
};

static void address_lookup_fini(struct lookup *lookup)
{
	(void)lookup; /* all is inside */
}

static int explain_address(int code, int saved_errno, const struct sockaddr *address,
			   socklen_t size)
{
	char text[ADDRESS_TEXT_SIZE];

	weft__address_format(address, size, text);
	if (code == EAI_NONAME)
		return weft_error_set(-ENOENT, "no name is known for the address %s",
				      text);
	return explain(code, saved_errno, text);
}

static int look_up_address(void *arg)
{
	struct address_lookup *lookup = container_of(arg, struct address_lookup, base);
	int code;

	errno = 0;
	code = getnameinfo(&lookup->address.any, lookup->size,
			   lookup->wants_host ? lookup->host : NULL, sizeof(lookup->host),
			   lookup->wants_service ? lookup->service : NULL,
			   sizeof(lookup->service), lookup->flags);
	return explain_address(code, errno, &lookup->address.any, lookup->size);
}

/* Can it be answered without asking anybody? */
static bool wants_numbers(bool wants_host, bool wants_service, int flags)
{
	return (!wants_host || (flags & NI_NUMERICHOST)) &&
	       (!wants_service || (flags & NI_NUMERICSERV));
}

static int copy_name(char *buffer, size_t bytes, const char *name)
{
	if (!buffer)
		return 0;
	if (strlen(name) >= bytes)
		return weft_error_set(-EMSGSIZE,
				      "the name \"%s\" does not fit into %zu bytes", name,
				      bytes);
	strcpy(buffer, name);
	return 0;
}

static int look_up_on_thread(const struct sockaddr *address, socklen_t size, char *host,
			     size_t host_bytes, char *service, size_t service_bytes,
			     int flags)
{
	struct address_lookup *lookup = weft__zalloc(sizeof(*lookup));
	char text[ADDRESS_TEXT_SIZE];
	int r;

	if (!lookup)
		return -ENOMEM;
	atomic_init(&lookup->base.references, 1);
	lookup->base.fini = address_lookup_fini;
	memcpy(&lookup->address, address, size);
	lookup->size = size;
	lookup->flags = flags;
	lookup->wants_host = host != NULL;
	lookup->wants_service = service != NULL;
	r = run_lookup(&lookup->base, look_up_address,
		       weft__address_format(address, size, text));
	if (r == 0)
		r = copy_name(host, host_bytes, lookup->host);
	if (r == 0)
		r = copy_name(service, service_bytes, lookup->service);
	lookup_unref(&lookup->base);
	return r;
}

int weft_getnameinfo(const struct sockaddr *address, socklen_t size, char *host,
		     size_t host_bytes, char *service, size_t service_bytes, int flags)
{
	int code;

	if (!task_current())
		return weft__task_none(__func__);
	if (!address || size > sizeof(struct sockaddr_storage) || (!host && !service))
		return weft_error_set(
			-EINVAL,
			"weft_getnameinfo() needs an address, and room for a host or "
			"a service");
	if (!wants_numbers(host != NULL, service != NULL, flags))
		return look_up_on_thread(address, size, host, host_bytes, service,
					 service_bytes, flags);
	errno = 0;
	code = getnameinfo(address, size, host,
			   (socklen_t)MIN(host_bytes, (size_t)INT32_MAX), service,
			   (socklen_t)MIN(service_bytes, (size_t)INT32_MAX), flags);
	return explain_address(code, errno, address, size);
}
