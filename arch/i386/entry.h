/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Uses: layers 0, 1. Used by: layers 2-4; above, by what fills a frame at a temporary page
 * (device/, store/, file/, program/elf.c) and by what counts entries (process/victim.c).
 *
 * The recursive window: the only way to the entries of the current space, in two functions that
 * hold the shift and the mask. Reads and writes of entries go through the functions below them;
 * every write returns what it owes to the TLB (tlb.h).
 *
 * +---------------------------------------------------------------------------------------------+
 * | The window ends at the top of the address space: one past its last entry is address 0.      |
 * | `for (p = first; p < end; p++)` compiles to nothing there. Index loops only.                |
 * +---------------------------------------------------------------------------------------------+
 */
#ifndef ARCH_I386_ENTRY_H
#define ARCH_I386_ENTRY_H

#include <arch/i386/tlb.h>
#include <mm/frame.h>
#include <mm/paging.h>

/* The PTE of ADDRESS. Only where its PDE points to a table: else the access faults. */
static inline volatile uint32_t *pte_slot(vaddr_t address)
{
    return (volatile uint32_t *)vaddr_to_pointer(
        VADDR(WINDOW_BASE + (address.v >> PAGE_SHIFT) * (uint32_t)sizeof(pte_t)));
}

/* The PDE of SLOT: always there. */
static inline volatile uint32_t *pde_slot(uint32_t slot)
{
    return (volatile uint32_t *)vaddr_to_pointer(
        VADDR(WINDOW_DIRECTORY + slot * (uint32_t)sizeof(pde_t)));
}

static inline pte_t pte_read(vaddr_t address)
{
    return (pte_t){*pte_slot(address)};
}

static inline pde_t pde_read(uint32_t slot)
{
    return (pde_t){*pde_slot(slot)};
}

/* COUNT entries more, or fewer, of SLOT's own table are in use. */
static inline void table_count_used(uint32_t slot, int32_t count)
{
    struct frame_record *record = frame_record(&frame_pool, pde_frame(pde_read(slot)));
    CHECK((uint32_t)(record->used_entries + count) <= SLOT_PAGES,
          "table of slot %u: %d entries in use and %d more", slot, record->used_entries, count);
    record->used_entries = (uint16_t)(record->used_entries + count);
}

/*
 * Store NEW for OLD, which the caller has just read, into a PTE of an own table; the caller counts
 * the table's used entries. For loops and for the fault path. (The CPU may have set A or D since.)
 */
#define pte_replace(page, old, new) pte_replace_at(pte_slot(page), page, old, new, TLB_HERE)

/*
 * The same of PAGE's entry as ENTRY shows it. A table that is shared can be written by way of a
 * temporary page only, and what is owed is the same: the loaded directory leads there as well.
 */
#define pte_replace_by(entry, page, old, new) pte_replace_at(entry, page, old, new, TLB_HERE)
static inline tlb_debt_t must_check pte_replace_at(volatile uint32_t *entry, vaddr_t page,
                                                   pte_t old, pte_t new, const char *where)
{
    CHECK(((*entry ^ old.bits) & ~(uint32_t)(ENTRY_ACCESSED | ENTRY_DIRTY)) == 0,
          "the entry of " PRI_VADDR " is not the one that is replaced", ARG_VADDR(page));
    *entry = new.bits;
    if (CHECKED)
        ledger_pte_stored(page, old, new, where);
    return (tlb_debt_t){page, old.bits, new.bits};
}

/* Store a PTE of an own table, and count. */
#define pte_write(page, pte) pte_write_at(page, pte, TLB_HERE)
static inline tlb_debt_t must_check pte_write_at(vaddr_t page, pte_t pte, const char *where)
{
    tlb_debt_t debt = pte_replace_at(pte_slot(page), page, pte_read(page), pte, where);
    if ((debt.before == 0) != (debt.after == 0))
        table_count_used(vaddr_to_slot(page), debt.after == 0 ? -1 : 1);
    return debt;
}

/*
 * Store PTE into those of the PAGES entries from FIRST on (one slot, own table) that are empty.
 * Returns their number, which it has counted. Not-present -> present: nothing is owed.
 */
uint32_t pte_fill_empty(vaddr_t first, uint32_t pages, pte_t pte);

/* Store a PDE of the kernel half into every live directory. */
void pde_push(uint32_t slot, pde_t pde);

/* Store a PDE of the current space; one of the kernel half reaches every live directory. */
#define pde_write(slot, pde) pde_write_at(slot, pde, TLB_HERE)
static inline tlb_debt_t must_check pde_write_at(uint32_t slot, pde_t pde, const char *where)
{
    pde_t old = pde_read(slot);
    tlb_debt_t debt = {slot_to_vaddr(slot), old.bits, pde.bits};
    if (CHECKED)
        ledger_pde_changes(slot, old, pde, where);
    *pde_slot(slot) = pde.bits;
    if (slot >= KERNEL_FIRST_SLOT)
        pde_push(slot, pde);
    return debt;
}

/*
 * Store PDE into the COUNT entries from SLOT on, if all are empty: KERR_OK, else KERR_EXISTS and
 * nothing has changed. Not-present -> present: nothing is owed.
 */
kerr_t pde_fill_empty(uint32_t slot, uint32_t count, pde_t pde);

/*
 * How many of the COUNT entries from SLOT on (at least 1) are equal to the first: loops over many
 * slots go from run to run.
 */
uint32_t pde_run(uint32_t slot, uint32_t count);

/* Empty the COUNT entries from SLOT on, and pay for it: one flush. */
void pde_clear_run(uint32_t slot, uint32_t count);

/*
 * See FRAME at the temporary page NUMBER, which must be free, until temp_unmap(). Between the two
 * nothing may run that uses the same page: faults have pages of their own. The temporary table is
 * part of the image and never given back, so its entries aren't counted.
 */
static inline void *temp_map(enum temp_page number, frame_t frame)
{
    vaddr_t page = VADDR(TEMP_PAGE_ADDRESS(number));
    pte_t old = pte_read(page);
    ASSERT(pte_is_empty(old), "temporary page %u is in use (%08x)", (unsigned)number,
           (unsigned)old.bits);
    uint32_t flags = ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_ACCESSED | ENTRY_DIRTY;
    tlb_unneeded(pte_replace(page, old, pte_make(frame, flags)), TLB_WAS_NOT_PRESENT);
    return vaddr_to_pointer(page);
}

static inline void temp_unmap(enum temp_page number)
{
    vaddr_t page = VADDR(TEMP_PAGE_ADDRESS(number));
    tlb_invalidate_page(pte_replace(page, pte_read(page), PTE_EMPTY));
}

/* The flags of a present PTE of PAGE with RIGHTS. A and D are set: the CPU need not do it. */
static inline uint32_t pte_flags(vaddr_t page, enum rights rights)
{
    uint32_t flags = ENTRY_PRESENT | ENTRY_ACCESSED;
    if (rights & RIGHTS_WRITE)
        flags |= ENTRY_WRITABLE | ENTRY_DIRTY;
    if (rights & RIGHTS_USER)
        flags |= ENTRY_USER;
    if (rights & RIGHTS_UNCACHED)
        flags |= ENTRY_CACHE_DISABLE | ENTRY_WRITE_THROUGH;
    return page.v >= KERNEL_BASE ? flags | paging_global_flag : flags;
}

/* The flags of a PDE that points to a table of its own; a PTE decides what may be written. */
static inline uint32_t pde_own_flags(enum rights rights)
{
    return ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_ACCESSED |
           (rights & RIGHTS_USER ? (uint32_t)ENTRY_USER : 0);
}

#endif
