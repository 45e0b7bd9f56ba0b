/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. What entries of others' frames (files, shared memory) lose when these are written out,
 * or are to be had back: the right to write, the mark of use, the frame.
 *
 * Frames are short then, so nothing here takes one: a table that is shared by a fork is not copied
 * but edited in place, once for all who share it. That is allowed because nobody sees a difference
 * but by a fault: what an entry loses, the regions above it can say again, each space's own.
 */
#include "cow_entry.h"

#include <mm/cow.h>
#include <mm/frame.h>

/* What becomes of ENTRY, which is PTE now, of PAGE. Returns true if it lost something. */
typedef bool lose_t(volatile uint32_t *entry, vaddr_t page, pte_t pte);

static inline bool leads_to(pte_t pte, frame_t frame)
{
    return pte_frame(pte).n == frame.n && pte_holds_frame(pte);
}

/*
 * LOSE for those of the PAGES entries from FIRST on, all in one slot, that lead to FRAMES. The
 * window refuses a store to a table that is shared: this one is seen at a temporary page. Returns
 * how many lost something.
 */
static inline __attribute__((always_inline)) uint32_t
each_entry(vaddr_t first, uint32_t pages, const frame_t frames[], lose_t *lose)
{
    pde_t pde = pde_read(vaddr_to_slot(first));
    uint32_t losers = 0;
    if (!pde_is_table(pde))
        return 0;
    volatile uint32_t *entries = pte_slot(first);
    if (pde_is_shared(pde))
        entries =
            (uint32_t *)temp_map(TEMP_FAULT_OLD_TABLE, pde_frame(pde)) + vaddr_to_pte_idx(first);
    for (uint32_t i = 0; i < pages; i++) {
        pte_t pte = {entries[i]};
        if (leads_to(pte, frames[i]))
            losers += lose(entries + i, vaddr_add(first, i << PAGE_SHIFT), pte);
    }
    if (pde_is_shared(pde))
        temp_unmap(TEMP_FAULT_OLD_TABLE);
    return losers;
}

static inline bool lose_right_to_write(volatile uint32_t *entry, vaddr_t page, pte_t pte)
{
    pte_t clean = {(pte.bits & ~(uint32_t)(ENTRY_WRITABLE | ENTRY_DIRTY | ENTRY_GLOBAL)) | PTE_COW};
    if (!pte_is_writable(pte))
        return false;
    tlb_invalidate_page(pte_replace_by(entry, page, pte, clean));
    return true;
}

uint32_t cow_take_writes(vaddr_t first, uint32_t pages, const frame_t frames[])
{
    return each_entry(first, pages, frames, lose_right_to_write);
}

static inline bool lose_frame(volatile uint32_t *entry, vaddr_t page, pte_t pte)
{
    if (pte.bits & ENTRY_ACCESSED)
        return false;
    tlb_invalidate_page(pte_replace_by(entry, page, pte, PTE_EMPTY));
    frame_put(&frame_pool, pte_frame(pte));
    return true;
}

uint32_t cow_drop_unused(vaddr_t first, uint32_t pages, const frame_t frames[])
{
    uint32_t dropped = each_entry(first, pages, frames, lose_frame);
    if (dropped > 0)
        table_count_used(vaddr_to_slot(first), -(int32_t)dropped);
    table_release_if_empty(vaddr_to_slot(first)); /* maybe another space has emptied it */
    return dropped;
}

static inline bool lose_mark_of_use(volatile uint32_t *entry, vaddr_t page, pte_t pte)
{
    pte_t unused = {pte.bits & ~(uint32_t)ENTRY_ACCESSED};
    if (!(pte.bits & ENTRY_ACCESSED))
        return false;
    tlb_unneeded(pte_replace_by(entry, page, pte, unused), TLB_MORE_RIGHTS);
    return true;
}

uint32_t cow_forget_use(vaddr_t first, uint32_t pages, const frame_t frames[])
{
    return each_entry(first, pages, frames, lose_mark_of_use);
}
