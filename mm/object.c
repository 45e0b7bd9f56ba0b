/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Objects: counted arrays of frames (include/mm/object.h).
 *
 * The two levels of an anonymous object are frames of words, as a directory and its tables: empty,
 * or a frame's number in bits 12-31 and bit 0 set. They are linked nowhere, so no CPU walks them
 * and nothing is owed to the TLB; they are seen through the fault path's own temporary pages,
 * between whose mapping and unmapping nothing here can fault.
 */
#include "vma_nodes.h"

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/panic.h>
#include <mm/pager.h>

enum { LEVEL_ENTRIES = SLOT_PAGES };

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

/* OBJECT with the contents of NEW, in a region node's place. */
static enum kerr create(const struct object *new, struct object **object)
{
    enum kerr error = nodes_prepare(1);
    if (error != KERR_OK)
        return error;
    *object = (struct object *)(void *)node_take();
    **object = *new;
    (*object)->references = 1;
    (*object)->next = first;
    if (first != NULL)
        first->previous = *object;
    first = *object;
    count++;
    return KERR_OK;
}

enum kerr object_create_anonymous(uint32_t pages, struct object **object)
{
    if (pages > LEVEL_ENTRIES * LEVEL_ENTRIES)
        return KERR_BAD_RANGE;
    return create(&(struct object){.kind = OBJECT_ANONYMOUS, .pages = pages}, object);
}

enum kerr object_create_paged(uint32_t pages, const struct pager *pager, void *pager_data,
                              struct object **object)
{
    enum kerr error = object_create_anonymous(pages, object);
    if (error != KERR_OK)
        return error;
    (*object)->pager = pager;
    (*object)->pager_data = pager_data;
    return KERR_OK;
}

enum kerr object_create_file(frame_t frame, uint32_t pages, struct object **object)
{
    return create(&(struct object){.kind = OBJECT_FILE, .pages = pages, .first = frame}, object);
}

void object_get(struct object *object)
{
    ASSERT(object->references != 0, "a reference to an object that is gone");
    object->references++;
}

/* ---- the two levels ---- */

static uint32_t level_read(frame_t level, uint32_t at)
{
    const uint32_t *words = temp_map(TEMP_FAULT_TABLE, level);
    uint32_t word = words[at];
    temp_unmap(TEMP_FAULT_TABLE);
    return word;
}

static void level_write(frame_t level, uint32_t at, frame_t frame)
{
    uint32_t *words = temp_map(TEMP_FAULT_TABLE, level);
    words[at] = pte_make(frame, ENTRY_PRESENT).bits;
    temp_unmap(TEMP_FAULT_TABLE);
    frame_record(&frame_pool, level)->used_entries++;
}

static enum kerr new_clear_frame(enum frame_kind kind, frame_t *frame)
{
    enum kerr error = frame_alloc(&frame_pool, kind, frame);
    if (error != KERR_OK)
        return error;
    page_clear(temp_map(TEMP_FAULT_FRAME, *frame));
    temp_unmap(TEMP_FAULT_FRAME);
    return KERR_OK;
}

/* The lower level for PAGE, which is made if there is none. */
static enum kerr lower_level(const struct object *object, uint32_t page, frame_t *lower)
{
    uint32_t at = page / LEVEL_ENTRIES, word = level_read(object->root, at);
    if (word != 0) {
        *lower = pte_frame((pte_t){word});
        return KERR_OK;
    }
    enum kerr error = new_clear_frame(FRAME_TABLE, lower);
    if (error == KERR_OK)
        level_write(object->root, at, *lower);
    return error;
}

/* A level that was made stays, if then there is no frame for the page: the next touch uses it. */
static enum kerr anonymous_frame(struct object *object, uint32_t page, frame_t *frame)
{
    frame_t lower;
    if (!object->has_root) {
        enum kerr error = new_clear_frame(FRAME_TABLE, &object->root);
        if (error != KERR_OK)
            return error;
        object->has_root = 1;
    }
    enum kerr error = lower_level(object, page, &lower);
    if (error != KERR_OK)
        return error;
    uint32_t word = level_read(lower, page % LEVEL_ENTRIES);
    if (word != 0) {
        *frame = pte_frame((pte_t){word});
        return KERR_OK;
    }
    error = object->pager != NULL ? object->pager->bring(object, page, frame)
                                  : new_clear_frame(FRAME_ANONYMOUS, frame);
    if (error != KERR_OK)
        return error;
    level_write(lower, page % LEVEL_ENTRIES, *frame);
    object->real_pages++;
    return KERR_OK;
}

enum kerr object_frame(struct object *object, uint32_t page, frame_t *frame)
{
    if (page >= object->pages)
        return KERR_BAD_RANGE;
    if (object->kind == OBJECT_ANONYMOUS)
        return anonymous_frame(object, page, frame);
    *frame = FRAME(object->first.n + page);
    return KERR_OK;
}

enum kerr object_find_frame(const struct object *object, uint32_t page, frame_t *frame)
{
    if (page >= object->pages)
        return KERR_BAD_RANGE;
    if (object->kind == OBJECT_FILE) {
        *frame = FRAME(object->first.n + page);
        return KERR_OK;
    }
    uint32_t word = object->has_root ? level_read(object->root, page / LEVEL_ENTRIES) : 0;
    if (word != 0)
        word = level_read(pte_frame((pte_t){word}), page % LEVEL_ENTRIES);
    *frame = pte_frame((pte_t){word});
    return word != 0 ? KERR_OK : KERR_NOT_FOUND;
}

/* ---- all frames, and the end ---- */

typedef void visit_t(void *context, uint32_t page, frame_t frame);

/* The pages from FIRST_PAGE on, whose frames stand in LOWER; then LOWER itself. */
static void visit_lower(frame_t lower, uint32_t first_page, visit_t *visit, void *context)
{
    const uint32_t *words = temp_map(TEMP_FAULT_OLD_TABLE, lower);
    for (uint32_t i = 0; i < LEVEL_ENTRIES; i++)
        if (words[i] != 0)
            visit(context, first_page + i, pte_frame((pte_t){words[i]}));
    temp_unmap(TEMP_FAULT_OLD_TABLE);
    visit(context, ~0u, lower);
}

void object_for_each_frame(const struct object *object, visit_t *visit, void *context)
{
    if (object->kind != OBJECT_ANONYMOUS || !object->has_root)
        return;
    const uint32_t *words = temp_map(TEMP_FAULT_TABLE, object->root);
    for (uint32_t i = 0; i < LEVEL_ENTRIES; i++)
        if (words[i] != 0)
            visit_lower(pte_frame((pte_t){words[i]}), i * LEVEL_ENTRIES, visit, context);
    temp_unmap(TEMP_FAULT_TABLE);
    visit(context, ~0u, object->root);
}

static void put_frame(void *context, uint32_t page, frame_t frame)
{
    (void)context;
    (void)page;
    frame_put(&frame_pool, frame);
}

void object_put(struct object *object)
{
    ASSERT(object->references != 0, "an object that is gone is put back");
    if (--object->references > 0)
        return;
    frame_uncommit(&frame_pool, object->committed);
    object_for_each_frame(object, put_frame, NULL);
    if (object->pager != NULL)
        object->pager->end(object);
    if (object->kind == OBJECT_FILE)
        for (uint32_t page = 0; page < object->pages; page++)
            frame_put(&frame_pool, FRAME(object->first.n + page));
    if (object->previous != NULL)
        object->previous->next = object->next;
    else
        first = object->next;
    if (object->next != NULL)
        object->next->previous = object->previous;
    count--;
    node_give((struct vma *)(void *)object);
}
