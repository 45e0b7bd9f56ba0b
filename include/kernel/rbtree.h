/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: regions (layer 4), deadlines and alarms (layer 8), names (layer 9), tests.
 *
 * An intrusive red-black tree whose nodes may carry a *value* that is computed from the node's own
 * data and its children's values, such as the largest gap below. The caller searches, allocates and
 * compares; the tree links, balances and keeps the values up.
 * Invariant: whenever a function here is entered, every node's value agrees with its data and its
 * children. So data is changed one node at a time, each change followed by rb_update_path(). (Where
 * the value is a bound, which agrees if it is high enough, a change that keeps it high enough needs
 * none.)
 */
#ifndef KERNEL_RBTREE_H
#define KERNEL_RBTREE_H

#include <kernel/types.h>

enum rb_side { RB_LEFT, RB_RIGHT }; /* !side is the other one */
enum rb_colour { RB_RED, RB_BLACK };

struct rb_node {
    struct rb_node *parent; /* NULL: the root */
    struct rb_node *child[2];
    enum rb_colour colour;
};

struct rb_tree {
    struct rb_node *root; /* NULL: empty; so a tree of zeros is an empty tree */
};

/*
 * Compute NODE's value again from its data and its children's values.
 *   returns true if the value changed: then, and only then, its parent's may have to change, too
 *   => to be inlined, name a static inline function of the same file where this type is wanted
 */
typedef bool (*rb_update_t)(struct rb_node *node);

/* For a tree without values. */
static inline bool rb_no_value(struct rb_node *node)
{
    (void)node;
    return false;
}

/* NODE's data changed: set its value and those above it, as far as they change. */
static inline void rb_update_path(struct rb_node *node, rb_update_t update)
{
    while (node != NULL && update(node))
        node = node->parent;
}

/* The same for a NODE that is new in its place: its old value says nothing about its parent's. */
static inline void rb_update_path_from(struct rb_node *node, rb_update_t update)
{
    (void)update(node);
    rb_update_path(node->parent, update);
}

/* The half of rb_insert() that needs no inlining; not for other callers. */
void rb_insert_rebalance(struct rb_tree *tree, struct rb_node *node, rb_update_t update);

/* The other half; not for other callers either. */
static inline void rb_link(struct rb_tree *tree, struct rb_node *parent, enum rb_side side,
                           struct rb_node *node)
{
    node->parent = parent;
    node->child[RB_LEFT] = NULL;
    node->child[RB_RIGHT] = NULL;
    node->colour = RB_RED;
    if (parent == NULL)
        tree->root = node;
    else
        parent->child[side] = node;
}

/*
 * Insert NODE as the child of PARENT on SIDE, where the caller's search ended: that child is NULL
 * (PARENT NULL: the tree is empty).
 *   node    its data is set, the rest need not be; it stays the caller's, and stays where it is
 *   => NODE's value is set and the values above it are kept up
 */
static inline void rb_insert(struct rb_tree *tree, struct rb_node *parent, enum rb_side side,
                             struct rb_node *node, rb_update_t update)
{
    rb_link(tree, parent, side, node);
    rb_update_path_from(node, update);
    if (parent == NULL || parent->colour == RB_RED)
        rb_insert_rebalance(tree, node, update);
}

/* The same for a NODE whose value is set, and such that its parent's does not change by it. */
static inline void rb_insert_neutral(struct rb_tree *tree, struct rb_node *parent,
                                     enum rb_side side, struct rb_node *node, rb_update_t update)
{
    rb_link(tree, parent, side, node);
    if (parent == NULL || parent->colour == RB_RED)
        rb_insert_rebalance(tree, node, update);
}

/* What rb_unlink() leaves behind; all that leads to rb_remove() is not for other callers. */
struct rb_hole {
    struct rb_node *parent; /* it lost a node below it on SIDE */
    struct rb_node *heir;   /* has a new place with another's value; NULL: nobody */
    enum rb_side side;
    bool lacks_black; /* the paths through PARENT on SIDE lack a black node */
};

static inline enum rb_side rb_side_of(const struct rb_node *parent, const struct rb_node *node)
{
    return parent->child[RB_LEFT] == node ? RB_LEFT : RB_RIGHT;
}

