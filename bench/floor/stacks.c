/*
 * Bare stacks; see stacks.h.
 *
 * Guards are installed 512 stacks at a time: one process_madvise() instead of 512
 * madvise().
 */
#include "bench/floor/stacks.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef PIDFD_SELF
#define PIDFD_SELF -10000
#endif

enum { BATCH = 512, PAGE = 4096 };

#define SLAB_BYTES ((size_t)64 << 20)

static char *next, *guarded_end, *slab_end;
static unsigned int n_made;

static bool slab_new(void)
{
	char *slab = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (slab == MAP_FAILED)
		return false;
	if (madvise(slab, SLAB_BYTES, MADV_NOHUGEPAGE) < 0)
		return false;
	next = slab;
	guarded_end = slab;
	slab_end = slab + SLAB_BYTES;
	return true;
}

static bool guard_one_by_one(char *first, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (madvise(first + i * FLOOR_STACK_BYTES, PAGE, MADV_GUARD_INSTALL) < 0)
			return false;
	}
	return true;
}

static bool guard_next(void)
{
	struct iovec ranges[BATCH];
	size_t n =
		MIN((size_t)BATCH, (size_t)(slab_end - guarded_end) / FLOOR_STACK_BYTES);
	long done;

	for (size_t i = 0; i < n; i++) {
		ranges[i].iov_base = guarded_end + i * FLOOR_STACK_BYTES;
		ranges[i].iov_len = PAGE;
	}
	done = syscall(SYS_process_madvise, PIDFD_SELF, ranges, n, MADV_GUARD_INSTALL, 0);
	if (done != (long)(n * PAGE) && !guard_one_by_one(guarded_end, n))
		return false;
	guarded_end += n * FLOOR_STACK_BYTES;
	return true;
}

void *floor_stack_new(size_t room)
{
	char *top;

	if (next == slab_end && !slab_new())
		return NULL;
	if (next == guarded_end && !guard_next())
		return NULL;
	next += FLOOR_STACK_BYTES;
	top = next - (n_made++ & 7) * 256 - room;
	return (void *)((uintptr_t)top & ~(uintptr_t)63);
}
