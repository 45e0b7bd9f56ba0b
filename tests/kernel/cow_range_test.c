/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Tests of what release, protect, discard and making real leave of a range of pages, below
 * tables of one's own and shared ones.
 */
#include "cow_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/zero.h>

/* ---- release ---- */

TEST("cow", "release of slots untouched, written, shared and empty at once: all are empty")
{
    struct cost cost;

    REQUIRE(sides_make(2));
    cost_start(&cost);
    REQUIRE(zero_promise_slots(TEST_SLOT, 6, RIGHTS_READ_WRITE) == KERR_OK);
    poke(page_of_slot(TEST_SLOT, 9), 9);
    cow_share(TEST_SLOT, 1, cow_sides[1]);
    poke(page_of_slot(TEST_SLOT + 2, 9), 9);
    EXPECT(cow_release(page_of_slot(TEST_SLOT + 4, 0), SLOT_PAGES) == KERR_OK);
    leave_frames(0);
    EXPECT(cow_release(first_page, 7 * SLOT_PAGES) == KERR_OK); /* a release of slots is free */
    all_frames();
    for (uint32_t i = 0; i < 7; i++)
        EXPECT_EQUAL(pde_read(TEST_SLOT + i).bits, 0);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(look_on(1, page_of_slot(TEST_SLOT, 9)), 9);
    sides_end();
}

TEST("cow", "release of parts of a slot: the rest stays, and the last part takes the table along")
{
    struct cost cost;

    cost_start(&cost);
    REQUIRE(zero_promise_pages(first_page, 8, RIGHTS_READ_WRITE) == KERR_OK);
    for (uint32_t i = 0; i < 8; i += 2)
        poke(page_of_slot(TEST_SLOT, i), i + 1);
    EXPECT_COST(cost, 1, 4);
    EXPECT(cow_release(page_of_slot(TEST_SLOT, 3), 2) == KERR_OK); /*  ---..---  */
    EXPECT_COST(cost, 1, 3);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 2)), 3);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 3)), REFUSED);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 4)), REFUSED);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 5)), 0);
    EXPECT(cow_release(first_page, 4) == KERR_OK); /*  .....---  */
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 6)), 7);
    EXPECT(cow_release(first_page, 8) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(pde_read(TEST_SLOT).bits, 0);
}

TEST("cow", "release of nothing but holes: nothing happens")
{
    struct cost cost;

    cost_start(&cost);
    EXPECT(cow_release(page_of_slot(TEST_SLOT, 5), 3 * SLOT_PAGES) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
}

TEST("cow", "release of half a slot, a whole one and half of the next: the edges stay")
{
    REQUIRE(zero_promise_slots(TEST_SLOT, 3, RIGHTS_READ_WRITE) == KERR_OK);
    for (uint32_t i = 0; i < 3; i++) {
        poke(page_of_slot(TEST_SLOT + i, 0), 10 + i);
        poke(page_of_slot(TEST_SLOT + i, LAST_PAGE), 20 + i);
    }
    EXPECT(cow_release(page_of_slot(TEST_SLOT, 512), 2 * SLOT_PAGES) == KERR_OK);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 511)), 0);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 0)), 10);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 512)), REFUSED);
    EXPECT_EQUAL(pde_read(TEST_SLOT + 1).bits, 0);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT + 2, 511)), REFUSED);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT + 2, 512)), 0);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT + 2, LAST_PAGE)), 22);
    EXPECT(cow_release(first_page, 3 * SLOT_PAGES) == KERR_OK);
}

TEST("cow", "release of a part of an untouched promise: the whole slot is empty, at no cost")
{
    struct cost cost;

    REQUIRE(promise_slots());
    cost_start(&cost);
    EXPECT(cow_release(page_of_slot(TEST_SLOT, 100), 1) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(pde_read(TEST_SLOT).bits, 0);
    EXPECT(zero_slot_is_untouched(TEST_SLOT + 1));
    release_slots();
}

TEST("cow", "release of a part of a shared table: is a copy's matter, the other side keeps all")
{
    struct cost cost;

    REQUIRE(sides_make(2));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    poke(second_page, 2);
    share_slots(0, 1);
    cost_start(&cost);
    EXPECT(cow_release(first_page, 1) == KERR_OK);
    EXPECT_COST(cost, 1, 0);
    EXPECT_EQUAL(look(first_page), REFUSED);
    EXPECT_EQUAL(look(second_page), 2);
    EXPECT_EQUAL(look_on(1, first_page), 1);
    EXPECT_EQUAL(look_on(1, second_page), 2);
    EXPECT_WHOLE();
    release_and_end();
}

TEST("cow", "the lower half dropped: never needs memory, and what others share stays")
{
    REQUIRE(share_written());
    write_on(1, second_page, 2);
    on_side(0);
    leave_frames(0);
    cow_drop_lower_half(cow_sides[1]);
    all_frames();
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++)
        EXPECT_EQUAL(directory_pde_read(cow_sides[1], slot).bits, 0);
    EXPECT_EQUAL(look(first_page), 1);
    EXPECT_WHOLE();
    release_and_end();
}

