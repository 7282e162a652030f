/*
 * The library's allocations, countable and able to fail on request.
 *
 * Any thread. The counter is only kept while a test asked for it, so that the price
 * otherwise is one load of a variable that nobody writes.
 */
#include "base/base.h"

#include <string.h>

/* Relaxed throughout: a test arms it before it starts threads, and counts, nothing more.
 */
static atomic_long fail_nth;
static atomic_long n_allocations;
static atomic_bool counting;

void weft__fail_allocation(long nth)
{
	atomic_store_explicit(&fail_nth, nth, memory_order_relaxed);
	atomic_store_explicit(&n_allocations, 0, memory_order_relaxed);
	atomic_store_explicit(&counting, nth != 0, memory_order_relaxed);
}

long weft__allocations(void)
{
	return atomic_load_explicit(&n_allocations, memory_order_relaxed);
}

static bool must_fail(void)
{
	if (likely(!atomic_load_explicit(&counting, memory_order_relaxed)))
		return false;
	return atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed) + 1 ==
	       atomic_load_explicit(&fail_nth, memory_order_relaxed);
}

void *weft__alloc(size_t size)
{
	return must_fail() ? NULL : malloc(size);
}

void *weft__zalloc(size_t size)
{
	return must_fail() ? NULL : calloc(1, size);
}

void *weft__alloc_array(size_t n, size_t size)
{
	return must_fail() ? NULL : calloc(n, size);
}

void *weft__realloc_array(void *pointer, size_t n, size_t size)
{
	return must_fail() ? NULL : reallocarray(pointer, n, size);
}

void *weft__aligned_alloc(size_t alignment, size_t size)
{
	return must_fail() ? NULL : aligned_alloc(alignment, size);
}

char *weft__strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = weft__alloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}
