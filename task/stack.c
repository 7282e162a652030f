/*
 * Stacks for tasks; stack.h has the model. Loop thread, but for looking slabs up.
 */
#include "task/stack.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "task/fibre.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif
#ifndef PIDFD_SELF
#define PIDFD_SELF (-10000) /* Linux 6.14 */
#endif

#define SLAB_FIRST   ((size_t)1 << 20)
#define SLAB_LARGEST ((size_t)64 << 20)

/* Guards in one call; with more of them in it, each would cost no less. */
enum { GUARDS_AT_ONCE = 16 };

enum guard_kind { GUARD_MARKERS, GUARD_MPROTECT, GUARD_NONE };

static enum guard_kind guard_kind;
/* Relaxed: a hint, cleared where the kernel or a filter does not let us. */
static atomic_bool guards_come_in_batches;
static long max_mprotect_stacks;
static pthread_once_t guard_once = PTHREAD_ONCE_INIT;
/* Relaxed: a count to stop at; a few too many do no harm. */
static atomic_long n_mprotect_stacks;

static pthread_mutex_t slabs_lock = PTHREAD_MUTEX_INITIALIZER;
struct list weft__slabs = { &weft__slabs, &weft__slabs }; /* under the lock */

/* ---- Which guards ---- */

/* Does the kernel refuse to read there? Asked by a call that would do nothing. */
static bool is_guarded(const void *page)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	bool is_refused;

	if (fd < 0)
		return true; /* nobody to ask: the word of the call that installed it */
	is_refused = write(fd, page, sizeof(uint64_t)) < 0 && errno == EFAULT;
	(void)close(fd); /* had nothing to lose */
	return is_refused;
}

/* Emulators have been seen to accept the advice and do nothing. */
static bool markers_work(void)
{
	size_t size = 4096;
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool work;

	if (page == MAP_FAILED)
		return false;
	work = madvise(page, size, MADV_GUARD_INSTALL) == 0 && is_guarded(page);
	(void)munmap(page, size);
	return work;
}

/* Each mprotect() guard costs two mappings; a quarter of the limit is left to the
 * program. */
static long mappings_allowed(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	long n = 65530;

	if (file) {
		if (fscanf(file, "%ld", &n) != 1)
			n = 65530;
		(void)fclose(file); /* was only read */
	}
	return n / 4 * 3;
}

static void choose_guards(void)
{
	const char *forced = getenv("WEFT_STACK_GUARD");

	if (forced && strcmp(forced, "none") == 0)
		guard_kind = GUARD_NONE;
	else if ((forced && strcmp(forced, "mprotect") == 0) || !markers_work())
		guard_kind = GUARD_MPROTECT;
	else
		guard_kind = GUARD_MARKERS;
	/* Valgrind does not know the call, and would say so. */
	atomic_store_explicit(&guards_come_in_batches,
			      guard_kind == GUARD_MARKERS && !fibre_in_valgrind(),
			      memory_order_relaxed);
	max_mprotect_stacks = mappings_allowed() / 2;
}

static int make_guard(char *low, size_t size)
{
	switch (guard_kind) {
	case GUARD_MARKERS:
		if (madvise(low, size, MADV_GUARD_INSTALL) < 0)
			return weft_error_set(-ENOMEM, "cannot guard a task stack: %s",
					      strerror(errno));
		return 0;
	case GUARD_MPROTECT:
		if (atomic_load_explicit(&n_mprotect_stacks, memory_order_relaxed) >=
		    max_mprotect_stacks)
			break;
		if (mprotect(low, size, PROT_NONE) < 0)
			break;
		atomic_fetch_add_explicit(&n_mprotect_stacks, 1, memory_order_relaxed);
		return 0;
	case GUARD_NONE:
		return 0;
	}
	return weft_error_set(
		-ENOMEM,
		"no more task stacks: their guards use up the mappings of the process "
		"(%ld stacks); raise vm.max_map_count, or use Linux 6.13 or newer, "
		"which needs none",
		max_mprotect_stacks);
}

