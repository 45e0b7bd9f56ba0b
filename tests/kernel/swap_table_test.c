/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of tables that go: those that hold nothing, and those that go to a slot themselves.
 */
#include "audit_testing.h"
#include "swap_testing.h"

#include <mm/object.h>

enum { OTHER_SLOT = TEST_SLOT + 2 };

static pde_t test_pde(void)
{
    return pde_read(TEST_SLOT);
}

/* The pages are out, and so is their table. */
static bool must_check put_table_out(void)
{
    return swap_put_out(PAGES) == PAGES && swap_put_out(1) == 1 && pde_is_swapped(test_pde());
}

/* What is in RAM of the area's pages goes, as far as something refers to their slots. */
static void empty_ram(void)
{
    uint32_t freed;
    for (uint32_t i = 0; i < 4 && swap_sum().cached > 0; i++)
        EXPECT_EQUAL(store_reclaim(2 * PAGES, &freed), KERR_OK);
    EXPECT_EQUAL(swap_sum().cached, 0);
}

/* Page I of those from FIRST on holds I + 1. */
static void expect_pages(vaddr_t first)
{
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(vaddr_add(first, i << PAGE_SHIFT)), i + 1);
}

/* Slots that tables of nobody have are given back. */
static void give_back(void)
{
    for (uint32_t i = 0; i < 2 * PAGES; i++)
        swap_tick();
    EXPECT_EQUAL(swap_trim(), KERR_OK);
    EXPECT_EQUAL(swap_sum().used, 0);
}

TEST("swap", "a table whose pages are all out: goes to a slot, and comes back before its page")
{
    REQUIRE(swap_begin() && fill_pages(0));
    uint32_t free = frame_available(&frame_pool);
    REQUIRE(put_table_out());
    EXPECT_EQUAL(swap_sum().used, PAGES + 1);
    EXPECT_AUDIT();
    empty_ram();
    EXPECT_EQUAL(frame_available(&frame_pool), free + PAGES + 1);
    EXPECT_AUDIT();
    EXPECT_EQUAL(peek(test_page(3)), 4);
    EXPECT(pde_is_own_table(test_pde()));
    EXPECT_EQUAL(count_swapped(), PAGES - 1);
    EXPECT_AUDIT();
    expect_pages(test_page(0));
    poke(test_page(5), 6);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap", "a table in use: stays, as one with a page in RAM, and a locked one")
{
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES - 1), PAGES - 1);
    EXPECT_EQUAL(swap_put_out(1), 1); /* the last page */
    EXPECT_EQUAL(vma_set_flags(&boot_space, test_page(4), 1, VMA_LOCKED, 0), KERR_OK);
    EXPECT_EQUAL(swap_put_out(1), 0);
    EXPECT(pde_is_own_table(test_pde()));
    EXPECT_EQUAL(vma_set_flags(&boot_space, test_page(4), 1, 0, VMA_LOCKED), KERR_OK);
    EXPECT_EQUAL(peek(test_page(0)), 1);
    EXPECT_EQUAL(swap_put_out(1), 1); /* that page */
    EXPECT(pde_is_own_table(test_pde()));
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT(pde_is_swapped(test_pde()));
    EXPECT_EQUAL(swap_put_out(1), 0);
    release_pages();
    give_back();
    swap_end();
}

TEST("swap", "a table that holds nothing but promises: is dropped; one full of them folds")
{
    REQUIRE(swap_begin() && fill_pages(PAGES));
    uint32_t free = frame_available(&frame_pool);
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT(pde_is_empty(test_pde()));
    EXPECT_EQUAL(frame_available(&frame_pool), free + PAGES + 1);
    EXPECT_EQUAL(peek(test_page(7)), 0);
    EXPECT_AUDIT();
    release_pages();
    REQUIRE(vma_reserve_at(&boot_space, test_page(0), SLOT_PAGES, RIGHTS_READ_WRITE, "test") ==
            KERR_OK);
    poke(test_page(9), 0);
    EXPECT(pde_is_own_table(test_pde()));
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT(zero_slot_is_untouched(TEST_SLOT));
    EXPECT_EQUAL(peek(test_page(9)), 0);
    EXPECT_AUDIT();
    EXPECT_EQUAL(vma_release(&boot_space, test_page(0), SLOT_PAGES), KERR_OK);
    swap_end();
}

