/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. The ledger of owed invalidations: what it calls a debt, and what pays it. That the
 * whole of layers 2-4 is caught where it forgets one is shown by `make mutants`.
 */
#include "paging_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <kernel/test.h>
#include <mm/frame.h>

static void expect_no_debts(void)
{
    if (ledger_open() != 0)
        test_fail(__FILE__, __LINE__, "every invalidation is paid when a test ends");
}

TEST_INVARIANT("ledger", NULL, expect_no_debts);

#define PAGE_UNDER_TEST VADDR(TEMP_BASE - SLOT_BYTES)

/* Map a page, take its rights away without telling the CPU. */
static tlb_debt_t lose_rights(frame_t frame)
{
    if (paging_map(PAGE_UNDER_TEST, frame, RIGHTS_READ_WRITE) != KERR_OK)
        test_fail(__FILE__, __LINE__, "the page is free");
    return pte_write(PAGE_UNDER_TEST, pte_make(frame, pte_flags(PAGE_UNDER_TEST, RIGHTS_READ)));
}

static void unmap(frame_t frame)
{
    frame_t was;
    if (paging_unmap(PAGE_UNDER_TEST, &was) != KERR_OK || was.n != frame.n)
        test_fail(__FILE__, __LINE__, "the page was mapped to its frame");
    frame_free(&frame_pool, frame);
}

#define REQUIRE_LEDGER()                                                                           \
    do {                                                                                           \
        if (!CHECKED)                                                                              \
            SKIP("the plain kernel has no ledger");                                                \
    } while (0)

TEST("ledger", "a page loses a right: INVLPG of that page is owed, of another one pays nothing")
{
    REQUIRE_LEDGER();
    frame_t frame;
    REQUIRE(frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) == KERR_OK);
    tlb_debt_t debt = lose_rights(frame);
    EXPECT_EQUAL(ledger_open(), 1);
    tlb_forget_page(vaddr_add(PAGE_UNDER_TEST, PAGE_BYTES));
    EXPECT_EQUAL(ledger_open(), 1);
    tlb_invalidate_page(debt);
    EXPECT_EQUAL(ledger_open(), 0);
    unmap(frame);
}

TEST("ledger", "a global page loses a right: a load of CR3 does not pay, a toggle of PGE does")
{
    REQUIRE_LEDGER();
    frame_t frame;
    REQUIRE(frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) == KERR_OK);
    tlb_debt_t debt = lose_rights(frame);
    tlb_flush();
    EXPECT_EQUAL(ledger_open(), cpu_features.pge ? 1 : 0);
    tlb_flush_global();
    EXPECT_EQUAL(ledger_open(), 0);
    tlb_invalidate_page(debt);
    unmap(frame);
}

TEST("ledger", "a slot's table goes: the entry, the window page and the pages below are owed")
{
    REQUIRE_LEDGER();
    frame_t frame;
    uint32_t slot = vaddr_to_slot(PAGE_UNDER_TEST);
    REQUIRE(frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) == KERR_OK);
    REQUIRE(paging_map(PAGE_UNDER_TEST, frame, RIGHTS_READ_WRITE) == KERR_OK);
    pde_t own = pde_read(slot);
    tlb_debt_t debt = pde_write(slot, PDE_EMPTY);
    EXPECT_EQUAL(ledger_open(), 3);
    tlb_forget_page(window_page(PAGE_UNDER_TEST)); /* and with it every cached directory entry */
    EXPECT_EQUAL(ledger_open(), 1);
    tlb_invalidate_slot(debt);
    EXPECT_EQUAL(ledger_open(), 0);
    tlb_unneeded(pde_write(slot, own), TLB_WAS_NOT_PRESENT);
    unmap(frame);
}

TEST("ledger", "an invalidation without need: is counted, and does no harm")
{
    REQUIRE_LEDGER();
    uint32_t needless = ledger_counters.needless;
    tlb_forget_page(PAGE_UNDER_TEST);
    EXPECT_EQUAL(ledger_counters.needless, needless + 1);
}

TEST("ledger", "more rights for a page: nothing is owed, and the write gets through")
{
    REQUIRE_LEDGER();
    frame_t frame;
    REQUIRE(frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) == KERR_OK);
    REQUIRE(paging_map(PAGE_UNDER_TEST, frame, RIGHTS_READ) == KERR_OK);
    uint32_t value;
    EXPECT_EQUAL(probe_read(PAGE_UNDER_TEST, &value), FAULT_RESOLVED);
    pte_t writable = pte_make(frame, pte_flags(PAGE_UNDER_TEST, RIGHTS_READ_WRITE));
    tlb_debt_t debt = pte_write(PAGE_UNDER_TEST, writable);
    EXPECT_EQUAL(ledger_open(), 0);
    EXPECT_EQUAL(probe_write(PAGE_UNDER_TEST, value), FAULT_RESOLVED);
    tlb_invalidate_page(debt);
    unmap(frame);
}

PANIC_TEST("owed-invalidation")
{
    frame_t frame;
    if (frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) != KERR_OK)
        return;
    (void)!lose_rights(frame).page.v;
    frame_free(&frame_pool, frame);
}
