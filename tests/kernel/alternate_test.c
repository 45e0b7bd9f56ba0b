/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Tests of the alternate window: it shows the tables of another directory, refuses stores,
 * and leaves nothing behind in the TLB, neither when it is closed nor when an entry changes that it
 * shows.
 */
#include "paging_testing.h"

#include <arch/i386/alternate.h>

enum { WORDS_SHOWN = 2, ROUNDS = 4 };

/* Directories that are not loaded, with a page each at the same address, and frames of their
 * own. */
static struct {
    uint32_t id;
    pte_t promise;
    frame_t frame, table;
} others[WORDS_SHOWN];
static vaddr_t page;

static void make_others(void)
{
    uint32_t home = directory_current();
    page = slot_to_vaddr(find_empty_slots(1));
    for (unsigned i = 0; i < ARRAY_LENGTH(others); i++) {
        others[i].id = free_directory(1);
        others[i].promise = directory_lay(others[i].id);
        others[i].frame = frame_with(i);
        directory_load(others[i].id);
        EXPECT_EQUAL(paging_map(page, others[i].frame, RIGHTS_READ_WRITE), KERR_OK);
        others[i].table = pde_frame(pde_read(vaddr_to_slot(page)));
        directory_load(home);
    }
}

static void end_others(void)
{
    uint32_t home = directory_current();
    for (unsigned i = 0; i < ARRAY_LENGTH(others); i++) {
        directory_load(others[i].id);
        expect_unmap(page, others[i].frame);
        directory_load(home);
        directory_take_away(others[i].id, others[i].promise);
        frame_free(&frame_pool, others[i].frame);
    }
}

/* The window is aimed at OTHERS[i], and shows it. */
static void expect_shown(unsigned i)
{
    struct translation t;
    alternate_query(page, &t);
    EXPECT(t.has_pte);
    EXPECT_EQUAL(pde_frame(t.pde).n, others[i].table.n);
    EXPECT_EQUAL(pte_frame(t.pte).n, others[i].frame.n);
    EXPECT_EQUAL(seen_at(alternate_page(page)), t.pte.bits);
    alternate_query(vaddr_add(page, PAGE_BYTES), &t);
    EXPECT(t.has_pte && pte_is_empty(t.pte));
    alternate_query(vaddr_add(page, SLOT_BYTES), &t);
    EXPECT(!t.has_pte && !pde_is_present(t.pde));
}

static void expect_sound(void)
{
    const char *broken = directory_check();
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
    EXPECT_EQUAL(ledger_open(), 0);
}

TEST("alternate", "two directories in turn: each shows its own, and nothing when it is closed")
{
    make_others();
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned i = round % ARRAY_LENGTH(others);
        alternate_open(others[i].id);
        EXPECT(alternate_is_open());
        expect_shown(i);
        expect_sound();
        alternate_close();
        EXPECT(!alternate_is_open());
        EXPECT_EQUAL(pde_read(ALT_WINDOW_SLOT).bits, 0);
        EXPECT_EQUAL(seen_at(alternate_page(page)), NOT_SEEN);
        expect_sound();
    }
    end_others();
}

TEST("alternate", "a store through it: is refused, though the foreign table is writable")
{
    make_others();
    alternate_open(others[0].id);
    EXPECT_EQUAL(probe_write(alternate_page(page), 0), FAULT_BAD_ACCESS);
    expect_shown(0);
    alternate_close();
    end_others();
}

TEST("alternate", "the current directory: is seen in its own window, nothing is mapped")
{
    struct translation here, there;
    vaddr_t mapped = slot_to_vaddr(find_empty_slots(1));
    frame_t frame = frame_with(1);
    REQUIRE(paging_map(mapped, frame, RIGHTS_READ) == KERR_OK);
    alternate_open(directory_current());
    EXPECT_EQUAL(pde_read(ALT_WINDOW_SLOT).bits, 0);
    paging_query(mapped, &here);
    alternate_query(mapped, &there);
    EXPECT(there.has_pte);
    EXPECT_EQUAL(there.pde.bits, here.pde.bits);
    EXPECT_EQUAL(there.pte.bits, here.pte.bits);
    expect_sound();
    alternate_close();
    expect_unmap(mapped, frame);
    frame_free(&frame_pool, frame);
}

TEST("alternate", "an entry of the foreign directory changes while it is seen: no older one is")
{
    uint32_t slot;
    make_others();
    slot = vaddr_to_slot(page);
    alternate_open(others[0].id);
    pde_t own = directory_pde_read(others[0].id, slot);
    pde_t other = directory_pde_read(others[1].id, slot);
    expect_shown(0);
    directory_pde_write(others[0].id, slot, other);
    EXPECT_EQUAL(ledger_open(), 0);
    EXPECT_EQUAL(seen_at(alternate_page(page)) >> PAGE_SHIFT, others[1].frame.n);
    directory_pde_write(others[0].id, slot, PDE_EMPTY);
    EXPECT_EQUAL(ledger_open(), 0);
    EXPECT_EQUAL(seen_at(alternate_page(page)), NOT_SEEN);
    directory_pde_write(others[0].id, slot, own);
    expect_shown(0);
    alternate_close();
    end_others();
}

TEST("alternate", "a kernel entry changes in all directories while one is seen: no older one is")
{
    vaddr_t kernel_page = VADDR(KERNEL_GAP_BASE);
    frame_t frame = frame_with(1);
    make_others();
    alternate_open(others[0].id);
    REQUIRE(paging_map(kernel_page, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(seen_at(alternate_page(kernel_page)) >> PAGE_SHIFT, frame.n);
    expect_unmap(kernel_page, frame); /* and the table with it */
    EXPECT_EQUAL(ledger_open(), 0);
    EXPECT_EQUAL(seen_at(alternate_page(kernel_page)), NOT_SEEN);
    expect_sound();
    alternate_close();
    frame_free(&frame_pool, frame);
    end_others();
}

TEST("alternate", "closed without a flush: that is owed: the entry, its window page, all below")
{
    if (!CHECKED)
        SKIP("the plain kernel has no ledger");
    make_others();
    alternate_open(others[0].id);
    pde_t aimed = pde_read(ALT_WINDOW_SLOT);
    tlb_debt_t debt = pde_write(ALT_WINDOW_SLOT, PDE_EMPTY);
    EXPECT_EQUAL(ledger_open(), 3);
    tlb_invalidate_slot(debt);
    EXPECT_EQUAL(ledger_open(), 0);
    tlb_unneeded(pde_write(ALT_WINDOW_SLOT, aimed), TLB_WAS_NOT_PRESENT);
    alternate_close();
    end_others();
}

/* ---- boots that must end in a panic ---- */

static void open_one(void)
{
    make_others();
    alternate_open(others[0].id);
}

PANIC_TEST("alternate-open-twice")
{
    open_one();
    alternate_open(others[1].id);
}

PANIC_TEST("alternate-dead-directory")
{
    alternate_open(free_directory(1));
}

PANIC_TEST("alternate-directory-ends")
{
    open_one();
    directory_unregister(others[0].id);
}

PANIC_TEST("alternate-open-at-load")
{
    open_one();
    directory_load(others[1].id);
}

PANIC_TEST("alternate-store")
{
    open_one();
    *(volatile uint32_t *)vaddr_to_pointer(alternate_page(page)) = 0;
}
