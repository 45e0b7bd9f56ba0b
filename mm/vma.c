/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. What is done with regions, and what a touch of a page that is not there means.
 *
 * What is changed together is prepared first: region nodes, then entries (which may want a frame
 * for a table), then the tree, which can't fail.
 */
#include "vma_nodes.h"
#include "vma_tree.h"

#include <kernel/layer.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/space.h>
#include <mm/zero.h>

uint32_t vma_nodes_in_use(void)
{
    return nodes_in_use();
}

void vma_trim(void)
{
    nodes_trim();
}

/* Take REGION out, and its node with it. */
static void drop(struct space *space, struct vma *region)
{
    vma_tree_remove(space, region);
    node_give(region);
}

void vma_forget_all(struct space *space)
{
    uint32_t first_page = space->first_page, end_page = space->end.first_page;
    for (struct vma *region = vma_first(space); region != NULL; region = vma_first(space))
        drop(space, region);
    vma_space_init(space, first_page, end_page);
}

/* A copy of the subtree of NODE, of the same shape, below PARENT; its nodes were prepared. */
static struct rb_node *copy_subtree(struct space *to, const struct rb_node *node,
                                    struct rb_node *parent)
{
    if (node == NULL)
        return NULL;
    struct vma *copy = vma_of(node)->kind == VMA_END ? &to->end : node_take();
    *copy = *vma_of(node);
    copy->node.parent = parent;
    for (unsigned side = 0; side < 2; side++)
        copy->node.child[side] = copy_subtree(to, node->child[side], &copy->node);
    return &copy->node;
}

enum kerr vma_copy_all(struct space *to, const struct space *from)
{
    ASSERT(to->region_count == 0 && to->first_page == from->first_page &&
               to->end.first_page == from->end.first_page,
           "regions are copied into space %u, which is not empty or has other bounds",
           (unsigned)to->directory);
    enum kerr error = nodes_prepare(from->region_count);
    if (error != KERR_OK)
        return error;
    to->regions.root = copy_subtree(to, from->regions.root, NULL);
    to->region_count = from->region_count;
    to->reserved_pages = from->reserved_pages;
    return KERR_OK;
}

/* ---- promises ---- */

static bool is_accessible(enum rights rights)
{
    return (rights & (RIGHTS_READ | RIGHTS_WRITE | RIGHTS_EXECUTE)) != 0;
}

/* Promise the slots that the pages [first, last] cover whole; the others are built at a touch. */
static void promise_whole_slots(uint32_t first_page, uint32_t last_page, enum rights rights)
{
    uint32_t slot = (first_page + SLOT_PAGES - 1) / SLOT_PAGES;
    uint32_t end = (last_page + 1) / SLOT_PAGES;
    if (slot >= end || !is_accessible(rights))
        return;
    enum kerr error = zero_promise_slots(slot, end - slot, rights);
    ASSERT(error == KERR_OK, "slots %u to %u hold entries, but no region does", slot, end - 1);
}

/* Build the part of REGION that lies in the slot of PAGE. */
static enum kerr build_part(const struct vma *region, uint32_t page)
{
    uint32_t slot = page / SLOT_PAGES;
    uint32_t first = slot * SLOT_PAGES, last = first + SLOT_PAGES - 1;
    bool is_whole = region->first_page <= first && region->last_page >= last;
    if (is_whole && zero_promise_slots(slot, 1, region->rights) == KERR_OK)
        return KERR_OK;
    enum kerr error = cow_unshare(slot);
    if (error != KERR_OK)
        return error;
    first = first > region->first_page ? first : region->first_page;
    last = last < region->last_page ? last : region->last_page;
    return zero_promise_pages(VADDR(first << PAGE_SHIFT), last - first + 1, region->rights);
}

enum fault_result vma_touch(vaddr_t address, enum access access, enum cpu_mode mode)
{
    const struct vma *region = vma_find(space_of(address), address);
    enum rights needed = access == ACCESS_WRITE ? RIGHTS_WRITE : RIGHTS_READ | RIGHTS_EXECUTE;
    if (region == NULL || region->kind != VMA_PROMISE || !(region->rights & needed) ||
        (mode == MODE_USER && !(region->rights & RIGHTS_USER)))
        return FAULT_BAD_ACCESS;

    struct translation t;
    paging_query(address, &t);
    bool was_there = t.has_pte && pte_is_present(t.pte);
    if (!was_there && build_part(region, address.v >> PAGE_SHIFT) != KERR_OK)
        return FAULT_NO_MEMORY;
    if (access == ACCESS_WRITE)
        return cow_write(vaddr_to_page(address));
    return was_there ? FAULT_NOT_MINE : FAULT_RESOLVED;
}

static enum fault_result vma_fault(const struct page_fault *fault)
{
    return fault->present ? FAULT_NOT_MINE : vma_touch(fault->address, fault->access, fault->mode);
}

