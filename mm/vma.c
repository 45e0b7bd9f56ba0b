/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Regions come: entered, joined with neighbours that are alike.
 *
 * What is changed together is prepared first: region nodes, then entries (which may want a frame
 * for a table), then the tree, which can't fail. What a touch makes of a region stands in
 * vma_fault.c, what is done with a range of them in vma_change.c.
 */
#include "vma_region.h"
#include "vma_share.h"

#include <mm/zero.h>

uint64_t vma_locked_pages;

uint32_t vma_nodes_in_use(void)
{
    return nodes_in_use();
}

void vma_trim(void)
{
    nodes_trim();
}

/* ---- all regions of a space ---- */

bool vma_forget(struct space *space, uint32_t most)
{
    struct vma *region;
    if (space->shared_end != NULL)
        vma_leave_shared(space);
    vma_locked_pages -= space->locked_pages;
    space->locked_pages = 0;
    while ((region = vma_first(space)) != NULL) {
        if (most-- == 0)
            return false;
        vma_tree_remove(space, region);
        region_free(region);
    }
    return true;
}

/* ---- joining ---- */

void region_merge_up_to(struct space *space, struct vma *region, uint32_t page)
{
    struct rb_node *below = region->gap_pages == 0 ? rb_prev(&region->node) : NULL;
    struct vma *above = below != NULL ? region : vma_of(rb_next(&region->node));
    if (below != NULL)
        region = vma_of(below);
    while (above->first_page <= page) {
        struct vma *merged = region_merge(space, region, above);
        region = merged != NULL ? merged : above;
        if (region->kind == VMA_END)
            break;
        above = vma_of(rb_next(&region->node));
    }
}

/* ---- entering ---- */

void region_promise_whole_slots(uint32_t first_page, uint32_t last_page, enum rights rights)
{
    uint32_t slot = (first_page + SLOT_PAGES - 1) / SLOT_PAGES;
    uint32_t end = (last_page + 1) / SLOT_PAGES;
    if (slot >= end || (rights & ~(unsigned)RIGHTS_USER) == RIGHTS_NONE)
        return;
    enum kerr error = zero_promise_slots(slot, end - slot, rights);
    ASSERT(error == KERR_OK, "slots %u to %u hold entries, but no region does", slot, end - 1);
}

/* A region of its own, as NEW says, at PLACE. */
static enum kerr enter_new(struct space *space, const struct vma_place *place,
                           const struct vma *new)
{
    enum kerr error = nodes_prepare(1);
    if (error != KERR_OK)
        return error;
    struct vma *region = node_take();
    region->first_page = new->first_page;
    region->last_page = new->last_page;
    region->name = new->name;
    region->nature = new->nature;
    region->object = new->object;
    region->object_page = new->object_page;
    if (new->object != NULL)
        object_get(new->object);
    vma_tree_insert(space, place, region);
    return KERR_OK;
}

/* The pages between NEW and the region above it, which begins behind it; a lot: there is none. */
static inline uint32_t free_above(const struct vma *new, const struct vma *above)
{
    return above->kind == VMA_END ? ~0u : above->first_page - new->last_page - 1;
}

/*
 * Enter NEW at PLACE, whose page below is free, if the others are, and GUARD_PAGES above it; a
 * neighbour that is alike grows instead of a new region.
 */
static inline __attribute__((always_inline)) enum kerr enter(struct space *space,
                                                             const struct vma_place *place,
                                                             const struct vma *new,
                                                             uint32_t guard_pages)
{
    struct vma *below = place->below, *above = place->above;
    if (above->first_page <= new->last_page ||
        (guard_pages > 0 && free_above(new, above) < guard_pages))
        return KERR_EXISTS;
    if (below != NULL && below->last_page + 1 == new->first_page &&are_alike(below, new)) {
        vma_tree_move_end(below, above, new->last_page);
        (void)region_merge(space, below, above);
    } else if (above->first_page == new->last_page + 1 && are_alike(above, new)) {
        vma_set_first_page(above, new->first_page);
    } else {
        enum kerr error = enter_new(space, place, new);
        if (error != KERR_OK)
            return error;
    }
    count_pages(space, new->flags, vma_pages(new));
    return KERR_OK;
}

