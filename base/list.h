/*
 * Intrusive doubly linked list.
 *
 * A link starts out pointing at itself, so unlinking twice is harmless and
 * list_is_linked() is honest. The list head is a link like any other. Whoever owns the
 * list says which thread may touch it.
 */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include "base/base.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *link)
{
	link->next = link;
	link->prev = link;
}

static inline bool list_is_linked(const struct list *link)
{
	return link->next != link;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert_between(struct list *link, struct list *prev,
				       struct list *next)
{
	link->prev = prev;
	link->next = next;
	prev->next = link;
	next->prev = link;
}

static inline void list_push_back(struct list *head, struct list *link)
{
	list_insert_between(link, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *link)
{
	list_insert_between(link, head, head->next);
}

static inline void list_unlink(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* The first link, unlinked; NULL if the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *link = head->next;

	if (link == head)
		return NULL;
	list_unlink(link);
	return link;
}

/* Moves all of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(link, type, member) container_of(link, type, member)

#define list_for_each(link, head) \
	for (struct list *link = (head)->next; link != (head); link = link->next)

/* `link` may be unlinked or freed in the body, its successor may not. */
#define list_for_each_safe(link, head)                                    \
	for (struct list *link = (head)->next, *link##_next = link->next; \
	     link != (head); link = link##_next, link##_next = link->next)

#endif