enum kerr vma_make_real(vaddr_t first, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        vaddr_t page = vaddr_add(first, i << PAGE_SHIFT);
        switch (vma_touch(page, ACCESS_WRITE, MODE_KERNEL)) {
        case FAULT_RESOLVED:
        case FAULT_NOT_MINE: /* it is writable already */
            break;
        case FAULT_BAD_ACCESS:
            return KERR_BAD_ACCESS;
        case FAULT_NO_MEMORY:
            return KERR_NO_MEMORY;
        }
    }
    return KERR_OK;
}

/* ---- reserving ---- */

static bool is_in_space(const struct space *space, vaddr_t first, uint32_t pages)
{
    uint32_t page = first.v >> PAGE_SHIFT, end = space->end.first_page;
    return vaddr_is_page_aligned(first) && pages > 0 && page >= space->first_page && page < end &&
           pages <= end - page;
}

static void assert_reachable(const struct space *space)
{
    ASSERT(space == &kernel_space || space == space_current(),
           "regions of space %u are changed while space %u is current", space->directory,
           space_current()->directory);
}

/* What all pages of a region have in common, and its neighbours must have to merge with it. */
struct nature {
    const char *name;
    uint8_t rights, kind, is_permanent;
};

static bool is_like(const struct vma *region, const struct nature *nature)
{
    return region->rights == nature->rights && region->name == nature->name &&
           region->kind == nature->kind && region->is_permanent == nature->is_permanent;
}

static struct nature nature_of(const struct vma *region)
{
    return (struct nature){region->name, region->rights, region->kind, region->is_permanent};
}

/* Join REGION with those above it that touch and are alike. */
static void merge_above(struct space *space, struct vma *region)
{
    struct nature nature = nature_of(region);
    struct vma *above = vma_of(rb_next(&region->node));
    while (above->gap_pages == 0 && is_like(above, &nature)) {
        uint32_t last_page = above->last_page;
        drop(space, above);
        vma_set_last_page(region, last_page);
        above = vma_of(rb_next(&region->node));
    }
}

/* The same with both sides. Returns the region that holds REGION's pages now. */
static struct vma *merge_around(struct space *space, struct vma *region)
{
    merge_above(space, region);
    struct rb_node *below = rb_prev(&region->node);
    if (below == NULL)
        return region;
    uint32_t page = region->first_page;
    merge_above(space, vma_of(below));
    return vma_of(below)->last_page >= page ? vma_of(below) : region;
}

struct page_range {
    uint32_t first_page, last_page;
};

/* A region of its own for RANGE, at PLACE. */
static enum kerr enter_new(struct space *space, const struct vma_place *place,
                           const struct page_range *range, const struct nature *nature)
{
    enum kerr error = nodes_prepare(1);
    if (error != KERR_OK)
        return error;
    struct vma *region = node_take();
    region->first_page = range->first_page;
    region->last_page = range->last_page;
    region->name = nature->name;
    region->rights = nature->rights;
    region->kind = nature->kind;
    region->is_permanent = nature->is_permanent;
    vma_tree_insert(space, place, region);
    return KERR_OK;
}

/* Enter RANGE, if its pages are free; a neighbour that is alike grows instead of a new region. */
static enum kerr enter(struct space *space, const struct page_range *range,
                       const struct nature *nature)
{
    struct vma_place place;
    if (!vma_find_place(space, range->first_page, &place) ||
        place.above->first_page <= range->last_page)
        return KERR_EXISTS;

    struct vma *below = place.below, *above = place.above;
    enum kerr error = KERR_OK;
    if (below != NULL && below->last_page + 1 == range->first_page && is_like(below, nature)) {
        vma_set_last_page(below, range->last_page);
        merge_above(space, below);
    } else if (above->first_page == range->last_page + 1 && is_like(above, nature)) {
        vma_set_first_page(above, range->first_page);
    } else {
        error = enter_new(space, &place, range, nature);
    }
    if (error == KERR_OK)
        space->reserved_pages += range->last_page - range->first_page + 1;
    return error;
}

static inline struct page_range page_range(vaddr_t first, uint32_t pages)
{
    uint32_t page = first.v >> PAGE_SHIFT;
    return (struct page_range){page, page + pages - 1};
}

enum kerr vma_reserve_at(struct space *space, vaddr_t first, uint32_t pages, enum rights rights,
                         const char *name)
{
    assert_reachable(space);
    if (!is_in_space(space, first, pages))
        return KERR_BAD_RANGE;
    rights |= space->user;
    struct page_range range = page_range(first, pages);
    struct nature nature = {name, (uint8_t)rights, VMA_PROMISE, 0};
    enum kerr error = enter(space, &range, &nature);
    if (error == KERR_OK)
        promise_whole_slots(range.first_page, range.last_page, rights);
    return error;
}

