/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. What is done with a range of pages, whatever regions lie in it: release, protect, marks,
 * discard, move.
 *
 * First all that may fail: checks, nodes for the cuts at the range's edges, entries. Then the tree,
 * which can't fail: regions are cut, changed, and joined with those that are alike now.
 */
#include "vma_region.h"
#include "vma_share.h"

#include <mm/cow.h>

/* The parts of REGION, which is about to be cut, have references to its object, too. */
static void count_parts(const struct vma *region, const struct page_range *range)
{
    if (region->first_page < range->first_page)
        object_get(region->object);
    if (region->last_page > range->last_page)
        object_get(region->object);
}

/*
 * Cut REGION at the edges of RANGE, which it touches, so that no region lies across them: it is
 * the part inside from here on. Each cut takes one prepared node.
 */
static inline void cut(struct space *space, struct vma *region, const struct page_range *range)
{
    if (region->object != NULL)
        count_parts(region, range);
    if (region->first_page < range->first_page)
        vma_tree_cut_below(space, region, range->first_page, node_take());
    if (region->last_page > range->last_page)
        vma_tree_cut_above(space, region, range->last_page + 1, node_take());
}

enum range_wish { HOLES_ALLOWED, NO_HOLES };

/* REGION, which vma_find_from() or vma_next() led to, has pages in RANGE. */
static inline bool is_touched(const struct vma *region, const struct page_range *range)
{
    return region != NULL && region->kind != VMA_END && region->first_page <= range->last_page;
}

/*
 * May the range be changed, from REGION on? Permanent regions may not; holes as WISH says. *CUTS
 * is how many of the range's edges lie inside a region.
 */
static __attribute__((noinline)) enum kerr check_range(const struct vma *region,
                                                       const struct page_range *range,
                                                       enum range_wish wish, uint32_t *cuts)
{
    uint32_t next_page = range->first_page; /* up to here there is no hole */
    if (!is_touched(region, range))
        return KERR_NOT_FOUND;
    *cuts = region->first_page < range->first_page;
    for (; is_touched(region, range); region = vma_next(region)) {
        if (region->is_permanent)
            return KERR_BAD_RANGE;
        if (wish == NO_HOLES && region->first_page > next_page)
            return KERR_NOT_FOUND;
        next_page = region->last_page + 1;
        if (next_page > range->last_page) {
            *cuts += region->last_page > range->last_page;
            return KERR_OK;
        }
    }
    return wish == NO_HOLES ? KERR_NOT_FOUND : KERR_OK;
}

/*
 * What release and protect have in common: checks, and the nodes for the cuts. Whole regions need
 * none. (Their entries may want a frame even so: for a copy of a table that is shared, if the range
 * covers its slot in part.)
 */
static inline __attribute__((always_inline)) enum kerr
begin_change(struct space *space, vaddr_t first, uint32_t pages, enum range_wish wish,
             struct page_range *range, struct vma **region)
{
    assert_reachable(space);
    if (!is_in_space(space, first, pages))
        return KERR_BAD_RANGE;
    enum kerr error = vma_own_tree(space);
    if (error != KERR_OK)
        return error;
    *range = page_range(first, pages);
    struct vma *lowest = *region = vma_find_from(space, range->first_page);
    uint32_t cuts;
    if (lowest->first_page <= range->first_page && lowest->last_page >= range->last_page &&
        !lowest->is_permanent) /* as a rule */
        cuts = (lowest->first_page < range->first_page ? 1u : 0u) +
               (lowest->last_page > range->last_page ? 1u : 0u);
    else
        error = check_range(lowest, range, wish, &cuts);
    return error == KERR_OK && cuts > 0 ? nodes_prepare(cuts) : error;
}

/* REGION goes, with its node; its entries are gone. */
static inline void take_out(struct space *space, struct vma *region)
{
    uncount_pages(space, region->flags, vma_pages(region));
    vma_tree_remove(space, region);
    region_free(region);
}

/* So do REGION, the lowest one, and those above it, as far as they lie in RANGE. */
static __attribute__((noinline)) void take_out_parts(struct space *space, struct vma *region,
                                                     const struct page_range *range)
{
    for (struct vma *next; is_touched(region, range); region = next) {
        cut(space, region, range);
        next = vma_next(region);
        take_out(space, region);
    }
}

enum kerr vma_release(struct space *space, vaddr_t first, uint32_t pages)
{
    struct page_range range;
    struct vma *region;
    enum kerr error = begin_change(space, first, pages, HOLES_ALLOWED, &range, &region);
    if (error == KERR_OK)
        error = cow_release(first, pages);
    if (error != KERR_OK)
        return error;

    if (region->first_page == range.first_page && region->last_page == range.last_page)
        take_out(space, region); /* as a rule */
    else
        take_out_parts(space, region, &range);
    return KERR_OK;
}

/* REGION, the lowest one, and those above it get RIGHTS, as far as they lie in RANGE. */
static void change_rights(struct space *space, struct vma *region, const struct page_range *range,
                          enum rights rights)
{
    /* Out of the middle of a region: what is around it has its old rights. */
    bool is_inner = region->first_page < range->first_page &&
                    region->last_page > range->last_page && region->rights != rights;
    struct vma *lowest = region;
    cut(space, region, range);
    region->rights = (uint8_t)rights;
    while (region->last_page < range->last_page) {
        region = vma_next(region);
        cut(space, region, range);
        region->rights = (uint8_t)rights;
    }
    if (!is_inner)
        region_merge_up_to(space, lowest, range->last_page + 1);
}