/* ---- protect ---- */

/* PAGE, which holds VALUE, allows what RIGHTS say; a write leaves the value. */
static void expect_rights(vaddr_t page, enum rights rights, uint32_t value)
{
    EXPECT_EQUAL(look(page), rights == RIGHTS_NONE ? REFUSED : value);
    EXPECT_EQUAL(probe_write(page, value),
                 rights & RIGHTS_WRITE ? FAULT_RESOLVED : FAULT_BAD_ACCESS);
}

/* Every pair of rights on PAGE, which holds VALUE and is writable. */
static void every_pair_of_rights(vaddr_t page, uint32_t value)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(all_rights); i++)
        for (unsigned j = 0; j < ARRAY_LENGTH(all_rights); j++) {
            EXPECT(cow_protect(page, 1, all_rights[i]) == KERR_OK);
            expect_rights(page, all_rights[i], value);
            EXPECT(cow_protect(page, 1, all_rights[j]) == KERR_OK);
            expect_rights(page, all_rights[j], value);
            EXPECT_WHOLE();
        }
    EXPECT(cow_protect(page, 1, RIGHTS_READ_WRITE) == KERR_OK);
    expect_rights(page, RIGHTS_READ_WRITE, value);
}

TEST("cow", "protect of a written page, every pair of rights: its data survives, no frame is taken")
{
    struct cost cost;

    REQUIRE(sides_make(1));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    cost_start(&cost);
    every_pair_of_rights(first_page, 1);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(look(second_page), 0);
    release_slots();
}

TEST("cow",
     "protect of an unwritten page, every pair of rights: it is zero, and private if written")
{
    REQUIRE(sides_make(1));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    every_pair_of_rights(second_page, 0);
    EXPECT(pte_frame(pte_read(second_page)).n != zero_frame.n);
    EXPECT_EQUAL(pte_frame(pte_read(page_of_slot(TEST_SLOT, 2))).n, zero_frame.n);
    release_slots();
}

TEST("cow", "protect of a shared page, every pair of rights: the other side keeps data and rights")
{
    REQUIRE(share_written());
    every_pair_of_rights(first_page, 1);
    poke(first_page, 2);
    on_side(1);
    expect_rights(first_page, RIGHTS_READ_WRITE, 1);
    EXPECT_EQUAL(look_on(0, first_page), 2);
    EXPECT_WHOLE();
    release_and_end();
}

TEST("cow", "protect below a shared table: changes one side only")
{
    REQUIRE(share_written());
    EXPECT(cow_protect(first_page, 1, RIGHTS_READ) == KERR_OK);
    on_side(1);
    expect_rights(first_page, RIGHTS_READ_WRITE, 1);
    on_side(0);
    expect_rights(first_page, RIGHTS_READ, 1);
    release_and_end();
}