enum kerr vma_reserve(struct space *space, uint32_t pages, enum rights rights, const char *name,
                      vaddr_t *first)
{
    if (pages == 0)
        return KERR_BAD_RANGE;
    enum kerr error = vma_find_room(space, pages, first);
    return error == KERR_OK ? vma_reserve_at(space, *first, pages, rights, name) : error;
}

enum kerr vma_register_kernel(vaddr_t first, uint32_t pages, enum rights rights, enum vma_kind kind,
                              const char *name)
{
    struct page_range range = page_range(first, pages);
    struct nature nature = {name, (uint8_t)rights, (uint8_t)kind, 1};
    enum kerr error = enter(&kernel_space, &range, &nature);
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

/* ---- changing a range ---- */

/*
 * Cut REGION at the edges of RANGE, which it touches, so that no region lies across them. Returns
 * the part inside. Each cut takes one prepared node.
 */
static inline struct vma *cut(struct space *space, struct vma *region,
                              const struct page_range *range)
{
    if (region->first_page >= range->first_page && region->last_page <= range->last_page)
        return region;
    uint32_t cuts[2] = {range->first_page, range->last_page + 1};
    for (unsigned i = 0; i < 2; i++) {
        if (cuts[i] <= region->first_page || cuts[i] > region->last_page)
            continue;
        struct vma *upper = node_take();
        *upper = *region;
        upper->first_page = cuts[i];
        vma_set_last_page(region, cuts[i] - 1);
        struct vma_place place;
        vma_find_place(space, cuts[i], &place);
        vma_tree_insert(space, &place, upper);
        if (i == 0)
            region = upper;
    }
    return region;
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
static enum kerr check_range(const struct vma *region, const struct page_range *range,
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
 * none, so that their release can't want for memory.
 */
static enum kerr begin_change(struct space *space, vaddr_t first, uint32_t pages,
                              enum range_wish wish, struct page_range *range, struct vma **region)
{
    assert_reachable(space);
    if (!is_in_space(space, first, pages))
        return KERR_BAD_RANGE;
    *range = page_range(first, pages);
    *region = vma_find_from(space, range->first_page);
    uint32_t cuts;
    enum kerr error = check_range(*region, range, wish, &cuts);
    return error == KERR_OK && cuts > 0 ? nodes_prepare(cuts) : error;
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

    while (is_touched(region, &range)) {
        region = cut(space, region, &range);
        bool is_last = region->last_page == range.last_page;
        struct vma *next = is_last ? NULL : vma_next(region);
        space->reserved_pages -= vma_pages(region);
        drop(space, region);
        region = next;
    }
    return KERR_OK;
}

enum kerr vma_protect(struct space *space, vaddr_t first, uint32_t pages, enum rights rights)
{
    struct page_range range;
    struct vma *region;
    rights |= space->user;
    enum kerr error = begin_change(space, first, pages, NO_HOLES, &range, &region);
    if (error == KERR_OK)
        error = cow_protect(first, pages, rights);
    if (error != KERR_OK)
        return error;

    for (; is_touched(region, &range); region = vma_next(region)) {
        region = cut(space, region, &range);
        region->rights = (uint8_t)rights;
    }
    /* Whoever is alike now becomes one: at both edges, and what lies between. */
    for (region = vma_find_from(space, range.first_page); is_touched(region, &range);
         region = vma_next(region))
        region = merge_around(space, region);
    return KERR_OK;
}

/* ---- for people, and the start ---- */

static void describe(vaddr_t address)
{
    if (!paging_sees_current_space()) {
        printk("  region: not to be seen from the double-fault task\n");
        return;
    }
    const struct vma *region = vma_find(space_of(address), address);
    if (region == NULL) {
        printk("  region: none\n");
        return;
    }
    printk("  region: " PRI_VADDR " to " PRI_VADDR " %c%c%c%c %s\n", ARG_VADDR(vma_start(region)),
           (region->last_page << PAGE_SHIFT) + (PAGE_BYTES - 1),
           region->rights & RIGHTS_READ ? 'r' : '-', region->rights & RIGHTS_WRITE ? 'w' : '-',
           region->rights & RIGHTS_EXECUTE ? 'x' : '-', region->rights & RIGHTS_USER ? 'u' : '-',
           region->name);
}

static enum kerr vma_layer_init(const struct boot_info *boot)
{
    (void)boot;
    static const struct fault_client client = {
        .name = "vma", .handle = vma_fault, .describe = describe};
    fault_register(4, &client);
    /* The array of nodes is promised before there is a node to say so. */
    enum kerr error = zero_promise_slots(REGION_NODES_BASE >> SLOT_SHIFT,
                                         REGION_NODES_ROOM_BYTES >> SLOT_SHIFT, RIGHTS_READ_WRITE);
    return error == KERR_OK ? nodes_prepare(1) : error;
}

LAYER(4a, "vma", vma_layer_init);
