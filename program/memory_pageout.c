/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Of madvise: what a program says about the use that it will make of pages. Nothing that it
 * can read changes by that.
 *
 *   WILLNEED   what is out is asked for: pages in slots, pages of files; nobody waits
 *   COLD       the mark of use goes: the hands take these pages next
 *   PAGEOUT    they go at once: private ones to slots, pages of files if nobody else shows them
 *
 * What others have as well is not the caller's to give away, as on Linux: a page that another entry
 * shows stays for the last two, and so does what lies below a table that forks share.
 * Source: Linux manual page madvise(2).
 */
#include "memory_calls.h"

#include <mm/frame.h>
#include <mm/object.h>
#include <mm/zero.h>
#include <store/cache.h>
#include <store/swap.h>

/* The COUNT pages from FIRST on: all of REGION and in one slot, and at most a piece of a call. */
struct part {
    const struct vma *region;
    uint32_t first, count;
};

static vaddr_t address_of(const struct part *part)
{
    return VADDR(part->first << PAGE_SHIFT);
}

/* What stands behind PART's pages, of which they show those from *PAGE on; or NULL. */
static struct cache *cache_behind(const struct part *part, uint32_t *page)
{
    const struct vma *region = part->region;
    if (region->object == NULL)
        return NULL;
    *page = region->object_page + (part->first - region->first_page);
    return cache_of_object(region->object);
}

/* ACT for the slots of PART's pages that are out; those that follow each other are one run. */
static bool each_run_of_slots(const struct part *part, bool (*act)(frame_t first, uint32_t slots))
{
    uint32_t first = 0, count = 0;
    bool goes_on = true;
    for (uint32_t i = 0; i < part->count && goes_on; i++) {
        struct translation t;
        paging_query(vaddr_add(address_of(part), i << PAGE_SHIFT), &t);
        if (!t.has_pte && pde_is_swapped(t.pde)) /* its entries are known when it is here */
            return act(pde_frame(t.pde), 1);
        if (!t.has_pte || !pte_is_swapped(t.pte))
            continue;
        uint32_t slot = pte_frame(t.pte).n;
        if (count > 0 && slot != first + count) {
            goes_on = act(FRAME(first), count);
            count = 0;
        }
        first = count == 0 ? slot : first;
        count++;
    }
    return goes_on && (count == 0 || act(FRAME(first), count));
}

/* ---- will be needed ---- */

/* False: no more can be asked for. */
static bool will_be_needed(const struct part *part)
{
    uint32_t page;
    struct cache *cache = cache_behind(part, &page);
    return each_run_of_slots(part, swap_begin_read) &&
           (cache == NULL || cache_begin_read(cache, page, page + part->count));
}

/* ---- not needed for a while ---- */

/* The frames that PART's entries show, but for promises. */
static void find_shown(const struct part *part, frame_t frames[])
{
    for (uint32_t i = 0; i < part->count; i++) {
        struct translation t;
        paging_query(vaddr_add(address_of(part), i << PAGE_SHIFT), &t);
        bool is_shown = t.has_pte && pte_is_present(t.pte) && pte_frame(t.pte).n != zero_frame.n;
        frames[i] = is_shown ? pte_frame(t.pte) : NO_FRAME;
    }
}

static void make_cold(const struct part *part)
{
    uint32_t page;
    frame_t frames[CALL_PIECE_PAGES];
    struct cache *cache = cache_behind(part, &page);
    find_shown(part, frames);
    cow_forget_use(address_of(part), part->count, frames);
    if (cache != NULL)
        cache_age(cache, page, page + part->count);
}

/* Those of FRAMES stay that are the pages of a cache, and that one entry shows: this one. */
static void leave_sole(const struct cache *cache, uint32_t page, uint32_t count, frame_t frames[])
{
    for (uint32_t i = 0; i < count; i++) {
        frame_t frame;
        if (object_find_frame(cache->object, page + i, &frame) != KERR_OK ||
            frame.n != frames[i].n || frame_references(&frame_pool, frame) != 2)
            frames[i] = NO_FRAME;
    }
}

static void put_out(const struct part *part)
{
    uint32_t page;
    frame_t frames[CALL_PIECE_PAGES];
    struct cache *cache = cache_behind(part, &page);
    each_run_of_slots(part, swap_forget_read);
    swap_put_range_out(address_of(part), part->count);
    if (cache == NULL)
        return;
    find_shown(part, frames);
    leave_sole(cache, page, part->count, frames);
    cow_forget_use(address_of(part), part->count, frames);
    cow_drop_unused(address_of(part), part->count, frames);
    cache_put_out(cache, page, page + part->count);
}

/* ---- piece by piece ---- */

/* False: it is of no use to go on. */
static bool advise_part(const struct part *part, enum page_use use)
{
    struct translation t;
    if (use == PAGES_WILL_BE_NEEDED)
        return will_be_needed(part);
    paging_query(address_of(part), &t);
    if (!t.has_pte || frame_references(&frame_pool, pde_frame(t.pde)) != 1)
        return true;
    if (use == PAGES_ARE_COLD)
        make_cold(part);
    else
        put_out(part);
    return true;
}

/* The part of REGION that begins at FIRST, and ends at LAST at most. A slot without a table is one. */
static struct part part_from(const struct vma *region, uint32_t first, uint32_t last,
                             enum page_use use)
{
    struct translation t;
    paging_query(VADDR(first << PAGE_SHIFT), &t);
    uint32_t size = t.has_pte || use == PAGES_WILL_BE_NEEDED ? CALL_PIECE_PAGES : SLOT_PAGES;
    uint32_t end = (first | (size - 1u)) + 1;
    if (last > region->last_page)
        last = region->last_page;
    return (struct part){region, first, (last < end ? last + 1 : end) - first};
}

int32_t advise_use(struct process *self, uint32_t first_page, uint32_t last_page, enum page_use use)
{
    enum { PARTS = 16 }; /* most of them are quickly done */
    uint32_t page = progress_of(self, PROGRESS_STEPS), budget = CALL_PIECE_PAGES, parts = PARTS;
    page = page < first_page ? first_page : page;
    const struct vma *region = vma_at_or_above(&self->memory->space, VADDR(page << PAGE_SHIFT));
    for (; region != NULL && region->first_page <= last_page; region = vma_next(region)) {
        page = page < region->first_page ? region->first_page : page;
        while (page <= last_page && page <= region->last_page) {
            struct part part = part_from(region, page, last_page, use);
            if (parts-- == 0 || budget == 0)
                return call_continue(self, PROGRESS_STEPS, page);
            if (!advise_part(&part, use))
                return 0;
            page += part.count;
            budget -= part.count < budget ? part.count : budget;
        }
    }
    return 0;
}
