/*
 * The timer wheel; timer.h has the model. Loop thread.
 */
#include "loop/timer.h"

enum { SLOT_BITS = 6, NSEC_PER_TICK = 1000 };

static uint64_t tick_of(weft_time time)
{
	return time > 0 ? (uint64_t)time / NSEC_PER_TICK : 0;
}

void weft__timers_init(struct timers *timers, weft_time now)
{
	*timers = (struct timers){ .tick = tick_of(now) };
	for (int level = 0; level < TIMER_LEVELS; level++)
		for (int slot = 0; slot < TIMER_SLOTS; slot++)
			list_init(&timers->slots[level][slot]);
}

/* Into a slot of the lowest level: after all that are due at the same time or earlier. */
static void insert_sorted(struct list *slot, struct handle *handle)
{
	struct list *before = slot->prev;

	while (before != slot &&
	       list_entry(before, struct handle, link)->deadline > handle->deadline)
		before = before->prev;
	list_insert_between(&handle->link, before, before->next);
}

static void place(struct timers *timers, struct handle *handle)
{
	uint64_t tick = MAX(tick_of(handle->deadline), timers->tick);
	uint64_t differs = tick ^ timers->tick;
	unsigned level =
		differs ? (63u - (unsigned)__builtin_clzll(differs)) / SLOT_BITS : 0;
	unsigned slot = (tick >> (level * SLOT_BITS)) % TIMER_SLOTS;

	if (level == 0)
		insert_sorted(&timers->slots[0][slot], handle);
	else
		list_push_back(&timers->slots[level][slot], &handle->link);
	timers->occupied[level] |= 1ull << slot;
}

void weft__timers_add(struct timers *timers, struct handle *handle)
{
	timers->n_timers++;
	place(timers, handle);
}

void weft__timers_remove(struct timers *timers, struct handle *handle)
{
	struct list *next = handle->link.next;
	/*
	 * The only neighbour is the slot itself. Asked before, of our own link: the neighbours may
	 * be in no cache, and are only written, which nobody has to wait for.
	 */
	bool was_alone = handle->link.prev == next;

	timers->n_timers--;
	list_unlink(&handle->link);
	if (was_alone) {
		size_t index = (size_t)(next - &timers->slots[0][0]);

		timers->occupied[index / TIMER_SLOTS] &= ~(1ull << (index % TIMER_SLOTS));
	}
}

/* The lowest occupied level and slot; false if there is no timer. */
static bool first_slot(const struct timers *timers, unsigned *level, unsigned *slot)
{
	for (unsigned i = 0; i < TIMER_LEVELS; i++) {
		if (timers->occupied[i]) {
			*level = i;
			*slot = (unsigned)__builtin_ctzll(timers->occupied[i]);
			return true;
		}
	}
	return false;
}

/* The first tick of a slot: all below its level is zero, all above is the wheel's. */
static uint64_t slot_tick(const struct timers *timers, unsigned level, unsigned slot)
{
	unsigned shift = level * SLOT_BITS;
	uint64_t above = level == TIMER_LEVELS - 1 ? 0 : ~0ull << (shift + SLOT_BITS);

	return (timers->tick & above) | (uint64_t)slot << shift;
}

weft_time weft__timers_next(const struct timers *timers)
{
	unsigned level, slot;
	uint64_t tick;

	if (!first_slot(timers, &level, &slot))
		return WEFT_FOREVER;
	if (level == 0)
		return list_entry(timers->slots[0][slot].next, struct handle, link)
			->deadline;
	tick = slot_tick(timers, level, slot);
	return tick > INT64_MAX / NSEC_PER_TICK ? WEFT_FOREVER
						: (weft_time)(tick * NSEC_PER_TICK);
}

weft_time weft__timers_first(const struct timers *timers)
{
	weft_time first = WEFT_FOREVER;
	unsigned level, slot;

	if (!first_slot(timers, &level, &slot))
		return WEFT_FOREVER;
	list_for_each (link, &timers->slots[level][slot])
		first = MIN(first, list_entry(link, struct handle, link)->deadline);
	return first;
}

/* The wheel's time has entered a slot of a higher level: its timers move down, in order.
 */
static void move_down(struct timers *timers, unsigned level, unsigned slot)
{
	struct list moving;

	list_init(&moving);
	list_splice(&moving, &timers->slots[level][slot]);
	timers->occupied[level] &= ~(1ull << slot);
	for (struct list *link = list_pop_front(&moving); link;
	     link = list_pop_front(&moving))
		place(timers, list_entry(link, struct handle, link));
}

struct handle *weft__timers_pop(struct timers *timers, weft_time now)
{
	uint64_t now_tick = tick_of(now);
	unsigned level, slot;

	while (first_slot(timers, &level, &slot)) {
		uint64_t tick = MAX(slot_tick(timers, level, slot), timers->tick);

		if (tick > now_tick)
			break;
		timers->tick = tick;
		if (level == 0) {
			struct handle *first = list_entry(timers->slots[0][slot].next,
							  struct handle, link);

			if (first->deadline > now)
				return NULL;
			weft__timers_remove(timers, first);
			return first;
		}
		move_down(timers, level, slot);
	}
	timers->tick = MAX(timers->tick, now_tick); /* what lies between is empty */
	return NULL;
}
