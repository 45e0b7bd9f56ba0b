/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Copy-on-write of frames and of tables: the write fault, and what is shared by a fork.
 *
 * What a write does, by the entries alone:
 *
 *   PDE \ PTE    empty/kept    read-only   COW                      writable
 *   not present  not mine      -           -                        -
 *   shared       not mine      refused     unshare, then as below   unshare
 *   own          not mine      refused     copy, clear or take      (spurious: not mine)
 *   large        refused
 *
 * A table with more than one reference has only SHARED PDEs above it, so nothing below it can be
 * written, whatever its PTEs say: to edit it changes no translation. A *sole owner*, count 1 at
 * every level of the path, takes what is there without copying.
 */
#include "cow_entry.h"

#include <kernel/layer.h>
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/zero.h>

struct cow_counters cow_counters;

/* ---- a frame ---- */

/* A private frame full of zeros. */
static inline enum kerr cleared_frame(frame_t *frame)
{
    if (unlikely(frame_alloc(&frame_pool, FRAME_ANONYMOUS, frame) != KERR_OK))
        return KERR_NO_MEMORY;
    page_clear(temp_map(TEMP_FAULT_FRAME, *frame));
    temp_unmap(TEMP_FAULT_FRAME);
    cow_counters.frames_cleared++;
    return KERR_OK;
}

/* A private frame with the contents of FRAME, which others use as well. */
static inline enum kerr copy_frame(frame_t frame, frame_t *copy)
{
    if (frame.n == zero_frame.n)
        return cleared_frame(copy);
    if (unlikely(frame_alloc(&frame_pool, FRAME_ANONYMOUS, copy) != KERR_OK))
        return KERR_NO_MEMORY;
    page_copy(temp_map(TEMP_FAULT_FRAME, *copy), temp_map(TEMP_FAULT_SOURCE, frame));
    temp_unmap(TEMP_FAULT_SOURCE);
    temp_unmap(TEMP_FAULT_FRAME);
    cow_counters.frames_copied++;
    return KERR_OK;
}

enum kerr cow_copy_frame(frame_t frame, frame_t *copy)
{
    return copy_frame(frame, copy);
}

/* So many pages in a row are taken back at once by a sole owner, as far as they lie in one slot. */
enum { TAKEN_AT_ONCE = 8 };

/*
 * PTE, of PAGE, is COW, and nobody else has its frame: take it back, and so those behind it that
 * are alike, since they would fault one by one. No right is lost, and no frame spent.
 */
static inline void take_frames(vaddr_t page, pte_t pte)
{
    const uint32_t flags = pte_flags(page, RIGHTS_READ_WRITE);
    uint32_t left = SLOT_PAGES - vaddr_to_pte_idx(page);
    for (uint32_t pages = left < TAKEN_AT_ONCE ? left : TAKEN_AT_ONCE;;) {
        frame_t frame = pte_frame(pte);
        pte_t own = pte_make(frame, (pte.bits & ENTRY_USER) | flags);
        tlb_unneeded(pte_replace(page, pte, own), TLB_MORE_RIGHTS);
        cow_counters.frames_taken++;
        if (--pages == 0)
            return;
        page = vaddr_add(page, PAGE_BYTES);
        pte = pte_read(page);
        if (!pte_is_cow(pte) || frame_references(&frame_pool, pte_frame(pte)) != 1)
            return;
    }
}

/* The table is PAGE's slot's own, and PTE, its entry, is COW. */
static inline enum fault_result answer_cow(vaddr_t page, pte_t pte)
{
    uint32_t flags = (pte.bits & ENTRY_USER) | pte_flags(page, RIGHTS_READ_WRITE);
    frame_t old = pte_frame(pte), new;
    if (frame_references(&frame_pool, old) == 1) {
        take_frames(page, pte);
        return FAULT_RESOLVED;
    }
    if (cow_lets_go(old)) {
        take_frames(page, pte);
        return FAULT_RESOLVED;
    }
    if (unlikely(copy_frame(old, &new) != KERR_OK))
        return FAULT_NO_MEMORY;
    tlb_invalidate_page(pte_replace(page, pte, pte_make(new, flags)));
    frame_put(&frame_pool, old);
    return FAULT_RESOLVED;
}

/* ---- a table ---- */

/* ENTRY of a table that is being copied: what it is in both tables from here on. */
static inline pte_t entry_when_shared(pte_t entry)
{
    if (pte_is_writable(entry) && !(entry.bits & PTE_SHARED_MAPPING))
        entry.bits = (entry.bits & ~(uint32_t)(ENTRY_WRITABLE | ENTRY_GLOBAL)) | PTE_COW;
    return entry;
}