/* What is wished, at PAGE, which is free and belongs to PLACE. */
static inline __attribute__((always_inline)) enum kerr enter_wish(struct space *space,
                                                                  const struct vma_place *place,
                                                                  uint32_t page, uint32_t pages,
                                                                  const struct vma_wish *wish)
{
    struct vma new;
    if (wish->object_page >= OBJECT_PAGE_LIMIT - pages)
        return KERR_BAD_RANGE;
    CHECK(wish->object == NULL || wish->object->kind != OBJECT_ANONYMOUS ||
              (wish->flags & VMA_SHARED),
          "shared memory is mapped privately: swap could not tell its pages from private ones");
    new.first_page = page;
    new.last_page = page + pages - 1;
    new.name = wish->name;
    new.object = wish->object;
    new.object_page = wish->object_page;
    new.nature = 0;
    new.rights = (uint8_t)(wish->rights | space->user);
    new.kind = wish->object != NULL ? VMA_OBJECT : VMA_PROMISE;
    new.flags = (uint8_t)wish->flags;
    uint32_t guard_pages = wish->guard_pages;
    if (wish->keeps_off_stacks)
        guard_pages += guard_below(place->above);
    enum kerr error = enter(space, place, &new, guard_pages);
    if (error == KERR_OK && pages >= SLOT_PAGES && new.object == NULL)
        region_promise_whole_slots(new.first_page, new.last_page, (enum rights) new.rights);
    return error;
}

enum kerr vma_map_at(struct space *space, vaddr_t first, uint32_t pages,
                     const struct vma_wish *wish)
{
    struct vma_place place;
    assert_reachable(space);
    if (!is_in_space(space, first, pages))
        return KERR_BAD_RANGE;
    enum kerr error = vma_own_tree(space);
    if (error != KERR_OK)
        return error;
    uint32_t page = first.v >> PAGE_SHIFT;
    return vma_find_place(space, page, &place) ? enter_wish(space, &place, page, pages, wish)
                                               : KERR_EXISTS;
}

enum kerr vma_map(struct space *space, uint32_t pages, const struct vma_wish *wish, vaddr_t *first)
{
    struct vma_place place;
    uint32_t page;
    assert_reachable(space);
    enum kerr error = vma_own_tree(space);
    if (error != KERR_OK)
        return error;
    struct vma *above = vma_find_gap(space, pages, &page);
    if (above == NULL)
        return KERR_NO_ROOM;
    vma_place_below(above, &place);
    *first = VADDR(page << PAGE_SHIFT);
    return enter_wish(space, &place, page, pages, wish);
}

enum kerr vma_reserve_at(struct space *space, vaddr_t first, uint32_t pages, enum rights rights,
                         const char *name)
{
    const struct vma_wish wish = {.rights = rights, .name = name};
    return vma_map_at(space, first, pages, &wish);
}

enum kerr vma_reserve(struct space *space, uint32_t pages, enum rights rights, const char *name,
                      vaddr_t *first)
{
    const struct vma_wish wish = {.rights = rights, .name = name};
    return pages > 0 ? vma_map(space, pages, &wish, first) : KERR_BAD_RANGE;
}

enum kerr vma_register_kernel(vaddr_t first, uint32_t pages, enum rights rights, enum vma_kind kind,
                              const char *name)
{
    struct page_range range = page_range(first, pages);
    const struct vma new = {.first_page = range.first_page,
                            .last_page = range.last_page,
                            .name = name,
                            .rights = (uint8_t)rights,
                            .kind = (uint8_t)kind,
                            .is_permanent = 1};
    struct vma_place place;
    if (!vma_find_place(&kernel_space, new.first_page, &place))
        return KERR_EXISTS;
    enum kerr error = enter(&kernel_space, &place, &new, 0);
    if (error != KERR_OK || kind != VMA_PROMISE)
        return error;
    uint32_t end = (range.last_page + 1) / SLOT_PAGES;
    for (uint32_t slot = (range.first_page + SLOT_PAGES - 1) / SLOT_PAGES; slot < end; slot++) {
        error = zero_promise_slots(slot, 1, rights);
        if (error != KERR_OK && error != KERR_EXISTS)
            return error;
    }
    return KERR_OK;
}