TEST("cow", "protect of whole untouched slots: stays a promise, or is empty, at no cost")
{
    struct cost cost;

    REQUIRE(promise_slots());
    cost_start(&cost);
    EXPECT(cow_protect(first_page, SLOTS * SLOT_PAGES, RIGHTS_READ) == KERR_OK);
    EXPECT(zero_slot_is_untouched(TEST_SLOT) && zero_slot_is_untouched(TEST_SLOT + 1));
    expect_rights(first_page, RIGHTS_READ, 0);
    EXPECT(cow_protect(first_page, SLOTS * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(zero_slot_is_untouched(TEST_SLOT));
    EXPECT(cow_protect(first_page, SLOTS * SLOT_PAGES, RIGHTS_NONE) == KERR_OK);
    EXPECT_EQUAL(pde_read(TEST_SLOT).bits, 0);
    EXPECT_COST(cost, 0, 0);
    release_slots();
}

TEST("cow", "protect of empty pages: they stay empty")
{
    REQUIRE(zero_promise_pages(page_of_slot(TEST_SLOT, 2), 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(cow_protect(first_page, 2 * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(pte_is_empty(pte_read(second_page)));
    EXPECT_EQUAL(pde_read(TEST_SLOT + 1).bits, 0);
    release_slots();
}

/* ---- discard ---- */

TEST("cow", "discard of pages: they are zero again, and their frames are free")
{
    struct cost cost;

    REQUIRE(promise_slots());
    for (uint32_t i = 0; i < 4; i++)
        poke(page_of_slot(TEST_SLOT, i), i + 1);
    cost_start(&cost);
    EXPECT(cow_discard(second_page, 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_COST(cost, 0, -2);
    EXPECT_EQUAL(look(first_page), 1);
    EXPECT_EQUAL(look(second_page), 0);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 2)), 0);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 3)), 4);
    poke(second_page, 9);
    EXPECT_EQUAL(look(page_of_slot(TEST_SLOT, 2)), 0);
    release_slots();
}

TEST("cow", "discard of a whole slot: is a promise again, without a table")
{
    struct cost cost;

    REQUIRE(promise_slots());
    cost_start(&cost);
    poke(first_page, 1);
    EXPECT_COST(cost, 1, 1);
    leave_frames(0);
    EXPECT(cow_discard(first_page, SLOTS * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    all_frames();
    EXPECT_COST(cost, 0, 0);
    EXPECT(zero_slot_is_untouched(TEST_SLOT) && zero_slot_is_untouched(TEST_SLOT + 1));
    expect_rights(first_page, RIGHTS_READ_WRITE, 0);
    release_slots();
}

TEST("cow", "discard of a shared page: the other side keeps its data")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    poke(second_page, 2);
    share_slots(0, 1);
    EXPECT(cow_discard(first_page, 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(look(first_page), 0);
    EXPECT_EQUAL(look(second_page), 2);
    EXPECT_EQUAL(look_on(1, first_page), 1);
    EXPECT_WHOLE();
    release_and_end();
}

TEST("cow", "discard of a kept page and of a shared mapping: both are empty, and nothing is seen")
{
    struct cost cost;

    REQUIRE(make_sorts());
    vaddr_t kept = page_of_slot(TEST_SLOT, KEPT), mapped = page_of_slot(TEST_SLOT, MAPPED);
    EXPECT_EQUAL(peek(mapped), 1 + MAPPED); /* the CPU knows it from here on */
    cost_start(&cost);
    EXPECT(cow_discard(kept, 1, RIGHTS_NONE) == KERR_OK);
    EXPECT(cow_discard(mapped, 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_COST(cost, 0, -2);
    EXPECT(pte_is_empty(pte_read(kept)) && pte_is_empty(pte_read(mapped)));
    uint32_t value;
    EXPECT_EQUAL(probe_read(mapped, &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT, OWN)), 1 + OWN);
    release_slots();
}

TEST("cow", "discard of empty pages: they stay empty")
{
    REQUIRE(zero_promise_pages(first_page, 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(cow_discard(first_page, 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(pte_is_empty(pte_read(second_page)));
    EXPECT(cow_discard(page_of_slot(TEST_SLOT + 1, 0), 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(pde_read(TEST_SLOT + 1).bits, 0);
    release_slots();
}

/* ---- make real ---- */

TEST("cow", "pages made real: are written without a fault")
{
    struct cost cost;

    REQUIRE(promise_slots());
    cost_start(&cost);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, LAST_PAGE), 3) == KERR_OK);
    EXPECT_COST(cost, 2, 3);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, LAST_PAGE), 3) == KERR_OK);
    EXPECT_COST(cost, 2, 3);
    uint32_t faults = fault_counters.total;
    for (uint32_t i = 0; i < 3; i++)
        poke(page_of_slot(TEST_SLOT, LAST_PAGE + i), i);
    EXPECT_EQUAL(fault_counters.total - faults, 0);
    release_slots();
}

TEST("cow", "an empty or read-only page made real: bad access")
{
    REQUIRE(make_sorts());
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, READ_ONLY), 1) == KERR_BAD_ACCESS);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, KEPT), 1) == KERR_BAD_ACCESS);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, EMPTY), 1) == KERR_BAD_ACCESS);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT + 1, 0), 1) == KERR_BAD_ACCESS);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, MAPPED), 1) == KERR_OK);
    release_slots();
}
