/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. The alternate window (alternate.h).
 *
 * The trick of slot 1023 once more, with a foreign directory in the place of one's own:
 *
 *      address of slot 1022         what the walk finds
 *      1022 |  t   | offset         directory[1022] = foreign;  foreign[t] = its table t
 *
 * The entry has no RW, so that a stray store faults, whatever the foreign entries allow; and no U.
 * Entries of the foreign directory are PTEs here: one that changes while the window is open owes
 * its page (directory.c). Closing drops them all at once.
 */
#include <arch/i386/alternate.h>
#include <arch/i386/entry.h>
#include <mm/frame.h>

uint32_t alternate_shown = ALTERNATE_SHOWS_NONE;
static uint32_t aimed = ALTERNATE_SHOWS_NONE; /* or the current one, which is seen elsewhere */

bool alternate_is_open(void)
{
    return aimed != ALTERNATE_SHOWS_NONE;
}

pde_t alternate_entry(void)
{
    if (alternate_shown == ALTERNATE_SHOWS_NONE)
        return PDE_EMPTY;
    frame_t directory = pte_frame(pte_read(directory_page(alternate_shown)));
    return pde_make(directory, ENTRY_PRESENT | ENTRY_ACCESSED);
}

void alternate_open(uint32_t id)
{
    ASSERT(!alternate_is_open(), "the alternate window is open already, for directory %u", aimed);
    ASSERT(directory_is_live(id), "the alternate window aimed at directory %u, which is not live",
           id);
    aimed = id;
    if (id == directory_current())
        return;
    alternate_shown = id;
    tlb_unneeded(pde_write(ALT_WINDOW_SLOT, alternate_entry()), TLB_WAS_NOT_PRESENT);
}

void alternate_close(void)
{
    ASSERT(alternate_is_open(), "the alternate window is closed already");
    aimed = ALTERNATE_SHOWS_NONE;
    if (alternate_shown == ALTERNATE_SHOWS_NONE)
        return;
    alternate_shown = ALTERNATE_SHOWS_NONE;
    tlb_invalidate_slot(pde_write(ALT_WINDOW_SLOT, PDE_EMPTY));
}

const volatile uint32_t *alternate_table(uint32_t slot, pde_t *pde)
{
    ASSERT(alternate_is_open() && slot < KERNEL_FIRST_SLOT, "slot %u in the alternate window",
           slot);
    *pde = directory_pde_read(aimed, slot);
    if (!pde_is_table(*pde))
        return NULL;
    vaddr_t page = slot_to_vaddr(slot);
    return vaddr_to_pointer(alternate_shown == aimed ? alternate_page(page) : window_page(page));
}

void alternate_query(vaddr_t address, struct translation *translation)
{
    const volatile uint32_t *table = alternate_table(vaddr_to_slot(address), &translation->pde);
    translation->has_pte = table != NULL;
    translation->pte = PTE_EMPTY;
    if (table != NULL)
        translation->pte = (pte_t){table[vaddr_to_pte_idx(address)]};
}
