/*
 * The ready queue; ready.h has the model. Loop thread.
 */
#include "loop/ready.h"

#include "loop/loop.h"

enum { READY_MIN = 64 };

int weft__ready_init(struct ready *ready)
{
	*ready = (struct ready){ .mask = READY_MIN - 1 };
	list_init(&ready->behind);
	ready->slots = weft__alloc_array(READY_MIN, sizeof(*ready->slots));
	return ready->slots ? 0 : -ENOMEM;
}

void weft__ready_fini(struct ready *ready)
{
	free(ready->slots);
}

/* Doubles the ring. What is queued keeps its position, so handles keep their ring_index.
 */
static bool grow(struct ready *ready)
{
	uint64_t capacity = (ready->mask + 1) * 2;
	struct ready_slot *slots = weft__alloc_array(capacity, sizeof(*slots));

	if (!slots)
		return false;
	for (uint64_t i = ready->head; i != ready->tail; i++)
		slots[i & (capacity - 1)] = ready->slots[i & ready->mask];
	free(ready->slots);
	ready->slots = slots;
	ready->mask = capacity - 1;
	return true;
}

int weft__ready_reserve(struct ready *ready)
{
	/*
	 * What is queued may all be handles, so a promise needs room beside it. (Tasks
	 * that are queued are counted twice: at most half of the ring is wasted for not
	 * counting them.)
	 */
	if (ready->promised + (ready->tail - ready->head) > ready->mask && !grow(ready))
		return -ENOMEM;
	ready->promised++;
	return 0;
}

void weft__ready_release(struct ready *ready)
{
	ready->promised--;
}

bool weft__ready_has_room(struct ready *ready)
{
	return likely(ready->promised + (ready->tail - ready->head) <= ready->mask) ||
	       grow(ready);
}

void weft__ready_put_behind(struct ready *ready, struct handle *handle)
{
	handle_set_state(handle, HANDLE_BEHIND);
	list_push_back(&ready->behind, &handle->link);
}

/*
 * Between two turns: what had to queue behind the ring moves into it, as far as there is room.
 * Where all slots are promised and there is no memory for more, one at a time moves into the
 * empty ring: it leaves its slot as the first thing of the turn, before any is asked for.
 */
void weft__ready_catch_up(struct ready *ready)
{
	while (!list_is_empty(&ready->behind) &&
	       (weft__ready_has_room(ready) || ready->head == ready->tail)) {
		struct handle *handle =
			list_entry(ready->behind.next, struct handle, link);

		list_unlink(&handle->link);
		handle->ring_index = ready->tail;
		handle_set_state(handle, HANDLE_READY);
		ready_append(ready, weft__ready_run_handle, handle);
	}
}

/* Out of the way of those who have none. */
__attribute__((noinline)) static void run_in_context(struct handle *handle)
{
	struct context *context = handle->context;
	weft_callback *fn = handle->fn;
	void *arg = handle->arg;

	handle->context = NULL;
	handle_set_state(handle, HANDLE_IDLE);
	if (handle->kind == HANDLE_RECYCLED)
		weft__spare_keep(&handle->loop->spare, handle);
	weft__context_call(context, fn, arg);
}

/* The callback may free the handle, so it is left before the call. */
void weft__ready_run_handle(void *arg)
{
	struct handle *handle = arg;
	weft_callback *fn = handle->fn;
	void *fn_arg = handle->arg;

	if (unlikely(handle->context)) {
		run_in_context(handle);
		return;
	}
	handle_set_state(handle, HANDLE_IDLE);
	if (handle->kind == HANDLE_RECYCLED)
		weft__spare_keep(&handle->loop->spare, handle);
	fn(fn_arg);
}

void weft__ready_nothing(void *unused)
{
	(void)unused;
}

void weft__ready_remove(struct ready *ready, struct handle *handle)
{
	if (handle_state(handle) == HANDLE_READY)
		ready->slots[handle->ring_index & ready->mask].fn = weft__ready_nothing;
	else
		list_unlink(&handle->link);
	handle_set_state(handle, HANDLE_IDLE);
}
