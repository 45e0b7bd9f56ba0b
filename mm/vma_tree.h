/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: rbtree. Used by: mm/vma*.c, tests.
 *
 * Regions as nodes of a tree that knows its gaps; nothing here knows of entries or of memory.
 */
#ifndef MM_VMA_TREE_H
#define MM_VMA_TREE_H

#include <mm/vma.h>

static inline struct vma *vma_of(const struct rb_node *node)
{
    return container_of(node, struct vma, node);
}

/* ---- gaps ---- */

/* So many pages below REGION are not to be given away, though they are free. */
static inline uint32_t guard_below(const struct vma *region)
{
    return region->flags & VMA_GROWS_DOWN ? STACK_GUARD_PAGES : 0;
}

/* The pages of the gap below REGION that may be. */
static inline uint32_t room_below(const struct vma *region)
{
    uint32_t gap_pages = region->gap_pages;
    if (likely(!(region->flags & VMA_GROWS_DOWN)))
        return gap_pages;
    return gap_pages > STACK_GUARD_PAGES ? gap_pages - STACK_GUARD_PAGES : 0;
}

/*
 * A node's bound says that no gap in its subtree has more room, not that there is one with as much.
 * So a gap that shrinks changes no bound, and one that grows those above it only as far as they are
 * too low. The search for room pays: where a bound promised too much, it is set right on the way
 * back. (There, too, it is noticed that a gap may not be given away whole.)
 */
static inline void raise_path(struct rb_node *node, uint32_t gap_pages)
{
    for (; node != NULL && vma_of(node)->gap_bound_pages < gap_pages; node = node->parent)
        vma_of(node)->gap_bound_pages = gap_pages;
}

static inline void set_gap(struct vma *region, uint32_t gap_pages)
{
    region->gap_pages = gap_pages;
    raise_path(&region->node, gap_pages);
}

/* ---- places ---- */

/* Where a page that no region holds would be entered. */
struct vma_place {
    struct rb_node *parent;
    enum rb_side side;
    struct vma *below; /* the neighbours; NULL: none */
    struct vma *above; /* at least the end */
};

/* The place of PAGE. Returns false if a region holds PAGE: it is PLACE->below. */
static inline bool vma_find_place(const struct space *space, uint32_t page, struct vma_place *place)
{
    struct rb_node *node = space->regions.root, *parent = NULL;
    struct vma *below = NULL, *above = NULL;
    while (node != NULL) {
        parent = node;
        if (page < vma_of(node)->first_page) {
            above = vma_of(node);
            node = node->child[RB_LEFT];
        } else {
            below = vma_of(node);
            node = node->child[RB_RIGHT];
        }
    }
    *place = (struct vma_place){
        parent, above != NULL && parent == &above->node ? RB_LEFT : RB_RIGHT, below, above};
    return above != NULL && (below == NULL || page > below->last_page);
}

/* The end of the subtree of NODE's child on SIDE that is next to NODE; NODE itself if it has
 * none. */
static inline struct rb_node *next_to(struct rb_node *node, enum rb_side side)
{
    struct rb_node *end = node, *child = node->child[side];
    for (; child != NULL; child = child->child[!side])
        end = child;
    return end;
}

/* The place of a page of the gap below ABOVE. */
static inline void vma_place_below(struct vma *above, struct vma_place *place)
{
    struct rb_node *parent = next_to(&above->node, RB_LEFT);
    bool is_child = parent == &above->node;
    struct rb_node *below = is_child ? rb_prev(parent) : parent;
    *place = (struct vma_place){parent, is_child ? RB_LEFT : RB_RIGHT,
                                below != NULL ? vma_of(below) : NULL, above};
}

/* As vma_find_room(), by pages: the region above the gap that has room from *PAGE on; NULL:
 * none. */
struct vma *vma_find_gap(const struct space *space, uint32_t pages, uint32_t *page);

/* The lowest region that ends at or above PAGE, or the end. */
static inline struct vma *vma_find_from(const struct space *space, uint32_t page)
{
    struct rb_node *node = space->regions.root;
    struct vma *lowest = NULL;
    while (node != NULL) {
        if (page < vma_of(node)->first_page) {
            lowest = vma_of(node);
            node = node->child[RB_LEFT];
        } else if (page > vma_of(node)->last_page) {
            node = node->child[RB_RIGHT];
        } else {
            return vma_of(node);
        }
    }
    return lowest;
}

/* Enter REGION, whose pages are free, at PLACE; take it out (it stays the caller's). */
void vma_tree_insert(struct space *space, const struct vma_place *place, struct vma *region);
void vma_tree_remove(struct space *space, struct vma *region);

/*
 * Cut REGION before PAGE. The other part becomes a region of its own, in a node that is in no tree
 * yet: UPPER, from PAGE on, or LOWER, up to PAGE.
 */
void vma_tree_cut_above(struct space *space, struct vma *region, uint32_t page, struct vma *upper);
void vma_tree_cut_below(struct space *space, struct vma *region, uint32_t page, struct vma *lower);

/*
 * ABOVE begins where REGION ends. One of them, whichever is easier, takes over the other's pages;
 * that one is taken out, and returned.
 */
struct vma *vma_tree_join(struct space *space, struct vma *region, struct vma *above);

/* Move an end of REGION, into free pages or away from them. ABOVE is the next region. */
void vma_set_first_page(struct vma *region, uint32_t first_page);
static inline void vma_tree_move_end(struct vma *region, struct vma *above, uint32_t last_page)
{
    region->last_page = last_page;
    set_gap(above, above->first_page - last_page - 1);
}

#endif
