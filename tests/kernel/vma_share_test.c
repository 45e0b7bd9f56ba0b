/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of trees of regions that several spaces have: what sharing costs, who gets a copy and when, and
 * that a copy which fails changes nothing.
 */
#include "audit_testing.h"
#include "vma_testing.h"

#include <mm/audit.h>
#include <mm/object.h>
#include <mm/space.h>

enum { REGIONS = 300 };

static const vaddr_t base = {TEST_SLOT * SLOT_BYTES};
static const char name[] = "test";

static struct space spaces[4]; /* of a family: the first is a copy of boot_space */

static vaddr_t at(uint32_t page)
{
    return vaddr_add(base, page << PAGE_SHIFT);
}

/* Regions of one page, each with a gap behind it. */
static bool must_check reserve_many(void)
{
    for (uint32_t i = 0; i < REGIONS; i++)
        if (vma_reserve_at(&boot_space, at(2 * i), 1, RIGHTS_READ_WRITE, name) != KERR_OK)
            return false;
    return true;
}

static void release_all(void)
{
    EXPECT_EQUAL(vma_release(&boot_space, base, 2 * SLOT_PAGES), KERR_OK);
}

static void end(struct space *space)
{
    space_switch(&boot_space);
    space_destroy(space);
}

static bool has(const struct space *space, uint32_t page)
{
    return vma_find(space, at(page)) != NULL;
}

TEST("vma_share", "a fork with many regions: costs one node, and its end gives it back")
{
    REQUIRE(reserve_many());
    uint32_t nodes = vma_nodes_in_use();
    REQUIRE(space_fork(&spaces[0]) == KERR_OK);
    EXPECT_EQUAL(vma_nodes_in_use() - nodes, 1);
    EXPECT_EQUAL(spaces[0].region_count, boot_space.region_count);
    EXPECT(vma_first(&spaces[0]) == vma_first(&boot_space));
    EXPECT_AUDIT();
    end(&spaces[0]);
    EXPECT_EQUAL(vma_nodes_in_use(), nodes);
    EXPECT(boot_space.shared_end == NULL);
    EXPECT_AUDIT();
    release_all();
}

TEST("vma_share",
     "either side changes its regions: it gets a copy, and the other one sees nothing of it")
{
    for (uint32_t round = 0; round < 2; round++) {
        REQUIRE(reserve_many());
        uint32_t nodes = vma_nodes_in_use();
        REQUIRE(space_fork(&spaces[0]) == KERR_OK);
        struct space *changer = round == 0 ? &boot_space : &spaces[0];
        struct space *other = round == 0 ? &spaces[0] : &boot_space;
        space_switch(changer);
        EXPECT_EQUAL(vma_release(changer, at(10), 1), KERR_OK);
        EXPECT(!has(changer, 10) && has(other, 10));
        EXPECT_EQUAL(changer->region_count + 1, other->region_count);
        EXPECT_EQUAL(vma_nodes_in_use() - nodes, REGIONS - 1);
        EXPECT(changer->shared_end == NULL && other->shared_end == NULL);
        EXPECT_AUDIT();
        space_switch(other);
        EXPECT_EQUAL(vma_reserve_at(other, at(1), 1, RIGHTS_READ, name), KERR_OK);
        EXPECT(!has(changer, 1));
        end(&spaces[0]);
        release_all();
    }
}

/* A family of four, each a child of the one before. */
static bool must_check fork_family(void)
{
    for (uint32_t i = 0; i < ARRAY_LENGTH(spaces); i++) {
        if (space_fork(&spaces[i]) != KERR_OK)
            return false;
        space_switch(&spaces[i]);
    }
    space_switch(&boot_space);
    return true;
}

TEST("vma_share", "five share a tree, and leave it in every order: the last one has it alone")
{
    static const uint8_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
    REQUIRE(reserve_many());
    uint32_t nodes = vma_nodes_in_use();
    for (uint32_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        REQUIRE(fork_family());
        EXPECT_EQUAL(boot_space.shared_end->users, 5);
        for (uint32_t n = 0; n < 4; n++) {
            EXPECT_AUDIT();
            end(&spaces[orders[i][n]]);
        }
        EXPECT(boot_space.shared_end == NULL);
        EXPECT_EQUAL(vma_nodes_in_use(), nodes);
    }
    release_all();
}

TEST("vma_share", "the one who is asked for the others changes or ends: another one is")
{
    REQUIRE(reserve_many());
    REQUIRE(fork_family());
    EXPECT(vma_stands_for_tree(&boot_space));
    EXPECT_EQUAL(vma_protect(&boot_space, at(0), 1, RIGHTS_READ), KERR_OK);
    EXPECT_AUDIT();
    for (uint32_t i = 0; i < 4; i++) {
        EXPECT_EQUAL(spaces[i].shared_end != NULL, i < 3);
        end(&spaces[i]);
        EXPECT_AUDIT();
    }
    release_all();
}

/* ---- each way to change a tree ---- */

static enum kerr change_map(struct space *space)
{
    vaddr_t first;
    return vma_reserve(space, 3, RIGHTS_READ, name, &first);
}

static enum kerr change_map_at(struct space *space)
{
    return vma_reserve_at(space, at(1), 1, RIGHTS_READ_WRITE, name);
}

static enum kerr change_extend(struct space *space)
{
    return vma_extend(space, vma_find(space, at(2 * REGIONS + 10)), 3);
}

static enum kerr change_shorten(struct space *space)
{
    return vma_shorten(space, vma_find(space, at(2 * REGIONS + 10)), 3);
}

static enum kerr change_move(struct space *space)
{
    return vma_move(space, at(4), 1, at(2 * REGIONS + 50));
}

