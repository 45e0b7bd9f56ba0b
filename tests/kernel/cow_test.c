/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Tests of copy-on-write at both levels: what is shared, who copies and who takes, what
 * release, protect and discard leave, and that a change of the kernel half is seen in every
 * directory. "Side n" is a directory of its own; side 0 is the boot directory.
 */
#include "vm_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <kernel/printk.h>
#include <mm/cow.h>
#include <mm/zero.h>

enum { SIDES_MAX = 4, SLOTS = 2, LAST_PAGE = SLOT_PAGES - 1 };

/* No page of these tests holds it: a read that is refused. */
#define REFUSED 0xDEADDEADu

static const vaddr_t first_page = {TEST_SLOT * SLOT_BYTES};
static const vaddr_t second_page = {TEST_SLOT * SLOT_BYTES + PAGE_BYTES};

/* ---- sides ---- */

static uint32_t sides[SIDES_MAX]; /* sides[0] is 0 for ever */
static uint32_t side_count;

static void on(uint32_t side)
{
    directory_load(sides[side]);
}

static void sides_end(void)
{
    on(0);
    while (side_count > 1)
        directory_end(sides[--side_count]);
}

static bool must_check sides_make(uint32_t count)
{
    for (side_count = 1; side_count < count; side_count++)
        if (!directory_make(&sides[side_count])) {
            sides_end();
            return false;
        }
    return true;
}

/* FROM, which becomes the current side, shares the test's slots with TO. */
static void share(uint32_t from, uint32_t to)
{
    on(from);
    cow_share(TEST_SLOT, SLOTS, sides[to]);
}

/* A word at ADDRESS as the current side sees it, or REFUSED. */
static uint32_t look(vaddr_t address)
{
    uint32_t value;
    return probe_read(address, &value) == FAULT_RESOLVED ? value : REFUSED;
}

static uint32_t look_on(uint32_t side, vaddr_t address)
{
    on(side);
    return look(address);
}

static void write_on(uint32_t side, vaddr_t address, uint32_t value)
{
    on(side);
    poke(address, value);
}

static bool must_check promise(void)
{
    on(0);
    return zero_promise_slots(TEST_SLOT, SLOTS, RIGHTS_READ_WRITE) == KERR_OK;
}

/* Release what the current side has in the test's slots. */
static void release_all(void)
{
    EXPECT(cow_release(first_page, SLOTS * SLOT_PAGES) == KERR_OK);
}

static void release_and_end(void)
{
    on(0);
    release_all();
    sides_end();
}

static void expect_whole(int line)
{
    const char *broken = recount(sides, side_count, TEST_SLOT, SLOTS);
    if (broken != NULL)
        test_fail(__FILE__, line, broken);
}
#define EXPECT_WHOLE() expect_whole(__LINE__)

static uint32_t table_references(uint32_t side, uint32_t slot)
{
    return frame_references(&frame_pool, pde_frame(directory_pde_read(sides[side], slot)));
}

static uint32_t page_references(uint32_t side, vaddr_t page)
{
    return frame_references(&frame_pool, pte_frame(pte_in(sides[side], page)));
}

/* ---- sharing ---- */

TEST("cow", "sharing: costs no frame, makes both sides read-only, and counts the table")
{
    struct cost cost;

    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    cost_start(&cost);
    share(0, 1);
    EXPECT_COST(cost, 0, 0);
    for (uint32_t side = 0; side < 2; side++) {
        pde_t pde = directory_pde_read(sides[side], TEST_SLOT);
        EXPECT(pde_is_shared(pde) && (pde.bits & ENTRY_WRITABLE) == 0);
        EXPECT_EQUAL(table_references(side, TEST_SLOT), 2);
        EXPECT_EQUAL(page_references(side, first_page), 1);
        EXPECT_EQUAL(look_on(side, first_page), 1);
    }
    EXPECT_WHOLE();
    on(0);
    release_all();
    EXPECT_COST(cost, 0, 0);
    cow_drop_lower_half(sides[1]);
    EXPECT_COST(cost, -1, -1);
    sides_end();
}