/*
 * Fill TO from FROM, a shared table with USED entries in use, mostly few; FROM's private entries
 * lose the right to write as well.
 */
static void copy_entries(uint32_t *to, uint32_t *from, uint32_t used)
{
    page_copy(to, from);
    for (uint32_t i = 0; used > 0 && i < SLOT_PAGES; i++, used--) {
        i = next_used_entry(from, i);
        pte_t entry = entry_when_shared((pte_t){from[i]});
        if (pte_frame(entry).n == zero_frame.n) { /* promises come in rows */
            uint32_t run = words_run(from + i, entry.bits, SLOT_PAGES - i);
            frame_get_many(&frame_pool, zero_frame, run);
            used -= run - 1;
            i += run - 1;
            continue;
        }
        to[i] = from[i] = entry.bits;
        if (pte_holds_frame(entry))
            frame_get(&frame_pool, pte_frame(entry));
    }
}

/* A table with the contents of TABLE, which the PDE of SLOT shares with others. */
static inline enum kerr copy_table(uint32_t slot, frame_t table, frame_t *copy)
{
    if (unlikely(frame_alloc(&frame_pool, FRAME_TABLE, copy) != KERR_OK))
        return KERR_NO_MEMORY;
    uint32_t *to = temp_map(TEMP_FAULT_TABLE, *copy);
    struct frame_record *record = frame_record(&frame_pool, table);
    if (record->kind == FRAME_ZERO) { /* all entries are equal, and none is writable */
        pte_t entry = pte_read(slot_to_vaddr(slot));
        words_fill(to, entry.bits, SLOT_PAGES);
        frame_get_many(&frame_pool, pte_frame(entry), SLOT_PAGES);
        cow_counters.tables_filled++;
    } else {
        copy_entries(to, temp_map(TEMP_FAULT_OLD_TABLE, table), record->used_entries);
        temp_unmap(TEMP_FAULT_OLD_TABLE);
        cow_counters.tables_copied++;
    }
    temp_unmap(TEMP_FAULT_TABLE);
    frame_record(&frame_pool, *copy)->used_entries = record->used_entries;
    return KERR_OK;
}

/* PDE, of SLOT, is shared. */
static inline enum kerr unshare(uint32_t slot, pde_t pde)
{
    frame_t old = pde_frame(pde), new = old;
    bool is_sole = frame_references(&frame_pool, old) == 1;
    if (is_sole)
        cow_counters.tables_taken++;
    else if (unlikely(copy_table(slot, old, &new) != KERR_OK))
        return KERR_NO_MEMORY;

    uint32_t flags = pde_own_flags(RIGHTS_NONE) | (pde.bits & ENTRY_USER);
    tlb_invalidate_table(pde_write(slot, pde_make(new, flags)));
    if (!is_sole)
        frame_put(&frame_pool, old);
    return KERR_OK;
}

enum kerr cow_unshare(uint32_t slot)
{
    pde_t pde = pde_read(slot);
    return pde_is_shared(pde) ? unshare(slot, pde) : KERR_OK;
}

/* ---- a write ---- */

/*
 * A write below PDE, shared, to PTE wants two frames, one for the table and one for the page, and
 * there are not two. (A sole owner copies no table, and a shared mapping no page.)
 */
static inline bool wants_two_frames_in_vain(pde_t pde, pte_t pte)
{
    return unlikely(frame_available(&frame_pool) < 2) &&
           frame_references(&frame_pool, pde_frame(pde)) != 1 && !(pte.bits & PTE_SHARED_MAPPING);
}

/*
 * A write to a page whose table is not own. Kept out of the way of the common case, which it leads
 * to in the end.
 */
static __attribute__((noinline)) enum fault_result write_without_table(vaddr_t page, pde_t pde)
{
    if (!pde_is_shared(pde))
        return pde_is_large(pde) && !(pde.bits & ENTRY_WRITABLE) ? FAULT_BAD_ACCESS
                                                                 : FAULT_NOT_MINE;
    pte_t pte = pte_read(page);
    if (!pte_is_present(pte))
        return FAULT_NOT_MINE;
    if (!(pte.bits & (ENTRY_WRITABLE | PTE_COW)))
        return FAULT_BAD_ACCESS; /* no copy for a write that is refused anyway */
    if (wants_two_frames_in_vain(pde, pte))
        return FAULT_NO_MEMORY; /* no table is copied for a page that then finds no frame */
    if (unshare(vaddr_to_slot(page), pde) != KERR_OK)
        return FAULT_NO_MEMORY;
    return pte_is_writable(pte_read(page)) ? FAULT_RESOLVED : cow_write(page);
}

