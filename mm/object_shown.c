/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Where regions show an object: what is done with its pages in all spaces.
 *
 * No object knows its regions. So all spaces are walked, until as many regions have been met as
 * there are references. Each space is loaded while its entries are changed, and pays for itself.
 *
 * Nobody looks at the pages of a space that ends: it is left alone.
 */
#include "object_pages.h"

#include <arch/i386/entry.h>
#include <mm/cow.h>
#include <mm/space.h>

/* ---- all regions that show an object ---- */

/* The pages of an object that are looked for, and what is done where they are shown. */
struct search {
    const struct object *object;
    uint32_t first, last;
    uint32_t left; /* so many regions at most have not been met yet */
    /* PAGES pages from ADDRESS on, of SPACE, which is loaded, show those from PAGE on. */
    kerr_t (*found)(struct search *search, struct space *space, vaddr_t address, uint32_t page,
                    uint32_t pages);
    uint32_t (*change)(vaddr_t first, uint32_t pages, const frame_t frames[]);
    uint32_t changed;
    /* The end of the tree of regions that was walked last, if others have it as well; and the tables, by slots, that
     * were changed below it. Who has that tree and these tables has nothing left to be changed. */
    const struct vma *tree;
    uint32_t tables;  /* of seen[] */
    bool has_emptied; /* a table: each space that shares it is to be rid of it */
    /*
     * What gives a space that is folded its directory; NULL: such spaces are left alone, since no frame
     * may be taken. (Who may write to pages of a file by an entry is not folded, and what is used is only
     * forgotten later.)
     */
    kerr_t (*make_ready)(struct space *space);
};

enum { SEEN_MOST = 4 };
static struct {
    uint32_t slot;
    frame_t table;
} seen[SEEN_MOST];

static uint32_t regions_of(const struct object *object)
{
    return object->kind == OBJECT_SWAP ? 0 : object->references - (object->owner != NULL);
}

/* Those of the pages FIRST to LAST that REGION shows, from *PAGE on. Returns how many. */
static uint32_t shown_by(const struct vma *region, uint32_t first, uint32_t last, uint32_t *page)
{
    uint32_t end = region->object_page + vma_pages(region);
    *page = first > region->object_page ? first : region->object_page;
    if (last < end - 1)
        end = last + 1;
    return *page < end ? end - *page : 0;
}

static vaddr_t where_shown(const struct vma *region, uint32_t page)
{
    return vaddr_add(vma_start(region), (page - region->object_page) << PAGE_SHIFT);
}

/* SPACE is loaded, or the kernel's. False: it is folded, and left alone, but for tables that others have emptied. */
static bool load(const struct search *search, struct space *space, enum kerr *error)
{
    *error = KERR_OK;
    if (space == &kernel_space)
        return true;
    if (space_is_folded(space)) {
        if (search->make_ready == NULL) {
            space_drop_empty_tables(space);
            return false;
        }
        *error = search->make_ready(space);
    }
    if (*error == KERR_OK)
        space_switch(space);
    return true;
}

/* All that SPACE shows of the object was changed just now, by way of another space. */
static bool is_changed(const struct search *search, const struct space *space)
{
    if (space->shared_end == NULL || space->shared_end != search->tree)
        return false;
    for (uint32_t i = 0; i < search->tables; i++) {
        pde_t pde = space_pde_read(space, seen[i].slot);
        if (!pde_is_table(pde) || pde_frame(pde).n != seen[i].table.n)
            return false;
    }
    return true;
}

/* What PDE, the entry of SLOT in the space that is loaded, led to has been changed. */
static void note_change(struct search *search, uint32_t slot, pde_t pde)
{
    if (!pde_is_table(pde) || search->tables == SEEN_MOST) {
        search->tree = NULL; /* so each is walked */
        return;
    }
    search->has_emptied |= frame_record(&frame_pool, pde_frame(pde))->used_entries == 0;
    seen[search->tables].slot = slot;
    seen[search->tables++].table = pde_frame(pde);
}

static enum kerr search_space(struct search *search, struct space *space)
{
    enum kerr error = KERR_OK;
    if (!search->has_emptied && is_changed(search, space))
        return KERR_OK;
    search->tree = search->change != NULL ? space->shared_end : NULL;
    search->tables = 0;
    for (const struct vma *region = vma_first(space);
         region != NULL && search->left > 0 && error == KERR_OK; region = vma_next(region)) {
        if (region->object != search->object)
            continue;
        search->left -=
            space->shared_end == NULL; /* the one reference of several spaces is never done with */
        uint32_t page, pages = shown_by(region, search->first, search->last, &page);
        if (pages == 0 || !load(search, space, &error))
            continue;
        if (error == KERR_OK)
            error = search->found(search, space, where_shown(region, page), page, pages);
    }
    return error;
}

static enum kerr search_all(struct search *search)
{
    struct space *before = space_current();
    enum kerr error = KERR_OK;
    search->left = regions_of(search->object);
    for (struct space *space = space_first(), *next;
         space != NULL && error == KERR_OK && search->left > 0; space = next) {
        next = space_next(space); /* one that was folded has another place then */
        if (space_is_folded(space) && search->make_ready == NULL && !search->has_emptied)
            break; /* so are all behind it: left alone */
        if (!space->is_ending)
            error = search_space(search, space);
    }
    if (error == KERR_OK)
        error = search_space(search, &kernel_space); /* which hardly ever shows one */
    space_switch(before);
    return error;
}

