/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Red-black trees: unlinking, rebalancing, walking, checking. What is hot and depends on
 * the caller's value is inlined from the header. The properties:
 *
 *   1. every node is red or black; NULL counts as black
 *   2. the root is black
 *   3. a red node has no red child
 *   4. all paths from a node down to NULL hold the same number of black nodes
 *   5. every value is what the node's data and its children's values ask for
 *
 * In the drawings a capital is black, a small letter red, (x) either. Each case has a mirror image:
 * the drawings show side = left, the code says child[side] and child[!side] for both.
 */
#include <kernel/rbtree.h>

static bool is_red(const struct rb_node *node)
{
    return node != NULL && node->colour == RB_RED;
}

/* PARENT's pointer to OLD, or the root if PARENT is NULL, becomes one to NEW. */
static void change_child(struct rb_tree *tree, struct rb_node *parent, const struct rb_node *old,
                         struct rb_node *new)
{
    if (parent == NULL)
        tree->root = new;
    else
        parent->child[rb_side_of(parent, old)] = new;
}

/*
 * TOP goes down to SIDE, its other child comes up:
 *
 *      (t)                (r)
 *      / \                / \
 *     1  (r)     ==>    (t)  3
 *        / \            / \
 *       2   3          1   2
 *
 * Restores 5 for t, then r, whose values alone can change: the nodes below (r) are those that were
 * below (t), so nothing changes above.
 */
static void rotate(struct rb_tree *tree, struct rb_node *top, enum rb_side side, rb_update_t update)
{
    struct rb_node *riser = top->child[!side];
    struct rb_node *middle = riser->child[side];

    top->child[!side] = middle;
    if (middle != NULL)
        middle->parent = top;
    riser->parent = top->parent;
    change_child(tree, top->parent, top, riser);
    riser->child[side] = top;
    top->parent = riser;
    (void)update(top);
    (void)update(riser);
}

/* NODE is red. All holds but 3 between NODE and its parent, or 2 if NODE is the root. */
void rb_insert_rebalance(struct rb_tree *tree, struct rb_node *node, rb_update_t update)
{
    struct rb_node *parent;

    while (is_red(parent = node->parent)) {
        struct rb_node *grand = parent->parent; /* there: a red parent is not the root (2) */
        enum rb_side side = rb_side_of(grand, parent);
        struct rb_node *uncle = grand->child[!side];

        /*
         * Case 1, the uncle is red: 3 holds here; the same question two levels up.
         *
         *        G               g
         *       / \             / \
         *      p   u   ==>     P   U
         *     /               /
         *    n               n
         */
        if (is_red(uncle)) {
            parent->colour = RB_BLACK;
            uncle->colour = RB_BLACK;
            grand->colour = RB_RED;
            node = grand;
            continue;
        }
        /*
         * Case 2, the node is an inner grandchild: makes it case 3 with n and p in other roles.
         *
         *        G               G
         *       / \             / \
         *      p   U   ==>     n   U
         *       \             /
         *        n           p
         */
        if (node == parent->child[!side]) {
            rotate(tree, parent, side, update);
            parent = node;
        }
        /*
         * Case 3, the node is an outer grandchild: restores 3 for good.
         *
         *        G               P
         *       / \             / \
         *      p   U   ==>     n   g
         *     /                     \
         *    n                       U
         */
        parent->colour = RB_BLACK;
        grand->colour = RB_RED;
        rotate(tree, grand, !side, update);
        break;
    }
    tree->root->colour = RB_BLACK; /* restores 2; 4 holds, since all paths gain one */
}

/*
 * Where NODE has two children, its right neighbour, the heir, is taken out instead, and then put
 * in NODE's place.
 *
 *        (n)                (y)
 *        / \                / \
 *       1  (b)     ==>     1  (b)   the hole is below b (below y itself, if y was n's child)
 *          / \                / \
 *        (y)  3              2   3
 *          \
 *           2
 */
struct rb_hole rb_unlink_inner(struct rb_tree *tree, struct rb_node *node)
{
    struct rb_node *heir = node->child[RB_RIGHT];
    struct rb_hole hole;

    while (heir->child[RB_LEFT] != NULL)
        heir = heir->child[RB_LEFT];
    hole = rb_unlink_outer(tree, heir);
    rb_replace(tree, node, heir);
    if (hole.parent == node)
        hole.parent = heir;
    hole.heir = heir;
    return hole;
}

