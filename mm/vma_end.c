/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. A region whose upper end moves, as a heap's does: no node, no search.
 */
#include "vma_region.h"

#include <mm/cow.h>

enum kerr vma_extend(struct space *space, struct vma *region, uint32_t pages)
{
    struct vma *above = vma_of(rb_next(&region->node));
    uint32_t first_page = region->last_page + 1;
    CHECK(space == space_current() && region->kind == VMA_PROMISE,
          "a region of space %u, of kind %u, is to be extended", (unsigned)space->directory,
          (unsigned)region->kind);
    if (pages >= room_below(above)) /* one stays free: so it touches, and joins, no other region */
        return KERR_EXISTS;
    vma_tree_move_end(region, above, region->last_page + pages);
    count_pages(space, region->flags, pages);
    if (unlikely(pages >= SLOT_PAGES))
        region_promise_whole_slots(first_page, region->last_page, (enum rights)region->rights);
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
    vma_tree_move_end(region, vma_of(rb_next(&region->node)), last_page);
    uncount_pages(space, region->flags, pages);
    return KERR_OK;
}
