/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Tests of promises: what they cost (nothing), what they read as (zero), what a write to
 * one does, and what may not be promised. Regions have no part in it: entries say it all.
 */
#include "vm_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/zero.h>

enum { GIB_PAGES = TEST_SLOTS * SLOT_PAGES, LAST_PAGE = SLOT_PAGES - 1 };

static const vaddr_t gib = {TEST_SLOT * SLOT_BYTES};

static vaddr_t page_of_gib(uint32_t page)
{
    return vaddr_add(gib, page << PAGE_SHIFT);
}

static bool promise_gib(void)
{
    return zero_promise_slots(TEST_SLOT, TEST_SLOTS, RIGHTS_READ_WRITE) == KERR_OK;
}

static void release_gib(void)
{
    EXPECT(cow_release(gib, GIB_PAGES) == KERR_OK);
}

TEST("zero", "a GiB promised: takes no frame, and one reference a slot")
{
    struct cost cost;
    frame_t table = zero_table(RIGHTS_READ_WRITE);
    uint32_t references = frame_references(&frame_pool, table);

    cost_start(&cost);
    REQUIRE(promise_gib());
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(frame_references(&frame_pool, table) - references, TEST_SLOTS);
    release_gib();
    EXPECT_EQUAL(frame_references(&frame_pool, table), references);
}

TEST("zero", "every page of a promised GiB read: is zero, takes no frame and no fault")
{
    struct cost cost;
    uint32_t faults = fault_counters.total, bits = 0;

    cost_start(&cost);
    REQUIRE(promise_gib());
    fault_allow_lower_half(true);
    for (uint32_t i = 0; i < GIB_PAGES; i++)
        bits |= *(volatile uint32_t *)vaddr_to_pointer(vaddr_add(page_of_gib(i), i % 1024 * 4));
    fault_allow_lower_half(false);
    EXPECT_EQUAL(bits, 0);
    EXPECT_EQUAL(fault_counters.total - faults, 0);
    EXPECT_COST(cost, 0, 0);
    release_gib();
}

TEST("zero", "one write: takes one table and one frame, and one fault")
{
    struct cost cost;

    REQUIRE(promise_gib());
    cost_start(&cost);
    uint32_t faults = fault_counters.total;
    poke(page_of_gib(5000), 42);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    EXPECT_EQUAL(peek(page_of_gib(5000)), 42);
    EXPECT(page_is_zero_behind(page_of_gib(5000), 1));
    release_gib();
    EXPECT_COST(cost, 0, 0);
}

TEST("zero", "a page written again: takes nothing, not even a fault")
{
    struct cost cost;

    REQUIRE(promise_gib());
    poke(gib, 1);
    cost_start(&cost);
    uint32_t faults = fault_counters.total;
    poke(gib, 2);
    EXPECT_EQUAL(fault_counters.total - faults, 0);
    EXPECT_COST(cost, 0, 0);
    release_gib();
}

TEST("zero", "a second page of a slot written: takes one frame more")
{
    struct cost cost;

    REQUIRE(promise_gib());
    poke(page_of_gib(0), 1);
    cost_start(&cost);
    poke(page_of_gib(1), 2);
    EXPECT_COST(cost, 0, 1);
    EXPECT_EQUAL(peek(page_of_gib(0)), 1);
    EXPECT_EQUAL(peek(page_of_gib(2)), 0);
    release_gib();
}