static enum kerr change_flags(struct space *space)
{
    return vma_set_flags(space, at(6), 1, VMA_CHARGED, 0);
}

static enum kerr change_release(struct space *space)
{
    return vma_release(space, at(8), 4);
}

static enum kerr change_protect(struct space *space)
{
    return vma_protect(space, at(2 * REGIONS + 12), 1, RIGHTS_READ);
}

/* A touch below a region that grows down. */
static enum kerr change_stack(struct space *space)
{
    (void)space;
    return vma_error_of(vma_touch(at(4 * REGIONS - 2), ACCESS_WRITE, MODE_KERNEL));
}

static const struct {
    const char *what;
    enum kerr (*run)(struct space *space);
} changes[] = {
    {"reserve", change_map},     {"reserve at", change_map_at}, {"extend", change_extend},
    {"shorten", change_shorten}, {"move", change_move},         {"marks", change_flags},
    {"release", change_release}, {"protect", change_protect},   {"a stack grows", change_stack},
};

/* A sum of all regions of SPACE. */
static uint32_t digest(const struct space *space)
{
    uint32_t sum = space->reserved_pages + space->charged_pages;
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region))
        sum = (sum + region->first_page + 3 * region->last_page + region->nature) * 2654435761u;
    return sum;
}

/* What all changes want to find. */
static bool must_check reserve_for_changes(void)
{
    const struct vma_wish stack = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_GROWS_DOWN, .name = "stack"};
    boot_space.stack_pages_max = 100;
    return reserve_many() &&
           vma_reserve_at(&boot_space, at(2 * REGIONS + 10), 20, RIGHTS_READ_WRITE, name) ==
               KERR_OK &&
           vma_map_at(&boot_space, at(4 * REGIONS), 2, &stack) == KERR_OK;
}

TEST("vma_share",
     "each change of a tree that is shared: is of one's own, and the other's stays as it was")
{
    REQUIRE(reserve_for_changes());
    for (uint32_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        uint32_t before = digest(&boot_space);
        REQUIRE(space_fork(&spaces[0]) == KERR_OK);
        space_switch(&spaces[0]);
        enum kerr error = changes[i].run(&spaces[0]);
        if (error != KERR_OK || digest(&spaces[0]) == before || digest(&boot_space) != before ||
            boot_space.shared_end != NULL)
            test_fail(__FILE__, __LINE__, changes[i].what);
        EXPECT_AUDIT();
        end(&spaces[0]);
    }
    release_all();
    boot_space.stack_pages_max = 0;
}

TEST("vma_share", "each of them without memory for the copy: refused, and nothing has changed")
{
    REQUIRE(reserve_for_changes());
    for (uint32_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        uint32_t before = digest(&boot_space);
        REQUIRE(space_fork(&spaces[0]) == KERR_OK);
        space_switch(&spaces[0]);
        vma_trim();
        leave_frames(0);
        enum kerr error = changes[i].run(&spaces[0]);
        all_frames();
        if (error != KERR_NO_MEMORY || digest(&spaces[0]) != before ||
            digest(&boot_space) != before || boot_space.shared_end == NULL)
            test_fail(__FILE__, __LINE__, changes[i].what);
        EXPECT_AUDIT();
        end(&spaces[0]);
    }
    release_all();
    boot_space.stack_pages_max = 0;
}

TEST("vma_share", "locked pages: the copy is made at once, and has none")
{
    REQUIRE(reserve_many());
    EXPECT_EQUAL(vma_set_flags(&boot_space, at(0), 1, VMA_LOCKED, 0), KERR_OK);
    REQUIRE(space_fork(&spaces[0]) == KERR_OK);
    EXPECT(boot_space.shared_end == NULL && spaces[0].locked_pages == 0);
    end(&spaces[0]);
    release_all();
}

TEST("vma_share",
     "an object below a shared tree: has one reference for its region, and all see its pages go")
{
    struct object *object;
    REQUIRE(object_create_anonymous(4, &object) == KERR_OK);
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = name, .object = object};
    REQUIRE(vma_map_at(&boot_space, at(0), 4, &wish) == KERR_OK);
    poke(at(0), 7);
    REQUIRE(space_fork(&spaces[0]) == KERR_OK);
    space_switch(&spaces[0]);
    poke(at(1), 8);
    EXPECT_EQUAL(object->references, 2);
    EXPECT_EQUAL(object_resize(object, 1), KERR_OK);
    uint32_t value;
    EXPECT_EQUAL(peek(at(0)), 7);
    EXPECT_EQUAL(probe_read(at(1), &value), FAULT_BEYOND_END);
    space_switch(&boot_space);
    EXPECT_EQUAL(probe_read(at(1), &value), FAULT_BEYOND_END);
    EXPECT_AUDIT();
    end(&spaces[0]);
    EXPECT_EQUAL(object->references, 2);
    EXPECT_EQUAL(vma_release(&boot_space, at(0), 4), KERR_OK);
    object_put(object);
}

TEST("vma_share", "a ring or a count that is wrong: is found")
{
    REQUIRE(reserve_many());
    REQUIRE(fork_family());
    EXPECT_FOUND(&boot_space.shared_end->users, 4,
                 "the spaces that share a tree of regions are counted");
    EXPECT_FOUND(&boot_space.shared_end->users, 1,
                 "a tree of regions that is shared has two spaces at least, and nothing locked");
    struct space *next = spaces[1].next_sharer;
    spaces[1].next_sharer = next->next_sharer;
    struct audit audit;
    EXPECT(vm_audit(&audit, frame_pool.set_aside) != NULL);
    spaces[1].next_sharer = next;
    EXPECT_AUDIT();
    for (uint32_t i = 0; i < 4; i++)
        end(&spaces[i]);
    release_all();
}
