/* SPDX-License-Identifier: MIT */
/* An entry is stored, and nobody asks what the TLB is owed. */
/* expected: unused-result */
#include <arch/i386/entry.h>

void mistake(vaddr_t page);
void mistake(vaddr_t page)
{
#ifdef WRONG
    pte_write(page, PTE_EMPTY);
#else
    tlb_invalidate_page(pte_write(page, PTE_EMPTY));
#endif
}