/* Those of the next stacks, in one call. Return: how many; 0 if that cannot be done. */
static size_t guard_batch(const struct slab *slab, size_t first)
{
	struct iovec ranges[GUARDS_AT_ONCE];
	size_t n = MIN(slab->n_stacks - first, (size_t)GUARDS_AT_ONCE);
	long done;

	if (!atomic_load_explicit(&guards_come_in_batches, memory_order_relaxed))
		return 0;
	for (size_t i = 0; i < n; i++)
		ranges[i] = (struct iovec){
			.iov_base = slab->base + (first + i) * slab->stride,
			.iov_len = slab->guard,
		};
	done = syscall(SYS_process_madvise, PIDFD_SELF, ranges, n, MADV_GUARD_INSTALL, 0);
	if (done == (long)(n * slab->guard))
		return n;
	atomic_store_explicit(&guards_come_in_batches, false, memory_order_relaxed);
	return 0;
}

/* Stack number n is the next to be cut: it has its guard when this has returned 0. */
static int guard_stack(struct slab *slab, size_t n)
{
	int r;

	if (n < slab->n_guarded)
		return 0;
	slab->n_guarded = n + guard_batch(slab, n);
	if (n < slab->n_guarded)
		return 0;
	r = make_guard(slab->base + n * slab->stride, slab->guard);
	if (r == 0)
		slab->n_guarded = n + 1;
	return r;
}

/* ---- Pools ---- */

void weft__stack_pool_init(struct stack_pool *pool, weft_loop *loop)
{
	pthread_once(&guard_once, choose_guards);
	pool->loop = loop;
	for (int i = 0; i < STACK_CLASSES; i++) {
		struct stack_class *class = &pool->classes[i];

		class->stride = (size_t)STACK_MIN << i;
		class->next_slab = MAX(SLAB_FIRST, class->stride);
		class->slab = NULL;
		list_init(&class->bare);
		list_init(&class->free);
	}
}

void weft__stack_pool_fini(struct stack_pool *pool)
{
	pthread_mutex_lock(&slabs_lock);
	list_for_each_safe (link, &weft__slabs) {
		struct slab *slab = list_entry(link, struct slab, link);

		if (slab->loop != pool->loop)
			continue;
		list_unlink(link);
		/* The next mapping there may be a thread's stack. */
		fibre_clean(slab->base, slab->n_stacks * slab->stride);
		(void)munmap(slab->base, slab->n_stacks * slab->stride);
		if (guard_kind == GUARD_MPROTECT)
			atomic_fetch_sub_explicit(
				&n_mprotect_stacks,
				(long)atomic_load_explicit(&slab->n_cut,
							   memory_order_relaxed),
				memory_order_relaxed);
		free(slab);
	}
	pthread_mutex_unlock(&slabs_lock);
}

int weft__stack_class(size_t stack_bytes)
{
	if (!stack_bytes)
		stack_bytes = STACK_DEFAULT;
	for (int i = 0; i < STACK_CLASSES; i++)
		if (stack_bytes <= (size_t)STACK_MIN << i)
			return i;
	return weft_error_set(-EINVAL,
			      "a task stack of %zu bytes is too large: the limit is %zu",
			      stack_bytes, (size_t)STACK_MIN << (STACK_CLASSES - 1));
}

static struct slab *new_slab(struct stack_pool *pool, struct stack_class *class)
{
	struct slab *slab = weft__zalloc(sizeof(*slab));

