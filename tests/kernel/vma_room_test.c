/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of the search for room: in a space of a few slots, of which every gap is known.
 */
#include "vma_testing.h"

/* Where PAGES pages would go: the offset in SMALL_SPACE, or ~0. */
static uint32_t room_for(uint32_t pages)
{
    vaddr_t first;
    if (vma_find_room(&small_space, pages, &first) != KERR_OK)
        return ~0u;
    return (first.v >> PAGE_SHIFT) - small_space.first_page;
}

static void take_small(uint32_t first, uint32_t pages)
{
    EXPECT(vma_reserve_at(&small_space, VADDR((small_space.first_page + first) << PAGE_SHIFT),
                          pages, RIGHTS_READ, region_names[0]) == KERR_OK);
}

TEST("vma", "room: is the lowest gap that is large enough")
{
    small_begin(TEST_SLOT * SLOT_PAGES, 100);
    EXPECT_EQUAL(room_for(1), 0);
    EXPECT_EQUAL(room_for(100), 0);
    EXPECT_EQUAL(room_for(101), ~0u);
    take_small(2, 1); /* ..#...#.....#####...# (and free up to 100) */
    take_small(6, 1);
    take_small(12, 5);
    take_small(20, 1);
    EXPECT_EQUAL(room_for(1), 0);
    EXPECT_EQUAL(room_for(2), 0);
    EXPECT_EQUAL(room_for(3), 3);
    EXPECT_EQUAL(room_for(4), 7);
    EXPECT_EQUAL(room_for(5), 7);
    EXPECT_EQUAL(room_for(6), 21);
    EXPECT_EQUAL(room_for(79), 21);
    EXPECT_EQUAL(room_for(80), ~0u);
    take_small(21, 79); /* up to the end */
    EXPECT_EQUAL(room_for(6), ~0u);
    EXPECT_EQUAL(room_for(5), 7);
    take_small(0, 2); /* from the beginning */
    EXPECT_EQUAL(room_for(1), 3);
    expect_tree(&small_space);
    small_end();
}

TEST("vma", "room for a slot or more: is aligned, if a gap allows it")
{
    small_begin(TEST_SLOT * SLOT_PAGES + 1, SMALL_PAGES - 1);
    EXPECT_EQUAL(room_for(SLOT_PAGES - 1), 0);
    EXPECT_EQUAL(room_for(SLOT_PAGES), LAST_PAGE);
    EXPECT_EQUAL(room_for(2 * SLOT_PAGES), LAST_PAGE);
    EXPECT_EQUAL(room_for(3 * SLOT_PAGES + 1), 0); /* only unaligned */
    EXPECT_EQUAL(room_for(SMALL_PAGES - 1), 0);
    EXPECT_EQUAL(room_for(SMALL_PAGES), ~0u);
    take_small(LAST_PAGE, SLOT_PAGES);
    EXPECT_EQUAL(room_for(SLOT_PAGES), 2 * SLOT_PAGES - 1);
    small_end();
}

TEST("vma", "all room taken: there is none, and after a release there is")
{
    vaddr_t first;

    small_begin(TEST_SLOT * SLOT_PAGES, 10);
    for (uint32_t i = 0; i < 10; i++)
        EXPECT(vma_reserve(&small_space, 1, RIGHTS_READ, region_names[i % 2], &first) == KERR_OK &&
               first.v == page_of_slot(TEST_SLOT, i).v);
    EXPECT(vma_reserve(&small_space, 1, RIGHTS_READ, region_names[0], &first) == KERR_NO_ROOM);
    EXPECT(vma_release(&small_space, page_of_slot(TEST_SLOT, 4), 1) == KERR_OK);
    EXPECT(vma_reserve(&small_space, 2, RIGHTS_READ, region_names[0], &first) == KERR_NO_ROOM);
    EXPECT(vma_reserve(&small_space, 1, RIGHTS_READ, region_names[0], &first) == KERR_OK &&
           first.v == page_of_slot(TEST_SLOT, 4).v);
    small_end();
}

TEST("vma", "room from a page on, and up to one: first there, then anywhere below the end")
{
    small_begin(TEST_SLOT * SLOT_PAGES, 100);
    small_space.room_first_page = small_space.first_page + 40;
    small_space.room_end_page = small_space.first_page + 90;
    EXPECT_EQUAL(room_for(1), 40);
    EXPECT_EQUAL(room_for(50), 40);
    EXPECT_EQUAL(room_for(51), 0);
    EXPECT_EQUAL(room_for(90), 0);
    EXPECT_EQUAL(room_for(91), ~0u);
    take_small(38, 4); /* around the first page */
    take_small(50, 1);
    take_small(60, 1);
    take_small(80, 4);
    EXPECT_EQUAL(room_for(8), 42);
    EXPECT_EQUAL(room_for(9), 51);
    EXPECT_EQUAL(room_for(10), 61);
    EXPECT_EQUAL(room_for(19), 61);
    EXPECT_EQUAL(room_for(20), 0); /* the last gap is 16 pages, 6 of them below the end */
    EXPECT_EQUAL(room_for(38), 0);
    EXPECT_EQUAL(room_for(39), ~0u);
    take_small(42, 8);
    take_small(51, 9);
    take_small(61, 19);
    EXPECT_EQUAL(room_for(6), 84);
    EXPECT_EQUAL(room_for(7), 0);
    small_end();
}