enum fault_result cow_write(vaddr_t page)
{
    pde_t pde = pde_read(vaddr_to_slot(page));
    if (unlikely(!pde_is_own_table(pde)))
        return write_without_table(page, pde);
    pte_t pte = pte_read(page);
    if (likely(pte_is_cow(pte)))
        return likely(!(pte.bits & PTE_SHARED_MAPPING)) ? answer_cow(page, pte) : FAULT_NOT_MINE;
    return pte_is_present(pte) && !pte_is_writable(pte) ? FAULT_BAD_ACCESS : FAULT_NOT_MINE;
}

enum kerr cow_enter_cleared(vaddr_t page, enum rights rights)
{
    uint32_t slot = vaddr_to_slot(page);
    frame_t frame;
    enum kerr error = own_table(slot, rights);
    if (error != KERR_OK)
        return error;
    error = cleared_frame(&frame);
    if (unlikely(error != KERR_OK)) {
        table_release_if_empty(slot);
        return error;
    }
    pte_t own = pte_make(frame, pte_flags(page, rights));
    tlb_unneeded(pte_replace(page, PTE_EMPTY, own), TLB_WAS_NOT_PRESENT);
    table_count_used(slot, 1);
    return KERR_OK;
}

static enum fault_result cow_fault(const struct page_fault *fault)
{
    return fault->access == ACCESS_WRITE ? cow_write(vaddr_to_page(fault->address))
                                         : FAULT_NOT_MINE;
}

enum kerr cow_make_real(vaddr_t first, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        vaddr_t page = vaddr_add(first, i << PAGE_SHIFT);
        enum fault_result result = cow_write(page);
        if (result == FAULT_NO_MEMORY)
            return KERR_NO_MEMORY;
        if (result == FAULT_RESOLVED)
            continue;
        struct translation t;
        paging_query(page, &t);
        if (!t.has_pte || !pte_is_writable(t.pte))
            return KERR_BAD_ACCESS;
    }
    return KERR_OK;
}

/* ---- sharing ---- */

/* The table of SLOT is out: its slot has one entry more, and each gets a table of its own from it. */
static __attribute__((noinline)) void share_swapped(uint32_t slot, pde_t pde, uint32_t id)
{
    frame_get(&frame_pool, pde_frame(pde));
    directory_pde_write(id, slot, pde);
}

/* The tables from SLOT on, up to END or the first slot without one, are shared from now on. Returns how many. */
static uint32_t share_tables(uint32_t slot, uint32_t end, struct tlb_batch *batch)
{
    uint32_t first = slot;
    for (; slot < end; slot++) {
        pde_t pde = pde_read(slot);
        if (!pde_is_present(pde))
            break;
        ASSERT(pde_is_table(pde), "slot %u can't be shared", slot);
        if (!pde_is_shared(pde)) {
            pde.bits = (pde.bits & ~(uint32_t)ENTRY_WRITABLE) | PDE_SHARED;
            tlb_batch_add(batch, pde_write(slot, pde));
        }
        frame_get(&frame_pool, pde_frame(pde));
    }
    return slot - first;
}

void cow_share(uint32_t slot, uint32_t count, uint32_t id)
{
    struct tlb_batch batch = {{{0}, 0, 0}};
    uint32_t end = slot + count, run;
    ASSERT(end <= KERNEL_FIRST_SLOT, "slots up to %u can't be shared", end);
    for (; slot < end; slot += run) {
        pde_t pde = pde_read(slot);
        run = 1;
        if (pde_is_present(pde)) {
            run = share_tables(slot, end, &batch);
            directory_pde_copy(id, slot, run);
        } else if (pde_is_swapped(pde)) {
            share_swapped(slot, pde, id);
        } else {
            run = pde_run(slot, end - slot);
        }
    }
    tlb_batch_pay(&batch);
}

static enum kerr cow_layer_init(const struct boot_info *boot)
{
    (void)boot;
    static const struct fault_client client = {.name = "cow", .handle_present = cow_fault};
    fault_register(3, &client);
    return KERR_OK;
}

LAYER(03b, "cow", cow_layer_init);
