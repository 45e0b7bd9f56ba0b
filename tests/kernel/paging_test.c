/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Tests of pages: mapping, rights, the TLB, tables and many entries at once.
 *
 * Invariant around every test of every unit: each own table counts its entries right, and no
 * temporary page is left mapped.
 */
#include "paging_testing.h"

#include <arch/i386/trap.h>
#include <kernel/early.h>
#include <kernel/printk.h>

/* ---- around every test ---- */

static void check_tables(void)
{
    for (uint32_t slot = 0; slot < TEMP_SLOT; slot++) {
        pde_t pde = pde_read(slot);
        if (!pde_is_table(pde) || pde_is_shared(pde) || count_entries(slot) == used_entries(slot))
            continue;
        printk("# slot %u: %u entries in use, %u counted\n", slot, count_entries(slot),
               used_entries(slot));
        test_fail(__FILE__, __LINE__, "a table counts the entries that are not empty");
    }
    for (uint32_t number = 0; number <= TEMP_REPORT; number++)
        EXPECT(pte_is_empty(pte_read(VADDR(TEMP_PAGE_ADDRESS(number)))));
}

TEST_INVARIANT("tables", NULL, check_tables);

/* ---- one page ---- */

TEST("paging", "map, query, read, write, unmap: one round, and nothing is left")
{
    struct translation t;
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(0x1234);

    REQUIRE(paging_map(page, frame, RIGHTS_READ_WRITE) == KERR_OK);
    paging_query(vaddr_add(page, 0xABC), &t);
    EXPECT(t.has_pte && pte_is_writable(t.pte) && pde_is_table(t.pde));
    EXPECT_EQUAL(pte_frame(t.pte).n, frame.n);
    EXPECT_EQUAL(seen_at(page), 0x1234);
    EXPECT_EQUAL(seen_at(vaddr_add(page, PAGE_BYTES - 4)), 0x1234);
    EXPECT_EQUAL(probe_write(vaddr_add(page, 8), 0x5678), FAULT_RESOLVED);
    EXPECT_EQUAL(seen_at(vaddr_add(page, 8)), 0x5678);
    expect_unmap(page, frame);
    paging_query(page, &t);
    EXPECT_EQUAL(t.pde.bits, 0);
    EXPECT(!t.has_pte);
    EXPECT_EQUAL(seen_at(page), NOT_SEEN);
    EXPECT_EQUAL(frame_references(&frame_pool, frame), 1); /* the caller's, all the time */
    frame_free(&frame_pool, frame);
}

TEST("paging", "a page at every border of the map: is mapped, seen, unmapped like any other")
{
    static const uint32_t pages[] = {
        USER_FIRST_ADDRESS,     SLOT_BYTES - PAGE_BYTES,       SLOT_BYTES,
        KERNEL_BASE / 2,        KERNEL_BASE - PAGE_BYTES,      KERNEL_BASE,
        KERNEL_GAP_BASE,        DIRECTORIES_BASE - PAGE_BYTES, TEMP_BASE - SLOT_BYTES,
        TEMP_BASE - PAGE_BYTES,
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(pages); i++) {
        struct translation t;
        paging_query(VADDR(pages[i]), &t);
        if (pde_is_present(t.pde) && !(t.has_pte && pte_is_empty(t.pte)))
            continue; /* somebody's, at the prompt */
        frame_t frame = frame_with(pages[i]);
        EXPECT_EQUAL(paging_map(VADDR(pages[i]), frame, RIGHTS_READ_WRITE), KERR_OK);
        EXPECT_EQUAL(seen_at(VADDR(pages[i] + 16)), pages[i]);
        EXPECT_EQUAL(probe_write(VADDR(pages[i]), ~pages[i]), FAULT_RESOLVED);
        EXPECT_EQUAL(*(uint32_t *)temp_map(TEMP_FRAME, frame), ~pages[i]);
        temp_unmap(TEMP_FRAME);
        expect_unmap(VADDR(pages[i]), frame);
        EXPECT_EQUAL(seen_at(VADDR(pages[i])), NOT_SEEN);
        frame_free(&frame_pool, frame);
    }
}