TEST("zero", "writes at both sides of every eighth 4 MiB border: stay where they are")
{
    enum { STEP = 8, SLOTS = TEST_SLOTS / STEP };
    struct cost cost;

    if (frame_available(&frame_pool) < 5 * SLOTS + 8)
        SKIP("needs 640 KiB of free memory");
    REQUIRE(promise_gib());
    cost_start(&cost);
    /* the slots at the GiB's own edges, and pairs of neighbours between */
    for (uint32_t slot = 0; slot <= TEST_SLOTS; slot += STEP) {
        if (slot > 0)
            poke(page_of_gib(slot * SLOT_PAGES - 1), slot);
        if (slot < TEST_SLOTS)
            poke(page_of_gib(slot * SLOT_PAGES), ~slot);
    }
    EXPECT_COST(cost, 2 * SLOTS, 2 * SLOTS);
    for (uint32_t slot = 0; slot <= TEST_SLOTS; slot += STEP) {
        if (slot > 0) {
            EXPECT_EQUAL(peek(page_of_gib(slot * SLOT_PAGES - 1)), slot);
            EXPECT(page_is_zero_behind(page_of_gib(slot * SLOT_PAGES - 1), 1));
            EXPECT_EQUAL(peek(page_of_gib(slot * SLOT_PAGES - 2)), 0);
        }
        if (slot < TEST_SLOTS) {
            EXPECT_EQUAL(peek(page_of_gib(slot * SLOT_PAGES)), ~slot);
            EXPECT(page_is_zero_behind(page_of_gib(slot * SLOT_PAGES), 1));
            EXPECT_EQUAL(peek(page_of_gib(slot * SLOT_PAGES + 1)), 0);
        }
    }
    release_gib();
    EXPECT_COST(cost, 0, 0);
}

TEST("zero", "every page of a GiB's first and last slot written: each keeps its own value")
{
    struct cost cost;

    if (frame_available(&frame_pool) < 2 * SLOT_PAGES + 8)
        SKIP("needs 8 MiB of free memory");
    REQUIRE(promise_gib());
    cost_start(&cost);
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        poke(page_of_gib(i), i + 1);
        poke(page_of_gib(GIB_PAGES - 1 - i), ~i);
    }
    EXPECT_COST(cost, 2, 2 * SLOT_PAGES);
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        EXPECT_EQUAL(peek(page_of_gib(i)), i + 1);
        EXPECT_EQUAL(peek(page_of_gib(GIB_PAGES - 1 - i)), ~i);
    }
    EXPECT_EQUAL(peek(page_of_gib(SLOT_PAGES)), 0);
    EXPECT_EQUAL(peek(page_of_gib(GIB_PAGES - SLOT_PAGES - 1)), 0);
    release_gib();
    EXPECT_COST(cost, 0, 0);
}

/* Four bytes, two on each side of the border below BORDER: what is there is written whole. */
static void write_across(vaddr_t border, int tables)
{
    struct cost cost;
    vaddr_t at = VADDR(border.v - 2), below = VADDR(border.v - PAGE_BYTES);

    cost_start(&cost);
    poke(at, 0x44332211);
    EXPECT_COST(cost, tables, 2);
    EXPECT_EQUAL(peek(at), 0x44332211);
    EXPECT_EQUAL(peek(border), 0x4433);
    EXPECT_EQUAL(peek(VADDR(border.v - 4)), 0x22110000);
    EXPECT(page_is_zero_behind(border, 1));
    EXPECT_EQUAL(peek(below), 0);
    EXPECT_EQUAL(peek(VADDR(below.v - PAGE_BYTES)), 0);
    EXPECT_EQUAL(peek(VADDR(border.v + PAGE_BYTES)), 0);
}

TEST("zero", "a store across two pages: both become real")
{
    REQUIRE(promise_gib());
    write_across(page_of_gib(700), 1);
    release_gib();
}

TEST("zero", "a store across a 4 MiB border: both tables become real")
{
    REQUIRE(promise_gib());
    write_across(page_of_gib(3 * SLOT_PAGES), 2);
    release_gib();
}

TEST("zero", "a store across the promise's end: is refused, and writes nothing")
{
    REQUIRE(promise_gib());
    vaddr_t end = VADDR(gib.v + (uint32_t)GIB_PAGES * PAGE_BYTES);
    EXPECT_EQUAL(probe_write(VADDR(end.v - 2), ~0u), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(VADDR(end.v - 4)), 0);
    release_gib();
}