	if (!slab)
		return NULL;
	slab->base = mmap(NULL, class->next_slab, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (slab->base == MAP_FAILED) {
		free(slab);
		return NULL;
	}
	/* A huge page would make a task cost its whole stack. Without THP this fails:
	 * fine. */
	(void)madvise(slab->base, class->next_slab, MADV_NOHUGEPAGE);
	slab->loop = pool->loop;
	slab->stride = class->stride;
	slab->guard = STACK_GUARD;
	slab->n_stacks = class->next_slab / class->stride;
	list_init(&slab->bare_link);
	atomic_init(&slab->n_cut, 0);
	pthread_mutex_lock(&slabs_lock);
	list_push_back(&weft__slabs, &slab->link);
	pthread_mutex_unlock(&slabs_lock);
	class->next_slab = MIN(class->next_slab * 2, MAX(SLAB_LARGEST, class->stride));
	return slab;
}

int weft__stack_cut(struct stack_pool *pool, int index, size_t block_bytes, void **block)
{
	struct stack_class *class = &pool->classes[index];
	struct slab *slab = class->slab;
	size_t n;
	int r;

	/* Relaxed: this thread alone cuts. */
	if (!slab ||
	    atomic_load_explicit(&slab->n_cut, memory_order_relaxed) == slab->n_stacks) {
		slab = new_slab(pool, class);
		if (!slab)
			return weft_error_set(-ENOMEM,
					      "no memory for more task stacks of %zu KiB",
					      class->stride / 1024);
		class->slab = slab;
	}
	n = atomic_load_explicit(&slab->n_cut, memory_order_relaxed);
	r = guard_stack(slab, n);
	if (r < 0)
		return r;
	*block = weft__slab_block(slab, n, block_bytes);
	return 0;
}

void weft__stack_commit(struct stack_pool *pool, int index)
{
	struct slab *slab = pool->classes[index].slab;
	size_t n = atomic_load_explicit(&slab->n_cut, memory_order_relaxed);

	/* K1: releases the block that lies there to a reader on another thread, K2. */
	atomic_store_explicit(&slab->n_cut, n + 1, memory_order_release);
}

/* ---- Bare stacks ---- */

static_assert(SLAB_LARGEST / STACK_MIN == SLAB_STACKS_MAX, "a bit for each");

void weft__stack_lay_bare(struct stack_pool *pool, int index, struct slab *slab,
			  const void *block)
{
	size_t n = (size_t)((const char *)block - slab->base) / slab->stride;

	slab->bare[n / 64] |= 1ull << (n % 64);
	if (!list_is_linked(&slab->bare_link))
		list_push_back(&pool->classes[index].bare, &slab->bare_link);
}

void *weft__stack_dress(struct stack_pool *pool, int index, size_t block_bytes,
			struct slab **out)
{
	struct list *first = pool->classes[index].bare.next;
	struct slab *slab;
	size_t word = 0, n;

	if (first == &pool->classes[index].bare)
		return NULL;
	slab = list_entry(first, struct slab, bare_link);
	while (!slab->bare[word])
		word++;
	n = word * 64 + (size_t)__builtin_ctzll(slab->bare[word]);
	slab->bare[word] &= slab->bare[word] - 1;
	while (word < ARRAY_SIZE(slab->bare) && !slab->bare[word])
		word++;
	if (word == ARRAY_SIZE(slab->bare))
		list_unlink(&slab->bare_link);
	*out = slab;
	return weft__slab_block(slab, n, block_bytes);
}

/* ---- Finding ---- */

void *weft__slab_block(const struct slab *slab, size_t index, size_t block_bytes)
{
	char *top = slab->base + (index + 1) * slab->stride;
	size_t colour = index % STACK_COLOURS * STACK_COLOUR_BYTES;

	return top - colour - (block_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

char *weft__stack_low(const struct slab *slab, const void *address)
{
	size_t index = (size_t)((const char *)address - slab->base) / slab->stride;

	return slab->base + index * slab->stride + slab->guard;
}

void weft__slab_each(void (*fn)(const struct slab *slab, void *arg), void *arg)
{
	pthread_mutex_lock(&slabs_lock);
	list_for_each (link, &weft__slabs)
		fn(list_entry(link, struct slab, link), arg);
	pthread_mutex_unlock(&slabs_lock);
}
