/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Spaces without a directory.
 *
 *     directory, 4 KiB                     in struct space, 8 bytes a run
 *     | 1: SHARED     |  space_fold()      slot  1, 1 time:   SHARED
 *     | 2..31: zeros  | ──────────────▶    slot  2, 30 times: zero table
 *     | ...  empty    | ◀──────────────    slot 767, 1 time:  swapped
 *     | 767: swapped  |  space_make_ready()
 *     | kernel half   |
 *
 * What is left of a directory whose tables are out, or shared, is a handful of entries. So it needs no
 * slot, and no disk to come back from. The kernel half is copied afresh then. The number of the directory
 * is another one each time.
 *
 * Entries keep their references. Who sleeps, and so has no directory, cannot be loaded: space_switch()
 * is for those that are ready.
 */
#include "space_parts.h"

#include <arch/i386/alternate.h>
#include <arch/i386/entry.h>
#include <mm/cow.h>
#include <mm/kernel_pages.h>
#include <mm/object.h>

/* ---- entries, wherever they are ---- */

pde_t space_pde_read(const struct space *space, uint32_t slot)
{
    if (!space_is_folded(space))
        return directory_pde_read(space->directory, slot);
    for (uint32_t i = 0; i < space->folded_runs; i++)
        if (slot - space->folded[i].slot < space->folded[i].count)
            return space->folded[i].pde;
    return PDE_EMPTY;
}

uint32_t space_pde_run(const struct space *space, uint32_t slot, uint32_t count)
{
    if (!space_is_folded(space))
        return directory_pde_run(space->directory, slot, count);
    uint32_t end = slot + count;
    for (uint32_t i = 0; i < space->folded_runs; i++) {
        const struct folded_run *run = &space->folded[i];
        if (slot >= run->slot + run->count)
            continue;
        uint32_t border = slot < run->slot ? run->slot : run->slot + (uint32_t)run->count;
        return (border < end ? border : end) - slot;
    }
    return count;
}

/* ---- folding ---- */

/* Reclaim would not find PDE's table any more, which is this space's alone. */
static bool is_sole_table(pde_t pde)
{
    return pde_is_table(pde) && frame_kind(&frame_pool, pde_frame(pde)) == FRAME_TABLE &&
           frame_references(&frame_pool, pde_frame(pde)) == 1;
}

/* *RUNS: what SPACE's directory holds. False: too many, or what has to stay. */
static bool gather_runs(const struct space *space, struct folded_run runs[], uint32_t *count)
{
    uint32_t length;
    *count = 0;
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot += length) {
        pde_t pde = directory_pde_read(space->directory, slot);
        length = directory_pde_run(space->directory, slot, KERNEL_FIRST_SLOT - slot);
        if (pde_is_empty(pde))
            continue;
        if (*count == FOLDED_RUNS_MAX || pde_is_large(pde) || is_sole_table(pde))
            return false;
        runs[(*count)++] = (struct folded_run){(uint16_t)slot, (uint16_t)length, pde};
    }
    return true;
}

/*
 * A file that SPACE may write by a mapping wants its entries at any time, to take the right away before
 * it is written out (object_take_writes()), and that must not fail.
 */
static bool writes_files(const struct space *space)
{
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region))
        if ((region->flags & VMA_SHARED) && region->object != NULL && region->object->pager != NULL)
            return true;
    return false;
}

bool space_fold(struct space *space)
{
    uint32_t id = space->directory, runs;
    if (space == space_loaded || space == &boot_space || space->locked_pages != 0 ||
        id == alternate_shown || !gather_runs(space, space->folded, &runs) || writes_files(space))
        return false;
    space->folded_runs = (uint8_t)runs;
    space->directory = DIRECTORY_NONE;
    directory_unregister(id);
    kernel_pages_put_away(directory_page(id), 1);
    space_takes_its_place(space);
    return true;
}

/* Run NUMBER of SPACE is no more. */
static void remove_run(struct space *space, uint32_t number)
{
    cow_drop_table(space->folded[number].pde, space->folded[number].count);
    space->folded_runs--;
    for (uint32_t i = number; i < space->folded_runs; i++)
        space->folded[i] = space->folded[i + 1];
}

void space_drop_empty_tables(struct space *space)
{
    for (uint32_t i = space->folded_runs; i-- > 0;) {
        pde_t pde = space->folded[i].pde;
        if (pde_is_table(pde) && frame_kind(&frame_pool, pde_frame(pde)) == FRAME_TABLE &&
            frame_record(&frame_pool, pde_frame(pde))->used_entries == 0)
            remove_run(space, i);
    }
}

enum kerr space_make_ready(struct space *space)
{
    uint32_t id;
    if (!space_is_folded(space))
        return KERR_OK;
    enum kerr error = space_new_directory(kernel_pages_take_back, &id);
    if (error != KERR_OK)
        return error;
    for (uint32_t i = 0; i < space->folded_runs; i++)
        for (uint32_t n = 0; n < space->folded[i].count; n++)
            directory_pde_write(id, space->folded[i].slot + n, space->folded[i].pde);
    space->directory = id;
    space->is_used = true;
    space_takes_its_place(space);
    return KERR_OK;
}

void space_drop_folded(struct space *space)
{
    for (uint32_t i = 0; i < space->folded_runs; i++)
        cow_drop_table(space->folded[i].pde, space->folded[i].count);
    space->folded_runs = 0;
}

enum kerr space_bring_table(struct space *space, uint32_t slot)
{
    if (!space_is_folded(space))
        return cow_bring_table_of(space->directory, slot);
    struct folded_run *run = space->folded;
    while (slot - run->slot >= run->count)
        run++;
    ASSERT(run->count == 1, "a table that is out has one entry in a space");
    return cow_bring_entry(run->pde, &run->pde);
}

/* ---- a look at tables ---- */

static const struct space *viewed;
static bool is_mapped; /* at the temporary page */

static void unmap_view(void)
{
    if (is_mapped)
        temp_unmap(TEMP_VIEW);
    is_mapped = false;
}

void space_view_open(const struct space *space)
{
    viewed = space;
    if (!space_is_folded(space))
        alternate_open(space->directory);
}

const volatile uint32_t *space_view_table(uint32_t slot, pde_t *pde)
{
    if (!space_is_folded(viewed))
        return alternate_table(slot, pde);
    unmap_view();
    *pde = space_pde_read(viewed, slot);
    is_mapped = pde_is_table(*pde);
    return is_mapped ? temp_map(TEMP_VIEW, pde_frame(*pde)) : NULL;
}

void space_view_query(vaddr_t address, struct translation *translation)
{
    const volatile uint32_t *table = space_view_table(vaddr_to_slot(address), &translation->pde);
    translation->has_pte = table != NULL;
    translation->pte = PTE_EMPTY;
    if (table != NULL)
        translation->pte = (pte_t){table[vaddr_to_pte_idx(address)]};
}

void space_view_close(void)
{
    if (!space_is_folded(viewed))
        alternate_close();
    unmap_view();
    viewed = NULL;
}
