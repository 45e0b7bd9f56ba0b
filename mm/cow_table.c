/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Tables go, and come back: what happens to directory entries.
 *
 *     nothing but zeros      own ──▶ the zero table, or empty       cow_remove_table()
 *     nothing but what is    own ──▶ swapped ──▶ own                cow_put_table_out()
 *     out, and zeros                          cow_bring_table()
 *
 * Only tables of a sole owner go: one that forks share serves many. What the entries of a table in a
 * slot refer to stays counted. So nothing but the table's own reference changes hands.
 *
 * Way out: clear the directory entry, invalidate, then edit what nothing leads to, then write.
 */
#include "cow_entry.h"

#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/zero.h>

/* ---- what there is ---- */

/* ENTRY, in use, shows an object: its region can say it again. */
static bool is_of_object(pte_t entry)
{
    return !pte_is_swapped(entry) && ((entry.bits & PTE_SHARED_MAPPING) ||
                                      frame_kind(&frame_pool, pte_frame(entry)) == FRAME_FILE);
}

void cow_look_at_table(frame_t table, struct cow_table_use *use)
{
    uint32_t *entries = temp_map(TEMP_FAULT_OLD_TABLE, table);
    *use = (struct cow_table_use){0};
    for (uint32_t i = next_used_entry(entries, 0); i < SLOT_PAGES;) {
        pte_t entry = {entries[i]};
        uint32_t run = 1;
        if (pte_frame(entry).n == zero_frame.n) { /* promises come in rows */
            run = words_run(entries + i, entry.bits, SLOT_PAGES - i);
            use->zeros += run;
        } else if (pte_is_swapped(entry)) {
            use->swapped++;
        } else if (!is_of_object(entry)) {
            use->others++;
        } else if (entry.bits & ENTRY_ACCESSED) {
            entries[i] = entry.bits & ~(uint32_t)ENTRY_ACCESSED; /* nothing is owed: tlb.h */
            use->others++;
        } else {
            use->objects++;
        }
        i += run;
        if (i < SLOT_PAGES)
            i = next_used_entry(entries, i);
    }
    temp_unmap(TEMP_FAULT_OLD_TABLE);
}

/* ---- out ---- */

/* SLOT of directory ID leads to PDE from here on, and the CPU knows nothing of what it led to. */
static void store_entry(uint32_t id, uint32_t slot, pde_t pde)
{
    if (id == directory_current())
        tlb_invalidate_slot(pde_write(slot, pde));
    else
        directory_pde_write(id, slot, pde);
}

/* What SLOT, open to USER or not, shows without TABLE: see cow_remove_table(). */
static pde_t entry_without(frame_t table, enum rights user)
{
    const uint32_t *entries = temp_map(TEMP_FAULT_OLD_TABLE, table);
    uint32_t first = entries[0];
    bool is_full = words_run(entries, first, SLOT_PAGES) == SLOT_PAGES;
    temp_unmap(TEMP_FAULT_OLD_TABLE);
    if (is_full && first == zero_pte(RIGHTS_READ_WRITE).bits)
        return zero_take_table(RIGHTS_READ_WRITE | user);
    if (is_full && first == zero_pte(RIGHTS_READ).bits)
        return zero_take_table(RIGHTS_READ | user);
    return PDE_EMPTY;
}

void cow_remove_table(uint32_t id, uint32_t slot)
{
    pde_t pde = directory_pde_read(id, slot);
    enum rights user = pde.bits & ENTRY_USER ? RIGHTS_USER : RIGHTS_NONE;
    store_entry(id, slot, entry_without(pde_frame(pde), user));
    cow_free_table(pde_frame(pde));
}

