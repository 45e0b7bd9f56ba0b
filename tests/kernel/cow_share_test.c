/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Tests of copy-on-write at both levels: what is shared, who copies and who takes, and
 * what becomes of every sort of entry. "Side n" is a directory of its own (cow_testing.h).
 */
#include "cow_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/zero.h>

/* ---- sharing ---- */

TEST("cow", "sharing: costs no frame, makes both sides read-only, and counts the table")
{
    struct cost cost;

    REQUIRE(sides_make(2));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    cost_start(&cost);
    share_slots(0, 1);
    EXPECT_COST(cost, 0, 0);
    for (uint32_t side = 0; side < 2; side++) {
        pde_t pde = directory_pde_read(cow_sides[side], TEST_SLOT);
        EXPECT(pde_is_shared(pde) && (pde.bits & ENTRY_WRITABLE) == 0);
        EXPECT_EQUAL(table_references(side, TEST_SLOT), 2);
        EXPECT_EQUAL(page_references(side, first_page), 1);
        EXPECT_EQUAL(look_on(side, first_page), 1);
    }
    EXPECT_WHOLE();
    on_side(0);
    release_slots();
    EXPECT_COST(cost, 0, 0);
    cow_drop_lower_half(cow_sides[1]);
    EXPECT_COST(cost, -1, -1);
    sides_end();
}

TEST("cow", "a table shared again and again: counts every directory")
{
    REQUIRE(sides_make(4));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    uint32_t zero_references = table_references(0, TEST_SLOT + 1);
    share_slots(0, 1);
    share_slots(1, 2);
    share_slots(0, 3);
    EXPECT_EQUAL(table_references(0, TEST_SLOT), 4);
    EXPECT_EQUAL(table_references(0, TEST_SLOT + 1), zero_references + 3);
    EXPECT_WHOLE();
    write_on(2, first_page, 2);
    EXPECT_EQUAL(table_references(0, TEST_SLOT), 3);
    EXPECT_EQUAL(table_references(2, TEST_SLOT), 1);
    EXPECT_EQUAL(page_references(2, first_page), 1);
    EXPECT_EQUAL(page_references(0, first_page), 1);
    EXPECT_EQUAL(page_references(0, second_page), page_references(2, second_page));
    EXPECT_WHOLE();
    release_and_end();
}

TEST("cow", "the window page of a shared table: is read-only")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    EXPECT((pte_read(window_page(first_page)).bits & ENTRY_WRITABLE) != 0);
    share_slots(0, 1);
    for (uint32_t side = 0; side < 2; side++) {
        on_side(side);
        uint32_t before = pte_read(first_page).bits;
        EXPECT((pte_read(window_page(first_page)).bits & ENTRY_WRITABLE) == 0);
        EXPECT_EQUAL(probe_write(pointer_to_vaddr(pte_slot(first_page)), 0), FAULT_BAD_ACCESS);
        EXPECT_EQUAL(pte_read(first_page).bits, before);
    }
    release_and_end();
}

TEST("cow", "a store into the window page of a shared table: is refused by its entry alone")
{
    REQUIRE(zero_promise_slots(TEST_SLOT, 1, RIGHTS_READ_WRITE) == KERR_OK);
    uint32_t free = frame_pool.totals[FRAME_FREE];
    /* The PDE, read as a PTE: SHARED is no COW, or the zero table would be "copied". */
    EXPECT_EQUAL(cow_write(window_page(slot_to_vaddr(TEST_SLOT))), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], free);
    EXPECT(cow_release(slot_to_vaddr(TEST_SLOT), SLOT_PAGES) == KERR_OK);
}

TEST("cow", "a range that ends a page before the end of a slot: leaves that page")
{
    vaddr_t kept = page_of_slot(TEST_SLOT + 1, SLOT_PAGES - 1);
    REQUIRE(zero_promise_slots(TEST_SLOT, 2, RIGHTS_READ_WRITE) == KERR_OK);
    poke(kept, 1);
    poke(page_of_slot(TEST_SLOT + 1, SLOT_PAGES - 2), 2);
    EXPECT(cow_discard(slot_to_vaddr(TEST_SLOT), 2 * SLOT_PAGES - 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(peek(kept), 1);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 1, SLOT_PAGES - 2)), 0);
    EXPECT(cow_release(slot_to_vaddr(TEST_SLOT), 2 * SLOT_PAGES - 1) == KERR_OK);
    EXPECT_EQUAL(peek(kept), 1);
    EXPECT(pde_is_own_table(pde_read(TEST_SLOT + 1)) && !pde_is_present(pde_read(TEST_SLOT)));
    EXPECT(cow_release(kept, 1) == KERR_OK);
}