TEST("cow", "a table shared again and again: counts every directory")
{
    REQUIRE(sides_make(4));
    REQUIRE(promise());
    poke(first_page, 1);
    uint32_t zero_references = table_references(0, TEST_SLOT + 1);
    share(0, 1);
    share(1, 2);
    share(0, 3);
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
    REQUIRE(promise());
    poke(first_page, 1);
    EXPECT((pte_read(window_page(first_page)).bits & ENTRY_WRITABLE) != 0);
    share(0, 1);
    for (uint32_t side = 0; side < 2; side++) {
        on(side);
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

    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    share(0, 1);
    before = cow_counters;
    cost_start(&cost);
    on(1);
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
    REQUIRE(promise());
    poke(first_page, 1);
    frame_t frame = pte_frame(pte_read(first_page));
    share(0, 1);
    EXPECT_EQUAL(frame_references(&frame_pool, frame), 1);
    write_on(0, first_page, 2); /* the owner itself: the other side has only the table's promise */
    EXPECT(pte_frame(pte_in(sides[0], first_page)).n != frame.n);
    EXPECT_EQUAL(pte_frame(pte_in(sides[1], first_page)).n, frame.n);
    EXPECT_EQUAL(look_on(1, first_page), 1);
    release_and_end();
}

/* No directory is loaded between the two writes: what the TLB knows of the page is all there is. */
TEST("cow", "a page just written, then shared: the next write is caught, TLB or not")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    cow_share(TEST_SLOT, SLOTS, sides[1]);
    poke(first_page, 2);
    EXPECT_EQUAL(look(first_page), 2);
    EXPECT_EQUAL(look_on(1, first_page), 1);
    release_and_end();
}

TEST("cow", "a table unshared: its window page shows the new one, TLB or not")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    share(0, 1);
    EXPECT(pte_is_writable(pte_read(first_page))); /* the TLB knows the window page from here on */
    EXPECT(cow_unshare(TEST_SLOT) == KERR_OK);
    /* The other side's table loses an entry behind its back, by way of a temporary page. */
    frame_t old = pde_frame(directory_pde_read(sides[1], TEST_SLOT));
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

    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    share(0, 1);
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
    release_all();
}

TEST("cow", "the last owner after a copy: takes back what is counted once")
{
    struct cost cost;
    struct cow_counters before;

    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    share(0, 1);
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
    release_all();
}

TEST("cow", "a write by the sole owner: the pages behind are taken back with it")
{
    struct cow_counters before;

    REQUIRE(sides_make(2));
    REQUIRE(promise());
    for (uint32_t i = 0; i < 20; i++)
        if (i != 12)
            poke(vaddr_add(first_page, i * PAGE_BYTES), i);
    share(0, 1);
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
    release_all();
}

/* ---- unsharing: every sort of entry ---- */

enum sort { OWN, READ_ONLY, PROMISED, KEPT, MAPPED, EMPTY, SORTS };

/* A page of each sort at its number; what is there reads as 1 + its number. */
static bool must_check make_sorts(void)
{
    frame_t frame;
    on(0);
    if (zero_promise_pages(first_page, MAPPED, RIGHTS_READ_WRITE) != KERR_OK ||
        frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) != KERR_OK)
        return false;
    vaddr_t mapped = page_of_slot(TEST_SLOT, MAPPED);
    pte_t pte = pte_make(frame, pte_flags(mapped, RIGHTS_READ_WRITE) | PTE_SHARED_MAPPING);
    tlb_unneeded(pte_write(mapped, pte), TLB_WAS_NOT_PRESENT);
    static const enum sort written[] = {OWN, READ_ONLY, KEPT, MAPPED};
    for (unsigned i = 0; i < ARRAY_LENGTH(written); i++)
        poke(page_of_slot(TEST_SLOT, written[i]), 1 + written[i]);
    return cow_protect(page_of_slot(TEST_SLOT, READ_ONLY), 1, RIGHTS_READ) == KERR_OK &&
           cow_protect(page_of_slot(TEST_SLOT, KEPT), 1, RIGHTS_NONE) == KERR_OK;
}