TEST("zero", "a read-only promise: reads as zero, refuses writes and takes nothing")
{
    struct cost cost;

    REQUIRE(zero_promise_slots(TEST_SLOT, 1, RIGHTS_READ) == KERR_OK);
    REQUIRE(zero_promise_pages(page_of_slot(TEST_SLOT + 1, 7), 1, RIGHTS_READ) == KERR_OK);
    cost_start(&cost);
    EXPECT_EQUAL(peek(gib), 0);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 1, 7)), 0);
    EXPECT_EQUAL(probe_write(gib, 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(page_of_slot(TEST_SLOT + 1, 7), 1), FAULT_BAD_ACCESS);
    EXPECT(cow_make_real(gib, 1) == KERR_BAD_ACCESS);
    EXPECT(zero_slot_is_untouched(TEST_SLOT));
    EXPECT_COST(cost, 0, 0);
    EXPECT(cow_release(gib, 2 * SLOT_PAGES) == KERR_OK);
}

TEST("zero", "slots of which one is taken: nothing is promised")
{
    REQUIRE(zero_promise_slots(TEST_SLOT + 2, 1, RIGHTS_READ_WRITE) == KERR_OK);
    for (uint32_t count = 3; count <= 9; count++) /* the taken one in every place of a group */
        EXPECT(zero_promise_slots(TEST_SLOT, count, RIGHTS_READ_WRITE) == KERR_EXISTS);
    EXPECT(zero_promise_slots(TEST_SLOT + 2, 1, RIGHTS_READ) == KERR_EXISTS);
    EXPECT(zero_promise_slots(TEST_SLOT + 1, 2, RIGHTS_READ) == KERR_EXISTS);
    for (uint32_t i = 0; i < 9; i++)
        EXPECT_EQUAL(pde_is_present(pde_read(TEST_SLOT + i)), i == 2);
    EXPECT(cow_release(page_of_slot(TEST_SLOT + 2, 0), SLOT_PAGES) == KERR_OK);
}