TEST("swap", "a table that is out and released: its slots are free, read once if they must be")
{
    REQUIRE(swap_begin() && fill_pages(0) && put_table_out());
    release_pages();
    EXPECT(pde_is_empty(test_pde()));
    EXPECT_AUDIT();
    give_back();
    REQUIRE(fill_pages(0) && put_table_out());
    empty_ram();
    uint32_t reads = store_disk.reads;
    EXPECT_EQUAL(vma_release(&boot_space, test_page(0), PAGES), KERR_OK);
    EXPECT_EQUAL(store_disk.reads, reads + 1); /* a part of a slot: the table is asked for */
    REQUIRE(vma_reserve_at(&boot_space, test_page(0), SLOT_PAGES, RIGHTS_READ_WRITE, "test") ==
            KERR_OK);
    poke(test_page(9), 10);
    REQUIRE(swap_put_out(1) == 1 && swap_put_out(1) == 1 && pde_is_swapped(test_pde()));
    empty_ram();
    reads = store_disk.reads;
    EXPECT_EQUAL(vma_release(&boot_space, test_page(0), SLOT_PAGES), KERR_OK);
    EXPECT_EQUAL(store_disk.reads, reads); /* a whole one: nobody waits */
    EXPECT_EQUAL(swap_sum().used, 2);
    EXPECT_AUDIT();
    give_back();
    EXPECT_EQUAL(store_disk.reads, reads + 1);
    EXPECT_AUDIT();
    swap_end();
}

TEST("swap", "a part of a table that is out: loses rights, goes, moves, as if it were here")
{
    REQUIRE(swap_begin() && fill_pages(0) && put_table_out());
    empty_ram();
    EXPECT_EQUAL(vma_protect(&boot_space, test_page(0), PAGES / 2, RIGHTS_READ), KERR_OK);
    EXPECT_EQUAL(count_swapped(), PAGES);
    EXPECT_AUDIT();
    expect_pages(test_page(0));
    REQUIRE(put_table_out());
    EXPECT_EQUAL(vma_move(&boot_space, test_page(0), PAGES / 2, page_of_slot(OTHER_SLOT, 3)),
                 KERR_OK);
    EXPECT_AUDIT();
    for (uint32_t i = 0; i < PAGES / 2; i++)
        EXPECT_EQUAL(peek(page_of_slot(OTHER_SLOT, 3 + i)), i + 1);
    EXPECT_EQUAL(peek(test_page(PAGES / 2)), PAGES / 2 + 1);
    EXPECT_EQUAL(vma_release(&boot_space, page_of_slot(OTHER_SLOT, 3), PAGES / 2), KERR_OK);
    EXPECT_EQUAL(vma_release(&boot_space, test_page(PAGES / 2), PAGES / 2), KERR_OK);
    swap_end();
}

TEST("swap", "a slot whose table is out: moves as a whole; promised again, it is forgotten")
{
    REQUIRE(swap_begin());
    REQUIRE(vma_reserve_at(&boot_space, test_page(0), SLOT_PAGES, RIGHTS_READ_WRITE, "test") ==
            KERR_OK);
    for (uint32_t i = 0; i < PAGES; i++)
        poke(test_page(i), i + 1);
    REQUIRE(put_table_out());
    empty_ram();
    vaddr_t other = page_of_slot(OTHER_SLOT, 0);
    EXPECT_EQUAL(vma_move(&boot_space, test_page(0), SLOT_PAGES, other), KERR_OK);
    EXPECT(pde_is_empty(test_pde()) && pde_is_swapped(pde_read(OTHER_SLOT)));
    EXPECT_AUDIT();
    expect_pages(other);
    EXPECT_EQUAL(peek(vaddr_add(other, PAGES << PAGE_SHIFT)), 0);
    REQUIRE(swap_put_out(PAGES) == PAGES && swap_put_out(1) == 1);
    EXPECT(pde_is_swapped(pde_read(OTHER_SLOT)));
    EXPECT_EQUAL(vma_discard(&boot_space, other, SLOT_PAGES), KERR_OK);
    EXPECT_EQUAL(peek(other), 0);
    EXPECT_AUDIT();
    EXPECT_EQUAL(vma_release(&boot_space, other, SLOT_PAGES), KERR_OK);
    give_back();
    swap_end();
}