TEST("cow", "a table copied: private entries are read-only and COW in both, others unchanged")
{
    pte_t before[SORTS];

    REQUIRE(sides_make(2));
    REQUIRE(make_sorts());
    share(0, 1);
    for (unsigned sort = 0; sort < SORTS; sort++)
        before[sort] = pte_read(page_of_slot(TEST_SLOT, sort));
    EXPECT(pte_is_writable(before[OWN]) && pte_is_kept(before[KEPT]));
    EXPECT(cow_unshare(TEST_SLOT) == KERR_OK);
    EXPECT_EQUAL(table_references(0, TEST_SLOT), 1);
    EXPECT_EQUAL(table_references(1, TEST_SLOT), 1);
    for (unsigned sort = 0; sort < SORTS; sort++) {
        vaddr_t page = page_of_slot(TEST_SLOT, sort);
        pte_t after = pte_in(sides[0], page);
        EXPECT_EQUAL(after.bits, pte_in(sides[1], page).bits);
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
    share(0, 1);
    share(1, 2);
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
    share(0, 1);
    on(1);
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
    share(0, 1);
    cost_start(&cost);
    EXPECT_EQUAL(probe_write(page_of_slot(TEST_SLOT, READ_ONLY), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(page_of_slot(TEST_SLOT, KEPT), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(page_of_slot(TEST_SLOT, EMPTY), 1), FAULT_BAD_ACCESS);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(table_references(0, TEST_SLOT), 2);
    release_and_end();
}

/* ---- all orders of writes ---- */

static uint32_t expected[SIDES_MAX][2];

static void expect_all_sides(void)
{
    for (uint32_t side = 0; side < side_count; side++) {
        EXPECT_EQUAL(look_on(side, first_page), expected[side][0]);
        EXPECT_EQUAL(look_on(side, second_page), expected[side][1]);
    }
    EXPECT_WHOLE();
}

enum family { CHILDREN_OF_ONE, EACH_OF_THE_LAST };

/*
 * One written and one untouched page, shared among COUNT sides; then LENGTH writes, each by any
 * side to either page: every sequence there is.
 */
static void all_sequences(uint32_t count, uint32_t length, enum family family)
{
    uint32_t sequences = 1;
    for (uint32_t i = 0; i < length; i++)
        sequences *= 2 * count;
    REQUIRE(sides_make(count));
    for (uint32_t sequence = 0; sequence < sequences; sequence++) {
        REQUIRE(promise());
        poke(first_page, 1);
        for (uint32_t side = 0; side < count; side++) {
            expected[side][0] = 1;
            expected[side][1] = 0;
            if (side > 0)
                share(family == CHILDREN_OF_ONE ? 0 : side - 1, side);
        }
        uint32_t rest = sequence;
        for (uint32_t i = 0; i < length; i++, rest /= 2 * count) {
            uint32_t side = rest % count, page = rest / count % 2;
            expected[side][page] = 1000 + i;
            write_on(side, page == 0 ? first_page : second_page, 1000 + i);
            expect_all_sides();
        }
        on(0);
        release_all();
        for (uint32_t side = 1; side < count; side++)
            cow_drop_lower_half(sides[side]);
    }
    sides_end();
}

TEST("cow", "two sides, every sequence of four writes: neither sees the other's data")
{
    all_sequences(2, 4, CHILDREN_OF_ONE);
}

TEST("cow", "three sides, every sequence of three writes: none sees another's data")
{
    all_sequences(3, 3, CHILDREN_OF_ONE);
}

TEST("cow", "child, grandchild, every sequence of three writes: none sees another's data")
{
    all_sequences(3, 3, EACH_OF_THE_LAST);
}

TEST("cow", "four generations, every pair of writes: none sees another's data")
{
    all_sequences(4, 2, EACH_OF_THE_LAST);
}

/* ---- release ---- */

TEST("cow", "release of slots untouched, written, shared and empty at once: all are empty")
{
    struct cost cost;

    REQUIRE(sides_make(2));
    cost_start(&cost);
    REQUIRE(zero_promise_slots(TEST_SLOT, 6, RIGHTS_READ_WRITE) == KERR_OK);
    poke(page_of_slot(TEST_SLOT, 9), 9);
    cow_share(TEST_SLOT, 1, sides[1]);
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

    REQUIRE(promise());
    cost_start(&cost);
    EXPECT(cow_release(page_of_slot(TEST_SLOT, 100), 1) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(pde_read(TEST_SLOT).bits, 0);
    EXPECT(zero_slot_is_untouched(TEST_SLOT + 1));
    release_all();
}

TEST("cow", "release of a part of a shared table: is a copy's matter, the other side keeps all")
{
    struct cost cost;

    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    poke(second_page, 2);
    share(0, 1);
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
    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    share(0, 1);
    write_on(1, second_page, 2);
    on(0);
    leave_frames(0);
    cow_drop_lower_half(sides[1]);
    all_frames();
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++)
        EXPECT_EQUAL(directory_pde_read(sides[1], slot).bits, 0);
    EXPECT_EQUAL(look(first_page), 1);
    EXPECT_WHOLE();
    release_and_end();
}

/* ---- protect ---- */

static const enum rights all_rights[] = {RIGHTS_NONE, RIGHTS_READ, RIGHTS_READ_WRITE};

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
    REQUIRE(promise());
    poke(first_page, 1);
    cost_start(&cost);
    every_pair_of_rights(first_page, 1);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(look(second_page), 0);
    release_all();
}

TEST("cow",
     "protect of an unwritten page, every pair of rights: it is zero, and private if written")
{
    REQUIRE(sides_make(1));
    REQUIRE(promise());
    poke(first_page, 1);
    every_pair_of_rights(second_page, 0);
    EXPECT(pte_frame(pte_read(second_page)).n != zero_frame.n);
    EXPECT_EQUAL(pte_frame(pte_read(page_of_slot(TEST_SLOT, 2))).n, zero_frame.n);
    release_all();
}

TEST("cow", "protect of a shared page, every pair of rights: the other side keeps data and rights")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    share(0, 1);
    every_pair_of_rights(first_page, 1);
    poke(first_page, 2);
    on(1);
    expect_rights(first_page, RIGHTS_READ_WRITE, 1);
    EXPECT_EQUAL(look_on(0, first_page), 2);
    EXPECT_WHOLE();
    release_and_end();
}

TEST("cow", "protect below a shared table: changes one side only")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    share(0, 1);
    EXPECT(cow_protect(first_page, 1, RIGHTS_READ) == KERR_OK);
    on(1);
    expect_rights(first_page, RIGHTS_READ_WRITE, 1);
    on(0);
    expect_rights(first_page, RIGHTS_READ, 1);
    release_and_end();
}

