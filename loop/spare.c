/*
 * Spare handles; spare.h has the model.
 */
#include "loop/spare.h"

#include <pthread.h>

enum {
	KEPT_MAX = 256, /* what is beyond that is freed */
	CHAIN = 64,
};

/* What this thread took and has not used yet, linked by link.next; of any loop. */
static _Thread_local struct handle *taken;
static pthread_key_t taken_key;
static pthread_once_t taken_once = PTHREAD_ONCE_INIT;

static struct handle *successor(const struct handle *handle)
{
	return handle->link.next ? list_entry(handle->link.next, struct handle, link)
				 : NULL;
}

static void free_chain(struct handle *handle)
{
	while (handle) {
		struct handle *next = successor(handle);

		free(handle);
		handle = next;
	}
}

static struct handle *allocate(void)
{
	return weft__aligned_alloc(CACHE_LINE, sizeof(struct handle));
}

void weft__spare_init(struct spare *spare)
{
	*spare = (struct spare){ .n_kept = 0 };
	atomic_init(&spare->returned, NULL);
	list_init(&spare->kept);
}

void weft__spare_fini(struct spare *spare)
{
	for (struct list *link = list_pop_front(&spare->kept); link;
	     link = list_pop_front(&spare->kept))
		free(list_entry(link, struct handle, link));
	free_chain(spare->chain);
	/* P2. */
	free_chain(
		atomic_exchange_explicit(&spare->returned, NULL, memory_order_acquire));
}

/* ---- The loop's own ---- */

struct handle *weft__spare_get(struct spare *spare)
{
	struct list *link = list_pop_front(&spare->kept);

	if (!link)
		return allocate();
	spare->n_kept--;
	return list_entry(link, struct handle, link);
}

void weft__spare_keep(struct spare *spare, struct handle *handle)
{
	if (spare->n_kept >= KEPT_MAX) {
		free(handle);
		return;
	}
	list_push_front(&spare->kept, &handle->link);
	spare->n_kept++;
}

/* ---- Those of other threads ---- */

static void free_taken(void *unused)
{
	(void)unused;
	free_chain(taken);
	taken = NULL;
}

static void make_key(void)
{
	(void)pthread_key_create(&taken_key,
				 free_taken); /* else a thread's end leaks a chain */
}

struct handle *weft__spare_get_remote(struct spare *spare)
{
	struct handle *handle = taken;

	if (!handle) {
		/* Relaxed: only a look, so that an empty stack's line stays where it is. */
		if (atomic_load_explicit(&spare->returned, memory_order_relaxed))
			/* P2. */
			handle = atomic_exchange_explicit(&spare->returned, NULL,
							  memory_order_acquire);
		if (!handle)
			return allocate();
		pthread_once(&taken_once, make_key);
		(void)pthread_setspecific(taken_key, &taken); /* any value makes it run */
	}
	taken = successor(handle);
	return handle;
}

static void push_chain(struct spare *spare)
{
	/* Relaxed: only compared. */
	struct handle *head =
		atomic_load_explicit(&spare->returned, memory_order_relaxed);

	do
		spare->chain_end->link.next = head ? &head->link : NULL;
	while (!atomic_compare_exchange_weak_explicit(
		&spare->returned, &head, spare->chain, memory_order_release, /* P1 */
		memory_order_relaxed));
	spare->chain = NULL;
	spare->n_chain = 0;
}

void weft__spare_return(struct spare *spare, struct handle *handle)
{
	handle->link.next = spare->chain ? &spare->chain->link : NULL;
	if (!spare->chain)
		spare->chain_end = handle;
	spare->chain = handle;
	if (++spare->n_chain >= CHAIN)
		push_chain(spare);
}
