/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: vma_nodes, vma_tree, object. Used by: mm/vma*.c.
 *
 * Regions as the units that enter and change them see them: ranges of pages, what neighbours must
 * have in common to be one region, and nodes that hold their reference to an object.
 */
#ifndef MM_VMA_REGION_H
#define MM_VMA_REGION_H

#include "vma_nodes.h"
#include "vma_tree.h"

#include <kernel/panic.h>
#include <mm/object.h>
#include <mm/space.h>

/* ---- ranges ---- */

struct page_range {
    uint32_t first_page, last_page;
};

static inline struct page_range page_range(vaddr_t first, uint32_t pages)
{
    uint32_t page = first.v >> PAGE_SHIFT;
    return (struct page_range){page, page + pages - 1};
}

static inline bool is_in_space(const struct space *space, vaddr_t first, uint32_t pages)
{
    uint32_t page = first.v >> PAGE_SHIFT, end = space->end.first_page;
    /* From 1 to END - PAGE pages; 0 pages less one are too many. */
    return vaddr_is_page_aligned(first) && page >= space->first_page && page < end &&
           pages - 1 < end - page;
}

static inline void assert_reachable(const struct space *space)
{
    ASSERT(space == &kernel_space || space == space_current(),
           "regions of space %u are changed while space %u is current", space->directory,
           space_current()->directory);
}

/* ---- what pages of a region have in common ---- */

/* The object's page that page 0 of the space would show. */
static inline uint32_t object_base_of(const struct vma *region)
{
    return region->object_page - region->first_page;
}

/* Two regions can be one, if they touch. */
static inline bool are_alike(const struct vma *one, const struct vma *other)
{
    return one->nature == other->nature && one->name == other->name &&
           one->object == other->object &&
           (one->object == NULL || object_base_of(one) == object_base_of(other));
}

/* ---- nodes and counts ---- */

/* PAGES pages more have a region with FLAGS in SPACE; or PAGES fewer. */
static inline void count_pages(struct space *space, uint8_t flags, uint32_t pages)
{
    space->reserved_pages += pages;
    if (flags & VMA_CHARGED)
        space->charged_pages += pages;
    if (flags & VMA_LOCKED) {
        space->locked_pages += pages;
        vma_locked_pages += (uint64_t)(int32_t)pages;
    }
}

static inline void uncount_pages(struct space *space, uint8_t flags, uint32_t pages)
{
    count_pages(space, flags, 0u - pages); /* unsigned sums wrap: adding this takes PAGES away */
}

/* REGION is in no tree any more, and its entries are gone: so are its node and its object. */
static inline void region_free(struct vma *region)
{
    struct object *object = region->object;
    node_give(region);
    if (object != NULL)
        object_put(object);
}

/* If ABOVE begins where REGION ends and is alike, both become one, which is returned; else NULL. */
static inline struct vma *region_merge(struct space *space, struct vma *region, struct vma *above)
{
    if (above->first_page != region->last_page + 1 || !are_alike(region, above))
        return NULL;
    struct vma *gone = vma_tree_join(space, region, above);
    region_free(gone);
    return gone == above ? region : above;
}

/*
 * Promise the slots that the new pages [FIRST_PAGE, LAST_PAGE] of a promise with RIGHTS cover
 * whole; the others are built at a touch. Without any right there is nothing to promise.
 */
void region_promise_whole_slots(uint32_t first_page, uint32_t last_page, enum rights rights);

/*
 * From REGION on, or the one below it, up to the first one that begins behind PAGE: neighbours that
 * are alike become one.
 */
void region_merge_up_to(struct space *space, struct vma *region, uint32_t page);

#endif