TEST("paging", "a page mapped again: KERR_EXISTS, and the old mapping stays")
{
    REQUIRE_SLOTS(page);
    frame_t first = frame_with(1), second = frame_with(2);

    REQUIRE(paging_map(page, first, RIGHTS_READ) == KERR_OK);
    pte_t before = pte_read(page);
    EXPECT_EQUAL(paging_map(page, second, RIGHTS_READ_WRITE), KERR_EXISTS);
    EXPECT_EQUAL(paging_map(page, first, RIGHTS_READ), KERR_EXISTS);
    EXPECT_EQUAL(paging_map_large(page, FRAME(0), RIGHTS_READ),
                 cpu_features.pse ? KERR_EXISTS : KERR_UNSUPPORTED);
    EXPECT_EQUAL(pte_read(page).bits & ~(uint32_t)ENTRY_ACCESSED,
                 before.bits & ~(uint32_t)ENTRY_ACCESSED);
    EXPECT_EQUAL(used_entries(page_slot), 1);
    EXPECT_EQUAL(seen_at(page), 1);
    expect_unmap(page, first);
    frame_free(&frame_pool, first);
    frame_free(&frame_pool, second);
}

TEST("paging", "a page kept without rights: is not overwritten, and not unmapped")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(3), other = frame_with(4), unmapped = FRAME(0);

    REQUIRE(paging_map(page, frame, RIGHTS_READ_WRITE) == KERR_OK);
    tlb_invalidate_page(pte_write(page, pte_make(frame, PTE_KEPT)));
    EXPECT_EQUAL(seen_at(page), NOT_SEEN);
    EXPECT_EQUAL(paging_map(page, other, RIGHTS_READ), KERR_EXISTS);
    EXPECT_EQUAL(paging_unmap(page, &unmapped), KERR_NOT_FOUND);
    EXPECT_EQUAL(paging_protect(page, RIGHTS_READ), KERR_NOT_FOUND);
    EXPECT_EQUAL(used_entries(page_slot), 1);
    tlb_unneeded(pte_write(page, pte_make(frame, pte_flags(page, RIGHTS_READ))),
                 TLB_WAS_NOT_PRESENT);
    EXPECT_EQUAL(seen_at(page), 3);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
    frame_free(&frame_pool, other);
}

TEST("paging", "a slot whose table is shared: no page of it is mapped, unmapped or protected")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(5), unmapped = FRAME(0);

    REQUIRE(paging_map(page, frame, RIGHTS_READ_WRITE) == KERR_OK);
    pde_t own = pde_read(page_slot);
    pde_t shared = pde_make(pde_frame(own), ENTRY_PRESENT | ENTRY_ACCESSED | PDE_SHARED);
    tlb_invalidate_slot(pde_write(page_slot, shared));
    EXPECT_EQUAL(paging_map(vaddr_add(page, PAGE_BYTES), frame, RIGHTS_READ), KERR_EXISTS);
    EXPECT_EQUAL(paging_map_large(page, FRAME(0), RIGHTS_READ),
                 cpu_features.pse ? KERR_EXISTS : KERR_UNSUPPORTED);
    EXPECT_EQUAL(paging_unmap(page, &unmapped), KERR_NOT_FOUND);
    EXPECT_EQUAL(paging_protect(page, RIGHTS_READ), KERR_NOT_FOUND);
    EXPECT_EQUAL(seen_at(page), 5);
    EXPECT(!pte_is_writable(pte_read(window_page(page)))); /* the hardware guards the table */
    tlb_invalidate_slot(pde_write(page_slot, own));
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "what is not mapped: unmap and protect say KERR_NOT_FOUND")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(6), unmapped = FRAME(77);

    EXPECT_EQUAL(paging_unmap(page, &unmapped), KERR_NOT_FOUND);
    EXPECT_EQUAL(paging_protect(page, RIGHTS_READ), KERR_NOT_FOUND);
    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(paging_unmap(vaddr_add(page, PAGE_BYTES), &unmapped), KERR_NOT_FOUND);
    EXPECT_EQUAL(paging_protect(vaddr_add(page, PAGE_BYTES), RIGHTS_READ), KERR_NOT_FOUND);
    EXPECT_EQUAL(unmapped.n, 77);
    expect_unmap(page, frame);
    EXPECT_EQUAL(paging_unmap(page, &unmapped), KERR_NOT_FOUND);
    frame_free(&frame_pool, frame);
}

/* ---- rights ---- */

