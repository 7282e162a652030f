/*
 * What every source file of the library may use: small macros, assertions, memory, time.
 *
 * No state lives here. Any thread.
 */
#ifndef WEFT_BASE_BASE_H
#define WEFT_BASE_BASE_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <weft/base.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(n)		  (1u << (n))
#define container_of(pointer, type, member) \
	((type *)((char *)(pointer)-offsetof(type, member)))
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define MIN(a, b)   ((a) < (b) ? (a) : (b))
#define MAX(a, b)   ((a) > (b) ? (a) : (b))

/* Bytes of a cache line: what two threads write is kept at least so far apart. */
#define CACHE_LINE 64

/* ---- Bugs ---- */

/*
 * weft_assert() - stop the program if what only a bug can cause has happened. Kept in
 * release builds. The sentence says what to change, not what was tested.
 */
#define weft_assert(condition, ...)                       \
	do {                                              \
		if (unlikely(!(condition)))               \
			weft__assert_failed(__VA_ARGS__); \
	} while (0)

_Noreturn void weft__assert_failed(const char *format, ...) WEFT_PRINTF(1, 2);

/* ---- Options ---- */

/* Did the caller set bits that only a later version knows? */
static inline bool weft__has_reserved(const uintptr_t *reserved, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (reserved[i])
			return true;
	return false;
}

/* ---- Memory ---- */

/*
 * The library's own allocations. They are malloc() and friends, except that a test can
 * make one of them fail: weft__fail_allocation(n) lets the n-th from now on return NULL.
 * What weft__alloc() gave goes back through free().
 */
void *weft__alloc(size_t size);
void *weft__zalloc(size_t size);
void *weft__alloc_array(size_t n, size_t size); /* zeroed; NULL if n * size overflows */
void *weft__realloc_array(void *pointer, size_t n, size_t size);
void *weft__aligned_alloc(size_t alignment,
			  size_t size); /* size: a multiple of alignment */
char *weft__strdup(const char *text);
void weft__fail_allocation(long nth); /* 0: none */
/* How many allocations there were since the last weft__fail_allocation(). */
long weft__allocations(void);

/* ---- Time ---- */

/* CLOCK_MONOTONIC in nanoseconds. */
weft_time weft__clock(void);

/* a + b without overflow: what is later than WEFT_FOREVER is WEFT_FOREVER. */
static inline weft_time weft__time_add(weft_time a, weft_time b)
{
	weft_time sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? WEFT_FOREVER : INT64_MIN;
	return sum;
}

/* ---- CPUs ---- */

/* CPUs that this process may use: affinity, and the quota of its control group. At
 * least 1. */
int weft__cpus(void);
/* CPUs that the process was given when it began, whichever of them a thread was bound to since. */
int weft__cpus_at_start(void);
/* Is there a quota? Then spinning would be paid for by work that comes later. */
bool weft__cpus_have_quota(void);

/* Tell the CPU that this is a spin loop. */
static inline void weft__cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
