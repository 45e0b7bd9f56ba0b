/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. The tree of regions: order, gaps, and the search for room.
 *
 *      gap    A     gap       B      C     gap          END
 *     .....######..........#######%%%%%%..............|
 *     |<-->|     |<------->|      |     |<----------->|
 *     A.gap      B.gap            C.gap = 0           END.gap
 *
 * Every gap belongs to the region above it, and the end of the space is a node as well. A node's
 * `largest_gap_pages` covers its subtree, so the search for room goes down one path.
 */
#include "vma_tree.h"

static inline uint32_t largest_gap(const struct vma *region)
{
    const struct rb_node *left = region->node.child[RB_LEFT];
    const struct rb_node *right = region->node.child[RB_RIGHT];
    uint32_t largest = region->gap_pages;
    if (left != NULL && vma_of(left)->largest_gap_pages > largest)
        largest = vma_of(left)->largest_gap_pages;
    if (right != NULL && vma_of(right)->largest_gap_pages > largest)
        largest = vma_of(right)->largest_gap_pages;
    return largest;
}

static inline bool update_largest_gap(struct rb_node *node)
{
    struct vma *region = vma_of(node);
    uint32_t largest = largest_gap(region);
    bool changed = largest != region->largest_gap_pages;
    region->largest_gap_pages = largest;
    return changed;
}

static inline void set_gap(struct vma *region, uint32_t gap_pages)
{
    bool grows = gap_pages > region->gap_pages;
    region->gap_pages = gap_pages;
    if (!grows) {
        rb_update_path(&region->node, update_largest_gap);
        return;
    }
    /* A maximum that can only rise needs no look at the other children. */
    for (struct rb_node *node = &region->node;
         node != NULL && vma_of(node)->largest_gap_pages < gap_pages; node = node->parent)
        vma_of(node)->largest_gap_pages = gap_pages;
}

struct vma *vma_find(const struct space *space, vaddr_t address)
{
    uint32_t page = address.v >> PAGE_SHIFT;
    const struct rb_node *node = space->regions.root;
    while (node != NULL) {
        struct vma *region = vma_of(node);
        if (page < region->first_page)
            node = node->child[RB_LEFT];
        else if (page > region->last_page)
            node = node->child[RB_RIGHT];
        else
            return region->kind == VMA_END ? NULL : region;
    }
    return NULL;
}

static struct vma *skip_end(struct rb_node *node)
{
    return node == NULL || vma_of(node)->kind == VMA_END ? NULL : vma_of(node);
}

struct vma *vma_first(const struct space *space)
{
    return skip_end(rb_first(&space->regions));
}

struct vma *vma_next(const struct vma *region)
{
    return skip_end(rb_next(&region->node));
}

void vma_tree_insert(struct space *space, const struct vma_place *place, struct vma *region)
{
    uint32_t from = place->below != NULL ? place->below->last_page + 1 : space->first_page;
    set_gap(place->above, place->above->first_page - region->last_page - 1);
    region->gap_pages = region->first_page - from;
    rb_insert(&space->regions, place->parent, place->side, &region->node, update_largest_gap);
    space->region_count++;
}

void vma_tree_remove(struct space *space, struct vma *region)
{
    /* First the gap above takes all of it in, so that most nodes above keep their value. */
    struct vma *above = vma_of(rb_next(&region->node));
    set_gap(above, region->gap_pages + vma_pages(region) + above->gap_pages);
    rb_remove(&space->regions, &region->node, update_largest_gap);
    space->region_count--;
}

void vma_set_last_page(struct vma *region, uint32_t last_page)
{
    region->last_page = last_page;
    struct vma *above = vma_of(rb_next(&region->node));
    set_gap(above, above->first_page - last_page - 1);
}

void vma_set_first_page(struct vma *region, uint32_t first_page)
{
    uint32_t gap_pages = region->gap_pages + (first_page - region->first_page);
    region->first_page = first_page;
    set_gap(region, gap_pages);
}

void vma_space_init(struct space *space, uint32_t first_page, uint32_t end_page)
{
    *space = (struct space){.first_page = first_page};
    space->end = (struct vma){.first_page = end_page,
                              .last_page = end_page,
                              .gap_pages = end_page - first_page,
                              .kind = VMA_END};
    rb_insert(&space->regions, NULL, RB_LEFT, &space->end.node, update_largest_gap);
}

/* ---- room ---- */

/* The lowest gap of at least PAGES pages; the caller knows that there is one. */
static const struct vma *lowest_gap(const struct space *space, uint32_t pages)
{
    const struct rb_node *node = space->regions.root;
    for (;;) {
        const struct rb_node *left = node->child[RB_LEFT];
        if (left != NULL && vma_of(left)->largest_gap_pages >= pages)
            node = left;
        else if (vma_of(node)->gap_pages >= pages)
            return vma_of(node);
        else
            node = node->child[RB_RIGHT];
    }
}

enum kerr vma_find_room(const struct space *space, uint32_t pages, vaddr_t *first)
{
    uint32_t largest = vma_of(space->regions.root)->largest_gap_pages;
    if (pages == 0 || pages > largest)
        return KERR_NO_ROOM;
    /* A gap this large holds an aligned range wherever it begins. */
    uint32_t align = pages >= SLOT_PAGES && pages + SLOT_PAGES - 1 <= largest ? SLOT_PAGES : 1;
    const struct vma *above = lowest_gap(space, pages + align - 1);
    uint32_t page = above->first_page - above->gap_pages;
    *first = VADDR(((page + align - 1) & ~(align - 1)) << PAGE_SHIFT);
    return KERR_OK;
}

/* ---- checking ---- */

static bool in_order(const struct rb_node *left, const struct rb_node *right)
{
    return vma_of(left)->last_page < vma_of(right)->first_page;
}

static bool value_is_right(const struct rb_node *node)
{
    return vma_of(node)->largest_gap_pages == largest_gap(vma_of(node));
}

const char *vma_check(const struct space *space)
{
    const struct rb_node *where;
    const char *broken =
        rb_check(&space->regions, in_order, value_is_right, space->region_count + 1, &where);
    if (broken != NULL)
        return broken;
    uint32_t from = space->first_page, reserved = 0;
    for (const struct rb_node *node = rb_first(&space->regions); node != NULL;
         node = rb_next(node)) {
        const struct vma *region = vma_of(node);
        if (region->gap_pages != region->first_page - from)
            return "a region's gap is the distance to the region below it";
        from = region->last_page + 1;
        if (region->kind != VMA_END)
            reserved += vma_pages(region);
    }
    return reserved == space->reserved_pages ? NULL : "reserved pages are the sum of all regions";
}
