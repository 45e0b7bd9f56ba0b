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
 * `gap_bound_pages` is not smaller than the room in any gap of its subtree (all of the gap, but for
 * the guard below a region that grows down), nor than its children's bounds. So
 * the search for room goes where the bounds allow it; who finds nothing there lowers them, and the
 * next one does not come again. Each change of a gap makes a path of bounds too high at most, and
 * each node that is looked at in vain mends one: O(log n) for each change, all in all.
 */
#include "vma_tree.h"

/* The least bound that NODE's own gap and its children's bounds allow. */
static inline uint32_t least_bound(const struct rb_node *node)
{
    const struct rb_node *left = node->child[RB_LEFT], *right = node->child[RB_RIGHT];
    uint32_t bound = room_below(vma_of(node));
    if (left != NULL && vma_of(left)->gap_bound_pages > bound)
        bound = vma_of(left)->gap_bound_pages;
    if (right != NULL && vma_of(right)->gap_bound_pages > bound)
        bound = vma_of(right)->gap_bound_pages;
    return bound;
}

static inline bool update_bound(struct rb_node *node)
{
    struct vma *region = vma_of(node);
    uint32_t bound = least_bound(node);
    bool changed = bound != region->gap_bound_pages;
    region->gap_bound_pages = bound;
    return changed;
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

struct vma *vma_at_or_above(const struct space *space, vaddr_t address)
{
    struct vma *region = vma_find_from(space, address.v >> PAGE_SHIFT);
    return region == NULL || region->kind == VMA_END ? NULL : region; /* NULL: above the space */
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
    struct vma *above = place->above;
    uint32_t gap_above = above->first_page - region->last_page - 1;
    uint32_t gap_below = above->gap_pages - gap_above - vma_pages(region);
    above->gap_pages = gap_above;
    region->gap_pages = region->gap_bound_pages = gap_below;
    raise_path(place->parent, gap_below);
    rb_insert_neutral(&space->regions, place->parent, place->side, &region->node, update_bound);
    space->region_count++;
    space->touched = region;
}

void vma_tree_remove(struct space *space, struct vma *region)
{
    struct vma *above = vma_of(rb_next(&region->node));
    set_gap(above, region->gap_pages + vma_pages(region) + above->gap_pages);
    if (region->node.child[RB_LEFT] != NULL && region->node.child[RB_RIGHT] != NULL)
        above->gap_bound_pages = region->gap_bound_pages; /* it takes REGION's place in the tree */
    rb_remove_neutral(&space->regions, &region->node, update_bound);
    space->region_count--;
    space->touched = NULL;
}

/* NEW is like REGION, but in no tree and with no gap yet. */
static inline void copy_region(struct vma *new, const struct vma *region)
{
    new->first_page = region->first_page;
    new->last_page = region->last_page;
    new->gap_pages = new->gap_bound_pages = 0;
    new->name = region->name;
    new->nature = region->nature;
    new->object = region->object;
    new->object_page = region->object_page;
}

void vma_tree_cut_above(struct space *space, struct vma *region, uint32_t page, struct vma *upper)
{
    struct rb_node *parent = next_to(&region->node, RB_RIGHT);
    copy_region(upper, region);
    upper->first_page = page;
    upper->object_page += page - region->first_page;
    region->last_page = page - 1;
    /* There is no gap between the two, and the one above stays what it is. */
    rb_insert_neutral(&space->regions, parent, parent == &region->node ? RB_RIGHT : RB_LEFT,
                      &upper->node, update_bound);
    space->region_count++;
}

void vma_tree_cut_below(struct space *space, struct vma *region, uint32_t page, struct vma *lower)
{
    struct rb_node *parent = next_to(&region->node, RB_LEFT);
    copy_region(lower, region);
    lower->last_page = page - 1;
    region->object_page += page - region->first_page;
    region->first_page = page;
    /* The gap goes to the lower one, which lies below REGION in the tree, too. */
    lower->gap_pages = lower->gap_bound_pages = region->gap_pages;
    region->gap_pages = 0;
    raise_path(parent, lower->gap_pages);
    rb_insert_neutral(&space->regions, parent, parent == &region->node ? RB_LEFT : RB_RIGHT,
                      &lower->node, update_bound);
    space->region_count++;
}

struct vma *vma_tree_join(struct space *space, struct vma *region, struct vma *above)
{
    space->region_count--;
    space->touched = NULL;
    if (above->node.child[RB_LEFT] == NULL) {
        region->last_page = above->last_page;
        rb_remove_neutral(&space->regions, &above->node, update_bound);
        return above;
    }
    /* Then REGION lies below ABOVE in the tree, and is the one that is easily removed. */
    above->first_page = region->first_page;
    above->object_page = region->object_page;
    above->gap_pages = region->gap_pages;
    rb_remove_neutral(&space->regions, &region->node, update_bound);
    return region;
}

void vma_set_first_page(struct vma *region, uint32_t first_page)
{
    uint32_t gap_pages = region->gap_pages + (first_page - region->first_page);
    region->object_page += first_page - region->first_page;
    region->first_page = first_page;
    set_gap(region, gap_pages);
}

void vma_space_init(struct space *space, uint32_t first_page, uint32_t end_page)
{
    *space = (struct space){.first_page = first_page,
                            .room_first_page = first_page,
                            .room_end_page = end_page,
                            .growable_pages = ~0u};
    space->end = (struct vma){.first_page = end_page,
                              .last_page = end_page,
                              .gap_pages = end_page - first_page,
                              .kind = VMA_END};
    rb_insert(&space->regions, NULL, RB_LEFT, &space->end.node, update_bound);
}

/* ---- room ---- */

/* PAGES pages from FROM on leave the guard below REGION free, which grows down. */
static __attribute__((noinline)) bool leaves_guard(const struct vma *region, uint32_t pages,
                                                   uint32_t from)
{
    return region->gap_pages - pages >= STACK_GUARD_PAGES &&
           region->first_page - from - pages >= STACK_GUARD_PAGES;
}

/* The gap below REGION has room for PAGES pages, of which the lowest may be at FROM or above. */
static inline bool has_room(const struct vma *region, uint32_t pages, uint32_t from)
{
    return region->gap_pages >= pages &&
           (likely(!(region->flags & VMA_GROWS_DOWN)) || leaves_guard(region, pages, from));
}

/* There may be a gap of PAGES pages in the subtree of NODE. */
static inline bool may_have_gap(const struct rb_node *node, uint32_t pages)
{
    return node != NULL && vma_of(node)->gap_bound_pages >= pages;
}

/* The lowest gap of at least PAGES pages in the subtree of TOP; NULL: none, as its bound says
 * now. */
static struct vma *lowest_gap(struct rb_node *top, uint32_t pages)
{
    struct rb_node *node = top;
    for (;;) {
        if (may_have_gap(node->child[RB_LEFT], pages)) {
            node = node->child[RB_LEFT];
        } else if (has_room(vma_of(node), pages, 0)) {
            return vma_of(node);
        } else if (may_have_gap(node->child[RB_RIGHT], pages)) {
            node = node->child[RB_RIGHT];
        } else { /* nor has either child: the bounds that led here are lowered on the way back */
            (void)update_bound(node);
            if (node == top)
                return NULL;
            node = node->parent;
        }
    }
}

/* The lowest region that has PAGES pages or more, free or not, between FROM and itself. */
static struct rb_node *first_behind(const struct space *space, uint32_t pages, uint32_t from)
{
    struct rb_node *node = space->regions.root, *lowest = NULL;
    while (node != NULL) {
        if (vma_of(node)->first_page >= from + pages) {
            lowest = node;
            node = node->child[RB_LEFT];
        } else {
            node = node->child[RB_RIGHT];
        }
    }
    return lowest;
}

/* The lowest gap above the one below NODE that has room: up and to the right, by subtrees. */
static __attribute__((noinline)) struct vma *next_gap(struct rb_node *node, uint32_t pages)
{
    do {
        if (may_have_gap(node->child[RB_RIGHT], pages)) {
            struct vma *found = lowest_gap(node->child[RB_RIGHT], pages);
            if (found != NULL)
                return found;
        }
        while (node->parent != NULL && node == node->parent->child[RB_RIGHT])
            node = node->parent;
        node = node->parent;
    } while (node != NULL && !has_room(vma_of(node), pages, 0));
    return node != NULL ? vma_of(node) : NULL;
}

/*
 * The lowest gap that has room for PAGES pages at or above FROM; NULL: none. That FROM may lie
 * inside a gap matters for the first one only.
 */
static inline struct vma *lowest_gap_from(const struct space *space, uint32_t pages, uint32_t from)
{
    struct rb_node *node = first_behind(space, pages, from);
    if (unlikely(node == NULL))
        return NULL;
    struct vma *above = vma_of(node);
    return has_room(above, pages, from) ? above : next_gap(node, pages);
}

/*
 * The region above room for PAGES pages, aligned to ALIGN, from FROM on and below the end; *PAGE is
 * the first one. NULL: there is none.
 */
static inline struct vma *find_room(const struct space *space, uint32_t pages, uint32_t align,
                                    uint32_t from, uint32_t *page)
{
    /* A gap so large holds an aligned range wherever it begins. */
    struct vma *above = lowest_gap_from(space, pages + align - 1, from);
    if (above == NULL)
        return NULL;
    uint32_t lowest = above->first_page - above->gap_pages;
    lowest = ((lowest > from ? lowest : from) + align - 1) & ~(align - 1);
    *page = lowest;
    return lowest < space->room_end_page && pages <= space->room_end_page - lowest ? above : NULL;
}

/* Where the first choice has none: unaligned, then anywhere, aligned or not. */
static __attribute__((noinline)) struct vma *find_other_room(const struct space *space,
                                                             uint32_t pages, uint32_t *page)
{
    struct vma *above = NULL;
    if (pages >= SLOT_PAGES)
        above = find_room(space, pages, 1, space->room_first_page, page);
    if (above == NULL && pages >= SLOT_PAGES)
        above = find_room(space, pages, SLOT_PAGES, space->first_page, page);
    return above != NULL ? above : find_room(space, pages, 1, space->first_page, page);
}

struct vma *vma_find_gap(const struct space *space, uint32_t pages, uint32_t *page)
{
    uint32_t align = pages >= SLOT_PAGES ? SLOT_PAGES : 1;
    if (pages - 1 >= space->end.first_page) /* none, or too many */
        return NULL;
    struct vma *above = find_room(space, pages, align, space->room_first_page, page);
    return likely(above != NULL) ? above : find_other_room(space, pages, page);
}

enum kerr vma_find_room(const struct space *space, uint32_t pages, vaddr_t *first)
{
    uint32_t page;
    if (vma_find_gap(space, pages, &page) == NULL)
        return KERR_NO_ROOM;
    *first = VADDR(page << PAGE_SHIFT);
    return KERR_OK;
}

/* ---- checking ---- */

static bool in_order(const struct rb_node *left, const struct rb_node *right)
{
    return vma_of(left)->last_page < vma_of(right)->first_page;
}

static bool value_is_right(const struct rb_node *node)
{
    return vma_of(node)->gap_bound_pages >= least_bound(node);
}

const char *vma_check(const struct space *space)
{
    const struct rb_node *where;
    const char *broken =
        rb_check(&space->regions, in_order, value_is_right, space->region_count + 1, &where);
    if (broken != NULL)
        return broken;
    uint32_t from = space->first_page, reserved = 0, charged = 0, locked = 0;
    bool has_touched = space->touched == NULL;
    for (const struct rb_node *node = rb_first(&space->regions); node != NULL;
         node = rb_next(node)) {
        const struct vma *region = vma_of(node);
        if (region->gap_pages != region->first_page - from)
            return "a region's gap is the distance to the region below it";
        from = region->last_page + 1;
        if (region->kind == VMA_END)
            continue;
        has_touched = has_touched || region == space->touched;
        if ((region->kind == VMA_OBJECT) != (region->object != NULL))
            return "a region has an object if and only if it shows one";
        reserved += vma_pages(region);
        charged += region->flags & VMA_CHARGED ? vma_pages(region) : 0;
        locked += region->flags & VMA_LOCKED ? vma_pages(region) : 0;
    }
    if (!has_touched)
        return "the region that was touched last is one of the space's";
    return reserved == space->reserved_pages && charged == space->charged_pages &&
                   locked == space->locked_pages
               ? NULL
               : "reserved, charged and locked pages are the sums of all regions";
}
