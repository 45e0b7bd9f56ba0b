/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Uses: layer 0. Used by: layers 2-4.
 *
 * The TLB rule, once. A store to an entry that the CPU may walk to goes through one of the writers
 * of entry.h, which return a debt; only the functions below consume it. (Two stores owe nothing by
 * their place: into a table that is linked nowhere yet, and into a shared one by a temporary page,
 * where only RW is lost and every directory entry above refuses writes already: mm/cow.c. Whoever
 * empties an entry there owes what he would owe in an own table: mm/cow_lose.c.)
 *
 *   change of an entry                              what is owed
 *   ----------------------------------------------  ------------------------------------------
 *   PTE  not present -> present                     nothing             TLB_WAS_NOT_PRESENT
 *   PTE  more rights, same frame, not in a window   nothing, at the     TLB_MORE_RIGHTS
 *                                                   price of one spurious fault
 *   PTE  A is cleared, and nothing else             nothing: a page     TLB_MORE_RIGHTS
 *                                                   in use looks unused
 *   PTE  anything else                              INVLPG of the page  tlb_invalidate_page
 *   PDE  not present -> present                     nothing             TLB_WAS_NOT_PRESENT
 *   PDE  A is cleared, and nothing else             nothing: as a PTE   TLB_MORE_RIGHTS
 *   PDE  other table, same translations below       INVLPG of the       tlb_invalidate_table
 *        (unsharing, own -> sole)                   window page of the slot
 *   PDE  translations below change or lose rights   all pages below,    tlb_invalidate_slot
 *                                                   and the window page
 *   any  entry of a directory that is not loaded,   nothing             TLB_NOT_LOADED
 *        or of a table that is linked nowhere
 *   PDE  of a directory that is not loaded, but     INVLPG of the page  tlb_invalidate_alternate
 *        seen in the alternate window               there
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
#include <arch/i386/ledger.h>
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

/* Where a store or a payment stands in the source, for the ledger. */
#define TLB_STRING_(text) #text
#define TLB_STRING(text)  TLB_STRING_(text)
#define TLB_HERE          __FILE__ ":" TLB_STRING(__LINE__)

/* Nothing has to be done, because of REASON, which checked builds verify. */
static inline void tlb_unneeded(tlb_debt_t debt, enum tlb_reason reason)
{
    static const char *const claims[] = {"claimed: was not present", "claimed: more rights"};
    /* Of another directory: the loaded one's entry of the same page may have debts of its own. */
    if (CHECKED && reason != TLB_NOT_LOADED)
        ledger_expect_nothing(debt.page, claims[reason]);
    if (reason == TLB_WAS_NOT_PRESENT)
        CHECK((debt.before & ENTRY_PRESENT) == 0,
              "entry of " PRI_VADDR " was present (%08x, now %08x): an invalidation is owed",
              ARG_VADDR(debt.page), debt.before, debt.after);
    if (reason == TLB_MORE_RIGHTS)
        CHECK((debt.before & debt.after & ENTRY_PRESENT) != 0 &&
                  (debt.before & ~ENTRY_FLAGS_MASK) == (debt.after & ~ENTRY_FLAGS_MASK) &&
                  (debt.before & ~debt.after & (ENTRY_WRITABLE | ENTRY_USER)) == 0 &&
                  debt.page.v < TEMP_BASE,
              "entry of " PRI_VADDR
              " lost rights or moved (%08x, now %08x): an invalidation is owed",
              ARG_VADDR(debt.page), debt.before, debt.after);
}

/* The CPU forgets the translation of PAGE, and every cached directory entry. */
static inline void tlb_forget_page(vaddr_t page)
{
    cpu_invalidate_page(page);
    if (CHECKED)
        ledger_page_invalidated(page);
}

/*
 * Each payment below is a macro that knows where it stands: in checked builds `mutant=N` leaves it
 * out, or claims that it isn't needed (ledger.h), to see the self-tests catch it.
 */
