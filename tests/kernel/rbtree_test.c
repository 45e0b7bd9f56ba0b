/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of the red-black tree: against a plain table, and of rb_check() against trees
 * that are broken on purpose.
 */
#include <kernel/printk.h>
#include <kernel/rbtree.h>
#include <kernel/test.h>

enum { ITEMS = 256 };

/* The value is the largest weight in the subtree. */
struct item {
    struct rb_node node;
    uint32_t weight, largest;
};

/* Item i has key i; the table says which are in the tree. */
static struct item *const items = (void *)test_scratch;
_Static_assert(ITEMS * sizeof(*items) <= TEST_SCRATCH_BYTES, "they fit");
static bool is_in[ITEMS];
static struct rb_tree tree;
static uint32_t count;

static struct item *item_of(const struct rb_node *node)
{
    return container_of((struct rb_node *)(uintptr_t)node, struct item, node);
}

static uint32_t key_of(const struct rb_node *node)
{
    return (uint32_t)(item_of(node) - items);
}

static inline uint32_t largest_below(const struct rb_node *node)
{
    uint32_t largest = item_of(node)->weight;

    for (enum rb_side side = RB_LEFT; side <= RB_RIGHT; side++)
        if (node->child[side] != NULL && item_of(node->child[side])->largest > largest)
            largest = item_of(node->child[side])->largest;
    return largest;
}

static inline bool update(struct rb_node *node)
{
    uint32_t before = item_of(node)->largest;

    item_of(node)->largest = largest_below(node);
    return item_of(node)->largest != before;
}

static bool value_is_right(const struct rb_node *node)
{
    return item_of(node)->largest == largest_below(node);
}

static bool in_order(const struct rb_node *left, const struct rb_node *right)
{
    return key_of(left) < key_of(right);
}

static const char *broken_rule(void)
{
    const struct rb_node *where;

    return rb_check(&tree, in_order, value_is_right, count, &where);
}

static void insert(uint32_t key, uint32_t weight)
{
    struct rb_node *parent = NULL, *node = tree.root;
    enum rb_side side = RB_LEFT;

    while (node != NULL) {
        parent = node;
        side = key > key_of(node) ? RB_RIGHT : RB_LEFT;
        node = node->child[side];
    }
    items[key] = (struct item){.weight = weight, .largest = weight + test_random(&weight) % 2};
    rb_insert(&tree, parent, side, &items[key].node, update);
    is_in[key] = true;
    count++;
}

static void remove(uint32_t key)
{
    rb_remove(&tree, &items[key].node, update);
    is_in[key] = false;
    count--;
}

static void start_empty(void)
{
    tree = (struct rb_tree){NULL};
    count = 0;
    for (uint32_t key = 0; key < ITEMS; key++)
        is_in[key] = false;
}

/* The tree, walked from SIDE to the other end, is the table. */
static void expect_walk_is_table(enum rb_side side)
{
    const struct rb_node *node = rb_outermost(&tree, side);

    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t key = side == RB_LEFT ? i : ITEMS - 1 - i;

        if (!is_in[key])
            continue;
        REQUIRE(node == &items[key].node);
        node = rb_neighbour(node, !side);
    }
    EXPECT(node == NULL);
}

TEST("rbtree", "an empty tree: has no first, no last, no rule broken")
{
    start_empty();
    EXPECT(rb_first(&tree) == NULL);
    EXPECT(rb_last(&tree) == NULL);
    EXPECT(broken_rule() == NULL);
}

TEST("rbtree", "keys inserted upwards, downwards and from both ends: balanced after each")
{
    for (uint32_t order = 0; order < 3; order++) {
        start_empty();
        for (uint32_t i = 0; i < ITEMS; i++) {
            uint32_t key = order == 0 ? i : order == 1 ? ITEMS - 1 - i : i % 2 ? ITEMS - i : i;

            insert(key, i * 37 % 101);
            REQUIRE(broken_rule() == NULL);
        }
        expect_walk_is_table(RB_LEFT);
        for (uint32_t key = 0; key < ITEMS; key++) {
            remove((key * 89 + order) % ITEMS);
            REQUIRE(broken_rule() == NULL);
        }
        EXPECT(tree.root == NULL);
    }
}

