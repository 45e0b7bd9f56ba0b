/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Which tables of which spaces can go (mm/cow_table.c does it): a hand goes round the spaces.
 *
 * A table does not know its directory entry, so directories are gone round, and not frames. What the
 * entry was used for since the last visit is seen by its mark A, as with pages.
 */
#include "space_parts.h"

#include <arch/i386/entry.h>
#include <mm/cow.h>

static struct space *hand; /* the space that is visited next; NULL: the first one */

void space_leaves_hand(const struct space *space)
{
    if (hand == space)
        hand = space_next(space);
}

/* What the regions of a slot let be done with its table. */
enum slot_regions { SLOT_IS_LOCKED, SLOT_IS_PROMISED, SLOT_IS_MIXED };

static enum slot_regions regions_in(const struct space *space, uint32_t slot)
{
    const uint32_t end = (slot + 1) * SLOT_PAGES;
    enum slot_regions found = SLOT_IS_PROMISED;
    for (const struct vma *region = vma_at_or_above(space, slot_to_vaddr(slot));
         region != NULL && region->first_page < end; region = vma_next(region)) {
        if (region->flags & VMA_LOCKED)
            return SLOT_IS_LOCKED;
        if (region->kind != VMA_PROMISE)
            found = SLOT_IS_MIXED;
    }
    return found;
}

/* The mark of use goes from SLOT's entry, PDE. Nothing is owed: a table in use may look unused. */
static void forget_use(uint32_t id, uint32_t slot, pde_t pde)
{
    pde.bits &= ~(uint32_t)ENTRY_ACCESSED;
    if (id == directory_current())
        tlb_unneeded(pde_write(slot, pde), TLB_MORE_RIGHTS);
    else
        directory_pde_write(id, slot, pde);
}

/* The table of SLOT, a sole owner's, goes if it can. Returns how many did. */
static uint32_t visit_table(const struct space *space, uint32_t slot, pde_t pde, bool *may_write)
{
    struct cow_table_use use;
    cow_look_at_table(pde_frame(pde), &use);
    if (use.others > 0)
        return 0;
    enum slot_regions regions = regions_in(space, slot);
    if (regions == SLOT_IS_LOCKED)
        return 0;
    if (use.swapped == 0 && (use.zeros == 0 || regions == SLOT_IS_PROMISED)) {
        cow_remove_table(space->directory, slot);
        return 1;
    }
    if (*may_write)
        *may_write = cow_put_table_out(space->directory, slot);
    return *may_write;
}

/* The tables of SPACE that were not used since the last visit. Returns how many went. */
static uint32_t visit_tables(const struct space *space, bool *may_write)
{
    const uint32_t id = space->directory;
    uint32_t gone = 0, run;
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot += run) {
        pde_t pde = directory_pde_read(id, slot);
        run = directory_pde_run(id, slot, KERNEL_FIRST_SLOT - slot);
        if (!pde_is_table(pde) || frame_references(&frame_pool, pde_frame(pde)) != 1 ||
            frame_kind(&frame_pool, pde_frame(pde)) != FRAME_TABLE)
            continue;
        if (pde.bits & ENTRY_ACCESSED)
            forget_use(id, slot, pde);
        else
            gone += visit_table(space, slot, pde, may_write);
    }
    return gone;
}

/* The same, and with its tables SPACE's directory. */
static uint32_t visit(struct space *space, bool *may_write)
{
    if (space->is_ending)
        return 0;
    uint32_t gone = visit_tables(space, may_write);
    bool was_used = space->is_used;
    space->is_used = false;
    return !was_used && space_fold(space) ? gone + 1 : gone;
}

bool space_put_tables_out(uint32_t wanted, bool may_write, uint32_t *visits, uint32_t *gone)
{
    *gone = 0;
    if (hand == NULL)
        hand = space_first();
    for (; hand != NULL && !space_is_folded(hand) && *gone<wanted && * visits> 0; --*visits) {
        struct space *space = hand;
        hand = space_next(space);
        *gone += visit(space, &may_write);
    }
    if (hand != NULL && space_is_folded(hand))
        hand = NULL; /* behind it there is nothing to do */
    return hand == NULL;
}