/* Nothing leads to TABLE any more: entries of objects go. Returns how many are in use then. */
static uint32_t drop_objects(frame_t table)
{
    uint32_t *entries = temp_map(TEMP_FAULT_OLD_TABLE, table);
    uint32_t used = 0;
    for (uint32_t i = next_used_entry(entries, 0); i < SLOT_PAGES; i++) {
        pte_t entry = {entries[i]};
        if (pte_is_empty(entry))
            continue;
        if (is_of_object(entry)) {
            entries[i] = PTE_EMPTY.bits;
            frame_put(&frame_pool, pte_frame(entry));
        } else {
            used++;
        }
    }
    temp_unmap(TEMP_FAULT_OLD_TABLE);
    return used;
}

bool cow_put_table_out(uint32_t id, uint32_t slot)
{
    pde_t pde = directory_pde_read(id, slot);
    frame_t table = pde_frame(pde), number;
    if (cow_swapper->put_out(table, &number) != KERR_OK)
        return false;
    store_entry(id, slot, pde_make(number, PDE_SWAPPED | (pde.bits & ENTRY_USER)));
    frame_record(&frame_pool, number)->used_entries = (uint16_t)drop_objects(table);
    frame_record(&frame_pool, table)->used_entries = 0;
    frame_put(&frame_pool, table);
    return true;
}

/* ---- back ---- */

/* A table with the contents of FRAME, which SLOT keeps for others as well. */
static enum kerr copy_of_slot(frame_t slot, frame_t frame, frame_t *copy)
{
    if (frame_alloc(&frame_pool, FRAME_TABLE, copy) != KERR_OK)
        return KERR_NO_MEMORY;
    uint32_t *entries = temp_map(TEMP_FAULT_TABLE, *copy);
    page_copy(entries, temp_map(TEMP_FAULT_OLD_TABLE, frame));
    temp_unmap(TEMP_FAULT_OLD_TABLE);
    for (uint32_t i = 0; i < SLOT_PAGES; i++)
        if (entries[i] != 0)
            frame_get(&frame_pool, pte_frame((pte_t){entries[i]}));
    temp_unmap(TEMP_FAULT_TABLE);
    frame_record(&frame_pool, *copy)->used_entries = frame_record(&frame_pool, slot)->used_entries;
    frame_put(&frame_pool, slot);
    cow_counters.tables_copied++;
    return KERR_OK;
}

/* The table of SLOT, a reference to which goes: its page in the area has another one. */
static enum kerr table_of_slot(frame_t slot, frame_t *table)
{
    uint16_t used = frame_record(&frame_pool, slot)->used_entries;
    frame_t frame;
    enum kerr error = cow_swapper->bring(slot, &frame);
    if (error != KERR_OK)
        return error;
    if (frame_references(&frame_pool, slot) > 2)
        return copy_of_slot(slot, frame, table);
    error = cow_swapper->take(slot, frame);
    if (error != KERR_OK)
        return error;
    frame_set_kind(&frame_pool, frame, FRAME_TABLE);
    frame_record(&frame_pool, frame)->used_entries = used;
    *table = frame;
    return KERR_OK;
}

enum kerr cow_bring_entry(pde_t pde, pde_t *back)
{
    frame_t table;
    ASSERT(pde_is_swapped(pde), "%08x: a table that comes back is out", (unsigned)pde.bits);
    enum kerr error = table_of_slot(pde_frame(pde), &table);
    if (error == KERR_OK)
        *back = pde_make(table, pde_own_flags(pde.bits & ENTRY_USER ? RIGHTS_USER : RIGHTS_NONE));
    return error;
}

enum kerr cow_bring_table_of(uint32_t id, uint32_t slot)
{
    pde_t pde = PDE_EMPTY;
    enum kerr error = cow_bring_entry(directory_pde_read(id, slot), &pde);
    if (error != KERR_OK)
        return error;
    if (id == directory_current())
        tlb_unneeded(pde_write(slot, pde), TLB_WAS_NOT_PRESENT);
    else
        directory_pde_write(id, slot, pde);
    return KERR_OK;
}

enum kerr cow_bring_table(uint32_t slot)
{
    return cow_bring_table_of(directory_current(), slot);
}