/* All holds but 4: the paths through PARENT on SIDE lack one black node. */
void rb_remove_rebalance(struct rb_tree *tree, struct rb_node *parent, enum rb_side side,
                         rb_update_t update)
{
    for (;;) {
        struct rb_node *sibling = parent->child[!side]; /* there: its side has a black more */

        /*
         * Case 1, the sibling is red: makes it one of the others, with a black sibling.
         *
         *      P               S
         *     / \             / \
         *    x   s    ==>    p   D
         *       / \         / \
         *      C   D       x   C
         */
        if (is_red(sibling)) {
            sibling->colour = RB_BLACK;
            parent->colour = RB_RED;
            rotate(tree, parent, side, update);
            sibling = parent->child[!side];
        }
        /*
         * Case 2, the sibling has no red child: 4 holds below p; if p was black, the paths
         * through p lack one now, and the same question is asked one level up.
         *
         *     (p)              P
         *     / \             / \
         *    x   S    ==>    x   s
         *       / \             / \
         *      C   D           C   D
         */
        if (!is_red(sibling->child[RB_LEFT]) && !is_red(sibling->child[RB_RIGHT])) {
            struct rb_node *node = parent;

            sibling->colour = RB_RED;
            parent = node->parent;
            if (node->colour == RB_RED || parent == NULL) {
                node->colour = RB_BLACK;
                return;
            }
            side = rb_side_of(parent, node);
            continue;
        }
        /*
         * Case 3, only the near child of the sibling is red: makes it case 4.
         *
         *     (p)             (p)
         *     / \             / \
         *    x   S    ==>    x   C
         *       / \               \
         *      c   D               s
         *                           \
         *                            D
         */
        if (!is_red(sibling->child[!side])) {
            sibling->child[side]->colour = RB_BLACK;
            sibling->colour = RB_RED;
            rotate(tree, sibling, !side, update);
            sibling = parent->child[!side];
        }
        /*
         * Case 4, the far child of the sibling is red: restores 4 for good.
         *
         *     (p)             (s)
         *     / \             / \
         *    x   S    ==>    P   D
         *       / \         / \
         *     (c)  d       x  (c)
         */
        sibling->colour = parent->colour;
        parent->colour = RB_BLACK;
        sibling->child[!side]->colour = RB_BLACK;
        rotate(tree, parent, side, update);
        return;
    }
}

void rb_replace(struct rb_tree *tree, struct rb_node *old, struct rb_node *new)
{
    *new = *old;
    change_child(tree, old->parent, old, new);
    for (enum rb_side side = RB_LEFT; side <= RB_RIGHT; side++)
        if (new->child[side] != NULL)
            new->child[side]->parent = new;
}

struct rb_node *rb_outermost(const struct rb_tree *tree, enum rb_side side)
{
    struct rb_node *node = tree->root;

    while (node != NULL && node->child[side] != NULL)
        node = node->child[side];
    return node;
}

/* 2 log2(n + 1) is the height of the worst tree (3, 4), and n < 2^28 nodes fill 4 GiB. */
enum { HEIGHT_MAX = 56 };

struct check {
    bool (*in_order)(const struct rb_node *left, const struct rb_node *right);
    bool (*value_is_right)(const struct rb_node *node);
    const struct rb_node *previous; /* in order */
    uint32_t count;
    uint32_t height;             /* above the node that is looked at */
    const char *broken;          /* NULL: nothing so far */
    const struct rb_node *where; /* there */
};

static const char *check_links(const struct check *check, const struct rb_node *node)
{
    const struct rb_node *left = node->child[RB_LEFT], *right = node->child[RB_RIGHT];

    if (check->height > HEIGHT_MAX)
        return "too high for a balanced tree, or a cycle";
    if (left != NULL && left == right)
        return "both children are the same node";
    if ((left != NULL && left->parent != node) || (right != NULL && right->parent != node))
        return "a child does not name this node as its parent";
    if (node->colour != RB_RED && node->colour != RB_BLACK)
        return "neither red nor black (1)";
    if (is_red(node) && (is_red(left) || is_red(right)))
        return "a red node has a red child (3)";
    if (check->value_is_right != NULL && !check->value_is_right(node))
        return "the value does not follow from data and children (5)";
    return NULL;
}

/* Look at NODE and all below it, in order. Returns the number of black nodes down to NULL. */
static uint32_t check_below(struct check *check, const struct rb_node *node)
{
    uint32_t left_blacks, right_blacks;
    const char *broken;

    if (node == NULL || check->broken != NULL)
        return 0;
    broken = check_links(check, node);
    if (broken == NULL) {
        check->height++;
        left_blacks = check_below(check, node->child[RB_LEFT]);
        if (check->broken == NULL && check->previous != NULL &&
            !check->in_order(check->previous, node))
            broken = "not in order after its left neighbour";
        check->previous = node;
        check->count++;
        right_blacks = check_below(check, node->child[RB_RIGHT]);
        check->height--;
        if (left_blacks != right_blacks)
            broken = "more black nodes on one side than on the other (4)";
    }
    if (check->broken == NULL && broken != NULL) {
        check->broken = broken;
        check->where = node;
    }
    return broken != NULL ? 0 : left_blacks + (node->colour == RB_BLACK);
}

const char *rb_check(const struct rb_tree *tree,
                     bool (*in_order)(const struct rb_node *left, const struct rb_node *right),
                     bool (*value_is_right)(const struct rb_node *node), uint32_t count,
                     const struct rb_node **where)
{
    struct check check = {.in_order = in_order, .value_is_right = value_is_right};
    const struct rb_node *root = tree->root;

    *where = root;
    if (root != NULL && root->parent != NULL)
        return "the root has a parent";
    if (is_red(root))
        return "the root is red (2)";
    (void)check_below(&check, root);
    *where = check.where;
    if (check.broken == NULL && check.count != count)
        return "not as many nodes as there should be";
    return check.broken;
}