/* Like take_small(), one that grows down. */
static void take_stack(uint32_t first, uint32_t pages)
{
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_GROWS_DOWN, .name = region_names[1]};
    EXPECT(vma_map_at(&small_space, VADDR((small_space.first_page + first) << PAGE_SHIFT), pages,
                      &wish) == KERR_OK);
}

TEST("vma", "room below a region that grows down: all but the guard")
{
    small_begin(TEST_SLOT * SLOT_PAGES, 700);
    take_stack(300, 1);
    EXPECT_EQUAL(room_for(44), 0);
    EXPECT_EQUAL(room_for(45), 301);
    small_space.room_first_page = small_space.first_page + 40;
    EXPECT_EQUAL(room_for(4), 40);
    EXPECT_EQUAL(room_for(5), 301);
    small_space.room_first_page = small_space.first_page;
    take_small(10, 1);
    EXPECT_EQUAL(room_for(33), 11);
    EXPECT_EQUAL(room_for(34), 301);
    take_stack(310, 1); /* its guard reaches below the other one */
    EXPECT_EQUAL(room_for(34), 311);
    EXPECT_EQUAL(room_for(390), ~0u);
    small_end();
}

TEST("vma", "a place near a region that grows down: only if nobody wishes to keep off")
{
    struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .name = region_names[0], .keeps_off_stacks = true};
    small_begin(TEST_SLOT * SLOT_PAGES, 700);
    take_stack(300, 1);
    EXPECT(vma_map_at(&small_space, page_of_slot(TEST_SLOT, 40), 5, &wish) == KERR_EXISTS);
    EXPECT(vma_map_at(&small_space, page_of_slot(TEST_SLOT, 40), 3, &wish) == KERR_OK);
    struct vma *region = vma_find(&small_space, page_of_slot(TEST_SLOT, 40));
    EXPECT(vma_extend(&small_space, region, 1) == KERR_EXISTS); /* one stays free besides */
    EXPECT(vma_shorten(&small_space, region, 1) == KERR_OK);
    EXPECT(vma_extend(&small_space, region, 1) == KERR_OK);
    wish.guard_pages = 1;
    EXPECT(vma_map_at(&small_space, page_of_slot(TEST_SLOT, 43), 1, &wish) == KERR_EXISTS);
    wish.guard_pages = 0;
    EXPECT(vma_map_at(&small_space, page_of_slot(TEST_SLOT, 43), 1, &wish) == KERR_OK);
    wish.keeps_off_stacks = false;
    EXPECT(vma_map_at(&small_space, page_of_slot(TEST_SLOT, 299), 1, &wish) == KERR_OK);
    small_end();
}

enum { RANDOM_PAGES = 600, RANDOM_CHANGES = 300 };

/* PAGE is free, and no region that grows down is so near above that it keeps it. */
static bool is_room(uint32_t page)
{
    const struct vma *above = vma_at_or_above(&small_space, VADDR(page << PAGE_SHIFT));
    return above == NULL ||
           above->first_page - page > (above->flags & VMA_GROWS_DOWN ? STACK_GUARD_PAGES : 0u);
}

/* Room by looking at every page. */
static uint32_t plain_room(uint32_t pages, uint32_t from, uint32_t end)
{
    for (uint32_t page = from, run = 0; page < end; page++) {
        if (vma_find(&small_space, VADDR(page << PAGE_SHIFT)) == NULL && is_room(page))
            run++;
        else
            run = 0;
        if (run == pages)
            return page + 1 - pages - small_space.first_page;
    }
    return ~0u;
}

/* One region more, of which one in 8 grows down, or fewer in a larger part. */
static void change_small(uint32_t *seed)
{
    bool is_release = test_random(seed) % 3 == 0;
    uint32_t page = test_random(seed) % RANDOM_PAGES;
    uint32_t pages = 1 + test_random(seed) % (is_release ? 200 : 8);
    vaddr_t first = VADDR((small_space.first_page + page) << PAGE_SHIFT);
    const struct vma_wish wish = {.rights = RIGHTS_READ,
                                  .name = region_names[test_random(seed) % 3],
                                  .flags = test_random(seed) % 8 == 0 ? VMA_GROWS_DOWN : 0};
    if (page + pages > RANDOM_PAGES)
        pages = RANDOM_PAGES - page;
    if (is_release)
        EXPECT(vma_release(&small_space, first, pages) != KERR_BAD_RANGE);
    else
        EXPECT(vma_map_at(&small_space, first, pages, &wish) != KERR_BAD_RANGE);
}

TEST("vma", "room among random regions, between random bounds: as a look at every page says")
{
    uint32_t seed = 4;
    small_begin(TEST_SLOT * SLOT_PAGES, RANDOM_PAGES);
    for (uint32_t i = 0; i < RANDOM_CHANGES; i++) {
        change_small(&seed);
        small_space.room_first_page = small_space.first_page + test_random(&seed) % RANDOM_PAGES;
        small_space.room_end_page = small_space.first_page + 1 + test_random(&seed) % RANDOM_PAGES;
        uint32_t wanted = 1 + test_random(&seed) % 24;
        uint32_t room = plain_room(wanted, small_space.room_first_page, small_space.room_end_page);
        if (room == ~0u)
            room = plain_room(wanted, small_space.first_page, small_space.room_end_page);
        EXPECT_EQUAL(room_for(wanted), room);
        if (i % 16 == 0)
            expect_tree(&small_space);
    }
    small_end();
}
