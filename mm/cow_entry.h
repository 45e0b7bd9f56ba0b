/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Private. Uses: layers 0-2. Used by: mm/cow*.c.
 *
 * What the units of copy-on-write know in common of entries and of tables full of them.
 */
#ifndef MM_COW_ENTRY_H
#define MM_COW_ENTRY_H

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <mm/cow.h>

/* The flags of a present PTE of PAGE, private, whose frame others use as well. */
static inline uint32_t cow_flags(vaddr_t page, enum rights rights)
{
    enum rights read_only = rights & ~(unsigned)RIGHTS_WRITE;
    uint32_t flags = pte_flags(page, read_only);
    /* Global never: it will be replaced by a copy. */
    return rights & RIGHTS_WRITE ? (flags & ~(uint32_t)ENTRY_GLOBAL) | PTE_COW : flags;
}

/* The first entry in use from I on, or SLOT_PAGES. I < SLOT_PAGES. */
static inline uint32_t next_used_entry(const uint32_t *entries, uint32_t i)
{
    return entries[i] != 0 ? i : i + words_run(entries + i, 0, SLOT_PAGES - i);
}

/* A table of SLOT's own, in a space whose pages have the RIGHTS_USER of RIGHTS, or not. */
static inline enum kerr own_table(uint32_t slot, enum rights rights)
{
    pde_t pde = pde_read(slot);
    if (likely(pde_is_own_table(pde)))
        return KERR_OK;
    if (pde_is_present(pde))
        return cow_unshare(slot);
    return pde_is_empty(pde) ? table_create(slot, rights, TEMP_FAULT_TABLE) : cow_bring_table(slot);
}

/* *COPY: a frame of nobody else, with what FRAME holds. Returns KERR_OK, KERR_NO_MEMORY. */
kerr_t cow_copy_frame(frame_t frame, frame_t *copy);

/* Who keeps the pages of slots; NULL: nobody, there is no swapped entry. */
extern const struct swapper *cow_swapper;

/* Nothing leads to TABLE any more: what its entries hold is given back, and then the table. */
void cow_free_table(frame_t table);

/* FRAME is a slot's page as well, and one entry shows it: true if the slot's page is no more. */
static inline bool cow_lets_go(frame_t frame)
{
    const struct frame_record *record = frame_record(&frame_pool, frame);
    return unlikely(record->kind == FRAME_SWAPPED) && record->references == 2 &&
           cow_swapper->let_go(frame);
}

#endif