/* NODE has at most one child, which takes its place. */
static inline struct rb_hole rb_unlink_outer(struct rb_tree *tree, struct rb_node *node)
{
    struct rb_node *parent = node->parent;
    struct rb_node *child = node->child[node->child[RB_LEFT] == NULL];
    struct rb_hole hole = {parent, NULL, RB_LEFT, false};

    if (parent == NULL) {
        tree->root = child;
    } else {
        hole.side = rb_side_of(parent, node);
        parent->child[hole.side] = child;
    }
    if (child != NULL) { /* an only child is red (4), so its parent was black (3): restores both */
        child->parent = parent;
        child->colour = RB_BLACK;
    } else {
        hole.lacks_black = parent != NULL && node->colour == RB_BLACK;
    }
    return hole;
}

struct rb_hole rb_unlink_inner(struct rb_tree *tree, struct rb_node *node);

static inline struct rb_hole rb_unlink(struct rb_tree *tree, struct rb_node *node)
{
    bool has_two = node->child[RB_LEFT] != NULL && node->child[RB_RIGHT] != NULL;
    return has_two ? rb_unlink_inner(tree, node) : rb_unlink_outer(tree, node);
}

void rb_remove_rebalance(struct rb_tree *tree, struct rb_node *parent, enum rb_side side,
                         rb_update_t update);

/*
 * Take NODE, which is in TREE, out of it. Its memory is the caller's again.
 *   => the values of all others are kept up
 */
static inline void rb_remove(struct rb_tree *tree, struct rb_node *node, rb_update_t update)
{
    struct rb_hole hole = rb_unlink(tree, node);

    rb_update_path(hole.parent, update);
    if (hole.heir != NULL)
        rb_update_path_from(hole.heir, update);
    if (hole.lacks_black)
        rb_remove_rebalance(tree, hole.parent, hole.side, update);
}

/*
 * The same where no value that stays need change. If NODE has two children, its right neighbour
 * takes its place: the caller has given that one a value for it.
 */
static inline void rb_remove_neutral(struct rb_tree *tree, struct rb_node *node, rb_update_t update)
{
    struct rb_hole hole = rb_unlink(tree, node);

    if (hole.lacks_black)
        rb_remove_rebalance(tree, hole.parent, hole.side, update);
}

/*
 * Put NEW, which is in no tree, in the place of OLD. NEW's data must stand in the same order to
 * its neighbours.
 *   => if NEW's data or value differs from OLD's, call rb_update_path_from(NEW) next
 */
void rb_replace(struct rb_tree *tree, struct rb_node *old, struct rb_node *new);

/* The outermost node on SIDE; NULL if there is none. */
struct rb_node *rb_outermost(const struct rb_tree *tree, enum rb_side side);

/*
 * NODE's neighbour on SIDE: below it on SIDE and then inwards, or the first one above that has NODE
 * on its other side; NULL if there is none.
 */
static inline struct rb_node *rb_neighbour(const struct rb_node *node, enum rb_side side)
{
    struct rb_node *next = node->child[side];

    if (next == NULL) {
        for (next = node->parent; next != NULL && next->child[side] == node; next = next->parent)
            node = next;
        return next;
    }
    while (next->child[!side] != NULL)
        next = next->child[!side];
    return next;
}

static inline struct rb_node *rb_first(const struct rb_tree *tree)
{
    return rb_outermost(tree, RB_LEFT);
}

static inline struct rb_node *rb_last(const struct rb_tree *tree)
{
    return rb_outermost(tree, RB_RIGHT);
}

static inline struct rb_node *rb_next(const struct rb_node *node)
{
    return rb_neighbour(node, RB_RIGHT);
}

static inline struct rb_node *rb_prev(const struct rb_node *node)
{
    return rb_neighbour(node, RB_LEFT);
}

/*
 * Verify links, order, colours, black height, values and the number of nodes.
 *   in_order        true if LEFT belongs strictly before RIGHT
 *   value_is_right  true if NODE's value is what its data and its children's values ask for; NULL:
 *                   the tree has no values
 *   count           the nodes that there should be
 *   returns NULL if all is well, else the property that is broken, in words, and *WHERE is the node
 *   (NULL: the whole tree). Ends on any tree whose pointers lead to nodes; uses about 4 KiB of
 *   stack at the most
 */
must_check const char *rb_check(const struct rb_tree *tree,
                                bool (*in_order)(const struct rb_node *left,
                                                 const struct rb_node *right),
                                bool (*value_is_right)(const struct rb_node *node), uint32_t count,
                                const struct rb_node **where);

#endif