TEST("rbtree", "20000 random insertions, removals, changes and replacements: as a plain table says")
{
    uint32_t seed = 20261120;
    static struct item spare;

    printk("# seed %u\n", (unsigned)seed);
    start_empty();
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t key = test_random(&seed) % ITEMS, weight = test_random(&seed) % 1000;

        if (!is_in[key]) {
            insert(key, weight);
        } else if (weight < 600) {
            remove(key);
        } else if (weight < 800) {
            items[key].weight = weight;
            rb_update_path(&items[key].node, update);
        } else { /* there and back */
            spare = items[key];
            rb_replace(&tree, &items[key].node, &spare.node);
            items[key] = (struct item){.weight = weight};
            rb_replace(&tree, &spare.node, &items[key].node);
            rb_update_path_from(&items[key].node, update);
        }
        if (i % 16 == 0) {
            REQUIRE(broken_rule() == NULL);
            expect_walk_is_table(RB_LEFT);
            expect_walk_is_table(RB_RIGHT);
        }
    }
    EXPECT(broken_rule() == NULL);
}

TEST("rbtree", "a tree without values: rb_no_value does")
{
    const struct rb_node *where;

    start_empty();
    rb_insert(&tree, NULL, RB_LEFT, &items[1].node, rb_no_value);
    rb_insert(&tree, &items[1].node, RB_LEFT, &items[0].node, rb_no_value);
    rb_insert(&tree, &items[1].node, RB_RIGHT, &items[2].node, rb_no_value);
    rb_remove(&tree, &items[1].node, rb_no_value);
    EXPECT(rb_check(&tree, in_order, NULL, 2, &where) == NULL);
    EXPECT(rb_first(&tree) == &items[0].node && rb_last(&tree) == &items[2].node);
}

/* Store VALUE at PLACE, see that the check fails, and put it back. */
#define EXPECT_CAUGHT(place, value)                                                                \
    do {                                                                                           \
        __typeof__(place) kept = (place);                                                          \
        (place) = (value);                                                                         \
        EXPECT(broken_rule() != NULL);                                                             \
        (place) = kept;                                                                            \
    } while (0)

TEST("rbtree", "links, colour, order, value or count broken: each is caught")
{
    struct rb_node *root, *leaf;

    start_empty();
    for (uint32_t key = 0; key < ITEMS; key++)
        insert(key, key % 50);
    root = tree.root;
    leaf = rb_first(&tree);
    REQUIRE(broken_rule() == NULL && root->child[RB_LEFT]->child[RB_LEFT] != NULL);
    EXPECT_CAUGHT(root->colour, RB_RED);
    EXPECT_CAUGHT(leaf->colour, leaf->colour == RB_RED ? RB_BLACK : RB_RED);
    EXPECT_CAUGHT(leaf->colour, (enum rb_colour)7);
    EXPECT_CAUGHT(root->parent, leaf);
    EXPECT_CAUGHT(leaf->parent, root);
    EXPECT_CAUGHT(leaf->child[RB_LEFT], root); /* a cycle */
    EXPECT_CAUGHT(root->child[RB_LEFT], root->child[RB_RIGHT]);
    EXPECT_CAUGHT(root->child[RB_RIGHT], NULL);
    EXPECT_CAUGHT(item_of(root)->largest, 50);
    EXPECT_CAUGHT(item_of(leaf)->weight, 51);
    EXPECT_CAUGHT(count, count + 1);

    struct rb_node *left = root->child[RB_LEFT], *right = root->child[RB_RIGHT];
    root->child[RB_LEFT] = right; /* a sound tree in the wrong order */
    root->child[RB_RIGHT] = left;
    EXPECT(broken_rule() != NULL);
    root->child[RB_LEFT] = left;
    root->child[RB_RIGHT] = right;
    EXPECT(broken_rule() == NULL);
}