TEST("cow", "protect of whole untouched slots: stays a promise, or is empty, at no cost")
{
    struct cost cost;

    REQUIRE(promise());
    cost_start(&cost);
    EXPECT(cow_protect(first_page, SLOTS * SLOT_PAGES, RIGHTS_READ) == KERR_OK);
    EXPECT(zero_slot_is_untouched(TEST_SLOT) && zero_slot_is_untouched(TEST_SLOT + 1));
    expect_rights(first_page, RIGHTS_READ, 0);
    EXPECT(cow_protect(first_page, SLOTS * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(zero_slot_is_untouched(TEST_SLOT));
    EXPECT(cow_protect(first_page, SLOTS * SLOT_PAGES, RIGHTS_NONE) == KERR_OK);
    EXPECT_EQUAL(pde_read(TEST_SLOT).bits, 0);
    EXPECT_COST(cost, 0, 0);
    release_all();
}

TEST("cow", "protect of empty pages: they stay empty")
{
    REQUIRE(zero_promise_pages(page_of_slot(TEST_SLOT, 2), 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(cow_protect(first_page, 2 * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(pte_is_empty(pte_read(second_page)));
    EXPECT_EQUAL(pde_read(TEST_SLOT + 1).bits, 0);
    release_all();
}

/* ---- discard ---- */

TEST("cow", "discard of pages: they are zero again, and their frames are free")
{
    struct cost cost;

    REQUIRE(promise());
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
    release_all();
}

TEST("cow", "discard of a whole slot: is a promise again, without a table")
{
    struct cost cost;

    REQUIRE(promise());
    cost_start(&cost);
    poke(first_page, 1);
    EXPECT_COST(cost, 1, 1);
    leave_frames(0);
    EXPECT(cow_discard(first_page, SLOTS * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    all_frames();
    EXPECT_COST(cost, 0, 0);
    EXPECT(zero_slot_is_untouched(TEST_SLOT) && zero_slot_is_untouched(TEST_SLOT + 1));
    expect_rights(first_page, RIGHTS_READ_WRITE, 0);
    release_all();
}

TEST("cow", "discard of a shared page: the other side keeps its data")
{
    REQUIRE(sides_make(2));
    REQUIRE(promise());
    poke(first_page, 1);
    poke(second_page, 2);
    share(0, 1);
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
    release_all();
}

TEST("cow", "discard of empty pages: they stay empty")
{
    REQUIRE(zero_promise_pages(first_page, 1, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(cow_discard(first_page, 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(pte_is_empty(pte_read(second_page)));
    EXPECT(cow_discard(page_of_slot(TEST_SLOT + 1, 0), 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(pde_read(TEST_SLOT + 1).bits, 0);
    release_all();
}

/* ---- make real ---- */

TEST("cow", "pages made real: are written without a fault")
{
    struct cost cost;

    REQUIRE(promise());
    cost_start(&cost);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, LAST_PAGE), 3) == KERR_OK);
    EXPECT_COST(cost, 2, 3);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, LAST_PAGE), 3) == KERR_OK);
    EXPECT_COST(cost, 2, 3);
    uint32_t faults = fault_counters.total;
    for (uint32_t i = 0; i < 3; i++)
        poke(page_of_slot(TEST_SLOT, LAST_PAGE + i), i);
    EXPECT_EQUAL(fault_counters.total - faults, 0);
    release_all();
}

TEST("cow", "an empty or read-only page made real: bad access")
{
    REQUIRE(make_sorts());
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, READ_ONLY), 1) == KERR_BAD_ACCESS);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, KEPT), 1) == KERR_BAD_ACCESS);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, EMPTY), 1) == KERR_BAD_ACCESS);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT + 1, 0), 1) == KERR_BAD_ACCESS);
    EXPECT(cow_make_real(page_of_slot(TEST_SLOT, MAPPED), 1) == KERR_OK);
    release_all();
}

/* ---- no memory ---- */

enum { HALF = SLOT_PAGES / 2 };

static enum kerr run_release(void)
{
    return cow_release(page_of_slot(TEST_SLOT, HALF), SLOT_PAGES);
}

