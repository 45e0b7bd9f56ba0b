/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: whoever keeps things in rows.
 *
 * Intrusive rings: a head and its members are links of the same kind. An empty head, and a link
 * that is in no ring, point at themselves; so a link can be taken out without knowing of which.
 */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <kernel/types.h>

struct list {
    struct list *next, *previous;
};

static inline void list_init(struct list *link)
{
    link->next = link->previous = link;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

/* Put LINK, which is in no ring, before PLACE: before a head is at the end. */
static inline void list_add_before(struct list *place, struct list *link)
{
    link->next = place;
    link->previous = place->previous;
    place->previous->next = link;
    place->previous = link;
}

static inline void list_add_first(struct list *head, struct list *link)
{
    list_add_before(head->next, link);
}

static inline void list_add_last(struct list *head, struct list *link)
{
    list_add_before(head, link);
}

/* Take LINK out of its ring, if it is in one. */
static inline void list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

/* Take the first link of HEAD's ring, which is not empty, out of it. */
static inline void list_remove_first(struct list *head)
{
    struct list *first = head->next, *second = first->next;
    head->next = second;
    second->previous = head;
    list_init(first);
}

/* Put all of LIST at the end of HEAD's ring, in their order. */
static inline void list_append(struct list *head, struct list *list)
{
    if (list_is_empty(list))
        return;
    list->next->previous = head->previous;
    head->previous->next = list->next;
    list->previous->next = head;
    head->previous = list->previous;
    list_init(list);
}

#endif