TEST("zero", "a kept page in the way: nothing is promised over it")
{
    REQUIRE(zero_promise_pages(gib, 1, RIGHTS_READ_WRITE) == KERR_OK);
    poke(gib, 42);
    EXPECT(cow_protect(gib, 1, RIGHTS_NONE) == KERR_OK);
    EXPECT(zero_promise_slots(TEST_SLOT, 1, RIGHTS_READ_WRITE) == KERR_EXISTS);
    EXPECT(zero_promise_pages(gib, 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(pte_is_kept(pte_read(gib)));
    EXPECT(cow_protect(gib, 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(peek(gib), 42);
    EXPECT(cow_release(gib, 2) == KERR_OK);
}

TEST("zero", "pages of a slot: take one table, and what is in use stays")
{
    struct cost cost;

    cost_start(&cost);
    REQUIRE(zero_promise_pages(page_of_gib(10), 10, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_COST(cost, 1, 0);
    poke(page_of_gib(12), 12);
    EXPECT(zero_promise_pages(page_of_gib(5), 20, RIGHTS_READ) == KERR_OK);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(peek(page_of_gib(12)), 12);
    poke(page_of_gib(19), 19);
    EXPECT_EQUAL(probe_write(page_of_gib(9), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(page_of_gib(20), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_of_gib(24)), 0);
    uint32_t value;
    EXPECT_EQUAL(probe_read(page_of_gib(4), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(page_of_gib(25), &value), FAULT_BAD_ACCESS);
    uint32_t boot = 0;
    const char *broken = recount(&boot, 1, TEST_SLOT, 1);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
    EXPECT(cow_release(page_of_gib(5), 20) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
}

TEST("zero", "pages without a frame for their table: nothing changes")
{
    leave_frames(0);
    EXPECT(zero_promise_pages(gib, 1, RIGHTS_READ_WRITE) == KERR_NO_MEMORY);
    all_frames();
    EXPECT_EQUAL(pde_read(TEST_SLOT).bits, 0);
}

TEST("zero", "a write with no frame, or only one: no memory, and the page is zero still")
{
    struct cost cost;

    REQUIRE(promise_gib());
    cost_start(&cost);
    leave_frames(0);
    EXPECT_EQUAL(probe_write(gib, 1), FAULT_NO_MEMORY);
    EXPECT_EQUAL(peek(gib), 0);
    EXPECT(zero_slot_is_untouched(TEST_SLOT));
    EXPECT_COST(cost, 0, 0);
    all_frames();
    leave_frames(1);
    EXPECT_EQUAL(probe_write(gib, 1), FAULT_NO_MEMORY);
    EXPECT_EQUAL(peek(gib), 0);
    EXPECT_COST(cost, 0, 0); /* no table is made for a page that finds no frame */
    all_frames();
    poke(gib, 1);
    EXPECT_COST(cost, 1, 1);
    release_gib();
    EXPECT_COST(cost, 0, 0);
}

TEST("zero", "memory used up by writes: the last one is refused, and all comes back")
{
    enum { FRAMES = 64 };
    struct cost cost;
    uint32_t written = 0;

    if (frame_available(&frame_pool) < FRAMES)
        SKIP("needs 256 KiB of free memory");
    cost_start(&cost);
    REQUIRE(promise_gib());
    leave_frames(FRAMES);
    while (probe_write(page_of_gib(written * 300), written + 1) == FAULT_RESOLVED)
        written++;
    EXPECT_EQUAL(frame_available(&frame_pool), 0);
    for (uint32_t i = 0; i < written; i++)
        EXPECT_EQUAL(peek(page_of_gib(i * 300)), i + 1);
    EXPECT_EQUAL(peek(page_of_gib(written * 300)), 0);
    release_gib();
    EXPECT_EQUAL(frame_available(&frame_pool), FRAMES);
    all_frames();
    EXPECT_COST(cost, 0, 0);
}

TEST("zero", "untouched: as long as the whole slot is a promise")
{
    EXPECT(!zero_slot_is_untouched(TEST_SLOT));
    REQUIRE(zero_promise_pages(gib, SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(!zero_slot_is_untouched(TEST_SLOT));
    EXPECT(cow_release(gib, SLOT_PAGES) == KERR_OK);
    REQUIRE(zero_promise_slots(TEST_SLOT, 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(zero_slot_is_untouched(TEST_SLOT));
    poke(page_of_gib(LAST_PAGE), 1);
    EXPECT(!zero_slot_is_untouched(TEST_SLOT));
    EXPECT(zero_slot_is_untouched(TEST_SLOT + 1));
    EXPECT(cow_release(gib, 2 * SLOT_PAGES) == KERR_OK);
}

TEST("zero", "entries: the CPU need not write to a zero table, and user mode is the PDE's choice")
{
    static const enum rights rights[] = {RIGHTS_READ, RIGHTS_READ_WRITE, RIGHTS_READ | RIGHTS_USER,
                                         RIGHTS_READ_WRITE | RIGHTS_USER};

    for (unsigned i = 0; i < ARRAY_LENGTH(rights); i++) {
        REQUIRE(zero_promise_slots(TEST_SLOT, 1, rights[i]) == KERR_OK);
        pde_t pde = pde_read(TEST_SLOT);
        pte_t pte = pte_read(page_of_gib(LAST_PAGE));
        EXPECT(pde_is_shared(pde) && (pde.bits & (ENTRY_GLOBAL | PDE_LARGE)) == 0);
        EXPECT_EQUAL((pde.bits & ENTRY_USER) != 0, (rights[i] & RIGHTS_USER) != 0);
        EXPECT_EQUAL(pte.bits, zero_pte(rights[i]).bits);
        EXPECT((pte.bits & (ENTRY_ACCESSED | ENTRY_USER)) == (ENTRY_ACCESSED | ENTRY_USER));
        EXPECT((pte.bits & (ENTRY_GLOBAL | ENTRY_WRITABLE)) == 0);
        EXPECT_EQUAL(pte_is_cow(pte), (rights[i] & RIGHTS_WRITE) != 0);
        EXPECT(cow_release(gib, SLOT_PAGES) == KERR_OK);
    }
}

TEST("zero", "the window page of a promised slot: refuses a store")
{
    REQUIRE(promise_gib());
    uint32_t before = pte_read(gib).bits;
    EXPECT_EQUAL(probe_write(pointer_to_vaddr(pte_slot(gib)), 0), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(pte_read(gib).bits, before);
    release_gib();
}

PANIC_TEST("store-zero-table")
{
    if (promise_gib())
        *pte_slot(gib) = 0;
}
