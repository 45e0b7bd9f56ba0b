/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Objects: how they come and go (include/mm/object.h).
 */
#include "object_pages.h"
#include "vma_nodes.h"

#include <kernel/panic.h>
#include <mm/pager.h>

static struct object *first;
static uint32_t count;

struct object *object_first(void)
{
    return first;
}

uint32_t object_count(void)
{
    return count;
}

/* ---- one comes ---- */

enum kerr object_create(enum object_kind kind, uint32_t pages, struct object **object)
{
    if (pages > OBJECT_PAGE_LIMIT)
        return KERR_BAD_RANGE;
    enum kerr error = nodes_prepare(1);
    if (error != KERR_OK)
        return error;
    struct object *new = (struct object *)(void *)node_take();
    *new = (struct object){.references = 1, .pages = pages, .kind = (uint8_t)kind, .next = first};
    if (first != NULL)
        first->previous = new;
    first = new;
    count++;
    *object = new;
    return KERR_OK;
}

enum kerr object_create_anonymous(uint32_t pages, struct object **object)
{
    return object_create(OBJECT_ANONYMOUS, pages, object);
}

enum kerr object_create_paged(enum object_kind kind, uint32_t pages, const struct pager *pager,
                              void *pager_data, struct object **object)
{
    enum kerr error = object_create(kind, pages, object);
    if (error != KERR_OK)
        return error;
    (*object)->pager = pager;
    (*object)->pager_data = pager_data;
    return KERR_OK;
}

/* ---- and goes ---- */

static void forget(struct object *object)
{
    object_out_forget(object);
    if (object->previous != NULL)
        object->previous->next = object->next;
    else
        first = object->next;
    if (object->next != NULL)
        object->next->previous = object->previous;
    count--;
    node_give((struct vma *)(void *)object);
}

enum kerr object_create_file(frame_t frame, uint32_t pages, struct object **object)
{
    struct object *new;
    enum kerr error = object_create(OBJECT_FILE, pages, &new);
    if (error != KERR_OK)
        return error;
    for (uint32_t page = 0; page < pages && error == KERR_OK; page++) {
        error = object_prepare_page(new, page);
        if (error == KERR_OK)
            object_enter_page(new, page, FRAME(frame.n + page), 0);
    }
    if (error != KERR_OK) {
        for (uint32_t page = 0; page < new->real_pages; page++)
            frame_get(&frame_pool, FRAME(frame.n + page)); /* what goes back with the object */
        object_put(new);
        return error;
    }
    *object = new;
    return KERR_OK;
}

void object_get(struct object *object)
{
    ASSERT(object->references != 0, "a reference to an object that is gone");
    object->references++;
}

void object_put(struct object *object)
{
    ASSERT(object->references != 0, "an object that is gone is put back");
    if (--object->references > 0)
        return;
    frame_uncommit(&frame_pool, object->committed);
    object_drop_pages(object);
    if (object->pager != NULL)
        object->pager->end(object);
    forget(object);
}

/* ---- another size ---- */

/* Pages [FROM, object->pages) are in no region any more: drop their frames. */
static void drop_from(struct object *object, uint32_t from)
{
    uint32_t page = from, word;
    while (object_next_page(object, &page, object->pages, PAGE_HERE | PAGE_OUT, &word))
        frame_put(&frame_pool, object_remove_page(object, page));
    object->pages = from;
}

enum kerr object_resize(struct object *object, uint32_t pages)
{
    enum { PIECE_PAGES = SLOT_PAGES };
    uint32_t last;
    if (pages > OBJECT_PAGE_LIMIT)
        return KERR_BAD_RANGE;
    if (pages < object->pages) {
        uint32_t from = pages;
        if (object_last_page(object, &last) && (last & ~(PIECE_PAGES - 1u)) > pages)
            from = last & ~(PIECE_PAGES - 1u);
        enum kerr error = object_hide(object, from);
        if (error != KERR_OK)
            return error;
        drop_from(object, from);
        if (from > pages)
            return KERR_AGAIN;
    }
    object->pages = pages;
    return KERR_OK;
}
