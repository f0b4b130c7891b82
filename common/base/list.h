/* base/list: intrusive doubly linked ring. The head is a node of its own; a
 * node that is in no list points at itself. */
#ifndef GH_LIST_H
#define GH_LIST_H

#include <stdbool.h>

#include "common/base/check.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void
list_init(struct list *n)
{
	n->next = n->prev = n;
}

static inline bool
list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* Whether a node is in some list. */
static inline bool
list_is_linked(const struct list *n)
{
	return n->next != n;
}

static inline void
list_insert_after(struct list *pos, struct list *n)
{
	n->next = pos->next;
	n->prev = pos;
	pos->next->prev = n;
	pos->next = n;
}

static inline void
list_push_front(struct list *head, struct list *n)
{
	list_insert_after(head, n);
}

static inline void
list_push_back(struct list *head, struct list *n)
{
	list_insert_after(head->prev, n);
}

/* Take a node out of its list; harmless when it is in none. */
static inline void
list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* Move all nodes of `from` to the end of `to`. */
static inline void
list_splice_back(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define LIST_ENTRY(n, type, member) CONTAINER_OF(n, type, member)
#define list_foreach(n, head) \
	for (struct list *n = (head)->next; n != (head); n = n->next)
/* The body may take `n` out of the list. */
#define list_foreach_safe(n, head) \
	for (struct list *n = (head)->next, *n##_next = n->next; n != (head); \
	     n = n##_next, n##_next = n->next)

#endif
