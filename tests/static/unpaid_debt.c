/* SPDX-License-Identifier: MIT */
/* What the TLB is owed is kept, and never paid. */
/* expected: unused-variable */
#include <arch/i386/entry.h>

void mistake(vaddr_t page);
void mistake(vaddr_t page)
{
#ifdef WRONG
    tlb_debt_t debt = pte_write(page, PTE_EMPTY);
#else
    tlb_debt_t debt = pte_write(page, PTE_EMPTY);
    tlb_invalidate_page(debt);
#endif
}