#if CHECKED
#define TLB_SITE(site_what)                                                                        \
    ({                                                                                             \
        static const struct tlb_site site                                                          \
            __attribute__((section(".tlb_sites"), used)) = {TLB_HERE, (site_what)};                \
        &site;                                                                                     \
    })
#define TLB_PAY(pay, debt)                                                                         \
    do {                                                                                           \
        tlb_debt_t tlb_debt_ = (debt);                                                             \
        if (!tlb_is_mutant(TLB_SITE(#pay)))                                                        \
            pay##_now(tlb_debt_);                                                                  \
        else if (tlb_mutation != TLB_OMIT)                                                         \
            tlb_unneeded(tlb_debt_, (enum tlb_reason)(tlb_mutation - TLB_CLAIM_NOT_PRESENT));      \
    } while (0)
#else
#define TLB_PAY(pay, debt) pay##_now(debt)
#endif

/* After a change of a PTE. */
#define tlb_invalidate_page(debt) TLB_PAY(tlb_invalidate_page, debt)
static inline void tlb_invalidate_page_now(tlb_debt_t debt)
{
    tlb_forget_page(debt.page);
}

/* After a change of a PDE below which every translation stays what it was. */
#define tlb_invalidate_table(debt) TLB_PAY(tlb_invalidate_table, debt)
static inline void tlb_invalidate_table_now(tlb_debt_t debt)
{
    tlb_forget_page(window_page(debt.page));
}

/* After a change of a PDE in the directory that the alternate window shows. */
#define tlb_invalidate_alternate(debt) TLB_PAY(tlb_invalidate_alternate, debt)
static inline void tlb_invalidate_alternate_now(tlb_debt_t debt)
{
    tlb_forget_page(alternate_page(debt.page));
}

/* Drop everything that the CPU remembers: all pages but global ones, or those as well. */
static inline void tlb_flush(void)
{
    cpu_write_cr3(cpu_read_cr3());
    if (CHECKED)
        ledger_flushed();
}

static inline void tlb_flush_global(void)
{
    if (cpu_features.pge) {
        cpu_write_cr4(cpu_read_cr4() & ~(uint32_t)CR4_PGE);
        cpu_write_cr4(cpu_read_cr4() | CR4_PGE);
        if (CHECKED)
            ledger_global_flushed();
    } else {
        tlb_flush();
    }
}

/* After a change of a PDE that changed translations below it. */
#define tlb_invalidate_slot(debt) TLB_PAY(tlb_invalidate_slot, debt)
static inline void tlb_invalidate_slot_now(tlb_debt_t debt)
{
    if (debt.page.v >= KERNEL_BASE)
        tlb_flush_global();
    else
        tlb_flush();
}

/*
 * Debts of a whole range of slots, paid together by one flush at the end. Nothing that the old
 * entries led to may be freed before tlb_batch_pay().
 *
 * One debt stands for all of them, since a flush names no page: it forgets the lower 3 GiB, or all
 * there is. So two things are to be known of the batch: was any entry present, else nothing is
 * owed; and is one of them the kernel's, whose pages may be global. The debt of the highest page
 * whose entry was present tells both: there is one if there are any, and if it lies below 3 GiB, so
 * do all others.
 */
struct tlb_batch {
    tlb_debt_t debt; /* of that page; `before` is not present as long as nothing is owed */
};

static inline void tlb_batch_add(struct tlb_batch *batch, tlb_debt_t debt)
{
    if ((debt.before & ENTRY_PRESENT) != 0 && debt.page.v >= batch->debt.page.v)
        batch->debt = debt;
}

/* One flush: of global pages as well, if the highest page is the kernel's. */
#define tlb_batch_pay(batch) TLB_PAY(tlb_batch_pay, (batch)->debt)
static inline void tlb_batch_pay_now(tlb_debt_t debt)
{
    if ((debt.before & ENTRY_PRESENT) != 0)
        tlb_invalidate_slot_now(debt);
}

#endif
