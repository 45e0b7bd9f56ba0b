/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Frames of others (files, shared memory) below pages, and entries that change places.
 *
 * Both prepare the tables first, so that nothing can fail once the first entry has changed. An
 * entry that moves stays what it is, with its reference: writable, COW, kept, whatever it holds.
 */
#include "cow_entry.h"

#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/zero.h>

/* ---- frames of others ---- */

static uint32_t mapping_flags(vaddr_t page, enum rights rights, enum cow_mapping mapping)
{
    uint32_t flags = mapping == MAPPING_SHARED ? pte_flags(page, rights) : cow_flags(page, rights);
    return mapping == MAPPING_PRIVATE ? flags : flags | PTE_SHARED_MAPPING;
}

enum kerr cow_map(vaddr_t first, uint32_t pages, const frame_t frames[], enum rights rights,
                  enum cow_mapping mapping)
{
    enum kerr error = own_table(vaddr_to_slot(first), rights);
    if (error != KERR_OK)
        return error;
    uint32_t flags = mapping_flags(first, rights, mapping);
    volatile uint32_t *entries = pte_slot(first); /* all in one table */
    int32_t filled = 0;
    for (uint32_t i = 0; i < pages; i++) {
        if (frames[i].n == NO_FRAME.n || entries[i] != 0)
            continue;
        frame_get(&frame_pool, frames[i]);
        tlb_unneeded(pte_replace_by(&entries[i], vaddr_add(first, i << PAGE_SHIFT), PTE_EMPTY,
                                    pte_make(frames[i], flags)),
                     TLB_WAS_NOT_PRESENT);
        filled++;
    }
    table_count_used(vaddr_to_slot(first), filled);
    return KERR_OK;
}

enum kerr cow_allow_write(vaddr_t page)
{
    enum kerr error = cow_unshare(vaddr_to_slot(page));
    if (error != KERR_OK)
        return error;
    pte_t pte = pte_read(page), written = pte;
    ASSERT(pte_is_clean_shared(pte), "a page of a shared mapping waits for its first write");
    written.bits = (pte.bits & ~(uint32_t)PTE_COW) | ENTRY_WRITABLE | ENTRY_DIRTY;
    tlb_unneeded(pte_replace(page, pte, written), TLB_MORE_RIGHTS);
    if (page.v >= KERNEL_BASE)
        tlb_forget_page(page); /* not owed; but what was made real must not fault once more */
    return KERR_OK;
}

/* ---- entries that change places ---- */

/* Pages in a row that lie in one slot at either end of a move. */
struct stride {
    vaddr_t from, to;
    uint32_t pages, left; /* LEFT: of the whole range, these included */
};

static void stride_measure(struct stride *stride)
{
    uint32_t here = SLOT_PAGES - vaddr_to_pte_idx(stride->from);
    uint32_t there = SLOT_PAGES - vaddr_to_pte_idx(stride->to);
    uint32_t pages = here < there ? here : there;
    stride->pages = pages < stride->left ? pages : stride->left;
}

static struct stride stride_first(vaddr_t from, uint32_t pages, vaddr_t to)
{
    struct stride stride = {from, to, 0, pages};
    stride_measure(&stride);
    return stride;
}

static void stride_next(struct stride *stride)
{
    stride->from = vaddr_add(stride->from, stride->pages << PAGE_SHIFT);
    stride->to = vaddr_add(stride->to, stride->pages << PAGE_SHIFT);
    stride->left -= stride->pages;
    stride_measure(stride);
}

/* Whole slots move by their directory entry, which needs no table at the other end. */
static bool is_whole(const struct stride *stride)
{
    return stride->pages == SLOT_PAGES;
}

/* Tables of their own at both ends, where entries are to move one by one. */
static enum kerr prepare_stride(const struct stride *stride)
{
    uint32_t slot = vaddr_to_slot(stride->from);
    pde_t pde = pde_read(slot);
    if (is_whole(stride) || pde_is_empty(pde) || zero_slot_is_untouched(slot))
        return KERR_OK;
    enum kerr error = pde_is_swapped(pde) ? cow_bring_table(slot) : cow_unshare(slot);
    if (error != KERR_OK)
        return error;
    return own_table(vaddr_to_slot(stride->to), pde.bits & ENTRY_USER ? RIGHTS_USER : RIGHTS_NONE);
}

static void move_slot(const struct stride *stride, struct tlb_batch *batch)
{
    pde_t pde = pde_read(vaddr_to_slot(stride->from));
    if (pde_is_empty(pde))
        return;
    tlb_unneeded(pde_write(vaddr_to_slot(stride->to), pde), TLB_WAS_NOT_PRESENT);
    tlb_batch_add(batch, pde_write(vaddr_to_slot(stride->from), PDE_EMPTY));
}

/* From so many pages on one flush costs less than an INVLPG for each. */
enum { FLUSH_FROM_PAGES = 32 };

static void move_pages(const struct stride *stride)
{
    struct tlb_batch batch = {{{0}, 0, 0}};
    int32_t moved = 0;
    for (uint32_t i = 0; i < stride->pages; i++) {
        vaddr_t from = vaddr_add(stride->from, i << PAGE_SHIFT);
        vaddr_t to = vaddr_add(stride->to, i << PAGE_SHIFT);
        pte_t pte = pte_read(from);
        if (pte_is_empty(pte))
            continue;
        tlb_unneeded(pte_replace(to, PTE_EMPTY, pte), TLB_WAS_NOT_PRESENT);
        if (stride->pages < FLUSH_FROM_PAGES)
            tlb_invalidate_page(pte_replace(from, pte, PTE_EMPTY));
        else
            tlb_batch_add(&batch, pte_replace(from, pte, PTE_EMPTY));
        moved++;
    }
    tlb_batch_pay(&batch);
    table_count_used(vaddr_to_slot(stride->from), -moved);
    table_count_used(vaddr_to_slot(stride->to), moved);
}

static void move_stride(const struct stride *stride, struct tlb_batch *batch)
{
    uint32_t slot = vaddr_to_slot(stride->from);
    if (is_whole(stride)) {
        move_slot(stride, batch);
    } else if (zero_slot_is_untouched(slot)) {
        /* Nothing to move: the regions say what either end promises. */
        enum kerr error = cow_release(slot_to_vaddr(slot), SLOT_PAGES);
        ASSERT(error == KERR_OK, "a whole slot is released, which never fails");
    } else if (pde_is_present(pde_read(slot))) {
        move_pages(stride);
    }
}

/* Tables that are empty now, or were made for a move that came to nothing. */
static void release_empty_tables(vaddr_t from, uint32_t pages, vaddr_t to)
{
    for (struct stride s = stride_first(from, pages, to); s.left > 0; stride_next(&s)) {
        table_release_if_empty(vaddr_to_slot(s.from));
        table_release_if_empty(vaddr_to_slot(s.to));
    }
}

enum kerr cow_move(vaddr_t from, uint32_t pages, vaddr_t to)
{
    enum kerr error = KERR_OK;
    for (struct stride s = stride_first(from, pages, to); s.left > 0 && error == KERR_OK;
         stride_next(&s))
        error = prepare_stride(&s);
    if (error == KERR_OK) {
        struct tlb_batch batch = {{{0}, 0, 0}};
        for (struct stride s = stride_first(from, pages, to); s.left > 0; stride_next(&s))
            move_stride(&s, &batch);
        tlb_batch_pay(&batch);
    }
    release_empty_tables(from, pages, to);
    return error;
}