TEST("swap", "a table that is out, and a fork: each side gets its own, the last one takes it")
{
    static struct space copy;
    REQUIRE(swap_begin() && fill_pages(0) && put_table_out());
    empty_ram();
    REQUIRE(space_fork(&copy) == KERR_OK);
    EXPECT(pde_is_swapped(directory_pde_read(copy.directory, TEST_SLOT)));
    EXPECT_AUDIT();
    poke(test_page(2), 99);
    EXPECT_AUDIT();
    space_switch(&copy);
    expect_pages(test_page(0));
    poke(test_page(4), 55);
    space_switch(&boot_space);
    EXPECT_EQUAL(peek(test_page(2)), 99);
    EXPECT_EQUAL(peek(test_page(4)), 5);
    EXPECT_AUDIT();
    space_destroy(&copy);
    EXPECT_EQUAL(swap_put_out(PAGES), 3); /* two pages that came back, and the table */
    EXPECT(pde_is_swapped(test_pde()));
    REQUIRE(space_fork(&copy) == KERR_OK);
    space_destroy(&copy);
    EXPECT_EQUAL(peek(test_page(2)), 99);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap", "a table of a space that is not loaded: goes, and the space ends without it")
{
    static struct space copy;
    REQUIRE(swap_begin() && fill_pages(0) && space_fork(&copy) == KERR_OK);
    release_pages();
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT(swap_put_out(1) > 0);
    EXPECT(pde_is_swapped(space_pde_read(&copy, TEST_SLOT)));
    EXPECT_AUDIT();
    empty_ram();
    space_destroy(&copy);
    EXPECT_AUDIT();
    give_back();
    swap_end();
}

TEST("swap", "entries of objects in a table that goes: the object says them again")
{
    struct object *object;
    REQUIRE(swap_begin() && fill_pages(0));
    REQUIRE(object_create_anonymous(4, &object) == KERR_OK);
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .object = object, .name = "shared"};
    REQUIRE(vma_map_at(&boot_space, test_page(100), 4, &wish) == KERR_OK);
    poke(test_page(101), 77);
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    for (uint32_t i = 0; i < 2 && !pde_is_swapped(test_pde());
         i++) /* the object's page may go first */
        EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT(pde_is_swapped(test_pde()));
    EXPECT_AUDIT();
    EXPECT_EQUAL(peek(test_page(101)), 77);
    expect_pages(test_page(0));
    EXPECT_EQUAL(vma_release(&boot_space, test_page(100), 4), KERR_OK);
    object_put(object);
    release_pages();
    swap_end();
}