static enum kerr run_protect(void)
{
    return cow_protect(page_of_slot(TEST_SLOT, HALF), SLOT_PAGES, RIGHTS_READ);
}

static enum kerr run_discard(void)
{
    return cow_discard(page_of_slot(TEST_SLOT, HALF), SLOT_PAGES, RIGHTS_READ_WRITE);
}

static enum kerr run_unshare(void)
{
    return cow_unshare(TEST_SLOT);
}

static enum kerr run_make_real(void)
{
    return cow_make_real(page_of_slot(TEST_SLOT, LAST_PAGE), 2);
}

static enum kerr run_write(void)
{
    enum fault_result result = probe_write(first_page, 11);
    return result == FAULT_NO_MEMORY  ? KERR_NO_MEMORY
           : result == FAULT_RESOLVED ? KERR_OK
                                      : KERR_BAD_ACCESS;
}

/* Pages 0 and 1023 of two slots hold 11 to 14, on both sides. */
static void expect_four_pages(uint32_t side)
{
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_EQUAL(look_on(side, page_of_slot(TEST_SLOT + i / 2, i % 2 * LAST_PAGE)), 11 + i);
}

/* OPERATION on side 0, below tables that side 1 shares: fails with less than NEEDED frames. */
static void fails_until(enum kerr (*operation)(void), uint32_t needed)
{
    for (uint32_t frames = 0; frames <= needed; frames++) {
        REQUIRE(sides_make(2));
        REQUIRE(promise());
        for (uint32_t i = 0; i < 4; i++)
            poke(page_of_slot(TEST_SLOT + i / 2, i % 2 * LAST_PAGE), 11 + i);
        share(0, 1);
        leave_frames(frames);
        enum kerr error = operation();
        all_frames();
        EXPECT_EQUAL(error, frames < needed ? KERR_NO_MEMORY : KERR_OK);
        EXPECT_WHOLE();
        if (error != KERR_OK)
            expect_four_pages(0);
        expect_four_pages(1);
        release_and_end();
    }
}

TEST("cow", "a write with too few frames: no memory, and both sides are as before")
{
    fails_until(run_write, 2);
}

TEST("cow", "unsharing with too few frames: no memory, and both sides are as before")
{
    fails_until(run_unshare, 1);
}

TEST("cow", "release with too few frames: no memory, and both sides are as before")
{
    fails_until(run_release, 2);
}

TEST("cow", "protect with too few frames: no memory, and both sides are as before")
{
    fails_until(run_protect, 2);
}

TEST("cow", "discard with too few frames: no memory, and both sides are as before")
{
    fails_until(run_discard, 2);
}

TEST("cow", "pages made real with too few frames: no memory, and both sides are as before")
{
    fails_until(run_make_real, 4);
}

/* ---- anything, at random, against a model ---- */

enum { MODEL_PAGES = 6, STEPS = 4000 };

enum page_state { IS_EMPTY, IS_KEPT, IS_READ, IS_WRITE };

struct model_page {
    enum page_state state;
    uint32_t value;
};

static struct model_page model[SIDES_MAX][MODEL_PAGES];
static bool is_alive[SIDES_MAX];
static uint32_t random_state;

static uint32_t dice(uint32_t sides_of_it)
{
    return test_random(&random_state) % sides_of_it;
}

/* The first, second and last page of each slot. */
static vaddr_t model_page(uint32_t i)
{
    static const uint32_t places[] = {0, 1, LAST_PAGE};
    return page_of_slot(TEST_SLOT + i / 3, places[i % 3]);
}

static uint32_t pages_between(uint32_t first, uint32_t last)
{
    return ((model_page(last).v - model_page(first).v) >> PAGE_SHIFT) + 1;
}

static enum page_state state_of_rights(enum rights rights)
{
    return rights == RIGHTS_NONE ? IS_KEPT : rights == RIGHTS_READ ? IS_READ : IS_WRITE;
}

static void expect_model(uint32_t side)
{
    on(side);
    for (uint32_t i = 0; i < MODEL_PAGES; i++) {
        const struct model_page *page = &model[side][i];
        EXPECT_EQUAL(look(model_page(i)), page->state >= IS_READ ? page->value : REFUSED);
    }
}

/* A range that covers a slot in part empties it as a whole, if it was never written. */
static void model_empty_untouched(struct model_page *pages, uint32_t first, uint32_t last)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        bool touches = first / 3 <= slot && slot <= last / 3;
        bool is_whole = first <= slot * 3 && last >= slot * 3 + 2;
        if (touches && !is_whole && zero_slot_is_untouched(TEST_SLOT + slot))
            for (uint32_t i = slot * 3; i < slot * 3 + 3; i++)
                pages[i].state = IS_EMPTY;
    }
}

