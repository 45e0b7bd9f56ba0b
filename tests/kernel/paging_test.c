/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Tests of pages, large pages, temporary and device mappings, the window, and of what
 * layer 2 has made of the boot mappings.
 *
 * Invariant around every test of every unit: each own table counts its entries right, and no
 * temporary page is left mapped.
 */
#include "paging_testing.h"

#include <arch/i386/trap.h>
#include <kernel/early.h>
#include <kernel/printk.h>

/* ---- around every test ---- */

static uint32_t count_entries(uint32_t slot)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < SLOT_PAGES; i++)
        used += !pte_is_empty(pte_read(vaddr_add(slot_to_vaddr(slot), i << PAGE_SHIFT)));
    return used;
}

static uint32_t used_entries(uint32_t slot)
{
    return frame_record(&frame_pool, pde_frame(pde_read(slot)))->used_entries;
}

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

static uint32_t flags_at(vaddr_t address)
{
    struct translation t;
    paging_query(address, &t);
    return t.has_pte ? t.pte.bits & ENTRY_FLAGS_MASK : 0;
}

/* Two empty slots for a test, or the test is skipped. */
#define REQUIRE_SLOTS(base)                                                                        \
    uint32_t base##_slot = find_empty_slots(2);                                                    \
    if (base##_slot == 0)                                                                          \
        SKIP("needs two empty slots in the lower half");                                           \
    vaddr_t base = slot_to_vaddr(base##_slot)

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

/* The same instruction faults again and again, with no register changed: it would do so for ever. */
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

/* No frame is to be had until the matching give_frames_back(). */
static uint32_t hide_all_frames(void)
{
    uint32_t hidden = frame_available(&frame_pool);
    if (frame_set_aside(&frame_pool, hidden) != KERR_OK)
        panic("what is available can't be set aside");
    return hidden;
}

static void give_frames_back(uint32_t hidden)
{
    frame_end_set_aside(&frame_pool, hidden);
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

/* ---- large pages ---- */

#define REQUIRE_LARGE_PAGES()                                                                      \
    if (!cpu_features.pse)                                                                         \
    SKIP("this CPU has no 4 MiB pages")

/* Lies in the image, and so in the first 4 MiB of RAM, which every machine has. */
static volatile uint32_t mark;

static vaddr_t mark_below(vaddr_t large)
{
    return vaddr_add(large, image_to_paddr(&mark).v);
}

TEST("paging", "a large page: shows its 1024 frames, writable or not, until it is unmapped")
{
    REQUIRE_LARGE_PAGES();
    REQUIRE_SLOTS(large);
    frame_t first = FRAME(77);

    mark = 29;
    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(seen_at(mark_below(large)), 29);
    EXPECT_EQUAL(probe_write(mark_below(large), 30), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    EXPECT_EQUAL(first.n, 0);
    EXPECT_EQUAL(seen_at(mark_below(large)), NOT_SEEN);

    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(probe_write(mark_below(large), 30), FAULT_RESOLVED);
    EXPECT_EQUAL(mark, 30);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    EXPECT_EQUAL(pde_read(large_slot).bits, 0);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_NOT_FOUND);
}

TEST("paging", "a large page and a small page of the same frame: show the same")
{
    REQUIRE_LARGE_PAGES();
    REQUIRE_SLOTS(large);
    vaddr_t small = vaddr_add(large, SLOT_BYTES);
    frame_t frame = paddr_to_frame(image_to_paddr(&mark)), first;

    mark = 31;
    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ_WRITE) == KERR_OK);
    REQUIRE(paging_map(small, frame, RIGHTS_READ_WRITE) == KERR_OK);
    vaddr_t in_small = vaddr_add(small, image_to_paddr(&mark).v % PAGE_BYTES);
    EXPECT_EQUAL(seen_at(in_small), 31);
    EXPECT_EQUAL(probe_write(mark_below(large), 32), FAULT_RESOLVED);
    EXPECT_EQUAL(seen_at(in_small), 32);
    expect_unmap(small, frame);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
}

TEST("paging", "a slot with a large page: nothing else is mapped, unmapped or protected there")
{
    REQUIRE_LARGE_PAGES();
    REQUIRE_SLOTS(large);
    struct translation t;
    frame_t frame = FRAME(1), first;

    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(paging_map(vaddr_add(large, 5 * PAGE_BYTES), frame, RIGHTS_READ), KERR_EXISTS);
    EXPECT_EQUAL(paging_map_large(large, FRAME(0), RIGHTS_READ), KERR_EXISTS);
    EXPECT_EQUAL(paging_unmap(large, &frame), KERR_NOT_FOUND);
    EXPECT_EQUAL(paging_protect(large, RIGHTS_READ_WRITE), KERR_NOT_FOUND);
    EXPECT_EQUAL(paging_unmap_large(vaddr_add(large, PAGE_BYTES), &frame), KERR_NOT_FOUND);
    EXPECT_EQUAL(frame.n, 1);
    paging_query(large, &t);
    EXPECT(!t.has_pte && pde_is_large(t.pde));
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
}

TEST("paging", "the window below a large page: shows its contents, and a table's place after it")
{
    REQUIRE_LARGE_PAGES();
    REQUIRE_SLOTS(large);
    frame_t frame = frame_with(33), first;

    /* The CPU takes the PDE for the PTE of the slot's window page, which so shows frame 0. */
    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ) == KERR_OK);
    uint32_t word = *(volatile uint32_t *)temp_map(TEMP_FRAME, FRAME(0));
    temp_unmap(TEMP_FRAME);
    EXPECT_EQUAL(*pte_slot(large), word);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    REQUIRE(paging_map(large, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(count_entries(large_slot), 1);
    EXPECT_EQUAL(pte_frame(pte_read(large)).n, frame.n);
    expect_unmap(large, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "a large page of the kernel: is global where the CPU has it, and leaves no trace")
{
    REQUIRE_LARGE_PAGES();
    vaddr_t large = VADDR(KERNEL_GAP_BASE);
    frame_t first, frame = frame_with(34);
    uint32_t global = cpu_features.pge ? (uint32_t)ENTRY_GLOBAL : 0;

    mark = 35;
    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(pde_read(vaddr_to_slot(large)).bits & (ENTRY_GLOBAL | ENTRY_USER), global);
    EXPECT_EQUAL(seen_at(mark_below(large)), 35);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    EXPECT_EQUAL(seen_at(mark_below(large)), NOT_SEEN);
    vaddr_t page = vaddr_to_page(mark_below(large));
    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(seen_at(mark_below(large)), 34);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "a CPU without 4 MiB pages: KERR_UNSUPPORTED")
{
    frame_t first;
    if (cpu_features.pse)
        SKIP("this CPU has 4 MiB pages");
    REQUIRE_SLOTS(large);
    EXPECT_EQUAL(paging_map_large(large, FRAME(0), RIGHTS_READ), KERR_UNSUPPORTED);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_NOT_FOUND);
    EXPECT_EQUAL(pde_read(large_slot).bits, 0);
}

/* ---- the window ---- */

TEST("paging", "the window's last page and entry 1023: are the directory and its own reference")
{
    vaddr_t last_entry = VADDR(WINDOW_DIRECTORY + WINDOW_SLOT * (uint32_t)sizeof(pde_t));

    EXPECT_EQUAL(last_entry.v + (uint32_t)sizeof(pde_t), 0); /* where pointer loops go wrong */
    EXPECT_EQUAL(pointer_to_vaddr(pte_slot(VADDR(WINDOW_DIRECTORY))).v, last_entry.v);
    EXPECT_EQUAL(pointer_to_vaddr(pde_slot(WINDOW_SLOT)).v, last_entry.v);
    EXPECT_EQUAL(pointer_to_vaddr(pte_slot(VADDR(UINT32_MAX))).v, last_entry.v);
    EXPECT_EQUAL(pointer_to_vaddr(pte_slot(VADDR(0))).v, WINDOW_BASE);
    EXPECT_EQUAL(pointer_to_vaddr(pde_slot(0)).v, WINDOW_DIRECTORY);

    uint32_t own = paddr_to_frame(current_directory).n;
    EXPECT_EQUAL(seen_at(last_entry) >> PAGE_SHIFT, own);
    EXPECT_EQUAL(pte_frame(pte_read(VADDR(WINDOW_DIRECTORY))).n, own);
    EXPECT_EQUAL(pde_frame(pde_read(WINDOW_SLOT)).n, own);
    EXPECT_EQUAL(cpu_read_cr3() >> PAGE_SHIFT, own);
}

TEST("paging", "the whole last page, by index: every directory entry is its window page's entry")
{
    uint32_t *directory = temp_map(TEMP_FRAME, paddr_to_frame(current_directory));
    uint32_t read = 0;
    for (uint32_t i = 0; i < SLOT_PAGES; i++, read++) {
        EXPECT_EQUAL(pde_read(i).bits, directory[i]);
        EXPECT_EQUAL(pte_read(window_page(slot_to_vaddr(i))).bits, directory[i]);
    }
    temp_unmap(TEMP_FRAME);
    EXPECT_EQUAL(read, SLOT_PAGES);
}

TEST("paging", "no directory entry: sets what the window could not bear")
{
    for (uint32_t slot = 0; slot < SLOT_PAGES; slot++) {
        pde_t pde = pde_read(slot);
        if (pde_is_table(pde))
            EXPECT_EQUAL(pde.bits & ENTRY_GLOBAL, 0); /* its window page would be global */
        if (slot >= KERNEL_FIRST_SLOT)
            EXPECT_EQUAL(pde.bits & ENTRY_USER, 0);
    }
    EXPECT_EQUAL(pde_read(ALT_WINDOW_SLOT).bits, 0);
}

/* ---- what boot left, taken over ---- */

TEST("paging", "the null page and the identity mapping: are gone")
{
    struct translation t;
    EXPECT_EQUAL(seen_at(VADDR(0)), NOT_SEEN);
    EXPECT_EQUAL(probe_write(VADDR(4), 0), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(VADDR(USER_FIRST_ADDRESS - 4), 0), FAULT_BAD_ACCESS);
    for (uint32_t n = 0; n < SLOT_PAGES; n++) {
        paging_query(VADDR(n << PAGE_SHIFT), &t);
        EXPECT(!(t.has_pte && pte_is_present(t.pte) && pte_frame(t.pte).n == n));
        EXPECT(!pde_is_large(t.pde));
    }
}

static bool is_between(vaddr_t page, const char *first, const char *end)
{
    return page.v >= pointer_to_vaddr(first).v && page.v < pointer_to_vaddr(end).v;
}

TEST("paging", "the image's slot, page by page: rights by section, and nothing else is mapped")
{
    const uint32_t compared = ~(uint32_t)(ENTRY_ACCESSED | ENTRY_DIRTY);
    uint32_t global = cpu_features.pge ? (uint32_t)ENTRY_GLOBAL : 0;
    for (uint32_t n = 0; n < SLOT_PAGES; n++) {
        vaddr_t page = VADDR(KERNEL_BASE + (n << PAGE_SHIFT));
        uint32_t read_only = pte_make(FRAME(n), ENTRY_PRESENT | global).bits, expected = 0;
        if (is_between(page, text_start, rodata_end))
            expected = read_only;
        else if (is_between(page, data_start, stack_guard) ||
                 is_between(page, stack_bottom, image_end) ||
                 vaddr_in(page, VADDR(KERNEL_BASE + VGA_TEXT_PHYSICAL), VGA_TEXT_BYTES))
            expected = read_only | ENTRY_WRITABLE;
        EXPECT_EQUAL(pte_read(page).bits & compared, expected);
    }
}

TEST("paging", "the image itself: text and constants refuse a write, the guard any access")
{
    static const uint32_t constant = 36;
    EXPECT_EQUAL(probe_write(pointer_to_vaddr(text_start), 0), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(VADDR(pointer_to_vaddr(text_end).v - 4), 0), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(pointer_to_vaddr(&constant), 37), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(seen_at(pointer_to_vaddr(&constant)), 36);
    EXPECT_EQUAL(seen_at(pointer_to_vaddr(stack_guard)), NOT_SEEN);
    EXPECT_EQUAL(seen_at(VADDR(pointer_to_vaddr(stack_bottom).v - 4)), NOT_SEEN);
    EXPECT_EQUAL(seen_at(VADDR(KERNEL_BASE)), NOT_SEEN);
    EXPECT_EQUAL(seen_at(pointer_to_vaddr(image_end)), NOT_SEEN);
}

TEST("paging", "the frame table: writable, global where the CPU has it, a guard behind it")
{
    uint32_t bytes = frame_pool_storage_bytes(frame_pool.frames);
    uint32_t global = cpu_features.pge ? (uint32_t)ENTRY_GLOBAL : 0;
    for (uint32_t at = 0; at < bytes; at += PAGE_BYTES)
        EXPECT_EQUAL(flags_at(VADDR(FRAME_TABLE_BASE + at)) &
                         (ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER | ENTRY_GLOBAL),
                     ENTRY_PRESENT | ENTRY_WRITABLE | global);
    uint32_t end = (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    EXPECT_EQUAL(seen_at(VADDR(FRAME_TABLE_BASE + end)), NOT_SEEN);
}

TEST("paging", "CR4: large and global pages are on where the CPU has them")
{
    if (!cpu_features.pse && !cpu_features.pge)
        SKIP("this CPU has neither large nor global pages");
    EXPECT_EQUAL((cpu_read_cr4() & CR4_PSE) != 0, cpu_features.pse);
    EXPECT_EQUAL((cpu_read_cr4() & CR4_PGE) != 0, cpu_features.pge);
    EXPECT_EQUAL(paging_global_flag != 0, cpu_features.pge);
}

/* ---- temporary and device mappings ---- */

TEST("paging", "temporary pages, one after the other: each shows its frame, and then nothing")
{
    frame_t first = frame_with(38), second = frame_with(39);
    for (enum temp_page number = TEMP_FAULT_FRAME; number <= TEMP_REPORT; number++) {
        vaddr_t page = VADDR(TEMP_PAGE_ADDRESS(number));
        EXPECT_EQUAL(*(uint32_t *)temp_map(number, first), 38);
        temp_unmap(number);
        EXPECT_EQUAL(seen_at(page), NOT_SEEN);
        uint32_t *view = temp_map(number, second);
        EXPECT_EQUAL(pointer_to_vaddr(view).v, page.v);
        EXPECT_EQUAL(*view, 39);
        *view = 39; /* writable */
        temp_unmap(number);
    }
    frame_free(&frame_pool, first);
    frame_free(&frame_pool, second);
}

/* Device mappings stay for good; the tests give the pages back by hand. */
static void drop_device_pages(vaddr_t first, uint32_t pages, frame_t frame)
{
    for (uint32_t i = 0; i < pages; i++)
        expect_unmap(vaddr_add(vaddr_to_page(first), i << PAGE_SHIFT), FRAME(frame.n + i));
}

TEST("paging", "device memory: is seen uncached from its first byte on, a guard page behind it")
{
    enum { OFFSET = 0xABC };
    paddr_t start = PADDR(VGA_TEXT_PHYSICAL + OFFSET);
    vaddr_t address;
    uint32_t uncached = ENTRY_CACHE_DISABLE | ENTRY_WRITE_THROUGH | ENTRY_WRITABLE | ENTRY_PRESENT;

    REQUIRE(paging_map_device(start, PAGE_BYTES, &address) == KERR_OK);
    EXPECT(vaddr_in(address, VADDR(DEVICE_BASE), DEVICE_ROOM_BYTES));
    EXPECT_EQUAL(address.v % PAGE_BYTES, OFFSET);
    EXPECT_EQUAL(seen_at(address), seen_at(VADDR(KERNEL_BASE + start.v)));
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t flags = flags_at(vaddr_add(address, i * PAGE_BYTES));
        EXPECT_EQUAL(flags & (uncached | ENTRY_USER), uncached);
    }
    EXPECT_EQUAL(seen_at(vaddr_add(address, 2 * PAGE_BYTES)), NOT_SEEN);
    drop_device_pages(address, 2, paddr_to_frame(start));
}

TEST("paging", "device memory up to 4 GiB: its last byte is seen")
{
    vaddr_t address;
    paddr_t start = PADDR(0u - 2 * PAGE_BYTES);
    REQUIRE(paging_map_device(start, 2 * PAGE_BYTES, &address) == KERR_OK);
    EXPECT(seen_at(vaddr_add(address, 2 * PAGE_BYTES - 4)) != NOT_SEEN);
    drop_device_pages(address, 2, paddr_to_frame(start));
}

TEST("paging", "device memory: no bytes, a wrap, more than the room: KERR_BAD_RANGE")
{
    vaddr_t address = VADDR(1);
    EXPECT_EQUAL(paging_map_device(PADDR(VGA_TEXT_PHYSICAL), 0, &address), KERR_BAD_RANGE);
    EXPECT_EQUAL(paging_map_device(PADDR(0u - PAGE_BYTES), PAGE_BYTES + 1, &address),
                 KERR_BAD_RANGE);
    EXPECT_EQUAL(paging_map_device(PADDR(0), DEVICE_ROOM_BYTES, &address), KERR_BAD_RANGE);
    EXPECT_EQUAL(paging_map_device(PADDR(0), UINT32_MAX, &address), KERR_BAD_RANGE);
    EXPECT_EQUAL(address.v, 1);
}

TEST("paging", "device memory, no frame for a table: KERR_NO_MEMORY, and the next one works")
{
    paddr_t start = PADDR(VGA_TEXT_PHYSICAL);
    vaddr_t first, second;

    REQUIRE(paging_map_device(start, 1, &first) == KERR_OK);
    drop_device_pages(first, 1, paddr_to_frame(start));
    if (pde_is_present(pde_read(vaddr_to_slot(first))))
        SKIP("the device area has a table already");
    uint32_t hidden = hide_all_frames();
    EXPECT_EQUAL(paging_map_device(start, 1, &second), KERR_NO_MEMORY);
    give_frames_back(hidden);
    REQUIRE(paging_map_device(start, 1, &second) == KERR_OK);
    EXPECT_EQUAL(second.v, first.v + 2 * PAGE_BYTES); /* the failure has used no room */
    drop_device_pages(second, 1, paddr_to_frame(start));
}

/* ---- what must end in a panic ---- */

PANIC_TEST("write-rodata")
{
    static const uint32_t constant = 40;
    *(volatile uint32_t *)(uintptr_t)&constant = 41;
}

PANIC_TEST("write-text")
{
    *(volatile uint32_t *)vaddr_to_pointer(pointer_to_vaddr(text_start)) = 0;
}

/* Volatile: the compiler may not know that it is NULL. */
static void *volatile nothing;

PANIC_TEST("null-read")
{
    (void)*(volatile uint32_t *)nothing;
}

PANIC_TEST("null-call")
{
    ((void (*)(void))(uintptr_t)nothing)();
}

PANIC_TEST("window-hole")
{
    pde_t empty = pde_read(vaddr_to_slot(VADDR(KERNEL_GAP_BASE)));
    if (!pde_is_present(empty))
        (void)pte_read(VADDR(KERNEL_GAP_BASE));
}

PANIC_TEST("map-window")
{
    (void)!paging_map(VADDR(WINDOW_DIRECTORY), FRAME(0), RIGHTS_READ);
}

PANIC_TEST("temp-page-twice")
{
    temp_map(TEMP_FRAME, FRAME(0));
    temp_map(TEMP_FRAME, FRAME(1));
}

PANIC_TEST("tlb-debt-denied")
{
    vaddr_t page = pointer_to_vaddr(rodata_start);
    tlb_unneeded(pte_write(page, pte_read(page)), TLB_WAS_NOT_PRESENT);
}