/* ---- hidden ---- */

static enum kerr discard(struct search *search, struct space *space, vaddr_t address, uint32_t page,
                         uint32_t pages)
{
    (void)search;
    (void)page;
    return vma_discard(space, address, pages);
}

enum kerr object_hide(const struct object *object, uint32_t from)
{
    struct search search = {.object = object,
                            .first = from,
                            .last = OBJECT_PAGE_LIMIT - 1,
                            .found = discard,
                            .make_ready = space_make_ready};
    return search_all(&search);
}

/* ---- entries that lose something ---- */

/*
 * Pages of an object, all below one level of its tree, from FIRST to LAST; and the frames of those
 * that are shown by some entry. (There is one: one event at a time.)
 */
static struct {
    uint32_t first, last;
    frame_t frames[SLOT_PAGES];
} piece;

/* Who has references to an object's frame: the object, and the entries that show it. */
static bool has_entries(frame_t frame)
{
    return frame.n != NO_FRAME.n && frame_references(&frame_pool, frame) > 1;
}

/* The piece becomes what of the pages FIRST to LAST lies below one level. False: nothing is shown. */
static bool fill_piece(const struct object *object, uint32_t first, uint32_t last)
{
    uint32_t end = first | (SLOT_PAGES - 1u), shown = 0;
    piece.first = first;
    piece.last = last < end ? last : end;
    object_find_frames(object, first, piece.last - first + 1, piece.frames);
    for (uint32_t i = 0; i <= piece.last - first; i++)
        if (has_entries(piece.frames[i]))
            shown++;
        else
            piece.frames[i] = NO_FRAME;
    return shown > 0;
}

/* The next piece from *PAGE on, and up to LAST, with something to do; *PAGE is behind it then. */
static bool next_piece(const struct object *object, uint32_t *page, uint32_t last)
{
    uint32_t word, end = last < OBJECT_PAGE_LIMIT ? last + 1 : OBJECT_PAGE_LIMIT;
    while (object_next_page(object, page, end, PAGE_HERE, &word)) {
        bool is_shown = fill_piece(object, *page, last);
        *page = piece.last + 1;
        if (is_shown)
            return true;
    }
    return false;
}

/* Slot by slot, as layer 3 wants it. */
static enum kerr change_entries(struct search *search, struct space *space, vaddr_t address,
                                uint32_t page, uint32_t pages)
{
    (void)space;
    const frame_t *frames = piece.frames + (page - piece.first);
    while (pages > 0) {
        uint32_t left = SLOT_PAGES - vaddr_to_pte_idx(address), slot = vaddr_to_slot(address);
        uint32_t count = pages < left ? pages : left;
        pde_t pde = pde_read(slot);
        uint32_t changed = search->change(address, count, frames);
        search->changed += changed;
        if (changed > 0 || search->tree != NULL)
            note_change(search, slot, pde);
        address = vaddr_add(address, count << PAGE_SHIFT);
        frames += count;
        pages -= count;
    }
    return KERR_OK;
}

/* CHANGE all entries that show frames of the piece. Returns how many have changed. */
static uint32_t change_piece(const struct object *object,
                             uint32_t (*change)(vaddr_t first, uint32_t pages,
                                                const frame_t frames[]))
{
    struct search search = {.object = object,
                            .first = piece.first,
                            .last = piece.last,
                            .found = change_entries,
                            .change = change};
    (void)(search_all(&search) == KERR_OK); /* layer 3 does not fail here */
    return search.changed;
}

void object_take_writes(const struct object *object, uint32_t first, uint32_t last)
{
    while (regions_of(object) > 0 && next_piece(object, &first, last))
        change_piece(object, cow_take_writes);
}

/*
 * Pages of the piece that a locked region shows are left alone everywhere: their frames stay in use
 * anyway, and a table that is shared may be that region's as well.
 */
static void spare_locked(const struct object *object)
{
    if (vma_locked_pages == 0)
        return;
    for (const struct space *space = space_first(); space != NULL; space = space_next(space)) {
        if (space->locked_pages == 0 || space->is_ending)
            continue;
        for (const struct vma *region = vma_first(space); region != NULL;
             region = vma_next(region)) {
            if (region->object != object || !(region->flags & VMA_LOCKED))
                continue;
            uint32_t page, pages = shown_by(region, piece.first, piece.last, &page);
            while (pages-- > 0)
                piece.frames[page++ - piece.first] = NO_FRAME;
        }
    }
}

uint32_t object_age(const struct object *object, uint32_t first, uint32_t last)
{
    uint32_t dropped = 0;
    while (regions_of(object) > 0 && next_piece(object, &first, last)) {
        spare_locked(object);
        /* One after the other: so a table that is shared may be come by often. */
        dropped += change_piece(object, cow_drop_unused);
        change_piece(object, cow_forget_use);
    }
    return dropped;
}
