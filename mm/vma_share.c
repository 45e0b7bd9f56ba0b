/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Trees of regions that several spaces have (vma_share.h).
 *
 *      parent, child, grandchild                       the child changes its regions
 *      space --.                                       space --.
 *      space ---+--> root ... END of the tree          space --+--> root ... END
 *      space --'              users 3                  space -----> copy ... its own end
 *
 * The end of a space is a node of its tree, and stands in the space's own structure. A tree that is shared ends in
 * a node of the array instead, which also says how many have it. They form a ring. When one is left, the end is
 * its own again: so whoever has a tree alone has it as if it had never been shared.
 *
 * Nobody changes a tree that is shared. (The search for room may lower its bounds, which are the tree's.) Each
 * region has one reference to its object, however many spaces see it.
 */
#include "vma_share.h"

#include "vma_region.h"

static void ring_add(struct space *space, struct space *after)
{
    space->next_sharer = after->next_sharer;
    space->previous_sharer = after;
    after->next_sharer->previous_sharer = space;
    after->next_sharer = space;
}

static void ring_remove(struct space *space)
{
    space->previous_sharer->next_sharer = space->next_sharer;
    space->next_sharer->previous_sharer = space->previous_sharer;
    space->next_sharer = space->previous_sharer = NULL;
}

/* SPACE, whose tree is its own, can share it. */
static enum kerr begin_to_share(struct space *space)
{
    enum kerr error = nodes_prepare(1);
    if (error != KERR_OK)
        return error;
    struct vma *end = node_take();
    *end = space->end;
    end->users = 1;
    end->first_sharer = space;
    rb_replace(&space->regions, &space->end.node, &end->node);
    space->shared_end = end;
    space->next_sharer = space->previous_sharer = space;
    return KERR_OK;
}

/* SPACE is the only one left: it has its tree as if nobody had ever shared it. */
static void end_sharing(struct space *space)
{
    struct vma *end = space->shared_end;
    space->end = *end;
    space->end.object = NULL;
    space->end.object_page = 0;
    rb_replace(&space->regions, &end->node, &space->end.node);
    node_give(end);
    space->shared_end = NULL;
    space->next_sharer = space->previous_sharer = NULL;
}

/* SPACE is one of the others no more. */
static void leave(struct space *space)
{
    struct vma *end = space->shared_end;
    struct space *other = space->next_sharer;
    ring_remove(space);
    space->shared_end = NULL;
    end->first_sharer = other;
    if (--end->users == 1)
        end_sharing(other);
}

static void copy_counts(struct space *to, const struct space *from)
{
    to->region_count = from->region_count;
    to->reserved_pages = from->reserved_pages;
    to->charged_pages = from->charged_pages;
}

enum kerr vma_share(struct space *to, struct space *from)
{
    ASSERT(to->region_count == 0 && to->first_page == from->first_page &&
               to->end.first_page == from->end.first_page && from->locked_pages == 0,
           "space %u can't have the regions of space %u", (unsigned)to->directory,
           (unsigned)from->directory);
    if (from->shared_end == NULL) {
        enum kerr error = begin_to_share(from);
        if (error != KERR_OK)
            return error;
    }
    from->shared_end->users++;
    to->shared_end = from->shared_end;
    to->regions = from->regions;
    to->touched = from->touched;
    copy_counts(to, from);
    ring_add(to, from);
    return KERR_OK;
}

void vma_leave_shared(struct space *space)
{
    leave(space);
    space->regions.root = NULL;
    space->touched = NULL;
    space->region_count = space->reserved_pages = space->charged_pages = 0;
}

/* ---- copies ---- */

/* A copy of the subtree of NODE, of the same shape, below PARENT; its nodes were prepared. */
static struct rb_node *copy_subtree(struct space *to, const struct rb_node *node,
                                    struct rb_node *parent)
{
    if (node == NULL)
        return NULL;
    bool is_end = vma_of(node)->kind == VMA_END;
    struct vma *copy = is_end ? &to->end : node_take();
    *copy = *vma_of(node);
    copy->flags &= (uint8_t)~VMA_LOCKED;
    if (is_end) { /* the others' books */
        copy->object = NULL;
        copy->object_page = 0;
    } else if (copy->object != NULL) {
        object_get(copy->object);
    }
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
    copy_counts(to, from);
    return KERR_OK;
}

enum kerr vma_copy_shared(struct space *space)
{
    enum kerr error = nodes_prepare(space->region_count);
    if (error != KERR_OK)
        return error;
    space->regions.root = copy_subtree(space, space->regions.root, NULL);
    space->touched = NULL;
    leave(space);
    return KERR_OK;
}

/* ---- checking ---- */

const char *vma_check_sharing(const struct space *space)
{
    const struct vma *end = space->shared_end;
    if (end == NULL)
        return NULL;
    if (end->kind != VMA_END || end->users < 2 || space->locked_pages != 0)
        return "a tree of regions that is shared has two spaces at least, and nothing locked";
    const struct space *next = space->next_sharer;
    if (next->shared_end != end || next->regions.root != space->regions.root ||
        next->previous_sharer != space)
        return "the spaces that share a tree of regions form a ring";
    if (end->first_sharer != space)
        return NULL;
    uint32_t users = 1;
    for (; next != space && users <= end->users; next = next->next_sharer)
        users++;
    return users == end->users ? NULL : "the spaces that share a tree of regions are counted";
}