TEST("paging", "a read-only page: is read, refuses the write, and keeps its contents")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(7);

    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(probe_write(page, 8), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(seen_at(page), 7);
    REQUIRE(paging_protect(page, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(probe_write(page, 8), FAULT_RESOLVED);
    EXPECT_EQUAL(seen_at(page), 8);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "the write right taken from a page in use: the next write is refused")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(9);

    REQUIRE(paging_map(page, frame, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(probe_write(page, 10), FAULT_RESOLVED); /* the CPU knows the page as writable */
    REQUIRE(paging_protect(page, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(probe_write(page, 11), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(seen_at(page), 10);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "rights, below and above 3 GiB: W, U and G stand in the entries as they should")
{
    REQUIRE_SLOTS(user_page);
    vaddr_t kernel_page = VADDR(KERNEL_GAP_BASE);
    const uint32_t compared = ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER | ENTRY_GLOBAL;
    uint32_t global = cpu_features.pge ? (uint32_t)ENTRY_GLOBAL : 0;
    frame_t frame = frame_with(12);

    REQUIRE(paging_map(user_page, frame, RIGHTS_READ_WRITE | RIGHTS_USER) == KERR_OK);
    EXPECT_EQUAL(flags_at(user_page) & compared, ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER);
    EXPECT_EQUAL(pde_read(user_page_slot).bits & (compared | PDE_LARGE),
                 ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER);
    REQUIRE(paging_protect(user_page, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(flags_at(user_page) & compared, ENTRY_PRESENT);
    expect_unmap(user_page, frame);

    REQUIRE(paging_map(kernel_page, frame, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(flags_at(kernel_page) & compared, ENTRY_PRESENT | ENTRY_WRITABLE | global);
    EXPECT_EQUAL(pde_read(vaddr_to_slot(kernel_page)).bits & (compared | PDE_LARGE),
                 ENTRY_PRESENT | ENTRY_WRITABLE);
    REQUIRE(paging_protect(kernel_page, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(flags_at(kernel_page) & compared, ENTRY_PRESENT | global);
    expect_unmap(kernel_page, frame);
    frame_free(&frame_pool, frame);
}

/* ---- the TLB ---- */

static void remap(vaddr_t page)
{
    frame_t first = frame_with(13), second = frame_with(14);
    REQUIRE(paging_map(page, first, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(seen_at(page), 13);
    expect_unmap(page, first);
    EXPECT_EQUAL(seen_at(page), NOT_SEEN);
    REQUIRE(paging_map(page, second, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(seen_at(page), 14);
    expect_unmap(page, second);
    EXPECT_EQUAL(seen_at(page), NOT_SEEN);
    frame_free(&frame_pool, first);
    frame_free(&frame_pool, second);
}

TEST("paging", "a page unmapped and mapped elsewhere: no old translation is left")
{
    REQUIRE_SLOTS(page);
    remap(page);
    remap(VADDR(KERNEL_GAP_BASE)); /* global pages */
}

TEST("paging", "the same in a slot that keeps its table: no old translation is left")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(15);
    REQUIRE(paging_map(vaddr_add(page, PAGE_BYTES), frame, RIGHTS_READ) == KERR_OK);
    remap(page);
    expect_unmap(vaddr_add(page, PAGE_BYTES), frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "two pages of one frame: what is stored in one is seen in the other")
{
    REQUIRE_SLOTS(page);
    vaddr_t alias = vaddr_add(page, SLOT_BYTES);
    frame_t frame = frame_with(16);

    REQUIRE(paging_map(page, frame, RIGHTS_READ_WRITE) == KERR_OK);
    REQUIRE(paging_map(alias, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(probe_write(page, 17), FAULT_RESOLVED);
    EXPECT_EQUAL(seen_at(alias), 17);
    EXPECT_EQUAL(probe_write(alias, 18), FAULT_BAD_ACCESS);
    expect_unmap(page, frame);
    EXPECT_EQUAL(seen_at(alias), 17);
    expect_unmap(alias, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "more rights stored without INVLPG: the write succeeds, at most one fault later")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(19);

    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(seen_at(page), 19); /* the CPU may know the page as read-only now */
    *pte_slot(page) = pte_make(frame, pte_flags(page, RIGHTS_READ_WRITE)).bits;
    EXPECT_EQUAL(probe_write(page, 20), FAULT_RESOLVED);
    EXPECT_EQUAL(seen_at(page), 20);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

/* Emulators look at the entries again before they fault, so the fault itself is forged here. */
CALLED_BY_STUB(2) void page_fault_entry(struct trap_frame *frame, uint32_t address);

TEST("paging", "a fault that the entries do not explain: is spurious, and is counted so")
{
    enum { ERROR_PRESENT_WRITE = 3 };
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(21);
    REQUIRE(paging_map(page, frame, RIGHTS_READ_WRITE) == KERR_OK);

    uint32_t spurious = fault_counters.spurious, eip = pointer_to_vaddr(text_start).v;
    struct trap_frame forged = {.error_code = ERROR_PRESENT_WRITE, .eip = eip};
    forged.eax = fault_counters.total; /* never twice the same: that would be a dead loop */
    fault_allow_lower_half(true);
    page_fault_entry(&forged, page.v);
    fault_allow_lower_half(false);
    EXPECT_EQUAL(fault_counters.spurious, spurious + 1);
    EXPECT_EQUAL(forged.eip, eip);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

/* The same instruction faults again and again, with no register changed: it would do so for
 * ever. */
PANIC_TEST("spurious-for-ever")
{
    enum { ERROR_PRESENT_WRITE = 3 };
    static uint32_t writable;
    struct trap_frame forged = {.error_code = ERROR_PRESENT_WRITE,
                                .eip = pointer_to_vaddr(text_start).v};
    for (unsigned i = 0; i < 100; i++)
        page_fault_entry(&forged, pointer_to_vaddr(&writable).v);
}

/* ---- tables ---- */

TEST("paging", "the first page of a slot: costs a table, and the last one gives it back")
{
    REQUIRE_SLOTS(page);
    vaddr_t last = vaddr_add(page, SLOT_BYTES - PAGE_BYTES);
    uint32_t tables = frame_pool.totals[FRAME_TABLE];
    frame_t frame = frame_with(22);

    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE], tables + 1);
    EXPECT_EQUAL(frame_references(&frame_pool, pde_frame(pde_read(page_slot))), 1);
    REQUIRE(paging_map(last, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE], tables + 1);
    EXPECT_EQUAL(used_entries(page_slot), 2);
    REQUIRE(paging_map(vaddr_add(last, PAGE_BYTES), frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE], tables + 2);
    expect_unmap(vaddr_add(last, PAGE_BYTES), frame);
    expect_unmap(page, frame);
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE], tables + 1);
    EXPECT_EQUAL(seen_at(last), 22);
    expect_unmap(last, frame);
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE], tables);
    EXPECT_EQUAL(pde_read(page_slot).bits, 0);
    frame_free(&frame_pool, frame);
}

TEST("paging", "every page of a slot mapped, then unmapped out of order: the table goes at the end")
{
    enum { STEP = 389 }; /* has no factor in common with 1024: comes by every page */
    REQUIRE_SLOTS(base);
    frame_t frame = frame_with(23);

    for (uint32_t i = 0; i < SLOT_PAGES; i++)
        EXPECT_EQUAL(paging_map(vaddr_add(base, i << PAGE_SHIFT), frame, RIGHTS_READ), KERR_OK);
    EXPECT_EQUAL(used_entries(base_slot), SLOT_PAGES);
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        EXPECT(pde_is_present(pde_read(base_slot)));
        expect_unmap(vaddr_add(base, i * STEP % SLOT_PAGES << PAGE_SHIFT), frame);
    }
    EXPECT(!pde_is_present(pde_read(base_slot)));
    frame_free(&frame_pool, frame);
}

TEST("paging", "a table in a frame full of garbage: has no entry but the one mapped")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(24), dirty = frame_with(0xFFFFFFFF);
    frame_free(&frame_pool, dirty); /* the search begins with it, or with one below it */

    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(count_entries(page_slot), 1);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "no frame for a table: KERR_NO_MEMORY, nothing changed; with a table it works")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(25);
    vaddr_t next_slot = vaddr_add(page, SLOT_BYTES);

    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    uint32_t hidden = hide_all_frames();
    EXPECT_EQUAL(paging_map(next_slot, frame, RIGHTS_READ), KERR_NO_MEMORY);
    EXPECT_EQUAL(pde_read(page_slot + 1).bits, 0);
    EXPECT_EQUAL(seen_at(next_slot), NOT_SEEN);
    EXPECT_EQUAL(paging_map(vaddr_add(page, PAGE_BYTES), frame, RIGHTS_READ), KERR_OK);
    give_frames_back(hidden);
    EXPECT_EQUAL(paging_map(next_slot, frame, RIGHTS_READ), KERR_OK);
    expect_unmap(next_slot, frame);
    expect_unmap(vaddr_add(page, PAGE_BYTES), frame);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

/* ---- many entries at once ---- */

TEST("paging", "pte_fill_empty: fills what is empty, counts it, and leaves the rest")
{
    REQUIRE_SLOTS(base);
    frame_t frame = frame_with(26), other = frame_with(27);
    vaddr_t third = vaddr_add(base, 3 * PAGE_BYTES);
    pte_t filling = pte_make(other, ENTRY_PRESENT | ENTRY_ACCESSED);

    REQUIRE(paging_map(third, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(pte_fill_empty(vaddr_add(base, PAGE_BYTES), 5, filling), 4);
    EXPECT_EQUAL(used_entries(base_slot), 5);
    EXPECT_EQUAL(seen_at(base), NOT_SEEN);
    EXPECT_EQUAL(seen_at(third), 26);
    EXPECT_EQUAL(seen_at(vaddr_add(base, 5 * PAGE_BYTES)), 27);
    EXPECT_EQUAL(seen_at(vaddr_add(base, 6 * PAGE_BYTES)), NOT_SEEN);
    for (uint32_t i = 1; i <= 5; i++)
        expect_unmap(vaddr_add(base, i * PAGE_BYTES), i == 3 ? frame : other);
    frame_free(&frame_pool, frame);
    frame_free(&frame_pool, other);
}

enum { GAP_SLOT = KERNEL_GAP_BASE >> SLOT_SHIFT, RUN_SLOTS = 7 };

/* Of the gap's slots, those of [first, first+count) have PDE and the others are empty. */
static void expect_gap_slots(uint32_t first, uint32_t count, pde_t pde)
{
    const uint32_t compared = ~(uint32_t)(ENTRY_ACCESSED | ENTRY_DIRTY);
    for (uint32_t i = 0; i <= RUN_SLOTS; i++) {
        uint32_t expected = i - first < count ? pde.bits : 0;
        EXPECT_EQUAL(pde_read(GAP_SLOT + i).bits & compared, expected & compared);
    }
}

TEST("paging", "pde_fill_empty: fills all slots, or none if one is in use, whichever it is")
{
    REQUIRE_SLOTS(page);
    frame_t frame = frame_with(28);
    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    pde_t pde = pde_make(pde_frame(pde_read(page_slot)), ENTRY_PRESENT | ENTRY_ACCESSED);

    for (uint32_t used = 0; used < RUN_SLOTS; used++) {
        EXPECT_EQUAL(pde_fill_empty(GAP_SLOT + used, 1, pde), KERR_OK);
        EXPECT_EQUAL(pde_fill_empty(GAP_SLOT, RUN_SLOTS, pde), KERR_EXISTS);
        expect_gap_slots(used, 1, pde);
        EXPECT_EQUAL(pde_fill_empty(GAP_SLOT, used, pde), KERR_OK);
        expect_gap_slots(0, used + 1, pde);
        EXPECT_EQUAL(seen_at(slot_to_vaddr(GAP_SLOT)), 28);
        pde_clear_run(GAP_SLOT, RUN_SLOTS);
    }
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "pde_run and pde_clear_run: up to the first that differs; nothing is seen any more")
{
    REQUIRE_SLOTS(page);
    vaddr_t last = slot_to_vaddr(GAP_SLOT + RUN_SLOTS - 1);
    frame_t frame = frame_with(29);
    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    pde_t pde = pde_make(pde_frame(pde_read(page_slot)), ENTRY_PRESENT | ENTRY_ACCESSED);

    REQUIRE(pde_fill_empty(GAP_SLOT, RUN_SLOTS, pde) == KERR_OK);
    EXPECT_EQUAL(pde_run(GAP_SLOT, RUN_SLOTS), RUN_SLOTS);
    EXPECT_EQUAL(pde_run(GAP_SLOT, 3), 3);
    EXPECT_EQUAL(pde_run(GAP_SLOT, 1), 1);
    EXPECT_EQUAL(pde_run(GAP_SLOT, RUN_SLOTS + 1), RUN_SLOTS);
    EXPECT_EQUAL(seen_at(last), 29);
    pde_clear_run(GAP_SLOT + 2, RUN_SLOTS - 2);
    expect_gap_slots(0, 2, pde);
    EXPECT_EQUAL(seen_at(last), NOT_SEEN);
    EXPECT_EQUAL(pde_run(GAP_SLOT, RUN_SLOTS), 2);
    EXPECT_EQUAL(pde_run(GAP_SLOT + 2, RUN_SLOTS - 1), RUN_SLOTS - 1);
    pde_clear_run(GAP_SLOT, 2);
    expect_gap_slots(0, 0, pde);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

/* ---- what must end in a panic ---- */

PANIC_TEST("map-window")
{
    (void)!paging_map(VADDR(WINDOW_DIRECTORY), FRAME(0), RIGHTS_READ);
}

PANIC_TEST("tlb-debt-denied")
{
    vaddr_t page = pointer_to_vaddr(rodata_start);
    tlb_unneeded(pte_write(page, pte_read(page)), TLB_WAS_NOT_PRESENT);
}