static void step_write(struct model_page *page, vaddr_t at)
{
    uint32_t value = dice(1000000);
    enum fault_result result = probe_write(at, value);
    if (page->state != IS_WRITE)
        EXPECT_EQUAL(result, FAULT_BAD_ACCESS);
    else if (result == FAULT_RESOLVED)
        page->value = value;
    else
        EXPECT_EQUAL(result, FAULT_NO_MEMORY);
}

/* Where there is nothing: a promise of a whole slot or of what is empty in it. */
static void step_promise(struct model_page *pages, uint32_t slot)
{
    enum rights rights = all_rights[1 + dice(2)];
    vaddr_t first = page_of_slot(TEST_SLOT + slot, 0);
    if (zero_promise_slots(TEST_SLOT + slot, 1, rights) != KERR_OK &&
        (zero_slot_is_untouched(TEST_SLOT + slot) || cow_unshare(TEST_SLOT + slot) != KERR_OK ||
         zero_promise_pages(first, SLOT_PAGES, rights) != KERR_OK))
        return;
    for (uint32_t i = slot * 3; i < slot * 3 + 3; i++)
        if (pages[i].state == IS_EMPTY) {
            pages[i].state = state_of_rights(rights);
            pages[i].value = 0;
        }
}

static void step_release(struct model_page *pages, uint32_t first, uint32_t last)
{
    struct model_page after[MODEL_PAGES];
    for (uint32_t i = 0; i < MODEL_PAGES; i++)
        after[i] = pages[i];
    model_empty_untouched(after, first, last);
    for (uint32_t i = first; i <= last; i++)
        after[i].state = IS_EMPTY;
    enum kerr error = cow_release(model_page(first), pages_between(first, last));
    for (uint32_t i = 0; i < MODEL_PAGES && error == KERR_OK; i++)
        pages[i] = after[i];
}

static void step_protect(struct model_page *pages, uint32_t first, uint32_t last)
{
    enum rights rights = all_rights[dice(3)];
    struct model_page after[MODEL_PAGES];
    for (uint32_t i = 0; i < MODEL_PAGES; i++)
        after[i] = pages[i];
    model_empty_untouched(after, first, last);
    for (uint32_t i = first; i <= last; i++)
        if (after[i].state != IS_EMPTY) {
            bool is_promise = zero_slot_is_untouched(TEST_SLOT + i / 3);
            after[i].state = state_of_rights(rights);
            if (is_promise && rights == RIGHTS_NONE)
                after[i].state = IS_EMPTY;
        }
    enum kerr error = cow_protect(model_page(first), pages_between(first, last), rights);
    for (uint32_t i = 0; i < MODEL_PAGES && error == KERR_OK; i++)
        pages[i] = after[i];
}

/* One page: what has rights is zero again, with the same rights. */
static void step_discard(struct model_page *page, vaddr_t at)
{
    enum rights rights = page->state == IS_READ ? RIGHTS_READ : RIGHTS_READ_WRITE;
    if (page->state != IS_KEPT && cow_discard(at, 1, rights) == KERR_OK)
        page->value = 0;
}

/* Side 0 always lives. FROM shares with another one, or another one ends. */
static void step_sides(uint32_t from, uint32_t other)
{
    if (other == 0 || other == from)
        return;
    on(from);
    if (is_alive[other])
        cow_drop_lower_half(sides[other]);
    else
        share(from, other);
    is_alive[other] = !is_alive[other];
    for (uint32_t i = 0; i < MODEL_PAGES; i++)
        model[other][i] = is_alive[other] ? model[from][i] : (struct model_page){IS_EMPTY, 0};
}

static void model_step(uint32_t side)
{
    uint32_t first = dice(MODEL_PAGES), last = first + dice(MODEL_PAGES - first);
    struct model_page *page = &model[side][first];
    on(side);
    switch (dice(12)) {
    case 0:
    case 1:
        step_promise(model[side], first / 3);
        break;
    case 2:
        step_release(model[side], first, last);
        break;
    case 3:
        step_protect(model[side], first, last);
        break;
    case 4:
        step_discard(page, model_page(first));
        break;
    case 5:
    case 6:
        step_sides(side, dice(SIDES_MAX));
        break;
    default:
        step_write(page, model_page(first));
    }
}

TEST("cow", "4,000 random steps on four sides, memory short at times: as the model says")
{
    random_state = 20240101;
    printk("# seed %u\n", random_state);
    if (frame_available(&frame_pool) < 80)
        SKIP("needs 320 KiB of free memory");
    REQUIRE(sides_make(SIDES_MAX));
    for (uint32_t side = 0; side < SIDES_MAX; side++) {
        is_alive[side] = side == 0;
        for (uint32_t i = 0; i < MODEL_PAGES; i++)
            model[side][i] = (struct model_page){IS_EMPTY, 0};
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t side = dice(SIDES_MAX);
        if (!is_alive[side])
            side = 0;
        leave_frames(dice(4) == 0 ? dice(3) : 64);
        model_step(side);
        all_frames();
        expect_model(side);
        if (step % 16 == 0) {
            for (uint32_t i = 0; i < SIDES_MAX; i++)
                expect_model(i);
            EXPECT_WHOLE();
        }
    }
    release_and_end();
}

