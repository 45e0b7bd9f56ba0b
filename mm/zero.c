/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. The zero frame and the two zero tables: the first ancestors of everything shared.
 *
 *   directory            zero table (1024 equal entries)      zero frame
 *   | ...        |       | frame 0, P A U COW |----------+--->| 0 0 0 0 ... |
 *   | P A SHARED |------>| frame 0, P A U COW |----------+
 *   | P A SHARED |--^    | ...                |----------+
 *
 * Their references are counted like anyone's, and one more is the layer's own, so that they never
 * come to an end. A zero table is equal in all its entries and never edited: to copy it is to
 * fill a table with its first entry, and to lose it is to lose nothing that a region can't say
 * again. This is the one thing that is known about them elsewhere (cow.c).
 */
#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/layer.h>
#include <mm/frame.h>
#include <mm/zero.h>

frame_t zero_frame;
frame_t zero_tables[ZERO_TABLES];

pte_t zero_pte(enum rights rights)
{
    uint32_t flags = ENTRY_PRESENT | ENTRY_USER | ENTRY_ACCESSED;
    if (rights & RIGHTS_WRITE)
        flags |= PTE_COW;
    return pte_make(zero_frame, flags);
}

/* A PDE that shares the zero table for RIGHTS; the reference is not yet counted. */
static inline pde_t zero_pde(enum rights rights)
{
    uint32_t flags = ENTRY_PRESENT | ENTRY_ACCESSED | PDE_SHARED;
    if (rights & RIGHTS_USER)
        flags |= ENTRY_USER;
    return pde_make(zero_tables[rights & RIGHTS_WRITE ? ZERO_TABLE_COW : ZERO_TABLE_READ_ONLY],
                    flags);
}

pde_t zero_take_table(enum rights rights)
{
    pde_t pde = zero_pde(rights);
    frame_get(&frame_pool, pde_frame(pde));
    return pde;
}

enum kerr zero_promise_slots(uint32_t slot, uint32_t count, enum rights rights)
{
    pde_t pde = zero_pde(rights);
    enum kerr error = pde_fill_empty(slot, count, pde);
    if (error == KERR_OK)
        frame_get_many(&frame_pool, pde_frame(pde), count);
    return error;
}

enum kerr zero_promise_pages(vaddr_t first, uint32_t pages, enum rights rights)
{
    uint32_t slot = vaddr_to_slot(first);
    if (!pde_is_present(pde_read(slot))) {
        enum kerr error = table_create(slot, rights, TEMP_FAULT_TABLE);
        if (error != KERR_OK)
            return error;
    }
    uint32_t filled = pte_fill_empty(first, pages, zero_pte(rights));
    frame_get_many(&frame_pool, zero_frame, filled);
    return KERR_OK;
}

bool zero_slot_is_untouched(uint32_t slot)
{
    pde_t pde = pde_read(slot);
    return pde_is_shared(pde) && frame_kind(&frame_pool, pde_frame(pde)) == FRAME_ZERO;
}

static bool words_are(const uint32_t *words, uint32_t value)
{
    for (uint32_t i = 0; i < SLOT_PAGES; i++)
        if (words[i] != value)
            return false;
    return true;
}

static bool frame_holds(frame_t frame, uint32_t value)
{
    bool holds = words_are(temp_map(TEMP_FRAME, frame), value);
    temp_unmap(TEMP_FRAME);
    return holds;
}

const char *zero_check(void)
{
    if (!frame_holds(zero_frame, 0))
        return "the zero frame holds zeros";
    if (!frame_holds(zero_tables[ZERO_TABLE_COW], zero_pte(RIGHTS_READ_WRITE).bits) ||
        !frame_holds(zero_tables[ZERO_TABLE_READ_ONLY], zero_pte(RIGHTS_READ).bits))
        return "every entry of a zero table promises the zero frame";
    return NULL;
}

static enum kerr new_filled_frame(uint32_t value, frame_t *frame)
{
    enum kerr error = frame_alloc(&frame_pool, FRAME_ZERO, frame);
    if (error != KERR_OK)
        return error;
    words_fill(temp_map(TEMP_FRAME, *frame), value, SLOT_PAGES);
    temp_unmap(TEMP_FRAME);
    return KERR_OK;
}

static enum kerr zero_layer_init(const struct boot_info *boot)
{
    (void)boot;
    static const enum rights table_rights[ZERO_TABLES] = {RIGHTS_READ_WRITE, RIGHTS_READ};
    enum kerr error = new_filled_frame(0, &zero_frame);
    for (unsigned i = 0; i < ZERO_TABLES && error == KERR_OK; i++) {
        error = new_filled_frame(zero_pte(table_rights[i]).bits, &zero_tables[i]);
        if (error != KERR_OK)
            return error;
        frame_record(&frame_pool, zero_tables[i])->used_entries = SLOT_PAGES;
        frame_get_many(&frame_pool, zero_frame, SLOT_PAGES);
    }
    return error;
}

LAYER(03a, "zero", zero_layer_init);
