/*
 * The inbox; inbox.h has the protocol and its proof. A model of it for spin is
 * tests/model/inbox.pml.
 */
#include "loop/inbox.h"

void weft__inbox_init(struct inbox *inbox)
{
	atomic_init(&inbox->head, NULL);
	list_init(&inbox->taken);
	inbox->wakes_owed = 0;
	inbox->marked = false;
	inbox->closed = false;
}

/* `newest` was pushed last; `oldest` gets the rest of the stack as its successor. */
static enum inbox_push push(struct inbox *inbox, struct handle *newest,
			    struct handle *oldest)
{
	/* Relaxed: only compared; the exchange below publishes. */
	struct handle *head = atomic_load_explicit(&inbox->head, memory_order_relaxed);

	do {
		if (unlikely(head == INBOX_CLOSED_MARK))
			return INBOX_CLOSED;
		oldest->link.next = head && head != INBOX_ASLEEP ? &head->link : NULL;
		/* I1. On failure nothing was published. */
	} while (!atomic_compare_exchange_weak_explicit(
		&inbox->head, &head, newest, memory_order_release, memory_order_relaxed));
	return head == INBOX_ASLEEP ? INBOX_WAKE : INBOX_QUEUED;
}

enum inbox_push weft__inbox_push(struct inbox *inbox, struct handle *handle)
{
	return push(inbox, handle, handle);
}

enum inbox_push weft__inbox_push_chain(struct inbox *inbox, struct handle *first,
				       struct handle *last)
{
	struct handle *before = first;
	struct list *link = first->link.next;

	/* A stack has its last arrival on top: turn the chain around. */
	while (before != last) {
		struct handle *handle = list_entry(link, struct handle, link);

		link = handle->link.next;
		handle->link.next = &before->link;
		before = handle;
	}
	return push(inbox, last, first);
}

/* Appends a stack to `taken`, oldest first: each goes before the one that came after it.
 */
static void append(struct inbox *inbox, struct handle *stack)
{
	struct list *place = &inbox->taken;
	struct list *last = inbox->taken.prev;
	struct list *link = stack ? &stack->link : NULL;

	while (link) {
		struct list *older = link->next;

		/* Between the old last entry and the one placed before. */
		list_insert_between(link, last, place);
		place = link;
		link = older;
	}
}

static void take(struct inbox *inbox, struct handle *leave)
{
	/* I2. */
	struct handle *stack =
		atomic_exchange_explicit(&inbox->head, leave, memory_order_acquire);

	if (inbox->marked && stack != INBOX_ASLEEP)
		inbox->wakes_owed++;
	inbox->marked = false;
	append(inbox, stack == INBOX_ASLEEP ? NULL : stack);
}

void weft__inbox_take(struct inbox *inbox)
{
	/* Relaxed: what comes after this look is for the next one. */
	if (!inbox->closed && atomic_load_explicit(&inbox->head, memory_order_relaxed))
		take(inbox, NULL);
}

void weft__inbox_close(struct inbox *inbox)
{
	take(inbox, INBOX_CLOSED_MARK);
	inbox->closed = true;
}

bool weft__inbox_mark_asleep(struct inbox *inbox)
{
	struct handle *empty = NULL;

	/* Relaxed: the mark carries no data, and a message found instead is taken by I2.
	 */
	inbox->marked = atomic_compare_exchange_strong_explicit(&inbox->head, &empty,
								INBOX_ASLEEP,
								memory_order_relaxed,
								memory_order_relaxed);
	return inbox->marked;
}