enum kerr vma_protect(struct space *space, vaddr_t first, uint32_t pages, enum rights rights)
{
    struct page_range range;
    struct vma *region;
    rights |= space->user;
    enum kerr error = begin_change(space, first, pages, NO_HOLES, &range, &region);
    if (error == KERR_OK)
        error = cow_protect(first, pages, rights);
    if (error == KERR_OK)
        change_rights(space, region, &range, rights);
    return error;
}

/* ---- marks ---- */

enum kerr vma_set_flags(struct space *space, vaddr_t first, uint32_t pages, uint32_t set,
                        uint32_t clear)
{
    struct page_range range;
    struct vma *region;
    enum kerr error = begin_change(space, first, pages, HOLES_ALLOWED, &range, &region);
    if (error == KERR_NOT_FOUND)
        return KERR_OK;
    if (error != KERR_OK)
        return error;

    struct vma *lowest = NULL;
    for (; is_touched(region, &range); region = vma_next(region)) {
        uint8_t flags = (uint8_t)((region->flags | set) & ~clear);
        if (flags == region->flags)
            continue;
        cut(space, region, &range);
        lowest = lowest != NULL ? lowest : region;
        uncount_pages(space, region->flags, vma_pages(region));
        region->flags = flags;
        count_pages(space, flags, vma_pages(region));
    }
    if (lowest != NULL)
        region_merge_up_to(space, lowest, range.last_page + 1);
    return KERR_OK;
}

/* ---- discard ---- */

/* What of REGION lies in RANGE. */
static struct page_range part_of(const struct vma *region, const struct page_range *range)
{
    struct page_range part = {region->first_page, region->last_page};
    if (part.first_page < range->first_page)
        part.first_page = range->first_page;
    if (part.last_page > range->last_page)
        part.last_page = range->last_page;
    return part;
}

static inline vaddr_t part_start(struct page_range part)
{
    return VADDR(part.first_page << PAGE_SHIFT);
}

static inline uint32_t part_pages(struct page_range part)
{
    return part.last_page - part.first_page + 1;
}

/* Tables for all of it, before the first page changes. */
static enum kerr prepare_parts(const struct vma *region, const struct page_range *range)
{
    enum kerr error = KERR_OK;
    for (; is_touched(region, range) && error == KERR_OK; region = vma_next(region)) {
        struct page_range part = part_of(region, range);
        error =
            region->is_permanent ? KERR_BAD_RANGE : cow_prepare(part_start(part), part_pages(part));
    }
    return error;
}

/* A promise is promised again; an object is asked again at the next touch. */
static enum kerr discard_part(const struct vma *region, struct page_range part)
{
    if (region->kind == VMA_PROMISE && vma_is_accessible(region))
        return cow_discard(part_start(part), part_pages(part), (enum rights)region->rights);
    return cow_release(part_start(part), part_pages(part));
}

enum kerr vma_discard(struct space *space, vaddr_t first, uint32_t pages)
{
    assert_reachable(space);
    if (!is_in_space(space, first, pages))
        return KERR_BAD_RANGE;
    struct page_range range = page_range(first, pages);
    const struct vma *region = vma_find_from(space, range.first_page);
    enum kerr error = prepare_parts(region, &range);
    for (; is_touched(region, &range) && error == KERR_OK; region = vma_next(region))
        error = discard_part(region, part_of(region, &range));
    return error;
}

/* ---- move ---- */

/* The region that may be moved, if RANGE of it is to lie at TO. */
static enum kerr check_move(const struct space *space, const struct page_range *range,
                            const struct page_range *to, struct vma **region)
{
    struct vma_place place;
    *region = vma_find(space, VADDR(range->first_page << PAGE_SHIFT));
    if (*region == NULL || (*region)->last_page < range->last_page)
        return KERR_NOT_FOUND;
    if ((*region)->is_permanent)
        return KERR_BAD_RANGE;
    if (!vma_find_place(space, to->first_page, &place) || place.above->first_page <= to->last_page)
        return KERR_EXISTS;
    return KERR_OK;
}

enum kerr vma_move(struct space *space, vaddr_t from, uint32_t pages, vaddr_t to)
{
    struct vma *region;
    struct vma_place place;
    assert_reachable(space);
    if (!is_in_space(space, from, pages) || !is_in_space(space, to, pages))
        return KERR_BAD_RANGE;
    struct page_range range = page_range(from, pages), target = page_range(to, pages);
    enum kerr error = vma_own_tree(space);
    if (error == KERR_OK)
        error = check_move(space, &range, &target, &region);
    if (error == KERR_OK)
        error = nodes_prepare(2); /* both edges may need a cut */
    if (error == KERR_OK)
        error = cow_move(from, pages, to);
    if (error != KERR_OK)
        return error;

    cut(space, region, &range);
    vma_tree_remove(space, region);
    region->first_page = target.first_page;
    region->last_page = target.last_page;
    vma_find_place(space, target.first_page, &place);
    vma_tree_insert(space, &place, region);
    region_merge_up_to(space, region, target.last_page + 1);
    return KERR_OK;
}
