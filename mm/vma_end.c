/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. A region whose upper end moves, as a heap's does: no node, no search.
 */
#include "vma_region.h"

#include <mm/cow.h>
#include <mm/zero.h>

/* Promise the slots that the new pages cover whole; the others are built at a touch. */
static void promise_whole_slots(uint32_t first_page, uint32_t last_page, enum rights rights)
{
    uint32_t slot = (first_page + SLOT_PAGES - 1) / SLOT_PAGES;
    uint32_t end = (last_page + 1) / SLOT_PAGES;
    if (slot >= end)
        return;
    enum kerr error = zero_promise_slots(slot, end - slot, rights);
    ASSERT(error == KERR_OK, "slots %u to %u hold entries, but no region does", slot, end - 1);
}

enum kerr vma_extend(struct space *space, struct vma *region, uint32_t pages)
{
    struct vma *above = vma_of(rb_next(&region->node));
    uint32_t first_page = region->last_page + 1;
    CHECK(space == space_current(), "a region of space %u, which is not loaded, is extended",
          (unsigned)space->directory);
    if (pages >= above->gap_pages) /* one stays free: so it touches, and joins, no other region */
        return KERR_EXISTS;
    vma_tree_move_end(region, above, region->last_page + pages);
    count_pages(space, region->flags, pages);
    if (unlikely(pages >= SLOT_PAGES))
        promise_whole_slots(first_page, region->last_page, (enum rights)region->rights);
    return KERR_OK;
}

enum kerr vma_shorten(struct space *space, struct vma *region, uint32_t pages)
{
    uint32_t last_page = region->last_page - pages;
    CHECK(space == space_current() && pages < vma_pages(region),
          "a region of %u pages of space %u is to lose %u", (unsigned)vma_pages(region),
          (unsigned)space->directory, (unsigned)pages);
    enum kerr error = cow_release(VADDR((last_page + 1) << PAGE_SHIFT), pages);
    if (unlikely(error != KERR_OK))
        return error;
    vma_set_last_page(region, last_page);
    count_pages(space, region->flags, 0u - pages);
    return KERR_OK;
}
