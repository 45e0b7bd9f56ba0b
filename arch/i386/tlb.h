/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Uses: layer 0. Used by: layers 2-4.
 *
 * The TLB rule, once. Every store to an entry goes through one of the writers of entry.h, which
 * return a debt; only the functions below consume it.
 *
 *   change of an entry                              what is owed
 *   ----------------------------------------------  ------------------------------------------
 *   PTE  not present -> present                     nothing             TLB_WAS_NOT_PRESENT
 *   PTE  more rights, same frame, below 3 GiB       nothing, at the     TLB_MORE_RIGHTS
 *                                                   price of one spurious fault
 *   PTE  anything else                              INVLPG of the page  tlb_invalidate_page
 *   PDE  not present -> present                     nothing             TLB_WAS_NOT_PRESENT
 *   PDE  other table, same translations below       INVLPG of the       tlb_invalidate_table
 *        (unsharing, own -> sole)                   window page of the slot
 *   PDE  translations below change or lose rights   all pages below,    tlb_invalidate_slot
 *                                                   and the window page
 *   any  entry of a directory that is not loaded,   nothing             TLB_NOT_LOADED
 *        or of a table that is linked nowhere
 *
 * INVLPG of any address drops all paging-structure caches, so the one of the window page covers
 * the cached PDE as well. A CR3 load spares global pages: where kernel pages are global, a slot of
 * the kernel is invalidated by a toggle of CR4.PGE. A large page changes only by way of
 * not-present, with a whole flush (v86 drops only 4 KiB per INVLPG).
 * Source: Intel SDM vol. 3A, "Invalidation of TLBs and Paging-Structure Caches".
 */
#ifndef ARCH_I386_TLB_H
#define ARCH_I386_TLB_H

#include <arch/i386/cpu.h>
#include <arch/i386/pte.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <mm/memlayout.h>

/* What a store to an entry may owe. Optimised away where the answer is known. */
typedef struct {
    vaddr_t page; /* what the entry translates: for a PDE the first page of its slot */
    uint32_t before, after;
} tlb_debt_t;

enum tlb_reason {
    TLB_WAS_NOT_PRESENT,
    TLB_MORE_RIGHTS,
    TLB_NOT_LOADED,
};

/* Nothing has to be done, because of REASON, which checked builds verify. */
static inline void tlb_unneeded(tlb_debt_t debt, enum tlb_reason reason)
{
    if (reason == TLB_WAS_NOT_PRESENT)
        CHECK((debt.before & ENTRY_PRESENT) == 0,
              "entry of " PRI_VADDR " was present (%08x, now %08x): an invalidation is owed",
              ARG_VADDR(debt.page), debt.before, debt.after);
    if (reason == TLB_MORE_RIGHTS)
        CHECK((debt.before & debt.after & ENTRY_PRESENT) != 0 &&
                  (debt.before & ~ENTRY_FLAGS_MASK) == (debt.after & ~ENTRY_FLAGS_MASK) &&
                  (debt.before & ~debt.after & (ENTRY_WRITABLE | ENTRY_USER)) == 0 &&
                  debt.page.v < KERNEL_BASE,
              "entry of " PRI_VADDR
              " lost rights or moved (%08x, now %08x): an invalidation is owed",
              ARG_VADDR(debt.page), debt.before, debt.after);
}

/* After a change of a PTE. */
static inline void tlb_invalidate_page(tlb_debt_t debt)
{
    cpu_invalidate_page(debt.page);
}

/* The page of the recursive window that shows the table of the slot of ADDRESS. */
static inline vaddr_t window_page(vaddr_t address)
{
    return VADDR(WINDOW_BASE + vaddr_to_slot(address) * PAGE_BYTES);
}

/* After a change of a PDE below which every translation stays what it was. */
static inline void tlb_invalidate_table(tlb_debt_t debt)
{
    cpu_invalidate_page(window_page(debt.page));
}

/* Drop everything that the CPU remembers: all pages but global ones, or those as well. */
static inline void tlb_flush(void)
{
    cpu_write_cr3(cpu_read_cr3());
}

static inline void tlb_flush_global(void)
{
    if (cpu_features.pge) {
        cpu_write_cr4(cpu_read_cr4() & ~(uint32_t)CR4_PGE);
        cpu_write_cr4(cpu_read_cr4() | CR4_PGE);
    } else {
        tlb_flush();
    }
}

/* After a change of a PDE that changed translations below it. */
static inline void tlb_invalidate_slot(tlb_debt_t debt)
{
    if (debt.page.v >= KERNEL_BASE)
        tlb_flush_global();
    else
        tlb_flush();
}

/*
 * Debts of one kind that are paid together, by one flush at the end: of a whole range of slots.
 * Nothing that the old entries led to may be freed before tlb_batch_pay().
 */
struct tlb_batch {
    enum { TLB_BATCH_EMPTY, TLB_BATCH_USER, TLB_BATCH_GLOBAL } owed;
};

static inline void tlb_batch_add(struct tlb_batch *batch, tlb_debt_t debt)
{
    if ((debt.before & ENTRY_PRESENT) == 0)
        return;
    if (debt.page.v >= KERNEL_BASE)
        batch->owed = TLB_BATCH_GLOBAL;
    else if (batch->owed == TLB_BATCH_EMPTY)
        batch->owed = TLB_BATCH_USER;
}

static inline void tlb_batch_pay(struct tlb_batch *batch)
{
    if (batch->owed == TLB_BATCH_GLOBAL)
        tlb_flush_global();
    else if (batch->owed == TLB_BATCH_USER)
        tlb_flush();
    batch->owed = TLB_BATCH_EMPTY;
}

#endif
