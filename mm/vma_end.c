/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. A region whose upper end moves, as a heap's does: no node, no search.
 */
#include "vma_region.h"
#include "vma_share.h"

#include <mm/cow.h>

/* The tree is not SPACE's alone: as CHANGE, with a copy of REGION. Seldom, and so apart. */
static __attribute__((noinline)) enum kerr
change_copy(enum kerr (*change)(struct space *space, struct vma *region, uint32_t pages),
            struct space *space, struct vma *region, uint32_t pages)
{
    enum kerr error = vma_own_region(space, &region);
    return error == KERR_OK ? change(space, region, pages) : error;
}

enum kerr vma_extend(struct space *space, struct vma *region, uint32_t pages)
{
    CHECK(space == space_current() && region->kind == VMA_PROMISE,
          "a region of space %u, of kind %u, is to be extended", (unsigned)space->directory,
          (unsigned)region->kind);
    if (unlikely(space->shared_end != NULL))
        return change_copy(vma_extend, space, region, pages);
    struct vma *above = vma_of(rb_next(&region->node));
    if (pages >= room_below(above)) /* one stays free: so it touches, and joins, no other region */
        return KERR_EXISTS;
    vma_tree_move_end(region, above, region->last_page + pages);
    count_pages(space, region->flags, pages);
    if (unlikely(pages >= SLOT_PAGES))
        region_promise_whole_slots(region->last_page + 1 - pages, region->last_page,
                                   (enum rights)region->rights);
    return KERR_OK;
}

enum kerr vma_shorten(struct space *space, struct vma *region, uint32_t pages)
{
    CHECK(space == space_current() && pages < vma_pages(region),
          "a region of %u pages of space %u is to lose %u", (unsigned)vma_pages(region),
          (unsigned)space->directory, (unsigned)pages);
    if (unlikely(space->shared_end != NULL))
        return change_copy(vma_shorten, space, region, pages);
    uint32_t last_page = region->last_page - pages;
    enum kerr error = cow_release(VADDR((last_page + 1) << PAGE_SHIFT), pages);
    if (unlikely(error != KERR_OK))
        return error;
    vma_tree_move_end(region, vma_of(rb_next(&region->node)), last_page);
    uncount_pages(space, region->flags, pages);
    return KERR_OK;
}