TEST("cow", "a write below a shared table: copies table and frame, and the other side stays")
{
    struct cost cost;
    struct cow_counters before;

    REQUIRE(share_written());
    before = cow_counters;
    cost_start(&cost);
    on_side(1);
    uint32_t faults = fault_counters.total;
    poke(first_page, 2);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(cow_counters.tables_copied - before.tables_copied, 1);
    EXPECT_EQUAL(cow_counters.frames_copied - before.frames_copied, 1);
    EXPECT_EQUAL(look_on(1, first_page), 2);
    EXPECT_EQUAL(look_on(0, first_page), 1);
    EXPECT_WHOLE();
    release_and_end();
}

TEST("cow", "a frame with one reference below a shared table: is copied, not taken")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    frame_t frame = pte_frame(pte_read(first_page));
    share_slots(0, 1);
    EXPECT_EQUAL(frame_references(&frame_pool, frame), 1);
    write_on(0, first_page, 2); /* the owner itself: the other side has only the table's promise */
    EXPECT(pte_frame(pte_in(cow_sides[0], first_page)).n != frame.n);
    EXPECT_EQUAL(pte_frame(pte_in(cow_sides[1], first_page)).n, frame.n);
    EXPECT_EQUAL(look_on(1, first_page), 1);
    release_and_end();
}

/* No directory is loaded between the two writes: what the TLB knows of the page is all there is. */
TEST("cow", "a page just written, then shared: the next write is caught, TLB or not")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise_slots());
    poke(first_page, 1);
    cow_share(TEST_SLOT, SLOTS, cow_sides[1]);
    poke(first_page, 2);
    EXPECT_EQUAL(look(first_page), 2);
    EXPECT_EQUAL(look_on(1, first_page), 1);
    release_and_end();
}

TEST("cow", "a table unshared: its window page shows the new one, TLB or not")
{
    REQUIRE(share_written());
    EXPECT(pte_is_writable(pte_read(first_page))); /* the TLB knows the window page from here on */
    EXPECT(cow_unshare(TEST_SLOT) == KERR_OK);
    /* The other side's table loses an entry behind its back, by way of a temporary page. */
    frame_t old = pde_frame(directory_pde_read(cow_sides[1], TEST_SLOT));
    uint32_t *entries = temp_map(TEMP_FRAME, old);
    uint32_t entry = entries[0];
    entries[0] = 0;
    EXPECT_EQUAL(pte_read(first_page).bits, entry);
    entries[0] = entry;
    temp_unmap(TEMP_FRAME);
    release_and_end();
}

TEST("cow", "the last owner of an uncopied table: takes table and frame as they are")
{
    struct cost cost;
    struct cow_counters before;

    REQUIRE(share_written());
    sides_end();
    before = cow_counters;
    cost_start(&cost);
    poke(first_page, 2);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(cow_counters.tables_taken - before.tables_taken, 1);
    EXPECT_EQUAL(cow_counters.tables_copied - before.tables_copied, 0);
    EXPECT_EQUAL(cow_counters.frames_copied - before.frames_copied, 0);
    EXPECT((pte_read(window_page(first_page)).bits & ENTRY_WRITABLE) != 0);
    EXPECT_EQUAL(look(first_page), 2);
    EXPECT_WHOLE();
    release_slots();
}

TEST("cow", "the last owner after a copy: takes back what is counted once")
{
    struct cost cost;
    struct cow_counters before;

    REQUIRE(share_written());
    write_on(1, second_page, 2);
    EXPECT_EQUAL(page_references(0, first_page), 2);
    sides_end();
    EXPECT_EQUAL(page_references(0, first_page), 1);
    before = cow_counters;
    cost_start(&cost);
    poke(first_page, 3);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(cow_counters.tables_taken - before.tables_taken, 1);
    EXPECT_EQUAL(cow_counters.frames_taken - before.frames_taken, 1);
    EXPECT_EQUAL(look(first_page), 3);
    EXPECT_EQUAL(look(second_page), 0);
    release_slots();
}