/* ---- the kernel half: one change, seen everywhere ---- */

static const vaddr_t kernel_page = {KERNEL_TEST_SLOT * SLOT_BYTES};
static frame_t mapped_frame;

static void promise_kernel(void)
{
    EXPECT(zero_promise_slots(KERNEL_TEST_SLOT, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

static void promise_kernel_and_write(void)
{
    promise_kernel();
    poke(kernel_page, 1);
}

static void write_kernel(void)
{
    poke(kernel_page, 2);
}

static void write_kernel_neighbour(void)
{
    poke(vaddr_add(kernel_page, PAGE_BYTES), 2);
}

static void make_kernel_real(void)
{
    EXPECT(cow_make_real(kernel_page, 1) == KERR_OK);
}

static void release_kernel(void)
{
    EXPECT(cow_release(kernel_page, SLOT_PAGES) == KERR_OK);
}

static void release_kernel_page(void)
{
    EXPECT(cow_release(kernel_page, 1) == KERR_OK);
}

static void discard_kernel(void)
{
    EXPECT(cow_discard(kernel_page, SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
}

static void discard_kernel_page(void)
{
    EXPECT(cow_discard(kernel_page, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

static void protect_kernel(void)
{
    EXPECT(cow_protect(kernel_page, SLOT_PAGES, RIGHTS_READ) == KERR_OK);
}

static void take_kernel_rights(void)
{
    EXPECT(cow_protect(kernel_page, SLOT_PAGES, RIGHTS_NONE) == KERR_OK);
}

static void give_kernel_rights(void)
{
    EXPECT(cow_protect(kernel_page, SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
}

static void write_and_take_kernel_rights(void)
{
    promise_kernel_and_write();
    take_kernel_rights();
}

static void promise_kernel_page(void)
{
    EXPECT(zero_promise_pages(kernel_page, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

static void map_kernel_page(void)
{
    EXPECT(paging_map(kernel_page, mapped_frame, RIGHTS_READ_WRITE) == KERR_OK);
}

static void unmap_kernel_page(void)
{
    EXPECT(paging_unmap(kernel_page, &mapped_frame) == KERR_OK);
}

static void map_kernel_large(void)
{
    EXPECT(paging_map_large(kernel_page, mapped_frame, RIGHTS_READ_WRITE) == KERR_OK);
}

static void unmap_kernel_large(void)
{
    EXPECT(paging_unmap_large(kernel_page, &mapped_frame) == KERR_OK);
}

static void nothing(void)
{
}

/*
 * PREPARE in one directory, read BEFORE in all; CHANGE in another, read AFTER in all; UNDO in a
 * third. With every directory as the one that changes.
 */
static void change_is_seen(void (*prepare)(void), uint32_t before, void (*change)(void),
                           uint32_t after, void (*undo)(void))
{
    REQUIRE(sides_make(SIDES_MAX));
    for (uint32_t actor = 0; actor < SIDES_MAX; actor++) {
        on((actor + 1) % SIDES_MAX);
        prepare();
        for (uint32_t side = 0; side < SIDES_MAX; side++)
            EXPECT_EQUAL(look_on(side, kernel_page), before);
        on(actor);
        change();
        EXPECT(directory_check() == NULL);
        for (uint32_t side = 0; side < SIDES_MAX; side++) {
            EXPECT_EQUAL(look_on(side, kernel_page), after);
            EXPECT_EQUAL((directory_pde_read(sides[side], KERNEL_TEST_SLOT).bits ^
                          directory_pde_read(0, KERNEL_TEST_SLOT).bits) &
                             ~(uint32_t)(ENTRY_ACCESSED | ENTRY_DIRTY),
                         0);
        }
        on((actor + 2) % SIDES_MAX);
        undo();
        for (uint32_t side = 0; side < SIDES_MAX; side++)
            EXPECT_EQUAL(look_on(side, kernel_page), REFUSED);
    }
    sides_end();
}

TEST("cow", "a kernel slot promised in one directory: reads zero in all")
{
    change_is_seen(nothing, REFUSED, promise_kernel, 0, release_kernel);
}

TEST("cow", "a kernel promise written in one directory: all see the data, not zeros")
{
    change_is_seen(promise_kernel, 0, write_kernel, 2, release_kernel);
}

TEST("cow", "a kernel promise made real in one directory: all get the same page")
{
    change_is_seen(promise_kernel, 0, make_kernel_real, 0, release_kernel);
}

TEST("cow", "a second page of a written kernel promise: all see the first one as it was")
{
    change_is_seen(promise_kernel_and_write, 1, write_kernel_neighbour, 1, release_kernel);
}

TEST("cow", "a kernel slot released in one directory: is gone in all")
{
    change_is_seen(promise_kernel_and_write, 1, release_kernel, REFUSED, nothing);
}

TEST("cow", "a kernel page released in one directory: is gone in all")
{
    change_is_seen(promise_kernel_and_write, 1, release_kernel_page, REFUSED, release_kernel);
}

TEST("cow", "a kernel slot's only page released in one directory: its table is gone in all")
{
    change_is_seen(promise_kernel_page, 0, release_kernel_page, REFUSED, nothing);
}

TEST("cow", "a kernel slot discarded in one directory: is zero in all")
{
    change_is_seen(promise_kernel_and_write, 1, discard_kernel, 0, release_kernel);
}

TEST("cow", "a kernel page discarded in one directory: is zero in all")
{
    change_is_seen(promise_kernel_and_write, 1, discard_kernel_page, 0, release_kernel);
}

static void protect_kernel_and_try(void)
{
    protect_kernel();
    for (uint32_t side = 0; side < SIDES_MAX; side++) {
        on(side);
        EXPECT_EQUAL(probe_write(kernel_page, 3), FAULT_BAD_ACCESS);
    }
}

TEST("cow", "a written kernel slot made read-only in one directory: refuses writes in all")
{
    change_is_seen(promise_kernel_and_write, 1, protect_kernel_and_try, 1, release_kernel);
}

TEST("cow", "a kernel promise made read-only in one directory: refuses writes in all")
{
    change_is_seen(promise_kernel, 0, protect_kernel_and_try, 0, release_kernel);
}

TEST("cow", "rights taken from a kernel slot in one directory: no access in any")
{
    change_is_seen(promise_kernel_and_write, 1, take_kernel_rights, REFUSED, release_kernel);
}

TEST("cow", "rights given back to a kernel slot in one directory: all see the data")
{
    change_is_seen(write_and_take_kernel_rights, REFUSED, give_kernel_rights, 1, release_kernel);
}

static uint32_t *mapped_word(void)
{
    return temp_map(TEMP_FRAME, mapped_frame);
}

TEST("cow", "a kernel page mapped in one directory, in a new table: is seen in all")
{
    REQUIRE(frame_alloc(&frame_pool, FRAME_KERNEL, &mapped_frame) == KERR_OK);
    *mapped_word() = 1234;
    temp_unmap(TEMP_FRAME);
    change_is_seen(nothing, REFUSED, map_kernel_page, 1234, unmap_kernel_page);
    change_is_seen(map_kernel_page, 1234, unmap_kernel_page, REFUSED, nothing);
    frame_free(&frame_pool, mapped_frame);
}

TEST("cow", "a kernel slot mapped large in one directory, or unmapped: all see it so")
{
    if (!cpu_features.pse)
        SKIP("needs a CPU with 4 MiB pages");
    if (frame_alloc_run(&frame_pool, FRAME_KERNEL, SLOT_PAGES, SLOT_PAGES, 0, &mapped_frame) !=
        KERR_OK)
        SKIP("needs 4 MiB of free memory in a row");
    *mapped_word() = 5678;
    temp_unmap(TEMP_FRAME);
    change_is_seen(nothing, REFUSED, map_kernel_large, 5678, unmap_kernel_large);
    change_is_seen(map_kernel_large, 5678, unmap_kernel_large, REFUSED, nothing);
    frame_free_run(&frame_pool, mapped_frame, SLOT_PAGES);
}

TEST("cow", "a directory registered after a kernel change: sees it")
{
    promise_kernel_and_write();
    REQUIRE(sides_make(2));
    EXPECT_EQUAL(look_on(1, kernel_page), 1);
    poke(kernel_page, 2);
    EXPECT_EQUAL(look_on(0, kernel_page), 2);
    sides_end();
    release_kernel();
}

TEST("cow", "a kernel write with no frame: no memory in any directory, and zero in all")
{
    REQUIRE(sides_make(3));
    promise_kernel();
    for (uint32_t frames = 0; frames < 2; frames++) {
        leave_frames(frames);
        on(1);
        EXPECT_EQUAL(probe_write(kernel_page, 1), FAULT_NO_MEMORY);
        all_frames();
        EXPECT(directory_check() == NULL);
        for (uint32_t side = 0; side < 3; side++)
            EXPECT_EQUAL(look_on(side, kernel_page), 0);
    }
    release_kernel();
    sides_end();
}