TEST("swap",
     "a table that can't be read, or is being written: the touch is told so; then it is there")
{
    REQUIRE(swap_begin() && fill_pages(0) && put_table_out());
    empty_ram();
    store_disk.fails_at = 1;
    EXPECT_EQUAL(vma_touch(test_page(2), ACCESS_READ, MODE_KERNEL), FAULT_IO_ERROR);
    EXPECT(pde_is_swapped(test_pde()));
    expect_pages(test_page(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    store_disk.holds_back = true;
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT_EQUAL(vma_touch(test_page(2), ACCESS_READ, MODE_KERNEL), FAULT_MUST_WAIT);
    EXPECT_EQUAL(vma_release(&boot_space, test_page(0), PAGES / 2), KERR_MUST_WAIT);
    EXPECT_AUDIT();
    store_disk.holds_back = false;
    store_disk_work();
    expect_pages(test_page(0));
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

/* A whole slot with PAGES pages, whose table is out, is released. */
static bool must_check leave_table_to_nobody(void)
{
    if (!swap_begin() ||
        vma_reserve_at(&boot_space, test_page(0), SLOT_PAGES, RIGHTS_READ_WRITE, "test") != KERR_OK)
        return false;
    for (uint32_t i = 0; i < PAGES; i++)
        poke(test_page(i), i + 1);
    if (!put_table_out())
        return false;
    empty_ram();
    return vma_release(&boot_space, test_page(0), SLOT_PAGES) == KERR_OK &&
           swap_sum().used == PAGES + 1;
}

TEST("swap", "a table of nobody, when no frame is free: is read to the one put by; its slots are "
             "free before anybody is told that nothing can go")
{
    uint32_t freed;
    REQUIRE(leave_table_to_nobody());
    EXPECT_EQUAL(swap_frames_put_by(), 1);
    uint32_t left = frame_available(&frame_pool);
    REQUIRE(frame_set_aside(&frame_pool, left) == KERR_OK);
    store_disk.holds_back = true;
    EXPECT_EQUAL(store_reclaim(1, &freed), KERR_MUST_WAIT);
    EXPECT_EQUAL(swap_frames_put_by(), 0);
    EXPECT_EQUAL(store_reclaim(1, &freed), KERR_MUST_WAIT);
    store_disk.holds_back = false;
    store_disk_work();
    EXPECT_EQUAL(store_reclaim(1, &freed), KERR_NO_MEMORY);
    EXPECT_EQUAL(swap_sum().used, 0);
    EXPECT_EQUAL(swap_frames_put_by(), 1);
    frame_end_set_aside(&frame_pool, left);
    EXPECT_AUDIT();
    swap_end();
    EXPECT_EQUAL(swap_frames_put_by(), 0);
}

TEST("swap",
     "a table of nobody that can't be read: the frame put by is there again, for the next try")
{
    uint32_t freed;
    REQUIRE(leave_table_to_nobody());
    uint32_t left = frame_available(&frame_pool);
    REQUIRE(frame_set_aside(&frame_pool, left) == KERR_OK);
    store_disk.fails_at = 1;
    EXPECT_EQUAL(store_reclaim(1, &freed), KERR_NO_MEMORY);
    EXPECT_EQUAL(store_disk.fails_at, 0);
    EXPECT_EQUAL(swap_sum().used, 0);
    EXPECT_EQUAL(swap_frames_put_by(), 1);
    frame_end_set_aside(&frame_pool, left);
    EXPECT_AUDIT();
    swap_end();
}

TEST("swap", "an area that ends: tables are back before, and their pages")
{
    REQUIRE(swap_begin() && fill_pages(0) && put_table_out());
    empty_ram();
    swap_end();
    EXPECT(pde_is_own_table(test_pde()));
    expect_pages(test_page(0));
    EXPECT_AUDIT();
    release_pages();
}

TEST("swap", "the audit of tables that are out: names of slots, and what their entries hold")
{
    const char *miscounted = "a frame has as many references as entries and owners";
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    frame_t slot_of_page = pte_frame(pte_read(test_page(0)));
    REQUIRE(swap_put_out(1) == 1);
    frame_t slot = pde_frame(test_pde());
    EXPECT_FOUND(pde_slot(TEST_SLOT), test_pde().bits | PTE_COW,
                 "a directory entry is present or empty, or its table is out");
    EXPECT_FOUND(pde_slot(TEST_SLOT), pde_make(slot_of_page, PDE_SWAPPED).bits,
                 "a directory entry whose table is out names a slot with a table");
    volatile uint32_t *references = &frame_record(&frame_pool, slot_of_page)->references;
    empty_ram();
    /* Nobody sees who has it: the last one that is looked at has none left. */
    EXPECT_FOUND(references, *references + 1, "a frame in use has an owner");
    EXPECT_FOUND(references, *references - 1, "the entries of tables that are out hold references");
    references = &frame_record(&frame_pool, slot)->references;
    EXPECT_FOUND(references, *references + 1, miscounted);
    release_pages();
    swap_end();
}