TEST("cow", "a write by the sole owner: the pages behind are taken back with it")
{
    struct cow_counters before;

    REQUIRE(sides_make(2));
    REQUIRE(promise_slots());
    for (uint32_t i = 0; i < 20; i++)
        if (i != 12)
            poke(vaddr_add(first_page, i * PAGE_BYTES), i);
    share_slots(0, 1);
    write_on(1, first_page, 100);
    sides_end();
    before = cow_counters;
    poke(first_page, 200);
    EXPECT_EQUAL(cow_counters.frames_taken - before.frames_taken, 8);
    poke(vaddr_add(first_page, 7 * PAGE_BYTES), 7);
    EXPECT_EQUAL(cow_counters.frames_taken - before.frames_taken, 8);
    poke(vaddr_add(first_page, 8 * PAGE_BYTES), 8);
    EXPECT_EQUAL(cow_counters.frames_taken - before.frames_taken, 12);
    EXPECT_EQUAL(look(vaddr_add(first_page, 12 * PAGE_BYTES)), 0);
    for (uint32_t i = 1; i < 20; i++)
        EXPECT_EQUAL(look(vaddr_add(first_page, i * PAGE_BYTES)), i == 12 ? 0 : i);
    release_slots();
}

/* ---- unsharing: every sort of entry ---- */

TEST("cow", "a table copied: private entries are read-only and COW in both, others unchanged")
{
    pte_t before[SORTS];

    REQUIRE(sides_make(2));
    REQUIRE(make_sorts());
    share_slots(0, 1);
    for (unsigned sort = 0; sort < SORTS; sort++)
        before[sort] = pte_read(page_of_slot(TEST_SLOT, sort));
    EXPECT(pte_is_writable(before[OWN]) && pte_is_kept(before[KEPT]));
    EXPECT(cow_unshare(TEST_SLOT) == KERR_OK);
    EXPECT_EQUAL(table_references(0, TEST_SLOT), 1);
    EXPECT_EQUAL(table_references(1, TEST_SLOT), 1);
    for (unsigned sort = 0; sort < SORTS; sort++) {
        vaddr_t page = page_of_slot(TEST_SLOT, sort);
        pte_t after = pte_in(cow_sides[0], page);
        EXPECT_EQUAL(after.bits, pte_in(cow_sides[1], page).bits);
        if (sort == OWN)
            EXPECT(pte_is_cow(after) && !pte_is_writable(after) &&
                   pte_frame(after).n == pte_frame(before[OWN]).n);
        else
            EXPECT_EQUAL(after.bits, before[sort].bits);
        if (sort != PROMISED && sort != EMPTY)
            EXPECT_EQUAL(frame_references(&frame_pool, pte_frame(after)), 2);
    }
    EXPECT_WHOLE();
    release_and_end();
}

TEST("cow", "a shared mapping below shared tables: stays one frame for all, whoever writes")
{
    REQUIRE(sides_make(3));
    REQUIRE(make_sorts());
    vaddr_t mapped = page_of_slot(TEST_SLOT, MAPPED);
    share_slots(0, 1);
    share_slots(1, 2);
    for (uint32_t side = 0; side < 3; side++) {
        write_on(side, mapped, 100 + side);
        for (uint32_t other = 0; other < 3; other++)
            EXPECT_EQUAL(look_on(other, mapped), 100 + side);
        EXPECT_WHOLE();
    }
    EXPECT_EQUAL(page_references(0, mapped), 3);
    release_and_end();
}

TEST("cow", "a page without rights shared: is private again on each side that gets rights back")
{
    vaddr_t kept = page_of_slot(TEST_SLOT, KEPT);

    REQUIRE(sides_make(2));
    REQUIRE(make_sorts());
    share_slots(0, 1);
    on_side(1);
    EXPECT(cow_protect(kept, 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(look(kept), 1 + KEPT);
    poke(kept, 77);
    EXPECT_EQUAL(look_on(0, kept), REFUSED);
    EXPECT(cow_protect(kept, 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(look(kept), 1 + KEPT);
    poke(kept, 78);
    EXPECT_EQUAL(look_on(1, kept), 77);
    EXPECT_WHOLE();
    release_and_end();
}

TEST("cow", "a refused write below a shared table: copies nothing")
{
    struct cost cost;

    REQUIRE(sides_make(2));
    REQUIRE(make_sorts());
    share_slots(0, 1);
    cost_start(&cost);
    EXPECT_EQUAL(probe_write(page_of_slot(TEST_SLOT, READ_ONLY), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(page_of_slot(TEST_SLOT, KEPT), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(page_of_slot(TEST_SLOT, EMPTY), 1), FAULT_BAD_ACCESS);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(table_references(0, TEST_SLOT), 2);
    release_and_end();
}
